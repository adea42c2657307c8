//! `policy test`: each `[[test]]` of a policy is routed, and the rules no test reached are named.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::domain::Outcome;

/// What `given` may hold at its top level: the record's fields, the facts, and what the rules of
/// effects read.
pub(super) const GIVEN: [&str; 30] = [
    "id",
    "occurred_at",
    "domain",
    "action",
    "scope",
    "user_group",
    "model",
    "confidence",
    "ensemble",
    "cohort",
    "business_impact",
    "input",
    "output",
    "rationale",
    "source",
    "provenance",
    "latency_ms",
    "attributions",
    "logits",
    "tags",
    "reply",
    "now",
    "control_readable",
    "cohort_seen",
    "arrival_rate_z",
    "model_age_days",
    "review",
    "window",
    "sla",
    "feedback",
];

/// One `[[test]]`.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) given: Map<String, Value>,
    pub(super) expect: Expect,
}

/// What a test expects; what it leaves out is not compared.
#[derive(Debug, Default)]
pub(super) struct Expect {
    pub(super) outcome: Option<Outcome>,
    pub(super) queue: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) approvals: Option<Vec<String>>,
    pub(super) matched: Option<Vec<String>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) effects: Option<Vec<String>>,
    pub(super) sample: Option<SampleExpect>,
    pub(super) priority: Option<i64>,
    pub(super) blind: Option<bool>,
    pub(super) sla: Option<SignedDuration>,
}

/// What a test expects of sampling.
#[derive(Debug)]
pub(super) enum SampleExpect {
    Drawn(bool),
    By(String),
}
