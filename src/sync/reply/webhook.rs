//! `reply.kind = "webhook"`: a signed `review.decided` event to the record's `url`, with the
//! record's own `token` in it.

use reqwest::Url;
use serde_json::Value;

use super::super::signature::SigningKey;
use super::super::webhook;
use super::{Env, NoReply, Request, Secret, Stamp, never, set, text, told, web};
use crate::domain::Timestamp;

/// The environment variable with the secret that replies are signed with.
pub const SECRET: &str = "OVERRULE_REPLY_SECRET";

/// Where an event goes, and what signs it.
#[derive(Clone, Debug)]
pub struct Hook {
    pub url: Url,
    key: SigningKey,
}

impl Hook {
    /// From the record's `reply`.
    pub(super) fn of(to: &Value, env: Env<'_>) -> Result<Self, NoReply> {
        let url = text(to, "url")?.ok_or_else(|| never("url", "is missing"))?;
        let url = web(&url).map_err(|fault| never("url", fault))?;
        let unready = |why| NoReply::Unready { lane: "reply", why };
        let secret = set(env, SECRET)
            .ok_or_else(|| unready(format!("the environment variable {SECRET} is not set here")))?;
        let key =
            SigningKey::read(&secret).map_err(|fault| unready(format!("{SECRET}: {fault}")))?;
        Ok(Self { url, key })
    }

    /// The signed event.
    pub(super) fn request(&self, payload: &Value, stamp: &Stamp) -> Request {
        let token = payload.pointer("/reply/token").cloned().unwrap_or_default();
        let mut data = told(payload);
        if let Value::Object(data) = &mut data {
            data.insert("token".into(), token.clone());
        }
        let at = data.get("at").and_then(Value::as_str).and_then(|t| t.parse::<Timestamp>().ok());
        let at = at.unwrap_or(stamp.now);
        let url = Secret::new(self.url.as_str());
        let key = Some(&self.key);
        let mut request = webhook::event(url, "review.decided", at, &data, key, stamp, false);
        if let Some(token) = token.as_str() {
            request.secrets.push(Secret::new(token));
        }
        request
    }
}
