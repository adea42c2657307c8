//! From a verdict to the next item: the verdict durable, the next item leased and loaded, with
//! 100,000 waiting. Compared with two bare durable commits and two point reads.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use std::time::{Duration, Instant};

use support::{Records, Times, desk, goal, head, note, rows};

const WAITING: usize = 100_000;
const VERDICTS: usize = 1_000;

fn main() {
    if !support::asked() {
        return;
    }
    head("next item after a verdict, 100,000 waiting");
    let records = Records::find();
    note("records", format!("{}, made to wait", records.from));
    let folder = support::folder();
    let local = desk::open(&folder.path().join("desk.db"), true);
    let summary = desk::ingest(&local, records.waiting(WAITING));
    assert_eq!(summary.review, WAITING as u64, "{summary:?}");
    let bare = rows::open(&folder.path().join("bare.db"));
    rows::insert(&bare, &records.repeated(WAITING), 1_000);

    let (mut decide, mut load, mut both, mut floor) =
        (Times::default(), Times::default(), Times::default(), Times::default());
    let mut item = desk::next(&local).unwrap();
    for n in 0..VERDICTS {
        let since = Instant::now();
        desk::accept(&local, &item);
        let decided = since.elapsed();
        item = desk::next(&local).unwrap();
        let loaded = since.elapsed();
        decide.push(decided);
        load.push(loaded - decided);
        both.push(loaded);
        floor.push(two_commits(&bare, n));
    }
    note("two bare commits and reads", floor.show());
    note("the verdict, durable", decide.show());
    note("the next item, leased and loaded", load.show());
    let p99 = both.at(0.99);
    let ratio = p99.as_secs_f64() / floor.at(0.99).as_secs_f64();
    note("times the bare p99", format!("{ratio:.1}"));
    goal("verdict and next item", both.show(), "p99 < 16 ms", p99 < Duration::from_millis(16));
    local.close().unwrap();
}

/// What no store can do without: each step durable, each row read.
fn two_commits(conn: &rusqlite::Connection, n: usize) -> Duration {
    let since = Instant::now();
    for k in [2 * n, 2 * n + 1] {
        let mut update = conn
            .prepare_cached("UPDATE rows SET bytes = CAST(bytes || ' ' AS BLOB) WHERE rowid = ?1")
            .unwrap();
        update.execute([k as i64 + 1]).unwrap();
        let mut read = conn.prepare_cached("SELECT bytes FROM rows WHERE rowid = ?1").unwrap();
        let bytes: Vec<u8> = read.query_row([k as i64 + 1], |r| r.get(0)).unwrap();
        std::hint::black_box(bytes);
    }
    since.elapsed()
}
