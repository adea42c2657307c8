//! Each service checks what the real one checks, and what it refuses is given up with its reason.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use overrule::domain::Timestamp;
use overrule::policy::NotifierKind;
use overrule::sync::guard::Allowed;
use serde_json::{Value, json};
use sha2::Sha256;

use super::fake::{Stands, alert, at, desk, desk_with, notifier};
use super::receiver::{Came, Receiver, Says};

const ROUTING: &str = "0123456789abcdef0123456789abcdef";
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// PagerDuty's Events API v2: what is wrong with the event, as its 400 lists it.
fn pagerduty(came: &Came) -> Vec<String> {
    let mut errors = Vec::new();
    let mut need = |ok: bool, what: &str| {
        if !ok {
            errors.push(what.to_owned());
        }
    };
    need(came.method == "POST" && came.path == "/v2/enqueue", "wrong method or path");
    need(came.body.len() <= 512 * 1024, "body larger than 512 KB");
    let event: Value = serde_json::from_slice(&came.body).unwrap_or_default();
    let text = |v: &Value| v.as_str().map(str::to_owned).unwrap_or_default();
    need(text(&event["routing_key"]).len() == 32, "'routing_key' must be 32 characters");
    let action = text(&event["event_action"]);
    need(
        matches!(action.as_str(), "trigger" | "acknowledge" | "resolve"),
        "'event_action' is invalid",
    );
    let key = text(&event["dedup_key"]);
    need(key.chars().count() <= 255, "'dedup_key' is longer than 255");
    need(action == "trigger" || !key.is_empty(), "'dedup_key' is missing");
    if action == "trigger" {
        let payload = &event["payload"];
        let summary = text(&payload["summary"]).chars().count();
        need((1..=1024).contains(&summary), "'payload.summary' is missing or too long");
        need(!text(&payload["source"]).is_empty(), "'payload.source' is missing");
        need(
            matches!(
                text(&payload["severity"]).as_str(),
                "critical" | "error" | "warning" | "info"
            ),
            "'payload.severity' is invalid",
        );
        need(
            text(&payload["timestamp"]).parse::<Timestamp>().is_ok(),
            "'payload.timestamp' is invalid",
        );
        need(payload["custom_details"].is_object(), "'payload.custom_details' is no object");
        for link in event["links"].as_array().unwrap_or(&Vec::new()) {
            need(text(&link["href"]).starts_with("http"), "'links' are invalid");
        }
    }
    errors
}

