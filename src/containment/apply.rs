//! What containment makes of a route: who goes first, and why, in a sentence.
//!
//! | | settles | rule |
//! |---|---|---|
//! | 1 | scoped policy (`[[allow]]`) | `allow` |
//! | 2 | a stop to `block`, then to `last-good` | `kill` |
//! | 3 | a canary, outside its share | `canary` |
//! | 4 | output checks | the check's id |
//! | 5 | a stop to people: by a person, by an effect | `kill`, `paused` |
//! | 6 | a freeze | `freeze` |
//! | 7 | routes, default, requires | the rule's id |
//! | 8 | the breaker, then limits: what would still be automatic goes to people | `breaker`, `limit` |
//! | 9 | the budget: what need not be reviewed may give way | `budget` |
//! | 10 | the sample of what is automatic | |
//!
//! Containment never loosens: what a route blocks stays blocked under a stop to people, and the
//! approvals that routes and requires ask for stay, behind the queue that containment sends to.
//!
//! [`contain`] works the outcomes out, once, at admission; [`apply`] makes the route of them, then
//! and whenever it is explained.

use super::budget::{self, Claim};
use super::limit;
use super::{Control, Live};
use crate::domain::{
    Contained, Decision, Facts, Fallback, Outcome, OverBudget, StopMode, Stopped, Tripped,
};
use crate::policy::{Overflow, Policy, Routing, RuleKind};

/// Where people are sent where no policy is in force.
const NO_POLICY: &str = "level1";
/// Added to what was settled without the review it should have had.
const FLAGGED: &str = "auto_flagged";
/// How far behind others a held review stands.
const HELD: i64 = 100;

/// A route with containment applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    pub routing: Routing,
    /// With [`Outcome::Fallback`].
    pub fallback: Option<Fallback>,
    /// What settled it; `None`: the policy alone.
    pub step: Option<Step>,
}

/// The part of containment that settled a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Kill,
    Pause,
    Canary,
    Freeze,
    Breaker,
    Limit,
    Budget,
}

impl Step {
    /// The rule that a route names: stable.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "paused",
            Self::Canary => "canary",
            Self::Freeze => "freeze",
            Self::Breaker => "breaker",
            Self::Limit => "limit",
            Self::Budget => "budget",
        }
    }
}

/// Everything containment has to say of a decision that the policy routes so. `None`: nothing.
///
/// Limiters and meters in `live` count it, so it is asked once a decision; asked again for the same
/// one (a batch that is decided again) they count it again, which errs to people's side for limits
/// and leaves less of a budget.
pub fn contain(
    d: &Decision,
    policy: Option<&Policy>,
    facts: &Facts,
    routing: &Routing,
    control: &Control,
    live: &mut Live,
) -> Option<Box<Contained>> {
    let limits = policy.map_or(&[][..], Policy::limits);
    let budgets = policy.map_or(&[][..], Policy::budgets);
    if control.is_clear() && limits.is_empty() && budgets.is_empty() {
        return None;
    }
    let mut found = Contained {
        stop: control.stop_for(d),
        canary: control.canary_for(d, live.chance()),
        freeze: control.freeze_for(d, live.key()),
        breaker: control.breaker_for(d, live.chance()),
        limit: None,
        budget: None,
    };
    let so_far = |found: &Contained| with(routing.clone(), d, policy, found);
    let mut now = so_far(&found);
    if now.routing.outcome == Outcome::Auto {
        found.limit = limit::pass(d, limits, control, live, facts.now);
        if found.limit.is_some() {
            now = so_far(&found);
        }
    }
    if let Some(policy) = policy.filter(|_| !budgets.is_empty()) {
        found.budget = over_budget(d, policy, facts, &now, &found, live);
        // What gives way to automation passes the limits of automation, or stays with people.
        if let Some(over) = found.budget.as_mut().filter(|o| !o.kept && automates(o))
            && now.routing.outcome == Outcome::Review
        {
            over.kept = limit::pass(d, limits, control, live, facts.now).is_some();
        }
    }
    (!found.is_clear()).then(|| Box::new(found))
}

/// A decision that people are to look at, measured against the budget of its queue.
fn over_budget(
    d: &Decision,
    policy: &Policy,
    facts: &Facts,
    now: &Applied,
    found: &Contained,
    live: &mut Live,
) -> Option<OverBudget> {
    let queue = now.routing.queue.as_deref()?;
    let budget = policy.budgets().iter().find(|b| b.queue == queue)?;
    let claim = match now.routing.outcome {
        Outcome::Auto => Claim::Sample,
        Outcome::Review if gives_way(d, policy, facts, now, found) => Claim::Review,
        Outcome::Review => Claim::Mandatory,
        Outcome::Quarantine | Outcome::Block | Outcome::Fallback => return None,
    };
    // Without a measure everything fits; it is counted all the same.
    let per_hour = budget::allowed(budget, live.capacity(queue)).unwrap_or(f64::INFINITY);
    live.meter(queue).arrive(facts.now, budget, per_hour, claim, budget::value(d))
}

