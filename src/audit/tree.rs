//! The RFC 6962 tree as a frontier that grows by a leaf and hands out tiles of 256 hashes.
//!
//! A leaf is `SHA-256(0x00 ‖ bytes)`, a node `SHA-256(0x01 ‖ left ‖ right)`. Tiles are named as in
//! C2SP tlog-tiles: the tile `(level, index)` holds the 256 hashes at height `8·level` from
//! `256·index` on. Full tiles never change and are written once.
//!
//! The hashes that are not in a full tile yet (at most 255 a level) travel in the frontier's own
//! bytes, level 0 included. So the leaf hash of *every* entry is kept, in a full tile or in the
//! frontier, and a changed entry can be named exactly wherever it stands. This costs one row of
//! about 4 KB (at most 8 KB a level, and a second level starts at 256 entries) a group commit.

use sha2::{Digest, Sha256};
use thiserror::Error;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// How many hashes a full tile holds.
pub const TILE_WIDTH: u64 = 256;

const HASH: usize = 32;
const FULL: usize = 256 * HASH;

/// The hash of an entry's bytes as a leaf of the tree.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update([0]);
    sha.update(bytes);
    sha.finalize().into()
}

/// The hash of a node over its two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut sha = Sha256::new();
    sha.update([1]);
    sha.update(left);
    sha.update(right);
    sha.finalize().into()
}

/// The root of the tree without leaves: the hash of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Up to 256 neighbouring hashes of one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// 0 for leaf hashes, 1 for the roots of full level-0 tiles, …
    pub level: u8,
    pub index: u64,
    /// 32 bytes a hash.
    pub bytes: Vec<u8>,
}

impl Tile {
    /// Number of hashes, 1..=256 (256: full).
    pub fn width(&self) -> u64 {
        (self.bytes.len() / HASH) as u64
    }

    /// The name in tlog-tiles, e.g. `tile/0/x001/234` or, of 12 hashes, `tile/0/x001/234.p/12`.
    pub fn path(&self) -> String {
        tile_path(self.level, self.index, self.width())
    }
}

/// The tlog-tiles name of the tile `(level, index)` with `width` hashes.
pub fn tile_path(level: u8, index: u64, width: u64) -> String {
    let mut groups = vec![format!("{:03}", index % 1000)];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.reverse();
    let partial = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{level}/{}{partial}", groups.join("/"))
}

/// How many hashes the tile `(level, index)` holds in a tree of `size` leaves: 0..=256.
pub fn tile_width(size: u64, level: u8, index: u64) -> u64 {
    let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
    hashes.saturating_sub(index.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH)
}

/// Where proofs and the verifier read hashes from.
pub trait TileSource {
    type Error: std::fmt::Display;

    /// The first `width` hashes (1..=256) of the tile `(level, index)`, 32 bytes each. Tiles
    /// that are not full are in the [`Frontier`] ([`Frontier::tail`]).
    fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>, Self::Error>;
}

impl<T: TileSource + ?Sized> TileSource for &T {
    type Error = T::Error;

    fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>, Self::Error> {
        (**self).tile(level, index, width)
    }
}

/// The right edge of the tree: everything needed to add leaves and to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees, left to right: one for each set bit of `size`.
    edge: Vec<Hash>,
    /// By level, the hashes of the tile that is not full yet.
    tails: Vec<Vec<u8>>,
}

/// Why stored bytes are not a frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrontierError {
    #[error("the log's frontier row has a length that fits no log")]
    Length,
    #[error("the log's frontier row has format {0}, and this program knows format 1")]
    Version(u8),
    #[error("the log's frontier row is damaged: its hashes do not give its root")]
    Root,
}

