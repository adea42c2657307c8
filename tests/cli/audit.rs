//! The trail through the front door: what verifies, what does not, what is gone for good.

use std::os::unix::fs::PermissionsExt as _;

use super::bench::{Bench, Ran, contains, record};

/// A store with a bit of everything in its trail.
fn lived() -> Bench {
    let bench =
        Bench::with(&[record("a-1", 0.5, 2.0), record("a-2", 0.5, 2.0), record("a-3", 0.95, 2.0)]);
    bench.run(&["reviewer", "add", "ann", "--level", "1"]);
    bench.json(&["decide", "a-1", "accept", "--as", "ann"]);
    bench.json(&["decide", "a-2", "reject", "--tag", "factual_error", "--note", "no-such-income"]);
    bench
}

#[test]
fn verify_in_the_contracts_shape() {
    let bench = lived();
    let report = bench.json(&["audit", "verify"]);
    assert_eq!(report["ok"], true);
    assert!(report["entries"].as_u64().unwrap() >= 8, "{report}");
    assert!(report["root"].is_string() && report["checkpoint"].is_string());
    assert!(report["first_bad"].is_null());
    assert!(bench.run(&["audit", "verify"]).out.contains("the trail holds"));
}

#[test]
fn a_flipped_byte_of_an_entry_is_found_and_named() {
    let bench = lived();
    let log = bench.json(&["audit", "log"]);
    let entries = log["entries"].as_array().unwrap();
    let verdict =
        entries.iter().find(|e| e["entry"]["t"] == "verdict" && e["entry"]["id"] == "a-1").unwrap();
    let request = verdict["entry"]["req"].as_str().unwrap();
    let file = bench.store();
    let mut bytes = std::fs::read(&file).unwrap();
    let needle = format!("\"req\":\"{request}\"");
    let places: Vec<usize> = bytes
        .windows(needle.len())
        .enumerate()
        .filter(|(_, w)| *w == needle.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "the entry stands in the file as it is hashed");
    for at in places {
        let last = at + needle.len() - 2;
        bytes[last] = if bytes[last] == b'0' { b'1' } else { b'0' };
    }
    std::fs::write(&file, &bytes).unwrap();
    let ran = bench.run(&["audit", "verify", "--json"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(report["first_bad"], verdict["index"]);
    assert_eq!(ran.error()["kind"], "verification");
}

#[test]
fn changed_text_is_found_too() {
    let bench = lived();
    let file = bench.store();
    let mut bytes = std::fs::read(&file).unwrap();
    let mut changed = 0;
    let needle = b"no-such-income";
    for at in 0..bytes.len().saturating_sub(needle.len()) {
        if &bytes[at..at + needle.len()] == needle {
            bytes[at] = b'N';
            changed += 1;
        }
    }
    assert!(changed > 0);
    std::fs::write(&file, &bytes).unwrap();
    let found = bench.run(&["audit", "verify", "--json"]);
    assert_eq!(found.code, 4, "{found:?}");
    assert!(!found.out.contains("erased") && !found.err.contains("erased"), "{found:?}");
}

#[test]
fn a_key_and_a_checkpoint_from_outside_anchor_the_trail() {
    let bench = lived();
    let key = bench.run(&["audit", "key"]).out;
    let note = bench.run(&["audit", "checkpoint"]).out;
    assert!(note.contains("\u{2014} "), "a signed note: {note}");
    let (key_file, note_file) = (bench.write("desk.vkey", &key), bench.write("cp.txt", &note));
    let anchored = [
        "audit",
        "verify",
        "--key",
        key_file.to_str().unwrap(),
        "--checkpoint",
        note_file.to_str().unwrap(),
    ];
    assert_eq!(bench.json(&anchored)["unanchored"], 0);
    assert_eq!(bench.run(&["audit", "verify", "--key", key.trim()]).code, 0, "the key itself");
    bench.admit(&[record("a-9", 0.5, 2.0)]);
    assert!(bench.json(&anchored)["unanchored"].as_u64().unwrap() > 0);

    // Somebody else's store with the same history is not this one.
    let other = lived();
    let other_key = other.run(&["audit", "key"]).out;
    let ran = bench.run(&["audit", "verify", "--key", other_key.trim()]);
    assert_eq!(ran.code, 4, "{ran:?}");
}

#[test]
fn a_key_that_is_not_the_logs_signs_nothing() {
    let (bench, other) = (lived(), lived());
    let good = std::fs::read(bench.path("desk.db.key")).unwrap();
    std::fs::copy(other.path("desk.db.key"), bench.path("desk.db.key")).unwrap();
    let error = bench.error(1, &["audit", "checkpoint"]);
    let said = error["message"].as_str().unwrap();
    assert!(said.contains("is not this log's: it signs nothing"), "{said}");
    // Work goes on, unsigned: nothing of the wrong key is kept.
    bench.run(&["reviewer", "add", "dora", "--level", "1"]);
    std::fs::write(bench.path("desk.db.key"), good).unwrap();
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
    bench.run(&["audit", "checkpoint"]);
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn a_store_put_back_to_an_older_copy_does_not_fit_a_later_checkpoint() {
    let bench = lived();
    let old = std::fs::read(bench.store()).unwrap();
    bench.admit(&[record("a-9", 0.5, 2.0)]);
    let note = bench.run(&["audit", "checkpoint"]).out;
    let note = bench.write("cp.txt", &note);
    for beside in ["desk.db-wal", "desk.db-shm"] {
        let _ = std::fs::remove_file(bench.path(beside));
    }
    std::fs::write(bench.store(), old).unwrap();
    assert_eq!(bench.run(&["audit", "verify"]).code, 0, "by itself the old copy is sound");
    let ran = bench.run(&["audit", "verify", "--checkpoint", note.to_str().unwrap()]);
    assert_eq!(ran.code, 4, "{ran:?}");
}

#[test]
fn erased_text_is_nowhere_in_the_file_and_the_trail_still_holds() {
    let bench = Bench::new();
    let mut secret = record("a-1", 0.5, 2.0);
    secret["input"]["applicant"] = "Zaphod-in-the-input".into();
    secret["output"] = "Zaphod-in-the-output".into();
    bench.admit(&[secret, record("a-2", 0.5, 2.0)]);
    let answer = bench.write("answer.txt", "Zaphod-in-the-edit");
    bench.json(&[
        "decide",
        "a-1",
        "edit",
        "--output",
        answer.to_str().unwrap(),
        "--note",
        "Zaphod-in-the-note",
    ]);
    let bad = "{\"id\":\"a-1\",\"of\":\"Zaphod-in-the-dead-letter\"";
    bench.pipe(&["ingest", "-"], &format!("{bad}\n"));
    assert!(contains(&bench.bytes(), "Zaphod-in-the-input"), "the search would find it");

    let erased = bench.json(&["audit", "erase", "a-1", "--reason", "request 118", "--yes"]);
    assert_eq!((&erased["erased"], &erased["texts"]), (&true.into(), &2.into()));
    let again = bench.run(&["audit", "erase", "a-1", "--yes"]);
    assert!(again.out.starts_with("no text of a-1 was left to erase"), "{again:?}");
    let bytes = bench.bytes();
    for place in ["input", "output", "edit", "note"] {
        assert!(!contains(&bytes, &format!("Zaphod-in-the-{place}")), "{place}");
    }
    let shown = bench.json(&["show", "a-1"]);
    assert!(!shown.to_string().contains("Zaphod"), "{shown}");
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
    assert_eq!(bench.run(&["audit", "prove", "a-1"]).code, 0);
    assert_eq!(bench.json(&["show", "a-2"])["record"]["input"]["applicant"], "Ada");
}

#[test]
fn a_proof_names_the_signed_log() {
    let bench = lived();
    let proof = bench.run(&["audit", "prove", "a-1"]);
    assert_eq!(proof.code, 0, "{proof:?}");
    let key = bench.run(&["audit", "key"]).out;
    let origin = key.split('+').next().unwrap();
    assert!(proof.out.contains(origin), "{}", proof.out);
}

#[test]
fn the_log_tells_who_did_what_in_order_and_in_pages() {
    let bench = lived();
    let all = bench.json(&["audit", "log", "--limit", "1000"]);
    let entries = all["entries"].as_array().unwrap();
    let total = all["total"].as_u64().unwrap();
    assert_eq!(entries.len() as u64, total);
    assert!(entries.iter().zip(0u64..).all(|(e, n)| e["index"] == n));
    assert_eq!(entries[0]["entry"]["t"], "genesis");
    let page = bench.json(&["audit", "log", "--from", "2", "--limit", "3"]);
    assert_eq!(page["entries"][0]["index"], 2);
    assert_eq!(page["entries"].as_array().unwrap().len(), 3);
    assert_eq!(page["next"], 5);
    let people = bench.run(&["audit", "log", "--item", "a-1"]).out;
    assert!(people.contains("ann") && people.contains("verdict"), "{people}");
}

#[test]
fn a_file_that_is_no_store_is_no_success() {
    let bench = Bench::new();
    bench.write("desk.db", "this is not a database, it is a letter to my mother\n");
    let ran = bench.run(&["audit", "verify"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let ran = bench.run(&["queue", "list"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn a_copy_that_nobody_may_write_is_looked_at_and_verified() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0), record("a-2", 0.9, 2.0)]);
    let folder = bench.path("copy");
    std::fs::create_dir(&folder).unwrap();
    let copy = folder.join("desk.db");
    std::fs::copy(bench.store(), &copy).unwrap();
    let home = bench.path("");
    for (path, mode) in [(&copy, 0o444), (&folder, 0o555), (&home, 0o755)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let owner = bench.json(&["reviewer", "list"])["reviewers"][0]["name"].clone();
    let owner = owner.as_str().unwrap().to_owned();
    // What root may not do does not exist: be somebody else.
    let root = rustix::process::geteuid().is_root();
    let before = std::fs::read(&copy).unwrap();
    let run = |args: &[&str]| {
        let mut plain =
            bench.command(&[args, &["--as", &owner, "--store", "copy/desk.db"]].concat());
        if !root {
            return Ran::of(plain.output().unwrap());
        }
        let mut other = std::process::Command::new("setpriv");
        other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        other.arg(plain.get_program()).args(plain.get_args()).current_dir(&home).env_clear();
        other.envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?))));
        Ran::of(other.stdin(std::process::Stdio::null()).output().unwrap())
    };
    let listed = run(&["queue", "list", "--json"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.out.contains("a-1"), "{listed:?}");
    let key = bench.run(&["audit", "key"]).out;
    let verified = run(&["audit", "verify", "--key", key.trim()]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let told = run(&["doctor", "--json"]);
    assert!(told.out.contains("looking works, deciding does not"), "{told:?}");
    assert!(told.out.contains("a SQLite file, schema version"), "{told:?}");
    let refused = run(&["decide", "a-1", "accept"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("it was opened only for reading"), "{refused:?}");
    assert_eq!(std::fs::read(&copy).unwrap(), before, "nothing was written");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nor beside it");
}