/// May this review give way? Not where containment, a check after the model or a require asked for
/// it, not while the breaker is open, and never where the impact is high.
fn gives_way(
    d: &Decision,
    policy: &Policy,
    facts: &Facts,
    now: &Applied,
    found: &Contained,
) -> bool {
    let by_choice =
        matches!(policy.rule_kind(&now.routing.rule), Some(RuleKind::Route | RuleKind::Default));
    now.step.is_none()
        && by_choice
        && found.breaker.as_ref().is_none_or(Tripped::trickles)
        && d.business_impact < policy.impact().high
        && !policy.is_required(d, facts)
}

/// Does this overflow make a review automatic?
fn automates(over: &OverBudget) -> bool {
    [Overflow::Sample, Overflow::AutoFlagged].map(budget::spelled).contains(&over.overflow.as_str())
}

/// The route with what the facts say of containment. Pure: the same arguments give the same answer
/// for ever.
pub fn apply(routing: Routing, d: &Decision, policy: Option<&Policy>, facts: &Facts) -> Applied {
    match &facts.containment {
        Some(found) => with(routing, d, policy, found),
        None => Applied { routing, fallback: None, step: None },
    }
}

fn with(routing: Routing, d: &Decision, policy: Option<&Policy>, found: &Contained) -> Applied {
    let kind = policy.and_then(|p| p.rule_kind(&routing.rule));
    let mut desk = Desk { d, policy, routing };
    if kind == Some(RuleKind::Allow) {
        return desk.done(None);
    }
    if let Some(stop) = &found.stop {
        match (stop.mode, &stop.version) {
            (StopMode::Block, _) => {
                desk.settle(Outcome::Block, Step::Kill, stopped(stop));
                return desk.done(Some(Step::Kill));
            }
            (StopMode::LastGood, Some(version)) => {
                let reason = format!("{}; use {version}", stopped(stop));
                return desk.fall_back(Step::Kill, version, reason);
            }
            (StopMode::LastGood, None) | (StopMode::Human, _) => {}
        }
    }
    if let Some(canary) = found.canary.as_ref().filter(|c| !c.inside()) {
        let (name, baseline) = (&d.model.name, &canary.baseline);
        let version = &canary.version;
        let reason = match &canary.rolled_back {
            Some(why) => {
                format!("the canary {name}@{version} is rolled back: {why}; use {baseline}")
            }
            None => format!(
                "{name}@{version} is a canary and this decision is outside its share of {}: use {baseline}",
                percent(canary.share)
            ),
        };
        return desk.fall_back(Step::Canary, &canary.baseline, reason);
    }
    // A check that lets something pass does not settle it against a stop.
    let checked = kind == Some(RuleKind::OutputCheck) && desk.routing.outcome != Outcome::Auto;
    if checked || desk.routing.outcome == Outcome::Block {
        return desk.budgeted(found, None);
    }
    if let Some(stop) = &found.stop {
        let step = if stop.paused { Step::Pause } else { Step::Kill };
        desk.send_to_people(step, stopped(stop));
        return desk.budgeted(found, Some(step));
    }
    if let Some(freeze) = &found.freeze {
        let why = match freeze.similarity {
            Some(s) => format!("nearly the same text, {}", percent(s)),
            None => "same domain, action and cohort".to_owned(),
        };
        let (like, by, reason) = (&freeze.like, &freeze.by, &freeze.reason);
        desk.send_to_people(Step::Freeze, format!("like {like} ({why}), frozen by {by}: {reason}"));
        return desk.budgeted(found, Some(Step::Freeze));
    }
    if desk.routing.outcome != Outcome::Auto {
        return desk.budgeted(found, None);
    }
    if let Some(breaker) = found.breaker.as_ref().filter(|b| !b.trickles()) {
        let (model, domain, cause) = (&breaker.model, &breaker.domain, &breaker.cause);
        let how = match breaker.half_open {
            true => format!(
                "half open and this decision is outside its trickle of {}",
                percent(breaker.trickle)
            ),
            false => "open".to_owned(),
        };
        let reason = format!("the breaker on {model} in {domain} is {how}: {cause}");
        desk.send_to_people(Step::Breaker, reason);
        return desk.budgeted(found, Some(Step::Breaker));
    }
    if let Some(limit) = &found.limit {
        let (name, per_minute, effective) = (&limit.name, limit.per_minute, limit.effective);
        let mut reason =
            format!("beyond the limit {name} of {per_minute} automatic decisions a minute");
        if effective < per_minute {
            reason.push_str(&format!(", tightened by errors to {effective}"));
        }
        if let Some(by) = &limit.by {
            reason.push_str(&format!(", set by {by}"));
        }
        desk.send_to_people(Step::Limit, reason);
        return desk.budgeted(found, Some(Step::Limit));
    }
    desk.budgeted(found, None)
}

