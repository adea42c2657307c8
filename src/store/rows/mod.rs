//! What rows hold, whatever the engine: forms of decisions, items and reviews, order, counters.
//!
//! An engine's own file says how a row is found and stored; what its columns mean is said here,
//! once. Nothing here does I/O.

pub(super) mod counters;
pub(super) mod dead;
pub(super) mod decision;
pub(super) mod entry;
pub(super) mod head;
pub(super) mod item;
pub(super) mod lately;
pub(super) mod needle;
pub(super) mod place;
pub(super) mod proof;
pub(super) mod review;
pub(super) mod room;
pub(super) mod shape;

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::Timestamp;

/// How many bodies one entry may have.
pub(super) const SLOTS: u64 = 64;

/// As JSON text.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|e| StoreError::Io { doing: "write JSON".to_owned(), cause: e.to_string() })
}

/// Stored JSON text.
pub(super) fn unjson<T: for<'de> Deserialize<'de>>(
    text: &str,
    what: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged(what))
}

/// A stored time, in milliseconds.
pub(super) fn time(ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|_| damaged("a time"))
}

/// A stored value that this program cannot have written.
pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged {
        doing: format!("read {what}"),
        cause: "the stored value is damaged".to_owned(),
    }
}

/// Counts are kept as signed integers; none of ours comes near the limit.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A stored count; a negative one cannot have been written by [`int`].
pub(super) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
