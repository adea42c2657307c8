//! Prometheus Alertmanager, API v2: an alert is its set of labels, and has to be said again while
//! it fires.
//!
//! Without `endsAt` an alert ends by itself (`resolve_timeout`, five minutes by default): one that
//! belongs to an incident is sent again every minute until the incident is resolved. Alertmanager
//! knows no acknowledgement (silences are its own), so none is sent.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::destination::Destination;
use super::notice::{Event, Notice, Stamp};
use super::request::{Request, Response, Secret, Verdict};
use crate::domain::Timestamp;

/// How often a firing alert is said again.
pub const REPEAT: Duration = Duration::from_secs(60);

/// Has it anything to say of this event?
pub fn says(event: Event) -> bool {
    event != Event::Acknowledge
}

/// The alert for a notification; `None`: there is nothing to say.
pub fn request(notice: &Notice, to: &Destination, stamp: &Stamp) -> Option<Request> {
    if !says(notice.event) {
        return None;
    }
    let mut labels = Map::new();
    for (name, value) in &notice.slice {
        labels.insert(label(name), value.clone());
    }
    labels.insert("alertname".into(), "OverruleAlert".into());
    labels.insert("dedup_key".into(), notice.dedup_key.as_str().into());
    labels.insert("desk".into(), stamp.desk.as_str().into());
    labels.insert("severity".into(), to.severity.unwrap_or(notice.severity).as_str().into());
    let mut notes = Map::new();
    notes.insert("summary".into(), notice.summary.as_str().into());
    let more = [
        ("description", &notice.cause),
        ("incident", &notice.incident),
        ("runbook_url", &notice.runbook),
    ];
    for (name, text) in more {
        if let Some(text) = text {
            notes.insert(name.into(), text.as_str().into());
        }
    }
    notes.insert("source".into(), stamp.source.as_str().into());
    let mut alert = json!({ "labels": labels, "annotations": notes });
    // An end without a beginning: the service keeps the beginning it knows.
    let (name, at) = match notice.event {
        Event::Resolve => ("endsAt", stamp.now),
        _ => ("startsAt", notice.at.unwrap_or(stamp.now).min(stamp.now)),
    };
    if let Value::Object(alert) = &mut alert {
        alert.insert(name.into(), json!(at));
    }
    let mut request =
        Request::json(to.under("/api/v2/alerts"), &Value::Array(vec![alert]), to.private);
    request.secrets.clear();
    if let Some(key) = &to.key {
        request.headers.push(("authorization", Secret::new(format!("Bearer {}", key.reveal()))));
        request.secrets.push(key.clone());
    }
    Some(request)
}

/// What its answer means.
pub fn read(notice: &Notice, request: &Request, response: &Response, now: Timestamp) -> Verdict {
    match Verdict::usual(request, response, now) {
        Verdict::Done if notice.event == Event::Trigger && notice.incident.is_some() => {
            Verdict::Again(REPEAT)
        }
        verdict => verdict,
    }
}

/// A label's name: letters, digits and `_`, none of ours.
fn label(name: &str) -> String {
    let mut out: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if matches!(out.as_str(), "alertname" | "dedup_key" | "desk" | "severity")
        || !out.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        out.insert_str(0, "slice_");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::destination::tests::notifier;
    use super::super::notice::tests::{notice, stamp};
    use super::*;
    use crate::policy::{Notifier, NotifierKind};

    fn to() -> Destination {
        let url = Some("https://alerts.example/am/".into());
        let notifier = Notifier { url, ..notifier(NotifierKind::Alertmanager) };
        Destination::of(&notifier, &|_| Some("token".into())).unwrap()
    }

    fn alert(event: &str) -> Value {
        let request = request(&notice(event), &to(), &stamp()).unwrap();
        assert_eq!(request.url.reveal(), "https://alerts.example/am/api/v2/alerts");
        assert_eq!(request.headers[1].0, "authorization");
        assert_eq!(request.headers[1].1.reveal(), "Bearer token");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        body[0].clone()
    }

    #[test]
    fn firing_and_resolved_have_the_same_labels() {
        let firing = alert("trigger");
        assert_eq!(
            firing["labels"],
            json!({
                "model": "m@1", "alertname": "OverruleAlert", "desk": "d1",
                "dedup_key": "override-spike:model:m@1", "severity": "error",
            })
        );
        assert_eq!(firing["startsAt"], "2026-11-22T12:00:00Z");
        assert_eq!(firing.get("endsAt"), None);
        let resolved = alert("resolve");
        assert_eq!(resolved["labels"], firing["labels"]);
        assert_eq!(resolved["endsAt"], "2026-11-22T12:00:05Z");
        assert_eq!(resolved.get("startsAt"), None);
        assert_eq!(request(&notice("acknowledge"), &to(), &stamp()), None);
    }

    #[test]
    fn it_is_said_again_only_while_something_can_resolve_it() {
        let ok = Response { status: 200, ..Response::default() };
        let of = |notice: &Notice| {
            let request = request(notice, &to(), &stamp()).unwrap();
            read(notice, &request, &ok, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(of(&notice("trigger")), Verdict::Again(REPEAT));
        assert_eq!(of(&notice("resolve")), Verdict::Done);
        assert_eq!(of(&Notice { incident: None, ..notice("trigger") }), Verdict::Done);
    }

    #[test]
    fn labels_are_well_formed_and_never_ours() {
        assert_eq!(label("cohort"), "cohort");
        assert_eq!(label("cohort.race"), "cohort_race");
        assert_eq!(label("severity"), "slice_severity");
        assert_eq!(label("9"), "slice_9");
    }
}
