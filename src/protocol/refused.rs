//! A refusal: what happened, to what, and what to do next.

use serde::{Deserialize, Serialize};

/// Why a desk says no. Doors turn it into exit codes and HTTP statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// No such item, queue, reviewer, …
    NotFound,
    /// The request itself does not make sense.
    Invalid,
    /// This person may not do this here.
    Authority,
    /// The item has changed since it was shown.
    Stale,
    /// Somebody else holds the item, or the lease ran out.
    LeaseLost,
    /// The item's state does not allow it.
    State,
    /// The grace time is over.
    LateUndo,
    /// The policy in force forbids it (a different file, a required note, a signature, …).
    Policy,
    /// The store cannot be read or written now.
    Unavailable,
    /// The store holds what this program cannot have written.
    Damaged,
    /// A defect of this program.
    Internal,
}

/// A refused request. Nothing of it was done; drafts are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub kind: Why,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl Refused {
    /// A refusal without a hint.
    pub fn new(kind: Why, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Say what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The process exit code for this refusal: 3 refused by a rule, 2 usage, 1 failed.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Why::Authority
            | Why::Stale
            | Why::LeaseLost
            | Why::State
            | Why::LateUndo
            | Why::Policy => 3,
            Why::Invalid => 2,
            Why::NotFound | Why::Unavailable | Why::Damaged | Why::Internal => 1,
        }
    }
}
