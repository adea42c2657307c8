//! The features of a decision whose distribution is watched.
//!
//! Confidence, business impact, length of the output, ensemble spread; whom the decisions are about
//! (the groups of each cohort dimension: a new group has no past to be compared with, so it shows
//! here first); every field of the input that is a number, a yes or no, or a word of a small
//! vocabulary (of free text, its length); attributions; logits. At most [`FEATURES`] a model: what
//! is beyond is named, not forgotten.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{LEVELS, Slice, Value};
use crate::domain::Decision;

/// Features a model may have.
pub const FEATURES: usize = 48;
/// … of which cohort dimensions, attributions, and logits.
const DIMENSIONS: usize = 6;
const ATTRIBUTIONS: usize = 12;
const LOGITS: usize = 8;
/// How deep objects in the input are looked into.
const DEPTH: usize = 3;

/// Where a feature is found in a decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    Confidence,
    BusinessImpact,
    /// Unicode scalar values of the text, or of the JSON.
    OutputChars,
    /// Largest minus smallest score.
    EnsembleSpread,
    /// The mix of groups in a cohort dimension.
    Cohort(String),
    /// A field of the input by its path; its numbers, or its levels.
    Input(Vec<String>),
    /// The length of a text in the input.
    InputChars(Vec<String>),
    Attribution(String),
    Logit(usize),
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confidence => f.write_str("confidence"),
            Self::BusinessImpact => f.write_str("business_impact"),
            Self::OutputChars => f.write_str("output_chars"),
            Self::EnsembleSpread => f.write_str("ensemble.spread"),
            // As rules spell them: the dimension of a record's plain `cohort` has that name.
            Self::Cohort(name) if name == "cohort" => f.write_str(name),
            Self::Cohort(name) => write!(f, "cohort.{name}"),
            Self::Input(path) => write!(f, "input.{}", path.join(".")),
            Self::InputChars(path) => write!(f, "input.{} (chars)", path.join(".")),
            Self::Attribution(name) => write!(f, "attributions.{name}"),
            Self::Logit(i) => write!(f, "logits.{i}"),
        }
    }
}

impl Feature {
    /// Where it is in a record, dotted, as policies spell it; `None` where it is computed.
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Input(path) | Self::InputChars(path) => Some(format!("input.{}", path.join("."))),
            Self::OutputChars => Some("output".into()),
            Self::EnsembleSpread => None,
            other => Some(other.to_string()),
        }
    }

    /// Is it the same in all of a slice, because it is what makes the slice?
    pub fn defines(&self, slice: &Slice) -> bool {
        matches!((self, slice), (Self::Cohort(name), Slice::Cohort { dimension, .. }) if name == dimension)
    }

    /// Its value in a decision. Numbers that are not finite are missing.
    pub fn of<'a>(&self, d: &'a Decision) -> Value<'a> {
        let number =
            |x: Option<f64>| x.filter(|x| x.is_finite()).map_or(Value::Missing, Value::Number);
        match self {
            Self::Confidence => number(Some(d.confidence)),
            Self::BusinessImpact => number(Some(d.business_impact)),
            Self::OutputChars => number(Some(match &d.output {
                Json::String(text) => chars(text),
                other => chars(&other.to_string()),
            })),
            Self::EnsembleSpread => number(d.ensemble_spread()),
            Self::Cohort(name) => d.cohort.get(name).map_or(Value::Missing, |g| Value::Level(g)),
            Self::Input(path) => at(d, path).map_or(Value::Missing, plain),
            Self::InputChars(path) => number(at(d, path).and_then(Json::as_str).map(chars)),
            Self::Attribution(name) => number(d.attributions.get(name).copied()),
            Self::Logit(i) => number(d.logits.get(*i).copied()),
        }
    }
}

/// The fields a set of decisions has, and how they are watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovered {
    /// At most [`FEATURES`]: the fixed ones, cohort dimensions, input fields by how often they are
    /// there, then attributions and logits.
    pub features: Vec<Feature>,
    /// Those beyond the cap, by name, and cohort dimensions with nearly as many groups as decisions.
    pub beyond: Vec<String>,
}

/// What is known of an input field.
#[derive(Default)]
struct Seen<'a> {
    numbers: u64,
    texts: u64,
    levels: BTreeMap<&'a str, u64>,
    /// More distinct levels than are worth counting.
    many: bool,
}

