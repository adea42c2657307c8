//! A decision: what a model proposes to do, before it is done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Timestamp;

/// A model's proposal in full: text, or a JSON object.
pub type Output = Value;

/// The decision record, parsed and valid (see `domain::record` for how bytes become one).
///
/// Invariants: `id` has 1–128 bytes; `domain`, `action`, `model.name` and `model.version` are not
/// empty; `confidence` and every ensemble score are finite and in 0..=1; `business_impact` is
/// finite and in 0..=10; `output` is a string or an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The caller's key.
    pub id: String,
    /// When the model decided; absent means "at admission".
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub occurred_at: Option<Timestamp>,
    pub domain: String,
    /// What the model wants to do.
    pub action: String,
    /// Where it acts: a slash path such as `lending/mortgage`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_group: Option<String>,
    pub model: Model,
    /// Probability (0..=1) that the proposed decision is right.
    pub confidence: f64,
    /// Each member's probability for the same decision; may be empty.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ensemble: Vec<Member>,
    /// Groups by dimension; a bare string in the record is the dimension `cohort`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub cohort: BTreeMap<String, String>,
    /// 0..=10.
    pub business_impact: f64,
    /// The context, as the model saw it.
    pub input: Map<String, Value>,
    pub output: Output,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rationale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Source>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub provenance: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub attributions: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub logits: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// How to tell the waiting workflow; kept as it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply: Option<Value>,
    /// Fields the record has and the contract does not name: kept and shown.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Decision {
    /// The text of the output as a reviewer reads it: the string itself, or compact JSON.
    pub fn output_text(&self) -> String {
        match &self.output {
            Value::String(s) => s.clone(),
            other => other.to_string(),
        }
    }

    /// The group in the dimension named `cohort`, if any.
    pub fn cohort_group(&self) -> Option<&str> {
        self.cohort.get("cohort").map(String::as_str)
    }

    /// Largest minus smallest ensemble score; `None` without an ensemble.
    pub fn ensemble_spread(&self) -> Option<f64> {
        let lo = self.ensemble.iter().map(|m| m.score).reduce(f64::min)?;
        let hi = self.ensemble.iter().map(|m| m.score).reduce(f64::max)?;
        Some(hi - lo)
    }
}

/// Which system decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Model {
    pub name: String,
    pub version: String,
}

/// One member of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub name: String,
    /// Probability (0..=1) for the decision the ensemble proposes.
    pub score: f64,
}

/// Where the input came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub name: String,
    /// 0..=1; absent where the caller states none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reliability: Option<f64>,
}
