//! OpenFeature remote evaluation as the protocol has it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::events::Stream;
use super::served::{Desk, client, said};
use super::support::record;

async fn evaluate(desk: &Desk, token: &str, key: &str, context: Value) -> (u16, Value) {
    let path = format!("/ofrep/v1/evaluate/flags/{key}");
    desk.post(&path, token, &json!({ "context": context })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_in_the_next_answer() {
    let desk = Desk::start(None);
    let (token, on_call) = (desk.token(&["ingest"]), desk.token(&["on-call"]));
    let (status, flag) = evaluate(&desk, &token, "automation.loan", json!({})).await;
    assert_eq!(status, 200);
    assert_eq!(
        flag,
        json!({"key": "automation.loan", "value": true, "reason": "STATIC", "variant": "on",
               "metadata": {"generation": 0}})
    );
    let kill = json!({"act": "kill", "scope": "domain=loan", "reason": "drifts"});
    let (status, killed) = desk.post("/v1/switches", &on_call, &kill).await;
    assert_eq!(
        (status, &killed["state"], &killed["generation"]),
        (200, &json!("killed"), &json!(1))
    );
    // The process that took the stop says so at once.
    let (_, flag) = evaluate(&desk, &token, "automation.loan", json!({})).await;
    assert_eq!((&flag["value"], &flag["reason"]), (&json!(false), &json!("DISABLED")));
    assert_eq!(
        (&flag["variant"], &flag["metadata"]["changed_by"]),
        (&json!("killed"), &json!("root"))
    );
    let (_, flag) = evaluate(&desk, &token, "automation", json!({})).await;
    assert_eq!(flag["value"], true);
    let (_, flag) = evaluate(&desk, &token, "automation", json!({"domain": "loan"})).await;
    assert_eq!(flag["value"], false);
    // Clients send bodies of several kinds.
    let path = "/ofrep/v1/evaluate/flags/automation";
    for body in ["", "{}", r#"{"context":{}}"#] {
        let ask = desk.ask(Method::POST, path, &token).body(body);
        assert_eq!(said(ask.send().await.unwrap()).await.0, 200, "{body}");
    }
    let (status, no) = evaluate(&desk, &token, "nothing", json!({})).await;
    assert_eq!(
        (status, &no["errorCode"], &no["key"]),
        (404, &json!("FLAG_NOT_FOUND"), &json!("nothing"))
    );
    let ask = desk.ask(Method::POST, path, &token).body("{");
    let (status, no) = said(ask.send().await.unwrap()).await;
    assert_eq!((status, &no["errorCode"]), (400, &json!("PARSE_ERROR")));
    let (status, _) = evaluate(&desk, "ovr_0123456789abcdef_x", "automation", json!({})).await;
    assert_eq!(status, 401);
    let ask = client().post(desk.url(path));
    assert_eq!(ask.header("x-api-key", &token).send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_flags_at_once_with_a_tag_and_word_of_changes() {
    let desk = Desk::start(None);
    let token = desk.token(&["ingest"]);
    desk.ingest(&[record("a")]);
    let path = "/ofrep/v1/evaluate/flags";
    let bulk = async |tag: Option<&str>, context: Value| {
        let mut ask = desk.ask(Method::POST, path, &token).json(&json!({ "context": context }));
        if let Some(tag) = tag {
            ask = ask.header("if-none-match", tag);
        }
        ask.send().await.unwrap()
    };
    // The domain is known as soon as the store was looked at again.
    let flags = loop {
        let response = bulk(None, json!({})).await;
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        let body: Value = response.json().await.unwrap();
        if body["flags"].as_array().unwrap().len() == 2 {
            break (tag, body);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let (tag, body) = flags;
    let keys: Vec<&str> =
        body["flags"].as_array().unwrap().iter().map(|f| f["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["automation", "automation.loan"]);
    assert!(body["flags"].as_array().unwrap().iter().all(|f| f["variant"].is_string()));
    let again = bulk(Some(&tag), json!({})).await;
    assert_eq!((again.status().as_u16(), again.content_length()), (304, Some(0)));
    // The stream's address needs no header, and says nothing but "fetch again".
    let stream = &body["eventStreams"][0];
    assert_eq!(stream["type"], "sse");
    let uri = stream["endpoint"]["requestUri"].as_str().unwrap();
    let open = |uri: String| async move {
        client().get(uri).header("accept", "text/event-stream").send().await.unwrap()
    };
    let mut changes = Stream::new(open(desk.url(uri)).await);
    desk.home.ok(&["kill", "--scope", "all", "--reason", "drill"]);
    let event = changes.next().await.unwrap();
    assert_eq!(
        (event.kind.as_str(), &event.data["type"]),
        ("message", &json!("refetchEvaluation"))
    );
    let changed = bulk(Some(&tag), json!({})).await;
    assert_eq!(changed.status(), 200);
    let body: Value = changed.json().await.unwrap();
    assert!(body["flags"].as_array().unwrap().iter().all(|f| f["value"] == false));
    // A ticket that is none opens nothing; neither is it a token.
    assert_eq!(open(desk.url("/ofrep/v1/changes?ticket=1.x")).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_splits_as_admission_does() {
    let desk = Desk::start(None);
    let (token, on_call) = (desk.token(&["ingest"]), desk.token(&["on-call"]));
    let start = json!({
        "act": "start", "model": "mortgage-preapproval", "version": "4.0", "baseline": "3.1",
        "steps": [0.5, 1.0], "min_reviewed": 50, "tolerance": 0.05, "promote_level": 2,
    });
    let (status, view) = desk.post("/v1/canaries", &on_call, &start).await;
    assert_eq!((status, &view["canaries"][0]["share"]), (200, &json!(0.5)), "{view}");
    let key = "model.mortgage-preapproval";
    let (status, no) = evaluate(&desk, &token, key, json!({})).await;
    assert_eq!((status, &no["errorCode"]), (400, &json!("TARGETING_KEY_MISSING")));
    let mut told = Vec::new();
    for i in 0..40 {
        let id = format!("d-{i}");
        let (status, flag) = evaluate(&desk, &token, key, json!({"targetingKey": id})).await;
        assert_eq!((status, &flag["reason"]), (200, &json!("SPLIT")));
        let version = flag["value"].as_str().unwrap().to_owned();
        assert_eq!(flag["variant"] == "canary", version == "4.0");
        told.push((id, version));
    }
    // Who decides with the version told is admitted; the canary elsewhere is sent back.
    let records: Vec<Value> = told
        .iter()
        .map(|(id, _)| {
            let mut one = record(id);
            one["model"]["version"] = json!("4.0");
            one
        })
        .collect();
    desk.ingest(&records);
    for (id, version) in told {
        let (_, view) = desk.get(&format!("/v1/decisions/{id}"), &token).await;
        let outside = view["route"]["outcome"] == "fallback";
        assert_eq!(outside, version == "3.1", "{id}: {view}");
    }
    let back = json!({"act": "rollback", "model": "mortgage-preapproval", "reason": "worse"});
    assert_eq!(desk.post("/v1/canaries", &on_call, &back).await.0, 200);
    let (_, flag) = evaluate(&desk, &token, key, json!({})).await;
    assert_eq!((&flag["value"], &flag["reason"]), (&json!("3.1"), &json!("STATIC")));
}
