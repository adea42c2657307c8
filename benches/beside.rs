//! A verdict while another process ingests in bulk into the same store.
//!
//! The other process is this program again, with the store's path as its argument. Compared with
//! the same verdicts in quiet, and with what two plain writers of one SQLite file do to each other.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::other::{self, Other, entries};
use support::{Records, Times, desk, goal, head, note};

const WAITING: usize = 5_000;
const VERDICTS: usize = 500;
/// A quick reviewer's pace, far above a person's.
const PAUSE: Duration = Duration::from_millis(10);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("ingest") => return other::ingest_for_ever(Path::new(&args[2])),
        Some("insert") => return other::insert_for_ever(Path::new(&args[2])),
        _ if !support::asked() => return,
        _ => {}
    }
    head("a verdict beside a bulk ingest of another process");
    let records = Records::find();
    note("records", &records.from);
    let folder = support::folder();
    let path = folder.path().join("desk.db");
    let local = desk::open(&path, true);
    desk::ingest(&local, records.waiting(WAITING));

    let mut quiet = verdicts(&local);
    note("in quiet", quiet.show());

    let before = entries(&local);
    let mut other = Other::start("ingest", &path);
    while entries(&local) < before + 2_000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (from, since) = (entries(&local), Instant::now());
    let mut busy = verdicts(&local);
    let rate = (entries(&local) - from) as f64 / since.elapsed().as_secs_f64();
    other.stop();
    note("the ingest meanwhile", format!("{rate:.0} rows/s"));
    local.close().unwrap();

    let bare = folder.path().join("bare.db");
    let mut plain = other::plain_writers(&bare, &records, VERDICTS, PAUSE);
    note("two plain SQLite writers", plain.show());
    let p99 = busy.at(0.99);
    let ratio = p99.as_secs_f64() / plain.at(0.99).as_secs_f64();
    note("share of the plain p99", format!("{:.1} %", ratio * 100.0));
    goal("a verdict beside it", busy.show(), "p99 ≤ 20 ms", p99 <= Duration::from_millis(20));
}

/// Take an item, decide it; the time of the verdict alone.
fn verdicts(local: &overrule::desk::Local) -> Times {
    let mut times = Times::default();
    for _ in 0..VERDICTS {
        let item = desk::next(local).unwrap();
        let since = Instant::now();
        desk::accept(local, &item);
        times.push(since.elapsed());
        std::thread::sleep(PAUSE);
    }
    times
}
