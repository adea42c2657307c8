//! What is read back: where the store stands, decisions, policies, corrections, small states, the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::Columns;
use crate::domain::{Facts, Item, ItemState, Review, Route, Timestamp};

/// How well this process knows what others have committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// For how long the control generation could not be confirmed; zero where every look sees
    /// every commit.
    pub unconfirmed: Duration,
    /// The newest control generation seen, where a store is looked at without being asked.
    pub generation: Option<u64>,
}

impl Freshness {
    /// Without a word for so long, nothing may be taken as automatic any more.
    pub const LIMIT: Duration = Duration::from_secs(2);

    /// May somebody have stopped automation without this process knowing?
    pub fn is_stale(&self) -> bool {
        self.unconfirmed > Self::LIMIT
    }
}

/// What decisions are taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub head: u64,
    pub generation: u64,
    /// Hash of the policy in force.
    pub policy: Option<String>,
    /// `true`: desk time is the latest `occurred_at` admitted.
    pub record_clock: bool,
    /// The latest desk time stored.
    pub desk_time: Timestamp,
    /// Secret of this store: keys the content HMAC.
    pub key: [u8; 32],
    /// Name of the log in checkpoints.
    pub origin: String,
    pub decisions: u64,
    pub automatic: u64,
}

/// A decision as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDecision {
    /// The raw record as it came (the repaired one after a re-admission); `None`: erased.
    pub raw: Option<Vec<u8>>,
    /// As in [`Admission::content`].
    pub content: [u8; 32],
    pub route: Route,
    pub facts: Facts,
    pub columns: Columns,
    /// `None`: settled automatically and never looked at.
    pub item: Option<Item>,
    /// Log index of the admission.
    pub index: u64,
    /// Desk time of admission.
    pub admitted_at: Timestamp,
}

impl StoredDecision {
    /// Where it stands now.
    pub fn state(&self) -> ItemState {
        self.item.as_ref().map_or(self.route.state, |i| i.state)
    }
}

/// A reviewer's own answer to a blind item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    pub request_id: String,
    pub agreed: bool,
}

/// Words that decisions in the store have, for those who look for one that is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Actions by domain.
    pub actions: BTreeMap<String, BTreeSet<String>>,
    pub rules: BTreeSet<String>,
}

/// A policy as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPolicy {
    pub hash: String,
    pub name: String,
    pub source: String,
    /// Schemas by file stem (`loan.input`, `loan.output`).
    pub schemas: BTreeMap<String, Value>,
}

/// Counts that facts are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Decisions by group of the dimension `cohort` (`""`: those without one).
    pub cohorts: BTreeMap<String, u64>,
    /// First sight (desk time) of `name@version`.
    pub models: BTreeMap<String, Timestamp>,
}

/// A correction as it is kept: what to join.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCorrection {
    pub number: u64,
    pub decision: StoredDecision,
    pub review: Review,
}

/// A small state as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredState {
    /// Rises by one with every change, drops included.
    pub version: u64,
    pub value: Vec<u8>,
}

/// An entry with what it is about, as that stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    pub index: u64,
    /// Canonical bytes of the entry.
    pub entry: Vec<u8>,
    /// The decision it names.
    pub decision: Option<StoredDecision>,
    /// The review that its `req` names.
    pub review: Option<Review>,
}
