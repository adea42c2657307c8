//! Who may decide: registering, disabling, acting in a name.

use serde_json::json;

use super::bench::{Bench, POLICY, record};

#[test]
fn a_fresh_store_knows_you_with_every_role() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let people = bench.json(&["reviewer", "list"]);
    let people = people["reviewers"].as_array().unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(people[0]["level"], 3);
    assert_eq!(
        people[0]["roles"],
        json!(["reviewer", "expert", "compliance", "on-call", "auditor", "admin"])
    );
}

#[test]
fn a_name_that_is_not_registered_is_refused_everywhere() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    for args in [
        vec!["queue", "list"],
        vec!["show", "a-1"],
        vec!["decide", "a-1", "accept"],
        vec!["ingest", "policy.toml"],
        vec!["learn", "export"],
        vec!["reviewer", "add", "mallory", "--level", "3", "--role", "admin"],
        vec!["audit", "erase", "a-1", "--yes"],
    ] {
        let error = bench.error(3, &[&args[..], &["--as", "mallory"]].concat());
        assert_eq!(error["kind"], "authority", "{args:?}");
        assert!(error["message"].as_str().unwrap().contains("mallory"), "{error}");
    }
    let fresh = Bench::new();
    assert_eq!(fresh.error(3, &["ingest", "policy.toml", "--as", "mallory"])["kind"], "authority");
    assert!(!fresh.store().exists(), "and no store is made in that name");
}

#[test]
fn only_an_admin_changes_people_policy_and_text() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "2", "--role", "expert"]);
    bench.write("other.toml", &POLICY.replace("low = 0.60", "low = 0.50"));
    for args in [
        vec!["reviewer", "add", "bob", "--level", "1"],
        vec!["reviewer", "disable", "ann"],
        vec!["policy", "activate", "other.toml"],
        vec!["audit", "erase", "a-1", "--yes"],
    ] {
        let error = bench.error(3, &[&args[..], &["--as", "ann"]].concat());
        assert_eq!(error["kind"], "authority", "{args:?}");
    }
}

#[test]
fn a_disabled_reviewer_decides_nothing_and_the_last_admin_stays() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    assert_eq!(bench.run(&["reviewer", "disable", "ann"]).code, 0);
    assert_eq!(bench.error(3, &["decide", "a-1", "accept", "--as", "ann"])["kind"], "authority");
    let me = bench.json(&["reviewer", "list"])["reviewers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["name"] != "ann")
        .unwrap()["name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(bench.run(&["reviewer", "disable", &me]).code, 3, "nobody could undo it");
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    assert_eq!(bench.run(&["decide", "a-1", "accept", "--as", "ann"]).code, 0, "back again");
}

#[test]
fn keys_are_checked_before_they_count() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let secret = bench.write("id", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n");
    let add =
        |file: &str| bench.error(2, &["reviewer", "add", "ann", "--level", "1", "--key", file]);
    let error = add(secret.to_str().unwrap());
    assert!(error["hint"].as_str().unwrap().contains(".pub"), "{error}");
    let noise = bench.write("noise.pub", "ssh-ed25519 nonsense");
    assert!(add(noise.to_str().unwrap())["hint"].as_str().unwrap().contains("ssh-keygen"));
}

#[test]
fn levels_and_roles_outside_the_house_are_usage_errors() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    for args in [
        vec!["reviewer", "add", "ann", "--level", "4"],
        vec!["reviewer", "add", "ann"],
        vec!["reviewer", "add", "ann", "--level", "1", "--role", "emperor"],
    ] {
        assert_eq!(bench.error(2, &args)["kind"], "usage", "{args:?}");
    }
}

#[test]
fn without_a_policy_and_without_an_admin_everything_goes_to_people() {
    let bench = Bench::new();
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    let line = format!("{}\n", record("a-1", 0.99, 1.0));
    let ran = bench.pipe(&["ingest", "-", "--json", "--as", "ann"], &line);
    assert_eq!(ran.code, 0, "{ran:?}");
    let route = &ran.lines()[0];
    assert_eq!((&route["outcome"], &route["policy"]), (&json!("review"), &json!("none")));
    // What is in force is then an admin's decision: nothing is installed behind their back.
    let ran = bench.pipe(&["ingest", "-", "--json"], &line.replace("a-1", "a-2"));
    assert_eq!(ran.lines()[0]["policy"], "none");
    assert_eq!(bench.run(&["policy", "activate", "policy.toml"]).code, 0);
}
