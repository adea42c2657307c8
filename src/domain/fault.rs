//! What is wrong with a record, at which path: the list DataOps works from.

use serde::{Deserialize, Serialize};

/// One fault of a record that has a usable id (the record is quarantined with all its faults).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Dotted path inside the record, e.g. `ensemble.2.score`; empty for the record itself.
    pub path: String,
    pub kind: FaultKind,
    /// For people: what is there and what should be.
    pub message: String,
}

/// The kinds of fault; `slug()` is the stable word for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    MissingField,
    WrongType,
    OutOfRange,
    InvalidField,
    /// The domain's JSON Schema does not hold.
    Schema,
    /// `occurred_at` is further in the future than the policy's `max_skew`.
    ClockSkew,
}

impl FaultKind {
    /// The stable word: `missing_field`, `wrong_type`, …
    pub fn slug(self) -> &'static str {
        match self {
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::InvalidField => "invalid_field",
            Self::Schema => "schema",
            Self::ClockSkew => "clock_skew",
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} {}", self.kind.slug(), self.path, self.message)
    }
}
