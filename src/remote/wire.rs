//! One exchange with a desk's server: JSON there, JSON back, and why nothing came.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::crypto::ring;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::said::{Failed, Trouble, read, refusal, token_refused};
use super::token::Token;
use super::trust::{certificates, mistrust};
use crate::domain::Timestamp;
use crate::protocol::{Refused, Why};
use crate::text::retry_after;

/// How long a connection, and a whole exchange, may take.
const CONNECT: Duration = Duration::from_secs(3);
const EXCHANGE: Duration = Duration::from_secs(10);
/// Many records are routed and committed before they are answered; a server gives up before.
const LONG_EXCHANGE: Duration = Duration::from_secs(90);
/// An answer is at most this long (a page of 500 rows, a record of a mebibyte with its reviews).
const MOST: usize = 64 << 20;
/// This much difference between two clocks is what the second's resolution of `Date` may hide.
const SAME: i64 = 2_000;

/// Where the desk is, and who asks.
#[derive(Clone, Debug)]
pub struct Wire {
    client: Client,
    base: Url,
    token: HeaderValue,
}

/// What an answer says beside itself.
#[derive(Clone, Debug)]
pub struct Answered<T> {
    pub body: T,
    /// How many milliseconds the desk's clock is ahead of this one; 0 where they agree.
    pub ahead: i64,
}

impl Wire {
    /// A wire to the server at `address` (`https://desk.example`, a path is kept as a prefix).
    /// The certificates in the file `ca` (PEM) are trusted beside the system's.
    pub fn new(address: &str, token: &Token, ca: Option<&Path>) -> Result<Self, Refused> {
        let odd = |why: String| {
            Refused::new(Why::Invalid, format!("{address} is no address of a desk: {why}"))
                .hint("it looks like https://desk.example")
        };
        let mut base = Url::parse(address).map_err(|e| odd(e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(odd("it begins with https:// (or http://) and names a host".into()));
        }
        if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
            return Err(odd("a token does not belong into it".into()));
        }
        let path = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
            .map_err(|_| token_refused("the token has characters that no token has"))?;
        value.set_sensitive(true);
        // Somebody else in this process may have chosen already; that is as good.
        let _ = ring::default_provider().install_default();
        let mut client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .user_agent(concat!("overrule/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = ca {
            client = client.tls_certs_merge(certificates(file)?);
        }
        let client = client
            .build()
            .map_err(|e| Refused::new(Why::Internal, format!("no HTTPS here: {e}")))?;
        Ok(Self { client, base, token: value })
    }

    /// The desk's host, with its port where it is an odd one.
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        match self.base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Its address as text, without a token.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The token would travel in clear to another machine.
    pub fn in_clear(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        let here = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        self.base.scheme() == "http" && !here
    }

    /// Send `body` to `path`, and read what comes back.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answered<T>, Failed> {
        let url = self.url(path)?;
        let request = self
            .client
            .post(url)
            .header(AUTHORIZATION, self.token.clone())
            .timeout(EXCHANGE)
            .json(body);
        let before = Timestamp::now();
        let answer = request.send().await.map_err(|e| self.away(e))?;
        let status = answer.status();
        let ahead = ahead(&answer, before, Timestamp::now());
        let bytes = whole(answer).await.map_err(|e| self.away(e))?;
        Ok(Answered { body: read(self.address(), status, &bytes)?, ahead })
    }

