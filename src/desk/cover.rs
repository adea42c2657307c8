//! What of a record is covered before anybody reads it, and what editors left covered put back.
//!
//! A policy that cannot be read may have named anything: then everything is covered that a policy
//! can cover, and nothing leaves in an export, until it can be read again or another is in force.

use std::collections::BTreeMap;

use serde_json::Value;

use super::core::Sight;
use super::prepare::at_path;
use crate::policy::{REDACTABLE, Redaction};
use crate::protocol::{Refused, Why};

/// What stands in place of a covered value.
const REDACTED: &str = "[redacted]";

/// What must not be shown of records.
#[derive(Clone, Copy)]
pub(super) enum Cover<'a> {
    /// No policy was ever in force: nobody has asked for anything.
    Nothing,
    /// What the policy in force names.
    Paths(&'a Redaction),
    /// The policy in force cannot be read.
    Everything,
}

impl Sight {
    /// What must not be shown, by what is known of the policy now.
    pub(super) fn cover(&self) -> Cover<'_> {
        match (&self.policy, &self.snapshot.policy) {
            (Some(policy), _) => Cover::Paths(policy.redact()),
            (None, None) => Cover::Nothing,
            (None, Some(_)) => Cover::Everything,
        }
    }
}

impl Cover<'_> {
    /// Could it cover anything at all?
    pub(super) fn hides(self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Paths(redaction) => !redaction.is_empty(),
            Self::Everything => true,
        }
    }

    /// Why everything is covered, for whoever reads what is left; `None` where it is not.
    pub(super) fn why(self) -> Option<String> {
        matches!(self, Self::Everything).then(|| {
            "the policy in force cannot be read, so everything it may hide is covered; an admin \
             puts a policy in force again: overrule policy activate FILE"
                .to_owned()
        })
    }

    /// Refused while the policy cannot be read: `what` would show or fix what it may hide.
    pub(super) fn known(self, what: &str) -> Result<(), Refused> {
        match self {
            Self::Nothing | Self::Paths(_) => Ok(()),
            Self::Everything => Err(Refused::new(
                Why::Unavailable,
                format!(
                    "the policy in force cannot be read, and what it hides is not known: {what}"
                ),
            )
            .hint("an admin puts a policy in force again: overrule policy activate FILE")),
        }
    }

    /// Cover what is hidden of a record.
    pub(super) fn record(self, record: &mut Value) {
        match self {
            Self::Nothing => {}
            Self::Paths(redaction) => {
                for path in redaction.paths_in(record) {
                    if let Some(slot) = slot(record, &path) {
                        *slot = REDACTED.into();
                    }
                }
            }
            Self::Everything => match record {
                Value::Object(map) => {
                    for (_, value) in map.iter_mut().filter(|(key, value)| {
                        REDACTABLE.contains(&key.as_str()) && !value.is_null()
                    }) {
                        *value = REDACTED.into();
                    }
                }
                Value::Null => {}
                // No record at all, only what came in its place.
                other => *other = REDACTED.into(),
            },
        }
    }

    /// Cover what is hidden under `output`, of an output alone.
    pub(super) fn output(self, output: &mut Value) {
        match self {
            Self::Paths(_) if !output.is_object() => {}
            Self::Nothing => {}
            Self::Paths(_) | Self::Everything => {
                let mut whole = serde_json::json!({ "output": output.take() });
                self.record(&mut whole);
                *output = whole.get_mut("output").map(Value::take).unwrap_or_default();
            }
        }
    }

    /// Cover what is hidden in an output that somebody sent: of a proposal, or a whole record.
    pub(super) fn sent(self, sent: &mut Value) {
        if let (Self::Paths(redaction), Value::String(text)) = (self, &*sent)
            && let Ok(mut record) = serde_json::from_str::<Value>(text)
            && record.is_object()
            && !redaction.paths_in(&record).is_empty()
        {
            self.record(&mut record);
            *sent = Value::String(record.to_string());
            return;
        }
        if matches!(self, Self::Paths(_)) {
            self.record(sent);
        }
        self.output(sent);
    }

    /// Cover what is hidden of the groups that a decision is about.
    pub(super) fn cohort(self, cohort: &mut BTreeMap<String, String>) {
        let hidden = |dimension: &str| match self {
            Self::Nothing => false,
            Self::Paths(redaction) => redaction.matches(&format!("cohort.{dimension}")),
            Self::Everything => true,
        };
        for (_, group) in cohort.iter_mut().filter(|(dimension, _)| hidden(dimension)) {
            *group = REDACTED.to_owned();
        }
    }

    /// Put back what stands in `original` wherever `edited` still holds a cover: who edits a text
    /// they may not see in full leaves the rest as it was.
    pub(super) fn put_back(self, original: &Value, edited: &mut Value) {
        match self {
            Self::Nothing => {}
            Self::Paths(redaction) => {
                for path in redaction.paths_in(original) {
                    let Some(value) = at_path(original, &path) else { continue };
                    if let Some(slot) = slot(edited, &path).filter(|s| is_cover(s)) {
                        slot.clone_from(value);
                    }
                }
            }
            // Which of them the policy put there is not known.
            Self::Everything => put_back_all(original, edited),
        }
    }
}

