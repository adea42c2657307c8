//! A correction as a record of Argilla: what `rg.Dataset.records.from_json` reads. Pure.
//!
//! The model's proposal is a suggestion, what people settled on a submitted response. The dataset
//! is to have the text fields `input` and `output` and the questions `verdict` (label), `action`
//! and `corrected` (text), `tags` (multi-label) and `note` (text).

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// The record of a line of `learn export`.
pub(super) fn record(correction: &Value) -> Value {
    let text = |path: &str| correction.pointer(path).map(shown).unwrap_or_default();
    let mut metadata = Map::new();
    for (name, path) in [
        ("domain", "/domain"),
        ("model", "/model/name"),
        ("model_version", "/model/version"),
        ("level", "/level"),
        ("at", "/at"),
        ("rule", "/route/rule"),
        ("origin", "/origin"),
    ] {
        if let Some(value) = correction.pointer(path).filter(|v| !v.is_null()) {
            metadata.insert(name.to_owned(), value.clone());
        }
    }
    let cohort = correction.get("cohort").and_then(Value::as_object);
    for (dimension, group) in cohort.into_iter().flatten() {
        metadata.insert(format!("cohort_{dimension}"), group.clone());
    }
    let agent = format!("{}@{}", text("/model/name"), text("/model/version"));
    let suggested = |value: String| json!({ "value": value, "score": null, "agent": agent });
    let by = user(&text("/by"));
    let mut responses = Map::new();
    let mut respond = |question: &str, value: Value| {
        responses.insert(
            question.to_owned(),
            json!([{ "value": value, "user_id": by, "status": "submitted" }]),
        );
    };
    respond("verdict", Value::String(text("/verdict")));
    for (question, path) in [("action", "/corrected/action"), ("corrected", "/corrected/output")] {
        if correction.pointer(path).is_some_and(|v| !v.is_null()) {
            respond(question, Value::String(text(path)));
        }
    }
    if let Some(tags) =
        correction.get("tags").filter(|t| t.as_array().is_some_and(|t| !t.is_empty()))
    {
        respond("tags", tags.clone());
    }
    if correction.get("note").is_some_and(|n| !n.is_null()) {
        respond("note", Value::String(text("/note")));
    }
    // Of several desks, each has ids of its own.
    let id = match text("/origin") {
        origin if origin.is_empty() => text("/id"),
        origin => format!("{origin}:{}", text("/id")),
    };
    json!({
        "id": id,
        "fields": { "input": text("/input"), "output": text("/proposed/output") },
        "metadata": metadata,
        "suggestions": {
            "action": suggested(text("/proposed/action")),
            "corrected": suggested(text("/proposed/output")),
        },
        "responses": responses,
        "vectors": {},
    })
}

/// Argilla names people by UUID: one that is the same wherever the name is.
fn user(name: &str) -> String {
    let bytes: [u8; 16] = Sha256::digest(name).first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// A value as text.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(n) => n.to_string(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_settled_on_is_the_response_and_what_the_model_said_the_suggestion() {
        let record = record(&json!({
            "id": "a-1", "domain": "loan", "model": {"name": "m", "version": "3"},
            "cohort": {"cohort": "white"}, "input": {"income": 53},
            "proposed": {"action": "approve", "output": {"p": 0.3}},
            "corrected": {"action": "deny", "output": {"p": 0.8}},
            "verdict": "edit", "tags": ["tone"], "note": null, "by": "ann", "level": 1,
            "at": "2026-11-22T12:00:00Z", "route": {"rule": "r", "policy": "p"}, "sample": null,
        }));
        assert_eq!(record["id"], "a-1");
        assert_eq!(record["fields"]["output"], "{\n  \"p\": 0.3\n}");
        assert_eq!(record["suggestions"]["action"]["value"], "approve");
        assert_eq!(record["suggestions"]["action"]["agent"], "m@3");
        assert_eq!(record["responses"]["action"][0]["value"], "deny");
        assert_eq!(record["responses"]["verdict"][0]["value"], "edit");
        assert_eq!(record["responses"]["tags"][0]["value"], json!(["tone"]));
        assert!(record["responses"].get("note").is_none());
        assert_eq!(record["metadata"]["cohort_cohort"], "white");
        assert_eq!(record["responses"]["verdict"][0]["user_id"], user("ann"));
    }
}