/// A routing on its way through the precedence.
struct Desk<'a> {
    d: &'a Decision,
    policy: Option<&'a Policy>,
    routing: Routing,
}

impl Desk<'_> {
    fn done(self, step: Option<Step>) -> Applied {
        Applied { routing: self.routing, fallback: None, step }
    }

    /// Settled without people.
    fn settle(&mut self, outcome: Outcome, step: Step, reason: String) {
        let r = &mut self.routing;
        r.outcome = outcome;
        r.queue = None;
        r.approvals = Vec::new();
        r.sample = None;
        r.sla = None;
        r.priority = 0;
        r.blind = false;
        r.rule = step.rule().to_owned();
        r.reason = reason;
    }

    fn fall_back(mut self, step: Step, version: &str, reason: String) -> Applied {
        self.settle(Outcome::Fallback, step, reason);
        let fallback = Some(Fallback { version: version.to_owned() });
        Applied { fallback, ..self.done(Some(step)) }
    }

    /// To the queue where a stop sends; approvals that were asked for already stay behind it.
    fn send_to_people(&mut self, step: Step, reason: String) {
        let queue = self.policy.map_or(NO_POLICY, |p| &p.control().human_queue).to_owned();
        let r = &mut self.routing;
        let before = match r.outcome {
            Outcome::Review => std::mem::take(&mut r.approvals),
            _ => Vec::new(),
        };
        r.approvals = vec![queue.clone()];
        r.approvals.extend(before.into_iter().filter(|q| *q != queue));
        r.outcome = Outcome::Review;
        r.sample = None;
        r.blind = self.policy.is_some_and(|p| p.is_blind(&queue, &self.d.id));
        r.queue = Some(queue);
        r.rule = step.rule().to_owned();
        r.reason = reason;
    }

    /// What the budget of its queue leaves of it.
    fn budgeted(mut self, found: &Contained, step: Option<Step>) -> Applied {
        let Some(over) = &found.budget else { return self.done(step) };
        let r = &mut self.routing;
        if over.kept || r.queue.as_deref() != Some(over.queue.as_str()) {
            return self.done(step);
        }
        let figures = format!(
            "{} has {} reviews an hour and {} came; this one is worth {:.2}, below {:.2}",
            over.queue, over.per_hour, over.arrivals, over.value, over.needed
        );
        if r.outcome == Outcome::Auto {
            // The decision is done either way; only the look at it gives way.
            if over.overflow == budget::spelled(Overflow::Hold) {
                r.priority -= HELD;
                r.reason = format!("{}; its review is held behind others: {figures}", r.reason);
                return self.done(step);
            }
            r.sample = None;
            r.queue = None;
            r.blind = false;
            r.reason = format!("{}; its sample gave way: {figures}", r.reason);
            return self.done(step);
        }
        if step.is_some() || r.outcome != Outcome::Review {
            return self.done(step);
        }
        match over.overflow.as_str() {
            "hold" => {
                r.priority -= HELD;
                r.rule = Step::Budget.rule().to_owned();
                r.reason = format!("held behind others: {figures}");
            }
            "block" => {
                self.settle(Outcome::Block, Step::Budget, format!("blocked: {figures}"));
            }
            "auto_flagged" => {
                let reason = format!("settled without review and flagged: {figures}");
                self.settle(Outcome::Auto, Step::Budget, reason);
                let tags = &mut self.routing.tags;
                if !tags.iter().chain(&self.d.tags).any(|t| t == FLAGGED) {
                    tags.push(FLAGGED.to_owned());
                }
            }
            _ => {
                let reason = format!("settled without review: {figures}");
                self.settle(Outcome::Auto, Step::Budget, reason);
            }
        }
        self.done(Some(Step::Budget))
    }
}

/// Which switch holds, who set it, and why.
fn stopped(stop: &Stopped) -> String {
    let Stopped { scope, by, reason, .. } = stop;
    if stop.paused {
        return format!("automation for {scope} is paused by {by}: {reason}");
    }
    let to = match (stop.mode, &stop.version) {
        (StopMode::Block, _) => "to block",
        (StopMode::LastGood, Some(_)) => "to last-good",
        (StopMode::LastGood, None) => "to last-good, of which none is known, so to people,",
        (StopMode::Human, _) => "to people",
    };
    format!("automation for {scope} is killed {to} by {by}: {reason}")
}

/// A share as people read it.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
