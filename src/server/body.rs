//! Bodies, paths and query strings that answer a problem where they make no sense.

use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// JSON in, JSON out.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(no_json(&rejection)),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Parameters of the query string.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked = axum::extract::Query::from_request_parts(parts, state).await;
        asked.map(|axum::extract::Query(value)| Self(value)).map_err(|r: QueryRejection| {
            Problem::new(StatusCode::BAD_REQUEST, "bad_query", r.body_text())
        })
    }
}

/// Parameters of the path.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked = axum::extract::Path::from_request_parts(parts, state).await;
        asked.map(|axum::extract::Path(value)| Self(value)).map_err(|r: PathRejection| {
            Problem::new(StatusCode::BAD_REQUEST, "bad_path", r.body_text())
        })
    }
}

/// Why a body is not what the route takes.
fn no_json(rejection: &JsonRejection) -> Problem {
    let status = rejection.status();
    let problem = Problem::new(status, word(status), rejection.body_text());
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            problem.hint("send it with content-type: application/json")
        }
        StatusCode::PAYLOAD_TOO_LARGE => problem.hint("send less at once"),
        _ => problem.hint("/openapi.json says what this address takes"),
    }
}

/// Why a body could not be read.
pub(super) fn no_bytes(rejection: &BytesRejection) -> Problem {
    let status = rejection.status();
    Problem::new(status, word(status), rejection.body_text())
}

fn word(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
        StatusCode::UNPROCESSABLE_ENTITY => "invalid",
        _ => "malformed",
    }
}
