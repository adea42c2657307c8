//! What ingest is given, what it tells on its way, and what it says at the end.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::ReplayVerdict;
use crate::domain::{Outcome, Route};
use crate::protocol::{Refusal, Refused};

/// Something to read records from.
pub struct Input {
    /// Shown with dead letters.
    pub name: String,
    pub reader: Box<dyn Read + Send>,
    /// Bytes, where known (for progress).
    pub len: Option<u64>,
}

/// How to ingest.
#[derive(Default)]
pub struct IngestOptions {
    pub by: String,
    /// Say what would happen; store nothing.
    pub dry_run: bool,
    /// Verdicts of people, replayed by time.
    pub verdicts: Vec<ReplayVerdict>,
    /// Set to stop after what is on its way (Ctrl-C): the store stays consistent.
    pub stop: Arc<AtomicBool>,
}

/// What ingest tells while it runs.
pub enum IngestEvent<'a> {
    /// A line was admitted (or recognised).
    Route(&'a Route),
    /// A line is a dead letter.
    Refused { source: &'a str, line: u64, refusal: &'a Refusal },
    /// A replayed verdict was refused.
    VerdictRefused { id: &'a str, refused: &'a Refused },
    /// A line of the verdicts is none.
    VerdictUnread { source: &'a str, line: u64, why: &'a str },
    /// The desk cannot take lines now; it is tried again.
    Waiting { why: &'a str },
    /// Now and then: bytes read.
    Progress { bytes: u64, lines: u64 },
}

/// What became of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    pub lines: u64,
    pub blank: u64,
    pub auto: u64,
    pub review: u64,
    pub quarantine: u64,
    pub block: u64,
    pub fallback: u64,
    /// Automatic ones that people look at too (counted in `auto`).
    pub sampled: u64,
    pub duplicates: u64,
    pub refused: u64,
    pub verdicts: u64,
    /// Replayed verdicts on decisions that never came before people.
    pub verdicts_idle: u64,
    pub verdicts_refused: u64,
    /// Lines of the verdicts that are none; counted by whoever read them.
    pub verdicts_unread: u64,
    pub interrupted: bool,
}

impl Summary {
    /// Count what became of one record.
    pub fn count(&mut self, route: &Route) {
        if route.duplicate {
            self.duplicates += 1;
            return;
        }
        match route.outcome {
            Outcome::Auto => self.auto += 1,
            Outcome::Review => self.review += 1,
            Outcome::Quarantine => self.quarantine += 1,
            Outcome::Block => self.block += 1,
            Outcome::Fallback => self.fallback += 1,
        }
        self.sampled += u64::from(route.sample.is_some());
    }

    /// Records newly stored.
    pub fn admitted(&self) -> u64 {
        self.auto + self.review + self.quarantine + self.block + self.fallback
    }
}