impl<'a> Seen<'a> {
    fn level(&mut self, level: &'a str) {
        self.texts += 1;
        if let Some(n) = self.levels.get_mut(level) {
            *n += 1;
        } else if self.levels.len() < 16 * LEVELS {
            self.levels.insert(level, 1);
        } else {
            self.many = true;
        }
    }

    /// Free text rather than a vocabulary: most values are not among the most frequent levels.
    fn is_text(&self) -> bool {
        let mut counts: Vec<u64> = self.levels.values().copied().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let kept: u64 = counts.iter().take(LEVELS).sum();
        self.texts > self.numbers
            && (self.many
                || (counts.len() > LEVELS / 2 && kept * 2 <= self.texts + counts.len() as u64))
    }
}

/// Find the features of decisions (of one model).
pub fn discover<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Discovered {
    let mut inputs: BTreeMap<Vec<&'a str>, Seen<'a>> = BTreeMap::new();
    let mut groups: BTreeMap<&'a str, Seen<'a>> = BTreeMap::new();
    let mut attributions: BTreeMap<&'a str, u64> = BTreeMap::new();
    let (mut logits, mut spread) = (0, false);
    for d in decisions {
        spread |= !d.ensemble.is_empty();
        logits = logits.max(d.logits.len());
        for name in d.attributions.keys() {
            *attributions.entry(name).or_default() += 1;
        }
        for (dimension, group) in &d.cohort {
            groups.entry(dimension).or_default().level(group);
        }
        let mut path = Vec::new();
        for (name, value) in &d.input {
            look(&mut inputs, &mut path, name, value);
        }
    }
    let mut features = vec![Feature::Confidence, Feature::BusinessImpact, Feature::OutputChars];
    features.extend(spread.then_some(Feature::EnsembleSpread));
    let mut beyond: Vec<Feature> = Vec::new();

    let mut dimensions: Vec<(&str, Seen<'_>)> = groups.into_iter().collect();
    dimensions.sort_by(|a, b| b.1.texts.cmp(&a.1.texts).then(a.0.cmp(b.0)));
    let mut watched = 0;
    for (dimension, seen) in dimensions {
        let feature = Feature::Cohort(dimension.to_owned());
        // Names of single people or cases: everybody is new there.
        if watched < DIMENSIONS && !seen.is_text() {
            watched += 1;
            features.push(feature);
        } else {
            beyond.push(feature);
        }
    }

    let mut often: Vec<(&str, u64)> = attributions.into_iter().collect();
    often.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut told: Vec<Feature> =
        often.iter().map(|(name, _)| Feature::Attribution((*name).to_owned())).collect();
    beyond.extend(told.drain(told.len().min(ATTRIBUTIONS)..));
    told.extend((0..logits.min(LOGITS)).map(Feature::Logit));
    beyond.extend((LOGITS..logits).map(Feature::Logit));

    let mut fields: Vec<(Feature, u64)> = inputs
        .into_iter()
        .map(|(path, seen)| {
            let path = path.into_iter().map(str::to_owned).collect();
            let there = seen.numbers + seen.texts;
            if seen.is_text() {
                (Feature::InputChars(path), there)
            } else {
                (Feature::Input(path), there)
            }
        })
        .collect();
    fields.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let room = FEATURES - features.len() - told.len();
    for (i, (field, _)) in fields.into_iter().enumerate() {
        if i < room { features.push(field) } else { beyond.push(field) }
    }
    features.extend(told);
    Discovered { features, beyond: beyond.iter().map(Feature::to_string).collect() }
}

/// Note a field, or the fields of an object.
fn look<'a>(
    inputs: &mut BTreeMap<Vec<&'a str>, Seen<'a>>,
    path: &mut Vec<&'a str>,
    name: &'a str,
    value: &'a Json,
) {
    path.push(name);
    match value {
        Json::Object(fields) if path.len() < DEPTH => {
            for (name, value) in fields {
                look(inputs, path, name, value);
            }
        }
        Json::Number(_) | Json::Bool(_) | Json::String(_) => {
            let seen = inputs.entry(path.clone()).or_default();
            match plain(value) {
                Value::Number(_) => seen.numbers += 1,
                Value::Level(level) => seen.level(level),
                Value::Missing => {}
            }
        }
        _ => {}
    }
    path.pop();
}

