//! The route of one decision: scoped policy, output checks, routes, default, requires, sample.
//!
//! Which rules hold is asked through a closure, so that the live engine, the explanation and the
//! question "what if this field were different" share one order of precedence.

use jiff::SignedDuration;

use super::Policy;
use super::allow;
use super::lang::Compiled;
use super::lang::reading::Reading;
use super::nouns::{EffectAction, Firing, Routing};
use super::rules::{EffectRule, On, RouteRule, Target};
use super::trial::RuleKind;
use crate::domain::{DATAOPS, Decision, Facts, Outcome, Sample, SampleKind};

/// The rule named on broken records.
const SCHEMA: &str = "schema";

/// Which rule settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Winner {
    /// No `[[allow]]` covers it.
    Allow,
    /// By index among the output checks.
    Check(usize),
    /// By index among the routes.
    Route(usize),
    Default,
    /// A require made a review of what would be automatic.
    Require(usize),
    /// The control state could not be read.
    Unreadable,
    /// A fact the rules read was not given.
    FactsMissing,
}

/// What is settled before any chance is drawn: everything but words, samples and effects.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settled<'p> {
    pub(super) outcome: Outcome,
    pub(super) winner: Winner,
    /// For a review: where, and who must approve, the first being where.
    pub(super) approvals: Vec<&'p str>,
    pub(super) sla: Option<SignedDuration>,
    pub(super) priority: i64,
}

impl<'p> Settled<'p> {
    pub(super) fn queue(&self) -> Option<&'p str> {
        self.approvals.first().copied()
    }
}

