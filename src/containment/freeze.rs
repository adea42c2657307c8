//! Freezes: decisions like a corrected one go to people until somebody releases them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// A freeze in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    pub id: String,
    /// The corrected decision.
    pub like: String,
    pub domain: String,
    pub action: String,
    /// Its groups, by dimension.
    pub cohort: BTreeMap<String, String>,
    /// MinHash signature of its text; empty where there is too little text.
    pub signature: Vec<u32>,
    pub by: String,
    /// The level that froze, and may release it.
    pub level: u8,
    pub at: Timestamp,
    pub reason: String,
}
