//! Two processes at one store, and processes that are stopped in the middle.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::bench::{Bench, lines, record};

/// An ingest that waits for more input, and has made `first` durable.
fn running(
    bench: &Bench,
    first: &[Value],
) -> (Child, std::process::ChildStdin, BufReader<std::process::ChildStdout>) {
    let mut child = bench
        .command(&["ingest", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines(first).as_bytes()).unwrap();
    stdin.flush().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in first {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("\"outcome\""), "{line}");
    }
    (child, stdin, stdout)
}

#[test]
fn commands_work_while_an_ingest_runs() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0), record("a-2", 0.5, 2.0)]);
    let (child, mut stdin, _stdout) = running(&bench, &[record("b-1", 0.5, 2.0)]);
    let feeder = std::thread::spawn(move || {
        for n in 0..2000 {
            let record = record(&format!("c-{n}"), 0.5, 2.0);
            if stdin.write_all(lines(&[record]).as_bytes()).is_err() {
                return;
            }
        }
    });
    for id in ["a-1", "a-2", "b-1"] {
        let ran = bench.run(&["decide", id, "accept"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(bench.json(&["queue", "list", "--limit", "1"])["total"].as_u64().is_some());
    }
    drop(_stdout);
    feeder.join().unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!err.contains("locked"), "{err}");
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn whoever_is_disabled_admits_no_more_however_long_their_stream_runs() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    assert_eq!(bench.run(&["reviewer", "add", "ops", "--level", "1", "--role", "admin"]).code, 0);
    let mut child = bench
        .command(&["ingest", "-", "--json", "--as", "ops"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdin.write_all(lines(&[record("b-1", 0.5, 2.0)]).as_bytes()).unwrap();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"b-1\""), "{line}");
    assert_eq!(bench.run(&["reviewer", "disable", "ops"]).code, 0);
    stdin.write_all(lines(&[record("b-2", 0.5, 2.0)]).as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bench.json(&["queue", "list"])["total"], 2, "a-1 and b-1");
}

#[test]
fn an_interrupted_ingest_is_consistent_and_can_be_run_again() {
    let bench = Bench::with(&[record("a-0", 0.5, 2.0)]);
    let records: Vec<Value> = (0..50).map(|n| record(&format!("b-{n}"), 0.5, 2.0)).collect();
    let (mut child, stdin, stdout) = running(&bench, &records);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    // The producer says nothing more and does not go away: it stops all the same.
    let rest: Vec<String> = stdout.lines().map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    drop(stdin);
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
    let again = bench.admit(&records);
    assert!(again.iter().all(|r| r["duplicate"] == true), "what was told is stored");
}

#[test]
fn a_killed_ingest_loses_nothing_it_told() {
    let bench = Bench::with(&[record("a-0", 0.5, 2.0)]);
    let records: Vec<Value> = (0..50).map(|n| record(&format!("b-{n}"), 0.5, 2.0)).collect();
    let (mut child, _stdin, _stdout) = running(&bench, &records);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
    let again = bench.admit(&records);
    assert!(again.iter().all(|r| r["duplicate"] == true), "what was told is stored");
}
