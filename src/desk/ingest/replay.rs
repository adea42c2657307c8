//! Verdicts of people replayed by time: each at its own time, or when its item is due.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{Outcome, Route, Timestamp, Verdict};
use crate::protocol::ReviewRequest;

/// One line of a verdicts file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayVerdict {
    pub id: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When it was given; absent: when the item would be due.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Who gave it; absent: whoever ingests.
    #[serde(default)]
    pub by: Option<String>,
}

impl ReplayVerdict {
    /// The verdict as a request. Its id follows from the line, so that replaying a file again
    /// gives no verdict twice.
    pub(super) fn request(self) -> ReviewRequest {
        let line = serde_json::to_vec(&self).unwrap_or_default();
        let digest = Sha256::digest(line);
        let request_id = format!("replay-{}", hex::encode(digest.get(..16).unwrap_or_default()));
        ReviewRequest {
            request_id,
            item: self.id,
            verdict: self.verdict,
            lease: None,
            revision: None,
            seen: None,
            signature: None,
            grace_ms: 0,
            offline: None,
        }
    }
}

/// Verdicts that wait for their item, then for their time.
pub(super) struct Replay {
    by_id: HashMap<String, Vec<ReplayVerdict>>,
    /// Time, then order in the file.
    due: BinaryHeap<Reverse<(Timestamp, u64)>>,
    given: HashMap<u64, ReplayVerdict>,
    next: u64,
}

impl Replay {
    pub(super) fn new(verdicts: Vec<ReplayVerdict>) -> Self {
        let mut by_id: HashMap<String, Vec<ReplayVerdict>> = HashMap::new();
        for verdict in verdicts {
            by_id.entry(verdict.id.clone()).or_default().push(verdict);
        }
        Self { by_id, due: BinaryHeap::new(), given: HashMap::new(), next: 0 }
    }

    /// Is anything left to replay?
    pub(super) fn any(&self) -> bool {
        !self.by_id.is_empty() || !self.due.is_empty()
    }

    /// Does a verdict wait for this decision?
    pub(super) fn knows(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// A decision is in: its verdicts wait for their time if it came before people.
    pub(super) fn admitted(&mut self, route: &Route, now: Timestamp) {
        let seen = matches!(route.outcome, Outcome::Review | Outcome::Quarantine)
            || route.sample.is_some();
        if !seen {
            return;
        }
        for verdict in self.by_id.remove(&route.id).unwrap_or_default() {
            let at = verdict.at.or(route.due_at).unwrap_or(now);
            self.due.push(Reverse((at, self.next)));
            self.given.insert(self.next, verdict);
            self.next += 1;
        }
    }

    /// Is one due by `time`?
    pub(super) fn due(&self, time: Option<Timestamp>) -> bool {
        self.due.peek().is_some_and(|Reverse((at, _))| time.is_none_or(|t| *at <= t))
    }

    /// The next one due by `time` (`None`: whatever is next).
    pub(super) fn pop(&mut self, time: Option<Timestamp>) -> Option<(Timestamp, ReplayVerdict)> {
        if !self.due(time) {
            return None;
        }
        let Reverse((at, number)) = self.due.pop()?;
        self.given.remove(&number).map(|verdict| (at, verdict))
    }

    /// Verdicts whose decision never came before people.
    pub(super) fn never_met(&mut self) -> u64 {
        self.by_id.drain().map(|(_, list)| list.len() as u64).sum()
    }
}
