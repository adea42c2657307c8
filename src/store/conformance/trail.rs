//! The trail: nothing lost, nothing out of order, proofs from stored hashes.

use std::collections::BTreeMap;

use super::Open;
use super::fixtures::*;
use crate::audit::{
    AnswerRow, CorrectionRow, DecisionRow, Entry, EntryKind, Frontier, Hash, LogKey, Salt,
    StateRow, TileSource, commit, inclusion_proof, leaf_hash, verify_inclusion,
};
use crate::domain::{ItemState, Review, Reviewer, VerdictKind};
use crate::store::{Op, Opened, Store, StoreError, StoredPolicy, TrailSink};

/// What a feed said, in its order.
#[derive(Default)]
pub(super) struct Fed {
    pub(super) size: u64,
    pub(super) frontier: Frontier,
    pub(super) entries: Vec<Vec<u8>>,
    /// By entry: path, and whether it opens its commitment (`None`: erased).
    pub(super) bodies: Vec<Vec<(String, Option<bool>)>>,
    pub(super) tiles: BTreeMap<(u8, u64), Vec<u8>>,
    pub(super) notes: Vec<String>,
    pub(super) items: Vec<(String, ItemState, u64, String)>,
    pub(super) rows: Vec<String>,
}

impl TrailSink for Fed {
    fn head(&mut self, size: u64, frontier: &[u8]) {
        self.size = size;
        self.frontier = Frontier::from_bytes(frontier).unwrap();
    }

    fn entry(&mut self, index: u64, bytes: &[u8], about: Option<&str>) {
        assert_eq!(index, self.entries.len() as u64);
        assert_eq!(self.tiles.contains_key(&(0, index / 256)), index / 256 < self.size / 256);
        assert!(self.items.is_empty());
        let entry = Entry::parse(bytes).unwrap();
        assert_eq!(about, entry.id.as_deref().filter(|_| entry.t != EntryKind::ADMIT));
        self.bodies.push(Vec::new());
        self.entries.push(bytes.to_vec());
    }

    fn body(&mut self, index: u64, path: &str, kept: Option<Opened<'_>>) {
        assert_eq!(index + 1, self.entries.len() as u64);
        let bodies = self.bodies.last_mut().unwrap();
        let c = &Entry::parse(self.entries.last().unwrap()).unwrap().c[bodies.len()];
        assert_eq!(c.path, path);
        let opens =
            kept.map(|(salt, value)| commit(&Salt::from_bytes(salt), path, value) == c.hash);
        bodies.push((path.to_owned(), opens));
    }

    fn decision(&mut self, row: &DecisionRow<'_>) {
        assert_eq!(row.index + 1, self.entries.len() as u64);
        self.rows.push(format!("{} {}", row.index, row.id));
    }

    fn review(&mut self, index: u64, row: &Review) {
        assert_eq!(index + 1, self.entries.len() as u64);
        self.rows.push(format!("{index} {}", row.request_id));
    }

    fn answer(&mut self, row: &AnswerRow<'_>) {
        assert_eq!(row.index + 1, self.entries.len() as u64);
        self.rows.push(format!("{} {}", row.index, row.request_id));
    }

    fn tile(&mut self, level: u8, index: u64, hashes: &[u8]) {
        match level {
            0 => assert_eq!(
                self.entries.len() as u64,
                index * 256,
                "a tile comes before its entries"
            ),
            _ => assert_eq!(self.entries.len() as u64, self.size),
        }
        assert!(self.tiles.insert((level, index), hashes.to_vec()).is_none());
    }

    fn checkpoint(&mut self, note: &str) {
        assert!(self.entries.is_empty());
        self.notes.push(note.to_owned());
    }

    fn item(&mut self, id: &str, state: ItemState, revision: u64, queue: &str) {
        self.items.push((id.to_owned(), state, revision, queue.to_owned()));
    }

    fn reviewer(&mut self, name: &str, version: u64, row: &Reviewer) {
        assert_eq!((name, version), (row.name.as_str(), row.version));
        self.rows.push(name.to_owned());
    }

    fn policy(&mut self, row: &StoredPolicy) {
        self.rows.push(row.hash.clone());
    }

    fn correction(&mut self, row: &CorrectionRow<'_>) {
        self.rows.push(format!("{} {}", row.number, row.request_id));
    }

    fn state(&mut self, row: &StateRow<'_>) {
        self.rows.push(format!("{} of {}", row.automatic, row.decisions));
    }

    fn broken(&mut self, index: Option<u64>, what: &str) {
        panic!("{index:?}: {what}");
    }
}

