//! What goes over the wire and what comes back, without a wire: secrets that never print, and how
//! an answer is to be understood.

use std::fmt;
use std::time::Duration;

use reqwest::Method;

use super::backoff::LONGEST;
use crate::domain::Timestamp;
use crate::text::{Clean, retry_after};

/// How much of a service's words is kept as the reason of a failure, in characters.
const WORDS: usize = 200;
/// How many bytes of an answer are read, unless more is asked for.
const ANSWER: usize = 4096;

/// A text that is never shown: an address with a token in it, a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keep it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A request that is ready to go. Its body may hold a key, so it does not print either.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Usually POST.
    pub method: Method,
    pub url: Secret,
    /// Lower-case names.
    pub headers: Vec<(&'static str, Secret)>,
    pub body: Vec<u8>,
    /// The address may be on this machine or in a private network.
    pub private: bool,
    /// What must not stand in any message: keys, tokens.
    pub secrets: Vec<Secret>,
    /// How many bytes of the answer are wanted.
    pub keep: usize,
    /// How long the exchange may take, where that is not the usual time.
    pub within: Option<Duration>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl Request {
    /// JSON posted to an address.
    pub fn json(url: Secret, body: &serde_json::Value, private: bool) -> Self {
        Self {
            method: Method::POST,
            secrets: vec![url.clone()],
            url,
            headers: vec![("content-type", Secret::new("application/json; charset=utf-8"))],
            body: body.to_string().into_bytes(),
            private,
            keep: ANSWER,
            within: None,
        }
    }

    /// A foreign text with everything secret taken out, on one line, cut to a reason's length.
    pub fn scrub(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            if !secret.reveal().is_empty() {
                clean = clean.replace(secret.reveal(), "***");
            }
        }
        cut(Clean::line(clean.trim()).as_str(), WORDS)
    }
}

/// What a service answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// `Retry-After` as it stands.
    pub retry_after: Option<String>,
    /// The first kilobytes.
    pub body: String,
}

impl Response {
    /// How long the service asks us to wait, from `now`: seconds, or an HTTP date; a day at most.
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        let asked = retry_after(self.retry_after.as_deref()?, now)?;
        Some(asked.min(LONGEST))
    }

    /// `429: slow down` for people, secrets taken out.
    pub fn words(&self, request: &Request) -> String {
        let status = self.status;
        match request.scrub(&self.body) {
            words if words.is_empty() => format!("answered {status}"),
            words => format!("answered {status}: {words}"),
        }
    }
}

/// What an answer means for the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrived.
    Done,
    /// It arrived, and has to be said again after this time to stay true.
    Again(Duration),
    /// Not now.
    Later { why: String, after: Option<Duration> },
    /// Never: this message is at fault.
    Refused(String),
    /// Never: nobody is at this address any more.
    Gone(String),
}

impl Verdict {
    /// What most services mean: 2xx done; 408, 429 and 5xx later; 410 gone; everything else
    /// (redirects too, which are never followed) is the message's or the set-up's fault.
    pub fn usual(request: &Request, response: &Response, now: Timestamp) -> Self {
        let words = || response.words(request);
        match response.status {
            200..=299 => Self::Done,
            408 | 425 | 429 | 500..=599 => Self::Later { why: words(), after: response.wait(now) },
            410 => Self::Gone(words()),
            _ => Self::Refused(words()),
        }
    }
}

/// At most `most` characters; a cut text ends in `…`.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let mut request = Request::json(
            Secret::new("https://hooks.example/T0/secret"),
            &serde_json::json!({}),
            false,
        );
        request.secrets.push(Secret::new("k".repeat(32)));
        request
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert!(!format!("{:?}", request()).contains("hooks.example/T0"));
        let told =
            request().scrub(&format!("no {} at https://hooks.example/T0/secret\n", "k".repeat(32)));
        assert_eq!(told, "no *** at ***");
    }

    #[test]
    fn what_a_service_asks_for_is_waited_for_a_day_at_most() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let wait = |text: &str| {
            Response { retry_after: Some(text.into()), ..Response::default() }.wait(now)
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 22 Nov 2026 12:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("soon"), None);
        // Nobody is made to wait for years, and no number is too great to be one.
        let day = Some(Duration::from_secs(86_400));
        assert_eq!(wait("86401"), day);
        assert_eq!(wait("999999999999"), day);
        assert_eq!(wait(&"9".repeat(40)), day);
        assert_eq!(wait("Fri, 22 Nov 2999 12:00:00 GMT"), day);
    }

    #[test]
    fn statuses_mean_what_they_mean() {
        let now = Timestamp::UNIX_EPOCH;
        let of = |status| {
            let response = Response { status, ..Response::default() };
            Verdict::usual(&request(), &response, now)
        };
        assert_eq!(of(204), Verdict::Done);
        for status in [408, 429, 500, 503] {
            let why = format!("answered {status}");
            assert_eq!(of(status), Verdict::Later { why, after: None });
        }
        assert_eq!(of(410), Verdict::Gone("answered 410".into()));
        for status in [302, 400, 404] {
            assert_eq!(of(status), Verdict::Refused(format!("answered {status}")));
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
