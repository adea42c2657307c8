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
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use overrule::protocol::{Query, Reply};
use support::{Records, Times, desk, goal, head, note, rows};

const WAITING: usize = 5_000;
const VERDICTS: usize = 500;
/// A quick reviewer's pace, far above a person's.
const PAUSE: Duration = Duration::from_millis(10);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("ingest") => return ingest_for_ever(Path::new(&args[2])),
        Some("insert") => return insert_for_ever(Path::new(&args[2])),
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

    let before = decisions(&local);
    let mut other = Other::start("ingest", &path);
    while decisions(&local) < before + 2_000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (from, since) = (decisions(&local), Instant::now());
    let mut busy = verdicts(&local);
    let rate = (decisions(&local) - from) as f64 / since.elapsed().as_secs_f64();
    other.stop();
    note("the ingest meanwhile", format!("{rate:.0} rows/s"));
    local.close().unwrap();

    let mut plain = plain_writers(&folder.path().join("bare.db"), &records);
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

fn decisions(local: &overrule::desk::Local) -> u64 {
    match local.ask_blocking(desk::ME, Query::Entries { item: None, from: 0, limit: 1 }).unwrap() {
        Reply::Entries { total, .. } => total,
        other => unreachable!("{other:?}"),
    }
}

/// One row a transaction beside another process's batches of 1,000, with SQLite's own waiting.
fn plain_writers(path: &Path, records: &Records) -> Times {
    let conn = rows::open(path);
    conn.busy_timeout(Duration::from_secs(60)).unwrap();
    rows::insert(&conn, &records.rows, 1_000);
    let mut other = Other::start("insert", path);
    let count = |conn: &rusqlite::Connection| -> i64 {
        conn.query_row("SELECT max(rowid) FROM rows", (), |r| r.get(0)).unwrap()
    };
    let before = count(&conn);
    while count(&conn) < before + 2_000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut times = Times::default();
    for n in 0..VERDICTS {
        let since = Instant::now();
        conn.execute("INSERT INTO rows(id, bytes) VALUES (?1, x'00')", [format!("v{n}")]).unwrap();
        times.push(since.elapsed());
        std::thread::sleep(PAUSE);
    }
    other.stop();
    times
}

/// The other process.
struct Other(Child);

impl Other {
    fn start(role: &str, path: &Path) -> Self {
        let me = std::env::current_exe().unwrap();
        Self(Command::new(me).arg(role).arg(path).spawn().unwrap())
    }

    fn stop(&mut self) {
        // It may have ended by itself only by failing; the figures then tell.
        assert!(self.0.try_wait().unwrap().is_none(), "the other process has ended");
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ingest_for_ever(path: &Path) {
    let local = desk::open(path, false);
    for _ in 0.. {
        desk::ingest(&local, fresh(50_000));
    }
}

fn insert_for_ever(path: &Path) {
    let conn = rows::open(path);
    conn.busy_timeout(Duration::from_secs(60)).unwrap();
    for _ in 0.. {
        rows::insert(&conn, &fresh(50_000), 1_000);
    }
}

/// Records under ids that were never used.
fn fresh(count: usize) -> Vec<support::Row> {
    let mut records = Records::find();
    let round = uuid::Uuid::now_v7();
    for row in &mut records.rows {
        *row = support::renamed(row, &format!("{}~{round}", row.id));
    }
    records.repeated(count)
}
