//! A refusal over HTTP: problem details (RFC 9457), with what to do next.

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::requests;
use crate::protocol::{Refused, Why};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused. Nothing of it was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem(Box<Details>);

/// What is told; boxed, because it travels as an error through every handler.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Details {
    /// `urn:overrule:problem:` and a stable word.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'static str,
    #[serde(serialize_with = "number")]
    status: StatusCode,
    /// What happened, to what.
    detail: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Of this request; it is in the server's log and in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The desk's refusal, where the desk refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
    /// Seconds after which it is worth another try; also the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// Particulars: who holds an item, who decided it, at which revision it is.
    #[serde(flatten)]
    more: Map<String, Value>,
    /// For [`header::WWW_AUTHENTICATE`].
    #[serde(skip)]
    challenge: Option<&'static str>,
}

impl Problem {
    /// A problem of this status; `word` names it for machines.
    pub fn new(status: StatusCode, word: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind: format!("urn:overrule:problem:{word}"),
            title: status.canonical_reason().unwrap_or("Refused"),
            status,
            detail: detail.into(),
            hint: None,
            request_id: None,
            refused: None,
            retry_after: None,
            more: Map::new(),
            challenge: None,
        }))
    }

    /// Say what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Say when it is worth another try, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Add a particular.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    /// Who asks has to say who they are.
    #[must_use]
    pub fn challenge(mut self, how: &'static str) -> Self {
        self.0.challenge = Some(how);
        self
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The desk's refusal, where the desk refused.
    pub fn refused(&self) -> Option<&Refused> {
        self.0.refused.as_ref()
    }

    /// The desk answered something that does not belong to the question.
    pub fn other(answer: &impl std::fmt::Debug) -> Self {
        tracing::error!(?answer, "an answer of another kind");
        Self::defect("the desk gave an answer of another kind")
    }

    /// A defect of this program.
    pub fn defect(detail: impl Into<String>) -> Self {
        Refused::new(Why::Internal, detail).hint("this is a defect; please report it").into()
    }
}

/// The status of a refusal.
fn status(why: Why) -> StatusCode {
    match why {
        Why::NotFound => StatusCode::NOT_FOUND,
        Why::Authority => StatusCode::FORBIDDEN,
        Why::Stale => StatusCode::PRECONDITION_FAILED,
        Why::LeaseLost | Why::State | Why::LateUndo => StatusCode::CONFLICT,
        Why::Invalid | Why::Policy => StatusCode::UNPROCESSABLE_ENTITY,
        Why::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Why::Damaged | Why::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The stable word of a refusal, as its JSON spells it.
fn word(why: Why) -> String {
    match serde_json::to_value(why) {
        Ok(Value::String(word)) => word,
        _ => "internal".to_owned(),
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let mut problem =
            Self::new(status(refused.kind), &word(refused.kind), refused.message.clone());
        problem.0.hint.clone_from(&refused.hint);
        problem.0.retry_after = (refused.kind == Why::Unavailable).then_some(1);
        problem.0.refused = Some(refused);
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        self.0.request_id = requests::current();
        if self.0.status.is_server_error() {
            tracing::error!(request = self.0.request_id, detail = self.0.detail, "request failed");
        }
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.0.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// No such address.
pub(super) async fn no_route(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_route", format!("there is nothing at {}", uri.path()))
        .hint("/openapi.json lists what there is")
}

/// Such an address, but not this method.
pub(super) async fn no_method(method: Method, uri: Uri) -> Problem {
    let what = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_method", what)
        .hint("/openapi.json lists what it takes")
}

fn number<S: serde::Serializer>(status: &StatusCode, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_refusal_has_its_status() {
        for (why, expected) in [
            (Why::NotFound, 404),
            (Why::Invalid, 422),
            (Why::Authority, 403),
            (Why::Stale, 412),
            (Why::LeaseLost, 409),
            (Why::State, 409),
            (Why::LateUndo, 409),
            (Why::Policy, 422),
            (Why::Unavailable, 503),
            (Why::Damaged, 500),
            (Why::Internal, 500),
        ] {
            let refused = Refused::new(why, "a-1 is held").hint("wait");
            let problem = Problem::from(refused.clone());
            assert_eq!(problem.status().as_u16(), expected, "{why:?}");
            let json = serde_json::to_value(&problem).unwrap();
            assert_eq!(json["detail"], "a-1 is held");
            assert_eq!(json["status"], expected);
            assert_eq!(json["type"], format!("urn:overrule:problem:{}", word(why)));
            let back: Refused = serde_json::from_value(json["refused"].clone()).unwrap();
            assert_eq!(back, refused, "a remote desk gets the refusal whole");
        }
    }
}
