//! The hostile lines that come beside the repository: each firm outcome holds when a line is read.
//!
//! Two expectations need a store (the second use of an id) and are tested with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;

use overrule::domain::record::{Intake, Limits, parse};
use serde_json::Value;

fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    path.exists().then_some(path)
}

#[test]
fn firm_outcomes_hold() {
    let (Some(lines), Some(expected)) = (shared("hostile.jsonl"), shared("hostile.expected.jsonl"))
    else {
        eprintln!("skipped: ../shared/data/hostile.jsonl is not here");
        return;
    };
    let bytes = std::fs::read(lines).unwrap();
    let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    let mut firm = 0;
    for case in std::fs::read_to_string(expected).unwrap().lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let number = case["line"].as_u64().unwrap() as usize;
        // Whatever is expected, reading a line answers.
        let intake = parse(lines[number - 1], &Limits::default());
        let reason = case["reason"].as_str().unwrap_or_default();
        if case["firm"] != true || reason == "duplicate_id" {
            continue;
        }
        firm += 1;
        let name = case["name"].as_str().unwrap();
        match (case["outcome"].as_str().unwrap(), intake) {
            ("accept" | "accept_sanitised", Intake::Record(_)) => {}
            ("reject", Intake::Refused(r)) => {
                assert_eq!(r.reason.slug(), reason, "line {number}, {name}: {}", r.message);
            }
            ("reject", Intake::Broken(b)) => {
                let found = b
                    .faults
                    .iter()
                    .any(|f| format!("{}:{}", f.kind.slug(), f.path).starts_with(reason));
                assert!(found, "line {number}, {name}: {:?} has no {reason}", b.faults);
            }
            (wanted, got) => panic!("line {number}, {name}: wanted {wanted}, got {got:?}"),
        }
    }
    assert!(firm > 40, "only {firm} firm cases were read");
}

#[test]
fn real_records_are_read_without_fault() {
    let names = [
        "support_halueval",
        "support_expertqa",
        "moderation_posts",
        "loan_boston",
        "medical_heart",
        "medical_cytology",
        "medical_expertqa",
    ];
    let mut read = 0;
    for name in names {
        let Some(path) = shared(&format!("{name}.jsonl")) else {
            eprintln!("skipped: ../shared/data/{name}.jsonl is not here");
            continue;
        };
        let bytes = std::fs::read(path).unwrap();
        for (at, line) in bytes.split(|b| *b == b'\n').enumerate() {
            match parse(line, &Limits::default()) {
                Intake::Record(parsed) => {
                    read += 1;
                    let line: Value = serde_json::from_slice(line).unwrap();
                    assert_eq!(parsed.raw(), line, "{name}:{}", at + 1);
                    assert_eq!(parsed.decision.cohort_group(), line["cohort"].as_str());
                }
                Intake::Blank => assert!(line.is_empty()),
                other => panic!("{name}:{}: {other:?}", at + 1),
            }
        }
    }
    assert!(read == 0 || read == 4238, "{read} records");
}
