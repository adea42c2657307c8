//! `null` in an optional place says what leaving it out says, so it is no part of the content.
//!
//! What a caller put into `input`, `output`, `reply` or a field that the contract does not know is
//! theirs: there a `null` is content like any other.

use serde_json::{Map, Value};

/// The contract's fields in its order, and which of them may be absent.
pub(super) const FIELDS: [(&str, bool); 21] = [
    ("id", false),
    ("occurred_at", true),
    ("domain", false),
    ("action", false),
    ("scope", true),
    ("user_group", true),
    ("model", false),
    ("confidence", false),
    ("ensemble", true),
    ("cohort", true),
    ("business_impact", false),
    ("input", false),
    ("output", false),
    ("rationale", true),
    ("source", true),
    ("provenance", true),
    ("latency_ms", true),
    ("attributions", true),
    ("logits", true),
    ("tags", true),
    ("reply", true),
];
/// Objects any member of which may be absent.
const MAPS: [&str; 3] = ["cohort", "provenance", "attributions"];

fn optional(key: &str) -> bool {
    FIELDS.contains(&(key, true))
}

/// Is there a `null` that says nothing?
pub(super) fn any(record: &Map<String, Value>) -> bool {
    record.iter().any(|(key, value)| match value {
        Value::Null => optional(key),
        Value::Object(map) if MAPS.contains(&key.as_str()) => map.values().any(Value::is_null),
        Value::Object(map) if key == "source" => map.get("reliability").is_some_and(Value::is_null),
        _ => false,
    })
}

/// Leave them out.
pub(super) fn strip(record: &mut Map<String, Value>) {
    record.retain(|key, value| !(value.is_null() && optional(key)));
    for key in MAPS {
        if let Some(Value::Object(map)) = record.get_mut(key) {
            map.retain(|_, value| !value.is_null());
        }
    }
    if let Some(Value::Object(source)) = record.get_mut("source") {
        source.retain(|key, value| key != "reliability" || !value.is_null());
    }
}
