//! An input, looked at before the model runs: the domain's schema, and the model's reference.

use serde_json::{Map, Value, json};

use super::core::Core;
use crate::domain::Decision;
use crate::protocol::{InputAsk, InputCheck, Refused, StrayView, Why};
use crate::signals::{Strayed, strays};

impl Core {
    /// Faults by the schema, and what is not as in the reference of the model.
    pub(super) fn check_input(&self, ask: &InputAsk) -> Result<InputCheck, Refused> {
        let sight = self.sight()?;
        let input = Value::Object(ask.input.clone());
        let policy = sight.policy.as_deref();
        let faults = policy.map_or_else(Vec::new, |p| p.check_input(&ask.domain, &input));
        let reference = self.reference()?;
        let known = reference.models.get(&ask.model.name);
        let found = match known {
            Some(model) => strays(model, &standing_in(ask)?),
            None => None,
        };
        let (mut missing, mut stray) = (Vec::new(), Vec::new());
        for one in found.iter().flatten() {
            let field = one.field.clone();
            match &one.what {
                Strayed::Missing => missing.push(field),
                Strayed::Number { value, low, high } => stray.push(StrayView {
                    field,
                    value: json!(value),
                    low: Some(*low),
                    high: Some(*high),
                }),
                Strayed::Level(level) => {
                    stray.push(StrayView { field, value: json!(level), low: None, high: None });
                }
            }
        }
        let distribution = match &found {
            None => "not_enough_data",
            Some(_) if stray.is_empty() => "in",
            Some(_) => "out",
        };
        Ok(InputCheck {
            ok: faults.is_empty() && missing.is_empty() && stray.is_empty(),
            faults,
            missing,
            distribution: distribution.to_owned(),
            stray,
            reference: known.map(|model| model.decisions),
        })
    }
}

/// A decision with this input and nothing decided yet: the form that features are read from.
fn standing_in(ask: &InputAsk) -> Result<Decision, Refused> {
    let mut record = Map::new();
    for (key, value) in [
        ("id", json!("-")),
        ("domain", json!(ask.domain)),
        ("action", json!("-")),
        ("model", json!(ask.model)),
        ("confidence", json!(0.0)),
        ("business_impact", json!(0.0)),
        ("input", Value::Object(ask.input.clone())),
        ("output", json!("")),
    ] {
        record.insert(key.to_owned(), value);
    }
    serde_json::from_value(Value::Object(record))
        .map_err(|e| Refused::new(Why::Invalid, format!("the input cannot be looked at: {e}")))
}
