//! PagerDuty, Events API v2: trigger, acknowledge and resolve by `dedup_key`.
//!
//! The routing key stands in the body; there is no other authentication. 202 means queued.

use serde_json::{Value, json};

use super::destination::Destination;
use super::notice::{Event, Notice, Stamp};
use super::request::{Request, Response, Verdict, cut};
use crate::domain::Timestamp;

/// Longest summary, in characters.
const SUMMARY: usize = 1024;

/// The event for a notification.
pub fn request(notice: &Notice, to: &Destination, stamp: &Stamp) -> Request {
    let key = to.key.as_ref().map_or("", |k| k.reveal());
    let action = match notice.event {
        Event::Trigger => "trigger",
        Event::Acknowledge => "acknowledge",
        Event::Resolve => "resolve",
    };
    let mut event = json!({
        "routing_key": key,
        "event_action": action,
        "dedup_key": stamp.about(notice),
    });
    if notice.event == Event::Trigger
        && let Value::Object(event) = &mut event
    {
        let component = notice.slice.values().next().and_then(Value::as_str);
        event.insert("client".into(), "overrule".into());
        event.insert(
            "payload".into(),
            json!({
                "summary": cut(&notice.summary, SUMMARY),
                "source": stamp.source,
                "severity": to.severity.unwrap_or(notice.severity).as_str(),
                "timestamp": notice.at.unwrap_or(stamp.now),
                "component": component,
                "group": "overrule",
                "class": notice.dedup_key.split(':').next(),
                "custom_details": {
                    "cause": notice.cause,
                    "slice": notice.slice,
                    "incident": notice.incident,
                },
            }),
        );
        if let Some(runbook) = &notice.runbook {
            event.insert("links".into(), json!([{ "href": runbook, "text": "Runbook" }]));
        }
    }
    let mut request = Request::json(to.under("/v2/enqueue"), &event, to.private);
    request.secrets.clear();
    request.secrets.extend(to.key.clone());
    request
}

/// What its answer means.
pub fn read(request: &Request, response: &Response, now: Timestamp) -> Verdict {
    Verdict::usual(request, response, now)
}

#[cfg(test)]
mod tests {
    use super::super::destination::tests::notifier;
    use super::super::notice::tests::{notice, stamp};
    use super::*;
    use crate::policy::NotifierKind;

    fn body(event: &str) -> Value {
        let to =
            Destination::of(&notifier(NotifierKind::Pagerduty), &|_| Some("k".repeat(32))).unwrap();
        let request = request(&notice(event), &to, &stamp());
        assert_eq!(request.url.reveal(), "https://events.pagerduty.com/v2/enqueue");
        serde_json::from_slice(&request.body).unwrap()
    }

    #[test]
    fn a_trigger_says_everything_that_is_required() {
        assert_eq!(
            body("trigger"),
            json!({
                "routing_key": "k".repeat(32), "event_action": "trigger",
                "dedup_key": "override-spike:model:m@1:d1", "client": "overrule",
                "payload": {
                    "summary": "Override rate of m@1 is <12 %> & rising", "source": "desk-1",
                    "severity": "error", "timestamp": "2026-11-22T12:00:00Z", "component": "m@1",
                    "group": "overrule", "class": "override-spike",
                    "custom_details": {
                        "cause": "override_low 0.09 > 0.05, n = 212",
                        "slice": {"model": "m@1"}, "incident": "inc-7",
                    },
                },
                "links": [{"href": "https://runbooks.example/override-spike", "text": "Runbook"}],
            })
        );
    }

    #[test]
    fn acknowledge_and_resolve_name_the_same_key_and_no_more() {
        for event in ["acknowledge", "resolve"] {
            assert_eq!(
                body(event),
                json!({
                    "routing_key": "k".repeat(32), "event_action": event,
                    "dedup_key": "override-spike:model:m@1:d1",
                })
            );
        }
    }
}