#[tokio::test]
async fn pagerduty_takes_trigger_acknowledge_and_resolve() {
    let receiver = Receiver::start(|came, _| match pagerduty(came) {
        errors if errors.is_empty() => Says::plain(202, r#"{"status":"success"}"#),
        errors => {
            Says::plain(400, &json!({"status": "invalid event", "errors": errors}).to_string())
        }
    })
    .await;
    let mut notifier = notifier("pager", NotifierKind::Pagerduty);
    notifier.url = Some(receiver.url(""));
    let mut desk = desk(vec![notifier], &[("pager", ROUTING)]);
    let long = {
        let mut payload = alert("pager", "trigger", &"k".repeat(400));
        payload["summary"] = json!("é".repeat(5000));
        payload["cause"] = json!("c".repeat(5000));
        desk.outbox.put("notify", payload)
    };
    let rows = [
        desk.outbox.alert("pager", "trigger", "a"),
        desk.outbox.alert("pager", "acknowledge", "a"),
        long,
    ];
    // Two a second and no more: one each half second, in order.
    let mut now = 0.0;
    for _ in 0..4 {
        desk.courier.round(at(now), None).await.unwrap();
        now += 0.5;
    }
    let resolved = desk.outbox.alert("pager", "resolve", "a");
    desk.courier.round(at(now), None).await.unwrap();
    for row in rows.into_iter().chain([resolved]) {
        assert_eq!(desk.outbox.row(row).error, "");
        assert_eq!(desk.outbox.stands(row).0, Stands::Done, "{row}");
    }
    let actions: Vec<String> = receiver
        .came()
        .iter()
        .map(|c| {
            format!(
                "{} {}",
                c.json()["event_action"].as_str().unwrap(),
                c.json()["dedup_key"].as_str().unwrap().len()
            )
        })
        .collect();
    assert_eq!(actions, ["trigger 249", "trigger 10", "acknowledge 10", "resolve 10"]);
    assert_eq!(receiver.came()[1].json()["payload"]["severity"], "error");
    assert_eq!(receiver.came()[1].header("user-agent"), Some("overrule/0.1.0"));
}

#[tokio::test]
async fn pagerduty_refuses_for_good_and_no_key_is_told() {
    let body = format!(r#"{{"status":"invalid event","errors":["{ROUTING} is unknown"]}}"#);
    let receiver = Receiver::start(move |_, _| Says::plain(400, &body)).await;
    let mut notifier = notifier("pager", NotifierKind::Pagerduty);
    notifier.url = Some(receiver.url(""));
    let mut desk = desk(vec![notifier], &[("pager", ROUTING)]);
    let row = desk.outbox.alert("pager", "trigger", "a");
    let round = desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!((round.sent, round.dead), (0, 1));
    let row = desk.outbox.row(row);
    assert_eq!(row.stands, Stands::Dead);
    assert_eq!(
        row.error,
        r#"answered 400: {"status":"invalid event","errors":["*** is unknown"]}"#
    );
}

/// Slack's incoming webhook: its words for what it does not take.
fn slack(came: &Came) -> Says {
    let message: Value = serde_json::from_slice(&came.body).unwrap_or_default();
    let long =
        |v: &Value, most| v.as_str().is_none_or(|t| t.is_empty() || t.chars().count() > most);
    if came.path != "/services/T0/B0/secret" {
        return Says::plain(404, "no_service");
    }
    if message["text"].as_str().is_none_or(str::is_empty) {
        return Says::plain(400, "no_text");
    }
    let blocks = message["blocks"].as_array().cloned().unwrap_or_default();
    let bad = blocks.len() > 50
        || long(&message["text"], 40_000)
        || blocks.iter().any(|block| match block["type"].as_str() {
            Some("header") => {
                block["text"]["type"] != "plain_text" || long(&block["text"]["text"], 150)
            }
            Some("section") => {
                let fields = block["fields"].as_array().cloned().unwrap_or_default();
                (block["text"].is_null() && fields.is_empty())
                    || fields.len() > 10
                    || fields.iter().any(|f| long(&f["text"], 2000))
                    || (!block["text"].is_null() && long(&block["text"]["text"], 3000))
            }
            Some("actions") => block["elements"].as_array().is_none_or(|e| {
                e.is_empty() || e.len() > 25 || e.iter().any(|b| long(&b["url"], 3000))
            }),
            _ => true,
        });
    if bad { Says::plain(400, "invalid_blocks") } else { Says::plain(200, "ok") }
}

#[tokio::test]
async fn slack_takes_the_longest_and_strangest_alert() {
    let receiver = Receiver::start(|came, _| slack(came)).await;
    let url = receiver.url("/services/T0/B0/secret");
    let mut desk = desk(vec![notifier("chat", NotifierKind::Slack)], &[("chat", &url)]);
    let strange = {
        let mut payload = alert("chat", "trigger", "b");
        for key in ["summary", "cause", "incident"] {
            payload[key] = json!("<!channel> & \u{202e}\u{0}".repeat(2000));
        }
        payload["slice"] = (0..20).map(|i| (format!("d{i}"), json!("<&>".repeat(900)))).collect();
        desk.outbox.put("notify", payload)
    };
    let plain = desk.outbox.alert("chat", "trigger", "a");
    desk.courier.round(at(0.0), None).await.unwrap();
    // One a second.
    let round = desk.courier.round(at(0.5), None).await.unwrap();
    assert_eq!((round.sent, round.paced), (0, Some(at(1.0))));
    desk.courier.round(at(1.0), None).await.unwrap();
    for row in [strange, plain] {
        assert_eq!(desk.outbox.row(row).error, "");
        assert_eq!(desk.outbox.stands(row).0, Stands::Done);
    }
    let text = receiver.came()[0].json().to_string();
    assert!(!text.contains("<!channel>\"") && !text.contains('\u{202e}'));
    let mentions = receiver.came()[0].json()["text"].as_str().unwrap().contains("<!");
    assert!(!mentions);
}

#[tokio::test]
async fn google_chat_takes_a_threaded_card() {
    let receiver = Receiver::start(|came, _| {
        let message: Value = serde_json::from_slice(&came.body).unwrap_or_default();
        let query = came.path.split_once('?').unwrap_or_default().1;
        let has = |part: &str| query.split('&').any(|p| p == part);
        let card = &message["cardsV2"][0];
        let fine = came.path.starts_with("/v1/spaces/AAA/messages?")
            && has("key=K")
            && has("token=T")
            && has("messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
            && query.split('&').any(|p| p.starts_with("requestId=msg_"))
            && came.header("content-type") == Some("application/json; charset=utf-8")
            && came.body.len() <= 32_000
            && message["thread"]["threadKey"].as_str().is_some_and(|k| k.starts_with("a:"))
            && !card["cardId"].as_str().unwrap_or_default().is_empty()
            && !card["card"]["header"]["title"].as_str().unwrap_or_default().is_empty();
        if fine {
            Says::plain(200, r#"{"name":"spaces/AAA/messages/x"}"#)
        } else {
            Says::plain(400, r#"{"error":{"status":"INVALID_ARGUMENT"}}"#)
        }
    })
    .await;
    let url = receiver.url("/v1/spaces/AAA/messages?key=K&token=T");
    let mut desk = desk(vec![notifier("chat", NotifierKind::GoogleChat)], &[("chat", &url)]);
    let row = desk.outbox.alert("chat", "trigger", "a");
    desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(desk.outbox.row(row).error, "");
    assert_eq!(desk.outbox.stands(row), (Stands::Done, 0));
}

/// What a receiver of Standard Webhooks checks: headers, the clock, the signature over the bytes.
fn verified(came: &Came, secret: &str, now: Timestamp) -> bool {
    let (Some(id), Some(time), Some(signatures)) = (
        came.header("webhook-id"),
        came.header("webhook-timestamp"),
        came.header("webhook-signature"),
    ) else {
        return false;
    };
    let Ok(unix) = time.parse::<i64>() else { return false };
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(&came.body);
    let want = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    !id.contains('.')
        && (now.as_second() - unix).abs() <= 300
        && signatures.split(' ').any(|s| s == want)
}

#[tokio::test]
async fn a_webhook_is_signed_anew_at_every_try_under_the_same_id() {
    let receiver = Receiver::start(|came, n| {
        let now = came.header("webhook-timestamp").and_then(|t| t.parse().ok()).unwrap_or(0);
        let now = Timestamp::from_second(now).unwrap();
        match (verified(came, WHSEC, now), n) {
            (false, _) => Says::plain(401, "bad signature"),
            (true, 0) => Says::plain(503, "starting"),
            (true, _) => Says::plain(204, ""),
        }
    })
    .await;
    let mut notifier = notifier("hook", NotifierKind::Webhook);
    notifier.url = Some(receiver.url("/in"));
    let mut desk = desk(vec![notifier], &[("hook", WHSEC)]);
    let row = desk.outbox.alert("hook", "trigger", "a");
    desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(desk.outbox.row(row).error, "answered 503: starting");
    desk.courier.round(at(30.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(row), (Stands::Done, 1));
    let came = receiver.came();
    assert_eq!(came[0].header("webhook-id"), came[1].header("webhook-id"));
    assert_ne!(came[0].header("webhook-timestamp"), came[1].header("webhook-timestamp"));
    assert_eq!(came[1].json()["type"], "alert.triggered");
    assert!(!verified(&came[1], "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", at(30.0)));
}

fn reply(url: &str) -> Value {
    json!({
        "reply": {"kind": "webhook", "url": url, "token": "opaque"},
        "id": "lap-1", "outcome": "rejected", "reversal": false, "action": null, "output": null,
        "label": "deny", "level": 1, "approvals": [], "at": "2026-11-22T12:00:00Z",
    })
}

#[tokio::test]
async fn a_waiting_workflow_is_told_signed_and_only_where_it_may_be() {
    let receiver = Receiver::start(|came, _| {
        if verified(came, WHSEC, at(0.0)) { Says::plain(200, "") } else { Says::plain(401, "") }
    })
    .await;
    let env = [("OVERRULE_REPLY_SECRET", WHSEC)];
    let mut allowed = desk_with(Vec::new(), &env, Allowed::read("127.0.0.1"));
    let row = allowed.outbox.put("reply", reply(&receiver.url("/done")));
    allowed.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(allowed.outbox.stands(row), (Stands::Done, 0));
    let body = receiver.came()[0].json();
    assert_eq!(body["type"], "review.decided");
    assert_eq!(body["data"]["id"], "lap-1");
    assert_eq!(body["data"]["outcome"], "rejected");
    assert_eq!(body["data"]["token"], "opaque");

    let mut strict = desk(Vec::new(), &env);
    let row = strict.outbox.put("reply", reply(&receiver.url("/done")));
    strict.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(strict.outbox.stands(row), (Stands::Dead, 1));
    assert_eq!(
        strict.outbox.row(row).error,
        "127.0.0.1 is at 127.0.0.1, inside the network; OVERRULE_PRIVATE_HOSTS or `private` allows it"
    );
    assert_eq!(receiver.came().len(), 1);
}

#[tokio::test]
async fn without_a_secret_here_nothing_is_sent_and_nothing_is_lost() {
    let mut desk = desk(vec![notifier("pager", NotifierKind::Pagerduty)], &[]);
    let alert = desk.outbox.alert("pager", "trigger", "a");
    let told = desk.outbox.put("reply", reply("https://flows.example/"));
    let round = desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(
        round.unready.values().collect::<Vec<_>>(),
        [
            "the environment variable pager of [notify.pager] is not set here",
            "the environment variable OVERRULE_REPLY_SECRET is not set here",
        ]
    );
    assert_eq!(desk.outbox.stands(alert), (Stands::Waiting, 0));
    assert_eq!(desk.outbox.stands(told), (Stands::Waiting, 0));
}
