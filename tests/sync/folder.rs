//! A folder of JSON Lines: what leaves the desk, when, and how often.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::desk::{admitted, once, stands, sync};
use super::support::Home;

pub fn backend(folder: &Path, more: &str) -> String {
    format!("[sync.archive]\nkind = \"file\"\npath = {:?}\n{more}", folder.to_str().unwrap())
}

/// Every line in the folder, in its order; the manifest's hashes hold.
pub fn lines(folder: &Path) -> Vec<Value> {
    let Ok(manifest) = std::fs::read(folder.join("manifest.json")) else { return Vec::new() };
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let mut all = Vec::new();
    for file in manifest["files"].as_array().unwrap() {
        let text = std::fs::read_to_string(folder.join(file["name"].as_str().unwrap())).unwrap();
        let hash = hex::encode(Sha256::digest(&text));
        assert_eq!(file["sha256"], hash);
        all.extend(text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()));
    }
    all
}

fn told(folder: &Path) -> Vec<(String, String, u64)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let lines = lines(folder);
    lines
        .iter()
        .map(|l| (text(&l["id"]), text(&l["verdict"]), l["seq"].as_u64().unwrap()))
        .collect()
}

fn of(id: &str, verdict: &str, seq: u64) -> (String, String, u64) {
    (id.to_owned(), verdict.to_owned(), seq)
}

#[test]
fn every_correction_is_in_the_folder_once_and_redacted() {
    let home = Home::new();
    let folder = home.path("out");
    admitted(&home, &backend(&folder, ""), &["a-1", "a-2", "a-3"]);
    assert_eq!(once(&home, &[]), 0);
    home.ok(&["decide", "a-1", "edit", "--action", "deny", "--tag", "factual_error"]);
    home.ok(&["decide", "a-2", "reject", "--tag", "tone", "--note", "curt"]);
    home.ok(&["decide", "a-3", "accept"]);
    assert_eq!(stands(&home, "archive")["to_send"], 2);
    assert_eq!(once(&home, &[]), 2);
    assert_eq!(once(&home, &[]), 0);
    assert_eq!(told(&folder), [of("a-1", "edit", 1), of("a-2", "reject", 2)]);
    let first = &lines(&folder)[0];
    assert_eq!(first["corrected"]["action"], "deny");
    assert_eq!(first["proposed"]["action"], "approve");
    assert_eq!(first["input"]["ssn"], "[redacted]");
    assert!(first["origin"].as_str().unwrap().starts_with("overrule.local/"));
    let status = stands(&home, "archive");
    assert_eq!((&status["sent"], &status["to_send"]), (&json!(2), &json!(0)));
    assert_eq!((&status["failing"], &status["kind"]), (&json!(false), &json!("file")));
    let said = home.ok(&["sync", "status"]);
    assert!(said.contains("archive") && said.contains("in sync"), "{said}");
    home.ok(&["audit", "verify"]);
}

#[test]
fn what_was_undone_never_leaves_and_a_reversal_takes_the_first_back() {
    let home = Home::new();
    let folder = home.path("out");
    admitted(&home, &backend(&folder, ""), &["a-1", "a-2"]);
    home.ok(&["decide", "a-1", "reject", "--tag", "tone", "--grace", "1h"]);
    assert_eq!(once(&home, &[]), 0);
    home.ok(&["undo", "a-1"]);
    assert_eq!(once(&home, &[]), 0);
    assert_eq!(told(&folder), []);

    home.ok(&["decide", "a-2", "reject", "--tag", "tone"]);
    assert_eq!(once(&home, &[]), 1);
    home.ok(&["flag", "a-2", "--tag", "tone", "--note", "it was right after all"]);
    home.ok(&["decide", "a-2", "accept"]);
    assert_eq!(once(&home, &[]), 1);
    assert_eq!(told(&folder), [of("a-2", "reject", 1), of("a-2", "accept", 2)]);
    let last = &lines(&folder)[1];
    assert_eq!(last["corrected"]["action"], "approve");
    home.ok(&["audit", "verify"]);
}

#[test]
fn what_is_erased_before_it_left_stays_here() {
    let home = Home::new();
    let folder = home.path("out");
    admitted(&home, &backend(&folder, ""), &["a-1", "a-2"]);
    home.ok(&["decide", "a-1", "reject", "--note", "Ann Smith's file"]);
    home.ok(&["decide", "a-2", "reject", "--note", "other"]);
    assert_eq!(stands(&home, "archive")["to_send"], 2);
    home.ok(&["audit", "erase", "a-1", "--reason", "asked for", "--yes"]);
    assert_eq!(stands(&home, "archive")["to_send"], 1);
    assert_eq!(once(&home, &[]), 1);
    assert_eq!(told(&folder), [of("a-2", "reject", 2)]);
    for file in std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()) {
        assert!(!std::fs::read_to_string(&file).unwrap_or_default().contains("Ann Smith"));
    }
}

#[test]
fn a_backend_takes_what_its_filters_say_and_waits_while_it_cannot_be_written() {
    let home = Home::new();
    let folder = home.path("out");
    let more = "tags = [\"factual_error\"]\ndomain = \"loan\"\n";
    admitted(&home, &backend(&folder, more), &["a-1", "a-2"]);
    home.ok(&["decide", "a-1", "reject", "--tag", "tone"]);
    home.ok(&["decide", "a-2", "reject", "--tag", "factual_error"]);
    // A file stands where the folder is to be.
    home.write("out", "");
    let (code, said, stderr) = sync(&home, &["--once"], &[]);
    assert_eq!((code, &said["failed"]), (Some(1), &json!(1)), "{stderr}");
    let status = stands(&home, "archive");
    assert_eq!((&status["failing"], &status["to_send"]), (&json!(true), &json!(1)));
    assert!(status["error"].as_str().unwrap().contains("out cannot be made"), "{status}");
    // It is not tried again at once, unless somebody says so.
    std::fs::remove_file(&folder).unwrap();
    let (_, said, _) = sync(&home, &["--once", "--to", "archive"], &[]);
    assert_eq!(said["sent"], 1);
    assert_eq!(told(&folder), [of("a-2", "reject", 2)]);
    assert_eq!(stands(&home, "archive")["failing"], false);
    let (code, _, stderr) = sync(&home, &["--once", "--to", "archiv"], &[]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("no [sync.archiv]") && stderr.contains("it has archive"), "{stderr}");
}
