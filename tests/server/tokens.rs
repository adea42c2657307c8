//! Who may come in, and what is left of those who may not.

use serde_json::{Value, json};

use crate::served::Served;
use crate::support::record;

fn denied(desk: &Served) -> Vec<Value> {
    let log = desk.home.json(&["audit", "log", "--json", "--limit", "1000"]);
    let entries = log["entries"].as_array().unwrap_or_else(|| panic!("{log}"));
    let entries = entries.iter().map(|e| e.get("entry").unwrap_or(e).clone());
    entries.filter(|e| e["t"] == "denied").collect()
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_from_that_moment() {
    let desk = Served::start();
    let made = desk.made("loan-model", &["ingest"]);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("ovr_") && made["expires_at"].is_string());
    desk.post("/v1/decisions", token, &record("t-1")).await.ok();
    let listed = desk.home.ok(&["token", "list", "--json"]);
    assert!(!listed.contains(token.rsplit('_').next().unwrap()), "shown once");
    // Another process revokes it; what this server remembers of it does not count.
    desk.home.ok(&["token", "revoke", made["id"].as_str().unwrap()]);
    desk.post("/v1/decisions", token, &record("t-2")).await.is(401, "unauthenticated");
    desk.get("/v1/decisions/t-1", token).await.is(401, "unauthenticated");
    assert_eq!(desk.waiting().len(), 1);

    let other = desk.token("loan-model", &["ingest"]);
    desk.post("/v1/decisions", &other, &record("t-2")).await.ok();
    desk.home.ok(&["reviewer", "disable", "loan-model"]);
    desk.post("/v1/decisions", &other, &record("t-3")).await.is(403, "authority");
    assert_eq!(desk.waiting().len(), 2);
    assert_eq!(desk.home.json(&["audit", "verify", "--json"])["ok"], true);
    let log = desk.home.ok(&["audit", "log", "--json", "--limit", "1000"]);
    assert!(log.contains("token_created") && log.contains("token_revoked"), "{log}");
    assert!(!log.contains(token), "the trail never holds a token");
}

#[tokio::test]
async fn a_token_opens_nothing_once_its_time_is_over() {
    let desk = Served::start();
    let lasting = desk.token("loan-model", &["ingest"]);
    let brief = |name: &str, scope: &str| {
        let args =
            ["token", "create", "--json", "--for", name, "--scope", scope, "--expires", "1s"];
        desk.home.json(&args)["token"].as_str().unwrap().to_owned()
    };
    desk.home.ok(&["reviewer", "add", "ann", "--level", "1"]);
    let (model, ann) = (brief("loan-model", "ingest"), brief("ann", "review"));
    // Each way to the desk: what submits knows its tokens from memory, the rest asks the store.
    let mut taken = 0;
    let over = loop {
        let told = desk.post("/v1/decisions", &model, &record(&format!("e-{taken}"))).await;
        if told.status != 200 {
            break told;
        }
        taken += 1;
    };
    let problem = over.is(401, "unauthenticated");
    assert_eq!(problem["detail"], "the token has expired");
    assert!(problem["hint"].as_str().unwrap().contains("overrule token create"), "{problem}");
    assert_eq!(
        over.header("www-authenticate"),
        "Bearer realm=\"overrule\", error=\"invalid_token\""
    );
    let over = loop {
        let told = desk.get("/v1/queues", &ann).await;
        if told.status != 200 {
            break told;
        }
    };
    assert_eq!(over.is(401, "unauthenticated")["detail"], "the token has expired");
    let renew = json!({"do": "renew", "item": "e-0", "epoch": 1});
    desk.post("/v1/desk/commands", &ann, &renew).await.is(401, "unauthenticated");
    assert_eq!(desk.waiting().len(), taken);
    desk.post("/v1/decisions", &lasting, &record("e-later")).await.ok();
    let whys: Vec<Value> = denied(&desk).iter().map(|e| e["d"]["why"].clone()).collect();
    assert!(whys.contains(&json!("the token has expired")), "{whys:?}");
}

