//! Why a decision went where it went: recomputed from record, policy and facts, byte for byte.

use super::core::{Core, json, no_decision, refuse};
use super::routed::route_of;
use super::settle::decision_of;
use crate::domain::{Contained, Route};
use crate::policy::Policy;
use crate::protocol::{ExplainView, Refused, Why};

impl Core {
    /// Explain a decision's route. Needs its text: after erasure only the trail is left.
    pub(super) fn explain(&self, by: &str, id: &str) -> Result<ExplainView, Refused> {
        self.actor(by)?;
        let stored = self.store.decision(id).map_err(refuse)?.ok_or_else(|| no_decision(id))?;
        if let Some(item) = &stored.item
            && self.withheld(item, by)?
        {
            return Err(Refused::new(
                Why::Policy,
                format!("{id} is a blind item: an explanation would show the proposal"),
            )
            .hint("overrule answer ID --action ACTION first"));
        }
        if stored.raw.is_none() {
            return Err(Refused::new(Why::NotFound, format!("the text of {id} has been erased"))
                .hint("overrule audit prove ID still shows what happened to it"));
        }
        self.sight()?.cover().known("an explanation quotes the record")?;
        let policy = match stored.route.policy.as_str() {
            "none" => None,
            hash => Some(self.load_policy(hash)?),
        };
        let decision = decision_of(&stored);
        let shape = decision.as_ref().map_err(Vec::as_slice);
        let (again, _) = route_of(policy.as_ref(), id, shape, &stored.facts);
        let original = Route { state: again.state, duplicate: false, ..stored.route.clone() };
        let reproduced = json(&again)? == json(&original)?;
        let (explanation, text) = match (&policy, &decision) {
            (Some(policy), Ok(d)) if again.faults.is_empty() => {
                let explanation = policy.explain(d, &stored.facts);
                let mut value = serde_json::to_value(&explanation).unwrap_or_default();
                let mut text = explanation.to_string();
                if let Some(found) = &stored.facts.containment {
                    let outcomes = serde_json::to_value(found).unwrap_or_default();
                    if let Some(map) = value.as_object_mut() {
                        map.insert("containment".to_owned(), outcomes);
                    }
                    text = contained(&again, found, &text);
                }
                (value, text)
            }
            _ => (serde_json::json!({ "faults": again.faults }), plain(policy.as_ref(), &again)),
        };
        Ok(ExplainView { route: original, facts: stored.facts, reproduced, explanation, text })
    }
}

/// The explanation of a route that containment had a say in: what came of it, what was found, and
/// what the policy alone would have done.
fn contained(route: &Route, found: &Contained, policy: &str) -> String {
    let place = route.queue.as_ref().map_or_else(String::new, |q| format!(" in {q}"));
    let mut text = format!("{}{place}, by {}\n", route.outcome.as_str(), route.rule);
    text.push_str(&format!("  because {}\n", route.reason));
    if let Some(fallback) = &route.fallback {
        text.push_str(&format!("  to be asked of version {}\n", fallback.version));
    }
    text.push_str("\ncontainment\n");
    let outcomes = serde_json::to_value(found).unwrap_or_default();
    for (name, outcome) in outcomes.as_object().into_iter().flatten() {
        text.push_str(&format!("  {name} {outcome}\n"));
    }
    text.push_str("\nby the policy alone\n");
    text + policy
}

/// The explanation of a route that no rule made.
fn plain(policy: Option<&Policy>, route: &Route) -> String {
    let mut text = format!("{}: {}\n", route.rule, route.reason);
    for fault in &route.faults {
        text.push_str(&format!("  {fault}\n"));
    }
    if policy.is_none() {
        text.push_str("no policy was in force: everything goes to people\n");
    }
    text
}
