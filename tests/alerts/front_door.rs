//! From a verdict at the command line to signed messages at a receiver, through the real store.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use overrule::desk::outbox::Outbox as _;
use overrule::desk::{Local, OpenOptions};
use overrule::domain::Timestamp;
use serde_json::{Value, json};

use super::receiver::{Receiver, Says};
use super::support::{Home, lines, record};

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn policy(url: &str) -> String {
    format!(
        r#"
policy = "alerts"
[queues.level1]
level = 1
[[route]]
id = "all"
when = 'confidence >= 0'
to = "level1"
[default]
to = "level1"
[[tag]]
id = "policy_violation"
title = "Breaks a rule"
[[effect]]
id = "violation"
on = "review"
when = '"policy_violation" in tags'
do = ["notify:hook"]
[notify.hook]
kind = "webhook"
url = "{url}"
secret_env = "HOOK_SECRET"
private = true
"#
    )
}

/// A desk where a verdict has left an alert and a reply in the outbox.
fn decided(home: &Home, alert: &str, reply: &str) {
    let policy = home.write("policy.toml", &policy(alert));
    let mut waiting = record("lap-1");
    waiting["reply"] = json!({"kind": "webhook", "url": reply, "token": "opaque"});
    let input = home.write("in.jsonl", &lines(&[waiting]));
    home.ok(&["ingest", "--policy", policy.to_str().unwrap(), input.to_str().unwrap()]);
    home.ok(&["decide", "lap-1", "reject", "--tag", "policy_violation"]);
}

