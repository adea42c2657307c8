//! Inclusion and consistency proofs: made from tiles, checked without them (RFC 9162 §2.1).

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::tree::{Hash, TILE_WIDTH, TileSource, empty_root, fold_perfect, node_hash, tile_width};

/// Why a proof could not be made, or does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    #[error("entry {index} is not in a log of {size} entries")]
    OutOfRange { index: u64, size: u64 },
    #[error("a log of {old} entries cannot be a beginning of one with {new}")]
    NotEarlier { old: u64, new: u64 },
    #[error("cannot read {path}: {reason}")]
    Read { path: String, reason: String },
    #[error("the proof has {0} hashes, which fits no log of this size")]
    Length(usize),
    #[error("the proof does not lead to the root of the checkpoint")]
    Root,
    #[error("the proof does not lead to the root of the earlier checkpoint: history was rewritten")]
    OldRoot,
}

/// The hashes that lead from leaf `index` to the root of the first `size` leaves, lowest first.
/// Reads at most two tiles for every eight levels of the tree.
pub fn inclusion_proof<S: TileSource>(
    source: S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { index, size });
    }
    let mut reader = Reader::new(source, size);
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(reader.range(middle, end)?);
            end = middle;
        } else {
            proof.push(reader.range(start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the first `old` of `new` leaves are still what they were.
pub fn consistency_proof<S: TileSource>(
    source: S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProofError> {
    if old > new {
        return Err(ProofError::NotEarlier { old, new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(source, new);
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, new);
    // While the old tree is a left part of this subtree, its root is known to the checker.
    let mut known = true;
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(reader.range(middle, end)?);
            end = middle;
        } else {
            proof.push(reader.range(start, middle)?);
            start = middle;
            known = false;
        }
    }
    if !known {
        proof.push(reader.range(start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks an inclusion proof (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length(proof.len()));
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    match (last, hash == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        _ => Err(ProofError::Length(proof.len())),
    }
}

/// Checks a consistency proof (RFC 9162 §2.1.4.2). The empty log is a beginning of every log.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::NotEarlier { old, new });
    }
    if old == new || old == 0 {
        return match () {
            () if !proof.is_empty() => Err(ProofError::Length(proof.len())),
            () if old == 0 && *old_root != empty_root() => Err(ProofError::OldRoot),
            () if old == new && old_root != new_root => Err(ProofError::Root),
            () => Ok(()),
        };
    }
    // A power of two: the old root itself starts the path.
    let mut path = proof.iter();
    let seed = if old.is_power_of_two() { Some(old_root) } else { path.next() };
    let Some(seed) = seed else { return Err(ProofError::Length(0)) };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*seed, *seed);
    for hash in path {
        if last == 0 {
            return Err(ProofError::Length(proof.len()));
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(hash, &from_old);
            from_new = node_hash(hash, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    match () {
        () if last != 0 => Err(ProofError::Length(proof.len())),
        () if from_old != *old_root => Err(ProofError::OldRoot),
        () if from_new != *new_root => Err(ProofError::Root),
        () => Ok(()),
    }
}

/// The proof as a C2SP tlog-proof file: index, path and the signed checkpoint in one text.
pub fn tlog_proof(index: u64, path: &[Hash], checkpoint_note: &str) -> String {
    let mut text = format!("c2sp.org/tlog-proof@v1\nindex {index}\n");
    for hash in path {
        text.push_str(&STANDARD.encode(hash));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(checkpoint_note);
    text
}

/// The largest power of two below `len` (`len` ≥ 2): where RFC 6962 splits a tree.
fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

/// Reads subtree roots from tiles, each tile once.
struct Reader<S> {
    source: S,
    size: u64,
    tiles: HashMap<(u8, u64), Vec<u8>>,
}

impl<S: TileSource> Reader<S> {
    fn new(source: S, size: u64) -> Self {
        Self { source, size, tiles: HashMap::new() }
    }

    /// The root over leaves `start..end`, a subtree of the RFC's tree (never empty).
    fn range(&mut self, start: u64, end: u64) -> Result<Hash, ProofError> {
        let len = end - start;
        if len.is_power_of_two() && start.is_multiple_of(len) {
            return self.perfect(len.ilog2(), start / len);
        }
        let middle = start + split(len);
        let left = self.range(start, middle)?;
        let right = self.range(middle, end)?;
        Ok(node_hash(&left, &right))
    }

    /// The root of the perfect subtree number `index` of this height.
    fn perfect(&mut self, height: u32, index: u64) -> Result<Hash, ProofError> {
        // A height is below 64, so the level is at most 7.
        let level = (height / 8) as u8;
        let span = 1u64 << (height % 8);
        let first = index * span;
        let (tile, offset) = (first / TILE_WIDTH, first % TILE_WIDTH);
        let width = tile_width(self.size, level, tile);
        let read = |reason: String| ProofError::Read {
            path: super::tree::tile_path(level, tile, width),
            reason,
        };
        if !self.tiles.contains_key(&(level, tile)) {
            let bytes = self.source.tile(level, tile, width).map_err(|e| read(e.to_string()))?;
            self.tiles.insert((level, tile), bytes);
        }
        let bytes = self.tiles.get(&(level, tile)).map(Vec::as_slice).unwrap_or_default();
        // At most 256 hashes of 32 bytes: fits any usize.
        let (from, to) = (offset as usize * 32, (offset + span) as usize * 32);
        bytes.get(from..to).and_then(fold_perfect).ok_or_else(|| read("too short".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::{MemLog, root_of};
    use super::*;

    /// PATH(m, D[n]) of RFC 6962 §2.1.1.
    fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
        if d.len() < 2 {
            return Vec::new();
        }
        let k = d.len().next_power_of_two() / 2;
        let (mut out, other) = if m < k {
            (path(m, &d[..k]), root_of(&d[k..]))
        } else {
            (path(m - k, &d[k..]), root_of(&d[..k]))
        };
        out.push(other);
        out
    }

    /// SUBPROOF(m, D[n], b) of RFC 6962 §2.1.2.
    fn subproof(m: usize, d: &[Hash], b: bool) -> Vec<Hash> {
        if m == d.len() {
            return if b { Vec::new() } else { vec![root_of(d)] };
        }
        let k = d.len().next_power_of_two() / 2;
        let (mut out, other) = if m <= k {
            (subproof(m, &d[..k], b), root_of(&d[k..]))
        } else {
            (subproof(m - k, &d[k..], false), root_of(&d[..k]))
        };
        out.push(other);
        out
    }

    #[test]
    fn inclusion_proofs_are_the_rfcs_and_hold_for_all_sizes_to_300() {
        let log = MemLog::of(300);
        for size in 1..=300u64 {
            let leaves = &log.leaves[..size as usize];
            let root = root_of(leaves);
            // Every leaf of small trees, the borders and a stride of larger ones.
            let step = if size <= 40 { 1 } else { 13 };
            for index in (0..size).step_by(step).chain([size - 1]) {
                let proof = inclusion_proof(&log, index, size).unwrap();
                let leaf = &leaves[index as usize];
                assert_eq!(proof, path(index as usize, leaves), "{index} of {size}");
                verify_inclusion(index, size, leaf, &proof, &root).unwrap();
                assert!(verify_inclusion(index, size, &[0; 32], &proof, &root).is_err());
                let mut long = proof.clone();
                long.push([0; 32]);
                assert!(verify_inclusion(index, size, leaf, &long, &root).is_err());
                if let Some((_, short)) = proof.split_last() {
                    assert!(verify_inclusion(index, size, leaf, short, &root).is_err());
                }
                if size > 1 {
                    let other = (index + 1) % size;
                    assert!(verify_inclusion(other, size, leaf, &proof, &root).is_err());
                }
            }
        }
    }

    #[test]
    fn consistency_proofs_are_the_rfcs_and_hold_for_all_sizes_to_300() {
        let log = MemLog::of(300);
        let roots: Vec<Hash> = (0..=300).map(|n| root_of(&log.leaves[..n])).collect();
        for new in 0..=300usize {
            let step = if new <= 64 { 1 } else { 7 };
            for old in (0..=new).step_by(step).chain([new]) {
                let (o, n) = (old as u64, new as u64);
                let proof = consistency_proof(&log, o, n).unwrap();
                if old > 0 {
                    assert_eq!(proof, subproof(old, &log.leaves[..new], true), "{old} in {new}");
                }
                verify_consistency(o, n, &roots[old], &roots[new], &proof).unwrap();
                if old > 0 {
                    assert!(verify_consistency(o, n, &[0; 32], &roots[new], &proof).is_err());
                    assert!(verify_consistency(o, n, &roots[old], &[0; 32], &proof).is_err());
                }
                let mut bad = proof.clone();
                bad.push([0; 32]);
                assert!(verify_consistency(o, n, &roots[old], &roots[new], &bad).is_err());
                for i in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[i][5] ^= 1;
                    assert!(verify_consistency(o, n, &roots[old], &roots[new], &bad).is_err());
                }
            }
        }
    }

    #[test]
    fn proofs_reach_through_upper_tiles() {
        let size = 65_536 + 300;
        let log = MemLog::of(size);
        let root = log.frontier.root();
        for index in [0, 255, 256, 65_535, 65_536, size - 1] {
            let proof = inclusion_proof(&log, index, size).unwrap();
            verify_inclusion(index, size, &log.leaves[index as usize], &proof, &root).unwrap();
        }
        for old in [1, 256, 300, 65_535, 65_536, 65_537, size - 1] {
            let proof = consistency_proof(&log, old, size).unwrap();
            let old_root = root_of(&log.leaves[..old as usize]);
            verify_consistency(old, size, &old_root, &root, &proof).unwrap();
        }
        // A proof about an earlier tree is made from the tiles of the later one.
        let proof = inclusion_proof(&log, 299, 300).unwrap();
        let root = root_of(&log.leaves[..300]);
        verify_inclusion(299, 300, &log.leaves[299], &proof, &root).unwrap();
    }

    #[test]
    fn questions_without_an_answer_are_refused() {
        let log = MemLog::of(5);
        assert_eq!(inclusion_proof(&log, 5, 5), Err(ProofError::OutOfRange { index: 5, size: 5 }));
        assert_eq!(consistency_proof(&log, 6, 5), Err(ProofError::NotEarlier { old: 6, new: 5 }));
        let missing = inclusion_proof(&log, 0, 9).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read tile/0/000.p/9: short");
    }

    #[test]
    fn the_proof_file_reads_like_the_specification() {
        let text = tlog_proof(7, &[[0; 32], [1; 32]], "example.com/log\n9\nAAA=\n\n— sig\n");
        assert_eq!(
            text,
            "c2sp.org/tlog-proof@v1\nindex 7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
             AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n\nexample.com/log\n9\nAAA=\n\n— sig\n"
        );
    }
}
