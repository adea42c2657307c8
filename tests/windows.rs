//! What a process counts of what it has at hand is what the log says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;

use overrule::desk::{Admissions, Local, OpenOptions, Submission};
use overrule::domain::{Timestamp, TokenScope, Verdict, VerdictKind};
use overrule::protocol::{
    Admitted, Answer, Command, Line, Query, ReferenceAsk, Reply, ReviewRequest, SignalsAsk,
    TokenAsk,
};
use serde_json::{Value, json};
use support::{Home, record};

const POLICY: &str = r#"
policy = "windows"
[queues.level1]
level = 1
sla = "1h"
[[route]]
id = "unsure"
when = 'confidence < 0.8'
to = "level1"
[default]
to = "auto"
"#;

/// Decisions submitted in one go.
const PART: usize = 400;

/// The n-th decision: some sure, some for people, some of another model, some broken.
fn decision(n: usize) -> Value {
    let mut r = record(&format!("d{n}"));
    let (confidence, race) = ([0.97, 0.91, 0.99, 0.88, 0.71][n % 5], ["white", "black"][n % 2]);
    r["confidence"] = json!(confidence);
    r["business_impact"] = json!(2 + n % 3);
    r["cohort"] = json!({"race": race, "cohort": "all"});
    r["input"]["income_thousands"] = json!(40 + n % 37);
    r["latency_ms"] = json!(100 + n % 50);
    if n.is_multiple_of(7) {
        r["model"]["version"] = json!("3.2");
    }
    if n.is_multiple_of(11) {
        r["confidence"] = json!(1.7);
    }
    r
}

/// A desk at one moment, with a reference for its model.
fn open(home: &Home) -> Local {
    let mut options = OpenOptions::new(home.store(), "root");
    options.wall = Arc::new(|| Timestamp::from_second(1_800_000_000).unwrap());
    let desk = Local::open(options).unwrap();
    let (name, schemas, install) = ("test.toml".to_owned(), [].into(), true);
    let source = POLICY.to_owned();
    let policy = Command::ActivatePolicy { name, source, schemas, install };
    desk.execute_blocking("root", policy).unwrap();
    let whole = (1..300_usize).filter(|n| !n.is_multiple_of(11));
    let lines = whole.map(|n| line(&decision(n))).collect();
    let reference = ReferenceAsk::Records { name: "before.jsonl".into(), lines };
    desk.execute_blocking("root", Command::SetReference(reference)).unwrap();
    desk
}

fn line(record: &Value) -> Line {
    Line { source: "test".into(), line: 1, bytes: record.to_string().into_bytes() }
}

/// What the windows say, after everything is counted.
fn signals(desk: &Local) -> Value {
    desk.catch_up("root").unwrap();
    match desk.ask_blocking("root", Query::Signals(SignalsAsk::default())).unwrap() {
        Reply::Signals(view) => serde_json::to_value(view).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn accept(desk: &Local, id: &str) {
    let request = ReviewRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        item: id.into(),
        verdict: Verdict::plain(VerdictKind::Accept),
        lease: None,
        revision: None,
        seen: None,
        signature: None,
        grace_ms: 0,
        offline: None,
    };
    desk.execute_blocking("root", Command::Review(Box::new(request))).unwrap();
}

/// As a server takes them in.
async fn submit(desk: &Local, way_in: &Admissions, token: &str, records: &[Value]) -> usize {
    let who = desk.authenticate(token).unwrap().unwrap();
    let lines = records.iter().map(|r| r.to_string().into_bytes()).collect();
    let (source, before, dry_run) = ("test".to_owned(), 0, false);
    let answers = way_in.admit(Submission { who, source, before, lines, dry_run }).await.unwrap();
    let new = |a: &&Admitted| matches!(a, Admitted::Route(route) if !route.duplicate);
    answers.iter().filter(new).count()
}

#[test]
fn windows_of_what_is_at_hand_are_those_of_the_log() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (home, plain) = (Home::new(), Home::new());
    let records: Vec<Value> = (0..10 * PART).map(decision).collect();
    // A person waits in every part; their verdicts stand between the admissions in the log.
    let waiting = |part: usize| format!("d{}", part * PART + 4);

    let desk = open(&home);
    let scopes = TokenScope::ALL.to_vec();
    let ask = TokenAsk { name: "root".into(), scopes, lasts_s: 3600 };
    let token = match desk.execute_blocking("root", Command::CreateToken(ask)).unwrap() {
        Answer::Token(made) => made.token,
        other => panic!("{other:?}"),
    };
    desk.catch_up("root").unwrap();
    let way_in = desk.admissions().unwrap();
    for (part, records) in records.chunks(PART).enumerate() {
        assert_eq!(runtime.block_on(submit(&desk, &way_in, &token, records)), PART);
        // What is known already is counted once.
        let again = submit(&desk, &way_in, &token, &records[..50]);
        assert_eq!(runtime.block_on(again), 0);
        accept(&desk, &waiting(part));
        // More than is kept at hand, then a little, then what a tick comes for.
        match part {
            7 => desk.watch_itself().map(drop).unwrap(),
            8 => desk.catch_up("root").unwrap(),
            _ => desk.count_in().unwrap(),
        }
    }
    let here = signals(&desk);

    let other = open(&plain);
    for (part, records) in records.chunks(PART).enumerate() {
        let lines = records.iter().map(line).collect();
        other.execute_blocking("root", Command::Admit { lines }).unwrap();
        accept(&other, &waiting(part));
    }
    let there = signals(&other);

    for part in ["slices", "drift", "calibration", "flow", "missing", "automation_share"] {
        assert_eq!(here[part], there[part], "{part}");
    }
    let counted = here["flow"].to_string();
    assert!(counted.contains("4000"), "{counted}");
}
