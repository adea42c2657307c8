//! Planted shifts in real decisions, found as they come: each set is ingested by its own clock, with
//! a reviewer who acts by the truth beside it, under a policy whose effects on windows open incidents.
//!
//! Needs the data beside the repository (`../shared/data`); says so and passes where it is not there.
//! `cargo test --test shifts -- --nocapture` prints the table of `assets/signals.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use overrule::domain::Timestamp;
use serde_json::{Value, json};
use support::{Home, lines, shared};

/// One policy for every set: everything goes before people, and only windows open incidents.
const POLICY: &str = r#"
policy = "planted"
[queues.level1]
level = 1
sla = "8h"
escalates_to = "level2"
[queues.level2]
level = 2
sla = "365d"
[default]
to = "level1"

[[tag]]
id = "false_approve"
title = "Should have been refused"
key = "a"
severity = 5
[[tag]]
id = "false_deny"
title = "Should have been approved"
key = "d"
severity = 5
[[tag]]
id = "false_positive"
title = "Nothing was wrong"
key = "p"
severity = 5
[[tag]]
id = "false_negative"
title = "Something was wrong"
key = "n"
severity = 5
[[tag]]
id = "hallucination"
title = "Made up"
key = "h"
severity = 5
"#;

/// What a rule looks at, over which windows and slices.
const WATCHED: [(&str, &str, &[&str]); 2] =
    [("drift", "model", &["7d", "28d", "90d"]), ("override_worse", "cohort", &["7d", "28d"])];

fn policy() -> String {
    let mut text = POLICY.to_owned();
    let overrides = [("override_worse", "model", &["7d", "28d"] as &[&str])];
    for (when, each, windows) in WATCHED.into_iter().chain(overrides) {
        for window in windows {
            let what = when.trim_start_matches("override_");
            text.push_str(&format!(
                "[[effect]]\nid = \"{what}-{each}-{window}\"\non = \"window\"\nwindow = \"{window}\"\n\
                 each = \"{each}\"\nwhen = '{when}'\ndo = [\"incident.open\"]\n\n"
            ));
        }
    }
    text
}

/// A set of decisions with what became of it.
struct Found {
    /// Times of its decisions.
    times: Vec<Timestamp>,
    /// Kind, slice, when it was opened, its figures; by time.
    incidents: Vec<(String, String, Timestamp, String)>,
}

impl Found {
    /// The first incident of a kind: (slice, decisions after the shift began, days after it).
    fn first(&self, kind: &str, shift: usize) -> Option<(&str, i64, f64)> {
        let (_, slice, at, _) = self.incidents.iter().find(|i| i.0 == kind)?;
        let seen = i64::try_from(self.times.iter().filter(|t| *t <= at).count()).unwrap();
        let days = at.duration_since(self.times[shift]).as_secs_f64() / 86_400.0;
        Some((slice, seen - i64::try_from(shift).unwrap(), days))
    }
}

