//! Every refused attempt of authority is in the trail, by whichever door it came, and none floods it.

use serde_json::Value;

use super::bench::{Bench, POLICY, record};

/// Who was refused what, about what, as the trail says.
fn denied(bench: &Bench) -> Vec<[String; 3]> {
    let log = bench.json(&["audit", "log", "--limit", "100000"]);
    let entries = log["entries"].as_array().unwrap().iter().map(|e| &e["entry"]);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    entries
        .filter(|e| e["t"] == "denied")
        .map(|e| [text(&e["by"]), text(&e["d"]["act"]), text(&e["d"]["what"])])
        .collect()
}

#[test]
fn whatever_was_attempted_is_in_the_trail() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0), record("a-2", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    assert_eq!(bench.run(&["decide", "a-2", "escalate", "--to", "level2"]).code, 0);
    bench.write("other.toml", &POLICY.replace("low = 0.60", "low = 0.50"));
    for (args, act, what) in [
        (&["reviewer", "add", "bob", "--level", "3"][..], "add a reviewer", "bob"),
        (&["reviewer", "disable", "root"], "disable a reviewer", "root"),
        (&["policy", "activate", "other.toml"], "put a policy in force", "other.toml"),
        (&["token", "create", "--for", "ann", "--scope", "admin"], "make a token", "ann"),
        (&["token", "revoke", "0123"], "revoke a token", "0123"),
        (&["audit", "erase", "a-1", "--yes"], "erase", "a-1"),
        (&["decide", "a-2", "accept"], "decide", "a-2"),
        (&["kill", "--scope", "all", "--reason", "x"], "stop automation", "all"),
        // What is refused to be read, too.
        (&["token", "list"], "ask", "tokens"),
    ] {
        let before = denied(&bench).len();
        let error = bench.error(3, &[args, &["--as", "ann"]].concat());
        assert_eq!(error["kind"], "authority", "{args:?}");
        let all = denied(&bench);
        assert_eq!(
            all[before..],
            [["ann".to_owned(), act.to_owned(), what.to_owned()]],
            "{args:?}"
        );
    }
    // Nobody that is known here: whatever it was about, they were not let in to it.
    bench.error(3, &["queue", "list", "--as", "mallory"]);
    bench.error(3, &["kill", "--scope", "all", "--reason", "x", "--as", "mallory"]);
    let by: Vec<_> = denied(&bench).into_iter().filter(|d| d[0] == "mallory").collect();
    let acts: Vec<&str> = by.iter().map(|d| d[1].as_str()).collect();
    assert_eq!(acts, ["ask", "stop automation"]);
    // What is refused for another reason is no matter of authority.
    let before = denied(&bench).len();
    bench.error(3, &["undo", "a-1"]);
    assert_eq!(denied(&bench).len(), before);
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn the_same_attempt_again_and_again_is_counted_and_not_told_each_time() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    for _ in 0..30 {
        bench.error(3, &["audit", "erase", "a-1", "--yes", "--as", "ann"]);
        bench.error(3, &["kill", "--scope", "all", "--reason", "x", "--as", "ann"]);
    }
    // Two kinds; where a minute ended meanwhile, as many again, and what was counted in it.
    let told = denied(&bench).len();
    assert!((2..=6).contains(&told), "{told}");
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}
