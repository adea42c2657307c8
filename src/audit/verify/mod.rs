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
mod items;
mod rows;
mod small;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};

use crate::domain::{Review, Reviewer};

use clashes::Clashes;
use fault::Faults;
pub use fault::{Fault, Report};
pub use items::ItemRow;
use items::Items;
pub use rows::{AnswerRow, CorrectionRow, DecisionRow, PolicyRow, StateRow};
use rows::{Beside, Rows};
use small::Small;
pub use small::TokenRow;

use super::{
    Checkpoint, Entry, EntryKind, Frontier, Hash, LogVerifier, NoteError, Salt, TILE_WIDTH, Tile,
    commit, leaf_hash, tile_path,
};

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
    /// How many entries the store says it has.
    size: u64,
    frontier: Frontier,
    full: Vec<Tile>,
    /// Stored tiles whose entries are ahead of us.
    kept: HashMap<(u8, u64), Vec<u8>>,
    /// Our own tiles whose stored ones are ahead of us.
    ours: HashMap<(u8, u64), Vec<u8>>,
    /// The stored level-0 tile that we are in, once it was given.
    here: Vec<u8>,
    /// The unfinished tiles of the stored frontier; `None` where its row is damaged.
    stored: Option<Frontier>,
    /// Checkpoints ahead of us, by size.
    ahead: VecDeque<Claim>,
    /// The largest size that a signed checkpoint was right about.
    proven: Option<u64>,
    /// One root was wrong, so all later ones are: say it once.
    diverged: bool,
    outside_checked: u64,
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

