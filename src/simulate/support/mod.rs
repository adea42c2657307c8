//! Answers to a shop's customers: the model writes, a person may check against the knowledge base.
//!
//! A wrong answer is really wrong: a figure differs from the extract, the essential last sentence
//! is missing, the tone is off, or it promises what nobody may promise. In the drift, delivery
//! questions turn to a new carrier that the model has never read about.

mod texts;

use serde_json::json;

use super::grammar::{Slots, expand, hide};
use super::rng::Rng;
use super::{Draft, Truth, number, round};
use crate::domain::VerdictKind;
use texts::{CARRIERS, CHANNELS, CITIES, CLOSERS, NAMES, OPENERS, RUDE, TOPICS, Topic};

pub(super) const DRIFTING: &str = "delivery";

/// How right the model still is about the drifted cohort: this share of its confidence.
const DRIFTED: f64 = 0.62;
const NEW_CARRIER: &str = "DroneLoop (new)";

/// What is wrong with an answer.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    Fact,
    Missing,
    Tone,
    Promise,
}

impl Flaw {
    fn tag(self) -> &'static str {
        match self {
            Self::Fact => "factual_error",
            Self::Missing => "incomplete",
            Self::Tone => "tone",
            Self::Promise => "policy_violation",
        }
    }
}

pub(super) fn draw(rng: &mut Rng, drifting: bool, hostile: bool) -> Draft {
    let topic = rng.pick(TOPICS);
    let drifted = drifting && topic.cohort == DRIFTING;
    let slots = facts(rng, topic, drifted);
    let question = expand(rng.pick(topic.questions), rng, &slots);
    let question = if hostile { hide(rng, &question) } else { question };

    let confidence = round(
        match rng.unit() {
            u if u < 0.66 => rng.between(0.86, 0.985),
            u if u < 0.9 => rng.between(0.66, 0.88),
            _ => rng.between(0.42, 0.68),
        },
        4,
    );
    let right = rng.chance(if drifted { confidence * DRIFTED } else { confidence });
    let flaw = (!right).then(|| flaw(rng, drifted));
    // The same choices of words for the answer given and the one that would have been right.
    let words = rng.clone();
    let good = answer(&mut words.clone(), topic, &slots, None);
    let given = match flaw {
        None => good.clone(),
        Some(Flaw::Fact) => {
            answer(&mut words.clone(), topic, &wrong_fact(rng, topic, &slots), flaw)
        }
        Some(_) => answer(&mut words.clone(), topic, &slots, flaw),
    };
    let sources = rng.whole(1, 3);
    Draft {
        prefix: "sup",
        action: "send_answer",
        scope: "support/assistant",
        user_group: "customers",
        model: ("answer-writer", "2026-09"),
        members: ["grounding", "style", "policy-lm"],
        cohort: [("cohort", topic.cohort), ("channel", rng.pick(CHANNELS))],
        confidence,
        business_impact: number(topic.impact),
        input: json!({
            "question": question,
            "customer_since": rng.whole(2011, 2026),
            "orders": rng.whole(1, 40),
            "knowledge": expand(topic.extract, rng, &slots),
        }),
        output: json!(given),
        rationale: format!("Grounded in {sources} [passage|passages] on {}.", topic.cohort)
            .replace("[passage|passages]", if sources == 1 { "passage" } else { "passages" }),
        truth: truth(flaw, &given, good),
    }
}

/// The case's names and the right value of every fact.
fn facts(rng: &mut Rng, topic: Topic, drifted: bool) -> Slots {
    let mut slots = Slots::default();
    slots.set("name", rng.pick(NAMES));
    slots.set("product", rng.pick(topic.products));
    slots.set("city", rng.pick(CITIES));
    slots.set("carrier", if drifted { NEW_CARRIER } else { rng.pick(CARRIERS) });
    slots.set("order", format!("A-{}", rng.whole(20_000, 99_999)));
    slots.set("amount", format!("{}.{:02}", rng.whole(19, 420), rng.whole(0, 99)));
    slots.set("months_used", rng.whole(2, 30).to_string());
    slots.set("diff", rng.pick(&["lighter fabric", "recycled lining", "stronger seams"]));
    for (name, values) in topic.facts {
        slots.set(name, rng.pick(values));
    }
    slots
}

/// The slots with one fact changed.
fn wrong_fact(rng: &mut Rng, topic: Topic, slots: &Slots) -> Slots {
    let mut wrong = slots.clone();
    let (name, values) = rng.pick(topic.facts);
    let right = expand(&format!("{{{name}}}"), rng, slots);
    let others: Vec<&str> = values.iter().copied().filter(|v| *v != right).collect();
    if !others.is_empty() {
        wrong.set(name, rng.pick(&others));
    }
    wrong
}

fn flaw(rng: &mut Rng, drifted: bool) -> Flaw {
    match rng.unit() {
        u if drifted && u < 0.8 => Flaw::Fact,
        u if u < 0.55 => Flaw::Fact,
        u if u < 0.75 => Flaw::Missing,
        u if u < 0.88 => Flaw::Tone,
        _ => Flaw::Promise,
    }
}

fn answer(rng: &mut Rng, topic: Topic, slots: &Slots, flaw: Option<Flaw>) -> String {
    let opener = expand(rng.pick(OPENERS), rng, slots);
    let mut sentences: Vec<String> =
        topic.answer.iter().map(|sentence| expand(sentence, rng, slots)).collect();
    let closer = expand(rng.pick(CLOSERS), rng, slots);
    let opener = match flaw {
        Some(Flaw::Tone) => expand(RUDE, rng, slots),
        _ => opener,
    };
    match flaw {
        Some(Flaw::Missing) => drop(sentences.pop()),
        Some(Flaw::Promise) => sentences.push(expand(topic.promise, rng, slots)),
        _ => {}
    }
    format!("{opener}\n\n{}\n\n{closer}", sentences.join(" "))
}

fn truth(flaw: Option<Flaw>, given: &str, good: String) -> Truth {
    let (right, tags) = (flaw.is_none(), flaw.map(|f| f.tag().to_owned()).into_iter().collect());
    let truth = |action: &str, output, verdict| Truth {
        right,
        action: action.to_owned(),
        output,
        verdict,
        tags,
    };
    match flaw {
        None => truth("send_answer", None, VerdictKind::Accept),
        // A promise must not go out in any wording that follows from it.
        Some(Flaw::Promise) => truth("withhold_answer", None, VerdictKind::Reject),
        Some(_) => {
            debug_assert_ne!(given, good);
            truth("send_answer", Some(json!(good)), VerdictKind::Edit)
        }
    }
}
