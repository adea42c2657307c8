//! Is an input like those a model's reference was made of? Asked before the model runs, so a value
//! alone has to say it, not a distribution. Pure.
//!
//! The rule, by what the reference froze of a field:
//!
//! - numbers: further beyond the first or last percentile than these two are apart;
//! - at most ten distinct numbers: outside their range;
//! - levels: one that the reference does not know, if it knows all of its own;
//! - lengths of texts: as numbers.
//!
//! A field is missing when at least 99 % of the reference have it and this input has not. A
//! reference of fewer than [`MIN_REFERENCE`] decisions says nothing.

use super::histogram::{Bins, Value};
use super::population::MIN_REFERENCE;
use super::reference::{ModelReference, Watched};
use super::{Feature, Slice};
use crate::domain::Decision;

/// The share of the reference that has a field which may not be missing.
const USUAL: f64 = 0.99;

/// What is not as in the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Stray {
    /// `input.income`, `input.text chars`.
    pub field: String,
    pub what: Strayed,
}

/// How it differs.
#[derive(Clone, Debug, PartialEq)]
pub enum Strayed {
    Missing,
    /// A number, and the ends of what is usual.
    Number {
        value: f64,
        low: f64,
        high: f64,
    },
    /// A level that the reference does not know.
    Level(String),
}

/// What of the input in `d` is not as in the reference; `None`: the reference cannot say.
pub fn strays(model: &ModelReference, d: &Decision) -> Option<Vec<Stray>> {
    if model.decisions < MIN_REFERENCE {
        return None;
    }
    // All versions: what a version is new to is not new to the model.
    let all = Slice::Model { name: d.model.name.clone(), version: String::new() };
    let counts = model.counts_for(&all)?;
    let mut found = Vec::new();
    for (i, watched) in model.features.iter().enumerate() {
        if !matches!(watched.feature, Feature::Input(_) | Feature::InputChars(_)) {
            continue;
        }
        let Some(cells) = counts.get(model.range(i)) else { continue };
        if let Some(what) = strayed(watched, cells, watched.feature.of(d)) {
            found.push(Stray { field: watched.feature.to_string(), what });
        }
    }
    Some(found)
}

fn strayed(watched: &Watched, cells: &[u64], value: Value<'_>) -> Option<Strayed> {
    let all: u64 = cells.iter().sum();
    let regular = watched.bins.regular();
    let other = cells.get(regular).copied().unwrap_or(0);
    match (value, &watched.bins) {
        (Value::Missing, _) => {
            let missing = cells.get(regular + 1).copied().unwrap_or(0);
            (all > 0 && share(all - missing, all) >= USUAL).then_some(Strayed::Missing)
        }
        (Value::Number(value), Bins::Deciles { .. }) => {
            let shape = watched.shape.as_ref()?;
            let width = shape.high - shape.low;
            let (low, high) = (shape.low - width, shape.high + width);
            (value < low || value > high).then_some(Strayed::Number { value, low, high })
        }
        (Value::Number(value), Bins::Values { values }) => {
            let (low, high) = (*values.first()?, *values.last()?);
            (value < low || value > high).then_some(Strayed::Number { value, low, high })
        }
        (Value::Level(level), Bins::Levels { places, .. }) => {
            let new = other == 0 && !places.contains_key(level);
            new.then(|| Strayed::Level(level.to_owned()))
        }
        // Another type than in the reference is the schema's business.
        (Value::Number(_), Bins::Levels { .. }) | (Value::Level(_), _) => None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of a reference")]
fn share(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn decision(input: &Json) -> Decision {
        serde_json::from_value(json!({
            "id": "a", "domain": "loan", "action": "approve", "confidence": 0.9,
            "model": {"name": "m", "version": "1"}, "business_impact": 1, "input": input,
            "output": "yes",
        }))
        .unwrap()
    }

    /// 300 decisions: income 1..=300, children 0..=3, region one of three, note in every second.
    fn reference() -> ModelReference {
        let decisions: Vec<Decision> = (0..300)
            .map(|i| {
                let region = ["north", "south", "west"][i % 3];
                let mut input =
                    json!({"income": i as f64 + 1.0, "children": i % 4, "region": region});
                if i % 2 == 0 {
                    input["rare"] = json!(i as f64);
                }
                decision(&input)
            })
            .collect();
        ModelReference::freeze(1, &decisions).unwrap()
    }

    fn look(input: &Json) -> Vec<(String, Strayed)> {
        let found = strays(&reference(), &decision(input)).unwrap();
        found.into_iter().map(|s| (s.field, s.what)).collect()
    }

    #[test]
    fn what_is_like_the_reference_passes() {
        assert_eq!(look(&json!({"income": 300, "children": 2, "region": "west"})), []);
        // A little beyond is unusual, not another world.
        assert_eq!(look(&json!({"income": 500, "children": 0, "region": "north"})), []);
    }

    #[test]
    fn numbers_levels_and_gaps_are_told_apart() {
        let found = look(&json!({"income": 5000, "children": 9, "region": "mars"}));
        assert_eq!(found.len(), 3, "{found:?}");
        for (field, what) in found {
            match (field.as_str(), what) {
                ("input.income", Strayed::Number { value, high, .. }) => {
                    assert_eq!(value, 5000.0);
                    assert!((580.0..600.0).contains(&high), "{high}");
                }
                ("input.children", Strayed::Number { low, high, .. }) => {
                    assert_eq!((low, high), (0.0, 3.0));
                }
                ("input.region", Strayed::Level(level)) => assert_eq!(level, "mars"),
                other => panic!("{other:?}"),
            }
        }
        let missing = look(&json!({"children": 1, "region": "north"}));
        assert_eq!(missing, [("input.income".to_owned(), Strayed::Missing)]);
    }

    #[test]
    fn a_small_reference_says_nothing() {
        let few: Vec<Decision> = (0..20).map(|i| decision(&json!({"income": i}))).collect();
        let model = ModelReference::freeze(1, &few).unwrap();
        assert_eq!(strays(&model, &decision(&json!({"income": 1e9}))), None);
    }
}
