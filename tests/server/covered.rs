//! A policy that cannot be read may have hidden anything: nothing it could hide is shown, by any
//! door, until one can be read again.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Home, lines, record};

const POLICY: &str = r#"
policy = "t"
[queues.level1]
level = 1
[[route]]
id = "small"
when = 'business_impact < 3'
to = "auto"
[default]
to = "level1"
[redact]
paths = ["input.ssn", "output.iban", "cohort"]
"#;

/// What must never be seen, and what only a policy that can be read says may be.
const HIDDEN: [&str; 3] = ["078-05-1120", "DE89", "mohican"];
const UNSURE: [&str; 3] = ["Towards 'deny'", "income_thousands", "p_deny"];

fn one(id: &str, impact: u32) -> Value {
    let mut one = record(id);
    one["business_impact"] = json!(impact);
    one["input"]["ssn"] = json!("078-05-1120");
    one["output"]["iban"] = json!("DE89 3704");
    one["cohort"] = json!("mohican");
    one
}

fn damage(home: &Home, sql: &str) {
    let conn = rusqlite::Connection::open(home.store()).unwrap();
    assert_eq!(conn.execute(sql, []).unwrap(), 1);
}

fn desk(sql: &str) -> Served {
    let home = Home::new();
    let policy = home.write("policy.toml", POLICY);
    let file = home.write("in.jsonl", &lines(&[one("waits", 8), one("right", 8), one("done", 2)]));
    home.ok(&["ingest", file.to_str().unwrap(), "--policy", policy.to_str().unwrap()]);
    home.ok(&["reviewer", "add", "ann", "--level", "3"]);
    home.ok(&["decide", "right", "edit", "--action", "refer", "--as", "ann"]);
    damage(&home, sql);
    Served::with(home, &[])
}

async fn all_is_covered(sql: &str) {
    let desk = desk(sql);
    let (ann, service) = (desk.token("ann", &["review"]), desk.token("model", &["ingest"]));
    let why = "the policy in force cannot be read";
    let view = |id: &str| json!({"ask": "item", "id": id});
    let mut seen = Vec::new();
    for id in ["waits", "right", "done"] {
        seen.push(desk.get(&format!("/v1/items/{id}"), &ann).await.ok());
        seen.push(desk.post("/v1/desk/queries", &ann, &view(id)).await.ok()["item"].clone());
        seen.push(desk.get(&format!("/v1/decisions/{id}"), &ann).await.ok());
        seen.push(desk.home.json(&["queue", "show", id, "--json"]));
    }
    seen.push(
        desk.post("/v1/leases", &ann, &json!({"item": "waits"})).await.ok()["leases"][0]["view"]
            .clone(),
    );
    for view in &seen {
        let text = view.to_string();
        for word in HIDDEN.iter().chain(&UNSURE) {
            assert!(!text.contains(word), "{word} is shown: {text}");
        }
        assert!(view["covered"].as_str().unwrap().starts_with(why), "{text}");
    }
    assert_eq!(seen[0]["record"]["input"], "[redacted]");
    assert_eq!(seen[0]["current"], json!({"action": "approve", "output": "[redacted]"}));
    assert_eq!(seen[0]["record"]["confidence"], 0.71);
    assert!(desk.home.ok(&["queue", "show", "waits"]).contains(why));
    // Nothing is found by what is not shown, and nothing leaves.
    for word in ["078-05-1120", "Towards"] {
        let page = desk.get(&format!("/v1/items?text={word}"), &ann).await.ok();
        assert_eq!(page["items"], json!([]), "{word}");
    }
    let page = desk.get("/v1/items?text=mortgage-preapproval", &ann).await.ok();
    assert_eq!(page["items"][0]["id"], "waits");
    desk.post(
        "/v1/desk/queries",
        &ann,
        &json!({"ask": "corrections", "since": null, "after": 0, "limit": 9}),
    )
    .await
    .is(503, "unavailable");
    let (out, told) = desk.home.exits(&["learn", "export"], 1);
    assert!(out.is_empty() && told.contains(why), "{out}{told}");
    for id in ["waits", "done"] {
        let explained =
            desk.post("/v1/desk/queries", &ann, &json!({"ask": "explain", "id": id})).await;
        explained.is(503, "unavailable");
    }
    // An edit cannot make the cover the text that stands.
    let edit = json!({"request_id": uuid::Uuid::now_v7().to_string(), "verdict": "edit", "output": "[redacted]"});
    desk.post("/v1/items/waits/reviews", &ann, &edit).await.is(503, "unavailable");
    // The workflow still acts on all of it.
    let done = desk.get("/v1/decisions/done", &service).await.ok();
    assert_eq!(done["result"]["output"]["iban"], "DE89 3704");
    assert_eq!(done["covered"], Value::Null);

    // The same policy once more, and what it does not hide is shown.
    let file = desk.home.path("policy.toml");
    desk.home.ok(&["policy", "activate", file.to_str().unwrap()]);
    let waits = desk.get("/v1/items/waits", &ann).await.ok();
    assert_eq!(waits["covered"], Value::Null);
    assert_eq!(waits["record"]["input"]["ssn"], "[redacted]");
    assert_eq!(waits["record"]["input"]["income_thousands"], 53);
    assert_eq!(waits["record"]["cohort"], "[redacted]");
    let lines = desk.home.ok(&["learn", "export"]);
    let correction: Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!(
        (&correction["id"], &correction["input"]["ssn"]),
        (&json!("right"), &json!("[redacted]"))
    );
    assert_eq!(correction["cohort"], json!({"cohort": "[redacted]"}));
    assert_eq!(desk.home.json(&["audit", "verify", "--json"])["ok"], true);
}

#[tokio::test]
async fn a_policy_that_does_not_load_hides_everything() {
    all_is_covered("UPDATE policies SET source = 'policy = '").await;
}

#[tokio::test]
async fn a_policy_that_somebody_loosened_hides_everything() {
    all_is_covered("UPDATE policies SET source = replace(source, 'input.ssn', 'input.none')").await;
}

#[tokio::test]
async fn a_policy_that_is_gone_hides_everything() {
    all_is_covered("DELETE FROM policies").await;
}

#[test]
fn what_a_policy_hides_whole_is_hidden_whole() {
    let home = Home::new();
    let policy = home.write("policy.toml", &POLICY.replace("input.ssn", "input"));
    let file = home.write("in.jsonl", &lines(&[one("a", 8)]));
    home.ok(&["ingest", file.to_str().unwrap(), "--policy", policy.to_str().unwrap()]);
    home.ok(&["decide", "a", "edit", "--action", "refer"]);
    let out = home.command(&["learn", "export"]).stdin(Stdio::null()).output().unwrap();
    let correction: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(correction["input"], json!({}));
    assert_eq!(correction["proposed"]["output"]["iban"], "[redacted]");
}
