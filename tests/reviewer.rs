//! The reviewer's whole loop in a real terminal, with the real binary on a real file: accept, edit
//! with a diff, reject with a tag, escalate, undo, two people, a lost lease, kill and restart, and
//! a terminal that is always given back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::terminal::Terminal;
use support::{Home, lines, record};

const POLICY: &str = r#"
policy = "loop"
[control]
grace = "3s"
human_queue = "level1"
[queues.level1]
title = "First look"
level = 1
sla = "30m"
[queues.level2]
title = "Experts"
level = 2
sla = "2h"
[default]
to = "level1"
[[require]]
id = "two-people"
when = '"regulated" in tags'
approvals = ["level1", "level2"]
[[tag]]
id = "factual_error"
title = "States something untrue"
key = "f"
[[tag]]
id = "tone"
title = "Wrong tone"
key = "t"
require_note = true
[[guideline]]
domain = "loan"
text = "Income verified? Obligations under 40 %?"
"#;

/// A text answer, easy to edit and to read back.
fn answer(id: &str) -> Value {
    let mut answer = record(id);
    answer["domain"] = json!("support_qa");
    answer["action"] = json!("send_answer");
    answer["output"] = json!("Your parcel left the depot.");
    answer["rationale"] = json!("Tracking page.");
    answer
}

fn desk(records: &[Value]) -> Home {
    let home = Home::new();
    home.write("policy.toml", POLICY);
    home.write("records.jsonl", &lines(records));
    home.ok(&["ingest", "records.jsonl", "--policy", "policy.toml"]);
    for (name, level) in [("ann", "1"), ("ben", "2")] {
        home.ok(&["reviewer", "add", name, "--level", level]);
    }
    home
}

fn review(home: &Home, who: &str) -> Terminal {
    let terminal = Terminal::start(home, &["review", "--as", who], 120, 36);
    terminal.shows("WHY HERE");
    terminal.shows("leased to you");
    terminal
}

fn quit(mut terminal: Terminal) {
    terminal.keys("q");
    if terminal.child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(300));
        // With a verdict still in its grace time the app asks first.
        if terminal.child.try_wait().unwrap().is_none() && terminal.text().contains("quit") {
            terminal.keys("q");
        }
    }
    assert_eq!(terminal.wait(), 0);
    assert!(!terminal.alternate(), "the terminal is given back");
}

