//! What this process has just admitted, for its own windows: it need not be read back and parsed
//! once more.
//!
//! The keeper takes from here what goes on where its cursor is, and reads the store for all else. So
//! nothing hangs on what is kept here, and it may be forgotten at any moment.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::super::core::lock;
use crate::domain::{Decision, Outcome, Timestamp};
use crate::store::Admission;

/// Rows that are kept for a keeper, and bytes of their records; where none has come for them by
/// then, nobody counts here.
const MOST: usize = 4_096;
const MOST_BYTES: usize = 16 << 20;
/// Rows worth a keeper's coming before its time.
const MUCH: usize = 1_000;

/// An admission, as far as windows count it.
pub(in crate::desk) struct Counted {
    /// Of its entry in the log.
    pub(super) index: u64,
    /// Desk time.
    pub(super) at: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) rule: String,
    /// Where it went to people.
    pub(super) queue: Option<String>,
    pub(super) decision: Arc<Decision>,
    /// Of its record.
    bytes: usize,
}

impl Counted {
    /// A row that was stored under this index. `None`: its features are not known yet.
    pub(in crate::desk) fn of(index: u64, row: &Admission, read: Arc<Decision>) -> Option<Self> {
        let outcome = row.route.outcome;
        (outcome != Outcome::Quarantine).then(|| Self {
            index,
            at: row.facts.now,
            outcome,
            rule: row.route.rule.clone(),
            queue: row.item.as_ref().map(|item| item.queue.clone()),
            decision: read,
            bytes: row.entry.bodies.first().map_or(0, |body| body.value.len()),
        })
    }
}

/// The latest admissions, in the order of the log, perhaps with gaps.
#[derive(Default)]
pub(in crate::desk) struct Fresh(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    /// A keeper of this process comes for them.
    wanted: bool,
    rows: VecDeque<Counted>,
    bytes: usize,
}

impl Fresh {
    /// Does a keeper of this process come for them?
    pub(in crate::desk) fn is_wanted(&self) -> bool {
        lock(&self.0).wanted
    }

    /// Is there enough for a keeper to come now?
    pub(in crate::desk) fn is_much(&self) -> bool {
        lock(&self.0).rows.len() >= MUCH
    }

    /// Keep these, each later in the log than the one before.
    pub(in crate::desk) fn keep(&self, more: impl IntoIterator<Item = Counted>) {
        let mut kept = lock(&self.0);
        if !kept.wanted {
            return;
        }
        for row in more {
            kept.bytes += row.bytes;
            kept.rows.push_back(row);
        }
        if kept.rows.len() > MOST || kept.bytes > MOST_BYTES {
            *kept = Rows::default();
        }
    }

    /// No keeper of this process comes any more, or what it knows may not hold.
    pub(in crate::desk) fn forget(&self) {
        *lock(&self.0) = Rows::default();
    }

    /// At most `most` that go on from entry `from` without a gap, and where the next ones begin:
    /// what is before those is in the store.
    pub(super) fn take(&self, from: u64, most: usize) -> (Vec<Counted>, Option<u64>) {
        let mut kept = lock(&self.0);
        kept.wanted = true;
        let mut run = Vec::new();
        let mut next = from;
        while let Some(first) = kept.rows.front() {
            if first.index > next || run.len() == most {
                break;
            }
            let Some(first) = kept.rows.pop_front() else { break };
            kept.bytes -= first.bytes;
            // One that was read from the store before it came here is counted already.
            if first.index == next {
                next += 1;
                run.push(first);
            }
        }
        (run, kept.rows.front().map(|row| row.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::{self, Limits};

    fn rows(indices: impl IntoIterator<Item = u64>) -> Vec<Counted> {
        let raw = br#"{"id":"a","domain":"loan","action":"approve","confidence":0.9,"input":{},
            "model":{"name":"m","version":"1"},"business_impact":1,"output":"yes"}"#;
        let decision = Arc::new(record::decision(raw, &Limits::default()).unwrap());
        let row = |index| Counted {
            index,
            at: Timestamp::UNIX_EPOCH,
            outcome: Outcome::Auto,
            rule: "default".into(),
            queue: None,
            decision: decision.clone(),
            bytes: raw.len(),
        };
        indices.into_iter().map(row).collect()
    }

    fn take(fresh: &Fresh, from: u64, most: usize) -> (Vec<u64>, Option<u64>) {
        let (run, later) = fresh.take(from, most);
        (run.iter().map(|row| row.index).collect(), later)
    }

    #[test]
    fn a_run_ends_at_a_gap_and_what_was_read_elsewhere_is_left_out() {
        let fresh = Fresh::default();
        fresh.keep(rows(0..3));
        // Nobody has come for any yet: nothing is kept.
        assert_eq!(take(&fresh, 0, 9), (vec![], None));
        fresh.keep(rows([3, 4, 6, 7, 8]));
        assert_eq!(take(&fresh, 2, 9), (vec![], Some(3)));
        assert_eq!(take(&fresh, 3, 1), (vec![3], Some(4)));
        assert_eq!(take(&fresh, 4, 9), (vec![4], Some(6)));
        // 5 and 6 were read from the store.
        assert_eq!(take(&fresh, 7, 9), (vec![7, 8], None));
    }

    #[test]
    fn where_nobody_comes_nothing_more_is_kept() {
        let fresh = Fresh::default();
        fresh.take(0, 1);
        fresh.keep(rows(0..MOST as u64));
        assert!(fresh.is_wanted() && fresh.is_much());
        fresh.keep(rows([MOST as u64]));
        assert!(!fresh.is_wanted() && !fresh.is_much());
        assert_eq!(take(&fresh, 0, 9), (vec![], None));
        fresh.keep(rows([0]).into_iter().map(|row| Counted { bytes: MOST_BYTES, ..row }));
        assert_eq!(take(&fresh, 0, 1), (vec![0], None));
        fresh.keep(rows([1]).into_iter().map(|row| Counted { bytes: MOST_BYTES + 1, ..row }));
        assert!(!fresh.is_wanted());
        fresh.take(0, 1);
        fresh.keep(rows([2]));
        fresh.forget();
        assert!(!fresh.is_wanted());
        assert_eq!(take(&fresh, 2, 9), (vec![], None));
    }
}