fn sync(home: &Home, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, Value, String) {
    let mut command = home.command(&[&["sync", "--json"], args].concat());
    let out = command.envs(env.iter().copied()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let value = serde_json::from_str(&text).unwrap_or(Value::Null);
    (out.status.code(), value, String::from_utf8(out.stderr).unwrap())
}

const SECRETS: [(&str, &str); 3] = [
    ("HOOK_SECRET", WHSEC),
    ("OVERRULE_REPLY_SECRET", WHSEC),
    ("OVERRULE_PRIVATE_HOSTS", "127.0.0.1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_alerts_and_replies_once() {
    let receiver = Receiver::start(|_, _| Says::plain(200, "")).await;
    let home = Home::new();
    decided(&home, &receiver.url("/alert"), &receiver.url("/reply"));
    let (_, waits, _) = sync(&home, &["status"], &[]);
    assert_eq!((waits["waiting"].as_u64(), waits["dead"].as_u64()), (Some(2), Some(0)));

    // A process without the secrets leaves both alone, and says so.
    let (code, said, stderr) = sync(&home, &["--once"], &[]);
    assert_eq!(code, Some(1), "{stderr}");
    assert_eq!(
        said["unready"]["hook"],
        "the environment variable HOOK_SECRET of [notify.hook] is not set here"
    );
    assert!(receiver.came().is_empty());

    let (code, said, stderr) = sync(&home, &["--once"], &SECRETS);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!((&said["sent"], &said["failed"]), (&json!(2), &json!(0)));
    let (code, said, _) = sync(&home, &["--once"], &SECRETS);
    assert_eq!((code, &said["sent"]), (Some(0), &json!(0)));

    let mut came = receiver.came();
    came.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(came.len(), 2);
    let (alert, reply) = (came[0].json(), came[1].json());
    assert_eq!(alert["type"], "alert.triggered");
    assert_eq!(alert["data"]["dedup_key"], "violation:lap-1");
    assert_eq!(alert["data"]["slice"], json!({"decision": "lap-1"}));
    assert_eq!(reply["type"], "review.decided");
    assert_eq!(reply["data"]["outcome"], "rejected");
    assert_eq!(reply["data"]["token"], "opaque");
    assert_ne!(came[0].header("webhook-id"), came[1].header("webhook-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_delivered_is_listed_with_its_reason() {
    let receiver = Receiver::start(|_, _| Says::plain(503, "down")).await;
    let home = Home::new();
    decided(&home, &receiver.url("/alert"), "http://169.254.169.254/latest/meta-data");
    let (code, said, stderr) = sync(&home, &["--once"], &SECRETS);
    assert_eq!(code, Some(1));
    assert_eq!((&said["failed"], &said["dead"]), (&json!(1), &json!(1)));
    assert!(stderr.contains("2 could not be delivered"), "{stderr}");
    let (_, status, _) = sync(&home, &["status"], &[]);
    let listed = status["listed"].as_array().unwrap();
    assert_eq!((&listed[0]["state"], &listed[0]["to"]), (&json!("dead"), &json!("webhook")));
    assert!(
        listed[0]["error"].as_str().unwrap().starts_with("169.254.169.254 is at 169.254.169.254"),
        "{status}"
    );
    assert_eq!((&listed[1]["state"], &listed[1]["to"]), (&json!("waiting"), &json!("hook")));
    assert_eq!(listed[1]["error"], "answered 503: down");
    // Somebody has it tried once more; nothing else can be.
    let (dead, waiting) = (listed[0]["key"].as_str().unwrap(), listed[1]["key"].as_str().unwrap());
    home.ok(&["sync", "retry", dead]);
    home.exits(&["sync", "retry", waiting], 1);
    let (_, said, _) = sync(&home, &["--once"], &SECRETS);
    assert_eq!((&said["failed"], &said["dead"]), (&json!(0), &json!(1)));
    // In words, too; and no secret stands anywhere.
    let text = home.ok(&["sync", "status"]);
    assert!(text.starts_with("1 waiting, 0 held, 1 given up\n"), "{text}");
    assert!(!text.contains("whsec_") && !stderr.contains("whsec_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_that_is_not_there_is_named() {
    let home = Home::new();
    decided(&home, "http://127.0.0.1:1/", "http://127.0.0.1:1/");
    let (_, stderr) = home.exits(&["sync", "--once", "--to", "pager"], 2);
    assert!(stderr.contains("the policy in force has no [notify.pager]"), "{stderr}");
    assert!(stderr.contains("it has hook"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_alert_shows_whether_the_wiring_is_right() {
    let receiver = Receiver::start(|_, n| match n {
        0 | 1 => Says::plain(200, ""),
        _ => Says::plain(401, "bad signature"),
    })
    .await;
    let home = Home::new();
    decided(&home, &receiver.url("/alert"), "http://127.0.0.1:1/");
    let run = || {
        let mut command = home.command(&["sync", "test", "hook"]);
        let out = command.env("HOOK_SECRET", WHSEC).output().unwrap();
        let said = [out.stdout, out.stderr].concat();
        (out.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = run();
    assert_eq!((code, said.as_str()), (Some(0), "an alert and its resolution arrived at hook\n"));
    let types: Vec<Value> = receiver.came().iter().map(|c| c.json()["type"].clone()).collect();
    assert_eq!(types, ["alert.triggered", "alert.resolved"]);
    let (code, said) = run();
    assert_eq!(code, Some(1));
    assert!(said.contains("did not arrive at hook: answered 401: bad signature"), "{said}");
}

#[test]
fn the_turn_to_deliver_goes_round_between_processes() {
    let home = Home::new();
    let now = Arc::new(Mutex::new("2026-11-22T12:00:00Z".parse::<Timestamp>().unwrap()));
    let open = || {
        let clock = now.clone();
        let wall = Arc::new(move || *clock.lock().unwrap());
        Local::open(OpenOptions { wall, ..OpenOptions::new(home.store(), "root") }).unwrap()
    };
    let (one, two) = (open(), open());
    let time = Duration::from_secs(60);
    let later = |seconds| {
        let mut now = now.lock().unwrap();
        *now += Duration::from_secs(seconds);
    };
    assert!(one.turn("one", time).unwrap());
    assert!(!two.turn("two", time).unwrap());
    // Who goes on keeps it.
    later(50);
    assert!(one.turn("one", time).unwrap());
    later(50);
    assert!(!two.turn("two", time).unwrap());
    // Who is gone loses it.
    later(11);
    assert!(two.turn("two", time).unwrap());
    assert!(!one.turn("one", time).unwrap());
    // Nobody ends another's turn; who is done hands it over at once.
    one.end_turn("one").unwrap();
    assert!(!one.turn("one", time).unwrap());
    two.end_turn("two").unwrap();
    assert!(one.turn("one", time).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_delivers_what_an_effect_says() {
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let receiver = Receiver::start(move |came, _| {
        let _ = heard.send(came.json());
        Says::plain(200, "")
    })
    .await;
    let home = Home::new();
    let window = r#"
[[effect]]
id = "quiet"
on = "window"
window = "1h"
each = "overall"
when = 'reviewed < 1'
do = ["notify:hook", "incident.open"]
"#;
    let policy = policy(&receiver.url("/alert")).replace("[notify.hook]", "{window}[notify.hook]");
    let policy = home.write("policy.toml", &policy.replace("{window}", window));
    let input = home.write("in.jsonl", &lines(&[record("lap-1")]));
    home.ok(&["ingest", "--policy", policy.to_str().unwrap(), input.to_str().unwrap()]);

    let mut watch = home.command(&["watch"]).envs(SECRETS).spawn().unwrap();
    let alert = tokio::time::timeout(Duration::from_secs(60), hears.recv()).await;
    let _ = watch.kill();
    let _ = watch.wait();
    let alert = alert.expect("the alert comes while overrule watch runs").unwrap();
    assert_eq!(alert["type"], "alert.triggered");
    assert_eq!(alert["data"]["dedup_key"], "incident:inc-1");
    assert!(alert["data"]["cause"].as_str().unwrap().contains("0 reviewed"), "{alert}");
}