fn is_cover(value: &Value) -> bool {
    value.as_str() == Some(REDACTED)
}

/// Does something here, or in a text here, stand for what its author did not see?
pub(super) fn holds_cover(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(REDACTED),
        Value::Array(list) => list.iter().any(holds_cover),
        Value::Object(map) => map.values().any(holds_cover),
        _ => false,
    }
}

fn put_back_all(original: &Value, edited: &mut Value) {
    if is_cover(edited) {
        edited.clone_from(original);
        return;
    }
    match (original, edited) {
        (Value::Object(from), Value::Object(to)) => {
            for (key, value) in to {
                if let Some(was) = from.get(key) {
                    put_back_all(was, value);
                }
            }
        }
        (Value::Array(from), Value::Array(to)) => {
            from.iter().zip(to).for_each(|(was, value)| put_back_all(was, value));
        }
        _ => {}
    }
}

/// The place at a dotted path.
fn slot<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(value, |at, key| match at {
        Value::Object(map) => map.get_mut(key),
        Value::Array(list) => key.parse::<usize>().ok().and_then(|i| list.get_mut(i)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_that_cannot_be_read_covers_whatever_one_could() {
        let mut record = json!({
            "id": "a", "domain": "loan", "action": "approve", "confidence": 0.7,
            "input": {"ssn": "1"}, "output": "text", "rationale": "r", "cohort": "white",
            "provenance": {"trace_id": "t"}, "tags": ["vip"], "reply": null,
        });
        Cover::Everything.record(&mut record);
        assert_eq!(
            record,
            json!({
                "id": "a", "domain": "loan", "action": "approve", "confidence": 0.7,
                "input": REDACTED, "output": REDACTED, "rationale": REDACTED, "cohort": REDACTED,
                "provenance": REDACTED, "tags": REDACTED, "reply": null,
            })
        );
        for mut sent in [json!("text"), json!({"decision": "x"}), json!("{\"id\":\"a\"}")] {
            Cover::Everything.sent(&mut sent);
            assert_eq!(sent, REDACTED);
        }
        let mut line = json!("not a record");
        Cover::Everything.record(&mut line);
        assert_eq!(line, REDACTED);
        let mut cohort = BTreeMap::from([("race".to_owned(), "black".to_owned())]);
        Cover::Everything.cohort(&mut cohort);
        assert_eq!(cohort["race"], REDACTED);
        assert!(Cover::Everything.known("x").is_err() && Cover::Nothing.known("x").is_ok());
    }

    #[test]
    fn what_was_covered_is_put_back_even_where_nobody_knows_by_what() {
        let original = json!({"output": {"iban": "DE1", "list": [{"name": "n"}], "p": 1}});
        let edited =
            json!({"output": {"iban": REDACTED, "list": [{"name": REDACTED}], "new": REDACTED}});
        let mut all = edited.clone();
        Cover::Everything.put_back(&original, &mut all);
        assert_eq!(
            all,
            json!({"output": {"iban": "DE1", "list": [{"name": "n"}], "new": REDACTED}})
        );
        let redaction = Redaction::new(["output.iban"]);
        let mut some = edited;
        Cover::Paths(&redaction).put_back(&original, &mut some);
        assert_eq!(some["output"]["iban"], "DE1");
        assert_eq!(some["output"]["list"][0]["name"], REDACTED);
        assert!(holds_cover(&some) && !holds_cover(&original));
    }

    #[test]
    fn groups_are_covered_as_the_policy_names_them() {
        let groups =
            || BTreeMap::from([("race".to_owned(), "b".to_owned()), ("sex".into(), "f".into())]);
        let (one, all) = (Redaction::new(["cohort.race"]), Redaction::new(["cohort"]));
        let mut cohort = groups();
        Cover::Paths(&one).cohort(&mut cohort);
        assert_eq!((cohort["race"].as_str(), cohort["sex"].as_str()), (REDACTED, "f"));
        Cover::Paths(&all).cohort(&mut cohort);
        assert_eq!((cohort["race"].as_str(), cohort["sex"].as_str()), (REDACTED, REDACTED));
    }
}