/// A JSON value as a feature's.
fn plain(value: &Json) -> Value<'_> {
    match value {
        Json::Number(n) => {
            n.as_f64().filter(|x| x.is_finite()).map_or(Value::Missing, Value::Number)
        }
        Json::Bool(true) => Value::Level("true"),
        Json::Bool(false) => Value::Level("false"),
        Json::String(text) => Value::Level(text),
        Json::Null | Json::Array(_) | Json::Object(_) => Value::Missing,
    }
}

fn at<'a>(d: &'a Decision, path: &[String]) -> Option<&'a Json> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(d.input.get(first)?, |value, name| value.get(name))
}

#[allow(clippy::cast_precision_loss, reason = "a record has at most a few MiB")]
fn chars(text: &str) -> f64 {
    text.chars().count() as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision(i: usize, input: Json) -> Decision {
        serde_json::from_value(json!({
            "id": format!("d-{i}"), "domain": "loan", "action": "approve",
            "model": {"name": "m", "version": "1"}, "confidence": 0.9, "business_impact": 5.0,
            "ensemble": [{"name": "a", "score": 0.5}, {"name": "b", "score": 0.75}],
            "input": input, "output": "Grüße", "attributions": {"income": 0.25}, "logits": [1.0, -1.0],
        }))
        .unwrap()
    }

    #[test]
    fn fields_are_watched_by_what_they_are() {
        let list: Vec<Decision> = (0..200)
            .map(|i| {
                decision(i, json!({"income": i, "state": (if i % 2 == 0 { "MA" } else { "NH" }), "ok": true, "none": null,
                    "question": format!("What is {i}?"), "who": {"age": 30, "list": [1]}}))
            })
            .collect();
        let found = discover(&list);
        let names: Vec<String> = found.features.iter().map(Feature::to_string).collect();
        assert_eq!(
            names,
            [
                "confidence",
                "business_impact",
                "output_chars",
                "ensemble.spread",
                "input.income",
                "input.ok",
                "input.state",
                "input.who.age",
                "input.question (chars)",
                "attributions.income",
                "logits.0",
                "logits.1",
            ]
        );
        let values: Vec<Value> = found.features.iter().map(|f| f.of(&list[7])).collect();
        assert_eq!(
            values,
            [
                Value::Number(0.9),
                Value::Number(5.0),
                Value::Number(5.0),
                Value::Number(0.25),
                Value::Number(7.0),
                Value::Level("true"),
                Value::Level("NH"),
                Value::Number(30.0),
                Value::Number(10.0),
                Value::Number(0.25),
                Value::Number(1.0),
                Value::Number(-1.0),
            ]
        );
        let bare = decision(0, json!({}));
        assert_eq!(Feature::Input(vec!["who".into(), "age".into()]).of(&bare), Value::Missing);
    }

    #[test]
    fn whom_it_is_about_is_watched_unless_everybody_is_a_group() {
        let list: Vec<Decision> = (0..200)
            .map(|i| {
                let mut one = decision(i, json!({}));
                one.cohort.insert("cohort".into(), ["a", "b"][i % 2].into());
                one.cohort.insert("applicant".into(), format!("no-{i}"));
                if i % 4 == 0 {
                    one.cohort.insert("race".into(), "white".into());
                }
                one
            })
            .collect();
        let found = discover(&list);
        let names: Vec<String> = found.features.iter().map(Feature::to_string).collect();
        assert_eq!(names[4..6], ["cohort", "cohort.race"]);
        assert_eq!(found.beyond, ["cohort.applicant"]);
        let values = |i: usize| [4, 5].map(|f: usize| found.features[f].of(&list[i]));
        assert_eq!(values(4), [Value::Level("a"), Value::Level("white")]);
        assert_eq!(values(5), [Value::Level("b"), Value::Missing]);
        let slice = |name: &str| name.parse::<Slice>().unwrap();
        assert!(found.features[5].defines(&slice("cohort:race:white")));
        assert!(!found.features[5].defines(&slice("cohort:cohort:a")));
    }

    #[test]
    fn what_is_beyond_the_cap_is_named() {
        let input: serde_json::Map<String, Json> =
            (0..60).map(|i| (format!("f{i:02}"), json!(i))).collect();
        let one = decision(0, Json::Object(input));
        let found = discover([&one]);
        assert_eq!(found.features.len(), FEATURES);
        assert_eq!(found.beyond.len(), 60 - (FEATURES - 4 - 3));
        assert_eq!(found.beyond.last().unwrap(), "input.f59");
    }
}
