//! The streaming verifier: reads the whole log once and names the first bad entry.
//!
//! It trusts the log's public key and, if given, a checkpoint from outside; nothing that it reads
//! from the store. For every entry it asks: are these the canonical bytes of an entry, is this the
//! leaf hash that was kept, does every body open its commitment, does the tree agree with every
//! signed checkpoint, do the items stand where their last entry left them, and do the rows beside
//! the log (decisions, reviews, answers, people, policies, corrections, tokens, the control state)
//! say what the log says?
//!
//! # What it can and cannot name
//!
//! The leaf hash of every entry is kept ([`super::Frontier`]), so a changed, removed, inserted or
//! moved entry is named exactly. Who changes an entry *and* all hashes above it is caught by the
//! next checkpoint, and the range between two checkpoints is named. Entries after the last
//! checkpoint are only as good as the file ([`Report::unsigned`]). A log cut back to an old
//! checkpoint is caught by a later one from outside. Whoever holds the signing key can rewrite
//! what no outside checkpoint covers.

mod clashes;
mod fault;
mod given;
mod items;
mod rows;
mod small;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{HashMap, HashSet};

use clashes::Clashes;
use fault::Faults;
pub use fault::{Fault, Report};
pub use items::ItemRow;
use items::Items;
pub use rows::{AnswerRow, CorrectionRow, DecisionRow, PolicyRow, StateRow};
use rows::{Beside, Rows};
use small::Small;
pub use small::TokenRow;
use tree::{Tree, missing};

use crate::domain::Review;

use super::{Entry, EntryKind, Hash, LogVerifier, NoteError, Salt, commit, leaf_hash};

/// Reads a log from its first entry to its last. Call, in this order: [`Self::head`];
/// [`Self::checkpoint`] for each stored checkpoint and [`Self::outside`] for those from elsewhere;
/// [`Self::entry`] by rising index, each followed by [`Self::body`] for its bodies; [`Self::item`]
/// for each item and [`Self::end_items`] (leave both out where there are no item rows, as in an
/// export); [`Self::finish`].
///
/// Where the store's other rows are given too, say so with [`Self::with_rows`]: [`Self::decision`],
/// [`Self::review`] and [`Self::answer`] come right after the bodies of their entry, the others
/// after the last entry.
///
/// [`Self::tile`] may come at any time after the head. A level-0 tile given before its entries is
/// let go after them, so memory stays small; given later, the verifier keeps 32 bytes an entry.
pub struct Verifier {
    key: LogVerifier,
    tree: Tree,
    open: Option<OpenEntry>,
    /// Commitments without a body that wait for an `erase` entry, with their entry.
    gone: HashMap<Hash, u64>,
    /// Commitments that an `erase` entry has named: a later one may name them again.
    erased: HashSet<Hash>,
    bodies: u64,
    items: Items,
    clashes: Clashes,
    rows: Rows,
    small: Small,
    scratch: Vec<u8>,
    faults: Faults,
}

/// The entry whose bodies are being read.
struct OpenEntry {
    index: u64,
    /// `None`: the entry is bad, so its bodies and rows say nothing more.
    entry: Option<Entry>,
    /// One bit a commitment that a body has opened.
    opened: u64,
    /// Of the first body.
    salt: Option<Salt>,
    /// The review in a verdict's body.
    said: Option<Review>,
    /// The row that the entry must have was given.
    row: bool,
}

impl OpenEntry {
    /// What rows are compared with.
    fn beside<'e>(&'e self, entry: &'e Entry) -> Beside<'e> {
        Beside {
            index: self.index,
            entry,
            text: self.opened & 1 != 0,
            salt: self.salt.as_ref(),
            said: self.said.as_ref(),
        }
    }
}