/// What a checkpoint says.
struct Claim {
    size: u64,
    root: Hash,
    outside: bool,
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
            size: 0,
            frontier: Frontier::new(),
            full: Vec::new(),
            kept: HashMap::new(),
            ours: HashMap::new(),
            here: Vec::new(),
            stored: None,
            ahead: VecDeque::new(),
            proven: None,
            diverged: false,
            outside_checked: 0,
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
        self.size = size;
        let last = size.saturating_sub(1);
        match Frontier::from_bytes(frontier) {
            Ok(stored) if stored.size() == size => self.stored = Some(stored),
            Ok(stored) => {
                let (low, high) = (stored.size().min(size), stored.size().max(size));
                let reason =
                    format!("the log has {size} entries, but its frontier is of {}", stored.size());
                self.faults.add(low, high.saturating_sub(1), reason);
            }
            Err(e) => self.faults.add(0, last, e.to_string()),
        }
    }

    /// Reports something the store itself found broken, about entries `first..=last`.
    pub fn fault(&mut self, first: u64, last: u64, reason: impl Into<String>) {
        self.faults.add(first, last, reason);
    }

    /// A stored checkpoint: the note, and the size its row claims (if it claims one).
    pub fn checkpoint(&mut self, size: Option<u64>, note: &str) {
        match self.key.open(note) {
            Ok(open) if size.is_none_or(|s| s == open.size) => self.expect(open, false),
            Ok(open) => {
                let claimed = size.unwrap_or(open.size);
                let reason =
                    format!("the checkpoint kept for size {claimed} is one of size {}", open.size);
                self.doubt(claimed.min(open.size), reason);
            }
            Err(e) => {
                let claimed = size.or_else(|| note.lines().nth(1)?.parse().ok());
                let claimed = claimed.unwrap_or(self.size);
                self.doubt(claimed, format!("the checkpoint kept for size {claimed}: {e}"));
            }
        }
    }

    /// A checkpoint kept outside the store. It must be signed by the log's key, or it is no
    /// evidence; what it says is compared while entries are read.
    pub fn outside(&mut self, note: &str) -> Result<(), NoteError> {
        let open = self.key.open(note)?;
        self.expect(open, true);
        Ok(())
    }

    /// A stored full tile.
    pub fn tile(&mut self, level: u8, index: u64, bytes: &[u8]) {
        let at = (level, index);
        let (first, last) = covered(level, index, 0, TILE_WIDTH);
        if bytes.len() as u64 != TILE_WIDTH * 32 {
            let path = tile_path(level, index, TILE_WIDTH);
            let reason = format!("{path} has {} bytes in place of 8192", bytes.len());
            self.faults.add(first, last.min(self.size.saturating_sub(1)), reason);
        } else if last >= self.size {
            let path = tile_path(level, index, TILE_WIDTH);
            let reason = format!("{path} is kept, but the log ends before entry {last}");
            self.faults.add(first, last, reason);
        } else if let Some(ours) = self.ours.remove(&at) {
            self.compare(level, index, &ours, bytes);
        } else {
            self.kept.insert(at, bytes.to_vec());
        }
    }

    fn expect(&mut self, checkpoint: Checkpoint, outside: bool) {
        let Checkpoint { size, root, .. } = checkpoint;
        let at = self.ahead.partition_point(|c| c.size <= size);
        self.ahead.insert(at, Claim { size, root, outside });
    }

    /// A bad checkpoint of this size: nothing vouches for the entries before it.
    fn doubt(&mut self, size: u64, reason: String) {
        self.faults.add_checkpoint(size, reason);
    }

    /// The next entry, as stored. Its index must be the one after the last.
    pub fn entry(&mut self, index: u64, bytes: &[u8]) {
        self.close();
        let next = self.frontier.size();
        if index < next {
            self.faults.add(index, index, format!("entry {index} stands twice in the log"));
            return;
        }
        if index > next {
            let last = index.min(self.size).max(next + 1) - 1;
            self.faults.add(next, next, missing(next, last));
            while self.frontier.size() <= last {
                let leaf = self.kept_leaf(self.frontier.size()).unwrap_or_default();
                self.grow(leaf);
            }
        }
        let mut bad = None;
        if index >= self.size {
            bad = Some(format!("entry {index} is beyond the log's size, {}", self.size));
        }
        let mut leaf = leaf_hash(bytes);
        match self.kept_leaf(index) {
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
        self.grow(leaf);
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

    /// A decision's row, right after the entry that admitted it.
    pub fn decision(&mut self, row: &DecisionRow<'_>) {
        let what = |_: &Entry| format!("the decision {:?}", row.id);
        self.beside(row.index, &what, |rows, beside| rows.decision(beside, row));
    }

    /// A review's row, right after its verdict's entry `index`; of the verdict it holds the kind
    /// and the tags.
    pub fn review(&mut self, index: u64, row: &Review) {
        let what = |_: &Entry| format!("the review {:?}", row.request_id);
        self.beside(index, &what, |rows, beside| rows.review(beside, row));
    }

    /// The row of an own answer to a blind item, right after its entry.
    pub fn answer(&mut self, row: &AnswerRow<'_>) {
        let what = |_: &Entry| format!("the answer {:?}", row.request_id);
        self.beside(row.index, &what, |rows, beside| rows.answer(beside, row));
    }

    /// A row of the entry given last; `what` it is.
    fn beside(
        &mut self,
        index: u64,
        what: &dyn Fn(&Entry) -> String,
        compare: impl FnOnce(&mut Rows, &Beside<'_>) -> Option<String>,
    ) {
        let Some(open) = self.open.as_mut().filter(|o| o.index == index) else {
            let reason = format!("a row is kept for entry {index}, which is not there");
            self.faults.add_derived(index, index, reason);
            return;
        };
        let Some(entry) = &open.entry else {
            open.row = true;
            return;
        };
        let beside = open.beside(entry);
        let wrong = match open.row {
            true => Some(format!("{} is a second row for it", what(entry))),
            false => compare(&mut self.rows, &beside),
        };
        open.row = true;
        if let Some(reason) = wrong {
            self.faults.add_derived(index, index, reason);
        }
    }

    /// A person's row: its key, its version and what it holds.
    pub fn reviewer(&mut self, name: &str, version: u64, row: &Reviewer) {
        self.close();
        let wrong = self.rows.reviewer(name, version, row);
        self.derived(wrong);
    }

    /// A labelled example's row; in the order of their numbers.
    pub fn correction(&mut self, row: &CorrectionRow<'_>) {
        self.close();
        let wrong = self.rows.correction(row);
        self.derived(wrong);
    }

    /// A policy's row.
    pub fn policy(&mut self, row: &PolicyRow<'_>) {
        self.close();
        let wrong = self.rows.policy(row);
        self.derived(wrong);
    }

    /// A token's row.
    pub fn token(&mut self, row: &TokenRow<'_>) {
        self.close();
        let wrong = self.small.token(row);
        self.derived(wrong);
    }

    /// The control state's row, by its mark ([`super::state_mark`]).
    pub fn control(&mut self, mark: &str) {
        self.close();
        let wrong = self.small.control(mark);
        self.derived(wrong);
    }

    /// Where the store says it stands; then all rows were given.
    pub fn end_rows(&mut self, row: &StateRow<'_>) {
        self.close();
        let wrong = self.rows.state(row);
        self.derived(wrong);
        let wrong = self.small.generation(row.generation);
        self.derived(wrong);
        for wrong in self.rows.left_over().into_iter().chain(self.small.left_over()) {
            self.derived(Some(wrong));
        }
    }

    /// A row of this entry (of none that is known) makes no sense.
    pub fn broken(&mut self, index: Option<u64>, what: &str) {
        if let Some(open) = self.open.as_mut().filter(|o| Some(o.index) == index) {
            // It is there, whatever it says.
            open.row = true;
        }
        self.derived(Some((index, what.to_owned())));
    }

    fn derived(&mut self, wrong: Option<(Option<u64>, String)>) {
        let Some((index, reason)) = wrong else { return };
        let last = self.frontier.size().saturating_sub(1);
        let (first, last) = index.map_or((0, last), |index| (index, index));
        self.faults.add_derived(first, last, reason);
    }

    /// An item as its row says. After the last entry.
    pub fn item(&mut self, row: ItemRow<'_>) {
        self.close();
        let wrong = self.items.compare(&row);
        self.derived(wrong);
    }

    /// All items were given: those of the log that had no row are missing.
    pub fn end_items(&mut self) {
        for (index, reason) in self.items.left_over() {
            self.faults.add_derived(index, index, reason);
        }
    }

    /// What was found.
    pub fn finish(mut self) -> Report {
        self.close();
        let entries = self.frontier.size();
        if entries < self.size {
            self.faults.add(entries, entries, missing(entries, self.size - 1));
        }
        self.end_tiles();
        for claim in std::mem::take(&mut self.ahead) {
            if claim.size > entries {
                let held = if claim.outside { "outside" } else { "kept" };
                self.faults.add(
                    entries,
                    entries,
                    format!(
                        "a signed checkpoint {held} covers {} entries, but the log ends after {entries}: its end was cut off",
                        claim.size
                    ),
                );
            } else {
                // Only sizes 0 are left behind: the empty log has one root.
                self.judge(&claim);
            }
        }
        for index in self.gone.into_values() {
            let reason = format!(
                "a body of entry {index} is missing, and no later entry says it was erased"
            );
            self.faults.add_derived(index, index, reason);
        }
        if entries > 0 && self.proven.is_none() {
            self.faults.add(
                0,
                entries - 1,
                "no signed checkpoint vouches for any entry".to_owned(),
            );
        }
        let proven = self.proven.unwrap_or(0);
        Report {
            entries,
            root: self.frontier.root(),
            checkpoint: self.proven,
            unsigned: entries - proven.min(entries),
            outside_checked: self.outside_checked,
            bodies: self.bodies,
            erased: self.erased.len() as u64,
            total_faults: self.faults.total(),
            faults: self.faults.sorted(),
        }
    }

    /// How many entries were read so far: for a progress bar.
    pub fn position(&self) -> u64 {
        self.frontier.size()
    }

    /// The stored hash of leaf `index`, if its tile was given already.
    fn kept_leaf(&mut self, index: u64) -> Option<Hash> {
        if index.is_multiple_of(TILE_WIDTH) {
            let tile = index / TILE_WIDTH;
            let tail = self.stored.as_ref().and_then(|f| f.tail(0)).filter(|t| t.index == tile);
            let kept = self.kept.get(&(0, tile)).cloned();
            self.here = kept.or_else(|| tail.map(|t| t.bytes)).unwrap_or_default();
        }
        // Below 256 · 32: fits any usize.
        let from = (index % TILE_WIDTH) as usize * 32;
        self.here.get(from..from + 32)?.try_into().ok()
    }

    /// Adds a leaf, compares the tiles it completed and the checkpoints it reaches.
    fn grow(&mut self, leaf: Hash) {
        let mut full = std::mem::take(&mut self.full);
        self.frontier.push(leaf, &mut full);
        for Tile { level, index, bytes } in full.drain(..) {
            match self.kept.remove(&(level, index)) {
                Some(kept) => self.compare(level, index, &bytes, &kept),
                None => drop(self.ours.insert((level, index), bytes)),
            }
        }
        self.full = full;
        let size = self.frontier.size();
        while self.ahead.front().is_some_and(|c| c.size <= size) {
            let Some(claim) = self.ahead.pop_front() else { break };
            self.judge(&claim);
        }
    }

    /// A checkpoint at (or before) the size we are at.
    fn judge(&mut self, claim: &Claim) {
        let root = if claim.size == 0 { super::empty_root() } else { self.frontier.root() };
        if claim.outside {
            self.outside_checked += 1;
        }
        if root == claim.root {
            if !self.diverged {
                self.proven = self.proven.max(Some(claim.size));
                self.faults.proven(claim.size);
            }
            return;
        }
        if !self.diverged {
            let held = if claim.outside { "from outside" } else { "kept" };
            self.doubt(
                claim.size,
                format!(
                    "the first {} entries do not give the root of the signed checkpoint {held}: at least one was rewritten",
                    claim.size
                ),
            );
        }
        self.diverged = true;
    }

    /// Compares a tile of ours with the stored one. (A leaf that was compared when its entry came
    /// went into our tile as stored, so it is not reported twice.)
    fn compare(&mut self, level: u8, index: u64, ours: &[u8], kept: &[u8]) {
        let (ours, _) = ours.as_chunks::<32>();
        let (kept, _) = kept.as_chunks::<32>();
        let path = tile_path(level, index, ours.len() as u64);
        for at in (0..).zip(ours.iter().zip(kept)).filter(|(_, (a, b))| a != b).map(|(at, _)| at) {
            let (first, last) = covered(level, index, at, 1);
            let reason = format!("hash {at} of {path} is not what the log's entries give");
            self.faults.add(first, last, reason);
        }
    }

    /// At the end: the unfinished tiles, and tiles that were never given.
    fn end_tiles(&mut self) {
        for level in 0..8 {
            let stored = self.stored.as_ref().and_then(|f| f.tail(level));
            if let (Some(ours), Some(kept)) = (self.frontier.tail(level), stored)
                && level > 0
                && ours.index == kept.index
            {
                self.compare(level, ours.index, &ours.bytes, &kept.bytes);
            }
        }
        for (level, index) in std::mem::take(&mut self.ours).into_keys() {
            let (first, last) = covered(level, index, 0, TILE_WIDTH);
            let reason = format!("{} is missing", tile_path(level, index, TILE_WIDTH));
            self.faults.add(first, last, reason);
        }
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

/// The entries under `count` hashes of a tile, from hash number `at` on.
fn covered(level: u8, index: u64, at: u64, count: u64) -> (u64, u64) {
    let each = 1u64.checked_shl(8 * u32::from(level)).unwrap_or(u64::MAX);
    let first = index.saturating_mul(TILE_WIDTH).saturating_add(at).saturating_mul(each);
    (first, first.saturating_add(count.saturating_mul(each)).saturating_sub(1))
}

fn missing(first: u64, last: u64) -> String {
    if first == last {
        format!("entry {first} is missing")
    } else {
        format!("entries {first} to {last} are missing")
    }
}
