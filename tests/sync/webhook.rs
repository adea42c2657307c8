//! A signed webhook: CloudEvents that verify, retries, what is given up, and a desk that is watched.

use std::time::Duration;

use overrule::sync::signature::SigningKey;
use serde_json::{Value, json};

use super::desk::{WHSEC, admitted, once, stands, sync};
use super::receiver::{Came, Receiver, Says};
use super::support::Home;

const SECRETS: [(&str, &str); 1] = [("LABELS_SECRET", WHSEC)];

pub fn backend(url: &str) -> String {
    format!(
        "[sync.labels]\nkind = \"webhook\"\nurl = \"{url}\"\nsecret_env = \"LABELS_SECRET\"\n\
         private = true\n"
    )
}

pub fn verified(came: &Came) -> Value {
    let header = |name: &str| came.header(name).unwrap();
    let key = SigningKey::read(WHSEC).unwrap();
    let unix = header("webhook-timestamp").parse().unwrap();
    assert_eq!(header("webhook-signature"), key.sign(header("webhook-id"), unix, &came.body));
    assert_eq!(header("content-type"), "application/cloudevents+json; charset=utf-8");
    let event = came.json();
    assert_eq!(
        (&event["specversion"], &event["type"]),
        (&json!("1.0"), &json!("correction.recorded"))
    );
    assert_eq!(event["id"], header("webhook-id"));
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn corrections_are_signed_events_and_wait_while_nobody_answers() {
    let receiver = Receiver::start(|_, n| match n {
        0 => Says::plain(503, "down"),
        _ => Says::plain(204, ""),
    })
    .await;
    let home = Home::new();
    admitted(&home, &backend(&receiver.url("/in")), &["a-1", "a-2"]);
    home.ok(&["decide", "a-1", "reject", "--tag", "tone"]);
    home.ok(&["decide", "a-2", "edit", "--action", "deny"]);

    // Without the secret both wait, and it is said why.
    let (code, said, _) = sync(&home, &["--once"], &[]);
    assert_eq!(code, Some(1));
    assert_eq!(
        said["unready"]["labels"],
        "the environment variable LABELS_SECRET of [sync.labels] is not set here"
    );
    // The first does not arrive: the second waits behind it.
    let (code, said, _) = sync(&home, &["--once"], &SECRETS);
    assert_eq!((code, &said["sent"], &said["failed"]), (Some(1), &json!(0), &json!(1)));
    assert_eq!(receiver.came().len(), 1);
    let status = stands(&home, "labels");
    assert_eq!((&status["failing"], &status["to_send"]), (&json!(true), &json!(2)));
    assert_eq!(status["error"], "answered 503: down");
    assert!(status["next_at"].is_string());
    let (_, said, _) = sync(&home, &["--once", "--to", "labels"], &SECRETS);
    assert_eq!(said["sent"], 2);
    let came = receiver.came();
    let events: Vec<Value> = came.iter().map(verified).collect();
    // The second try bears the id of the first.
    assert_eq!(events[0]["id"], events[1]["id"]);
    let told: Vec<(&Value, &Value)> =
        events[1..].iter().map(|e| (&e["data"]["id"], &e["data"]["verdict"])).collect();
    assert_eq!(told, [(&json!("a-1"), &json!("reject")), (&json!("a-2"), &json!("edit"))]);
    assert_eq!(once(&home, &SECRETS), 0);
    assert_eq!(receiver.came().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_receiver_refuses_is_given_up_and_can_be_replayed() {
    let receiver = Receiver::start(|came, n| match n {
        0 if came.json()["data"]["id"] == "a-1" => Says::plain(422, "no such label"),
        _ => Says::plain(200, ""),
    })
    .await;
    let home = Home::new();
    admitted(&home, &backend(&receiver.url("/in")), &["a-1", "a-2"]);
    home.ok(&["decide", "a-1", "reject", "--tag", "tone"]);
    home.ok(&["decide", "a-2", "reject", "--tag", "tone"]);
    let (code, said, _) = sync(&home, &["--once"], &SECRETS);
    assert_eq!((code, &said["sent"], &said["dead"]), (Some(1), &json!(1), &json!(1)));
    let (_, status, _) = sync(&home, &["status"], &[]);
    let row = &status["listed"][0];
    assert_eq!((&row["state"], &row["to"]), (&json!("dead"), &json!("labels")));
    assert_eq!(row["error"], "answered 422: no such label");
    home.ok(&["sync", "retry", row["key"].as_str().unwrap()]);
    assert_eq!(once(&home, &SECRETS), 1);
    let told: Vec<Value> =
        receiver.came().iter().map(|c| verified(c)["data"]["id"].clone()).collect();
    assert_eq!(told, ["a-1", "a-2", "a-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_desk_is_watched_a_correction_arrives_when_its_grace_is_over() {
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let receiver = Receiver::start(move |came, _| {
        let _ = heard.send(came.json());
        Says::plain(200, "")
    })
    .await;
    let home = Home::new();
    admitted(&home, &backend(&receiver.url("/in")), &["a-1", "a-2"]);
    let mut watch = home.command(&["watch"]).envs(SECRETS).spawn().unwrap();
    home.ok(&["decide", "a-1", "reject", "--tag", "tone", "--grace", "1h"]);
    home.ok(&["undo", "a-1"]);
    home.ok(&["decide", "a-2", "edit", "--action", "deny", "--grace", "1s"]);
    let event = tokio::time::timeout(Duration::from_secs(60), hears.recv()).await;
    home.ok(&["decide", "a-1", "edit", "--action", "deny"]);
    let next = tokio::time::timeout(Duration::from_secs(60), hears.recv()).await;
    let _ = watch.kill();
    let _ = watch.wait();
    let told = [event, next].map(|e| e.expect("it arrives").unwrap()["data"]["id"].clone());
    assert_eq!(told, ["a-2", "a-1"]);
    assert_eq!(once(&home, &SECRETS), 0);
    assert_eq!(receiver.came().len(), 2);
}
