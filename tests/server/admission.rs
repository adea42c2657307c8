//! What models submit.

use serde_json::{Value, json};

use crate::served::{Served, told};
use crate::support::{lines, record};

#[tokio::test]
async fn one_record_is_routed_once() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let first = desk.post("/v1/decisions", &token, &record("a-1")).await.ok();
    assert_eq!(first["outcome"], "review");
    assert_eq!(first["queue"], "level1");
    assert_eq!(first["state"], "waiting");
    assert_eq!(first["duplicate"], false);
    let again = desk.post("/v1/decisions", &token, &record("a-1")).await.ok();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["reason"], first["reason"]);
    let mut other = record("a-1");
    other["confidence"] = json!(0.9);
    desk.post("/v1/decisions", &token, &other).await.is(409, "id_conflict");

    let view = desk.get("/v1/decisions/a-1", &token).await.ok();
    assert_eq!((&view["settled"], &view["result"]), (&json!(false), &Value::Null));
    assert_eq!(view["route"]["queue"], "level1");
    desk.get("/v1/decisions/nope", &token).await.is(404, "not_found");
    assert_eq!(desk.waiting().len(), 1);
    let mut sure = record("a-2");
    (sure["confidence"], sure["business_impact"]) = (json!(0.97), json!(1));
    assert_eq!(desk.post("/v1/decisions", &token, &sure).await.ok()["outcome"], "auto");
    let view = desk.get("/v1/decisions/a-2", &token).await.ok();
    assert_eq!(view["settled"], true);
    assert_eq!(view["result"]["outcome"], "auto");
    assert_eq!(view["result"]["action"], "approve");
}

#[tokio::test]
async fn what_is_not_usable_is_answered_and_kept() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let send =
        async |kind: &'static str, body: &str| desk.send("/v1/decisions", &token, kind, body).await;
    send("application/json", "{").await.is(400, "invalid_json");
    send("application/json", "").await.is(400, "malformed");
    send("application/json", "{\"domain\":\"x\"}").await.is(422, "missing_field:id");
    send("text/plain", "{}").await.is(415, "media_type");
    let big = json!({"id": "big", "input": {"x": "x".repeat(1 << 20)}}).to_string();
    send("application/json", &big).await.is(413, "too_large");
    let mut broken = record("b-1");
    broken["confidence"] = json!(1.7);
    let route = desk.post("/v1/decisions", &token, &broken).await.ok();
    assert_eq!((&route["outcome"], &route["queue"]), (&json!("quarantine"), &json!("dataops")));
    let kept = desk.home.json(&["ingest", "--refused", "--json"]);
    let reasons: Vec<&str> =
        kept["refused"].as_array().unwrap().iter().map(|r| r["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["invalid_json", "missing_field:id", "too_large"]);
    assert_eq!(kept["refused"][0]["source"], "http:loan-model");
}

#[tokio::test]
async fn many_lines_are_answered_in_their_order() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let mut body = lines(&[record("n-1")]);
    body.push_str("nonsense\n\n");
    body.push_str(&lines(&[record("n-2"), record("n-1")]));
    let told = desk.send("/v1/decisions", &token, "application/x-ndjson", &body).await;
    assert_eq!((told.status, told.header("content-type")), (200, "application/x-ndjson"));
    let all: Vec<Value> = told.text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(all.len(), 4);
    assert_eq!((&all[0]["id"], &all[0]["duplicate"]), (&json!("n-1"), &json!(false)));
    assert_eq!((&all[1]["line"], &all[1]["error"]["kind"]), (&json!(2), &json!("invalid_json")));
    assert_eq!(all[2]["id"], "n-2");
    assert_eq!((&all[3]["id"], &all[3]["duplicate"]), (&json!("n-1"), &json!(true)));

    let most: Vec<Value> = (0..501).map(|n| record(&format!("m-{n}"))).collect();
    let over = desk.send("/v1/decisions", &token, "application/x-ndjson", &lines(&most)).await;
    over.is(413, "too_large");
    let told =
        desk.send("/v1/decisions", &token, "application/x-ndjson", &lines(&most[..500])).await;
    assert_eq!(told.text.lines().count(), 500);
    assert_eq!(desk.waiting().len(), 502);
}

#[tokio::test]
async fn cloud_events_are_records_too() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let event = |id: &str| json!({"specversion": "1.0", "type": "decision", "source": "/m", "id": "e1", "data": record(id)});
    let one = event("c-1").to_string();
    let told = desk.send("/v1/decisions", &token, "application/cloudevents+json", &one).await;
    assert_eq!(told.ok()["id"], "c-1");
    let both = json!([event("c-2"), event("c-1")]).to_string();
    let told =
        desk.send("/v1/decisions", &token, "application/cloudevents-batch+json", &both).await;
    let told = told.ok();
    assert_eq!((&told[0]["id"], &told[1]["duplicate"]), (&json!("c-2"), &json!(true)));
}