fn read(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The verdict of a person who goes by the truth, half an hour after the decision.
fn verdict(decision: &Value, truth: &Value) -> Value {
    let at: Timestamp = decision["occurred_at"].as_str().unwrap().parse().unwrap();
    let at = at.checked_add(jiff::SignedDuration::from_mins(30)).unwrap();
    let mut said =
        json!({"id": decision["id"], "verdict": truth["reviewer_action"], "at": at.to_string()});
    let tags = json!([truth["error_type"]]);
    match truth["reviewer_action"].as_str().unwrap() {
        "edit" => {
            said["output"] = truth["corrected_output"].clone();
            said["action"] = truth["human_label"].clone();
            said["tags"] = tags;
        }
        "reject" => {
            said["label"] = truth["human_label"].clone();
            said["tags"] = tags;
        }
        "escalate" => said["to"] = json!("level2"),
        _ => {}
    }
    said
}

/// Ingest a set; `None` where it is not here.
fn found(name: &str) -> Option<Found> {
    let file = shared(&format!("data/{name}.jsonl"))?;
    let truth = shared(&format!("data/{name}.truth.jsonl"))?;
    let (decisions, truth) = (read(&file), read(&truth));
    let home = Home::new();
    let policy = home.write("policy.toml", &policy());
    let said: Vec<Value> = decisions.iter().zip(&truth).map(|(d, t)| verdict(d, t)).collect();
    let said = home.write("verdicts.jsonl", &lines(&said));
    let args = [
        "ingest",
        file.to_str().unwrap(),
        "--policy",
        policy.to_str().unwrap(),
        "--clock",
        "record",
        "--verdicts",
        said.to_str().unwrap(),
        "--json",
    ];
    let (routes, notes) = home.exits(&args, 0);
    let reviewed = routes.lines().filter(|line| line.contains("\"outcome\":\"review\"")).count();
    assert_eq!(reviewed, decisions.len(), "{name}: everything goes before people");
    let given = format!("\"verdicts\":{}", decisions.len());
    assert!(notes.contains(&given), "{name}: and is decided: {notes}");
    let list = home.json(&["incident", "list", "--json"]);
    let list = list["incidents"].as_array().unwrap();
    let mut incidents: Vec<(String, String, Timestamp, String)> = list
        .iter()
        .map(|i| {
            let text = |key: &str| i[key].as_str().unwrap().to_owned();
            let slice = i["slice"].as_object().unwrap().iter().next().unwrap();
            let slice = format!("{} {}", slice.0, slice.1.as_str().unwrap());
            (text("kind"), slice, text("opened_at").parse().unwrap(), text("cause"))
        })
        .collect();
    incidents.sort_by_key(|i| i.2);
    let time = |d: &Value| d["occurred_at"].as_str().unwrap().parse().unwrap();
    let found = Found { times: decisions.iter().map(time).collect(), incidents };
    println!("{name}: {} decisions", found.times.len());
    for (kind, slice, at, cause) in &found.incidents {
        let n = found.times.iter().filter(|t| *t <= at).count();
        println!("  {at} after {n}: {kind} in {slice}: {cause}");
    }
    Some(found)
}

/// No incident before the shift, and the first one of a kind at these decisions after it.
fn at(found: &Found, shift: usize, firsts: &[(&str, std::ops::RangeInclusive<i64>)]) {
    for (kind, slice, at, cause) in &found.incidents {
        assert!(
            *at >= found.times[shift],
            "{kind} in {slice} at {at} is before the shift: {cause}"
        );
    }
    for (kind, decisions) in firsts {
        let first = found.first(kind, shift);
        let Some((slice, n, days)) = first else { panic!("{kind} was not found") };
        println!("  first {kind}: {slice}, {n} decisions and {days:.1} days after the shift");
        assert!(decisions.contains(&n), "{kind} in {slice}: {n} decisions after the shift");
    }
}

#[test]
fn new_groups_among_the_loans() {
    let Some(found) = found("loan_boston") else { return };
    let worse = [("worse-cohort-28d", 1..=120), ("worse-model-28d", 1..=260)];
    at(&found, 511, &[&[("drift-model-28d", 1..=150)][..], &worse].concat());
}

#[test]
fn other_questions_to_support() {
    let Some(found) = found("support_halueval") else { return };
    at(&found, 404, &[("drift-model-7d", 1..=80), ("drift-model-28d", 1..=80)]);
}

#[test]
fn another_source_of_posts() {
    let Some(found) = found("moderation_posts") else { return };
    at(&found, 522, &[("drift-model-7d", 1..=60), ("worse-model-7d", 1..=300)]);
}

#[test]
fn patients_of_other_hospitals() {
    let Some(found) = found("medical_heart") else { return };
    at(&found, 152, &[("drift-model-90d", 1..=250), ("worse-cohort-7d", 1..=150)]);
}

#[test]
fn nothing_among_the_cells() {
    let Some(found) = found("medical_cytology") else { return };
    assert_eq!(found.incidents, []);
}
