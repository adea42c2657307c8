//! Help, mistakes, streams: what every command has in common.

use super::bench::{Bench, record};

#[test]
fn help_teaches_and_is_no_failure() {
    let bench = Bench::new();
    for (args, words) in [
        (vec!["--help"], vec!["overrule demo", "Exit codes: 0 done", "OVERRULE_STORE"]),
        (vec!["ingest", "--help"], vec!["overrule ingest decisions.jsonl", "--clock", "--refused"]),
        (vec!["decide", "--help"], vec!["escalate --to level2", "--grace", "--from"]),
        (vec!["audit", "verify", "--help"], vec!["--key", "--checkpoint"]),
        (vec!["learn", "export", "--help"], vec!["--since"]),
    ] {
        let ran = bench.run(&args);
        assert_eq!(ran.code, 0, "{args:?}");
        for word in words {
            assert!(ran.out.contains(word), "{args:?} says {word}: {}", ran.out);
        }
    }
    assert_eq!(bench.run(&["--version"]).out.split(' ').next(), Some("overrule"));
}

#[test]
fn a_command_that_does_not_exist_is_a_usage_error() {
    let bench = Bench::new();
    let ran = bench.run(&["frobnicate"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("frobnicate"), "{ran:?}");
    let error = bench.error(2, &["decide", "a-1", "shrug"]);
    assert_eq!(error["kind"], "usage");
    assert!(error["message"].as_str().unwrap().contains("shrug"), "{error}");
    assert!(!bench.store().exists(), "a mistake makes no store");
}

#[test]
fn what_is_missing_is_named_in_one_line() {
    let bench = Bench::new();
    let said = |args: &[&str]| bench.error(2, args)["message"].as_str().unwrap().to_owned();
    let missing = "the following required arguments were not provided:";
    assert_eq!(said(&["kill"]), format!("{missing} --reason <TEXT>"));
    assert_eq!(said(&["reviewer", "add"]), format!("{missing} --level <N>, <NAME>"));
    let kinds = "--kind <KIND> (reversal|complaint|error|confirmed)";
    assert_eq!(said(&["feedback"]), format!("{missing} {kinds}, <ID>"));
    let decide = said(&["decide"]);
    assert!(decide.contains("<ID>") && !decide.ends_with(':'), "{decide}");
    let shrug = said(&["decide", "a-1", "shrug"]);
    assert!(
        shrug.contains("'shrug'") && shrug.contains("accept, edit, reject, escalate"),
        "{shrug}"
    );
}

#[test]
fn without_a_store_looking_says_how_to_make_one() {
    let bench = Bench::new();
    for args in [
        vec!["queue", "list"],
        vec!["show", "a-1"],
        vec!["next"],
        vec!["decide", "a-1", "accept"],
        vec!["audit", "verify"],
        vec!["learn", "export"],
        vec!["reviewer", "list"],
    ] {
        let error = bench.error(1, &args);
        assert_eq!(error["kind"], "not_found", "{args:?}");
        assert!(error["message"].as_str().unwrap().contains("desk.db"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("overrule ingest"), "{error}");
    }
    assert!(!bench.store().exists());
    // Neither is an empty file made one by looking, nor a folder by a slip of the fingers.
    let empty = bench.write("empty.db", "");
    let error = bench.error(1, &["queue", "list", "--store", "empty.db"]);
    assert_eq!(error["kind"], "not_found", "{error}");
    assert_eq!(std::fs::read(empty).unwrap(), b"");
    let error = bench.error(1, &["ingest", "policy.toml", "--store", "no/such/desk.db"]);
    assert_eq!(error["message"], "there is no folder no/such to make a store in");
    assert!(!bench.path("no").exists());
}

#[test]
fn people_get_what_happened_and_what_to_do_next_without_colour_codes() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let ran = bench.run(&["show", "nobody-knows"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("error: ") && ran.err.contains("\n next: "), "{ran:?}");
    assert!(!ran.err.contains('\u{1b}'), "a pipe gets no colour: {ran:?}");
}

#[test]
fn an_address_is_a_server_that_wants_a_token_and_no_file() {
    let bench = Bench::new();
    let said = |error: &serde_json::Value| error["message"].as_str().unwrap().to_owned();
    let error = bench.error(1, &["queue", "list", "--store", "https://desk.example"]);
    assert_eq!(error["kind"], "token");
    assert!(said(&error).starts_with("there is no token for desk.example"), "{error}");
    let error = bench.error(2, &["queue", "list", "--store", "ftp://desk.example"]);
    assert_eq!(said(&error), "ftp:// is no kind of store");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let mut child = bench
        .command(&["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn completions_know_the_commands() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = bench.run(&["completions", shell]);
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("ingest") && ran.out.contains("checkpoint"), "{shell}");
    }
}

#[test]
fn quiet_says_only_results() {
    let bench = Bench::new();
    let file = bench.write("in.jsonl", &record("a-1", 0.5, 2.0).to_string());
    let ran = bench.run(&["ingest", file.to_str().unwrap(), "--quiet", "--policy", "policy.toml"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

#[test]
fn the_app_wants_a_terminal_and_makes_nothing_without_one() {
    let bench = Bench::new();
    for args in [vec![], vec!["review"], vec!["demo"]] {
        let error = bench.error(2, &args);
        assert_eq!(error["kind"], "terminal", "{args:?}");
        assert!(error["hint"].as_str().unwrap().contains("queue list"), "{error}");
    }
    assert!(!bench.store().exists());
    assert_eq!(bench.error(2, &["--linear", "queue", "list"])["kind"], "usage");
}
