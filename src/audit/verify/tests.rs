//! A small log is attacked in every way we know; the verifier must name the first bad entry.

use super::*;
use crate::audit::{Frontier, LogKey, Tile};
use crate::domain::{ItemState, Timestamp};

/// What a store keeps, in memory.
#[derive(Clone)]
struct Db {
    entries: Vec<(u64, Vec<u8>)>,
    bodies: Vec<Body>,
    erased: Vec<Body>,
    tiles: Vec<Tile>,
    frontier: Vec<u8>,
    checkpoints: Vec<(u64, String)>,
    items: Vec<(String, ItemState, u64, Option<String>)>,
}

#[derive(Clone)]
struct Body {
    index: u64,
    path: String,
    salt: Vec<u8>,
    value: Vec<u8>,
}

fn key() -> LogKey {
    LogKey::from_seed("overrule.example/test", [5; 32]).unwrap()
}

fn time(n: u64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + n as i64).unwrap()
}

impl Db {
    fn new() -> Self {
        Self {
            entries: vec![],
            bodies: vec![],
            erased: vec![],
            tiles: vec![],
            frontier: Frontier::new().to_bytes(),
            checkpoints: vec![],
            items: vec![],
        }
    }

    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Appends as a store would.
    fn append(&mut self, entry: Entry) {
        let bytes = entry.bytes();
        let mut frontier = Frontier::from_bytes(&self.frontier).unwrap();
        frontier.push(leaf_hash(&bytes), &mut self.tiles);
        self.frontier = frontier.to_bytes();
        self.entries.push((self.size(), bytes));
    }

    fn sign(&mut self) {
        let frontier = Frontier::from_bytes(&self.frontier).unwrap();
        self.checkpoints.push((frontier.size(), key().sign(frontier.size(), frontier.root())));
    }

    fn with_body(&mut self, entry: &mut Entry, path: &str, value: &str) -> Hash {
        let n = self.bodies.len() as u8;
        let salt = Salt::from_bytes([n.wrapping_mul(31); 32]);
        let hash = commit(&salt, path, value.as_bytes());
        entry.commit_to(path, hash);
        self.bodies.push(Body {
            index: self.size(),
            path: path.to_owned(),
            salt: salt.as_bytes().to_vec(),
            value: value.as_bytes().to_vec(),
        });
        hash
    }

    /// Hashes everything anew, as somebody without the key could.
    fn rechain(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        self.tiles.clear();
        let mut frontier = Frontier::new();
        for (i, (_, bytes)) in entries.into_iter().enumerate() {
            frontier.push(leaf_hash(&bytes), &mut self.tiles);
            self.entries.push((i as u64, bytes));
        }
        self.frontier = frontier.to_bytes();
    }
}