#[tokio::test]
async fn an_event_says_its_version_and_may_be_in_base64() {
    use base64::Engine as _;
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let event = |version: &str, key: &str, data: Value| json!({"specversion": version, "type": "t", "source": "/m", "id": "e-1", key: data});
    let coded =
        |id: &str| json!(base64::engine::general_purpose::STANDARD.encode(record(id).to_string()));
    let kind = "application/cloudevents+json";
    let old = event("0.3", "data", record("b-1")).to_string();
    let told = desk.send("/v1/decisions", &token, kind, &old).await;
    let problem = told.is(422, "invalid_field:specversion");
    assert!(problem["detail"].as_str().unwrap().contains("\"0.3\""), "{problem}");
    desk.get("/v1/decisions/e-1", &token).await.is(404, "not_found");
    let one = event("1.0", "data_base64", coded("b-1")).to_string();
    assert_eq!(desk.send("/v1/decisions", &token, kind, &one).await.ok()["id"], "b-1");
    let batch = json!([
        event("1.0", "data_base64", coded("b-2")),
        event("2.0", "data", record("b-3")),
        event("1.0", "data_base64", json!("bm8=")),
    ]);
    let kind = "application/cloudevents-batch+json";
    let told = desk.send("/v1/decisions", &token, kind, &batch.to_string()).await.ok();
    assert_eq!(told[0]["id"], "b-2");
    assert_eq!(told[1]["error"]["kind"], "invalid_field:specversion");
    assert_eq!(told[2]["error"]["kind"], "invalid_field:data_base64");
}

#[tokio::test]
async fn a_packed_body_is_said_to_be_one() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let body = record("p-1").to_string();
    let packed = |how: &'static str| {
        let request = desk.request(reqwest::Method::POST, "/v1/decisions", &token);
        told(request.header("content-encoding", how).body(body.clone()))
    };
    let problem = packed("gzip").await.is(415, "content_encoding");
    assert_eq!(problem["detail"], "bodies are not taken with content-encoding gzip");
    assert_eq!(packed("identity").await.ok()["id"], "p-1");
}

#[tokio::test]
async fn lines_are_told_apart_by_where_they_stood_in_their_source() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let path = "/v1/decisions?source=day%201.jsonl&line=501";
    let told = desk.send(path, &token, "application/x-ndjson", "\nno\n").await;
    assert_eq!((told.status, told.json()["line"].as_u64()), (200, Some(2)));
    let letters = desk.home.json(&["ingest", "--refused", "--json"]);
    let letter = &letters["refused"][0];
    assert_eq!(
        (&letter["source"], &letter["line"]),
        (&json!("http:loan-model:day 1.jsonl"), &json!(502))
    );
    desk.send("/v1/decisions?line=0", &token, "application/x-ndjson", "\n")
        .await
        .is(400, "bad_query");
}

#[tokio::test]
async fn seconds_alone_are_a_time_to_wait() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    desk.post("/v1/decisions", &token, &record("w-1")).await.ok();
    for wait in ["0", "0s", "1"] {
        let told = desk.get(&format!("/v1/decisions/w-1?wait={wait}"), &token).await.ok();
        assert_eq!(told["settled"], false, "{wait}");
    }
    desk.get("/v1/decisions/w-1?wait=soon", &token).await.is(400, "bad_query");
    desk.get("/v1/decisions/w-1?wait=-1", &token).await.is(400, "bad_query");
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let told = desk.post("/v1/decisions?dry_run=true", &token, &record("d-1")).await.ok();
    assert_eq!(told["queue"], "level1");
    desk.get("/v1/decisions/d-1", &token).await.is(404, "not_found");
    desk.post("/v1/decisions?dryrun=1", &token, &record("d-1")).await.is(400, "bad_query");
}

#[tokio::test]
async fn many_at_once_are_each_answered_once() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let second = desk.token("chat-model", &["ingest"]);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..32 {
        let token = if n % 2 == 0 { token.clone() } else { second.clone() };
        let (http, url) = (desk.http.clone(), format!("{}/v1/decisions", desk.url));
        tasks.spawn(async move {
            let mut new = 0;
            // Neighbours send the same ids: one of them is new.
            for i in 0..20 {
                let body = record(&format!("p-{}-{i}", n / 2));
                let answer = http.post(&url).bearer_auth(&token).json(&body).send().await.unwrap();
                assert_eq!(answer.status(), 200);
                let route: Value = answer.json().await.unwrap();
                new += u32::from(route["duplicate"] == false);
            }
            new
        });
    }
    let new: u32 = tasks.join_all().await.into_iter().sum();
    assert_eq!(new, 16 * 20);
    assert_eq!(desk.waiting().len(), 16 * 20);
    assert_eq!(desk.home.json(&["audit", "verify", "--json"])["ok"], true);
}
