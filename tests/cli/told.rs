//! What people are told, and what is refused with a word on what to do instead.

use super::bench::{Bench, POLICY, record};

#[test]
fn a_rejection_says_why() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let refused = bench.error(3, &["decide", "a-1", "reject"]);
    assert_eq!(refused["message"], "a rejection needs a reason");
    assert_eq!(refused["hint"], "say why: --tag, --note or --label");
    bench.error(3, &["decide", "a-1", "reject", "--note", "  "]);
    bench.json(&["decide", "a-1", "reject", "--label", "deny"]);

    // A policy without a taxonomy asks for nothing.
    let bench = Bench::new();
    let (rules, _) = POLICY.split_once("[[tag]]").unwrap();
    bench.write("policy.toml", rules);
    bench.admit(&[record("a-1", 0.5, 2.0)]);
    bench.json(&["decide", "a-1", "reject"]);
}

#[test]
fn erasing_is_asked_for_twice() {
    let bench = Bench::with(&[record("a-1", 0.95, 2.0)]);
    let refused = bench.error(2, &["audit", "erase", "a-1"]);
    assert!(refused["hint"].as_str().unwrap().contains("--yes"), "{refused}");
    assert!(bench.json(&["show", "a-1"])["record"].is_object());
    // A pipe is nobody who could be asked, whatever it says.
    assert_eq!(bench.pipe(&["audit", "erase", "a-1"], "a-1\n").code, 2);
    bench.json(&["audit", "erase", "a-1", "--yes"]);
    assert!(bench.json(&["show", "a-1"])["record"].is_null());
}

#[test]
fn doctor_says_what_two_person_control_rests_on() {
    let bench = Bench::with(&[record("a-1", 0.5, 9.0)]);
    let checks = bench.json(&["doctor"])["checks"].clone();
    let two = checks.as_array().unwrap().iter().find(|c| c["name"] == "stages").unwrap();
    assert_eq!(two["status"], "warn");
    let message = two["message"].as_str().unwrap();
    assert!(message.contains("unsigned in level1, level2"), "{message}");
    assert!(message.contains("--as"), "{message}");

    let signed = POLICY.replace("level = 1", "level = 1\nsigned = true");
    let signed = signed.replace("level = 2", "level = 2\nsigned = true");
    bench.write("policy.toml", &signed);
    bench.run(&["policy", "activate", "policy.toml"]);
    assert!(!bench.run(&["doctor"]).out.contains("stages"));
}

#[test]
fn doctor_fails_where_nobody_is_an_admin() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let conn = rusqlite::Connection::open(bench.store()).unwrap();
    conn.execute("UPDATE reviewers SET row = json_set(row, '$.roles', json('[\"reviewer\"]'))", ())
        .unwrap();
    drop(conn);
    let ran = bench.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("no enabled reviewer is an admin"), "{ran:?}");
}

#[test]
fn show_says_how_an_automatic_decision_stands_and_who_edited() {
    let bench = Bench::with(&[record("a-1", 0.95, 2.0), record("a-2", 0.5, 2.0)]);
    let shown = bench.run(&["show", "a-1"]).out;
    assert!(shown.contains("settled automatically, at admission · revision 0"), "{shown}");
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    let text = bench.write("new.txt", "Deny the loan.");
    let text = text.to_str().unwrap();
    bench.json(&["decide", "a-2", "edit", "--output", text, "--as", "ann"]);
    let shown = bench.run(&["show", "a-2"]).out;
    assert!(shown.contains("settled in level1 · edited by ann"), "{shown}");
}

