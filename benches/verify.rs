//! Verify the whole trail with its bodies on one core, against reading and hashing the same bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use support::{Records, desk, goal, head, median, note};

const ROWS: usize = 200_000;
const ROUNDS: usize = 5;

fn main() {
    if !support::asked() {
        return;
    }
    head("verify: entries a second on one core, bodies included");
    let records = Records::find();
    note("records", format!("{}, repeated to {ROWS}", records.from));
    let folder = support::folder();
    let path = folder.path().join("desk.db");
    let local = desk::open(&path, false);
    desk::ingest(&local, records.repeated(ROWS));
    local.execute_blocking(desk::ME, overrule::protocol::Command::Checkpoint).unwrap();

    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut entries = 0;
        let took = support::each(1, || {
            let report = desk::verify(&local);
            assert!(report.ok, "{:?}", report.faults);
            entries = report.entries;
        });
        ours.push(entries as f64 / took);
        let mut hashed = 0;
        let took = support::each(1, || hashed = read_and_hash(&path));
        assert_eq!(hashed, entries);
        floor.push(entries as f64 / took);
    }
    let (ours, floor) = (median(ours), median(floor));
    note("reading and hashing alone", format!("{floor:.0} entries/s: the limit"));
    note("of that limit", format!("{:.0} %", ours / floor * 100.0));
    goal("verify", format!("{ours:.0} entries/s"), "≥ 200000/s", ours >= 200_000.0);
    local.close().unwrap();
}

/// The least a verifier with bodies can do: read every byte once and hash it once.
fn read_and_hash(path: &std::path::Path) -> u64 {
    let conn = Connection::open(path).unwrap();
    let mut hashes = 0u8;
    let mut entries = 0;
    let mut log = conn.prepare("SELECT bytes FROM log ORDER BY idx").unwrap();
    let mut rows = log.query(()).unwrap();
    while let Some(row) = rows.next().unwrap() {
        hashes ^= Sha256::digest(row.get_ref(0).unwrap().as_blob().unwrap())[0];
        entries += 1;
    }
    let mut texts = conn.prepare("SELECT salt, value FROM bodies ORDER BY id").unwrap();
    let mut rows = texts.query(()).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let mut sha = Sha256::new();
        sha.update(row.get_ref(0).unwrap().as_blob().unwrap());
        sha.update(row.get_ref(1).unwrap().as_blob().unwrap());
        hashes ^= sha.finalize()[0];
    }
    std::hint::black_box(hashes);
    entries
}
