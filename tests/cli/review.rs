//! Queue, verdicts, undo, approvals: an item's life from the command line.

use serde_json::{Value, json};

use super::bench::{Bench, record};

#[test]
fn the_queue_in_the_contracts_shape_and_in_pages() {
    let records: Vec<Value> = (1..=5).map(|n| record(&format!("a-{n}"), 0.5, 2.0)).collect();
    let bench = Bench::with(&records);
    let page = bench.json(&["queue", "list", "--limit", "2"]);
    assert_eq!(page["total"], 5);
    let row = &page["items"][0];
    for (field, value) in [
        ("queue", json!("level1")),
        ("state", json!("waiting")),
        ("level", json!(1)),
        ("business_impact", json!(2.0)),
        ("confidence", json!(0.5)),
        ("domain", json!("loan")),
        ("action", json!("approve")),
        ("rule", json!("unsure")),
        ("revision", json!(0)),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    assert!(row["id"].is_string() && row["due_at"].is_string());

    let mut seen: Vec<String> = Vec::new();
    let mut after = None::<String>;
    loop {
        let mut args = vec!["queue", "list", "--limit", "2"];
        if let Some(cursor) = &after {
            args.extend(["--after", cursor]);
        }
        let page = bench.json(&args);
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|i| i["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["a-1", "a-2", "a-3", "a-4", "a-5"]);
    let none = bench.json(&["queue", "list", "--queue", "level2"]);
    assert_eq!(none["items"], json!([]));
}

#[test]
fn an_item_in_the_contracts_shape_under_both_spellings() {
    let bench = Bench::with(&[record("a-1", 0.5, 9.0)]);
    let shown = bench.json(&["show", "a-1"]);
    assert_eq!(shown, bench.json(&["queue", "show", "a-1"]));
    assert_eq!(shown["record"]["rationale"], "Income covers the rate.");
    assert_eq!(shown["route"]["queue"], "level1");
    assert_eq!(shown["state"], "waiting");
    assert_eq!(shown["revision"], 0);
    assert_eq!(shown["approvals_needed"], json!(["level1", "level2"]));
    assert_eq!(shown["reviews"], json!([]));
    assert_eq!(shown["lease"], Value::Null);

    let people = bench.run(&["show", "a-1"]).out;
    for words in ["WHY HERE", "confidence 0.5 < params.low 0.6", "approve", "Income covers"] {
        assert!(people.contains(words), "{words}: {people}");
    }
}

#[test]
fn next_takes_the_item_and_peek_does_not() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    let peeked = bench.json(&["next", "--peek"]);
    assert_eq!((&peeked["id"], &peeked["lease"]), (&json!("a-1"), &Value::Null));
    let taken = bench.json(&["next", "--as", "ann"]);
    assert_eq!((&taken["id"], &taken["lease"]["reviewer"]), (&json!("a-1"), &json!("ann")));
    assert_eq!(bench.json(&["queue", "next"]), Value::Null, "ann holds the only one");
    let people = bench.run(&["next"]);
    assert_eq!(people.code, 0);
    assert!(people.err.contains("held by others"), "never just empty: {people:?}");
    let held = bench.error(3, &["decide", "a-1", "accept"]);
    assert_eq!(held["kind"], "lease_lost");
    assert!(held["message"].as_str().unwrap().contains("ann"), "who holds it: {held}");
    assert_eq!(bench.run(&["decide", "a-1", "accept", "--as", "ann"]).code, 0);
}

#[test]
fn each_verdict_and_what_it_leaves_behind() {
    let records: Vec<Value> =
        ["acc", "edi", "act", "rej", "esc"].iter().map(|id| record(id, 0.5, 2.0)).collect();
    let bench = Bench::with(&records);
    let settled = bench.json(&["decide", "acc", "accept"]);
    assert_eq!((&settled["id"], &settled["state"]), (&json!("acc"), &json!("settled")));

    let answer = bench.write("answer.txt", "Decline: the income is unverified.\n");
    let answer = answer.to_str().unwrap();
    bench.json(&["decide", "edi", "edit", "--output", answer, "--tag", "factual_error"]);
    let shown = bench.json(&["show", "edi"]);
    assert_eq!(shown["current"]["output"], "Decline: the income is unverified.");
    assert_eq!(shown["reviews"][0]["tags"], json!(["factual_error"]));

    bench.json(&["decide", "act", "edit", "--action", "deny"]);
    assert_eq!(bench.json(&["show", "act"])["current"]["action"], "deny");

    bench.json(&["decide", "rej", "reject", "--label", "deny", "--tag", "factual_error"]);
    assert_eq!(bench.json(&["show", "rej"])["reviews"][0]["label"], "deny");

    let moved = bench.json(&["decide", "esc", "escalate", "--to", "level2", "--note", "please"]);
    assert_eq!((&moved["state"], &moved["queue"]), (&json!("waiting"), &json!("level2")));
}

#[test]
fn what_the_policy_does_not_allow_is_refused_with_its_reason() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    for (code, args) in [
        (3, vec!["decide", "a-1", "reject", "--tag", "wrong_action"]), // wants a note
        (2, vec!["decide", "a-1", "edit"]),                            // changes nothing
        (2, vec!["decide", "a-1", "escalate"]),                        // where to?
        (1, vec!["decide", "nobody", "accept"]),
        (3, vec!["decide", "a-1", "accept", "--revision", "7"]),
        (3, vec!["flag", "a-1", "--tag", "factual_error"]), // not settled yet
    ] {
        let error = bench.error(code, &args);
        assert!(error["hint"].is_string(), "{args:?} says what to do next: {error}");
    }
    let unknown = bench.error(2, &["decide", "a-1", "reject", "--tag", "factual_eror"]);
    assert!(unknown["message"].as_str().unwrap().contains("factual_eror"), "{unknown}");
    assert_eq!(bench.json(&["show", "a-1"])["revision"], 0, "nothing of it was done");
}

#[test]
fn undo_inside_the_grace_time_puts_it_back_and_late_undo_is_refused() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0), record("a-2", 0.5, 2.0)]);
    let before = bench.json(&["show", "a-1"]);
    let decided = bench.json(&["decide", "a-1", "reject", "--label", "deny", "--grace", "1h"]);
    assert_eq!(decided["state"], "decided");
    assert!(decided["until"].is_string());
    let back = bench.json(&["undo", "a-1"]);
    assert_eq!((&back["state"], &back["queue"]), (&json!("waiting"), &json!("level1")));
    let after = bench.json(&["show", "a-1"]);
    assert_eq!(after["due_at"], before["due_at"], "same place");
    assert_eq!(after["reviews"][0]["undone"], true);

    bench.json(&["decide", "a-2", "accept"]);
    let late = bench.error(3, &["undo", "a-2"]);
    assert_eq!(late["kind"], "late_undo");
    assert!(late["hint"].as_str().unwrap().contains("flag"), "{late}");
}

