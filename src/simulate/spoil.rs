//! Lines that real senders get wrong: most have a usable id, some are past reading.

use serde_json::{Value, json};

use super::rng::Rng;

/// Breaks a record, and returns the line.
pub(super) fn spoil(rng: &mut Rng, record: &mut Value) -> String {
    let cut = |line: String, rng: &mut Rng| {
        let at = line.char_indices().nth(rng.below(line.len() / 2) + 20).map_or(20, |(i, _)| i);
        line.get(..at).unwrap_or_default().to_owned()
    };
    let Value::Object(map) = &mut *record else { return record.to_string() };
    match rng.below(9) {
        0 => drop(map.shift_remove("confidence")),
        1 => drop(map.insert("confidence".into(), json!(1.7))),
        2 => drop(map.insert("confidence".into(), json!("high"))),
        3 => drop(map.insert("domain".into(), json!(""))),
        4 => drop(map.insert("business_impact".into(), json!(42))),
        5 => drop(map.insert("occurred_at".into(), json!("yesterday"))),
        6 => drop(map.shift_remove("model")),
        7 => drop(map.shift_remove("id")),
        _ => return cut(record.to_string(), rng),
    }
    record.to_string()
}
