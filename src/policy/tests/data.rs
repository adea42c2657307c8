//! Real records through the shipped policies, where the data stand beside the repository.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::domain::record::{Intake, Limits, parse};
use crate::domain::{Outcome, SampleKind};

/// The decisions of one file; `None` where the data are not there.
fn decisions(name: &str) -> Option<Vec<(usize, Decision)>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    let bytes = std::fs::read(path).ok()?;
    let lines = bytes.split(|b| *b == b'\n').enumerate();
    let parsed = lines.filter_map(|(i, line)| match parse(line, &Limits::default()) {
        Intake::Record(r) => Some((i + 1, r.decision)),
        _ => None,
    });
    Some(parsed.collect())
}

const FILES: [&str; 7] = [
    "loan_boston.jsonl",
    "medical_cytology.jsonl",
    "medical_expertqa.jsonl",
    "medical_heart.jsonl",
    "moderation_posts.jsonl",
    "support_expertqa.jsonl",
    "support_halueval.jsonl",
];

#[test]
fn every_real_record_is_routed_and_explained() {
    for name in shipped_names() {
        let policy = load(shipped(name).unwrap());
        let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut random, mut auto) = (0, 0);
        for file in FILES {
            let Some(records) = decisions(file) else { return };
            for (_, d) in records {
                let now = d.occurred_at.unwrap_or(facts().now);
                let facts = Facts { now, ..facts() };
                assert_eq!(policy.check_record(&d, now), [], "{name} {}", d.id);
                let r = policy.route(&d, &facts);
                *outcomes.entry(r.outcome.as_str()).or_default() += 1;
                assert_eq!(r.outcome == Outcome::Review, r.queue.is_some() && r.sample.is_none());
                assert_eq!(r.approvals.first(), r.queue.as_ref().filter(|_| r.sample.is_none()));
                assert!(!r.reason.is_empty() && r.reason.len() < 2000);
                if r.outcome == Outcome::Auto {
                    auto += 1;
                    random += usize::from(r.sample.is_some_and(|s| s.kind == SampleKind::Random));
                }
            }
        }
        if name == "confidence-gated" {
            let people = outcomes["review"];
            // 85 % confidence is where it begins to act alone; the data have 4,238 records.
            assert_eq!(outcomes.values().sum::<usize>(), 4238);
            assert!((1200..2600).contains(&people), "{outcomes:?}");
            assert!((20..80).contains(&random), "{random} of {auto} drawn at 2 %");
        }
    }
}

#[test]
fn hostile_records_that_are_valid_are_safe() {
    let policy = load(shipped("confidence-gated").unwrap());
    let Some(records) = decisions("hostile.jsonl") else { return };
    assert!(records.len() > 30);
    for (line, d) in records {
        if !policy.check_record(&d, facts().now).is_empty() {
            continue;
        }
        let r = policy.route(&d, &facts());
        let rule = match line {
            41 => "low-confidence",
            47 => "members-disagree",
            64 => "unknown-domain",
            69 => "empty-output",
            _ => continue,
        };
        assert_eq!((line, r.outcome, r.rule.as_str()), (line, Outcome::Review, rule));
    }
}

#[test]
fn changes_that_are_named_come_true() {
    let policy = load(shipped("confidence-gated").unwrap());
    for file in FILES {
        let Some(records) = decisions(file) else { return };
        for (_, d) in records.into_iter().step_by(9) {
            let e = policy.explain(&d, &facts());
            assert!(!e.changes.is_empty(), "{}", d.id);
            for c in &e.changes {
                let number = |text: &str, step: f64| {
                    let below = text.strip_prefix("below ").and_then(|n| n.parse::<f64>().ok());
                    let above = text.strip_prefix("above ").and_then(|n| n.parse::<f64>().ok());
                    below.map(|n| n - step).or(above.map(|n| n + step)).or(text.parse().ok())
                };
                let mut changed = d.clone();
                match c.field.as_str() {
                    "confidence" => changed.confidence = number(&c.to, 1e-9).unwrap(),
                    "business_impact" => changed.business_impact = number(&c.to, 1e-9).unwrap(),
                    "domain" => changed.domain = "something else".to_owned(),
                    "tags" => changed.tags.push("policy_violation".to_owned()),
                    "output_chars" => changed.output = json!(""),
                    "ensemble" => changed.ensemble.clear(),
                    _ => continue,
                }
                let r = policy.route(&changed, &facts());
                let there = r.queue.clone().filter(|_| r.sample.is_none());
                assert_eq!(
                    (r.outcome, there, r.rule),
                    (c.outcome, c.queue.clone(), c.rule.clone()),
                    "{} {c}",
                    d.id
                );
            }
        }
    }
}
