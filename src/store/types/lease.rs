//! Who holds what for how long.

use crate::domain::Timestamp;

/// Whom to give which item.
#[derive(Clone, Debug)]
pub struct TakeLease {
    pub reviewer: String,
    /// This item; otherwise the first free one.
    pub item: Option<String>,
    /// Queues to take from.
    pub queues: Vec<String>,
    /// Items to step over.
    pub skip: Vec<String>,
    /// Of which queues the reviewer may hold no more than so many, compared in the transaction
    /// that grants. Where nothing else is free, [`StoreError::HoldsEnough`] says so.
    pub most: Vec<(String, u32)>,
    pub wall: Timestamp,
    pub until: Timestamp,
}

/// A lease: coordination, not truth. A verdict names its epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub item: String,
    pub reviewer: String,
    pub until: Timestamp,
    /// Rises with every new grant on the item.
    pub epoch: u64,
}