#[test]
fn a_filter_that_nothing_has_is_no_empty_queue() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    for (flag, word, near) in [
        ("--rule", "unsre", "did you mean unsure?"),
        ("--domain", "laon", "did you mean loan?"),
        ("--tag", "factual_eror", "did you mean factual_error?"),
        ("--tag", "nonsense", "there is"),
        ("--level", "7", "the levels are 1, 2 and 3"),
    ] {
        let refused = bench.error(1, &["queue", "list", flag, word]);
        assert!(refused["message"].as_str().unwrap().contains(word), "{refused}");
        assert!(refused["hint"].as_str().unwrap().contains(near), "{flag} {word}: {refused}");
    }
    // Known, and nothing waits: that is an empty queue.
    for (flag, word) in
        [("--rule", "second-pair-of-eyes"), ("--tag", "wrong_action"), ("--level", "2")]
    {
        assert_eq!(bench.json(&["queue", "list", flag, word])["total"], 0, "{flag}");
    }
}

#[test]
fn ones_own_lease_is_held_by_nobody_else() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    assert_eq!(bench.run(&["next", "--as", "ann"]).code, 0);
    let nothing = |who: &str| {
        let ran = bench.run(&["queue", "list", "--queue", "level2", "--as", who]);
        ran.out + &ran.err
    };
    assert!(!nothing("ann").contains("held by others"), "{}", nothing("ann"));
}

#[test]
fn a_search_says_how_many_matched() {
    let mut other = record("a-2", 0.5, 2.0);
    other["input"]["applicant"] = "Grace".into();
    let bench = Bench::with(&[record("a-1", 0.5, 2.0), other, record("a-3", 0.5, 2.0)]);
    let found = bench.json(&["queue", "list", "--text", "grace"]);
    assert_eq!((&found["matched"], &found["total"]), (&1.into(), &3.into()));
    let ran = bench.run(&["queue", "list", "--text", "grace"]);
    assert!((ran.out + &ran.err).contains("1 matches of 3 that wait"));
    let first = bench.run(&["queue", "list", "--text", "ada", "--limit", "1"]);
    assert!((first.out + &first.err).contains("1 matches of 3 so far; go on with --after"));
}

