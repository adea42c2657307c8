//! Word to the workflow that waits for a decision: the record's `reply` says which.
//!
//! Whoever submits a record names what is to be told, so it is never taken on trust. Addresses
//! that a record names are reached without credentials and only out in the world, unless this
//! process allows the host ([`super::guard::Allowed`]); credentials come from this process's
//! environment and go only to the addresses that stand there too.
//!
//! | `reply.kind` | [`Way`] | credentials |
//! |---|---|---|
//! | `webhook` | [`webhook`]: a signed event to `url` | [`webhook::SECRET`] |
//! | `temporal` | [`temporal`]: a signal, or an activity's completion | [`temporal::URL`], [`temporal::KEY`] |
//! | `stepfunctions` | [`stepfunctions`]: a task token's success or failure | AWS's own variables |
//! | `argo` | [`argo`]: a suspended node's outputs and end | [`argo::URL`], [`argo::TOKEN`] |
//!
//! What is told is the row's payload without `reply`: `id`, `outcome` (`accepted`, `edited`,
//! `rejected`), `reversal`, the final `action` and `output`, a rejection's `label`, the `level`
//! that spoke last, the `approvals` it has (queues, no names), `at`.

pub mod argo;
pub mod stepfunctions;
pub mod temporal;
pub mod webhook;

use reqwest::Url;
use serde_json::Value;

use super::notice::Stamp;
use super::request::{Request, Response, Secret, Verdict};
use crate::domain::Timestamp;
use crate::domain::record::reply::NAME;

/// Environment variables by name.
type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// How a waiting workflow is told, with what this process needs for it.
#[derive(Clone, Debug)]
pub enum Way {
    Webhook(webhook::Hook),
    Temporal(temporal::Temporal),
    StepFunctions(stepfunctions::StepFunctions),
    Argo(argo::Argo),
}

/// Why a reply cannot go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// It can never go out.
    Never(String),
    /// This process lacks something for this lane; another may have it.
    Unready { lane: &'static str, why: String },
}

impl Way {
    /// How the reply in a row's payload is told from here.
    pub fn of(payload: &Value, env: Env<'_>) -> Result<Self, NoReply> {
        let to = payload.get("reply").unwrap_or(&Value::Null);
        let kind = to.get("kind").and_then(Value::as_str);
        let way = match kind {
            Some("webhook") => Self::Webhook(webhook::Hook::of(to, env)?),
            Some("temporal") => Self::Temporal(temporal::Temporal::of(to, env)?),
            Some("stepfunctions") => {
                Self::StepFunctions(stepfunctions::StepFunctions::of(to, env)?)
            }
            Some("argo") => Self::Argo(argo::Argo::of(to, env)?),
            Some(_) => {
                return Err(never("kind", "is none of webhook, temporal, stepfunctions and argo"));
            }
            None => return Err(NoReply::Never("the record's `reply` has no kind".into())),
        };
        if flag(payload, "reversal") && !way.speaks_again() {
            return Err(NoReply::Never(format!(
                "the decision was reversed, and a {} takes one answer only: tell it by other means",
                way.waits()
            )));
        }
        Ok(way)
    }

    /// Replies that share a lane wait for one another.
    pub fn lane(&self) -> String {
        match self {
            Self::Webhook(to) => format!("reply:{}", host(&to.url)),
            Self::Temporal(to) => format!("reply:temporal:{}", host(&to.base.url)),
            Self::StepFunctions(to) => format!("reply:stepfunctions:{}", host(&to.endpoint)),
            Self::Argo(to) => format!("reply:argo:{}", host(&to.base.url)),
        }
    }

    /// Where it goes, tries aside.
    pub fn address(&self) -> Secret {
        Secret::new(match self {
            Self::Webhook(to) => to.url.as_str(),
            Self::Temporal(to) => to.base.url.as_str(),
            Self::StepFunctions(to) => to.endpoint.as_str(),
            Self::Argo(to) => to.base.url.as_str(),
        })
    }

    /// The request that tells it.
    pub fn request(&self, payload: &Value, stamp: &Stamp) -> Request {
        match self {
            Self::Webhook(to) => to.request(payload, stamp),
            Self::Temporal(to) => to.request(payload, stamp),
            Self::StepFunctions(to) => to.request(payload, stamp),
            Self::Argo(to) => to.request(payload),
        }
    }

    /// What the answer means.
    pub fn read(&self, request: &Request, response: &Response, now: Timestamp) -> Verdict {
        match self {
            Self::Webhook(_) => super::webhook::read(request, response, now),
            Self::Temporal(_) => temporal::read(request, response, now),
            Self::StepFunctions(_) => stepfunctions::read(request, response, now),
            Self::Argo(_) => argo::read(request, response, now),
        }
    }

    /// Can it be told something after it was answered?
    fn speaks_again(&self) -> bool {
        match self {
            Self::Webhook(_) => true,
            Self::Temporal(to) => to.is_signal(),
            Self::StepFunctions(_) | Self::Argo(_) => false,
        }
    }

