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
