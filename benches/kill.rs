//! The kill switch while another process ingests in bulk into the same store.
//!
//! Measured twice: the stop itself (authority, commit, durable), and the whole command as a person
//! runs it, from the start of `overrule kill` to its end. Compared with one row a transaction of a
//! plain SQLite writer beside another one's batches.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use overrule::desk::Local;
use overrule::domain::ControlScope;
use overrule::protocol::{Answer, KillMode};
use support::other::{self, Other, entries};
use support::{Records, Times, desk, goal, head, note};

const KILLS: usize = 300;
const COMMANDS: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("ingest") => return other::ingest_for_ever(Path::new(&args[2])),
        Some("insert") => return other::insert_for_ever(Path::new(&args[2])),
        _ if !support::asked() => return,
        _ => {}
    }
    head("the kill switch beside a bulk ingest of another process");
    let records = Records::find();
    note("records", &records.from);
    let folder = support::folder();
    let path = folder.path().join("desk.db");
    let local = desk::open(&path, true);
    desk::ingest(&local, records.waiting(1_000));

    let before = entries(&local);
    let mut other = Other::start("ingest", &path);
    while entries(&local) < before + 2_000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (from, since) = (entries(&local), Instant::now());
    let mut stop = kills(&local);
    let rate = (entries(&local) - from) as f64 / since.elapsed().as_secs_f64();
    note("the ingest meanwhile", format!("{rate:.0} entries/s"));
    let mut command = commands(&path);
    other.stop();
    local.close().unwrap();

    let bare = folder.path().join("bare.db");
    let mut plain = other::plain_writers(&bare, &records, KILLS, PAUSE);
    note("two plain SQLite writers", plain.show());
    let p99 = stop.at(0.99);
    let ratio = p99.as_secs_f64() / plain.at(0.99).as_secs_f64();
    note("share of the plain p99", format!("{:.1} %", ratio * 100.0));
    let limit = Duration::from_millis(50);
    goal("the stop itself", stop.show(), "p99 ≤ 50 ms", p99 <= limit);
    let p99 = command.at(0.99);
    goal("`overrule kill`, start to end", command.show(), "p99 ≤ 50 ms", p99 <= limit);
}

/// A scope that no record is in: the ingest goes on as it was.
const SCOPE: &str = "action=never";

fn kills(local: &Local) -> Times {
    let scope: ControlScope = SCOPE.parse().unwrap();
    let mut times = Times::default();
    for n in 0..KILLS {
        let command = overrule::protocol::Command::Kill {
            scope: scope.clone(),
            mode: KillMode::Human,
            reason: format!("measured {n}"),
        };
        let since = Instant::now();
        let answer = local.execute_blocking(desk::ME, command).unwrap();
        times.push(since.elapsed());
        assert!(matches!(answer, Answer::Killed { .. }), "{answer:?}");
        std::thread::sleep(PAUSE);
    }
    times
}

fn commands(path: &Path) -> Times {
    let mut times = Times::default();
    for _ in 0..COMMANDS {
        let since = Instant::now();
        let ended = Command::new(env!("CARGO_BIN_EXE_overrule"))
            .args(["kill", "--scope", SCOPE, "--reason", "measured", "--as", desk::ME, "--store"])
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        times.push(since.elapsed());
        assert!(ended.success(), "{ended}");
        std::thread::sleep(PAUSE);
    }
    times
}
