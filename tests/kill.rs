//! `kill -9` at random moments: nothing that was acknowledged is ever lost, and the trail verifies
//! after each.
//!
//! An acknowledgement is a line the program printed. What was never acknowledged may or may not be
//! there afterwards; sending it again changes nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use overrule::desk::{Local, OpenOptions};
use overrule::domain::ItemState;
use overrule::protocol::{Query, Reply, VerifyAsk};
use serde_json::{Value, json};
use support::{Home, record};

const ROUNDS: u64 = 200;
/// Rounds that share one store: it is killed again and again.
const A_STORE: u64 = 10;

/// A fixed sequence of "random" numbers: a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// What was acknowledged on one store.
#[derive(Default)]
struct Told {
    admitted: HashSet<String>,
    decided: HashSet<String>,
}

#[test]
fn nothing_acknowledged_is_lost_in_200_kills() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let (mut kills, mut admitted, mut decided) = (0, 0, 0);
    for store in 0..ROUNDS / A_STORE {
        let home = Home::new();
        let mut told = Told::default();
        let mut waiting: Vec<String> = Vec::new();
        for round in 0..A_STORE {
            waiting.truncate(30);
            let verdicts = round % 2 == 1 && !waiting.is_empty();
            if verdicts {
                let lines: String = waiting
                    .iter()
                    .map(|id| format!("{}\n", json!({"id": id, "verdict": "accept"})))
                    .collect();
                let after = dice.roll(waiting.len() as u64 + 1);
                let acks = run_and_kill(
                    &home,
                    &["decide", "--from", "-", "--json"],
                    &lines,
                    after,
                    &mut dice,
                );
                for ack in acks {
                    told.decided.insert(ack["id"].as_str().unwrap().to_owned());
                }
                waiting.retain(|id| !told.decided.contains(id));
            } else {
                let ids: Vec<String> = (0..100).map(|i| format!("s{store}r{round}i{i}")).collect();
                let lines: String = ids.iter().map(|id| format!("{}\n", record(id))).collect();
                let after = dice.roll(101);
                let acks =
                    run_and_kill(&home, &["ingest", "-", "--json"], &lines, after, &mut dice);
                for ack in acks {
                    let id = ack["id"].as_str().unwrap().to_owned();
                    waiting.push(id.clone());
                    told.admitted.insert(id);
                }
            }
            kills += 1;
            if !home.store().exists() {
                assert!(told.admitted.is_empty());
                continue;
            }
            check(&home, &told);
        }
        admitted += told.admitted.len();
        decided += told.decided.len();
    }
    assert_eq!(kills, ROUNDS);
    println!("{kills} kills: {admitted} admissions and {decided} verdicts acknowledged, none lost");
    assert!(admitted > 1_000 && decided > 200, "too little was acknowledged to mean anything");
}

/// Feed `input`, read acknowledgements, and kill the program soon after the `after`th.
fn run_and_kill(
    home: &Home,
    args: &[&str],
    input: &str,
    after: u64,
    dice: &mut Dice,
) -> Vec<Value> {
    let mut child = home
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    // The program may be dead before it has read everything.
    let writer = thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (send, acks) = std::sync::mpsc::channel();
    let reader = thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            // The last line may be torn: a torn line is no acknowledgement.
            if let Ok(value) = serde_json::from_str::<Value>(&line) {
                let _ = send.send(value);
            }
        }
    });
    let mut heard: Vec<Value> = Vec::new();
    while (heard.len() as u64) < after {
        match acks.recv_timeout(Duration::from_secs(30)) {
            Ok(ack) => heard.push(ack),
            Err(_) => break,
        }
    }
    thread::sleep(Duration::from_micros(dice.roll(3_000)));
    // On Unix this is SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    writer.join().unwrap();
    reader.join().unwrap();
    heard.extend(acks.try_iter());
    heard
}

fn check(home: &Home, told: &Told) {
    let desk = Local::open(OpenOptions::new(home.store(), "root")).unwrap();
    let item = |id: &str| match desk.ask_blocking("root", Query::Item { id: id.into() }) {
        Ok(Reply::Item(view)) => view,
        other => panic!("{id} was acknowledged: {other:?}"),
    };
    for id in &told.admitted {
        item(id);
    }
    for id in &told.decided {
        let view = item(id);
        assert_eq!(view.state, ItemState::Settled, "{id}");
        assert_eq!(view.reviews.len(), 1, "{id} has one verdict, once");
    }
    let report = desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
    assert!(report.ok, "{:?}", report.faults);
    desk.close().unwrap();
}

