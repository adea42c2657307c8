//! The route of a record: policy, then containment; a broken one waits for repair.

use crate::containment::{Applied, apply};
use crate::domain::{Contained, Decision, Facts, Fallback, Fault, ItemState, Outcome, Route};
use crate::policy::{Firing, Policy, Routing};

/// The route of a record, with what the policy fires on it. Pure given its arguments: `explain`
/// calls it again and must get the same bytes.
pub(super) fn route_of(
    policy: Option<&Policy>,
    id: &str,
    shape: Result<&Decision, &[Fault]>,
    facts: &Facts,
) -> (Route, Vec<Firing>) {
    let mut facts = facts.clone();
    routed(policy, id, shape, &mut facts, &mut |_, facts, _| facts.containment.clone())
}

/// What containment says of a decision that the policy routes so.
type Found<'f> = dyn FnMut(&Decision, &Facts, &Routing) -> Option<Box<Contained>> + 'f;

/// The route of a record whose containment is found on the way; it becomes part of the facts.
pub(super) fn routed(
    policy: Option<&Policy>,
    id: &str,
    shape: Result<&Decision, &[Fault]>,
    facts: &mut Facts,
    find: &mut Found<'_>,
) -> (Route, Vec<Firing>) {
    let extra = match (policy, &shape) {
        (Some(policy), Ok(d)) => policy.check_record(d, facts.now),
        _ => Vec::new(),
    };
    let hash = policy.map_or_else(|| "none".to_owned(), |p| p.hash().to_owned());
    let route =
        |routing: Routing, fallback: Option<Fallback>, facts: &Facts, faults: Vec<Fault>| {
            let queue = routing.queue.clone();
            let waits = matches!(routing.outcome, Outcome::Review | Outcome::Quarantine);
            let due_at = match (&queue, policy) {
                (Some(q), Some(p)) => p.due_at(q, facts.now, routing.sla),
                _ => None,
            };
            Route {
                id: id.to_owned(),
                outcome: routing.outcome,
                queue,
                due_at,
                approvals: routing.approvals,
                rule: routing.rule,
                matched: routing.matched,
                reason: routing.reason,
                sample: routing.sample,
                fallback,
                policy: hash.clone(),
                generation: facts.generation,
                state: if waits { ItemState::Waiting } else { ItemState::Settled },
                duplicate: false,
                faults,
                priority: routing.priority,
                tags: routing.tags,
                blind: routing.blind,
            }
        };
    match shape {
        Ok(d) if extra.is_empty() => {
            let mut routing =
                policy.map_or_else(|| Policy::fail_safe(d, facts), |p| p.route(d, facts));
            let firings = std::mem::take(&mut routing.firings);
            facts.containment = find(d, facts, &routing);
            let Applied { routing, fallback, .. } = apply(routing, d, policy, facts);
            (route(routing, fallback, facts, Vec::new()), firings)
        }
        Ok(_) => (route(Policy::quarantine(&extra), None, facts, extra), Vec::new()),
        Err(faults) => {
            (route(Policy::quarantine(faults), None, facts, faults.to_vec()), Vec::new())
        }
    }
}
