//! Clinical triage: how soon must this patient be seen?
//!
//! A latent severity comes from complaint and vital signs; the model's probabilities over four
//! levels follow from it, and the truth is drawn from them. In the drift, one clinic's new oximeter
//! reports rounded-up values: oxygen looks fine, and patients are sent home who should not be.
//!
//! Invented patients, invented numbers: nothing here is medical advice.

use serde_json::{Value, json};

use super::grammar::{Slots, expand, hide};
use super::rng::Rng;
use super::{Draft, Truth, number, round};
use crate::domain::VerdictKind;

pub(super) const DRIFTING: &str = "harbour-clinic";

const SITES: [&str; 4] = ["north-clinic", "harbour-clinic", "harbour-clinic", "valley-clinic"];
/// How right the model still is about the drifted cohort: this share of its confidence.
const DRIFTED: f64 = 0.6;

/// How soon somebody must be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Level {
    severity: f64,
    action: &'static str,
    within: &'static str,
}

const LEVELS: [Level; 4] = [
    Level { severity: 0.0, action: "self_care", within: "not needed" },
    Level { severity: 1.0, action: "routine", within: "3 days" },
    Level { severity: 2.0, action: "urgent", within: "4 h" },
    Level { severity: 3.0, action: "emergency", within: "now" },
];

/// A complaint with its severity on the scale of the levels (0 = self care … 3 = emergency).
const COMPLAINTS: [(f64, &str); 18] = [
    (
        2.9,
        "[Chest tightness|Pressure in the chest] [since this morning|for two hours], [worse on stairs|also in the left arm].",
    ),
    (
        2.8,
        "[Sudden|Since an hour] weakness [of the right arm|on one side], [speech is slurred|cannot find words].",
    ),
    (
        2.5,
        "[Short of breath|Breathless] [at rest|when lying down], [ankles swollen|worse at night].",
    ),
    (
        2.2,
        "[Severe|Very bad] [belly pain|pain in the right lower belly] for {hours} hours, [vomited twice|no appetite].",
    ),
    (2.1, "[High fever|Fever] and [stiff neck|bad headache], [light hurts|rash on the legs]."),
    (
        1.9,
        "[Deep cut|Cut] [on the hand|on the shin] [from a kitchen knife|from a broken glass], [still bleeding|bleeds when moved].",
    ),
    (
        1.8,
        "[Our son, {small},|Our daughter, {small},] with [barking cough|noisy breathing] [since last night|at night].",
    ),
    (1.6, "[Painful|Burning] urination for {days} days, [back pain too|some fever]."),
    (
        1.5,
        "[Fell|Tripped] on [ice|the stairs]; [wrist is swollen, can move the fingers|ankle is blue, can stand on it].",
    ),
    (1.3, "[Cough|Wet cough] for {days} days with [yellow|green] phlegm, [tired|mild fever]."),
    (1.1, "[Migraine|Usual migraine] for {days} days, [tablets do not help|worse than usual]."),
    (1.0, "[Low back pain|Back pain] after [moving house|gardening], [no numbness|can walk]."),
    (
        0.9,
        "[Itchy rash|Rash] on [both arms|the trunk] since [a new detergent|starting an antibiotic].",
    ),
    (0.8, "[Earache|Pain in one ear] [after swimming|with a cold], {days} days."),
    (0.6, "[Sore throat|Scratchy throat] for {days} days, [no fever|a little hoarse]."),
    (0.5, "[Runny nose|Cold] and [sneezing|watery eyes], [every spring|colleagues have it too]."),
    (
        0.3,
        "[Needs|Would like] [a repeat prescription|a sick note] for [blood pressure tablets|hay fever].",
    ),
    (0.2, "[Tick bite|Mosquito bite] [yesterday|two days ago], [no redness|a small red spot]."),
];

