//! Where a decision goes, and on which facts: the answer of admission.

use serde::{Deserialize, Serialize};

use super::{Contained, Fault, ItemState, Timestamp};

/// The queue where broken records wait; it exists in every policy.
pub const DATAOPS: &str = "dataops";

/// What admission decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Level 0: settled at once.
    Auto,
    /// Waits for people in a queue.
    Review,
    /// A broken record with a usable id: waits in `dataops`.
    Quarantine,
    /// Must not be done.
    Block,
    /// Do not act on this proposal; ask another version.
    Fallback,
}

impl Outcome {
    /// The word used in JSON, rules and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Review => "review",
            Self::Quarantine => "quarantine",
            Self::Block => "block",
            Self::Fallback => "fallback",
        }
    }
}

/// The route of one decision, as admission answers it and the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub id: String,
    pub outcome: Outcome,
    pub queue: Option<String>,
    pub due_at: Option<Timestamp>,
    /// Queues whose people must approve, in order; the first is `queue`.
    pub approvals: Vec<String>,
    /// The rule that won: a route's id, `default`, or one of the built-in names
    /// (`no-policy`, `schema`, `allow`, `output_check`'s id, …).
    pub rule: String,
    /// Every route rule that matched, in file order.
    pub matched: Vec<String>,
    /// One sentence: the atoms that held, with their values.
    pub reason: String,
    pub sample: Option<Sample>,
    pub fallback: Option<Fallback>,
    /// `sha256:…` of the policy in force, or `none`.
    pub policy: String,
    /// The control generation it was taken under.
    pub generation: u64,
    pub state: ItemState,
    pub duplicate: bool,
    /// Faults of a quarantined record; empty otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<Fault>,
    /// Raised by rules (`to = { priority = 5 }`); 0 is usual.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub priority: i64,
    /// Tags that `[[effect]] on = "decision"` added (`tag:T`).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// The reviewer answers before the proposal is shown.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub blind: bool,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// Why an automatic decision is reviewed too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub kind: SampleKind,
    /// The sampling rule that drew it (the first, if several did).
    pub rule: String,
    /// Inclusion probability over all matching rules: `1 − ∏(1 − rate)`, in (0, 1].
    pub probability: f64,
}

/// Random samples estimate error rates; targeted ones (a rule with a condition) look where it hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    Random,
    Targeted,
}

/// Use this version instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    pub version: String,
}

/// Everything a route depends on beside the record and the policy. Stored with the decision, so
/// that `policy explain` recomputes the route byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Desk time of admission.
    pub now: Timestamp,
    /// Control generation.
    pub generation: u64,
    /// `false`: the control state could not be read; everything automatic goes to people.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub control_readable: bool,
    /// Decisions seen before this one in its `cohort` group (all of them where it names none).
    /// Present only when the policy asks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cohort_seen: Option<u64>,
    /// How unusual the arrival rate is, in standard deviations; absent without enough data.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arrival_rate_z: Option<f64>,
    /// Days since the first decision of this model version. Present only when the policy asks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model_age_days: Option<f64>,
    /// What containment found: switches, canary, freezes, breaker, limits, budget. Absent when
    /// nothing applies.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub containment: Option<Box<Contained>>,
}

fn yes() -> bool {
    true
}

fn is_true(b: &bool) -> bool {
    *b
}

impl Facts {
    /// Facts of a readable control state at `now`, with nothing counted yet.
    pub fn at(now: Timestamp, generation: u64) -> Self {
        Self {
            now,
            generation,
            control_readable: true,
            cohort_seen: None,
            arrival_rate_z: None,
            model_age_days: None,
            containment: None,
        }
    }
}
