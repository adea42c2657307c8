//! What is there, what it says of itself, and how it refuses what is not there.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::Value;

use crate::served::{Served, told};
use crate::support::record;

#[test]
fn the_description_that_is_kept_is_the_one_that_is_served() {
    let made = serde_json::to_string_pretty(&overrule::server::openapi::document()).unwrap() + "\n";
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&kept, &made).unwrap();
    }
    let kept = std::fs::read_to_string(kept).unwrap_or_default();
    assert!(
        kept == made,
        "assets/openapi.json differs: UPDATE=1 cargo test --test server writes it"
    );
}

#[tokio::test]
async fn whatever_is_described_is_there_and_takes_a_token() {
    let desk = Served::start();
    let document = desk.get("/openapi.json", "").await.ok();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 9, "{paths:?}");
    for (path, methods) in paths {
        for (method, told_of) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{id}", "x");
            let answer = told(desk.request(method.clone(), &path, "")).await;
            answer.is(401, "unauthenticated");
            assert!(told_of["responses"]["401"].is_object(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_description_names_the_fields_that_come() {
    let desk = Served::start();
    let model = desk.token("m", &["ingest"]);
    let ann = desk.person("ann", "1");
    let document = desk.get("/openapi.json", "").await.ok();
    let route = desk.post("/v1/decisions", &model, &record("s-1")).await.ok();
    let decision = desk.get("/v1/decisions/s-1", &model).await.ok();
    let page = desk.get("/v1/items", &ann).await.ok();
    let item = desk.get("/v1/items/s-1", &ann).await.ok();
    let leases = desk.post("/v1/leases", &ann, &serde_json::json!({})).await.ok();
    let queues = desk.get("/v1/queues", &ann).await.ok();
    for (schema, came) in [
        ("Route", &route),
        ("Decision", &decision),
        ("Page", &page),
        ("Row", &page["items"][0]),
        ("Item", &item),
        ("Leases", &leases),
        ("Lease", &leases["leases"][0]),
        ("Queue", &queues["queues"][0]),
    ] {
        let described = document["components"]["schemas"][schema]["properties"].as_object();
        for field in described.unwrap_or_else(|| panic!("no {schema}")).keys() {
            assert!(came.get(field).is_some(), "{schema}.{field} did not come: {came}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let desk = Served::start();
    desk.get("/nope", "").await.is(404, "no_route");
    told(desk.request(Method::PUT, "/v1/queues", "")).await.is(405, "no_method");
    let chosen = desk.request(Method::GET, "/healthz", "").header("x-request-id", "mine-7");
    assert_eq!(told(chosen).await.header("x-request-id"), "mine-7");
    let forged = desk.request(Method::GET, "/healthz", "").header("x-request-id", "a b");
    assert_ne!(told(forged).await.header("x-request-id"), "a b");
}

#[tokio::test]
async fn it_says_how_it_is() {
    let desk = Served::start();
    let model = desk.token("m", &["ingest"]);
    desk.post("/v1/decisions", &model, &record("h-1")).await.ok();
    assert_eq!(desk.get("/healthz", "").await.ok()["status"], "ok");
    let ready = desk.get("/readyz", "").await.ok();
    assert_eq!(
        (&ready["status"], &ready["policy"]),
        (&Value::from("ready"), &Value::from("confidence-gated"))
    );
    let figures = desk.get("/metrics", "").await;
    assert_eq!(figures.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(
        figures.text.contains("overrule_queue_items{queue=\"level1\"} 1\n"),
        "{}",
        figures.text
    );
    // Whoever asks through a proxy is not this machine, whatever a header says.
    for header in ["x-forwarded-for", "via", "forwarded"] {
        let request = desk.request(Method::GET, "/metrics", "").header(header, "127.0.0.1");
        told(request).await.is(401, "unauthenticated");
    }
    let checked = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut checked) = checked else {
        eprintln!("skipped: promtool is not here (Debian: prometheus)");
        return;
    };
    checked.stdin.take().unwrap().write_all(figures.text.as_bytes()).unwrap();
    let out = checked.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test]
async fn whoever_started_it_may_leave_and_it_goes_on() {
    let desk = Served::start();
    let model = desk.token("loan-model", &["ingest"]);
    desk.post("/v1/decisions", &model, &record("a")).await.ok();
    desk.home
        .ok(&["reviewer", "add", "eve", "--level", "2", "--role", "admin", "--role", "reviewer"]);
    desk.home.ok(&["decide", "a", "accept", "--as", "eve", "--grace", "2s"]);
    desk.home.ok(&["reviewer", "disable", "root", "--as", "eve"]);
    // Load balancers and Prometheus are answered, and what is due happens.
    assert_eq!(desk.get("/readyz", "").await.ok()["status"], "ready");
    let figures = desk.get("/metrics", "").await;
    assert_eq!(figures.status, 200, "{}", figures.text);
    assert!(figures.text.contains("overrule_"), "{}", figures.text);
    let settled = desk.get("/v1/decisions/a?wait=60s", &model).await.ok();
    assert_eq!((&settled["settled"], &settled["state"]), (&true.into(), &"settled".into()));
}
