//! A view in which every text that can be foreign is the same hostile one.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::Timestamp;

/// The view with `text` in every place but times, modes and the states of switches.
pub(super) fn poisoned<T: Serialize + DeserializeOwned>(view: T, text: Option<&str>) -> T {
    let Some(text) = text else { return view };
    let mut json = serde_json::to_value(&view).unwrap();
    walk(&mut json, text);
    serde_json::from_value(json).unwrap()
}

fn walk(value: &mut Value, text: &str) {
    match value {
        Value::String(old) if old.parse::<Timestamp>().is_ok() => {}
        Value::String(old) => *old = text.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, text)),
        Value::Object(fields) => {
            let switch = fields.contains_key("in_flight");
            for (name, field) in fields.iter_mut() {
                match (name.as_str(), &field) {
                    ("state", _) if switch => {}
                    ("mode", _) => {}
                    ("scope", _) if text.is_empty() => {}
                    ("scope", _) => *field = Value::String(format!("domain={text}")),
                    _ => walk(field, text),
                }
            }
        }
        _ => {}
    }
}
