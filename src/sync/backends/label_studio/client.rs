//! Speaking to Label Studio: who we are (legacy token, or a personal access token that is
//! exchanged for one that lives five minutes), and what its answers mean.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::Sender;
use crate::sync::{Request, Response, Secret, Verdict};

/// How much of an answer is read: a page of tasks with what they hold.
const ANSWER: usize = 16 * 1024 * 1024;
/// How long one call may take: an import is done while we wait.
const WITHIN: Duration = Duration::from_secs(60);

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Not now, for no row.
    Later(String, Option<Duration>),
    /// This call never.
    Refused(String),
}

/// A session with one Label Studio.
pub(super) struct Client<'a> {
    pub(super) sender: &'a Sender<'a>,
    /// What the personal access token was exchanged for.
    access: Option<Secret>,
}

impl<'a> Client<'a> {
    pub(super) fn new(sender: &'a Sender<'a>) -> Self {
        Self { sender, access: None }
    }

    /// A call whose answer is JSON. 401 is answered with a new access token, once.
    pub(super) async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Stop> {
        let response = self.answer(method, path, body).await?;
        if response.body.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&response.body).map_err(|_| {
            let why = "Label Studio's answer is no JSON, or longer than is read";
            Stop::Later(why.to_owned(), None)
        })
    }

    /// As [`Self::call`]; `None` where the answer is 409: it is there already.
    pub(super) async fn create(&mut self, path: &str, body: &Value) -> Result<Option<()>, Stop> {
        match self.exchange(Method::POST, path, Some(body)).await? {
            (_, response) if response.status == 409 => Ok(None),
            (request, response) => self.read(&request, response).map(|_| Some(())),
        }
    }

    async fn answer(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, Stop> {
        let (request, response) = self.exchange(method, path, body).await?;
        self.read(&request, response)
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Request, Response), Stop> {
        for fresh in [false, true] {
            let request = self.request(method.clone(), path, body, fresh).await?;
            let response = self.send(&request).await?;
            // A personal access token's stand-in may have run out.
            if response.status == 401 && !fresh && self.access.is_some() {
                continue;
            }
            return Ok((request, response));
        }
        Err(Stop::Later("Label Studio takes no token of ours".to_owned(), None))
    }

    /// 2xx, or what else it means.
    fn read(&self, request: &Request, response: Response) -> Result<Response, Stop> {
        let status = response.status;
        match Verdict::usual(request, &response, self.sender.now) {
            Verdict::Done | Verdict::Again(_) => Ok(response),
            Verdict::Later { why, after } => Err(Stop::Later(why, after)),
            Verdict::Refused(why) if matches!(status, 401 | 403) => Err(Stop::Later(why, None)),
            Verdict::Refused(why) | Verdict::Gone(why) => Err(Stop::Refused(why)),
        }
    }

    async fn send(&self, request: &Request) -> Result<Response, Stop> {
        self.sender.exchange(request).await.map_err(|why| Stop::Later(why, None))
    }

    async fn request(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        fresh: bool,
    ) -> Result<Request, Stop> {
        let place = self.sender.place;
        let token = place.key.clone().unwrap_or_else(|| Secret::new(""));
        let words = match personal(token.reveal()) {
            false => format!("Token {}", token.reveal()),
            true => format!("Bearer {}", self.access(&token, fresh).await?.reveal()),
        };
        let mut request =
            Request::json(place.under(path), body.unwrap_or(&Value::Null), place.backend.private);
        if body.is_none() {
            request.body.clear();
        }
        request.method = method;
        request.secrets.push(token);
        request.secrets.extend(self.access.clone());
        request.headers.push(("authorization", Secret::new(words)));
        request.keep = ANSWER;
        request.within = Some(WITHIN);
        Ok(request)
    }

    /// What a personal access token is exchanged for.
    async fn access(&mut self, token: &Secret, fresh: bool) -> Result<Secret, Stop> {
        if let Some(access) = self.access.clone().filter(|_| !fresh) {
            return Ok(access);
        }
        let place = self.sender.place;
        let body = json!({ "refresh": token.reveal() });
        let mut request =
            Request::json(place.under("/api/token/refresh"), &body, place.backend.private);
        request.secrets.push(token.clone());
        let response = self.send(&request).await?;
        let response = self.read(&request, response)?;
        let said: Value = serde_json::from_str(&response.body).unwrap_or_default();
        let Some(access) = said.get("access").and_then(Value::as_str) else {
            let why = "Label Studio gives no access token for the personal access token";
            return Err(Stop::Later(why.to_owned(), None));
        };
        let access = Secret::new(access);
        self.access = Some(access.clone());
        Ok(access)
    }
}

/// A personal access token is a JWT (three parts); a legacy token is hexadecimal.
fn personal(token: &str) -> bool {
    token.split('.').count() == 3
}

/// A text as a part of a query.
pub(in crate::sync::backends) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
