//! Flags say what admission would answer, and what every other view says.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::events::Stream;
use super::served::{Desk, client};
use super::support::{lines, record};

async fn version(desk: &Desk, token: &str, model: &str) -> (u16, Value) {
    let path = format!("/ofrep/v1/evaluate/flags/model.{model}");
    desk.post(&path, token, &json!({ "context": { "targetingKey": "a" } })).await
}

fn of(id: &str, model: &str, version: &str) -> Value {
    let mut one = record(id);
    one["model"] = json!({ "name": model, "version": version });
    one["confidence"] = json!(0.99);
    one["business_impact"] = json!(1);
    one
}

/// The bulk answer, and its tag.
async fn bulk(desk: &Desk, token: &str) -> (String, Value) {
    let ask = desk.ask(Method::POST, "/ofrep/v1/evaluate/flags", token);
    let response = ask.json(&json!({ "context": { "targetingKey": "a" } })).send().await.unwrap();
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    (tag, response.json().await.unwrap())
}

fn in_bulk(all: &Value, key: &str) -> Value {
    let flags = all["flags"].as_array().unwrap();
    flags.iter().find(|f| f["key"] == key).unwrap_or_else(|| panic!("no {key}: {all}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_to_use_is_the_one_that_admission_sends_to() {
    let desk = Desk::start(None);
    let token = desk.token(&["ingest"]);
    desk.home.ok(&["canary", "start", "mm", "--version", "2", "--baseline", "1"]);
    desk.home.ok(&["canary", "promote", "mm", "--reason", "good"]);
    assert_eq!(version(&desk, &token, "mm").await.1["value"], "2");
    let kill = async |scope: &str, to: &[&str]| {
        let mut ask = json!({"act": "kill", "scope": scope, "mode": "last-good", "reason": "bad"});
        if let [to] = to {
            ask["version"] = json!(to);
        }
        let (status, killed) = desk.post("/v1/switches", &desk.token(&["on-call"]), &ask).await;
        assert_eq!(status, 200, "{killed}");
    };
    kill("model=mm@2", &[]).await;
    // What admission says of it.
    let (status, route) = desk.post("/v1/decisions", &token, &of("x", "mm", "2")).await;
    assert_eq!((status, &route["fallback"]["version"]), (200, &json!("1")), "{route}");
    let (status, flag) = version(&desk, &token, "mm").await;
    assert_eq!((status, &flag["value"]), (200, &json!("1")), "{flag}");
    assert_eq!((&flag["reason"], &flag["variant"]), (&json!("DISABLED"), &json!("last-good")));
    assert_eq!(flag["metadata"]["scope"], "model=mm@2");
    // Nobody ever said which version of these is in use; the switches do.
    kill("model=nn@4", &["3"]).await;
    kill("model=oo", &["3"]).await;
    for model in ["nn", "oo"] {
        let (status, flag) = version(&desk, &token, model).await;
        assert_eq!((status, &flag["value"]), (200, &json!("3")), "{flag}");
    }
    let all = bulk(&desk, &token).await.1;
    for (model, value) in [("mm", "1"), ("nn", "3"), ("oo", "3")] {
        assert_eq!(in_bulk(&all, &format!("model.{model}"))["value"], value, "{all}");
    }
    // Stops that follow each other are followed to the end.
    kill("model=nn@3", &["2"]).await;
    assert_eq!(version(&desk, &token, "nn").await.1["value"], "2");
    assert_eq!(version(&desk, &token, "other").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn word_of_a_change_names_the_tag_that_is_given() {
    let desk = Desk::start(None);
    let token = desk.token(&["ingest"]);
    let (before, all) = bulk(&desk, &token).await;
    let uri = all["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap();
    let ask = client().get(desk.url(uri)).header("accept", "text/event-stream");
    let mut changes = Stream::new(ask.send().await.unwrap());
    desk.home.ok(&["kill", "--scope", "all", "--reason", "drill"]);
    let event = changes.next().await.unwrap();
    let (now, all) = bulk(&desk, &token).await;
    assert_ne!(before, now);
    assert_eq!(in_bulk(&all, "automation")["value"], false);
    assert_eq!(event.data["etag"], now);
    // Another context is another answer, and has another tag.
    let ask = desk.ask(Method::POST, "/ofrep/v1/evaluate/flags", &token);
    let other = ask.json(&json!({ "context": { "targetingKey": "b" } }));
    let other = other.header("if-none-match", &now).send().await.unwrap();
    assert_eq!(other.status(), 200);
    let ask = desk.ask(Method::POST, "/ofrep/v1/evaluate/flags", &token);
    let same = ask.json(&json!({ "context": { "targetingKey": "a" } }));
    assert_eq!(same.header("if-none-match", &now).send().await.unwrap().status(), 304);
}

const BREAKER: &str = r#"
policy = "breaker"
[queues.level1]
title = "First look"
level = 1
[[route]]
id = "unsure"
when = 'confidence < 0.6'
to = "level1"
[default]
to = "auto"
[breaker]
override_low = 0.10
window = "1h"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_is_told_alike_by_flags_switches_figures_and_readiness() {
    let desk = Desk::start(Some(BREAKER));
    let (token, on_call) = (desk.token(&["ingest"]), desk.token(&["on-call"]));
    let automation = async |context: Value| {
        let path = "/ofrep/v1/evaluate/flags/automation.loan";
        let (_, flag) = desk.post(path, &token, &json!({ "context": context })).await;
        (flag["value"].clone(), flag["variant"].clone())
    };
    let ids: Vec<String> = (0..60).map(|i| format!("d-{i}")).collect();
    let unsure = |id: &String| {
        let mut one = of(id, "m", "1");
        one["confidence"] = json!(0.4);
        one
    };
    desk.ingest(&ids.iter().map(unsure).collect::<Vec<_>>());
    let verdicts: Vec<Value> =
        ids.iter().map(|id| json!({"id": id, "verdict": "reject", "note": "no"})).collect();
    let file = desk.home.write("verdicts.jsonl", &lines(&verdicts));
    desk.home.ok(&["decide", "--from", &file.to_string_lossy()]);
    let ready = loop {
        let (_, ready) = desk.get("/readyz", &token).await;
        if ready["automation"] != "on" {
            break ready;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(ready["automation"], "paused: breaker on m@1 in loan");
    let (_, route) = desk.post("/v1/decisions", &token, &of("sure", "m", "1")).await;
    assert_eq!(route["rule"], "breaker");
    let (_, list) = desk.get("/v1/switches", &on_call).await;
    for row in list["switches"].as_array().unwrap() {
        assert_eq!((&row["state"], &row["by"]), (&json!("paused"), &json!("breaker")), "{row}");
    }
    let (_, metrics) = desk.get("/metrics", &token).await;
    let line = r#"overrule_automation_state{scope="domain=loan",state="paused"} 1"#;
    assert!(metrics.as_str().unwrap().lines().any(|l| l == line), "{metrics}");
    // Whoever does not name the model asks about all there is: nothing of it runs.
    let off = (json!(false), json!("breaker"));
    for _ in 0..100 {
        if automation(json!({})).await == off {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(automation(json!({})).await, off);
    assert_eq!(automation(json!({"model": "m", "version": "1"})).await, off);
    let on = (json!(true), json!("on"));
    assert_eq!(automation(json!({"model": "n", "version": "1"})).await, on);
    // Another model goes on: a part of the domain runs.
    let (_, route) = desk.post("/v1/decisions", &token, &of("other", "n", "1")).await;
    assert_eq!(route["outcome"], "auto", "{route}");
    let part = (json!(true), json!("limited"));
    for _ in 0..100 {
        if automation(json!({})).await == part {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(automation(json!({})).await, part);
}