pub(super) fn feed(store: &dyn Store) -> Fed {
    let mut fed = Fed::default();
    store.feed(&mut fed).unwrap();
    fed
}

/// Everything the trail says fits together; every body opens its commitment or is erased.
pub(super) fn check(store: &dyn Store) -> Fed {
    let fed = feed(store);
    assert_eq!(fed.size, fed.entries.len() as u64);
    assert_eq!(fed.size, store.head().unwrap());
    let (mut tree, mut full) = (Frontier::new(), Vec::new());
    for bytes in &fed.entries {
        tree.push(leaf_hash(bytes), &mut full);
    }
    assert_eq!(tree, fed.frontier);
    let tiles: BTreeMap<_, _> = full.into_iter().map(|t| ((t.level, t.index), t.bytes)).collect();
    assert_eq!(tiles, fed.tiles);
    assert!(fed.bodies.iter().flatten().all(|(_, opens)| *opens != Some(false)));
    fed
}

pub(crate) fn the_trail_is_fed_in_order(open: Open<'_>) {
    let store = open();
    // More than two tiles of entries, in batches that do not fit tiles.
    for n in 0..7 {
        let rows = (0..90).map(|i| match i {
            0 => waiting(&format!("w{n}"), "level1", None, 0),
            _ => auto(&format!("a{n}-{i}")),
        });
        admit(&*store, rows.collect());
    }
    let a = item(&*store, "w0");
    let r = review("r1", &a, "ann", VerdictKind::Accept);
    apply(&*store, [reviewed(&r), vec![put(&decided(&a, &r, 10))]].concat());
    let two = entry(EntryKind::VERDICT, Some("w1"), &[("output", b"x"), ("input.ssn", b"y")]);
    apply(&*store, vec![Op::Entry(two)]);
    let fed = check(&*store);
    assert_eq!(fed.size, 632);
    assert_eq!(fed.tiles.keys().copied().collect::<Vec<_>>(), [(0, 0), (0, 1)]);
    let open = |path: &str| (path.to_owned(), Some(true));
    assert_eq!(fed.bodies[0], [open("record")]);
    assert_eq!(fed.bodies[630], [open("review")]);
    assert_eq!(fed.bodies[631], [open("output"), open("input.ssn")]);
    assert_eq!(fed.items.len(), 7);
    assert_eq!(fed.items[0], ("w0".to_owned(), ItemState::Decided, 2, "level1".to_owned()));
    assert_eq!(fed.items[1], ("w1".to_owned(), ItemState::Waiting, 1, "level1".to_owned()));
    assert_eq!(fed.rows.len(), 632);
    assert_eq!(fed.rows[..2], ["0 w0", "1 a0-1"]);
    assert_eq!(fed.rows[630..], ["630 r1", "623 of 630"]);
}

/// A store as a source of tiles.
struct Tiles<'a>(&'a dyn Store);

impl TileSource for Tiles<'_> {
    type Error = StoreError;

    fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>, StoreError> {
        self.0.tile(level, index, width)
    }
}

pub(crate) fn tiles_for_proofs(open: Open<'_>) {
    let store = open();
    admit(&*store, (0..600).map(|n| auto(&format!("a{n}"))).collect());
    let fed = check(&*store);
    for size in [1, 2, 255, 256, 257, 512, 599, 600] {
        let mut tree = Frontier::new();
        let leaves: Vec<Hash> = fed.entries.iter().map(|e| leaf_hash(e)).collect();
        leaves.iter().take(size).for_each(|leaf| tree.push(*leaf, &mut Vec::new()));
        for index in [0, size / 2, size - 1] {
            let (index, size) = (index as u64, size as u64);
            let path = inclusion_proof(Tiles(&*store), index, size).unwrap();
            let leaf = leaves[index as usize];
            verify_inclusion(index, size, &leaf, &path, &tree.root()).unwrap();
        }
    }
    for (level, index, width) in
        [(0, 2, 89), (0, 2, 256), (0, 3, 1), (1, 0, 3), (2, 0, 1), (0, 0, 0)]
    {
        let missing = store.tile(level, index, width);
        assert!(matches!(missing, Err(StoreError::Missing(_))), "{level}/{index}.p/{width}");
    }
    assert_eq!(store.tile(0, 2, 88).unwrap().len(), 88 * 32);
    assert_eq!(store.tile(1, 0, 2).unwrap().len(), 64);
}