/// Cohorts whose people overrule everything: each sets an effect off at the first tick.
const GROUPS: u64 = 6;
const EACH: u64 = 4;
const SPIKES: &str = r#"
policy = "killed"
[queues.level1]
level = 1
[default]
to = "level1"
[notify.ops]
kind = "slack"
secret_env = "OPS_SLACK"
[[effect]]
id = "spike"
on = "window"
window = "1h"
each = "cohort"
when = 'override_low > 0.10'
do = ["incident.open", "notify:ops"]
"#;

#[test]
fn a_ticker_killed_at_any_moment_fires_every_effect_once() {
    use overrule::desk::outbox::Outbox as _;
    let mut dice = Dice(0x0ddb_1a5e_5bad_5eed);
    let (mut before, mut after) = (0, 0);
    // Kills spread over a run that nobody kills, however fast this machine is.
    let begun = std::time::Instant::now();
    Home::new().ok(&["watch", "--once"]);
    let whole = u64::try_from(begun.elapsed().as_micros()).unwrap();
    for _ in 0..40 {
        let home = Home::new();
        let policy = home.write("policy.toml", SPIKES);
        let ids = || (0..GROUPS).flat_map(|g| (0..EACH).map(move |i| (g, format!("g{g}i{i}"))));
        let mut records = String::new();
        let mut verdicts = String::new();
        for (group, id) in ids() {
            let mut one = record(&id);
            one["cohort"] = json!(format!("group-{group}"));
            records.push_str(&format!("{one}\n"));
            verdicts.push_str(&format!("{}\n", json!({"id": id, "verdict": "reject"})));
        }
        let records = home.write("records.jsonl", &records);
        let verdicts = home.write("verdicts.jsonl", &verdicts);
        home.ok(&["ingest", records.to_str().unwrap(), "--policy", policy.to_str().unwrap()]);
        home.ok(&["decide", "--from", verdicts.to_str().unwrap()]);
        // It says nothing of a step before that step is durable, so its silence tells no moment.
        let mut child = home
            .command(&["watch", "--once"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wait = whole / 8 + dice.roll(whole * 3 / 2);
        thread::sleep(Duration::from_micros(wait));
        child.kill().unwrap();
        child.wait().unwrap();

        let fired = |desk: &Local| {
            let ask = Query::Entries { item: None, from: 0, limit: 10_000 };
            match desk.ask_blocking("root", ask).unwrap() {
                Reply::Entries { entries, .. } => {
                    entries.iter().filter(|e| e.entry["t"] == "effect").count() as u64
                }
                other => panic!("{other:?}"),
            }
        };
        let mut options = OpenOptions::new(home.store(), "root");
        // The dead one's turn is over when the clock says so.
        let later = jiff::SignedDuration::from_secs(60);
        options.wall = std::sync::Arc::new(move || {
            overrule::domain::Timestamp::now().checked_add(later).unwrap()
        });
        let desk = Local::open(options).unwrap();
        let left = fired(&desk);
        assert!(left == 0 || left == GROUPS, "the looks of a step are one commit: {left}");
        before += u64::from(left == 0);
        after += u64::from(left > 0);
        desk.watch("root").unwrap();
        desk.watch("root").unwrap();
        assert_eq!(fired(&desk), GROUPS, "none is lost, none fires twice");
        let Reply::Containment(view) = desk.ask_blocking("root", Query::Containment).unwrap()
        else {
            panic!("containment")
        };
        assert_eq!(view.incidents.len() as u64, GROUPS);
        assert!(view.incidents.iter().all(|i| i.fired == 1), "{:?}", view.incidents);
        assert_eq!(desk.waiting("notify", 0, 1_000).unwrap().len() as u64, GROUPS);
        // Every verdict is in the windows once.
        let ask = overrule::protocol::SignalsAsk { window: "1h".into(), by: None, slice: None };
        let Reply::Signals(signals) = desk.ask_blocking("root", Query::Signals(ask)).unwrap()
        else {
            panic!("signals")
        };
        let overall = signals.slices.iter().find(|s| s.slice.contains_key("overall")).unwrap();
        assert_eq!((overall.reviewed, overall.overridden), (GROUPS * EACH, GROUPS * EACH));
        let report = desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
        assert!(report.ok, "{:?}", report.faults);
        desk.close().unwrap();
    }
    println!("killed before the effects were committed {before} times, after {after}");
}
