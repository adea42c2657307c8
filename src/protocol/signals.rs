//! What the desk measures of the models and of itself, as it is asked for and shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Line;
use crate::domain::{Fault, Model, Timestamp};

/// Which figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalsAsk {
    /// `15m`, `1h`, `24h` or `7d`; empty: `24h`.
    pub window: String,
    /// `cohort`, `model`, `domain`, `queue`, `reviewer`, `rule` or `overall`; empty: all of them.
    pub by: Option<String>,
    /// Drift of this slice, such as `model:m@1`; `None`: of every model.
    pub slice: Option<String>,
}

/// Where a reference comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceAsk {
    /// Decisions admitted in this time (desk time; the end is excluded).
    Period { from: Timestamp, to: Timestamp },
    /// Records that need not be in the store.
    Records { name: String, lines: Vec<Line> },
}

/// One slice: a single dimension and its value, such as `{"cohort":"race:black"}`.
pub type SliceName = BTreeMap<String, String>;

/// An input that a model is about to see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputAsk {
    pub domain: String,
    pub model: Model,
    pub input: Map<String, Value>,
}

/// What is to be said of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputCheck {
    /// Nothing is wrong with it.
    pub ok: bool,
    /// Where it breaks the domain's schema.
    pub faults: Vec<Fault>,
    /// Fields that nearly all (99 %) of the model's reference have, and this input has not.
    pub missing: Vec<String>,
    /// `in`, `out`, or `not_enough_data` where the model has no reference that could say.
    pub distribution: String,
    /// What is out of distribution.
    pub stray: Vec<StrayView>,
    /// Decisions in the model's reference; `null` without one.
    pub reference: Option<u64>,
}

/// A value unlike those of the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrayView {
    /// `input.income`.
    pub field: String,
    pub value: Value,
    /// Numbers: the ends of what is taken for usual; `null` for levels.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// The figures of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalsView {
    pub window: String,
    /// Desk time at its end.
    pub now: Option<Timestamp>,
    pub reference: Option<ReferenceView>,
    pub slices: Vec<SliceView>,
    pub drift: Vec<DriftView>,
    pub calibration: Vec<CalibrationView>,
    pub sla: Vec<SlaView>,
    /// Of all decisions, the share settled automatically; `None` without decisions.
    pub automation_share: Option<f64>,
    pub flow: FlowView,
    /// Values that were missing or not a number, by feature: never fed to a detector.
    #[serde(default)]
    pub missing: BTreeMap<String, u64>,
    /// Slices and features beyond the caps that are counted under `other`.
    #[serde(default)]
    pub capped: Vec<String>,
}

/// A frozen reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceView {
    /// Rises with every new one.
    pub version: u64,
    /// A period or a file's name.
    pub name: String,
    pub decisions: u64,
    pub set_at: Timestamp,
    pub set_by: String,
}

/// Counts of a slice and its override rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceView {
    pub slice: SliceName,
    pub decisions: u64,
    pub auto: u64,
    pub reviewed: u64,
    pub overridden: u64,
    /// `(edit + reject) / (accept + edit + reject)`; `None` without reviews.
    pub override_rate: Option<f64>,
    /// 95 % Wilson.
    pub override_interval: Option<[f64; 2]>,
    /// The slice's own rate before the window.
    pub baseline: Option<f64>,
    /// `stable`, `watch`, `over` or `not_enough_data`.
    pub verdict: String,
    /// Sampled automatic decisions that turned out wrong.
    pub reversals: u64,
    /// Error rate of all that was automatic, estimated from the sampled ones.
    pub auto_error: Option<EstimateView>,
    /// Override rate over equal parts of the window, oldest first; `None` without reviews.
    #[serde(default)]
    pub history: Vec<Option<f64>>,
}

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EstimateView {
    pub value: f64,
    pub low: f64,
    pub high: f64,
    /// Sampled decisions behind it.
    pub n: u64,
}

/// How a feature of a slice stands against the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftView {
    pub slice: SliceName,
    pub feature: String,
    pub n_ref: u64,
    pub n_cur: u64,
    pub psi: Option<f64>,
    pub kl: Option<f64>,
    /// Distance, base 2, in 0..=1.
    pub js: Option<f64>,
    pub ks: Option<f64>,
    pub ks_p: Option<f64>,
    pub chi2: Option<f64>,
    pub chi2_p: Option<f64>,
    /// `stable`, `drift` or `not_enough_data`.
    pub verdict: String,
    /// PSI over equal parts of the window, oldest first.
    #[serde(default)]
    pub history: Vec<Option<f64>>,
}

/// Two distributions side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionView {
    pub slice: SliceName,
    pub feature: String,
    /// A bin's name (`<= 0.31`, a level, `other`, `missing`), its share in the reference and now.
    pub bins: Vec<(String, f64, f64)>,
    pub n_ref: u64,
    pub n_cur: u64,
    /// Ids of recent decisions of the slice, newest first.
    pub decisions: Vec<String>,
}

/// Calibration of a model version on what people looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationView {
    /// `name@version`.
    pub model: String,
    pub n: u64,
    pub ece: Option<f64>,
    /// The same before the window.
    pub ece_before: Option<f64>,
    pub mce: Option<f64>,
    pub brier: Option<f64>,
    pub bins: Vec<CalibrationBin>,
    pub verdict: String,
}

/// A bin of the reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    pub low: f64,
    pub high: f64,
    pub n: u64,
    /// Mean confidence in the bin.
    pub confidence: f64,
    /// Share that was right, with its 95 % interval.
    pub right: f64,
    pub interval: [f64; 2],
}

/// The clock of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlaView {
    pub queue: String,
    /// Verdicts in the window that had a clock, and those in time.
    pub decided: u64,
    pub in_time: u64,
    /// `in_time / decided`; `None` without verdicts.
    pub compliance: Option<f64>,
    /// Waiting now: late ones, and those due within a fifth of the queue's SLA.
    pub late: u64,
    pub at_risk: u64,
    /// From entry to verdict, milliseconds.
    pub mean_ms: Option<f64>,
    pub median_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    /// From admission to settlement, milliseconds (mean).
    pub resolve_ms: Option<f64>,
    /// Of escalated ones, from escalation to settlement, milliseconds (mean).
    pub escalation_ms: Option<f64>,
}

/// Arrivals against what people can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowView {
    /// Decisions an hour.
    pub decisions_per_hour: f64,
    /// Items an hour that came to people, and that people decided.
    pub arrivals_per_hour: f64,
    pub reviews_per_hour: f64,
    /// How unusual the arrival rate of decisions is, in standard deviations.
    pub arrival_z: Option<f64>,
    /// Decisions over equal parts of the window, oldest first.
    #[serde(default)]
    pub history: Vec<u64>,
    /// Milliseconds: latency of the models, and of admission.
    pub model_p50_ms: Option<f64>,
    pub model_p95_ms: Option<f64>,
    pub admit_p50_ms: Option<f64>,
    pub admit_p95_ms: Option<f64>,
}

/// A numeric context field of an item against what is usual for its cohort and model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsualView {
    /// `input.income`.
    pub field: String,
    pub value: f64,
    /// Shares of the reference's bins, at most 16, low to high.
    pub shares: Vec<f64>,
    /// Which bin the value is in.
    pub bin: usize,
    /// Share of the reference below the value, in 0..=1.
    pub rank: f64,
    /// `low` or `high` in the outer twentieths; `None`: usual.
    pub unusual: Option<String>,
    /// What it is compared with: `cohort race:white · loan-gb@3.1`.
    pub against: String,
    pub n: u64,
}
