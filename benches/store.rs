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

use overrule::audit::{Entry, EntryKind, Salt, commit};
use overrule::domain::{Facts, Item, ItemState, Kind, Outcome, Route, Timestamp};
use overrule::store::{
    Admission, AdmitBatch, Body, Columns, EntryDraft, Fresh, OpenMode, Premises, Sqlite, Store,
};
use sha2::{Digest as _, Sha256};

const POLICY: &str = "sha256:1d3f5b7a9c1e3f5b7a9c1e3f5b7a9c1e3f5b7a9c1e3f5b7a9c1e3f5b7a9c1e3f";
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

/// Real records where they are at hand, repeated with new ids; else made-up ones of like size.
fn records(rows: usize) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let mut lines: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.ends_with(".jsonl") && !name.contains("truth") && !name.contains("hostile") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    if lines.is_empty() {
        lines = (0..1_000)
            .map(|n| {
                format!(r#"{{"id":"rec-{n:05}","output":"{}"}}"#, "word ".repeat(100 + n % 150))
            })
            .collect();
    }
    let mut records = Vec::with_capacity(rows);
    for n in 0..rows {
        let line = &lines[n % lines.len()];
        let id = line.split('"').nth(3).unwrap();
        let fresh = format!("{id}-{}", n / lines.len());
        let raw = line.replacen(id, &fresh, 1).into_bytes();
        records.push((fresh, raw));
    }
    records
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

fn row(id: &str, raw: &[u8], n: usize, waits: bool) -> Admission {
    let now = Timestamp::from_millisecond(1_700_000_000_000 + n as i64).unwrap();
    // Randomness that costs what randomness costs: a hash.
    let salt: [u8; 32] = Sha256::digest(n.to_be_bytes()).into();
    let mut e = Entry::new(EntryKind::ADMIT, "system", now, now);
    e.id = Some(id.to_owned());
    e.outcome = Some(if waits { Outcome::Review } else { Outcome::Auto });
    e.policy = Some(POLICY[7..23].to_owned());
    e.rule = Some("unsure-high-impact".to_owned());
    e.commit_to("record", commit(&Salt::from_bytes(salt), "record", raw));
    let queue = waits.then(|| "level1".to_owned());
    let due_at = waits.then(|| now + jiff::SignedDuration::from_mins(30));
    let route = Route {
        id: id.to_owned(),
        outcome: if waits { Outcome::Review } else { Outcome::Auto },
        queue: queue.clone(),
        due_at,
        approvals: queue.clone().into_iter().collect(),
        rule: "unsure-high-impact".to_owned(),
        matched: vec!["unsure-high-impact".to_owned()],
        reason: format!(
            "confidence 0.{n} <= params.high 0.85 and business_impact 8 >= params.impact 7"
        ),
        sample: None,
        fallback: None,
        policy: POLICY.to_owned(),
        generation: 0,
        state: if waits { ItemState::Waiting } else { ItemState::Settled },
        duplicate: false,
        faults: Vec::new(),
        priority: 0,
        tags: Vec::new(),
        blind: false,
    };
    let item = queue.map(|queue| Item {
        id: id.to_owned(),
        kind: Kind::Review,
        state: ItemState::Waiting,
        required: vec![queue.clone()],
        queue,
        entered_at: now,
        due_at,
        priority: 0,
        revision: 1,
        approvals: Vec::new(),
        content: None,
        pending: None,
        blind: false,
        sample: None,
        breached: false,
    });
    Admission {
        content: Sha256::digest(raw).into(),
        route,
        facts: Facts::at(now, 0),
        columns: Columns {
            domain: ["loan", "medical", "support_qa"][n % 3].to_owned(),
            action: ["approve", "deny"][n % 2].to_owned(),
            model: "lap-model".to_owned(),
            version: "2026.1".to_owned(),
            confidence: Some(n as f64 / 1e6),
            business_impact: Some(8.0),
            cohort: [("race".to_owned(), ["black", "white"][n % 2].to_owned())].into(),
            tags: Vec::new(),
            level: u8::from(waits),
        },
        item,
        entry: EntryDraft {
            item: Some(id.to_owned()),
            bytes: e.bytes(),
            bodies: vec![Body { path: "record".to_owned(), salt, value: raw.to_vec() }],
        },
        then: Vec::new(),
    }
}
