//! The record inside a CloudEvents 1.0 envelope (structured mode): in `data`, or in `data_base64`.
//!
//! What is an envelope and cannot be opened is refused, naming why: taken for a record it would
//! occupy the event's id, which is another's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{Refusal, RefusalReason, extract, refuse};

/// What was in a line's object.
pub(super) enum Opened {
    /// There is no envelope.
    Plain(Value),
    Data(Value),
    /// The bytes of `data_base64`.
    Bytes(Vec<u8>),
}

/// Take the envelope off, where there is one.
pub(super) fn open(value: Value) -> Result<Opened, Refusal> {
    let Value::Object(mut map) = value else { return Ok(Opened::Plain(value)) };
    let Some(version) = map.get("specversion") else {
        return Ok(Opened::Plain(Value::Object(map)));
    };
    if version != "1.0" {
        if !is_event(&map) {
            return Ok(Opened::Plain(Value::Object(map)));
        }
        let shown = match version {
            Value::String(text) => format!("{:?}", extract::short(text)),
            other => extract::a(other).to_owned(),
        };
        let message =
            format!("this is an event of CloudEvents with `specversion` {shown}; 1.0 is taken");
        return Err(refuse(RefusalReason::EnvelopeVersion, message));
    }
    if let Some(data) = map.shift_remove("data") {
        return Ok(Opened::Data(data));
    }
    match map.get("data_base64") {
        Some(Value::String(text)) => STANDARD.decode(text).map(Opened::Bytes).map_err(|e| {
            refuse(
                RefusalReason::EnvelopeData,
                format!("the event's `data_base64` is no base64: {e}"),
            )
        }),
        Some(other) => {
            let message =
                format!("the event's `data_base64` is {}, not a string", extract::a(other));
            Err(refuse(RefusalReason::EnvelopeData, message))
        }
        None if is_event(&map) => {
            let message =
                "the event has neither `data` nor `data_base64`: there is no record in it";
            Err(refuse(RefusalReason::EnvelopeEmpty, message.to_owned()))
        }
        None => Ok(Opened::Plain(Value::Object(map))),
    }
}

/// As [`open`], of what was read before: what cannot be opened stays as it is.
pub(super) fn opened(value: Value) -> Value {
    match open(value.clone()) {
        Ok(Opened::Data(data)) => data,
        Ok(Opened::Bytes(bytes)) => serde_json::from_slice(&bytes).unwrap_or(value),
        Ok(Opened::Plain(_)) | Err(_) => value,
    }
}

/// An event, and no record that happens to have a field of that name.
fn is_event(map: &Map<String, Value>) -> bool {
    /// What every record has and no event does.
    const RECORD: [&str; 7] =
        ["domain", "action", "model", "confidence", "business_impact", "input", "output"];
    let text = |key: &str| map.get(key).is_some_and(Value::is_string);
    text("type") && text("source") && !RECORD.iter().any(|key| map.contains_key(*key))
}
