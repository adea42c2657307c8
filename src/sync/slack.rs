//! Slack incoming webhooks (and what takes the same body: Mattermost, Rocket.Chat).
//!
//! The address is the secret. Success is 200 and the word `ok`; failures are plain words.

use serde_json::{Value, json};

use super::destination::Destination;
use super::notice::{Notice, Stamp};
use super::request::{Request, Response, Verdict, cut};
use crate::domain::Timestamp;

/// Longest header and field, in characters, after escaping.
const HEADER: usize = 150;
const FIELD: usize = 2000;
/// Longest text of a section.
const SECTION: usize = 3000;

/// The message for a notification.
pub fn request(notice: &Notice, to: &Destination, _: &Stamp) -> Request {
    let title = format!("{}: {}", notice.event.title(), notice.summary);
    let severity = to.severity.unwrap_or(notice.severity);
    let field = |name: &str, value: &str| {
        let text = format!("*{name}*\n{}", escape(value, FIELD - 40));
        json!({ "type": "mrkdwn", "text": text, "verbatim": true })
    };
    let mut fields = vec![field("Severity", severity.as_str())];
    let place = notice.place();
    if !place.is_empty() {
        fields.push(field("Where", &place));
    }
    if let Some(incident) = &notice.incident {
        fields.push(field("Incident", incident));
    }
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": cut(&title, HEADER) } }),
        json!({ "type": "section", "fields": fields }),
    ];
    if let Some(cause) = &notice.cause {
        let text = json!({ "type": "mrkdwn", "text": escape(cause, SECTION), "verbatim": true });
        blocks.push(json!({ "type": "section", "text": text }));
    }
    if let Some(runbook) = &notice.runbook {
        let button = json!({
            "type": "button", "url": runbook,
            "text": { "type": "plain_text", "text": "Runbook" },
        });
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    let mut message = json!({ "text": escape(&title, SECTION), "blocks": blocks });
    if let (Some(channel), Value::Object(message)) = (&to.channel, &mut message) {
        message.insert("channel".into(), channel.as_str().into());
    }
    Request::json(to.address.clone(), &message, to.private)
}

/// What its answer means. An address that was revoked answers 404 or 410.
pub fn read(request: &Request, response: &Response, now: Timestamp) -> Verdict {
    match response.status {
        404 => Verdict::Gone(response.words(request)),
        _ => Verdict::usual(request, response, now),
    }
}

/// Text that cannot mention anybody or make a link, at most `most` characters.
fn escape(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let word = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => {
                used += 1;
                if used >= most {
                    out.push('…');
                    break;
                }
                out.push(c);
                continue;
            }
        };
        used += word.len();
        if used >= most {
            out.push('…');
            break;
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::destination::tests::notifier;
    use super::super::notice::tests::{notice, stamp};
    use super::*;
    use crate::policy::{AlertSeverity, Notifier, NotifierKind};

    fn to() -> Destination {
        let notifier = Notifier {
            severity: Some(AlertSeverity::Critical),
            channel: Some("#on-call".into()),
            ..notifier(NotifierKind::Slack)
        };
        Destination::of(&notifier, &|_| Some("https://hooks.example/T0/B0/x".into())).unwrap()
    }

    #[test]
    fn a_message_has_a_fallback_and_blocks_within_their_limits() {
        let request = request(&notice("trigger"), &to(), &stamp());
        assert_eq!(request.url.reveal(), "https://hooks.example/T0/B0/x");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["text"], "Alert: Override rate of m@1 is &lt;12 %&gt; &amp; rising");
        assert_eq!(body["channel"], "#on-call");
        let blocks = body["blocks"].as_array().unwrap();
        assert_eq!(blocks[0]["text"]["text"], "Alert: Override rate of m@1 is <12 %> & rising");
        assert_eq!(blocks[1]["fields"][0]["text"], "*Severity*\ncritical");
        assert_eq!(blocks[1]["fields"][1]["text"], "*Where*\nmodel m@1");
        assert_eq!(blocks[1]["fields"][2]["text"], "*Incident*\ninc-7");
        assert_eq!(blocks[2]["text"]["text"], "override_low 0.09 &gt; 0.05, n = 212");
        assert_eq!(blocks[3]["elements"][0]["url"], "https://runbooks.example/override-spike");
        assert_eq!(blocks.len(), 4);
    }

    #[test]
    fn nobody_is_mentioned_and_nothing_is_cut_in_two() {
        assert_eq!(escape("<!channel> a&b", 99), "&lt;!channel&gt; a&amp;b");
        assert_eq!(escape("<<<<<", 13), "&lt;&lt;&lt;…");
        assert!(escape(&"&".repeat(9000), SECTION).chars().count() <= SECTION);
        assert_eq!(escape(&"x".repeat(9000), SECTION).chars().count(), SECTION);
    }

    #[test]
    fn a_revoked_address_is_gone_and_a_bad_message_is_refused() {
        let sent = request(&notice("trigger"), &to(), &stamp());
        let of = |status, body: &str| {
            let response = Response { status, body: body.into(), retry_after: Some("7".into()) };
            read(&sent, &response, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(of(200, "ok"), Verdict::Done);
        assert_eq!(of(404, "no_service"), Verdict::Gone("answered 404: no_service".into()));
        assert_eq!(
            of(403, "action_prohibited"),
            Verdict::Refused("answered 403: action_prohibited".into())
        );
        assert_eq!(
            of(429, ""),
            Verdict::Later {
                why: "answered 429".into(),
                after: Some(std::time::Duration::from_secs(7)),
            }
        );
    }
}