impl Frontier {
    /// The frontier of the empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Tiles that it completes are appended to `full`, lowest level first; they are
    /// final. About one node hash a leaf.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<Tile>) {
        self.keep(0, leaf, full);
        let mut hash = leaf;
        let mut height = 0u8;
        let mut bits = self.size;
        while bits & 1 == 1 {
            // The edge has as many hashes as `size` has set bits.
            let Some(left) = self.edge.pop() else { break };
            hash = node_hash(&left, &hash);
            height += 1;
            bits >>= 1;
            if height.is_multiple_of(8) {
                self.keep(height / 8, hash, full);
            }
        }
        self.edge.push(hash);
        self.size += 1;
    }

    /// Puts a hash into the tile that grows at `level`.
    fn keep(&mut self, level: u8, hash: Hash, full: &mut Vec<Tile>) {
        let slot = usize::from(level);
        if self.tails.len() <= slot {
            self.tails.resize_with(slot + 1, Vec::new);
        }
        let Some(tail) = self.tails.get_mut(slot) else { return };
        tail.extend_from_slice(&hash);
        if tail.len() == FULL {
            // `size` does not count the new leaf yet: it is the index of that leaf.
            let index = self.size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            full.push(Tile { level, index, bytes: std::mem::take(tail) });
        }
    }

    /// The root over all leaves; at most 64 hashes.
    pub fn root(&self) -> Hash {
        let mut from_right = self.edge.iter().rev();
        let Some(last) = from_right.next() else { return empty_root() };
        from_right.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The tile at `level` that is not full yet; `None` where there is none.
    pub fn tail(&self, level: u8) -> Option<Tile> {
        let bytes = self.tails.get(usize::from(level)).filter(|t| !t.is_empty())?;
        let index = self.size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
        Some(Tile { level, index, bytes: bytes.clone() })
    }

    /// The row to store: format, size, root, then the unfinished tile of each level.
    pub fn to_bytes(&self) -> Vec<u8> {
        let tails: usize = self.tails.iter().map(Vec::len).sum();
        let mut out = Vec::with_capacity(1 + 8 + HASH + tails);
        out.push(1);
        out.extend_from_slice(&self.size.to_be_bytes());
        out.extend_from_slice(&self.root());
        for tail in &self.tails {
            out.extend_from_slice(tail);
        }
        out
    }

    /// Reads a stored row; the subtrees are hashed anew and must give the stored root.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (&version, rest) = bytes.split_first().ok_or(FrontierError::Length)?;
        if version != 1 {
            return Err(FrontierError::Version(version));
        }
        let (size, rest) = rest.split_first_chunk::<8>().ok_or(FrontierError::Length)?;
        let (root, mut rest) = rest.split_first_chunk::<HASH>().ok_or(FrontierError::Length)?;
        let size = u64::from_be_bytes(*size);
        let mut tails = Vec::new();
        let mut hashes = size;
        while hashes > 0 {
            // Less than 256 hashes: fits any usize.
            let width = (hashes % TILE_WIDTH) as usize;
            let (tail, more) = rest.split_at_checked(width * HASH).ok_or(FrontierError::Length)?;
            tails.push(tail.to_vec());
            rest = more;
            hashes /= TILE_WIDTH;
        }
        if !rest.is_empty() {
            return Err(FrontierError::Length);
        }
        let edge = tails.iter().rev().flat_map(|tail| perfect_roots(tail)).collect();
        let frontier = Self { size, edge, tails };
        if frontier.root() == *root { Ok(frontier) } else { Err(FrontierError::Root) }
    }
}

/// The roots of the perfect subtrees that `tail` falls into, largest first.
fn perfect_roots(tail: &[u8]) -> Vec<Hash> {
    let width = tail.len() / HASH;
    let mut rest = tail;
    let mut roots = Vec::new();
    for bit in (0..8).rev() {
        let span = 1usize << bit;
        if width & span != 0 {
            let (here, more) = rest.split_at_checked(span * HASH).unwrap_or((rest, &[]));
            roots.extend(fold_perfect(here));
            rest = more;
        }
    }
    roots
}

