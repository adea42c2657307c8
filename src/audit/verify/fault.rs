//! What verification found: faults in the order in which something is surely wrong.

use serde::Serialize;

use crate::audit::Hash;

/// How many faults a report lists; more are only counted.
const LISTED: usize = 100;

/// Something wrong with entries `first..=last`; one entry where the two are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub first: u64,
    pub last: u64,
    /// For people: what does not hold.
    pub reason: String,
}

/// The outcome of a verification.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many entries were read.
    pub entries: u64,
    /// The root over them, recomputed.
    pub root: Hash,
    /// The size of the latest checkpoint that holds; `None` where none does.
    pub checkpoint: Option<u64>,
    /// How many entries stand after that checkpoint: nothing signed vouches for them yet.
    pub unsigned: u64,
    /// How many checkpoints from outside were compared.
    pub outside_checked: u64,
    pub bodies: u64,
    /// How many bodies are gone and were declared so by an `erase` entry.
    pub erased: u64,
    /// At most 100, the first bad entry first.
    pub faults: Vec<Fault>,
    /// All of them.
    pub total_faults: u64,
}

impl Report {
    /// Nothing is wrong.
    pub fn ok(&self) -> bool {
        self.total_faults == 0
    }

    /// The first bad entry: the fault that ends earliest, the narrowest of those. What may only
    /// follow from a bad entry (a body without its `erase`, an item that stands elsewhere) comes
    /// after all entries that are bad themselves.
    pub fn first_bad(&self) -> Option<&Fault> {
        self.faults.first()
    }
}

/// Collects faults in bounded memory.
#[derive(Default)]
pub(super) struct Faults {
    list: Vec<Fault>,
    /// Contradictions between entries, or with the items: they may only follow from a bad entry,
    /// so they never come before one.
    derived: Vec<Fault>,
    total: u64,
    /// Sizes of bad checkpoints with their reasons; where they start is known at the end.
    checkpoints: Vec<(u64, String)>,
    /// Sizes that a good checkpoint vouches for, rising.
    proven: Vec<u64>,
}

impl Faults {
    pub fn add(&mut self, first: u64, last: u64, reason: impl Into<String>) {
        self.total += 1;
        add(&mut self.list, first, last, reason.into());
    }

    /// A fault that may follow from another one.
    pub fn add_derived(&mut self, first: u64, last: u64, reason: impl Into<String>) {
        self.total += 1;
        add(&mut self.derived, first, last, reason.into());
    }

    /// A checkpoint of `size` is bad: what it alone vouched for is in doubt.
    pub fn add_checkpoint(&mut self, size: u64, reason: String) {
        self.total += 1;
        if self.checkpoints.len() < LISTED {
            self.checkpoints.push((size, reason));
        }
    }

    pub fn proven(&mut self, size: u64) {
        self.proven.push(size);
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn sorted(mut self) -> Vec<Fault> {
        for (size, reason) in std::mem::take(&mut self.checkpoints) {
            let before = self.proven.partition_point(|p| *p < size);
            let first = before.checked_sub(1).and_then(|i| self.proven.get(i)).copied();
            let last = size.saturating_sub(1);
            self.list.push(Fault { first: first.unwrap_or(0).min(last), last, reason });
        }
        trim(&mut self.list);
        trim(&mut self.derived);
        self.list.append(&mut self.derived);
        self.list.truncate(LISTED);
        self.list
    }
}

fn add(list: &mut Vec<Fault>, first: u64, last: u64, reason: String) {
    list.push(Fault { first, last, reason });
    if list.len() >= 2 * LISTED {
        trim(list);
    }
}

fn trim(list: &mut Vec<Fault>) {
    list.sort_by(|a, b| (a.last, b.first).cmp(&(b.last, a.first)));
    list.truncate(LISTED);
}
