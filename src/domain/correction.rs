//! A correction: what people made of a proposal, as labelled data for retraining.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Model, Output, Sample, Timestamp, VerdictKind};

/// An action with its output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub action: String,
    pub output: Output,
}

/// One labelled example: a settled override, or a sample that people confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    pub id: String,
    pub domain: String,
    pub model: Model,
    pub cohort: BTreeMap<String, String>,
    pub input: Map<String, Value>,
    pub proposed: Content,
    /// For a plain reject: the right action if the reviewer named one, else `null`.
    pub corrected: Option<Corrected>,
    pub verdict: VerdictKind,
    pub tags: Vec<String>,
    pub note: Option<String>,
    pub by: String,
    pub level: u8,
    pub at: Timestamp,
    pub route: RouteRef,
    pub sample: Option<Sample>,
}

/// What people settled on; an unknown part is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    pub action: Option<String>,
    pub output: Option<Output>,
}

/// Which rule of which policy sent it to people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteRef {
    pub rule: String,
    pub policy: String,
}