/// The root over a power of two of neighbouring hashes; `None` for no hashes.
pub(super) fn fold_perfect(hashes: &[u8]) -> Option<Hash> {
    let (list, _) = hashes.as_chunks::<HASH>();
    let mut level: Vec<Hash> = list.to_vec();
    while level.len() > 1 {
        let (pairs, _) = level.as_chunks::<2>();
        level = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    level.first().copied()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A log in memory, as a store would keep it.
    #[derive(Default)]
    pub struct MemLog {
        pub frontier: Frontier,
        pub tiles: BTreeMap<(u8, u64), Vec<u8>>,
        pub leaves: Vec<Hash>,
    }

    impl MemLog {
        pub fn of(n: u64) -> Self {
            let mut log = Self::default();
            (0..n).for_each(|i| log.push(leaf_hash(&i.to_be_bytes())));
            log
        }

        pub fn push(&mut self, leaf: Hash) {
            let mut full = Vec::new();
            self.frontier.push(leaf, &mut full);
            self.leaves.push(leaf);
            for t in full {
                assert_eq!(t.width(), TILE_WIDTH);
                assert!(self.tiles.insert((t.level, t.index), t.bytes).is_none());
            }
        }
    }

    impl TileSource for MemLog {
        type Error = String;

        fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>, String> {
            let tail = || self.frontier.tail(level).filter(|t| t.index == index).map(|t| t.bytes);
            let bytes = self.tiles.get(&(level, index)).cloned().or_else(tail);
            let bytes = bytes.ok_or_else(|| format!("no {}", tile_path(level, index, width)))?;
            bytes.get(..width as usize * 32).map(<[u8]>::to_vec).ok_or_else(|| "short".to_owned())
        }
    }

    /// RFC 6962 §2.1 word for word, with recursion: the oracle.
    pub fn root_of(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&root_of(&leaves[..k]), &root_of(&leaves[k..]))
            }
        }
    }

    /// The leaves and roots of Certificate Transparency's own reference tests.
    #[test]
    fn roots_of_certificate_transparency() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::new();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(frontier.root().to_vec(), hex::decode(empty).unwrap());
        for (leaf, root) in leaves.iter().zip(roots) {
            frontier.push(leaf_hash(&hex::decode(leaf).unwrap()), &mut Vec::new());
            assert_eq!(frontier.root().to_vec(), hex::decode(root).unwrap());
        }
    }

    #[test]
    fn every_size_has_the_root_of_the_rfc_and_survives_storing() {
        let mut log = MemLog::default();
        for i in 0..600u64 {
            assert_eq!(log.frontier.root(), root_of(&log.leaves), "size {i}");
            assert_eq!(Frontier::from_bytes(&log.frontier.to_bytes()).unwrap(), log.frontier);
            log.push(leaf_hash(&i.to_be_bytes()));
        }
        assert_eq!(log.tiles.keys().copied().collect::<Vec<_>>(), [(0, 0), (0, 1)]);
    }

    #[test]
    fn upper_tiles_hold_the_roots_of_lower_ones() {
        let log = MemLog::of(65_536 + 300);
        assert_eq!(log.tiles.len(), 257 + 1);
        assert_eq!(log.frontier.root(), root_of(&log.leaves));
        let upper = &log.tiles[&(1, 0)];
        for i in [0usize, 1, 254, 255] {
            assert_eq!(upper[32 * i..32 * (i + 1)], root_of(&log.leaves[256 * i..256 * (i + 1)]));
        }
        assert_eq!(log.frontier.tail(1).unwrap().path(), "tile/1/001.p/1");
        assert_eq!(log.frontier.tail(2).unwrap().bytes, root_of(&log.leaves[..65_536]));
        assert_eq!(Frontier::from_bytes(&log.frontier.to_bytes()).unwrap(), log.frontier);
    }

    #[test]
    fn a_damaged_row_is_noticed() {
        let row = MemLog::of(300).frontier.to_bytes();
        for at in 0..row.len() {
            let mut bad = row.clone();
            bad[at] ^= 0x10;
            assert!(Frontier::from_bytes(&bad).is_err(), "byte {at}");
        }
        assert_eq!(Frontier::from_bytes(&row[..row.len() - 1]), Err(FrontierError::Length));
        assert_eq!(Frontier::from_bytes(&[]), Err(FrontierError::Length));
        assert_eq!(Frontier::from_bytes(&[2]), Err(FrontierError::Version(2)));
    }

    #[test]
    fn tiles_are_named_as_in_tlog_tiles() {
        assert_eq!(tile_path(0, 0, 256), "tile/0/000");
        assert_eq!(tile_path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile_path(1, 273, 112), "tile/1/273.p/112");
        assert_eq!(tile_width(70_000, 0, 273), 112);
        assert_eq!(tile_width(70_000, 0, 272), 256);
        assert_eq!(tile_width(70_000, 1, 1), 17);
        assert_eq!(tile_width(70_000, 2, 0), 1);
        assert_eq!(tile_width(70_000, 3, 0), 0);
        assert_eq!(tile_width(70_000, 99, 0), 0);
    }
}
