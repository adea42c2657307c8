//! Another process that writes in bulk: this program again, with the store's path as its argument.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use overrule::desk::Local;
use overrule::protocol::{Query, Reply};

use super::{Records, Row, Times, desk, renamed, rows};

/// The other process.
pub struct Other(Child);

impl Other {
    /// Start this program as `role` (`ingest` or `insert`) on a store.
    pub fn start(role: &str, path: &Path) -> Self {
        let me = std::env::current_exe().unwrap();
        Self(Command::new(me).arg(role).arg(path).spawn().unwrap())
    }

    /// Stop it. It may have ended by itself only by failing; the figures then tell.
    pub fn stop(&mut self) {
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

/// Entries in the log now.
pub fn entries(local: &Local) -> u64 {
    match local.ask_blocking(desk::ME, Query::Entries { item: None, from: 0, limit: 1 }).unwrap() {
        Reply::Entries { total, .. } => total,
        other => unreachable!("{other:?}"),
    }
}

/// What the other process does as `ingest`.
pub fn ingest_for_ever(path: &Path) {
    let local = desk::open(path, false);
    for _ in 0.. {
        desk::ingest(&local, fresh(50_000));
    }
}

/// What the other process does as `insert`.
pub fn insert_for_ever(path: &Path) {
    let conn = rows::open(path);
    conn.busy_timeout(Duration::from_secs(60)).unwrap();
    for _ in 0.. {
        rows::insert(&conn, &fresh(50_000), 1_000);
    }
}

/// One row a transaction beside another process's batches of 1,000, with SQLite's own waiting.
pub fn plain_writers(path: &Path, records: &Records, times: usize, pause: Duration) -> Times {
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
    let mut taken = Times::default();
    for n in 0..times {
        let since = Instant::now();
        conn.execute("INSERT INTO rows(id, bytes) VALUES (?1, x'00')", [format!("v{n}")]).unwrap();
        taken.push(since.elapsed());
        std::thread::sleep(pause);
    }
    other.stop();
    taken
}

/// Records under ids that were never used.
fn fresh(count: usize) -> Vec<Row> {
    let mut records = Records::find();
    let round = uuid::Uuid::now_v7();
    for row in &mut records.rows {
        *row = renamed(row, &format!("{}~{round}", row.id));
    }
    records.repeated(count)
}
