//! Queues as lists show them.

use std::collections::BTreeMap;

use super::{Columns, Lease};
use crate::domain::{Item, Timestamp};
use crate::protocol::{Cursor, Filter};

/// A page to read.
#[derive(Clone, Debug, Default)]
pub struct PageQuery {
    pub filter: Filter,
    /// For `filter.by_me`.
    pub by: String,
    /// Only queues of this level and below (`filter.mine`, as the desk understands it).
    pub up_to: Option<u8>,
    pub after: Option<Cursor>,
    pub before: Option<Cursor>,
    pub from_end: bool,
    pub limit: usize,
    /// Free text: look through at most this many rows in one call.
    pub scan: usize,
    /// For showing who holds what.
    pub wall: Option<Timestamp>,
}

/// A row of the queue as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    pub item: Item,
    pub columns: Columns,
    pub rule: String,
    pub reason: String,
    pub lease: Option<Lease>,
    pub cursor: Cursor,
}

/// A page as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredPage {
    /// In queue order, whatever the direction.
    pub rows: Vec<StoredRow>,
    /// Where to go on in the direction asked for; `None` at its end.
    pub next: Option<Cursor>,
    /// All that match, free text aside.
    pub total: u64,
    /// Rows looked through for free text.
    pub scanned: u64,
}

/// Counters of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCount {
    pub queue: String,
    pub waiting: u64,
    /// Live leases on open items, by who holds them.
    pub leased: BTreeMap<String, u64>,
    pub late: u64,
    pub due_soon: u64,
}