#[tokio::test]
async fn whoever_is_disabled_reads_nothing_more() {
    let desk = Served::start();
    desk.home.ok(&["reviewer", "add", "aud", "--level", "1"]);
    let token = desk.token("aud", &["audit"]);
    let mut stream =
        desk.request(reqwest::Method::GET, "/v1/events?from=0", &token).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("event: "), "{first:?}");
    assert_eq!(desk.get("/v1/audit/proof/0", &token).await.status, 200);
    desk.home.ok(&["reviewer", "disable", "aud"]);
    desk.get("/v1/events?from=0", &token).await.is(403, "authority");
    desk.get("/v1/audit/proof/0", &token).await.is(403, "authority");
    desk.get("/v1/audit/checkpoint", &token).await.is(403, "authority");
    // The stream that was open ends with what was there before.
    let mut seen = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap_or_default() {
        seen.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(!seen.contains("reviewer_disabled"), "{seen}");
}

#[tokio::test]
async fn every_refused_attempt_is_in_the_trail_and_none_floods_it() {
    let desk = Served::start();
    let ann = desk.person("ann", "1");
    let none = desk.get("/v1/queues", "").await;
    none.is(401, "unauthenticated");
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"overrule\"");
    let wrong = format!("{}x", &ann[..ann.len() - 1]);
    for _ in 0..40 {
        desk.get("/v1/queues", &wrong).await.is(401, "unauthenticated");
    }
    // The scope is missing; then the scope is there and the role is not.
    desk.post("/v1/decisions", &ann, &record("x")).await.is(403, "authority");
    let admin = desk.token("ann", &["admin"]);
    let ask = json!({"do": "disable_reviewer", "name": "root"});
    desk.post("/v1/desk/commands", &admin, &ask).await.is(403, "authority");
    let whys: Vec<String> =
        denied(&desk).iter().map(|e| e["d"]["why"].as_str().unwrap().to_owned()).collect();
    assert!(whys.len() <= 6, "{whys:?}");
    for why in ["takes a bearer token", "not a token of this desk", "scope ingest", "role admin"] {
        assert!(whys.iter().any(|w| w.contains(why)), "{why}: {whys:?}");
    }
    // What was counted is told when the server ends.
    desk.signal("-TERM");
    let mut desk = desk;
    assert!(desk.child.wait().unwrap().success());
    let times: u64 = denied(&desk)
        .iter()
        .filter(|e| e["d"]["why"].as_str().unwrap().contains("not a token"))
        .map(|e| e["d"]["times"].as_str().map_or(1, |n| n.parse().unwrap()))
        .sum();
    assert_eq!(times, 40);
    assert_eq!(desk.home.json(&["audit", "verify", "--json"])["ok"], true);
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_wait() {
    let desk = Served::with(crate::support::Home::new(), &["--token-limit", "5"]);
    let ann = desk.person("ann", "1");
    for _ in 0..5 {
        desk.get("/v1/queues", &ann).await.ok();
    }
    let over = desk.get("/v1/queues", &ann).await;
    over.is(429, "rate_limited");
    assert_eq!(over.header("retry-after"), "1");
    let bob = desk.person("bob", "1");
    desk.get("/v1/queues", &bob).await.ok();
}

#[test]
fn a_token_is_made_for_somebody_and_something() {
    let home = crate::support::Home::new();
    let (_, why) = home.exits(&["token", "create", "--for", "nobody", "--scope", "review"], 1);
    assert!(why.contains("there is no reviewer nobody"), "{why}");
    home.exits(&["token", "create", "--for", "m", "--scope", "ingest", "--expires", "0s"], 2);
    home.exits(&["token", "revoke", "nope"], 1);
    let made = home.json(&["token", "create", "--scope", "audit", "--json", "--expires", "1h"]);
    assert_eq!(made["scopes"], json!(["audit"]));
    home.ok(&["reviewer", "add", "eve", "--level", "1"]);
    home.exits(&["token", "list", "--as", "eve"], 3);
    home.exits(&["token", "create", "--scope", "review", "--as", "eve"], 3);
}
