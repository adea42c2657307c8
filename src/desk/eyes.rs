//! Through whose eyes a question is answered: who asks, and what their token was made for.
//!
//! What waits blind and what the policy redacts is kept from people who decide, whatever the door;
//! the workflow that acts on a decision needs it in clear, and whoever audits reads the trail as it
//! is hashed. Where a token may do more than one of these, the stricter view is the one it has: a
//! token that reviews is a person's, whatever else it was made for.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::core::Core;
use super::tokens::Identity;
use super::view::withhold_route;
use super::{Local, blocking};
use crate::domain::{Reviewer, Role, TokenScope};
use crate::protocol::{Admitted, Refused};

/// Who asks.
#[derive(Clone, Copy)]
pub(super) struct Eyes<'a> {
    pub(super) by: &'a str,
    /// Of the token that they came with; `None`: on this machine, where there are no tokens.
    scopes: Option<&'a [TokenScope]>,
}

impl<'a> Eyes<'a> {
    /// Somebody on this machine.
    pub(super) fn of(by: &'a str) -> Self {
        Self { by, scopes: None }
    }

    /// Whom a token speaks for.
    pub(super) fn behind(who: &'a Identity) -> Self {
        Self { by: &who.name, scopes: Some(&who.scopes) }
    }

    /// The workflow that waits for a decision: it acts on what it is told. That is a service, with
    /// a token for nothing else; a person's token for `ingest` is a person's.
    pub(super) fn acts_on_it(&self, actor: &Reviewer) -> bool {
        let only = |scopes: &[TokenScope]| scopes.iter().all(|s| *s == TokenScope::Ingest);
        self.scopes.is_some_and(only) && actor.roles.is_empty()
    }

    /// Reads entries as they are hashed, whatever they are about.
    pub(super) fn audits(&self, actor: &Reviewer) -> bool {
        match self.scopes {
            Some(scopes) => {
                let trail = |s: &TokenScope| matches!(s, TokenScope::Audit | TokenScope::Admin);
                scopes.iter().any(trail) && !scopes.contains(&TokenScope::Review)
            }
            None => actor.has(Role::Auditor) || actor.has(Role::Admin),
        }
    }
}

impl Local {
    /// The answers to a submission as `who` may read them: the reason of a blind item's route
    /// quotes the proposal, also where what was sent is known already.
    pub async fn told_to(&self, who: &Identity, mut answers: Vec<Admitted>) -> Vec<Admitted> {
        let blind = |one: &Admitted| matches!(one, Admitted::Route(route) if route.blind);
        if !answers.iter().any(blind) {
            return answers;
        }
        let (core, asker) = (self.core.clone(), who.clone());
        let acts = move || Ok(Eyes::behind(&asker).acts_on_it(&core.actor(&asker.name)?));
        // What was admitted is durable; who cannot be looked up is told less.
        let acts: Result<bool, Refused> = blocking(acts).await;
        for answer in answers.iter_mut().filter(|_| !acts.as_ref().is_ok_and(|acts| *acts)) {
            if let Admitted::Route(route) = answer
                && route.blind
            {
                withhold_route(route);
            }
        }
        answers
    }
}

impl Core {
    /// An entry as it is told to those who follow the log with this token.
    pub(super) fn followed(
        &self,
        eyes: Eyes<'_>,
        actor: &Reviewer,
        entry: Value,
        blind: &mut HashMap<String, bool>,
    ) -> Result<Value, Refused> {
        let reads = |s: &TokenScope| matches!(s, TokenScope::Audit | TokenScope::Admin);
        let trail = eyes.scopes.is_none_or(|scopes| scopes.iter().any(reads));
        let whole = trail && (eyes.audits(actor) || !self.tells_on(&entry, eyes.by, blind)?);
        Ok(if whole { entry } else { plain(&entry) })
    }
}

/// What of an entry shows where a thing stands, and nothing of what anybody thinks of it.
const PLAIN: [&str; 8] = ["t", "at", "id", "queue", "state", "rev", "gen", "policy"];
/// Kinds that are about automation and people as a whole, not about one item's verdicts.
const OPEN: [&str; 9] = [
    "switch",
    "incident",
    "canary",
    "policy_activated",
    "reference",
    "reviewer_added",
    "reviewer_disabled",
    "genesis",
    "requeue",
];

/// An entry for those who do not audit: where things stand, and nothing of who said what of an item,
/// which would tell a blind reviewer what others thought.
pub(super) fn plain(entry: &Value) -> Value {
    let kind = entry.get("t").and_then(Value::as_str).unwrap_or_default();
    let open = OPEN.contains(&kind);
    let shows = |key: &str| PLAIN.contains(&key) || (open && matches!(key, "by" | "d"));
    let map = entry.as_object().into_iter().flatten();
    let kept: Map<String, Value> =
        map.filter(|(key, _)| shows(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_think_of_an_item_is_for_auditors() {
        let entry = json!({
            "at": 1, "by": "ann", "c": [["verdict", "x"]], "d": {"effect": "spike"}, "id": "a",
            "queue": "level1", "req": "r", "rev": 2, "rule": "unsure", "state": "decided",
            "t": "verdict", "verdict": "reject",
        });
        assert_eq!(
            plain(&entry),
            json!({"at": 1, "id": "a", "queue": "level1", "rev": 2, "state": "decided",
                   "t": "verdict"})
        );
        let switch = json!({"at": 1, "by": "ann", "d": {"scope": "all"}, "gen": 3, "t": "switch"});
        assert_eq!(plain(&switch), switch);
    }
}
