//! What a real terminal gets: colour where it is wanted, a progress bar, and nothing that acts.

use std::io::Read as _;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::bench::{Bench, lines, record};

/// Run in a pseudo-terminal of 80 by 24 and give everything it wrote there.
fn on_terminal(bench: &Bench, args: &[&str], env: &[(&str, &str)]) -> String {
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let plain = bench.command(args);
    let mut command = CommandBuilder::new(plain.get_program());
    command.args(plain.get_args());
    command.cwd(plain.get_current_dir().unwrap());
    command.env_clear();
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap());
    }
    command.env("TERM", "xterm-256color");
    for (name, value) in env {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let written = std::thread::spawn(move || {
        let mut all = Vec::new();
        // The terminal goes away with the program: Linux says so with an error.
        let _ = reader.read_to_end(&mut all);
        String::from_utf8(all).unwrap()
    });
    child.wait().unwrap();
    written.join().unwrap()
}

#[test]
fn colour_on_a_terminal_and_never_with_no_color() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    assert!(on_terminal(&bench, &["show", "a-1"], &[]).contains("\u{1b}["));
    for env in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_terminal(&bench, &["show", "a-1"], &[env]);
        assert!(plain.contains("WHY HERE") && !plain.contains('\u{1b}'), "{env:?}: {plain:?}");
    }
    let set_to_nothing = on_terminal(&bench, &["show", "a-1"], &[("NO_COLOR", "")]);
    assert!(set_to_nothing.contains("\u{1b}["), "an empty NO_COLOR says nothing");
}

#[test]
fn tables_fit_the_terminal() {
    let mut long = record("a-1", 0.5, 2.0);
    long["action"] = "an-action-with-a-name-that-goes-on-and-on".into();
    let bench = Bench::with(&[long]);
    let shown = on_terminal(&bench, &["queue", "list"], &[("NO_COLOR", "1")]);
    assert!(shown.contains("an-action-with"), "{shown}");
}

#[test]
fn an_ingest_shows_its_progress_and_then_only_the_summary() {
    let bench = Bench::new();
    let records: Vec<_> = (0..3000).map(|n| record(&format!("a-{n}"), 0.5, 2.0)).collect();
    let file = bench.write("in.jsonl", &lines(&records));
    let args = ["ingest", file.to_str().unwrap(), "--policy", "policy.toml"];
    let shown = on_terminal(&bench, &args, &[]);
    assert!(shown.contains("lines, ") && shown.contains("left"), "rate and time left: {shown:?}");
    let last = shown.trim_end().rsplit('\n').next().unwrap();
    assert!(last.contains("3000 admitted: 3000 to review"), "{last:?}");
    let quiet = on_terminal(&bench, &[&args[..], &["--quiet"]].concat(), &[]);
    assert_eq!(quiet, "");
}

#[test]
fn hostile_text_does_not_act_on_a_terminal() {
    let bench = Bench::new();
    let mut evil = record("a-1", 0.5, 2.0);
    evil["output"] = "\u{1b}]52;c;ZXZpbA==\u{7}\u{9b}2J\u{202e}".into();
    bench.admit(&[evil]);
    for args in [["show", "a-1"].as_slice(), &["show", "a-1", "--json"]] {
        let shown = on_terminal(&bench, args, &[("NO_COLOR", "1")]);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{args:?}: {shown:?}");
    }
    let people = on_terminal(&bench, &["show", "a-1"], &[("NO_COLOR", "1")]);
    assert!(people.contains("<U+202E>"), "and is not hidden either: {people}");
}
