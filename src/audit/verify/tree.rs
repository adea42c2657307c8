//! The log's hashes: tiles and checkpoints, compared with what its entries give as they come.

use std::collections::{HashMap, VecDeque};

use super::fault::Faults;
use crate::audit::{Checkpoint, Frontier, Hash, TILE_WIDTH, Tile, empty_root, tile_path};

/// The tree over the entries read so far, and what the store and others claim of it.
#[derive(Default)]
pub(super) struct Tree {
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
}

/// What a checkpoint says.
struct Claim {
    size: u64,
    root: Hash,
    outside: bool,
}

impl Tree {
    /// How many entries the store says there are, and its frontier row.
    pub(super) fn head(&mut self, size: u64, frontier: &[u8], faults: &mut Faults) {
        self.size = size;
        let last = size.saturating_sub(1);
        match Frontier::from_bytes(frontier) {
            Ok(stored) if stored.size() == size => self.stored = Some(stored),
            Ok(stored) => {
                let (low, high) = (stored.size().min(size), stored.size().max(size));
                let reason =
                    format!("the log has {size} entries, but its frontier is of {}", stored.size());
                faults.add(low, high.saturating_sub(1), reason);
            }
            Err(e) => faults.add(0, last, e.to_string()),
        }
    }

    /// How many entries the store says there are.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How many entries were read so far.
    pub(super) fn position(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over them.
    pub(super) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The size of the latest checkpoint that held.
    pub(super) fn proven(&self) -> Option<u64> {
        self.proven
    }

    /// How many checkpoints from outside were compared.
    pub(super) fn outside_checked(&self) -> u64 {
        self.outside_checked
    }

    /// A stored full tile.
    pub(super) fn tile(&mut self, level: u8, index: u64, bytes: &[u8], faults: &mut Faults) {
        let at = (level, index);
        let (first, last) = covered(level, index, 0, TILE_WIDTH);
        if bytes.len() as u64 != TILE_WIDTH * 32 {
            let path = tile_path(level, index, TILE_WIDTH);
            let reason = format!("{path} has {} bytes in place of 8192", bytes.len());
            faults.add(first, last.min(self.size.saturating_sub(1)), reason);
        } else if last >= self.size {
            let path = tile_path(level, index, TILE_WIDTH);
            let reason = format!("{path} is kept, but the log ends before entry {last}");
            faults.add(first, last, reason);
        } else if let Some(ours) = self.ours.remove(&at) {
            compare(level, index, &ours, bytes, faults);
        } else {
            self.kept.insert(at, bytes.to_vec());
        }
    }

    /// A signed checkpoint, to be compared when its size is reached.
    pub(super) fn expect(&mut self, checkpoint: Checkpoint, outside: bool) {
        let Checkpoint { size, root, .. } = checkpoint;
        let at = self.ahead.partition_point(|c| c.size <= size);
        self.ahead.insert(at, Claim { size, root, outside });
    }

    /// Entries up to `last` are not there: goes on with what was kept of them.
    pub(super) fn skip(&mut self, last: u64, faults: &mut Faults) {
        while self.frontier.size() <= last {
            let leaf = self.kept_leaf(self.frontier.size()).unwrap_or_default();
            self.grow(leaf, faults);
        }
    }

    /// The stored hash of leaf `index`, if its tile was given already.
    pub(super) fn kept_leaf(&mut self, index: u64) -> Option<Hash> {
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
    pub(super) fn grow(&mut self, leaf: Hash, faults: &mut Faults) {
        let mut full = std::mem::take(&mut self.full);
        self.frontier.push(leaf, &mut full);
        for Tile { level, index, bytes } in full.drain(..) {
            match self.kept.remove(&(level, index)) {
                Some(kept) => compare(level, index, &bytes, &kept, faults),
                None => drop(self.ours.insert((level, index), bytes)),
            }
        }
        self.full = full;
        let size = self.frontier.size();
        while self.ahead.front().is_some_and(|c| c.size <= size) {
            let Some(claim) = self.ahead.pop_front() else { break };
            self.judge(&claim, faults);
        }
    }

    /// A checkpoint at (or before) the size we are at.
    fn judge(&mut self, claim: &Claim, faults: &mut Faults) {
        let root = if claim.size == 0 { empty_root() } else { self.frontier.root() };
        if claim.outside {
            self.outside_checked += 1;
        }
        if root == claim.root {
            if !self.diverged {
                self.proven = self.proven.max(Some(claim.size));
                faults.proven(claim.size);
            }
            return;
        }
        if !self.diverged {
            let held = if claim.outside { "from outside" } else { "kept" };
            faults.add_checkpoint(
                claim.size,
                format!(
                    "the first {} entries do not give the root of the signed checkpoint {held}: at least one was rewritten",
                    claim.size
                ),
            );
        }
        self.diverged = true;
    }

    /// All entries were given: says what the store claims beyond them.
    pub(super) fn end(&mut self, faults: &mut Faults) {
        let entries = self.frontier.size();
        if entries < self.size {
            faults.add(entries, entries, missing(entries, self.size - 1));
        }
        self.end_tiles(faults);
        for claim in std::mem::take(&mut self.ahead) {
            if claim.size > entries {
                let held = if claim.outside { "outside" } else { "kept" };
                faults.add(
                    entries,
                    entries,
                    format!(
                        "a signed checkpoint {held} covers {} entries, but the log ends after {entries}: its end was cut off",
                        claim.size
                    ),
                );
            } else {
                // Only sizes 0 are left behind: the empty log has one root.
                self.judge(&claim, faults);
            }
        }
        if entries > 0 && self.proven.is_none() {
            let reason = "no signed checkpoint vouches for any entry";
            faults.add(0, entries - 1, reason);
        }
    }

    /// At the end: the unfinished tiles, and tiles that were never given.
    fn end_tiles(&mut self, faults: &mut Faults) {
        for level in 0..8 {
            let stored = self.stored.as_ref().and_then(|f| f.tail(level));
            if let (Some(ours), Some(kept)) = (self.frontier.tail(level), stored)
                && level > 0
                && ours.index == kept.index
            {
                compare(level, ours.index, &ours.bytes, &kept.bytes, faults);
            }
        }
        for (level, index) in std::mem::take(&mut self.ours).into_keys() {
            let (first, last) = covered(level, index, 0, TILE_WIDTH);
            let reason = format!("{} is missing", tile_path(level, index, TILE_WIDTH));
            faults.add(first, last, reason);
        }
    }
}

/// The entries under `count` hashes of a tile, from hash number `at` on.
fn covered(level: u8, index: u64, at: u64, count: u64) -> (u64, u64) {
    let each = 1u64.checked_shl(8 * u32::from(level)).unwrap_or(u64::MAX);
    let first = index.saturating_mul(TILE_WIDTH).saturating_add(at).saturating_mul(each);
    (first, first.saturating_add(count.saturating_mul(each)).saturating_sub(1))
}

/// How a gap is told.
pub(super) fn missing(first: u64, last: u64) -> String {
    if first == last {
        format!("entry {first} is missing")
    } else {
        format!("entries {first} to {last} are missing")
    }
}

/// Compares a tile of ours with the stored one. (A leaf that was compared when its entry came
/// went into our tile as stored, so it is not reported twice.)
fn compare(level: u8, index: u64, ours: &[u8], kept: &[u8], faults: &mut Faults) {
    let (ours, _) = ours.as_chunks::<32>();
    let (kept, _) = kept.as_chunks::<32>();
    let path = tile_path(level, index, ours.len() as u64);
    for at in (0..).zip(ours.iter().zip(kept)).filter(|(_, (a, b))| a != b).map(|(at, _)| at) {
        let (first, last) = covered(level, index, at, 1);
        let reason = format!("hash {at} of {path} is not what the log's entries give");
        faults.add(first, last, reason);
    }
}
