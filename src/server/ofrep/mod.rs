//! OpenFeature remote evaluation: may this be automatic, and with which version of the model?
//!
//! Answers come out of memory and are never turned away: a client that is told to wait would go on
//! with what it had, and miss a stop. What cannot be confirmed against the store for two seconds is
//! answered as stopped. Every flag has a variant (a stock client fails without one).
//!
//! | flag | value | context that is read |
//! |---|---|---|
//! | `automation` | bool | `domain`, `model`, `version`, `action`, `cohort`, all optional |
//! | `automation.<domain>` | bool | the same but `domain` |
//! | `model.<name>` | the version to use | `targetingKey`: the decision's id; `domain` … |

mod memory;
pub(super) mod stream;
mod ticket;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) use memory::Flags;
use memory::look;
use ticket::{about, etag, hour, secret, ticket};

use super::auth::{address, bearer, blocking, refused_token, unknown};
use super::body::Path;
use super::flags::{Asked, NoFlag};
use super::openapi;
use super::problem::Problem;
use super::state::Served;
use crate::desk::Unknown;
use crate::domain::Timestamp;

/// Somebody whose token this desk knows; looked up in memory. Any scope may read flags.
pub(super) struct Reader;

impl FromRequestParts<Served> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Problem> {
        let _ = served.flags().begin(served);
        if !served.flags().is_ready() {
            look(served).await;
        }
        let key = parts.headers.get("x-api-key").and_then(|v| v.to_str().ok());
        let token = bearer(&parts.headers).or(key).map(str::to_owned);
        let why = match token {
            None => Unknown::Missing,
            Some(token) if served.desk().authenticate_from_memory(&token).is_some() => {
                return Ok(Self);
            }
            Some(token) => {
                let desk = served.desk().clone();
                match blocking(move || desk.authenticate(&token)).await? {
                    Ok(_) => return Ok(Self),
                    Err(why) => why,
                }
            }
        };
        // It is in the trail like any; what it is answered is never "come back later".
        refused_token(served, address(parts, served), why).await;
        Err(unknown(why))
    }
}

/// The body of an evaluation.
#[derive(Default, Deserialize)]
struct Evaluation {
    context: Option<Map<String, Value>>,
}

/// The context in a body; an empty body has none.
fn context(body: &Bytes) -> Result<Asked, NoFlag> {
    if body.is_empty() {
        return Ok(Asked::default());
    }
    let evaluation: Evaluation = serde_json::from_slice(body)
        .map_err(|e| NoFlag::new("PARSE_ERROR", format!("the body is no JSON object: {e}")))?;
    Asked::read(evaluation.context.unwrap_or_default())
}

fn failure(status: StatusCode, key: Option<&str>, why: &NoFlag) -> Response {
    let mut body = json!({ "errorCode": why.code, "errorDetails": why.details });
    if let (Some(key), Value::Object(body)) = (key, &mut body) {
        body.insert("key".into(), key.into());
    }
    (status, axum::Json(body)).into_response()
}

/// Evaluate one flag
#[utoipa::path(
    post, path = "/ofrep/v1/evaluate/flags/{key}", tag = "flags",
    description = "OpenFeature remote evaluation 0.3. `automation` and `automation.<domain>`: may it \
        be automatic? (While a breaker is half open that is drawn by the `targetingKey`.) \
        `model.<name>`: the version to use for this `targetingKey` (the decision's id).",
    params(("key" = String, Path, description = "`automation`, `automation.loan`, `model.loan-gb`")),
    request_body(content = Object, description = "`{\"context\":{\"targetingKey\":…}}`"),
    responses(
        (status = 200, description = "`key`, `value`, `reason`, `variant`, `metadata`"),
        (status = 400, description = "`errorCode`, `errorDetails`"),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 404, description = "`FLAG_NOT_FOUND`"),
    )
)]
pub(super) async fn one(
    _reader: Reader,
    State(served): State<Served>,
    Path(key): Path<String>,
    body: Bytes,
) -> Response {
    let known = served.flags().known(served.desk());
    match context(&body).and_then(|asked| known.flag(&key, &asked)) {
        Ok(flag) => axum::Json(flag).into_response(),
        Err(why) => {
            let status = match why.code {
                "FLAG_NOT_FOUND" => StatusCode::NOT_FOUND,
                _ => StatusCode::BAD_REQUEST,
            };
            failure(status, Some(&key), &why)
        }
    }
}

/// Evaluate all flags
#[utoipa::path(
    post, path = "/ofrep/v1/evaluate/flags", tag = "flags",
    description = "All flags for one context. `If-None-Match` with the ETag of an earlier answer is \
        answered with 304 where nothing is other; `eventStreams` names the stream of changes.",
    request_body(content = Object, description = "`{\"context\":{\"targetingKey\":…}}`"),
    responses(
        (status = 200, description = "`flags`, `eventStreams`"),
        (status = 304, description = "As before"),
        (status = 400, description = "`errorCode`, `errorDetails`"),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
    )
)]
pub(super) async fn all(
    _reader: Reader,
    State(served): State<Served>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let asked = match context(&body) {
        Ok(asked) => asked,
        Err(why) => return Ok(failure(StatusCode::BAD_REQUEST, None, &why)),
    };
    let known = served.flags().known(served.desk());
    let flags: Vec<Value> = known
        .flags(&asked)
        .into_iter()
        .map(|(key, flag)| match flag {
            Ok(flag) => json!(flag),
            Err(why) => {
                json!({ "key": key, "errorCode": why.code, "errorDetails": why.details })
            }
        })
        .collect();
    // A new hour is a new ticket, and so a new answer.
    let hour = hour(Timestamp::now());
    let secret = secret(&served).await?;
    let about = about(&secret, &asked);
    let etag = etag(&known.state(), &about, hour);
    let asked_for = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let same = asked_for
        .is_some_and(|list| list.split(',').any(|one| one.trim().trim_start_matches("W/") == etag));
    let tag = [(header::ETAG, etag)];
    if same {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    let ticket = ticket(&secret, &about, hour);
    let body = json!({
        "flags": flags,
        "eventStreams": [{
            "type": "sse",
            "endpoint": { "requestUri": format!("/ofrep/v1/changes?ticket={ticket}") },
            "inactivityDelaySec": 120,
        }],
    });
    Ok((tag, axum::Json(body)).into_response())
}
