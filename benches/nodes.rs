//! The kill switch over PostgreSQL: sixteen nodes admit without pause, one of them stops.
//!
//! Each node is a desk of its own over one database, as a server has. What is measured is how long
//! after the command was given anything in its scope was still settled automatically, by whichever
//! node was last to do so: the time of the last automatic answer, from the moment of the command.
//! Compared with how long one such admission takes while nobody stops anything.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

#[path = "../tests/support/postgres.rs"]
mod postgres;
mod support;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use overrule::desk::{DatabaseOptions, Local};
use overrule::domain::{ControlScope, Outcome};
use overrule::protocol::{Admitted, Answer, Command, KillMode, Line};
use support::{Times, desk, goal, head, note};

const NODES: usize = 16;
const ROUNDS: usize = 60;
const POLICY: &str = r#"
policy = "nodes"
[control]
human_queue = "level1"
resume = 1
[queues.level1]
level = 1
sla = "1h"
[default]
to = "auto"
"#;

fn main() {
    if !support::asked() {
        return;
    }
    head("the kill switch, 16 nodes over one PostgreSQL");
    let Some(database) = postgres::database("the kill switch of sixteen nodes") else { return };
    let folder = support::folder();
    let open = || {
        let options = DatabaseOptions::new(database.url(), desk::ME, folder.path());
        Local::open_database(options).unwrap()
    };
    let nodes: Vec<Local> = (0..NODES).map(|_| open()).collect();
    let policy = Command::ActivatePolicy {
        name: "nodes.toml".into(),
        source: POLICY.to_owned(),
        schemas: Default::default(),
        install: true,
    };
    nodes[0].execute_blocking(desk::ME, policy).unwrap();

    let (mut usual, mut last, mut command) = (Times::default(), Times::default(), Times::default());
    let admitted = AtomicU64::new(0);
    let begin = Instant::now();
    for round in 0..ROUNDS {
        let stop = AtomicBool::new(false);
        let ready = Barrier::new(NODES + 1);
        let scope: ControlScope = format!("domain=round{round}").parse().unwrap();
        let (ended, given, took) = std::thread::scope(|threads| {
            let running: Vec<_> = nodes
                .iter()
                .enumerate()
                .map(|(node, desk)| {
                    let (stop, ready, admitted) = (&stop, &ready, &admitted);
                    threads.spawn(move || admit(desk, round, node, stop, ready, admitted))
                })
                .collect();
            ready.wait();
            std::thread::sleep(Duration::from_millis(150));
            let given = Instant::now();
            let reason = "measured".to_owned();
            let kill = Command::Kill { scope, mode: KillMode::Human, reason };
            nodes[round % NODES].execute_blocking(desk::ME, kill).unwrap();
            let took = given.elapsed();
            std::thread::sleep(Duration::from_millis(300));
            stop.store(true, Ordering::Relaxed);
            let ended: Vec<Ended> = running.into_iter().map(|t| t.join().unwrap()).collect();
            (ended, given, took)
        });
        command.push(took);
        last.push(
            ended.iter().map(|e| e.automatic.saturating_duration_since(given)).max().unwrap(),
        );
        ended.into_iter().flat_map(|e| e.times).for_each(|time| usual.push(time));
    }
    let rate = admitted.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64();
    note("nodes", NODES);
    note("admissions of one record meanwhile", format!("{rate:.0}/s"));
    note("one admission", usual.show());
    note("the command", command.show());
    let p99 = last.at(0.99);
    let ratio = p99.as_secs_f64() / usual.at(0.99).as_secs_f64();
    note("times one admission's p99", format!("{ratio:.1}"));
    let limit = Duration::from_millis(100);
    goal("the last node's last automatic answer", last.show(), "p99 ≤ 100 ms", p99 <= limit);
    drop(nodes);
}

/// What a node saw in one round.
struct Ended {
    /// When its last automatic answer came.
    automatic: Instant,
    /// How long each admission took.
    times: Vec<Duration>,
}

/// Admit one record after the other until told to stop.
fn admit(
    desk: &Local,
    round: usize,
    node: usize,
    stop: &AtomicBool,
    ready: &Barrier,
    admitted: &AtomicU64,
) -> Ended {
    ready.wait();
    let mut ended = Ended { automatic: Instant::now(), times: Vec::new() };
    let mut number = 0;
    let mut killed = false;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let bytes = format!(
            r#"{{"id":"r{round}-{node}-{number}","domain":"round{round}","action":"send","model":{{"name":"m","version":"1"}},"confidence":0.9,"business_impact":1,"input":{{"n":{number}}},"output":"yes"}}"#
        );
        let line = Line { source: "bench".into(), line: number, bytes: bytes.into_bytes() };
        let since = Instant::now();
        let answer =
            desk.execute_blocking(self::desk::ME, Command::Admit { lines: vec![line] }).unwrap();
        let at = Instant::now();
        ended.times.push(at - since);
        admitted.fetch_add(1, Ordering::Relaxed);
        let Answer::Admitted(answers) = answer else { panic!("not an admission") };
        let Some(Admitted::Route(route)) = answers.first() else { panic!("refused: {answers:?}") };
        match route.outcome {
            Outcome::Auto => {
                assert!(!killed, "automatic after this node had stopped");
                ended.automatic = at;
            }
            _ => killed = true,
        }
    }
    assert!(killed, "node {node} never stopped");
    ended
}