/// A log of `n` decisions (every fifth waits for people) with a checkpoint every ten entries; then
/// one verdict and one erasure.
fn log(n: u64) -> Db {
    let mut db = Db::new();
    db.append(Entry::new(EntryKind::GENESIS, "system", time(0), time(0)));
    db.sign();
    let mut second_record = None;
    for i in 1..n {
        let mut e = Entry::new(EntryKind::ADMIT, "system", time(i), time(i));
        let id = format!("d-{i}");
        let waits = i % 5 == 0;
        e.id = Some(id.clone());
        e.rev = Some(1);
        e.state = Some(if waits { ItemState::Waiting } else { ItemState::Settled });
        e.queue = waits.then(|| "level1".to_owned());
        let hash = db.with_body(&mut e, "record", &format!("{{\"id\":\"{id}\"}}"));
        if i == 2 {
            second_record = Some(hash);
        }
        if waits {
            db.items.push((id, ItemState::Waiting, 1, Some("level1".to_owned())));
        }
        db.append(e);
        if db.size().is_multiple_of(10) {
            db.sign();
        }
    }
    let mut e = Entry::new(EntryKind::VERDICT, "ann", time(n), time(n));
    e.id = Some("d-5".into());
    e.rev = Some(2);
    e.state = Some(ItemState::Decided);
    e.queue = Some("level1".into());
    db.with_body(&mut e, "verdict", r#"{"verdict":"reject"}"#);
    db.append(e);
    db.items[0].1 = ItemState::Decided;
    db.items[0].2 = 2;

    let mut e = Entry::new(EntryKind::ERASE, "ann", time(n + 1), time(n + 1));
    e.id = Some("d-2".into());
    e.x = vec![second_record.unwrap()];
    db.erased.push(db.bodies.remove(1));
    db.append(e);
    db.sign();
    db
}

fn verify_with(db: &Db, outside: &[&str]) -> Report {
    verify_ordered(db, outside, true)
}

fn verify_ordered(db: &Db, outside: &[&str], tiles_first: bool) -> Report {
    let mut v = Verifier::new(key().verifier());
    // The size stands in the frontier row.
    let size = u64::from_be_bytes(db.frontier[1..9].try_into().unwrap());
    v.head(size, &db.frontier);
    db.checkpoints.iter().for_each(|(size, note)| v.checkpoint(Some(*size), note));
    outside.iter().for_each(|note| v.outside(note).unwrap());
    let tiles = |v: &mut Verifier| db.tiles.iter().for_each(|t| v.tile(t.level, t.index, &t.bytes));
    if tiles_first {
        tiles(&mut v);
    }
    let mut bodies = db.bodies.iter().peekable();
    for (index, bytes) in &db.entries {
        v.entry(*index, bytes);
        while let Some(b) = bodies.next_if(|b| b.index <= *index) {
            v.body(b.index, &b.path, &b.salt, &b.value);
        }
    }
    bodies.for_each(|b| v.body(b.index, &b.path, &b.salt, &b.value));
    if !tiles_first {
        tiles(&mut v);
    }
    for (id, state, revision, queue) in &db.items {
        let queue = queue.as_deref();
        v.item(ItemRow { id, state: *state, revision: *revision, queue });
    }
    v.end_items();
    v.finish()
}

/// Verifies with tiles before and after their entries: both must agree on the first bad entry.
fn verify(db: &Db) -> Report {
    let report = verify_with(db, &[]);
    let late = verify_ordered(db, &[], false);
    let place = |r: &Report| r.first_bad().map(|f| (f.first, f.last));
    assert_eq!(place(&report), place(&late), "{:?}", late.faults);
    report
}

/// The first fault with tiles first only: for the tests that flip thousands of bits.
#[track_caller]
fn first_bad_flip(db: &Db) -> (u64, u64) {
    let report = verify_with(db, &[]);
    let fault = report.first_bad().expect("nothing was noticed");
    (fault.first, fault.last)
}

/// The first fault, as `(first, last)`.
#[track_caller]
fn first_bad(db: &Db) -> (u64, u64) {
    let report = verify(db);
    let fault = report.first_bad().expect("nothing was noticed");
    (fault.first, fault.last)
}

#[test]
fn an_honest_log_verifies() {
    for n in [2, 9, 10, 255, 256, 257, 600] {
        let db = log(n.max(6));
        let report = verify(&db);
        assert!(report.ok(), "{n}: {:?}", report.faults);
        assert_eq!(report.entries, db.size());
        assert_eq!(report.checkpoint, Some(db.size()));
        assert_eq!((report.unsigned, report.erased), (0, 1));
        assert_eq!(report.bodies, db.bodies.len() as u64);
        assert_eq!(report.root, Frontier::from_bytes(&db.frontier).unwrap().root());
    }
}

#[test]
fn every_flipped_bit_of_an_entry_is_found_where_it_is() {
    let good = log(6);
    for i in 0..good.entries.len() {
        for at in 0..good.entries[i].1.len() {
            for bit in 0..8 {
                let mut db = good.clone();
                db.entries[i].1[at] ^= 1 << bit;
                assert_eq!(
                    first_bad_flip(&db),
                    (i as u64, i as u64),
                    "entry {i} byte {at} bit {bit}"
                );
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_body_is_found_where_it_is() {
    let good = log(8);
    for i in 0..good.bodies.len() {
        let Body { index, ref salt, ref value, .. } = good.bodies[i];
        for bit in 0..8 * (salt.len() + value.len()) {
            let mut db = good.clone();
            let b = &mut db.bodies[i];
            let (at, mask) = (bit / 8, 1 << (bit % 8));
            match at.checked_sub(b.salt.len()) {
                None => b.salt[at] ^= mask,
                Some(at) => b.value[at] ^= mask,
            }
            assert_eq!(first_bad_flip(&db), (index, index), "body {i} bit {bit}");
        }
        let mut db = good.clone();
        db.bodies[i].path.push('x');
        assert_eq!(first_bad_flip(&db), (index, index));
        let mut db = good.clone();
        db.bodies.remove(i);
        assert_eq!(first_bad_flip(&db), (index, index));
    }
}

#[test]
fn a_flipped_bit_of_a_leaf_hash_is_found_where_it_is() {
    let good = log(300);
    let tile = good.tiles.iter().position(|t| t.level == 0).unwrap();
    for at in (0..good.tiles[tile].bytes.len()).step_by(97) {
        let mut db = good.clone();
        db.tiles[tile].bytes[at] ^= 1 << (at % 8);
        assert_eq!(first_bad_flip(&db), (at as u64 / 32, at as u64 / 32), "byte {at}");
    }
    let mut db = good.clone();
    db.tiles[tile].bytes.push(0);
    assert_eq!(first_bad_flip(&db), (0, 255));
    let mut db = good.clone();
    db.tiles.remove(tile);
    assert_eq!(first_bad_flip(&db), (0, 255));
    // The row with the unfinished tiles carries its root and is read only if they agree.
    for at in (0..good.frontier.len()).step_by(83) {
        let mut db = good.clone();
        db.frontier[at] ^= 1 << (at % 8);
        assert!(!verify_with(&db, &[]).ok(), "byte {at}");
    }
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_found() {
    let good = log(8);
    for i in 0..good.checkpoints.len() {
        let (size, note) = good.checkpoints[i].clone();
        let before = if i == 0 { 0 } else { good.checkpoints[i - 1].0 };
        for at in 0..note.len() {
            for bit in 0..8 {
                let mut bytes = note.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(bad) = String::from_utf8(bytes) else { continue };
                let mut db = good.clone();
                db.checkpoints[i].1 = bad;
                assert_eq!(first_bad_flip(&db), (before, size - 1), "note {i} byte {at} bit {bit}");
            }
        }
        let mut db = good.clone();
        db.checkpoints[i].0 += 1;
        assert_eq!(first_bad_flip(&db), (before, size - 1));
    }
}

#[test]
fn removed_inserted_swapped_and_doubled_entries_are_named() {
    let good = log(300);
    for i in [0usize, 1, 17, 255, 256, 300] {
        let at = i as u64;
        // Removed, leaving the gap; and with the rest moved up.
        let mut db = good.clone();
        db.entries.remove(i);
        assert_eq!(first_bad(&db), (at, at), "gap at {i}");
        db.entries.iter_mut().enumerate().for_each(|(n, e)| e.0 = n as u64);
        assert_eq!(first_bad(&db), (at, at), "removed {i}");
        // Inserted.
        let mut db = good.clone();
        let forged = Entry::new(EntryKind::SETTLE, "eve", time(1), time(1)).bytes();
        db.entries.insert(i, (0, forged));
        db.entries.iter_mut().enumerate().for_each(|(n, e)| e.0 = n as u64);
        assert_eq!(first_bad(&db), (at, at), "inserted {i}");
        // Twice.
        let mut db = good.clone();
        db.entries.insert(i + 1, db.entries[i].clone());
        assert_eq!(first_bad(&db), (at, at), "twice {i}");
        // Swapped with the next.
        let mut db = good.clone();
        let (a, b) = (db.entries[i].1.clone(), db.entries[i + 1].1.clone());
        db.entries[i].1 = b;
        db.entries[i + 1].1 = a;
        assert_eq!(first_bad(&db), (at, at), "swapped {i}");
    }
}

#[test]
fn a_cut_end_is_named() {
    let good = log(24);
    let last = good.size() - 1;
    // Only the entry.
    let mut db = good.clone();
    db.entries.pop();
    assert_eq!(first_bad(&db), (last, last));
    // The entry with all its traces, but not the checkpoint over it.
    db.rechain();
    assert_eq!(first_bad(&db), (last, last));
    assert!(verify(&db).faults[0].reason.contains("its end was cut off"));
}

#[test]
fn rewriting_without_the_key_is_caught_by_the_next_checkpoint() {
    let mut db = log(24);
    let forged = String::from_utf8(db.entries[13].1.clone()).unwrap().replace("system", "sistem");
    db.entries[13].1 = forged.into_bytes();
    db.rechain();
    assert_eq!(first_bad(&db), (10, 19));
    // Without any checkpoint, nothing vouches for the log.
    db.checkpoints.clear();
    assert!(!verify(&db).ok());
}

#[test]
fn what_the_key_holder_rewrites_is_caught_from_outside() {
    let good = log(24);
    let outside = good.checkpoints[1].1.clone();
    let size = good.checkpoints[1].0;
    assert!(verify_with(&good, &[&outside]).ok());

    // An old backup is honest in itself, and a cut log to who remembers.
    let old = log(6);
    assert!(verify(&old).ok());
    let report = verify_with(&old, &[&outside]);
    let fault = report.first_bad().unwrap();
    assert_eq!((size, old.size(), fault.first, fault.last), (10, 8, 8, 8));
    assert!(fault.reason.contains("its end was cut off"));

    // Rewritten and signed again: consistent, but for the checkpoint kept elsewhere.
    let mut forged = good.clone();
    let text = String::from_utf8(forged.entries[7].1.clone()).unwrap().replace("system", "sistem");
    forged.entries[7].1 = text.into_bytes();
    forged.rechain();
    forged.checkpoints.clear();
    forged.sign();
    assert!(verify(&forged).ok());
    let report = verify_with(&forged, &[&outside]);
    let fault = report.first_bad().unwrap();
    assert_eq!((fault.first, fault.last, report.outside_checked), (0, 9, 1));
    assert!(fault.reason.contains("from outside"));
}

#[test]
fn an_outside_checkpoint_of_another_key_is_no_evidence() {
    let other = LogKey::from_seed("overrule.example/test", [6; 32]).unwrap();
    let db = log(24);
    let mut v = Verifier::new(key().verifier());
    v.head(db.size(), &db.frontier);
    let unsigned = NoteError::Unsigned("overrule.example/test".into());
    assert_eq!(v.outside(&other.sign(3, [0; 32])), Err(unsigned));
}

#[test]
fn erasing_needs_an_entry_that_names_the_commitment() {
    let good = log(24);
    // A body restored after its erasure contradicts the log.
    let mut db = good.clone();
    db.bodies.insert(1, db.erased[0].clone());
    let erase = good.size() - 1;
    assert_eq!(first_bad(&db), (erase, erase));
    // A body that is gone without a word.
    let mut db = good.clone();
    db.bodies.remove(4);
    assert_eq!(first_bad(&db), (6, 6));
}

#[test]
fn what_was_erased_may_be_erased_again() {
    let again = |id: &str, x: Vec<Hash>| {
        let mut db = log(24);
        let mut e = Entry::new(EntryKind::ERASE, "ann", time(40), time(40));
        (e.id, e.x) = (Some(id.into()), x);
        db.append(e);
        db.sign();
        verify(&db)
    };
    let gone = Entry::parse(&log(24).entries[25].1).unwrap().x;
    let report = again("d-2", gone.clone());
    assert!(report.ok(), "{:?}", report.faults);
    assert_eq!(report.erased, 1);
    // Only what an entry before named: of anything else it is no word.
    let there = Entry::parse(&log(24).entries[3].1).unwrap().c[0].hash;
    let report = again("d-3", vec![gone[0], there]);
    assert_eq!(report.first_bad().map(|f| f.first), Some(26));
}

#[test]
fn an_entry_is_found_under_the_decision_it_is_about() {
    let db = log(24);
    let faults = |at: u64, about: Option<&str>| {
        let mut v = Verifier::new(key().verifier());
        v.head(db.size(), &db.frontier);
        for (index, bytes) in &db.entries {
            v.entry(*index, bytes);
            let entry = Entry::parse(bytes).unwrap();
            let right = entry.id.as_deref().filter(|_| entry.t != EntryKind::ADMIT);
            v.about(if *index == at { about } else { right });
        }
        let said = v.finish().faults;
        said.into_iter().filter(|f| f.reason.contains("kept as one")).collect::<Vec<_>>()
    };
    assert_eq!(faults(24, Some("d-5")), []);
    for (at, about) in
        [(24, None), (24, Some("d-6")), (25, None), (3, Some("d-3")), (0, Some("d-3"))]
    {
        let found = faults(at, about);
        assert_eq!(found.iter().map(|f| (f.first, f.last)).collect::<Vec<_>>(), [(at, at)]);
    }
    let found = faults(24, None);
    assert_eq!(found[0].reason, "entry 24 is kept as one about no decision, and is about \"d-5\"");
}

#[test]
fn items_stand_where_the_log_left_them() {
    let good = log(24);
    type Change = fn(&mut Db);
    let changes: [(Change, u64); 6] = [
        (|db| db.items[1].1 = ItemState::Settled, 10),
        (|db| db.items[0].2 = 3, 24),
        (|db| db.items[1].3 = Some("level2".into()), 10),
        (|db| drop(db.items.remove(1)), 10),
        (|db| db.items.push(db.items[1].clone()), 10),
        (|db| db.items.push(("d-6".into(), ItemState::Waiting, 1, None)), 0),
    ];
    for (n, (change, index)) in changes.into_iter().enumerate() {
        let mut db = good.clone();
        change(&mut db);
        assert_eq!(first_bad(&db).0, index, "change {n}");
    }
    // Rows of decisions that were settled at admission are allowed.
    let mut db = good.clone();
    db.items.push(("d-6".into(), ItemState::Settled, 1, None));
    assert!(verify(&db).ok());
}

#[test]
fn the_unsigned_end_is_counted() {
    let mut db = log(24);
    let mut e = Entry::new(EntryKind::FEEDBACK, "api", time(99), time(99));
    db.with_body(&mut e, "feedback", "{}");
    db.append(e);
    let report = verify(&db);
    assert!(report.ok(), "{:?}", report.faults);
    assert_eq!((report.unsigned, report.checkpoint), (1, Some(db.size() - 1)));
}

#[test]
fn many_faults_are_counted_and_the_first_is_listed() {
    let mut db = log(600);
    db.entries.iter_mut().skip(40).for_each(|e| e.1[10] ^= 1);
    let report = verify(&db);
    assert_eq!(report.first_bad().unwrap().first, 40);
    assert!(report.total_faults > 500 && report.faults.len() <= 100);
}
