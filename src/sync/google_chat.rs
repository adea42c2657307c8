//! Google Chat incoming webhooks: a card, threaded by what it is about.
//!
//! The address holds key and token in its query. `requestId` makes a second try harmless.

use reqwest::Url;
use serde_json::json;

use super::destination::Destination;
use super::notice::{Notice, Stamp};
use super::request::{Request, Response, Secret, Verdict, cut};
use crate::domain::Timestamp;

/// The card for a notification.
pub fn request(notice: &Notice, to: &Destination, stamp: &Stamp) -> Request {
    let severity = to.severity.unwrap_or(notice.severity);
    let row = |label: &str, text: &str| json!({ "decoratedText": { "topLabel": label, "text": escape(text), "wrapText": true } });
    let mut widgets = vec![row("Severity", severity.as_str())];
    let place = notice.place();
    if !place.is_empty() {
        widgets.push(row("Where", &place));
    }
    if let Some(incident) = &notice.incident {
        widgets.push(row("Incident", incident));
    }
    if let Some(cause) = &notice.cause {
        widgets.push(json!({ "textParagraph": { "text": escape(cause) } }));
    }
    if let Some(runbook) = &notice.runbook {
        let open = json!({ "openLink": { "url": runbook } });
        widgets
            .push(json!({ "buttonList": { "buttons": [{ "text": "Runbook", "onClick": open }] } }));
    }
    let title = format!("{}: {}", notice.event.title(), notice.summary);
    let message = json!({
        "fallbackText": cut(&title, 1000),
        "cardsV2": [{
            "cardId": stamp.id,
            "card": {
                "header": { "title": cut(&title, 200), "subtitle": stamp.source },
                "sections": [{ "widgets": widgets }],
            },
        }],
        "thread": { "threadKey": stamp.about(notice) },
    });
    Request {
        secrets: vec![to.address.clone()],
        ..Request::json(addressed(&to.address, stamp), &message, to.private)
    }
}

/// What its answer means. A webhook or space that was removed answers 404.
pub fn read(request: &Request, response: &Response, now: Timestamp) -> Verdict {
    match response.status {
        404 => Verdict::Gone(response.words(request)),
        _ => Verdict::usual(request, response, now),
    }
}

/// The address with what threads the message and makes a second try harmless.
fn addressed(address: &Secret, stamp: &Stamp) -> Secret {
    let Ok(mut url) = Url::parse(address.reveal()) else { return address.clone() };
    url.query_pairs_mut()
        .append_pair("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
        .append_pair("requestId", &stamp.id);
    Secret::new(url)
}

/// Card texts are a small HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::destination::tests::notifier;
    use super::super::notice::tests::{notice, payload, stamp};
    use super::*;
    use crate::policy::NotifierKind;
    use serde_json::Value;

    fn to() -> Destination {
        let address = "https://chat.example/v1/spaces/AAA/messages?key=K&token=T%3D";
        Destination::of(&notifier(NotifierKind::GoogleChat), &|_| Some(address.into())).unwrap()
    }

    #[test]
    fn a_card_is_threaded_and_keeps_key_and_token() {
        let request = request(&notice("resolve"), &to(), &stamp());
        assert_eq!(
            request.url.reveal(),
            "https://chat.example/v1/spaces/AAA/messages?key=K&token=T%3D\
             &messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD&requestId=msg_1"
        );
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["thread"]["threadKey"], "override-spike:model:m@1:d1");
        let card = &body["cardsV2"][0]["card"];
        assert_eq!(card["header"]["title"], "Resolved: Override rate of m@1 is <12 %> & rising");
        let widgets = card["sections"][0]["widgets"].as_array().unwrap();
        assert_eq!(widgets[0]["decoratedText"]["text"], "error");
        assert_eq!(widgets[3]["textParagraph"]["text"], "override_low 0.09 &gt; 0.05, n = 212");
        assert_eq!(
            widgets[4]["buttonList"]["buttons"][0]["onClick"]["openLink"]["url"],
            "https://runbooks.example/override-spike"
        );
    }

    #[test]
    fn the_longest_notification_is_within_the_limit() {
        let mut raw = payload("trigger");
        for key in ["summary", "cause", "incident", "dedup_key"] {
            raw[key] = json!("𝕏&".repeat(20_000));
        }
        raw["slice"] = (0..99).map(|i| (format!("d{i}"), json!("&".repeat(9000)))).collect();
        let notice = Notice::read(&raw).unwrap();
        let long = request(&notice, &to(), &stamp()).body.len();
        assert!(long <= 32_000, "{long}");
    }
}