pub(crate) fn checkpoints_are_signed_when_something_was_added(open: Open<'_>) {
    let store = open();
    let sign = || {
        let key = LogKey::from_seed("test.example/log", [5; 32]).unwrap();
        store.checkpoint(Box::new(move |size, root| key.sign(size, root))).wait().unwrap()
    };
    assert_eq!((sign(), store.last_checkpoint().unwrap()), (None, None));
    admit(&*store, vec![auto("a")]);
    let first = sign().unwrap();
    assert_eq!(sign(), None);
    admit(&*store, vec![auto("b")]);
    let second = sign().unwrap();
    assert_eq!(store.last_checkpoint().unwrap().as_ref(), Some(&second));
    let fed = check(&*store);
    let verifier = LogKey::from_seed("test.example/log", [5; 32]).unwrap().verifier();
    let checkpoint = verifier.open(&second).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (2, fed.frontier.root()));
    assert_eq!(fed.notes, [first, second]);
}

pub(crate) fn entries_of_an_item_and_of_all(open: Open<'_>) {
    let store = open();
    let log = |id: Option<&str>, n: u8| {
        let e = entry(EntryKind::VERDICT, id, &[("note", &[n])]);
        apply(&*store, vec![Op::Entry(e.clone())]);
        e.bytes
    };
    admit(&*store, vec![auto("a"), auto("b")]);
    let (second, third) = (log(Some("a"), 2), log(None, 3));
    let (fourth, fifth) = (log(Some("b"), 4), log(Some("a"), 5));
    let (a, b) = (auto("a").entry.bytes, auto("b").entry.bytes);
    let all = vec![
        (0, a.clone()),
        (1, b.clone()),
        (2, second.clone()),
        (3, third),
        (4, fourth.clone()),
        (5, fifth.clone()),
    ];
    assert_eq!(store.entries(None, 0, 99).unwrap(), all);
    assert_eq!(store.entries(None, 2, 3).unwrap(), all[2..5]);
    let of_a = [(0, a), (2, second), (5, fifth)];
    assert_eq!(store.entries(Some("a"), 0, 99).unwrap(), of_a);
    assert_eq!(store.entries(Some("a"), 1, 1).unwrap(), of_a[1..2]);
    assert_eq!(store.entries(Some("b"), 0, 99).unwrap(), [(1, b), (4, fourth)]);
    assert!(matches!(store.entries(Some("x"), 0, 9), Err(StoreError::Missing(_))));
}

pub(crate) fn the_head_is_monotone_and_shared(open: Open<'_>) {
    let (one, two) = (open(), open());
    // Two handles write in turn and at once; the log stays one.
    for n in 0..10 {
        admit(&*one, vec![auto(&format!("a{n}"))]);
        assert_eq!(two.head().unwrap(), 2 * n + 1);
        admit(&*two, vec![auto(&format!("b{n}"))]);
        assert_eq!(one.head().unwrap(), 2 * n + 2);
    }
    std::thread::scope(|scope| {
        for (store, name) in [(&one, "c"), (&two, "d")] {
            scope.spawn(move || {
                let mut last = 0;
                for n in 0..100 {
                    admit(
                        &**store,
                        vec![auto(&format!("{name}{n}")), auto(&format!("{name}-{n}"))],
                    );
                    let head = store.head().unwrap();
                    assert!(head > last);
                    last = head;
                }
            });
        }
    });
    assert_eq!(check(&*one).size, 420);
    assert_eq!(check(&*two).size, 420);
    assert_eq!(two.snapshot().unwrap().decisions, 420);
}

pub(crate) fn a_closed_store_keeps_everything(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![auto("a"), waiting("b", "level1", Some(60), 1)]);
    let b = item(&*store, "b");
    let r = review("r1", &b, "ann", VerdictKind::Edit);
    apply(&*store, [reviewed(&r), vec![Op::BumpGeneration, put(&decided(&b, &r, 10))]].concat());
    // Queued and not waited for: closing waits for it.
    let queued: Vec<_> = (0..50)
        .map(|n| {
            let rows = vec![auto(&format!("q{n}"))];
            store.admit(crate::store::AdmitBatch { bulk: n % 2 == 0, ..batch(rows) })
        })
        .collect();
    store.close().unwrap();
    queued.into_iter().for_each(|t| assert!(t.wait().is_ok()));
    assert_eq!(store.head(), Err(StoreError::Closed));
    assert_eq!(store.commit(write(vec![])).wait(), Err(StoreError::Closed));

    let store = open();
    let s = store.snapshot().unwrap();
    assert_eq!((s.head, s.generation, s.decisions, s.automatic), (53, 1, 52, 51));
    assert_eq!(item(&*store, "b"), decided(&b, &r, 10));
    assert_eq!(store.reviews("b").unwrap(), [r]);
    check(&*store);
    admit(&*store, vec![auto("z")]);
    assert_eq!(check(&*store).size, 54);
}
