//! The configuration file: what it sets, and what a bad one says.

use super::bench::{Bench, record};

/// Every file in `tests/configs/bad/config`: the first line is a comment with what people must see.
#[test]
fn every_bad_configuration_names_its_place() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/bad/config");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected: Vec<&str> = text.lines().map_while(|l| l.strip_prefix("# says: ")).collect();
        assert!(!expected.is_empty(), "{} says what is expected of it", path.display());
        let bench = Bench::new();
        let ran = bench.run(&["queue", "list", "--config", path.to_str().unwrap()]);
        assert_eq!(ran.code, 2, "{}: {ran:?}", path.display());
        for words in expected {
            assert!(ran.err.contains(words), "{}: {words}: {}", path.display(), ran.err);
        }
        assert!(!ran.err.contains('\u{1b}') && !ran.err.contains('\u{202e}'), "{ran:?}");
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn the_users_own_file_names_store_and_reviewer() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    bench.write(".config/overrule/config.toml", "store = '../../desk.db'\nreviewer = 'ann'\n");
    let output =
        bench.command(&["decide", "a-1", "accept"]).env_remove("OVERRULE_STORE").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = bench.json(&["show", "a-1"]);
    assert_eq!(shown["reviews"][0]["reviewer"], "ann");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    bench.run(&["reviewer", "add", "bob", "--level", "1"]);
    bench.write(".config/overrule/config.toml", "reviewer = 'nobody'\n");
    let run = |args: &[&str], env: Option<&str>| {
        let mut command = bench.command(args);
        if let Some(name) = env {
            command.env("OVERRULE_REVIEWER", name);
        }
        command.output().unwrap().status.code()
    };
    assert_eq!(run(&["queue", "list"], None), Some(3), "the file's reviewer is not registered");
    assert_eq!(run(&["queue", "list"], Some("ann")), Some(0));
    assert_eq!(run(&["queue", "list", "--as", "bob"], Some("nobody")), Some(0));
}

#[test]
fn a_named_file_has_to_exist_and_none_is_ever_written() {
    let bench = Bench::new();
    let error = bench.error(2, &["queue", "list", "--config", "missing.toml"]);
    assert!(error["message"].as_str().unwrap().contains("missing.toml"), "{error}");
    bench.admit(&[record("a-1", 0.5, 2.0)]);
    assert!(!bench.path(".config").exists());
}

#[test]
fn doctor_and_completions_work_with_a_bad_configuration() {
    let bench = Bench::new();
    let config = bench.write("bad.toml", "stroe = 'x'");
    let config = config.to_str().unwrap();
    assert_eq!(bench.run(&["completions", "bash", "--config", config]).code, 0);
    let ran = bench.run(&["doctor", "--json", "--config", config]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["checks"][0]["name"], "config");
    assert_eq!(report["checks"][0]["status"], "fail");
}

#[test]
fn a_log_is_written_where_one_was_asked_for() {
    let bench = Bench::new();
    let config = bench.write("c.toml", "[log]\nfile = 'desk.log'\n");
    bench.error(1, &["show", "evil\u{1b}[2J", "--config", config.to_str().unwrap()]);
    let log = std::fs::read_to_string(bench.path("desk.log")).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(line["fields"]["kind"], "not_found", "{log}");
    assert!(!log.contains('\u{1b}'), "{log:?}");
    let bad = bench.write("d.toml", "[log]\nfilter = 'overrule=loud=er'\n");
    let error = bench.error(2, &["queue", "list", "--config", bad.to_str().unwrap()]);
    assert!(error["message"].as_str().unwrap().contains("loud"), "{error}");
}
