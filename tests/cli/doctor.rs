//! `doctor`: every check with its next step; nothing is made or changed by looking.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::bench::{Bench, record};

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["name"] == name)
        .unwrap_or_else(|| panic!("{name}: {report}"))
}

#[test]
fn before_there_is_a_store_it_says_how_to_make_one() {
    let bench = Bench::new();
    let report = bench.json(&["doctor"]);
    assert_eq!(check(&report, "store")["status"], "warn");
    assert!(check(&report, "store")["hint"].as_str().unwrap().contains("ingest"), "{report}");
    assert_eq!(std::fs::read_dir(bench.path("")).unwrap().count(), 1, "only the policy is there");
}

#[test]
fn a_sound_store_is_described() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let before = bench.bytes();
    let report = bench.json(&["doctor"]);
    for name in ["config", "files", "format", "key", "store", "reviewer", "policy"] {
        assert_eq!(check(&report, name)["status"], "ok", "{name}: {report}");
    }
    let store = check(&report, "store")["message"].as_str().unwrap();
    assert!(store.contains("1 decision, 1 waits") && store.contains("wall clock"), "{store}");
    assert!(check(&report, "policy")["message"].as_str().unwrap().starts_with("bench sha256:"));
    assert_eq!(bench.bytes(), before, "looking changes nothing");
}

#[test]
fn what_is_wrong_comes_with_the_remedy() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let key = bench.path("desk.db.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let report = bench.json(&["doctor"]);
    let modes = check(&report, "modes");
    assert_eq!(modes["status"], "warn");
    assert!(modes["hint"].as_str().unwrap().starts_with("chmod 600 "), "{modes}");

    let broken = Bench::new();
    broken.write("desk.db", "no store at all");
    let ran = broken.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("fail") && ran.out.contains("next: "), "{}", ran.out);
    assert_eq!(ran.err.lines().next(), Some("error: 2 checks failed"));

    let stranger = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let ran = stranger.run(&["doctor", "--as", "mallory", "--json"]);
    assert_eq!(ran.code, 1, "it tells the trouble like any other: {ran:?}");
}