/// Wait until `show` says the item is in this state.
fn becomes(home: &Home, id: &str, state: &str) -> Value {
    for _ in 0..600 {
        let view = home.json(&["show", id, "--json"]);
        if view["state"] == state {
            return view;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{id} never became {state}: {}", home.json(&["show", id, "--json"]));
}

#[test]
fn accept_undo_and_accept_again() {
    let home = desk(&[record("d1"), record("d2")]);
    let mut app = review(&home, "ann");
    app.shows("d1");
    app.keys("a");
    app.shows("accepted d1");
    // The next item is there, and the verdict is durable though its effects wait.
    app.until("d2 in hand", |t| t.contains("d2   loan"));
    assert_eq!(home.json(&["show", "d1", "--json"])["state"], "decided");
    app.keys("u");
    app.shows("took back");
    assert_eq!(becomes(&home, "d1", "waiting")["reviews"][0]["undone"], true);
    app.until("d1 back in hand", |t| t.contains("d1   loan"));
    app.shows("leased to you");
    app.keys("a");
    app.shows("accepted d1");
    becomes(&home, "d1", "settled");
    quit(app);
}

#[test]
fn an_edit_shows_its_diff_and_lands() {
    let home = desk(&[answer("e1")]);
    let mut app = review(&home, "ann");
    app.keys("e");
    app.shows("edit e1");
    // To the end of the text, and on.
    app.keys("\x1b[F");
    app.keys(" It arrives on Tuesday.");
    let diff = app.until("the diff", |t| t.matches("Tuesday").count() >= 2);
    assert!(diff.contains("left the depot"), "{diff}");
    app.keys("\x13");
    app.shows("factual error");
    app.keys("f");
    app.keys("\r");
    app.shows("edited e1");
    let view = becomes(&home, "e1", "settled");
    assert_eq!(view["reviews"][0]["output"], "Your parcel left the depot. It arrives on Tuesday.");
    let learned = home.ok(&["learn", "export"]);
    let example: Value = serde_json::from_str(learned.lines().next().unwrap()).unwrap();
    assert_eq!(example["proposed"]["output"], "Your parcel left the depot.");
    assert_eq!(
        example["corrected"]["output"],
        "Your parcel left the depot. It arrives on Tuesday."
    );
    quit(app);
}

#[test]
fn a_reject_asks_for_tags_by_letter_and_a_note_where_it_must() {
    let home = desk(&[record("r1"), record("r2")]);
    let mut app = review(&home, "ann");
    app.keys("r");
    app.shows("reject r1");
    app.keys("f");
    app.keys("\r");
    app.shows("rejected r1");
    let view = becomes(&home, "r1", "settled");
    assert_eq!(view["reviews"][0]["verdict"], "reject");
    assert_eq!(view["reviews"][0]["tags"], json!(["factual_error"]));
    app.until("r2 in hand", |t| t.contains("r2   loan") && t.contains("leased to you"));
    app.keys("r");
    app.shows("reject r2");
    app.keys("t");
    app.keys("\r");
    app.until("that a note is needed", |t| {
        t.to_lowercase().contains("needs a note") || t.contains("note is")
    });
    assert_eq!(home.json(&["show", "r2", "--json"])["state"], "waiting");
    quit_from_overlay(app);
}

fn quit_from_overlay(mut app: Terminal) {
    app.keys("\x1b");
    std::thread::sleep(Duration::from_millis(300));
    quit(app);
}

#[test]
fn an_escalation_takes_its_note_to_the_experts() {
    let home = desk(&[record("x1")]);
    let mut app = review(&home, "ann");
    app.keys("x");
    app.shows("level2");
    app.keys("\r");
    app.shows("moved x1");
    let view = becomes(&home, "x1", "waiting");
    assert_eq!(view["reviews"][0]["verdict"], "escalate");
    assert_eq!(home.json(&["queue", "list", "--queue", "level2", "--json"])["total"], 1);
    quit(app);
}

#[test]
fn two_people_approve_what_is_regulated() {
    let mut regulated = record("t1");
    regulated["tags"] = json!(["regulated"]);
    let home = desk(&[regulated]);
    let mut app = review(&home, "ann");
    app.keys("a");
    app.shows("accepted t1");
    let view = becomes(&home, "t1", "awaiting_approval");
    assert_eq!(view["approvals_needed"], json!(["level2"]));
    quit(app);
    let mut app = review(&home, "ben");
    app.keys("a");
    app.shows("accepted t1");
    let view = becomes(&home, "t1", "settled");
    let people: Vec<&str> = view["reviews"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["reviewer"].as_str().unwrap())
        .collect();
    assert_eq!(people, ["ann", "ben"]);
    quit(app);
    assert_eq!(home.json(&["audit", "verify", "--json"])["ok"], true);
}

#[test]
fn an_item_in_anothers_hands_is_not_taken() {
    let home = desk(&[record("l1")]);
    let ann = review(&home, "ann");
    let mut ben = Terminal::start(&home, &["review", "--as", "ben"], 120, 36);
    ben.until("who holds it", |t| t.contains("ann"));
    ben.keys("a");
    std::thread::sleep(Duration::from_millis(500));
    let view = home.json(&["show", "l1", "--json"]);
    assert_eq!(view["state"], "waiting", "ben could not decide what ann holds");
    assert_eq!(view["reviews"], json!([]));
    home.exits(&["decide", "l1", "accept", "--as", "ben"], 3);
    quit(ann);
}

#[test]
fn kill_in_mid_review_loses_neither_verdict_nor_draft() {
    let home = desk(&[answer("k1"), answer("k2")]);
    let mut app = review(&home, "ann");
    app.keys("a");
    app.shows("accepted k1");
    app.until("k2 in hand", |t| t.contains("k2   support_qa") && t.contains("leased to you"));
    app.keys("e");
    app.shows("edit k2");
    app.keys("DRAFTED ");
    app.until("the draft typed", |t| t.contains("DRAFTED"));
    // Typing pauses are when drafts are kept.
    std::thread::sleep(Duration::from_millis(2_500));
    app.child.kill().unwrap();
    app.wait();
    drop(app);
    becomes_after_tick(&home, "k1", "settled");
    let mut app = review(&home, "ann");
    app.keys("e");
    app.until("the draft again", |t| t.contains("DRAFTED"));
    quit_from_overlay(app);
}

/// Whoever ticks next lets a verdict take effect: any command does.
fn becomes_after_tick(home: &Home, id: &str, state: &str) {
    becomes(home, id, state);
}

#[test]
fn a_paste_decides_nothing() {
    let home = desk(&[record("p1"), record("p2"), record("p3")]);
    let mut app = review(&home, "ann");
    app.paste("aaa");
    app.keys("j");
    std::thread::sleep(Duration::from_millis(500));
    for id in ["p1", "p2", "p3"] {
        assert_eq!(home.json(&["show", id, "--json"])["reviews"], json!([]), "{id}");
    }
    quit(app);
}

#[test]
fn the_terminal_survives_resizing_suspending_and_signals() {
    let home = desk(&[record("s1")]);
    let mut app = review(&home, "ann");
    for (cols, rows) in [(1, 1), (40, 10), (79, 23), (200, 50), (30, 5)] {
        app.resize(cols, rows);
        std::thread::sleep(Duration::from_millis(80));
    }
    app.resize(100, 30);
    app.shows("WHY HERE");
    let pid = app.child.process_id().unwrap().to_string();
    std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    app.wait();
    assert!(!app.alternate(), "SIGTERM gives the terminal back");
    let bytes = String::from_utf8_lossy(&app.bytes()).into_owned();
    assert!(bytes.contains("\x1b[?2004l"), "bracketed paste is off again");
    assert!(bytes.contains("\x1b[?25h"), "the cursor is back");
}

#[test]
fn hostile_text_reaches_the_terminal_as_something_to_see() {
    let mut hostile = answer("h1");
    hostile["output"] =
        json!("ok\u{1b}]0;pwned\u{7} \u{202e}gnp.exe \u{200b}end \u{1b}]52;c;aGk=\u{7}");
    let home = desk(&[hostile]);
    let mut app = review(&home, "ann");
    app.shows("hides");
    app.keys("v");
    app.shows("U+202E");
    app.keys("\x1b");
    let bytes = app.bytes();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("\u{1b}]0;") && !text.contains("\u{1b}]52;"), "an escape got out");
    assert!(!text.contains('\u{202e}') && !text.contains('\u{200b}'), "hidden text got out");
    quit(app);
}