pub(super) fn draw(rng: &mut Rng, drifting: bool, hostile: bool) -> Draft {
    let site = rng.pick(&SITES);
    let drifted = drifting && site == DRIFTING;
    let small = rng.whole(2, 7);
    let (base, template) = rng.pick(&COMPLAINTS);
    let mut slots = Slots::default();
    slots.set("hours", rng.whole(2, 14).to_string());
    slots.set("days", rng.whole(2, 9).to_string());
    slots.set("small", small.to_string());
    let age = if template.contains("{small}") { small } else { rng.whole(16, 93) };
    let complaint = expand(template, rng, &slots);
    let complaint = if hostile { hide(rng, &complaint) } else { complaint };

    let pulse = rng.normal(78.0 + 9.0 * base, 11.0).clamp(44.0, 176.0).round();
    let systolic = rng.normal(127.0 - 2.0 * base, 15.0).clamp(72.0, 214.0).round();
    let temperature = round(rng.normal(36.8 + 0.25 * base, 0.6).clamp(35.1, 41.0), 1);
    let mut oxygen = rng.normal(98.2 - 1.1 * base, 1.3).clamp(80.0, 100.0).round();
    if drifted {
        oxygen = (oxygen + 4.0).min(100.0);
    }
    let pain = round((rng.normal(1.0 + 2.1 * base, 1.6)).clamp(0.0, 10.0), 0);

    let says = [
        ("complaint", base - 1.4),
        ("oxygen", 0.16 * (96.5 - oxygen)),
        ("pulse", 0.012 * (pulse - 88.0)),
        ("temperature", 0.2 * (temperature - 37.2)),
        ("blood pressure", if systolic < 95.0 { 0.6 } else { 0.0 }),
        ("age", if age > 70 { 0.3 } else { 0.0 }),
    ];
    let severity = (1.4 + says.iter().map(|(_, x)| x).sum::<f64>()).clamp(-0.4, 3.4);
    let p = chances(severity, rng.between(0.30, 0.62));
    let (proposed, sure) = p
        .iter()
        .copied()
        .fold((LEVELS[0], 0.0), |best, one| if one.1 > best.1 { one } else { best });
    let confidence = round(sure, 4);
    let right = rng.chance(if drifted { confidence * DRIFTED } else { confidence });
    let actual = if right { proposed } else { miss(rng, &p, proposed, drifted) };

    let mut named = says;
    named.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let named: Vec<String> = named.iter().take(3).map(|(n, x)| format!("{n} {x:+.2}")).collect();
    Draft {
        prefix: "tri",
        action: proposed.action,
        scope: "clinical/triage",
        user_group: "patients",
        model: ("triage-assist", "2.4"),
        members: ["rules", "forest", "notes-lm"],
        cohort: [("cohort", site), ("age", band(age))],
        confidence,
        business_impact: number(if proposed.severity.max(actual.severity) > 2.5 {
            10.0
        } else {
            9.0
        }),
        input: json!({
            "complaint": complaint,
            "age": age,
            "pulse": number(pulse),
            "systolic_bp": number(systolic),
            "temperature_c": number(temperature),
            "oxygen_pct": number(oxygen),
            "pain_0_10": number(pain),
            "history": history(rng, age),
        }),
        output: output(proposed, &p),
        rationale: format!("Towards 'sooner': {}.", named.join(", ")),
        truth: truth(rng, right, drifted, proposed, actual, &p),
    }
}

/// Each level with its probability: a bell around the severity, `width` levels wide.
fn chances(severity: f64, width: f64) -> [(Level, f64); 4] {
    let bell = |l: Level| (-(severity - l.severity).powi(2) / (2.0 * width * width)).exp();
    let sum: f64 = LEVELS.iter().map(|l| bell(*l)).sum();
    LEVELS.map(|l| (l, bell(l) / sum))
}

/// What was right where the proposal was wrong: the other levels by their probabilities; in the
/// drift mostly a sooner one.
fn miss(rng: &mut Rng, p: &[(Level, f64); 4], proposed: Level, drifted: bool) -> Level {
    let weight = |(level, p): &(Level, f64)| match () {
        () if *level == proposed => 0.0,
        () if drifted && level.severity > proposed.severity => p + 0.5,
        () => *p + 1e-6,
    };
    let mut left = rng.unit() * p.iter().map(weight).sum::<f64>();
    let mut last = proposed;
    for one in p.iter().filter(|one| one.0 != proposed) {
        last = one.0;
        left -= weight(one);
        if left < 0.0 {
            break;
        }
    }
    last
}

fn output(level: Level, p: &[(Level, f64); 4]) -> Value {
    let sooner: f64 = p.iter().filter(|(l, _)| l.severity >= 2.0).map(|(_, p)| p).sum();
    json!({"decision": level.action, "see_within": level.within, "p_urgent": round(sooner, 4)})
}

fn truth(
    rng: &mut Rng,
    right: bool,
    drifted: bool,
    proposed: Level,
    actual: Level,
    p: &[(Level, f64); 4],
) -> Truth {
    let unsure = p.iter().all(|(_, p)| *p < 0.55);
    let verdict = match () {
        () if unsure && rng.chance(0.35) => VerdictKind::Escalate,
        () if right => VerdictKind::Accept,
        () => VerdictKind::Edit,
    };
    let tag = match () {
        () if right => None,
        () if drifted => Some(rng.pick(&["out_of_distribution", "wrong_action"])),
        () if actual.severity > proposed.severity + 1.5 => Some("factual_error"),
        () => Some(rng.pick(&["wrong_action", "wrong_action", "incomplete"])),
    };
    Truth {
        right,
        action: actual.action.to_owned(),
        output: (!right).then(|| output(actual, p)),
        verdict,
        tags: tag.filter(|_| verdict == VerdictKind::Edit).map(str::to_owned).into_iter().collect(),
    }
}

fn band(age: u32) -> &'static str {
    match age {
        0..=17 => "under 18",
        18..=39 => "18-39",
        40..=64 => "40-64",
        _ => "65+",
    }
}

fn history(rng: &mut Rng, age: u32) -> Vec<&'static str> {
    let common: &[&str] = match age {
        0..=15 => &["asthma", "penicillin allergy"],
        16..=44 => &["asthma", "migraine", "penicillin allergy", "pregnant", "smoker", "hay fever"],
        _ => &[
            "hypertension",
            "type 2 diabetes",
            "atrial fibrillation",
            "COPD",
            "previous stroke",
            "penicillin allergy",
            "immunosuppressed",
            "smoker",
            "bypass 2019",
        ],
    };
    let mut list: Vec<&str> = Vec::new();
    let likely = if age > 50 { 0.55 } else { 0.25 };
    while list.len() < 2 && rng.chance(likely) {
        let one = rng.pick(common);
        if !list.contains(&one) {
            list.push(one);
        }
    }
    list
}
