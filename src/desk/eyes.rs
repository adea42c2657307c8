//! Through whose eyes a question is answered: who asks, and what their token was made for.
//!
//! What waits blind and what the policy redacts is kept from people who decide, whatever the door;
//! the workflow that acts on a decision needs it in clear, and whoever audits reads the trail as it
//! is hashed.

use serde_json::{Map, Value};

use super::tokens::Identity;
use crate::domain::{Reviewer, Role, TokenScope};

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

    /// The workflow that waits for a decision: it acts on what it is told.
    pub(super) fn acts_on_it(&self) -> bool {
        self.scopes.is_some_and(|scopes| scopes.contains(&TokenScope::Ingest))
    }

    /// Reads entries as they are hashed, whatever they are about.
    pub(super) fn audits(&self, actor: &Reviewer) -> bool {
        match self.scopes {
            Some(scopes) => {
                scopes.iter().any(|s| matches!(s, TokenScope::Audit | TokenScope::Admin))
            }
            None => actor.has(Role::Auditor) || actor.has(Role::Admin),
        }
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
pub fn plain(entry: &Value) -> Value {
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
