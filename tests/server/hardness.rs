//! Clients that are slow, silent, too many or too large: each is cut or told, others are served.

use serde_json::json;

use crate::raw::{LONG, Raw, parsed};
use crate::served::{Served, Told};
use crate::support::{Home, lines, record};

/// A server that waits for heads and bodies a second only.
fn hasty() -> Served {
    Served::with(Home::new(), &["--head-seconds", "1", "--body-seconds", "1"])
}

fn post(token: &str, kind: &str, length: usize) -> String {
    format!(
        "POST /v1/decisions HTTP/1.1\r\nhost: desk\r\nauthorization: Bearer {token}\r\n\
         content-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    )
}

fn one(text: &str) -> Told {
    let (told, used) = parsed(text.as_bytes()).unwrap_or_else(|| panic!("no answer: {text:?}"));
    assert_eq!(used, text.len(), "one answer and nothing more: {text:?}");
    told
}

#[tokio::test]
async fn who_never_finishes_a_head_is_cut_and_others_are_served() {
    let desk = hasty();
    let token = desk.token("loan-model", &["ingest"]);
    let mut slow = Vec::new();
    for n in 0..20 {
        let mut raw = Raw::to(&desk).await;
        // Some break off in the first line, some in a header, some have said nothing at all, and
        // some would speak another version.
        let begun = ["GET /heal", "GET /healthz HTTP/1.1\r\nhost: desk\r\nx-a: ", "", "PRI * HT"];
        assert!(raw.say(begun[n % 4]).await);
        slow.push(tokio::spawn(async move {
            if n % 4 == 2 {
                raw.rest().await
            } else {
                raw.drip("y").await;
                raw.rest().await
            }
        }));
    }
    // A connection that was of use waits for another request no longer than a new one.
    let mut idle = Raw::to(&desk).await;
    idle.say("GET /healthz HTTP/1.1\r\nhost: desk\r\n\r\n").await;
    assert_eq!(idle.answer().await.ok()["status"], "ok");
    for n in 0..5 {
        let told = desk.post("/v1/decisions", &token, &record(&format!("h-{n}"))).await;
        assert_eq!(told.ok()["outcome"], "review");
    }
    for one in slow {
        let came = one.await.unwrap();
        assert!(!came.contains("200 OK"), "{came}");
    }
    assert_eq!(idle.rest().await, "");
    assert_eq!(desk.get("/healthz", "").await.ok()["status"], "ok");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_problem_and_nothing_of_it_is_done() {
    let desk = hasty();
    let token = desk.token("loan-model", &["ingest"]);
    let body = lines(&[record("b-1"), record("b-2")]);
    // It stops after its first line; it goes on slowly; it is announced in chunks.
    let mut stops = Raw::to(&desk).await;
    stops.say(&post(&token, "application/x-ndjson", body.len())).await;
    stops.say(body.lines().next().unwrap()).await;
    stops.say("\n").await;
    let mut drips = Raw::to(&desk).await;
    drips.say(&post(&token, "application/json", 100_000)).await;
    drips.say("{\"id\":\"").await;
    let mut chunked = Raw::to(&desk).await;
    let head = post(&token, "application/json", 0)
        .replace("content-length: 0", "transfer-encoding: chunked");
    chunked.say(&head).await;
    drips.drip("z").await;
    chunked.drip("1\r\n{\r\n").await;
    for raw in [stops, drips, chunked] {
        let told = one(&raw.rest().await);
        told.is(408, "slow_body");
        assert_eq!(told.header("connection"), "close");
    }
    assert_eq!(desk.waiting().len(), 0);
    let refused = desk.home.json(&["ingest", "--refused", "--json"]);
    assert_eq!(refused["refused"], json!([]));
    desk.send("/v1/decisions", &token, "application/x-ndjson", &body).await;
    assert_eq!(desk.waiting().len(), 2);
}

#[tokio::test]
async fn what_is_too_long_is_refused_with_its_status() {
    let desk = Served::start();
    let token = desk.token("loan-model", &["ingest"]);
    let ask = async |head: String| {
        let mut raw = Raw::to(&desk).await;
        raw.say(&head).await;
        one(&raw.rest().await)
    };
    // Heads that are not read to their end are refused without words.
    let long =
        |n: usize| format!("GET /healthz HTTP/1.1\r\nhost: desk\r\nx-a: {}\r\n\r\n", "x".repeat(n));
    let told = ask(long(200 << 10)).await;
    assert_eq!((told.status, told.text.as_str()), (431, ""));
    let told = ask(long(33 << 10)).await;
    if !told.text.is_empty() {
        told.is(431, "head_too_large");
    }
    assert_eq!(told.status, 431);
    let many: String = (0..65).map(|n| format!("x-{n}: 1\r\n")).collect();
    let told = ask(format!("GET /healthz HTTP/1.1\r\nhost: desk\r\n{many}\r\n")).await;
    assert_eq!((told.status, told.text.as_str()), (431, ""));
    let told = ask("GET /healthz HTTP/1.1\r\nnonsense\r\n\r\n".into()).await;
    assert_eq!((told.status, told.text.as_str()), (400, ""));

    // A body of records, and one of anything else; nothing of either is waited for in full.
    for (path, most) in [("/v1/decisions", 16 << 20), ("/v1/desk/queries", 4 << 20)] {
        for length in [most + 1, 1 << 40] {
            let head = post(&token, "application/json", length).replace("/v1/decisions", path);
            let mut raw = Raw::to(&desk).await;
            raw.say(&head).await;
            let told = raw.answer().await;
            told.is(413, "too_large");
        }
    }
}

#[tokio::test]
async fn connections_beyond_the_cap_are_told_and_come_in_when_there_is_room() {
    let desk = Served::with(Home::new(), &["--connections", "2"]);
    let token = desk.token("loan-model", &["ingest"]);
    let alive = "GET /healthz HTTP/1.1\r\nhost: desk\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::to(&desk).await;
        raw.say(alive).await;
        let told = raw.answer().await;
        assert_eq!((told.ok()["status"].as_str(), told.header("connection")), (Some("ok"), ""));
        held.push(raw);
    }
    let body = record("c-1").to_string();
    let submit = post(&token, "application/json", body.len()) + &body;
    let mut raw = Raw::to(&desk).await;
    raw.say(&submit).await;
    let told = one(&raw.rest().await);
    told.is(503, "busy");
    assert_eq!((told.header("retry-after"), told.header("connection")), ("1", "close"));
    // A busy process is not a dead one.
    let mut raw = Raw::to(&desk).await;
    raw.say(alive).await;
    let told = one(&raw.rest().await);
    assert_eq!((told.ok()["status"].as_str(), told.header("connection")), (Some("ok"), "close"));
    // At the door, too, there is room for so many; then connections are closed without a word.
    let mut at_door = Vec::new();
    for _ in 0..overrule::server::DOOR {
        at_door.push(Raw::to(&desk).await);
    }
    let turned = async {
        loop {
            let mut raw = Raw::to(&desk).await;
            raw.say(alive).await;
            if raw.rest().await.is_empty() {
                return;
            }
        }
    };
    tokio::time::timeout(LONG, turned).await.expect("all are answered");
    // Those who are in are served all the while; when one leaves, somebody else comes in.
    held[0].say(alive).await;
    assert_eq!(held[0].answer().await.ok()["status"], "ok");
    drop((at_door, held.pop()));
    let submit = submit.replace("host: desk", "host: desk\r\nconnection: close");
    let admitted = async {
        loop {
            let mut raw = Raw::to(&desk).await;
            raw.say(&submit).await;
            // Who is turned away with words on the way may hear none of them.
            match parsed(raw.rest().await.as_bytes()) {
                Some((told, _)) if told.status == 200 => return told.ok(),
                Some((told, _)) => drop(told.is(503, "busy")),
                None => {}
            }
        }
    };
    let route = tokio::time::timeout(LONG, admitted).await.expect("nobody comes in");
    assert_eq!((&route["id"], &route["duplicate"]), (&json!("c-1"), &json!(false)));
    assert_eq!(desk.waiting().len(), 1);
}
