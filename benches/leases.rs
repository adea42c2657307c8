//! Leases over SQLite: 64 callers through the one writer, against eight writers that contend.
//!
//! `cargo bench --bench leases`. Three rounds, both in turn: the store's leases, one at a time, each
//! durable and waited for; and eight connections to a bare file, each taking the next free row of a
//! narrow table in a durable transaction of its own (`BEGIN IMMEDIATE`, a busy timeout). What is
//! told is the rate, and the longest that one caller waited for one lease.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark may stop, and rounds what it prints"
)]

#[path = "support/admissions.rs"]
mod admissions;
#[path = "support/leases.rs"]
mod many;
mod support;

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use many::drain;
use overrule::store::{Fresh, OpenMode, Sqlite};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use support::{goal, head, note};

const ITEMS: usize = 20_000;
const CALLERS: usize = 64;
const WRITERS: usize = 8;
/// How long the eight try: they would take minutes for all items.
const SPAN: Duration = Duration::from_secs(5);

fn main() {
    if !support::asked() {
        return;
    }
    head("leases over SQLite, 64 callers");
    let (mut ratios, mut longest) = (Vec::new(), Duration::ZERO);
    for round in 1..=3 {
        let folder = support::folder();
        let (bare, bare_wait) = contending(&folder.path().join("bare.db"));
        let (store, wait) = leases(&folder.path().join("desk.db"));
        ratios.push(store / bare);
        longest = longest.max(wait);
        note(
            &format!("round {round}, eight writers"),
            format!("{bare:.0}/s, longest {bare_wait:?}"),
        );
        note(&format!("round {round}, the store"), format!("{store:.0}/s, longest {wait:?}"));
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios.get(1).copied().unwrap_or_default();
    goal("times eight contending writers", format!("{ratio:.1}"), "≥ 10", ratio >= 10.0);
    let most = Duration::from_millis(100);
    goal("longest wait of any caller", format!("{longest:?}"), "< 100 ms", longest < most);
}

/// The store's leases, over a file of its own.
fn leases(path: &Path) -> (f64, Duration) {
    let mode = OpenMode { create: true, ..OpenMode::default() };
    let fresh = Fresh { key: [7; 32], origin: "bench.example/log".to_owned() };
    drain(&Sqlite::open(path, mode, &fresh).unwrap(), ITEMS, CALLERS)
}

/// Eight connections that take the next free row, each in a transaction of its own.
fn contending(path: &Path) -> (f64, Duration) {
    let open = || {
        let conn = Connection::open(path).unwrap();
        conn.busy_timeout(Duration::from_secs(60)).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").unwrap();
        conn
    };
    let mut conn = open();
    conn.execute_batch(
        "CREATE TABLE q(n INTEGER PRIMARY KEY, reviewer TEXT, until INTEGER, epoch INTEGER NOT NULL);
         CREATE INDEX q_free ON q(n) WHERE reviewer IS NULL",
    )
    .unwrap();
    let tx = conn.transaction().unwrap();
    for n in 0_u32..20_000 {
        tx.execute("INSERT INTO q VALUES (?1, NULL, NULL, 0)", [n]).unwrap();
    }
    tx.commit().unwrap();
    let taken = Mutex::new((0_usize, Duration::ZERO));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (open, taken) = (&open, &taken);
            scope.spawn(move || {
                let (mut conn, mut mine, mut longest) = (open(), 0, Duration::ZERO);
                while start.elapsed() < SPAN {
                    let asked = Instant::now();
                    let tx =
                        conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
                    let n: Option<i64> = tx
                        .query_row(
                            "UPDATE q SET reviewer = ?1, until = 1, epoch = epoch + 1 WHERE n =
                                 (SELECT n FROM q WHERE reviewer IS NULL ORDER BY n LIMIT 1)
                             RETURNING n",
                            [format!("w{writer}")],
                            |row| row.get(0),
                        )
                        .optional()
                        .unwrap();
                    tx.commit().unwrap();
                    longest = longest.max(asked.elapsed());
                    if n.is_none() {
                        break;
                    }
                    mine += 1;
                }
                let mut taken = taken.lock().unwrap();
                taken.0 += mine;
                taken.1 = taken.1.max(longest);
            });
        }
    });
    let spent = start.elapsed().as_secs_f64();
    let (taken, longest) = taken.into_inner().unwrap();
    (taken as f64 / spent, longest)
}