impl Verifier {
    /// A verifier of the log whose checkpoints must be signed by `key`. The key comes from outside
    /// the store: a key that is read from there proves nothing.
    pub fn new(key: LogVerifier) -> Self {
        Self {
            key,
            tree: Tree::default(),
            open: None,
            gone: HashMap::new(),
            erased: HashSet::new(),
            bodies: 0,
            items: Items::default(),
            clashes: Clashes::default(),
            rows: Rows::default(),
            small: Small::default(),
            scratch: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// The store's rows are given too: an entry that must have one and has none is a fault.
    pub fn with_rows(&mut self) {
        self.rows.on = true;
    }

    /// How many entries the store says there are, and its frontier row.
    pub fn head(&mut self, size: u64, frontier: &[u8]) {
        self.tree.head(size, frontier, &mut self.faults);
    }

    /// Reports something the store itself found broken, about entries `first..=last`.
    pub fn fault(&mut self, first: u64, last: u64, reason: impl Into<String>) {
        self.faults.add(first, last, reason);
    }

    /// A stored checkpoint: the note, and the size its row claims (if it claims one).
    pub fn checkpoint(&mut self, size: Option<u64>, note: &str) {
        match self.key.open(note) {
            Ok(open) if size.is_none_or(|s| s == open.size) => self.tree.expect(open, false),
            Ok(open) => {
                let claimed = size.unwrap_or(open.size);
                let reason =
                    format!("the checkpoint kept for size {claimed} is one of size {}", open.size);
                self.faults.add_checkpoint(claimed.min(open.size), reason);
            }
            Err(e) => {
                let claimed = size.or_else(|| note.lines().nth(1)?.parse().ok());
                let claimed = claimed.unwrap_or(self.tree.size());
                self.faults.add_checkpoint(
                    claimed,
                    format!("the checkpoint kept for size {claimed}: {e}"),
                );
            }
        }
    }

    /// A checkpoint kept outside the store. It must be signed by the log's key, or it is no
    /// evidence; what it says is compared while entries are read.
    pub fn outside(&mut self, note: &str) -> Result<(), NoteError> {
        let open = self.key.open(note)?;
        self.tree.expect(open, true);
        Ok(())
    }

    /// A stored full tile.
    pub fn tile(&mut self, level: u8, index: u64, bytes: &[u8]) {
        self.tree.tile(level, index, bytes, &mut self.faults);
    }

    /// The next entry, as stored. Its index must be the one after the last.
    pub fn entry(&mut self, index: u64, bytes: &[u8]) {
        self.close();
        let next = self.tree.position();
        if index < next {
            self.faults.add(index, index, format!("entry {index} stands twice in the log"));
            return;
        }
        if index > next {
            let last = index.min(self.tree.size()).max(next + 1) - 1;
            self.faults.add(next, next, missing(next, last));
            self.tree.skip(last, &mut self.faults);
        }
        let mut bad = None;
        if index >= self.tree.size() {
            bad = Some(format!("entry {index} is beyond the log's size, {}", self.tree.size()));
        }
        let mut leaf = leaf_hash(bytes);
        match self.tree.kept_leaf(index) {
            Some(kept) if kept != leaf => {
                bad = Some(format!("entry {index} is not the one whose hash was kept"));
                // Go on with the kept hash: the checkpoints then tell about the other entries.
                leaf = kept;
            }
            _ => {}
        }
        let parsed = match (bad, Entry::parse_with(bytes, &mut self.scratch)) {
            (None, Ok(entry)) => Some(entry),
            (None, Err(e)) => {
                self.faults.add(index, index, format!("entry {index}: {e}"));
                None
            }
            (Some(reason), _) => {
                self.faults.add(index, index, reason);
                None
            }
        };
        self.tree.grow(leaf, &mut self.faults);
        if let Some(entry) = &parsed {
            self.erase(index, entry);
            self.items.apply(index, entry);
            if let Some(reason) = self.clashes.apply(entry) {
                self.faults.add(index, index, reason);
            }
            if self.rows.on {
                self.rows.note(index, entry);
                self.small.note(index, entry);
            }
        }
        let entry = parsed;
        self.open = Some(OpenEntry { index, entry, opened: 0, salt: None, said: None, row: false });
    }

    /// The decision under whose id the store finds the entry given last (`None`: under none, or it
    /// admits that decision). One that is found elsewhere is missing where people look for it.
    pub fn about(&mut self, id: Option<&str>) {
        let Some(OpenEntry { index, entry: Some(entry), .. }) = &self.open else { return };
        let must = entry.id.as_deref().filter(|_| entry.t != EntryKind::ADMIT);
        if id != must {
            let named =
                |id: Option<&str>| id.map_or("no decision".to_owned(), |id| format!("{id:?}"));
            let reason = format!(
                "entry {index} is kept as one about {}, and is about {}",
                named(id),
                named(must)
            );
            self.faults.add_derived(*index, *index, reason);
        }
    }

    /// A body of the entry given last: its path, salt and value as stored.
    pub fn body(&mut self, index: u64, path: &str, salt: &[u8], value: &[u8]) {
        self.bodies += 1;
        let Some(open) = self.open.as_mut().filter(|o| o.index == index) else {
            let reason = format!("a body `{path}` is kept for entry {index}, which is not there");
            self.faults.add(index, index, reason);
            return;
        };
        let Some(entry) = &open.entry else { return };
        let Some(slot) = entry.c.iter().position(|c| c.path == path) else {
            let reason = format!("entry {index} does not commit to the body `{path}` kept for it");
            self.faults.add(index, index, reason);
            return;
        };
        let salt = Salt::try_from(salt).ok();
        let holds = salt.as_ref().is_some_and(|salt| {
            entry.c.get(slot).is_some_and(|c| c.hash == commit(salt, path, value))
        });
        // An entry has at most 64 commitments.
        let bit = 1u64 << slot;
        if !holds {
            self.faults.add(
                index,
                index,
                format!("the body `{path}` of entry {index} was changed: it does not open its commitment"),
            );
        } else if open.opened & bit != 0 {
            self.faults.add(index, index, format!("entry {index} has two bodies `{path}`"));
        } else if self.rows.on && slot == 0 {
            if entry.t == EntryKind::VERDICT {
                open.said = serde_json::from_slice(value).ok();
            }
            open.salt = salt;
        }
        open.opened |= bit;
    }

    /// What was found.
    pub fn finish(mut self) -> Report {
        self.close();
        self.tree.end(&mut self.faults);
        for index in self.gone.into_values() {
            let reason = format!(
                "a body of entry {index} is missing, and no later entry says it was erased"
            );
            self.faults.add_derived(index, index, reason);
        }
        let entries = self.tree.position();
        let proven = self.tree.proven().unwrap_or(0);
        Report {
            entries,
            root: self.tree.root(),
            checkpoint: self.tree.proven(),
            unsigned: entries - proven.min(entries),
            outside_checked: self.tree.outside_checked(),
            bodies: self.bodies,
            erased: self.erased.len() as u64,
            total_faults: self.faults.total(),
            faults: self.faults.sorted(),
        }
    }

    /// How many entries were read so far: for a progress bar.
    pub fn position(&self) -> u64 {
        self.tree.position()
    }

    /// Takes the commitments an `erase` entry names off the list of missing bodies. What one has
    /// named already may be named again: the erasure was asked for once more.
    fn erase(&mut self, index: u64, entry: &Entry) {
        for hash in &entry.x {
            if self.gone.remove(hash).is_some() {
                self.erased.insert(*hash);
            } else if !self.erased.contains(hash) {
                let reason =
                    format!("entry {index} erases a body that is still there, or never was");
                self.faults.add_derived(index, index, reason);
            }
        }
    }

    /// Ends the entry whose bodies were read: what has no body must be erased later.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let Some(entry) = &open.entry else { return };
        for (slot, c) in entry.c.iter().enumerate() {
            if open.opened & (1 << slot) == 0 {
                self.gone.insert(c.hash, open.index);
            }
        }
        if !self.rows.on {
            return;
        }
        let beside = open.beside(entry);
        let wrong = match () {
            () if entry.t == EntryKind::ADMIT && !open.row => "the decisions",
            () if entry.t == EntryKind::VERDICT && !open.row => "the reviews",
            () if entry.t == EntryKind::ANSWER && !open.row => "the answers",
            () => "",
        };
        let id = entry.id.as_deref().unwrap_or_default();
        let wrong = match () {
            () if !wrong.is_empty() => Some(format!("what it says of {id:?} is not among {wrong}")),
            () if entry.t == EntryKind::READMIT => self.rows.readmitted(&beside),
            () if entry.t == EntryKind::UNDO => self.rows.undo(entry),
            () => None,
        };
        self.derived(wrong.map(|reason| (Some(open.index), reason)));
    }
}
