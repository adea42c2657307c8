//! Routed records as a desk sends them to its store, made on the calling thread.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may stop")]

use std::path::Path;

use overrule::audit::{Entry, EntryKind, Salt, commit};
use overrule::domain::{Facts, Item, ItemState, Kind, Outcome, Route, Timestamp};
use overrule::store::{Admission, Body, Columns, EntryDraft};
use sha2::{Digest as _, Sha256};

const POLICY: &str = "sha256:1d3f5b7a9c1e3f5b7a9c1e3f5b7a9c1e3f5b7a9c1e3f5b7a9c1e3f5b7a9c1e3f";

/// Real records where they are at hand, repeated with new ids; else made-up ones of like size.
pub fn records(rows: usize) -> Vec<(String, Vec<u8>)> {
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

/// A routed record: the `n`th; `waits`: for people.
pub fn row(id: &str, raw: &[u8], n: usize, waits: bool) -> Admission {
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
        before: None,
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
