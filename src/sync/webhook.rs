//! Signed webhooks: Standard Webhooks headers over a body that is a CloudEvent too.

use serde_json::{Value, json};

use super::destination::Destination;
use super::notice::{Event, Notice, Stamp};
use super::request::{Request, Response, Secret, Verdict};
use super::signature::SigningKey;
use crate::domain::Timestamp;

/// The signed event for a notification.
pub fn request(notice: &Notice, to: &Destination, stamp: &Stamp) -> Request {
    let kind = match notice.event {
        Event::Trigger => "alert.triggered",
        Event::Acknowledge => "alert.acknowledged",
        Event::Resolve => "alert.resolved",
    };
    let data = json!({
        "desk": stamp.desk,
        "dedup_key": notice.dedup_key,
        "summary": notice.summary,
        "severity": to.severity.unwrap_or(notice.severity),
        "slice": notice.slice,
        "cause": notice.cause,
        "incident": notice.incident,
        "runbook": notice.runbook,
    });
    let at = notice.at.unwrap_or(stamp.now);
    // A key that cannot be read is refused before anything is sent (`Destination::of`).
    let key = to.key.as_ref().and_then(|k| SigningKey::read(k.reveal()).ok());
    event(to.address.clone(), kind, at, &data, key.as_ref(), stamp, to.private)
}

/// An event as it is posted: type, time and data of Standard Webhooks, the members of CloudEvents
/// around them, and the signature over exactly these bytes.
pub(super) fn event(
    url: Secret,
    kind: &str,
    at: Timestamp,
    data: &Value,
    key: Option<&SigningKey>,
    stamp: &Stamp,
    private: bool,
) -> Request {
    let body = json!({
        "type": kind,
        "timestamp": at,
        "data": data,
        "specversion": "1.0",
        "id": stamp.id,
        "source": stamp.source,
        "time": at,
        "datacontenttype": "application/json",
    });
    let mut request = Request::json(url, &body, private);
    let unix = stamp.now.as_second();
    request.headers.push(("webhook-id", Secret::new(stamp.id.as_str())));
    request.headers.push(("webhook-timestamp", Secret::new(unix.to_string())));
    if let Some(key) = key {
        let signature = key.sign(&stamp.id, unix, &request.body);
        request.headers.push(("webhook-signature", Secret::new(signature)));
    }
    request
}

/// What an answer means: 2xx done, 410 gone, and everything else is tried again, as the receiver
/// may only be set up wrongly for now.
pub fn read(request: &Request, response: &Response, now: Timestamp) -> Verdict {
    match Verdict::usual(request, response, now) {
        Verdict::Refused(why) => Verdict::Later { why, after: response.wait(now) },
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::super::destination::tests::notifier;
    use super::super::notice::tests::{notice, stamp};
    use super::*;
    use crate::policy::{Notifier, NotifierKind};

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_covers_the_very_bytes() {
        let url = Some("https://hooks.example/in".into());
        let notifier = Notifier { url, ..notifier(NotifierKind::Webhook) };
        let to = Destination::of(&notifier, &|_| Some(SECRET.into())).unwrap();
        let request = request(&notice("trigger"), &to, &stamp());
        let header = |name: &str| {
            request.headers.iter().find(|(n, _)| *n == name).unwrap().1.reveal().to_owned()
        };
        assert_eq!(header("webhook-id"), "msg_1");
        assert_eq!(header("webhook-timestamp"), "1795348805");
        let key = SigningKey::read(SECRET).unwrap();
        assert_eq!(header("webhook-signature"), key.sign("msg_1", 1_795_348_805, &request.body));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["type"], "alert.triggered");
        assert_eq!(body["timestamp"], "2026-11-22T12:00:00Z");
        assert_eq!(body["data"]["incident"], "inc-7");
        assert_eq!(body["data"]["severity"], "error");
        assert_eq!(body["specversion"], "1.0");
        assert_eq!(body["id"], "msg_1");
    }

    #[test]
    fn only_410_ends_it() {
        let request = event(
            Secret::new("https://x.example"),
            "a.b",
            Timestamp::UNIX_EPOCH,
            &json!({}),
            None,
            &stamp(),
            false,
        );
        let of = |status| {
            let response = Response { status, ..Response::default() };
            read(&request, &response, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(of(204), Verdict::Done);
        assert_eq!(of(410), Verdict::Gone("answered 410".into()));
        for status in [302, 400, 401, 404, 500, 503] {
            assert!(matches!(of(status), Verdict::Later { .. }), "{status}");
        }
    }
}
