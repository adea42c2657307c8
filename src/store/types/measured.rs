//! What happened, in numbers: windows, what was automatic, what flowed.

use std::collections::BTreeMap;

use super::StoredDecision;
use crate::domain::{ControlScope, Timestamp};

/// What was measured of a slice in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRow {
    /// 0: a minute, 1: an hour, 2: a day.
    pub tier: u8,
    /// Desk time.
    pub start: Timestamp,
    pub slice: String,
    /// Empty: the counts; else the feature whose histogram it is.
    pub part: String,
    pub value: Vec<u8>,
}

/// Which windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowAsk {
    pub tier: u8,
    /// First start, inclusive.
    pub from: Timestamp,
    /// Last start, exclusive.
    pub to: Timestamp,
    /// Only of this slice.
    pub slice: Option<String>,
    /// Only this part (`""`: counts).
    pub part: Option<String>,
}

/// Which automatic decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutomaticAsk {
    pub scope: ControlScope,
    /// Admitted at this desk time or later.
    pub since: Timestamp,
    /// Go on after the decision of this log index.
    pub after: Option<u64>,
    pub limit: usize,
    /// Look through at most this many decisions in one call.
    pub scan: u64,
}

/// Some automatic decisions, in order of admission.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutomaticPage {
    pub decisions: Vec<StoredDecision>,
    /// Where to go on; `None`: that was all.
    pub next: Option<u64>,
}

/// How many decisions of a kind there are, and how many of them wait for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub domain: String,
    pub action: String,
    pub model: String,
    pub version: String,
    pub decisions: u64,
    pub open: u64,
}

/// What happened lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lately {
    /// Settled automatically in the last minute.
    pub automatic: Vec<Automatic>,
    /// Decisions of the last hour that people have in hand, by the queue they are in now.
    pub arrivals: BTreeMap<String, u64>,
    /// Verdicts an hour by queue: the mean over those of the last 24 hours in which there was one.
    pub per_hour: BTreeMap<String, f64>,
}

/// What came in the last hour, and what containment kept from automation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flowed {
    /// Decisions of the last hour by what they are about.
    pub decisions: Vec<Automatic>,
    /// Decisions of the last hour that a limit turned away, by its name.
    pub turned_away: BTreeMap<String, u64>,
    /// Decisions that a freeze held, by its id.
    pub held: BTreeMap<String, u64>,
}

/// How many decisions of a kind there were, such as those settled automatically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Automatic {
    pub domain: String,
    pub action: String,
    pub model: String,
    pub version: String,
    pub decisions: u64,
}