    /// Send lines of JSON to `path`, which may bring a query; what came back as it is, and when it
    /// is worth another try.
    pub async fn post_lines(
        &self,
        path: &str,
        query: &[(&str, String)],
        lines: Vec<u8>,
    ) -> Result<(StatusCode, Option<Duration>, Vec<u8>), Trouble> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(query);
        let request = self
            .client
            .post(url)
            .header(AUTHORIZATION, self.token.clone())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .timeout(LONG_EXCHANGE)
            .body(lines);
        let answer = request.send().await.map_err(|e| self.away(e))?;
        let (status, after) = (answer.status(), wait(answer.headers(), Timestamp::now()));
        let bytes = whole(answer).await.map_err(|e| self.away(e))?;
        Ok((status, after, bytes))
    }

    /// Open the stream of events after this log index. It ends with the connection.
    pub async fn events(&self, after: u64) -> Result<Response, Failed> {
        let url = self.url("v1/events")?;
        let mut request = self
            .client
            .get(url)
            .header(AUTHORIZATION, self.token.clone())
            .header(ACCEPT, "text/event-stream");
        if let Some(last) = after.checked_sub(1) {
            request = request.header("last-event-id", last.to_string());
        }
        let opening = tokio::time::timeout(EXCHANGE, request.send());
        let late = || Trouble::Away { why: "no answer in time".into(), sent: true };
        let answer = opening.await.map_err(|_| late())?.map_err(|e| self.away(e))?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            status => {
                let bytes = whole(answer).await.map_err(|e| self.away(e))?;
                Err(refusal(self.address(), status, &bytes))
            }
        }
    }

    fn url(&self, path: &str) -> Result<Url, Trouble> {
        self.base
            .join(path)
            .map_err(|e| Trouble::Away { why: format!("no address for {path}: {e}"), sent: false })
    }

    fn away(&self, error: reqwest::Error) -> Trouble {
        let sent = !error.is_connect() && !error.is_builder();
        if let Some(why) = mistrust(&error) {
            return Trouble::Away {
                why: format!("{} is not trusted: {why}", self.address()),
                sent,
            };
        }
        let why = match error.is_timeout() {
            true => "no answer in time".to_owned(),
            false => innermost(&error),
        };
        Trouble::Away { why: format!("{} cannot be reached: {why}", self.address()), sent }
    }
}

/// The cause at the bottom, without the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        last = inner.to_string();
        cause = inner.source();
    }
    last
}

/// How far the desk's clock is ahead, by its `Date` and the middle of the exchange.
fn ahead(answer: &Response, before: Timestamp, after: Timestamp) -> i64 {
    let Some(date) = date(answer.headers()) else { return 0 };
    let middle = before.as_millisecond().midpoint(after.as_millisecond());
    // `Date` has cut off what is less than a second.
    let ahead = date.as_millisecond() + 500 - middle;
    if ahead.abs() <= SAME { 0 } else { ahead }
}

/// The server's own time.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = jiff::fmt::rfc2822::parse(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(date.timestamp())
}

/// When the server says that it is worth another try. A date is one of its own clock's.
fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?;
    retry_after(asked, date(headers).unwrap_or(now))
}

/// The body, up to a limit.
async fn whole(mut answer: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST {
            break;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(address: &str) -> Wire {
        Wire::new(address, &Token::new("ovr_x"), None).unwrap()
    }

    #[test]
    fn another_try_is_worth_it_after_seconds_or_at_a_time_of_the_servers_clock() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let asked = |fields: &[&(reqwest::header::HeaderName, &'static str)]| {
            let headers = fields.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v)));
            wait(&headers.collect(), now)
        };
        let at = (RETRY_AFTER, "Sun, 22 Nov 2026 12:01:30 GMT");
        assert_eq!(asked(&[&(RETRY_AFTER, "7")]), Some(Duration::from_secs(7)));
        assert_eq!(asked(&[&at]), Some(Duration::from_secs(90)));
        let ahead = (DATE, "Sun, 22 Nov 2026 12:01:00 GMT");
        assert_eq!(asked(&[&ahead, &at]), Some(Duration::from_secs(30)));
        assert_eq!(asked(&[&(RETRY_AFTER, "soon")]), None);
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn an_address_is_https_without_a_token_in_it() {
        assert_eq!(wire("https://desk.example").address(), "https://desk.example");
        assert_eq!(wire("https://desk.example:8443/team/").host(), "desk.example:8443");
        let joined = wire("https://desk.example/team").url("v1/desk/queries").unwrap();
        assert_eq!(joined.as_str(), "https://desk.example/team/v1/desk/queries");
        for odd in ["ftp://desk", "https://", "https://me:secret@desk.example", "desk"] {
            let refused = Wire::new(odd, &Token::new("t"), None).unwrap_err();
            assert_eq!(refused.kind, Why::Invalid, "{odd}");
        }
        assert!(wire("http://desk.example").in_clear());
        assert!(!wire("http://127.0.0.1:7400").in_clear());
        assert!(!format!("{:?}", wire("https://desk.example")).contains("ovr_x"));
    }
}
