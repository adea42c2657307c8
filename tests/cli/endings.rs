//! How commands end that somebody else ends: a signal, a reader that has gone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::bench::{Bench, Ran, lines, record};

/// `ingest` of a stream that goes on, ended by this signal after its first answer.
fn ingest_ended_by(signal: Signal) -> (Bench, Ran) {
    let bench = Bench::new();
    let mut child = bench
        .command(&["ingest", "-", "--policy", "policy.toml", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stream = child.stdin.take().unwrap();
    stream.write_all(lines(&[record("a-1", 0.5, 2.0)]).as_bytes()).unwrap();
    let mut route = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut route).unwrap();
    let route: Value = serde_json::from_str(&route).unwrap();
    assert_eq!(route["id"], "a-1");
    kill_process(Pid::from_child(&child), signal).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    drop(stream);
    (bench, ran)
}

#[test]
fn a_signal_ends_ingest_with_its_own_code_and_what_was_answered_is_stored() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (bench, ran) = ingest_ended_by(signal);
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(ran.error()["kind"], "interrupted");
        assert_eq!(bench.json(&["show", "a-1"])["state"], "waiting");
    }
}

#[test]
fn a_reader_that_has_gone_is_a_normal_end() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.write("more.jsonl", &lines(&[record("a-2", 0.5, 2.0)]));
    for args in [
        &["--linear"][..],
        &["review", "--linear"],
        &["queue", "list", "--json"],
        &["show", "a-1"],
        &["audit", "log"],
        &["policy", "show"],
        &["completions", "bash"],
        &["--help"],
        &["ingest", "more.jsonl", "--quiet"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = bench.command(args).stdout(writer).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(0), "{args:?}: {said}");
        assert!(!said.contains("error") && !said.contains("pipe"), "{args:?}: {said}");
    }
    assert_eq!(bench.json(&["show", "a-2"])["state"], "waiting", "it was admitted all the same");
}
