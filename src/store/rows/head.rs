//! Where a store stands, as a writer keeps it in memory.

use crate::audit::Frontier;

/// Where the store stands: the row `state`, and the frontier of the log.
#[derive(Clone, Debug)]
pub(in crate::store) struct Head {
    pub(in crate::store) frontier: Frontier,
    pub(in crate::store) generation: u64,
    pub(in crate::store) policy: Option<String>,
    /// Milliseconds.
    pub(in crate::store) desk: i64,
    pub(in crate::store) decisions: i64,
    pub(in crate::store) automatic: i64,
}