    fn waits(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Temporal(_) => "Temporal activity",
            Self::StepFunctions(_) => "Step Functions task",
            Self::Argo(_) => "suspended Argo node",
        }
    }
}

/// A service's address with the credential that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub url: Url,
    /// A bearer token; never for an address that only the record names.
    key: Option<Secret>,
    /// The address stands in this process's environment: it may be inside the network.
    private: bool,
}

/// A service, and the environment variables with its address and token.
struct Service {
    lane: &'static str,
    url: &'static str,
    key: &'static str,
}

impl Base {
    /// The record's address, else this process's. The token goes with the latter alone.
    fn of(to: &Value, service: &Service, env: Env<'_>) -> Result<Self, NoReply> {
        let unready = |why: String| NoReply::Unready { lane: service.lane, why };
        let ours = match set(env, service.url) {
            Some(text) => {
                Some(web(&text).map_err(|fault| unready(format!("{} {fault}", service.url)))?)
            }
            None => None,
        };
        let named = match text(to, "url")? {
            Some(text) => Some(web(&text).map_err(|fault| never("url", fault))?),
            None => None,
        };
        let base = match (named, ours) {
            (Some(named), Some(ours)) if named.origin() == ours.origin() => (named, true),
            (Some(named), _) => (named, false),
            (None, Some(ours)) => (ours, true),
            (None, None) => {
                return Err(unready(format!(
                    "the environment variable {} is not set here, and the record's `reply` has no \
                     `url`",
                    service.url
                )));
            }
        };
        let (url, private) = base;
        let key = private.then(|| set(env, service.key).map(Secret::new)).flatten();
        Ok(Self { url, key, private })
    }

    /// A request with this JSON to a path below the address.
    fn request(&self, path: &[&str], body: &Value) -> Request {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut request = Request::json(Secret::new(url.as_str()), body, self.private);
        if let Some(key) = &self.key {
            let bearer = Secret::new(format!("Bearer {}", key.reveal()));
            request.headers.push(("authorization", bearer));
            request.secrets.push(key.clone());
        }
        request
    }
}

/// `example.org:8443`.
fn host(url: &Url) -> String {
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// What is told: the payload without where it goes.
fn told(payload: &Value) -> Value {
    let mut data = payload.clone();
    if let Value::Object(map) = &mut data {
        map.shift_remove("reply");
    }
    data
}

/// A rejection ends the step that waits, unless the record wants it as an outcome like others: a
/// workflow that forgets to look at the outcome must not do what was rejected.
fn fails(payload: &Value, reject_fails: bool) -> bool {
    reject_fails && payload.get("outcome").and_then(Value::as_str) == Some("rejected")
}

/// `reply.on_reject`: `fail` (the default) or `result`.
fn reject_fails(to: &Value) -> Result<bool, NoReply> {
    match text(to, "on_reject")?.as_deref() {
        None | Some("fail") => Ok(true),
        Some("result") => Ok(false),
        Some(_) => Err(never("on_reject", "is neither \"fail\" nor \"result\"")),
    }
}

/// A rejection in one sentence, for whoever looks at the step that failed.
fn rejection(payload: &Value) -> String {
    let id = payload.get("id").and_then(Value::as_str).unwrap_or_default();
    match payload.get("label").and_then(Value::as_str) {
        Some(label) => format!("{id} was rejected in review; right would have been: {label}"),
        None => format!("{id} was rejected in review"),
    }
}

fn flag(payload: &Value, name: &str) -> bool {
    payload.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn never(field: &str, fault: impl AsRef<str>) -> NoReply {
    NoReply::Never(format!("the record's `reply.{field}` {}", fault.as_ref()))
}

/// An optional text of the record's `reply`.
fn text(to: &Value, field: &str) -> Result<Option<String>, NoReply> {
    match to.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(never(field, "is no text")),
    }
}

/// A name that becomes a part of a path.
fn name(to: &Value, field: &str) -> Result<Option<String>, NoReply> {
    let Some(name) = text(to, field)? else { return Ok(None) };
    match name.as_str() {
        "" => Err(never(field, "is empty")),
        "." | ".." => Err(never(field, "is no name")),
        long if long.len() > NAME => Err(never(field, format!("is longer than {NAME} bytes"))),
        _ => Ok(Some(name)),
    }
}

fn required(to: &Value, field: &str) -> Result<String, NoReply> {
    name(to, field)?.ok_or_else(|| never(field, "is missing"))
}

/// An environment variable that says something.
fn set(env: Env<'_>, variable: &str) -> Option<String> {
    env(variable).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
}

/// An address of the web; else what is wrong with it.
fn web(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("is no address: {e}"))?;
    if matches!(url.scheme(), "https" | "http") && url.has_host() {
        Ok(url)
    } else {
        Err("does not begin with https:// or http://".into())
    }
}

#[cfg(test)]
mod tests;
