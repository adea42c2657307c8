//! PostgreSQL beside SQLite, and leases beside a bare `SKIP LOCKED` loop, in one run.
//!
//! `cargo bench --bench postgres [rows]`. The server is a throw-away cluster on this machine, with
//! `fsync` on; without an installed server nothing is measured. Three rounds, everything in turn:
//!
//! - admission by the store alone, each answer waited for: one record at a time from 64 and 256
//!   callers (as a server's connections would), and batches of 500;
//! - leases, one at a time, 64 callers: the store's, and a bare loop over a narrow table through a
//!   pool of 8 connections, each a durable transaction.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark may stop"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use overrule::domain::Timestamp;
use overrule::store::{AdmitBatch, Fresh, OpenMode, Postgres, Premises, Sqlite, Store};

#[path = "support/admissions.rs"]
mod admissions;
#[path = "support/leases.rs"]
mod many;
#[path = "../tests/support/postgres.rs"]
mod throw_away;

use admissions::{records, row};
use many::drain;

/// Items to lease, and callers who do.
const ITEMS: usize = 20_000;
const PEOPLE: usize = 64;

fn main() {
    // `cargo test --all-targets` starts it too, and only wants to know that it starts.
    if !std::env::args().any(|a| a == "--bench") {
        return println!("a benchmark: run it with `cargo bench --bench postgres`");
    }
    let rows = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(30_000);
    let Some(cluster) = throw_away::own_cluster("the benchmark") else { return };
    let cluster = Arc::new(cluster);
    let records = records(rows);
    for round in 1..=3 {
        let database = cluster.database();
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(&folder.path().join("s.db"), mode(), &fresh()).unwrap();
        let postgres = Postgres::open(&database.url(), mode(), &fresh()).unwrap();
        let mut done = 0;
        for (callers, size, share) in [(64, 1, 4), (256, 1, 2), (4, 500, 4)] {
            let part = &records[done..done + rows / share];
            done += rows / share;
            let s = admit(&sqlite, part, callers, size);
            let p = admit(&postgres, part, callers, size);
            println!(
                "round {round}: {callers} callers, {size} a batch: SQLite {s:.0}/s, PostgreSQL \
                 {p:.0}/s = {:.2}",
                p / s
            );
        }
        let database = cluster.database();
        let bare = bare(&database.url());
        let database = cluster.database();
        let leased = leases(&database.url());
        println!(
            "round {round}: leases, {PEOPLE} callers: bare loop {bare:.0}/s, the store {leased:.0}/s \
             = {:.2}",
            leased / bare
        );
    }
}

fn mode() -> OpenMode {
    OpenMode { create: true, ..OpenMode::default() }
}

fn fresh() -> Fresh {
    Fresh { key: [7; 32], origin: "bench.example/log".to_owned() }
}

fn batch(part: &[(String, Vec<u8>)], from: usize, waits: bool) -> AdmitBatch {
    let rows = part.iter().enumerate().map(|(i, (id, raw))| row(id, raw, from + i, waits));
    AdmitBatch {
        premises: Premises { generation: Some(0), policy: Some(None), ..Premises::default() },
        now: Timestamp::from_second(1_700_000_000).unwrap(),
        rows: Arc::new(rows.collect()),
        dead: Vec::new(),
        bulk: false,
    }
}

/// Records a second, every answer waited for.
fn admit(store: &dyn Store, records: &[(String, Vec<u8>)], callers: usize, size: usize) -> f64 {
    let chunks: Vec<_> = records.chunks(size).collect();
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                while let Some(part) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    store.admit(batch(part, 0, false)).wait().unwrap();
                }
            });
        }
    });
    records.len() as f64 / start.elapsed().as_secs_f64()
}

/// Leases a second through the store.
fn leases(url: &str) -> f64 {
    drain(&Postgres::open(url, mode(), &fresh()).unwrap(), ITEMS, PEOPLE).0
}

/// The least that a lease can be, by as many callers through 8 connections.
fn bare(url: &str) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(8).build().unwrap();
        let client = pool.get().await.unwrap();
        client
            .batch_execute(&format!(
                "CREATE TABLE q(n BIGINT PRIMARY KEY, place BIGINT NOT NULL, reviewer TEXT,
                     until BIGINT NOT NULL, epoch BIGINT NOT NULL) WITH (fillfactor = 70);
                 INSERT INTO q SELECT i, i, NULL, 0, 0 FROM generate_series(1, {ITEMS}) i;
                 CREATE INDEX q_free ON q(place) WHERE reviewer IS NULL; ANALYZE q"
            ))
            .await
            .unwrap();
        drop(client);
        let start = Instant::now();
        let callers = (0..PEOPLE).map(|person| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let name = format!("p{person}");
                let mut mine = 0usize;
                loop {
                    let client = pool.get().await.unwrap();
                    let claim = client
                        .prepare_cached(
                            "WITH f AS MATERIALIZED (SELECT n FROM q WHERE reviewer IS NULL
                                 ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED)
                             UPDATE q SET reviewer = $1, until = 1, epoch = epoch + 1 FROM f
                             WHERE q.n = f.n RETURNING q.n, epoch",
                        )
                        .await
                        .unwrap();
                    match client.query_opt(&claim, &[&name]).await.unwrap() {
                        Some(_) => mine += 1,
                        None => return mine,
                    }
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        let mut all = 0;
        for caller in callers {
            all += caller.await.unwrap();
        }
        assert_eq!(all, ITEMS);
        ITEMS as f64 / start.elapsed().as_secs_f64()
    })
}