#[test]
fn an_edit_names_an_action_that_this_domain_has() {
    let mut deny = record("a-2", 0.5, 2.0);
    deny["action"] = "deny".into();
    let bench = Bench::with(&[record("a-1", 0.5, 2.0), deny]);
    let refused = bench.error(2, &["decide", "a-1", "edit", "--action", "denny"]);
    assert!(refused["message"].as_str().unwrap().contains("denny"), "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("did you mean deny?"), "{refused}");
    bench.json(&["decide", "a-1", "edit", "--action", "deny"]);
    // The policy may name one that no model ever proposed.
    let more = format!(
        "{POLICY}[[guideline]]\ndomain = \"loan\"\naction = \"refer\"\ntext = \"To the branch.\"\n"
    );
    bench.write("policy.toml", &more);
    let ran = bench.run(&["policy", "activate", "policy.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    bench.json(&["decide", "a-2", "edit", "--action", "refer"]);
}

#[test]
fn an_accept_takes_no_label() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.error(2, &["decide", "a-1", "accept", "--label", "deny"]);
    bench.error(2, &["decide", "a-1", "accept", "--action", "deny"]);
    assert_eq!(bench.json(&["show", "a-1"])["state"], "waiting");
}

#[test]
fn the_linear_app_takes_its_answers_from_a_pipe() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0), record("a-2", 0.5, 2.0)]);
    let ran = bench.pipe(&["review", "--linear"], "accept\nreject\nf\nno\n\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("Closed. Everything you sent is stored."), "{}", ran.out);
    let verdict = |id: &str| bench.json(&["show", id])["reviews"][0]["verdict"].clone();
    assert_eq!((verdict("a-1"), verdict("a-2")), ("accept".into(), "reject".into()));
    // Without answers it says what waits and leaves.
    let ran = bench.run(&["review", "--linear"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn the_log_shows_its_end_first() {
    let records: Vec<_> = (0..120).map(|n| record(&format!("a-{n}"), 0.95, 2.0)).collect();
    let bench = Bench::with(&records);
    let shown = bench.json(&["audit", "log"]);
    let total = shown["total"].as_u64().unwrap();
    let index = |shown: &serde_json::Value, at: usize| {
        shown["entries"].as_array().unwrap()[at]["index"].as_u64().unwrap()
    };
    assert_eq!(shown["entries"].as_array().unwrap().len(), 100);
    assert_eq!((index(&shown, 0), index(&shown, 99)), (total - 100, total - 1));
    let newest = bench.json(&["audit", "log", "--newest", "-n", "3"]);
    assert_eq!((index(&newest, 0), index(&newest, 2)), (total - 1, total - 3));
    let first = bench.json(&["audit", "log", "--from", "0", "-n", "2"]);
    assert_eq!((index(&first, 0), &first["next"]), (0, &2.into()));
}

#[test]
fn one_entry_is_one() {
    let bench = Bench::with(&[record("a-1", 0.95, 2.0)]);
    let note = bench.run(&["audit", "checkpoint"]).out;
    let note = bench.write("cp.txt", &note);
    bench.json(&["audit", "erase", "a-1", "--yes"]);
    let ran = bench.run(&["audit", "verify", "--checkpoint", note.to_str().unwrap()]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("the trail holds: "), "{ran:?}");
    assert!(lines[1].starts_with("1 entry is covered by nothing kept outside"), "{ran:?}");
}

#[test]
fn blank_lines_are_counted() {
    let bench = Bench::new();
    let input = format!("\n{}\n\n", record("a-1", 0.95, 2.0));
    let ran = bench.pipe(&["ingest", "-", "--policy", "policy.toml"], &input);
    assert!(ran.out.contains("1 admitted: 1 automatic; 2 blank lines"), "{ran:?}");
}

#[test]
fn a_policy_keeps_the_queues_that_held_items_need() {
    let bench = Bench::with(&[record("a-1", 0.5, 9.0)]);
    let without = POLICY
        .replace("escalates_to = \"level2\"\n", "")
        .replace("[queues.level2]\ntitle = \"Second look\"\nlevel = 2\n", "")
        .replace("approvals = [\"level1\", \"level2\"]", "approvals = [\"level1\"]");
    bench.write("without.toml", &without);
    let refused = bench.error(3, &["policy", "activate", "without.toml"]);
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("no queue level2, and a-1 still needs it"), "{message}");
    // In its grace time it is held, not waiting: it still needs its next stage.
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    bench.json(&["decide", "a-1", "accept", "--as", "ann", "--grace", "1h"]);
    bench.error(3, &["policy", "activate", "without.toml"]);
}

#[test]
fn who_uses_a_lower_stage_up_is_told() {
    let bench = Bench::with(&[record("a-1", 0.5, 9.0), record("a-2", 0.5, 9.0)]);
    let done = bench.json(&["decide", "a-1", "accept"]);
    let told = done["effects"].to_string();
    assert!(told.contains("nobody else of level 2 is left"), "{done}");
    bench.run(&["reviewer", "add", "bea", "--level", "2"]);
    let done = bench.json(&["decide", "a-2", "accept"]);
    assert!(done["effects"].to_string().contains("somebody else must approve it in level2"));
    bench.json(&["decide", "a-2", "accept", "--as", "bea"]);
    assert_eq!(bench.json(&["show", "a-2"])["state"], "settled");
}

#[test]
fn a_sample_that_was_not_drawn_holds_nothing() {
    let bench = Bench::new();
    let rule = "[[sample]]\nid = \"random\"\nrate = 0.000001\nto = \"level1\"\n";
    bench.write("policy.toml", &format!("{POLICY}{rule}"));
    bench.admit(&[record("a-1", 0.95, 2.0)]);
    let text = bench.run(&["policy", "explain", "a-1"]).out;
    assert!(text.contains("· sample random"), "{text}");
    assert!(!text.contains("✓ sample random"), "{text}");
}
