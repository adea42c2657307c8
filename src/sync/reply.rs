//! Word to the workflow that waits for a decision: `reply.kind = "webhook"` of the record.
//!
//! Whoever submits a record names the address, so it is never taken on trust: private addresses
//! are refused unless this process allows the host ([`super::guard::Allowed`]).

use reqwest::Url;
use serde_json::Value;

use super::notice::Stamp;
use super::request::{Request, Secret};
use super::signature::SigningKey;
use super::webhook;
use crate::domain::Timestamp;

/// The environment variable with the secret that replies are signed with.
pub const SECRET: &str = "OVERRULE_REPLY_SECRET";

/// A reply as it stands in the outbox.
#[derive(Clone, Debug)]
pub struct Reply<'r> {
    payload: &'r Value,
    pub url: Url,
}

/// Why a reply cannot go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// It can never go out.
    Never(String),
    /// Another program sends replies of this kind.
    NotOurs,
}

impl<'r> Reply<'r> {
    /// The reply in a row's payload.
    pub fn read(payload: &'r Value) -> Result<Self, NoReply> {
        let to = payload.get("reply").unwrap_or(&Value::Null);
        match to.get("kind").and_then(Value::as_str) {
            Some("webhook") => {}
            Some(_) => return Err(NoReply::NotOurs),
            None => return Err(NoReply::Never("the record's `reply` has no kind".into())),
        }
        let never = |why: &str| NoReply::Never(format!("the record's `reply.url` {why}"));
        let url = to.get("url").and_then(Value::as_str).ok_or_else(|| never("is missing"))?;
        let url = Url::parse(url).map_err(|e| never(&format!("is no address: {e}")))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(never("does not begin with https:// or http://"));
        }
        Ok(Self { payload, url })
    }

    /// `reply:host`: replies to one host share a lane.
    pub fn lane(&self) -> String {
        let port = self.url.port().map(|p| format!(":{p}")).unwrap_or_default();
        format!("reply:{}{port}", self.url.host_str().unwrap_or_default())
    }

    /// The signed `review.decided` event.
    pub fn request(&self, key: &SigningKey, stamp: &Stamp) -> Request {
        let mut data = self.payload.clone();
        let to = data.as_object_mut().and_then(|map| map.remove("reply")).unwrap_or_default();
        if let Value::Object(data) = &mut data {
            let token = to.get("token").cloned().unwrap_or_default();
            data.insert("token".into(), token);
        }
        let at = data.get("at").and_then(Value::as_str).and_then(|t| t.parse::<Timestamp>().ok());
        let at = at.unwrap_or(stamp.now);
        let url = Secret::new(self.url.as_str());
        let mut request = webhook::event(url, "review.decided", at, &data, Some(key), stamp, false);
        if let Some(token) = to.get("token").and_then(Value::as_str) {
            request.secrets.push(Secret::new(token));
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::super::notice::tests::stamp;
    use super::*;
    use serde_json::json;

    /// A payload as the desk writes it.
    fn sample(url: &str) -> Value {
        json!({
            "reply": { "kind": "webhook", "url": url, "token": "t-1" },
            "id": "lap-1", "outcome": "edited", "reversal": false, "action": "approve",
            "output": { "decision": "approve" }, "label": null, "by": "ann",
            "at": "2026-11-22T12:00:00Z",
        })
    }

    #[test]
    fn the_caller_gets_the_outcome_and_its_own_token() {
        let payload = sample("https://flows.example:8443/done?x=1");
        let reply = Reply::read(&payload).unwrap();
        assert_eq!(reply.lane(), "reply:flows.example:8443");
        let key = SigningKey::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let request = reply.request(&key, &stamp());
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["type"], "review.decided");
        assert_eq!(
            body["data"],
            json!({
                "id": "lap-1", "outcome": "edited", "reversal": false, "action": "approve",
                "output": {"decision": "approve"}, "label": null, "by": "ann",
                "at": "2026-11-22T12:00:00Z", "token": "t-1",
            })
        );
        assert!(request.headers.iter().any(|(name, _)| *name == "webhook-signature"));
    }

    #[test]
    fn other_kinds_are_left_alone_and_no_address_is_final() {
        let not = |to: Value| Reply::read(&json!({ "reply": to })).unwrap_err();
        assert_eq!(not(json!({"kind": "temporal"})), NoReply::NotOurs);
        assert_eq!(
            not(json!({"kind": "webhook", "url": "ftp://x.example"})),
            NoReply::Never(
                "the record's `reply.url` does not begin with https:// or http://".into()
            )
        );
        assert!(matches!(not(json!({"kind": "webhook", "url": "x"})), NoReply::Never(_)));
    }
}
