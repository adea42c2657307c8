//! Durable ingest by trail and store alone, as a share of a bare insert of the same bytes.
//!
//! `cargo bench --bench store [rows]`. Both run in this one process, in turn, three times: records
//! in batches, each batch durable (WAL, `synchronous=FULL`). The bare insert is one prepared
//! statement into one table, batches of 1,000. The store gets 200 rows a batch, several batches in
//! flight, as a desk would send them; commitments and entries are made on the calling thread.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may stop")]

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use overrule::domain::Timestamp;
use overrule::store::{AdmitBatch, Fresh, OpenMode, Premises, Sqlite, Store};

#[path = "support/admissions.rs"]
mod admissions;

use admissions::{records, row};

/// Batches on their way at any moment.
const IN_FLIGHT: usize = 10;

fn main() {
    let rows = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(200_000);
    let records = records(rows);
    let bytes: usize = records.iter().map(|(_, raw)| raw.len()).sum();
    println!("{rows} records, {} bytes each on average", bytes / rows);
    let mut ratios = Vec::new();
    for round in 1..=3 {
        let folder = tempfile::tempdir().unwrap();
        let bare = bare(&folder.path().join("bare.db"), &records);
        let mut line = format!("round {round}: bare {bare:.0} rows/s");
        for people in [0, 3] {
            let path = folder.path().join(format!("store{people}.db"));
            let store = admit(&path, &records, people);
            let size = std::fs::metadata(&path).unwrap().len() as f64 / rows as f64;
            line += &format!(
                "; {} {store:.0} rows/s = {:.2} ({size:.0} bytes a row)",
                if people == 0 { "all automatic" } else { "a third waits" },
                store / bare
            );
            ratios.push(store / bare);
        }
        println!("{line}");
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ratios.len() / 2]);
}

fn bare(path: &Path, records: &[(String, Vec<u8>)]) -> f64 {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE records(n INTEGER PRIMARY KEY, raw BLOB NOT NULL);",
    )
    .unwrap();
    let start = Instant::now();
    for batch in records.chunks(1_000) {
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut insert = conn.prepare_cached("INSERT INTO records(raw) VALUES (?1)").unwrap();
        for (_, raw) in batch {
            insert.execute([raw]).unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
    }
    records.len() as f64 / start.elapsed().as_secs_f64()
}

/// `people`: every how many-th record waits for people (0: none).
fn admit(path: &Path, records: &[(String, Vec<u8>)], people: usize) -> f64 {
    let mode = OpenMode { create: true, ..OpenMode::default() };
    let fresh = Fresh { key: [7; 32], origin: "bench.example/log".to_owned() };
    let store = Sqlite::open(path, mode, &fresh).unwrap();
    let start = Instant::now();
    let mut tickets = VecDeque::new();
    for (k, batch) in records.chunks(200).enumerate() {
        let rows = batch.iter().enumerate().map(|(i, (id, raw))| {
            let waits = people > 0 && i % people == 0;
            row(id, raw, k * 200 + i, waits)
        });
        let rows = rows.collect();
        let now = Timestamp::from_second(1_700_000_000 + k as i64).unwrap();
        let premises = Premises { generation: Some(0), policy: Some(None), ..Premises::default() };
        tickets.push_back(store.admit(AdmitBatch {
            premises,
            now,
            rows: std::sync::Arc::new(rows),
            dead: Vec::new(),
            bulk: true,
        }));
        if tickets.len() > IN_FLIGHT {
            tickets.pop_front().unwrap().wait().unwrap();
        }
    }
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    let rate = records.len() as f64 / start.elapsed().as_secs_f64();
    assert_eq!(store.snapshot().unwrap().decisions, records.len() as u64);
    rate
}
