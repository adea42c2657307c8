//! Why a store refuses or fails.

use thiserror::Error;

use crate::domain::Timestamp;

/// Why a store refuses or fails.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A premise no longer holds; nothing was written. Decide again.
    #[error("{0} has changed since this was decided")]
    Premise(Premise),
    /// The lease named is not held (any more).
    #[error("the lease on {item} is lost{}", holder.as_deref().map(|h| format!(": {h} holds it")).unwrap_or_default())]
    LeaseLost { item: String, holder: Option<String>, until: Option<Timestamp> },
    /// A review with this request id is stored already.
    #[error("request {0} is already stored")]
    RequestExists(String),
    /// They hold as many items of the queue as one person may.
    #[error(
        "{reviewer} holds {} of {queue}; the most is {most}",
        crate::text::many(held, "item", "items")
    )]
    HoldsEnough { reviewer: String, queue: String, held: u64, most: u32 },
    /// The same person twice, or two approvals for one level: the store itself says no.
    #[error("{reviewer} already counts for {item}")]
    CountsOnce { item: String, reviewer: String },
    #[error("there is no {0}")]
    Missing(String),
    /// The disk or the database failed; nothing of the operation is acknowledged.
    #[error("the store cannot {doing}: {cause}")]
    Io { doing: String, cause: String },
    /// The connection was lost while the database was committing, and it could not be asked what
    /// became of it: the operation may have happened or not. Look before doing it again.
    #[error(
        "the store may or may not have done this: the database went away while it was to {doing}"
    )]
    Unsure { doing: String },
    /// What is in the file is not what this program writes: damaged, or changed by other means.
    #[error("the store cannot {doing}: {cause}")]
    Damaged { doing: String, cause: String },
    /// Written by a newer version of this program.
    #[error("the store has schema {found}, this program knows up to {known}")]
    Newer { found: u32, known: u32 },
    /// The writer has shut down.
    #[error("the store is closed")]
    Closed,
}

/// Which premise failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Premise {
    Generation,
    Policy,
    Actor(String),
    Item {
        id: String,
        revision: u64,
    },
    /// The state of this key.
    State(String),
}

impl std::fmt::Display for Premise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Generation => f.write_str("the control state"),
            Self::Policy => f.write_str("the policy in force"),
            Self::Actor(name) => write!(f, "the reviewer {name}"),
            Self::Item { id, revision } => write!(f, "{id} (now at revision {revision})"),
            Self::State(key) => write!(f, "the state {key}"),
        }
    }
}