#[test]
fn two_people_approve_the_final_content_and_nobody_counts_twice() {
    let bench = Bench::with(&[record("a-1", 0.5, 9.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    bench.run(&["reviewer", "add", "bob", "--level", "2"]);
    bench.run(&["reviewer", "add", "eve", "--level", "2"]);

    let staged = bench.json(&["decide", "a-1", "accept", "--as", "bob"]);
    assert_eq!(staged["state"], "awaiting_approval");
    assert_eq!(staged["queue"], "level2");
    let twice = bench.error(3, &["decide", "a-1", "accept", "--as", "bob"]);
    assert!(twice["message"].as_str().unwrap().contains("bob"), "{twice}");
    let below = bench.error(3, &["decide", "a-1", "accept", "--as", "ann"]);
    assert_eq!(below["kind"], "authority");

    // An edit at the second level makes new content: the first level has to look again.
    let edited = bench.json(&["decide", "a-1", "edit", "--action", "deny", "--as", "eve"]);
    assert_eq!(
        (&edited["state"], &edited["queue"]),
        (&json!("awaiting_approval"), &json!("level1"))
    );
    let done = bench.json(&["decide", "a-1", "accept", "--as", "ann"]);
    assert_eq!(done["state"], "settled");
    assert_eq!(bench.json(&["show", "a-1"])["approvals_needed"], json!([]));
}

#[test]
fn the_revision_rises_by_one_with_what_one_commit_does() {
    let bench = Bench::with(&[record("a-1", 0.5, 9.0), record("a-2", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "2"]);
    let stands = |id: &str| {
        let shown = bench.json(&["show", id]);
        (shown["state"].as_str().unwrap().to_owned(), shown["revision"].as_u64().unwrap())
    };
    let given = bench.json(&["decide", "a-1", "accept", "--revision", "0"]);
    assert_eq!((&given["state"], &given["revision"]), (&json!("awaiting_approval"), &json!(1)));
    let given = bench.json(&["decide", "a-1", "accept", "--as", "ann", "--revision", "1"]);
    assert_eq!((&given["state"], &given["revision"]), (&json!("settled"), &json!(2)));
    assert_eq!(stands("a-1"), ("settled".into(), 2));

    // Moved, flagged, taken back: each is a commit.
    bench.json(&["decide", "a-2", "escalate", "--to", "level2", "--note", "please"]);
    assert_eq!(stands("a-2"), ("waiting".into(), 1));
    bench.json(&["decide", "a-2", "reject", "--tag", "factual_error", "--grace", "1h"]);
    assert_eq!(stands("a-2"), ("decided".into(), 2));
    bench.json(&["undo", "a-2"]);
    assert_eq!(stands("a-2"), ("waiting".into(), 3));
    // What waited out its grace time takes effect in a commit of its own.
    bench.json(&["decide", "a-2", "reject", "--tag", "factual_error", "--grace", "1ms"]);
    assert_eq!(stands("a-2"), ("settled".into(), 5));
    bench.json(&["flag", "a-2", "--tag", "factual_error"]);
    assert_eq!(stands("a-2"), ("waiting".into(), 6));
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn many_verdicts_from_a_file_each_for_itself() {
    let records: Vec<Value> = (1..=3).map(|n| record(&format!("a-{n}"), 0.5, 2.0)).collect();
    let bench = Bench::with(&records);
    let lines = "{\"id\":\"a-1\",\"verdict\":\"accept\"}\n\
                 {\"id\":\"nobody\",\"verdict\":\"accept\"}\n\
                 {\"id\":\"a-2\",\"verdct\":\"accept\"}\n\
                 \n\
                 {\"id\":\"a-3\",\"verdict\":\"reject\",\"tags\":[\"factual_error\"]}\n";
    let ran = bench.pipe(&["decide", "--from", "-", "--json"], lines);
    assert_eq!(ran.code, 3, "{ran:?}");
    let ids: Vec<Value> = ran.lines().iter().map(|l| l["id"].clone()).collect();
    assert_eq!(ids, ["a-1", "a-3"]);
    assert!(ran.err.contains("-:2: ") && ran.err.contains("-:3: "), "{}", ran.err);
    assert_eq!(ran.error()["kind"], "refused_lines");
    assert_eq!(bench.json(&["show", "a-2"])["state"], "waiting");
}

#[test]
fn the_same_request_twice_changes_nothing() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let line = "{\"id\":\"a-1\",\"verdict\":\"accept\",\
                \"request_id\":\"01909c7e-6f6b-7c3a-8f43-0242ac120002\"}\n";
    let first = bench.pipe(&["decide", "--from", "-", "--json"], line);
    assert_eq!(first.lines()[0]["duplicate"], false);
    let second = bench.pipe(&["decide", "--from", "-", "--json"], line);
    assert_eq!((second.code, &second.lines()[0]["duplicate"]), (0, &json!(true)));
    assert_eq!(bench.json(&["show", "a-1"])["reviews"].as_array().unwrap().len(), 1);
}

#[test]
fn a_settled_decision_is_flagged_reviewed_again_and_reversed() {
    let bench = Bench::with(&[record("a-1", 0.95, 2.0)]);
    let opened =
        bench.json(&["flag", "a-1", "--tag", "factual_error", "--note", "the income is wrong"]);
    assert_eq!(opened["state"], "waiting");
    bench.json(&["decide", "a-1", "reject", "--tag", "factual_error"]);
    let shown = bench.json(&["show", "a-1"]);
    assert_eq!(shown["state"], "settled");
    let reviews = shown["reviews"].as_array().unwrap();
    assert_eq!(reviews.last().unwrap()["reversal"], true);
}

#[test]
fn feedback_is_noted() {
    let bench = Bench::with(&[record("a-1", 0.95, 2.0)]);
    let noted = bench.json(&["feedback", "a-1", "--kind", "complaint", "--note", "no answer"]);
    assert_eq!(noted["kind"], "complaint");
    let log = bench.json(&["audit", "log", "--item", "a-1"]);
    let kinds: Vec<&str> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["entry"]["t"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"feedback"), "{kinds:?}");
}

#[test]
fn corrections_are_labelled_examples() {
    let bench =
        Bench::with(&[record("acc", 0.5, 2.0), record("edi", 0.5, 2.0), record("rej", 0.5, 2.0)]);
    bench.json(&["decide", "acc", "accept"]);
    bench.json(&["decide", "edi", "edit", "--action", "deny", "--note", "too much debt"]);
    bench.json(&["decide", "rej", "reject", "--tag", "factual_error"]);
    let ran = bench.run(&["learn", "export"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines = ran.lines();
    assert_eq!(lines.len(), 2, "an accept teaches nothing new: {lines:?}");
    let edit = &lines[0];
    assert_eq!(edit["id"], "edi");
    assert_eq!(edit["proposed"], json!({"action": "approve", "output": "Approve the loan."}));
    assert_eq!(edit["corrected"], json!({"action": "deny", "output": "Approve the loan."}));
    assert_eq!(edit["cohort"], json!({"race": "black"}));
    assert_eq!(edit["input"]["income_thousands"], 53);
    assert_eq!(edit["verdict"], "edit");
    assert_eq!(edit["note"], "too much debt");
    assert_eq!(edit["route"]["rule"], "unsure");
    for field in ["domain", "model", "tags", "by", "level", "at", "sample"] {
        assert!(edit.get(field).is_some(), "{field}: {edit}");
    }
    assert_eq!(lines[1]["id"], "rej");

    let file = bench.path("out.jsonl");
    bench.run(&["learn", "export", "--output", file.to_str().unwrap(), "--since", "24h"]);
    assert_eq!(std::fs::read_to_string(file).unwrap(), ran.out);
    assert_eq!(bench.run(&["learn", "export", "--since", "2999-01-01"]).out, "");
}

#[test]
fn a_blind_item_hides_the_proposal_until_the_own_answer_is_stored() {
    let bench = Bench::new();
    bench
        .write("policy.toml", &super::bench::POLICY.replace("level = 1", "level = 1\nblind = 1.0"));
    bench.admit(&[record("a-1", 0.5, 2.0)]);
    for args in [vec!["show", "a-1"], vec!["next", "--peek"], vec!["queue", "list"]] {
        let shown = bench.json(&args).to_string();
        assert!(!shown.contains("Approve the loan."), "{args:?}: {shown}");
        assert!(!shown.contains("\"approve\""), "{args:?}: {shown}");
        assert!(!bench.run(&args).out.contains("approve"), "{args:?}");
    }
    let early = bench.error(3, &["decide", "a-1", "accept"]);
    assert!(early["hint"].as_str().unwrap().contains("answer"), "{early}");
    let told = bench.run(&["answer", "a-1", "--action", "approve"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(bench.json(&["show", "a-1"])["current"]["action"], "approve");
    bench.json(&["decide", "a-1", "accept"]);
    assert_eq!(bench.json(&["show", "a-1"])["reviews"][0]["agreed"], true);
}

#[test]
fn a_queue_that_wants_signatures_takes_only_signed_verdicts() {
    let bench = Bench::new();
    let signed = super::bench::POLICY.replace("level = 1", "level = 1\nsigned = true");
    bench.write("policy.toml", &signed);
    bench.admit(&[record("a-1", 0.5, 2.0)]);
    let key = bench.path("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f"])
        .arg(&key)
        .status();
    if !made.is_ok_and(|s| s.success()) {
        return;
    }
    let public = bench.path("key.pub");
    let added =
        bench.run(&["reviewer", "add", "ann", "--level", "1", "--key", public.to_str().unwrap()]);
    assert_eq!(added.code, 0, "{added:?}");
    let refused = bench.error(3, &["decide", "a-1", "accept", "--as", "ann"]);
    assert!(refused["message"].as_str().unwrap().contains("sign"), "{refused}");
    let ran =
        bench.run(&["decide", "a-1", "accept", "--as", "ann", "--sign", key.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(bench.json(&["show", "a-1"])["reviews"][0]["signed"], true);
    assert_eq!(bench.run(&["audit", "verify"]).code, 0);
}
