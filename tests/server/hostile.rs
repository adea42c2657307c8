//! The hostile lines that come beside the repository, over HTTP: one by one and in one batch, with
//! the outcomes that the command line has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::served::{Served, told};
use crate::support::{Home, shared};

/// What became of a line: `auto`, `review`, `quarantine`, …, `duplicate`, or why it is refused.
type Fates = BTreeMap<u64, String>;

fn fate(route: &Value) -> String {
    match route["duplicate"] == true {
        true => "duplicate".into(),
        false => format!("{} by {}", route["outcome"].as_str().unwrap(), route["rule"]),
    }
}

#[tokio::test]
async fn hostile_lines_have_one_outcome_whichever_way_they_come() {
    let (Some(input), Some(expected)) =
        (shared("data/hostile.jsonl"), shared("data/hostile.expected.jsonl"))
    else {
        return;
    };
    let bytes = std::fs::read(&input).unwrap();
    let lines: Vec<&[u8]> = bytes.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n').collect();

    let single = Served::start();
    let token = single.token("m", &["ingest"]);
    let mut fates = Fates::new();
    for (number, line) in (1..).zip(&lines) {
        let request = single.request(reqwest::Method::POST, "/v1/decisions", &token);
        let answer = told(request.header("content-type", "application/json").body(line.to_vec()));
        let answer = answer.await;
        if answer.status == 200 {
            fates.insert(number, fate(&answer.json()));
            continue;
        }
        let kind = answer.json()["type"].as_str().unwrap().to_owned();
        let kind = kind.strip_prefix("urn:overrule:problem:").unwrap().to_owned();
        let status = match kind.as_str() {
            "id_conflict" => 409,
            "too_large" => 413,
            "malformed" | "invalid_json" | "invalid_utf8" | "wrong_type:record" => 400,
            _ => 422,
        };
        answer.is(status, &kind);
        // A blank line is no record: nothing to answer in a batch, and an error alone.
        if kind == "malformed" {
            assert!(line.trim_ascii().is_empty(), "line {number}");
        } else {
            fates.insert(number, kind);
        }
    }

    let mut firm = 0;
    for case in std::fs::read_to_string(expected).unwrap().lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        if case["firm"] != true {
            continue;
        }
        firm += 1;
        let fate = &fates[&case["line"].as_u64().unwrap()];
        let reason = case["reason"].as_str().unwrap_or_default();
        let holds = match (case["outcome"].as_str().unwrap(), reason) {
            ("accept" | "accept_sanitised", _) => {
                fate.starts_with("auto ") || fate.starts_with("review ")
            }
            ("reject", "duplicate_id") => fate == "id_conflict",
            ("reject", reason) => fate == reason || fate.starts_with("quarantine "),
            other => panic!("{other:?}"),
        };
        assert!(holds, "{case}: {fate}");
    }
    assert_eq!(firm, 52);

    // The same lines in one request: answered in their order, without the blank ones.
    let batch = Served::start();
    let token = batch.token("m", &["ingest"]);
    let request = batch.request(reqwest::Method::POST, "/v1/decisions", &token);
    let answer = told(request.header("content-type", "application/x-ndjson").body(bytes.clone()));
    let answer = answer.await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answers = answer.text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    let answered: Fates = fates
        .keys()
        .zip(answers)
        .map(|(number, answer)| match answer["error"]["kind"].as_str() {
            None => (*number, fate(&answer)),
            Some(kind) => {
                assert_eq!(answer["line"], *number);
                (*number, kind.to_owned())
            }
        })
        .collect();
    assert_eq!(answered, fates);

    // And by the command line.
    let home = Home::new();
    let (out, _) = home.exits(&["ingest", input.to_str().unwrap(), "--json"], 3);
    let routes: Vec<String> =
        out.lines().map(|l| fate(&serde_json::from_str(l).unwrap())).collect();
    let refused = |home: &Home| {
        let list = home.json(&["ingest", "--refused", "--limit", "1000", "--json"]);
        list["refused"].as_array().unwrap().clone()
    };
    let kept = refused(&home);
    let by_line: BTreeMap<u64, String> = kept
        .iter()
        .map(|r| (r["line"].as_u64().unwrap(), r["reason"].as_str().unwrap().to_owned()))
        .collect();
    let mut routes = routes.into_iter();
    let told: Fates = fates
        .keys()
        .map(|n| (*n, by_line.get(n).cloned().unwrap_or_else(|| routes.next().unwrap())))
        .collect();
    assert_eq!(told, fates);
    assert_eq!(routes.next(), None);

    // Dead letters are kept byte for byte, whichever way they came. (One that conflicts with a
    // record of its own batch is known for it after those that cannot be read.)
    let bytes_of = |home: &Home| {
        let letters = refused(home);
        let letters = letters.iter().map(|r| r["bytes_base64"].as_str().unwrap().to_owned());
        let mut letters: Vec<String> = letters.collect();
        letters.sort();
        letters
    };
    let letters = bytes_of(&single.home);
    assert_eq!(letters.len(), kept.len());
    assert!(letters == bytes_of(&batch.home), "the batch keeps others");
    assert!(letters == bytes_of(&home), "the command line keeps others");
    for home in [&single.home, &batch.home, &home] {
        assert_eq!(home.json(&["audit", "verify", "--json"])["ok"], json!(true));
    }
}
