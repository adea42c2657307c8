//! Records on their way in: what is kept of each, and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{EntryDraft, Op, Premises};
use crate::domain::{Facts, Item, Route, Timestamp};

/// A batch of routed records.
#[derive(Clone, Debug)]
pub struct AdmitBatch {
    pub premises: Premises,
    /// Desk time after this batch: the store's clock moves to it, never back.
    pub now: Timestamp,
    /// Shared, so that the caller still has them when the answers come.
    pub rows: Arc<Vec<Admission>>,
    pub dead: Vec<DeadLetter>,
    /// A bulk writer yields to interactive writers of other processes, and to every other
    /// operation of its own. While others wait, a batch may be cut into several commits; if then
    /// a premise fails half way, the rows before are admitted (and duplicates when tried again).
    pub bulk: bool,
}

/// One routed record.
#[derive(Clone, Debug)]
pub struct Admission {
    /// HMAC-SHA-256 (store key) of the record's canonical form: decides "same content".
    pub content: [u8; 32],
    /// The same as earlier versions took it, where that differs: a `null` in an optional place
    /// counted as content then. Compared, never stored.
    pub before: Option<[u8; 32]>,
    pub route: Route,
    pub facts: Facts,
    /// What a list shows of it.
    pub columns: Columns,
    /// Present when people are to look at it (review, quarantine, sample).
    pub item: Option<Item>,
    /// The `admit` entry; its first body is the raw record.
    pub entry: EntryDraft,
    /// What the policy sets off at admission; applied in the same savepoint, only if it is new.
    pub then: Vec<Op>,
}

impl Admission {
    /// Does the record say what a stored one says, by its content?
    pub fn says(&self, stored: &[u8]) -> bool {
        self.content == stored || self.before.is_some_and(|before| before == stored)
    }
}

/// The parts of a record that lists and filters need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    pub domain: String,
    pub action: String,
    pub model: String,
    pub version: String,
    pub confidence: Option<f64>,
    pub business_impact: Option<f64>,
    pub cohort: BTreeMap<String, String>,
    pub tags: Vec<String>,
    /// The level of the queue it entered.
    pub level: u8,
}

/// What became of an admission.
#[derive(Clone, Debug, PartialEq)]
pub enum AdmitResult {
    /// Stored, at this log index.
    New(u64),
    /// Same id and content: the original route, with the state it has now.
    Duplicate(Box<Route>),
    /// Same id, other content: the first stays. (The caller makes a dead letter of it.)
    Conflict,
}

/// A line that is not usable at all, kept byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub source: String,
    pub line: u64,
    pub reason: String,
    pub message: String,
    pub bytes: Vec<u8>,
    pub at: Timestamp,
}

/// A dead letter as it is kept. The same line of the same source with the same bytes is kept once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDeadLetter {
    pub number: u64,
    pub letter: DeadLetter,
}
