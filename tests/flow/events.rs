//! The log as server-sent events, and long polls.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Method, Response};
use serde_json::Value;

use super::served::Desk;
use super::support::record;

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub data: Value,
}

/// A stream of events, cut into frames.
pub struct Stream {
    response: std::pin::Pin<
        Box<dyn futures_util::Stream<Item = reqwest::Result<axum::body::Bytes>> + Send>,
    >,
    text: String,
}

impl Stream {
    pub fn new(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response: Box::pin(response.bytes_stream()), text: String::new() }
    }

    /// The next event; `None`: the stream is over, or broken.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let line = frame.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
                    line.map(|v| v.trim_start().to_owned())
                };
                // (Without data it is a comment that keeps the connection alive.)
                let Some(data) = field("data") else { continue };
                let data = serde_json::from_str(&data).unwrap();
                let (id, kind) = (field("id").unwrap(), field("event").unwrap());
                return Some(Event { id, kind, data });
            }
            let piece = tokio::time::timeout(Duration::from_secs(60), self.response.next()).await;
            match piece.expect("nothing came for a minute") {
                Some(Ok(bytes)) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Some(Err(_)) | None => return None,
            }
        }
    }
}

async fn follow(desk: &Desk, token: &str, path: &str, last: Option<u64>) -> Stream {
    let mut ask = desk.ask(Method::GET, path, token);
    if let Some(last) = last {
        ask = ask.header("last-event-id", last.to_string());
    }
    Stream::new(ask.send().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_comes_once_and_in_order_however_often_the_connection_breaks() {
    const ENTRIES: u64 = 10_000;
    let mut desk = Desk::start(None);
    let token = desk.token(&["review"]);
    let records: Vec<Value> = (0..ENTRIES).map(|i| record(&format!("r-{i}"))).collect();
    desk.ingest(&records[..4_000]);
    let mut seen: Vec<u64> = Vec::new();
    // A stream that begins at the beginning, broken off after an odd number of events each time;
    // more comes meanwhile, and the server is killed twice.
    let mut rounds = 0;
    while (seen.len() as u64) < ENTRIES {
        let last = seen.last().copied();
        let mut stream = follow(&desk, &token, "/v1/events?from=0", last).await;
        for _ in 0..(rounds % 5) * 317 + 203 {
            if seen.len() as u64 >= ENTRIES {
                break;
            }
            let event = stream.next().await.unwrap();
            let index = event.data["index"].as_u64().unwrap();
            assert_eq!(event.id, index.to_string());
            assert_eq!(event.kind, event.data["entry"]["t"]);
            seen.push(index);
        }
        rounds += 1;
        match rounds {
            3 => desk.ingest(&records[4_000..7_000]),
            5 | 9 => desk.restart(),
            7 => desk.ingest(&records[7_000..]),
            _ => {}
        }
    }
    let expected: Vec<u64> = (0..ENTRIES).collect();
    assert_eq!(seen, expected, "no gap, no repeat");
    assert!(rounds > 10, "{rounds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_shows_what_the_token_may_see_and_ends_when_it_is_revoked() {
    let desk = Desk::start(None);
    let (review, audit) = (desk.token(&["review"]), desk.token(&["audit"]));
    desk.ingest(&[record("a")]);
    desk.home.ok(&["decide", "a", "reject", "--tag", "wrong_action", "--note", "no"]);
    let find = async |token: &str, kind: &str| {
        let path = format!("/v1/events?from=0&kind={kind}");
        follow(&desk, token, &path, None).await.next().await.unwrap()
    };
    let plain = find(&review, "settle").await.data["entry"].clone();
    assert_eq!((&plain["id"], &plain["state"]), (&"a".into(), &"settled".into()));
    assert_eq!((plain.get("by"), plain.get("verdict")), (None, None));
    let full = find(&audit, "settle").await.data["entry"].clone();
    assert_eq!((&full["by"], &full["verdict"]), (&"root".into(), &"reject".into()));
    // Content is in neither: entries hold commitments.
    assert!(!full.to_string().contains("income"));
    // What only submits follows nothing.
    let ingest = desk.token(&["ingest"]);
    assert_eq!(desk.get("/v1/events", &ingest).await.0, 403);
    // A domain's events only.
    let mut other = record("b");
    other["domain"] = "care".into();
    desk.ingest(&[other, record("c")]);
    let mut care = follow(&desk, &audit, "/v1/events?from=0&domain=care&kind=admit", None).await;
    assert_eq!(care.next().await.unwrap().data["entry"]["id"], "b");
    // From now on, without a beginning; and no more once the token opens nothing.
    let made = desk.token_for("root", &["review"]);
    let mut live = follow(&desk, made["token"].as_str().unwrap(), "/v1/events", None).await;
    desk.ingest(&[record("d")]);
    assert_eq!(live.next().await.unwrap().data["entry"]["id"], "d");
    desk.home.ok(&["token", "revoke", made["id"].as_str().unwrap()]);
    desk.ingest(&[record("e")]);
    assert_eq!(live.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_decision_is_answered_when_it_is_settled() {
    let desk = Desk::start(None);
    let token = desk.token(&["ingest"]);
    desk.ingest(&[record("a"), record("b")]);
    // Not settled in time: as it stands.
    let (status, view) = desk.get("/v1/decisions/a?wait=50ms", &token).await;
    assert_eq!((status, &view["settled"], &view["state"]), (200, &false.into(), &"waiting".into()));
    let waits = desk.ask(Method::GET, "/v1/decisions/a?wait=60s", &token).send();
    let waiting = tokio::spawn(waits);
    // Another's verdict is no news to it; its own is.
    desk.home.ok(&["decide", "b", "accept"]);
    desk.home.ok(&["decide", "a", "accept"]);
    desk.home.ok(&["next"]);
    let answered = tokio::time::timeout(Duration::from_secs(50), waiting).await;
    let response = answered.expect("answered before its time").unwrap().unwrap();
    let view: Value = response.json().await.unwrap();
    assert_eq!(view["settled"], true, "{view}");
    assert_eq!(view["id"], "a");
    assert_eq!(desk.get("/v1/decisions/a?wait=soon", &token).await.0, 400);
    assert_eq!(desk.get("/v1/decisions/nobody?wait=1s", &token).await.0, 404);
}