impl Policy {
    pub(super) fn reading<'a>(&'a self, d: &'a Decision, facts: &'a Facts) -> Reading<'a> {
        Reading { facts: Some(facts), ..Reading::of(d, self.impact, &self.redact) }
    }

    /// The index of the first rule that matches, counting the output checks and then the routes in
    /// the order of the file; `None`: the default applies. Allocates nothing.
    pub fn winner(&self, d: &Decision, facts: &Facts) -> Option<usize> {
        let reading = self.reading(d, facts);
        let rules = self.checks.iter().chain(&self.routes);
        rules.enumerate().find(|(_, r)| r.when.holds(&reading)).map(|(i, _)| i)
    }

    /// The policy's part of a route. Pure: the same arguments give the same answer for ever.
    ///
    /// Of a record with faults ([`Policy::check_record`]) nothing automatic comes out: it is
    /// quarantined by its caller before any rule is asked. Order of precedence: scoped policy,
    /// (kill switches: theirs to apply around this call,) output checks, routes, default, then
    /// requires, then the sample of what stays automatic.
    pub fn route(&self, d: &Decision, facts: &Facts) -> Routing {
        let reading = self.reading(d, facts);
        let blocked = allow::blocked(&self.allows, &|f| reading.text(f));
        let settled = self.settle(facts, blocked, &mut |r| r.holds(&reading));
        let matched = self.matched(&mut |r| r.holds(&reading));
        let reason = self.reason(settled.winner, &reading);
        let drawn = (settled.outcome == Outcome::Auto)
            .then(|| self.sample(d, &mut |r| r.holds(&reading)))
            .flatten();
        let firings = self.on_decision(d, facts);
        let tags = tags_of(&firings, &d.tags);
        let queue = settled.queue().or(drawn.as_ref().map(|(_, to)| *to));
        Routing {
            outcome: settled.outcome,
            queue: queue.map(str::to_owned),
            approvals: settled.approvals.iter().map(|q| (*q).to_owned()).collect(),
            rule: self.rule_name(settled.winner).to_owned(),
            matched,
            reason,
            sample: drawn.map(|(sample, _)| sample),
            sla: settled.sla,
            priority: settled.priority,
            blind: queue.is_some_and(|q| self.is_blind(q, &d.id)),
            tags,
            firings,
        }
    }

    /// Outcome, queue and approvals, if `holds` says which rules hold.
    pub(super) fn settle<'p>(
        &'p self,
        facts: &Facts,
        blocked: bool,
        holds: &mut impl FnMut(&Compiled) -> bool,
    ) -> Settled<'p> {
        let block = |winner| Settled {
            outcome: Outcome::Block,
            winner,
            approvals: Vec::new(),
            sla: None,
            priority: 0,
        };
        if blocked {
            return block(Winner::Allow);
        }
        let (target, winner) = if let Some(i) = first(&self.checks, holds) {
            (self.checks.get(i).map(|r| &r.to), Winner::Check(i))
        } else if let Some(i) = first(&self.routes, holds) {
            (self.routes.get(i).map(|r| &r.to), Winner::Route(i))
        } else {
            (None, Winner::Default)
        };
        let sent = match target.unwrap_or(&self.default.to) {
            Target::Block => return block(winner),
            Target::Queue { queue, sla, priority } => Settled {
                outcome: Outcome::Review,
                winner,
                approvals: vec![queue],
                sla: *sla,
                priority: *priority,
            },
            Target::Auto => Settled {
                outcome: Outcome::Auto,
                winner,
                approvals: Vec::new(),
                sla: None,
                priority: 0,
            },
        };
        self.required(facts, sent, holds)
    }

    /// Approvals add up; any require makes a review of what would be automatic; and while
    /// something is not known, nothing is automatic.
    fn required<'p>(
        &'p self,
        facts: &Facts,
        mut sent: Settled<'p>,
        holds: &mut impl FnMut(&Compiled) -> bool,
    ) -> Settled<'p> {
        for (i, rule) in self.requires.iter().enumerate() {
            if !holds(&rule.when) {
                continue;
            }
            if sent.outcome == Outcome::Auto {
                sent.outcome = Outcome::Review;
                sent.winner = Winner::Require(i);
            }
            for queue in &rule.approvals {
                if !sent.approvals.contains(&queue.as_str()) {
                    sent.approvals.push(queue);
                }
            }
        }
        if sent.outcome == Outcome::Auto
            && let Some(why) = self.unknown(facts)
        {
            sent.outcome = Outcome::Review;
            sent.winner = why;
            sent.approvals.push(&self.control.human_queue);
        }
        sent
    }

    /// Why nothing may be automatic now, whatever the rules say.
    fn unknown(&self, facts: &Facts) -> Option<Winner> {
        if !facts.control_readable {
            return Some(Winner::Unreadable);
        }
        let counted = |needed: bool, there: bool| !needed || there;
        let fine = counted(self.needs.cohort_seen, facts.cohort_seen.is_some())
            && counted(
                self.needs.model_age_days,
                facts.model_age_days.is_some_and(|n| !n.is_nan()),
            );
        (!fine).then_some(Winner::FactsMissing)
    }

    /// Ids of every output check and route that matches.
    pub(super) fn matched(&self, holds: &mut impl FnMut(&Compiled) -> bool) -> Vec<String> {
        let rules = self.checks.iter().chain(&self.routes);
        rules.filter(|r| holds(&r.when)).map(|r| r.id.clone()).collect()
    }

    pub(super) fn rule_name(&self, winner: Winner) -> &str {
        match winner {
            Winner::Allow => "allow",
            Winner::Check(i) => self.checks.get(i).map_or("", |r| r.id.as_str()),
            Winner::Route(i) => self.routes.get(i).map_or("", |r| r.id.as_str()),
            Winner::Default => "default",
            Winner::Require(i) => self.requires.get(i).map_or("", |r| r.id.as_str()),
            Winner::Unreadable => "control-unreadable",
            Winner::FactsMissing => "facts-missing",
        }
    }

    /// Why, in one sentence.
    pub(super) fn reason(&self, winner: Winner, reading: &Reading<'_>) -> String {
        let by = |rule: Option<&Compiled>| rule.map_or_else(String::new, |r| r.reason(reading));
        match winner {
            Winner::Allow => allow::reason(&self.allows, &|f| reading.text(f), &self.redact),
            Winner::Check(i) => by(self.checks.get(i).map(|r| &r.when)),
            Winner::Route(i) => by(self.routes.get(i).map(|r| &r.when)),
            Winner::Require(i) => by(self.requires.get(i).map(|r| &r.when)),
            Winner::Unreadable => {
                "the control state could not be read, so nothing is automatic".to_owned()
            }
            Winner::FactsMissing => {
                let mut missing = Vec::new();
                let facts = reading.facts;
                if self.needs.cohort_seen && facts.is_none_or(|f| f.cohort_seen.is_none()) {
                    missing.push("cohort_seen");
                }
                if self.needs.model_age_days && facts.is_none_or(|f| f.model_age_days.is_none()) {
                    missing.push("model_age_days");
                }
                format!("{} was not counted, so nothing is automatic", missing.join(" and "))
            }
            Winner::Default => {
                let to = match &self.default.to {
                    Target::Auto => "auto",
                    Target::Block => "block",
                    Target::Queue { queue, .. } => queue,
                };
                let promise = by(self.default.expect.as_ref());
                let promise = if promise.is_empty() { promise } else { format!("; {promise}") };
                format!("no rule matched: default {to}{promise}")
            }
        }
    }

    /// The sample that is drawn, and where it is reviewed.
    pub(super) fn sample(
        &self,
        d: &Decision,
        holds: &mut impl FnMut(&Compiled) -> bool,
    ) -> Option<(Sample, &str)> {
        let mut missed = 1.0;
        let mut drawn = None;
        for rule in self.samples.iter().filter(|r| r.rate > 0.0) {
            if !holds(&rule.when) {
                continue;
            }
            missed *= 1.0 - rule.rate;
            if drawn.is_none() && self.is_drawn(&rule.id, rule.rate, &d.id) {
                drawn = Some(rule);
            }
        }
        let rule = drawn?;
        let kind = if rule.targeted { SampleKind::Targeted } else { SampleKind::Random };
        let sample = Sample { kind, rule: rule.id.clone(), probability: 1.0 - missed };
        Some((sample, &rule.to))
    }

    /// Does the sampling rule's chance fall on this decision?
    pub(super) fn is_drawn(&self, rule: &str, rate: f64, id: &str) -> bool {
        self.chance.uniform(rule, id) < rate
    }

    /// What kind of rule a route's `rule` names; `None` for the built-in names but `default` and
    /// `allow`. Kill switches stand between scoped policies and output checks, so whoever applies
    /// them must know which of these settled a decision.
    pub fn rule_kind(&self, rule: &str) -> Option<RuleKind> {
        match rule {
            "allow" => Some(RuleKind::Allow),
            "default" => Some(RuleKind::Default),
            _ if self.checks.iter().any(|r| r.id == rule) => Some(RuleKind::OutputCheck),
            _ if self.routes.iter().any(|r| r.id == rule) => Some(RuleKind::Route),
            _ if self.requires.iter().any(|r| r.id == rule) => Some(RuleKind::Require),
            _ => None,
        }
    }

    /// Does any `[[require]]` hold for it? What is required is never given up to save people's time.
    pub fn is_required(&self, d: &Decision, facts: &Facts) -> bool {
        let reading = self.reading(d, facts);
        self.requires.iter().any(|r| r.when.holds(&reading))
    }

    /// Is the proposal of this decision withheld in `queue` until the reviewer has answered?
    pub fn is_blind(&self, queue: &str, id: &str) -> bool {
        let share = self.queue(queue).map_or(0.0, |q| q.blind);
        share > 0.0 && self.chance.uniform(&format!("blind:{queue}"), id) < share
    }

    /// Effects on `decision` that fire; those that wait for a tag which another one adds too.
    fn on_decision(&self, d: &Decision, facts: &Facts) -> Vec<Firing> {
        let mut firings = self.fire(&self.reading(d, facts), |on| on == On::Decision);
        let tags = tags_of(&firings, &d.tags);
        if !tags.is_empty() {
            let tagged = Decision { tags: [&d.tags[..], &tags].concat(), ..d.clone() };
            let again = self.fire(&self.reading(&tagged, facts), |on| on == On::Decision);
            add_new(&mut firings, again);
        }
        firings
    }

    /// Effects that fire on what is read.
    pub(super) fn fire(&self, reading: &Reading<'_>, on: impl Fn(On) -> bool) -> Vec<Firing> {
        self.fire_where(reading, |e| on(e.on))
    }

    /// Effects that are asked, and fire on what is read.
    pub(super) fn fire_where(
        &self,
        reading: &Reading<'_>,
        asked: impl Fn(&EffectRule) -> bool,
    ) -> Vec<Firing> {
        let rules = self.effects.iter().filter(|e| asked(e) && e.when.holds(reading));
        rules.map(|e| firing(e, reading)).collect()
    }

    /// The route where there is no policy at all: everything waits for people.
    pub fn fail_safe(_: &Decision, facts: &Facts) -> Routing {
        let reason = if facts.control_readable {
            "no policy is in force, so everything waits for people"
        } else {
            "the control state could not be read and no policy is in force"
        };
        Routing {
            outcome: Outcome::Review,
            queue: Some("level1".to_owned()),
            approvals: vec!["level1".to_owned()],
            rule: "no-policy".to_owned(),
            matched: Vec::new(),
            reason: reason.to_owned(),
            sample: None,
            sla: None,
            priority: 0,
            blind: false,
            tags: Vec::new(),
            firings: Vec::new(),
        }
    }

    /// The route of a record with these faults: it waits in `dataops`, whatever the rules say.
    pub fn quarantine(faults: &[crate::domain::Fault]) -> Routing {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        let more = faults.len().saturating_sub(1);
        Routing {
            outcome: Outcome::Quarantine,
            queue: Some(DATAOPS.to_owned()),
            approvals: vec![DATAOPS.to_owned()],
            rule: SCHEMA.to_owned(),
            matched: Vec::new(),
            reason: if more == 0 { first } else { format!("{first} (and {more} more)") },
            sample: None,
            sla: None,
            priority: 0,
            blind: false,
            tags: Vec::new(),
            firings: Vec::new(),
        }
    }
}

fn first(rules: &[RouteRule], holds: &mut impl FnMut(&Compiled) -> bool) -> Option<usize> {
    rules.iter().position(|r| holds(&r.when))
}

fn firing(effect: &EffectRule, reading: &Reading<'_>) -> Firing {
    Firing {
        effect: effect.id.clone(),
        actions: effect.actions.clone(),
        reason: effect.when.reason(reading),
    }
}

/// Add the firings of effects that have not fired: each fires once.
pub(super) fn add_new(firings: &mut Vec<Firing>, more: Vec<Firing>) {
    for firing in more {
        if !firings.iter().any(|f| f.effect == firing.effect) {
            firings.push(firing);
        }
    }
}

/// Tags that effects add and the record does not have, each once.
pub(super) fn tags_of(firings: &[Firing], own: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for action in firings.iter().flat_map(|f| &f.actions) {
        if let EffectAction::Tag(tag) = action
            && !own.contains(tag)
            && !out.contains(tag)
        {
            out.push(tag.clone());
        }
    }
    out
}
