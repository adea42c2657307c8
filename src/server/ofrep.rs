//! OpenFeature remote evaluation: may this be automatic, and with which version of the model?
//!
//! Answers come out of memory and are never turned away: a client that is told to wait would go on
//! with what it had, and miss a stop. What cannot be confirmed against the store for [`STALE`] is
//! answered as stopped. Every flag has a variant (a stock client fails without one).
//!
//! | flag | value | context that is read |
//! |---|---|---|
//! | `automation` | bool | `domain`, `model`, `version`, `action`, `cohort`, all optional |
//! | `automation.<domain>` | bool | the same but `domain` |
//! | `model.<name>` | the version to use | `targetingKey`: the decision's id; `domain` … |

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Extension, FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use super::auth::{address, bearer, blocking, refused_token, unknown};
use super::body::Path;
use super::events::unbuffered;
use super::flags::{Asked, Flag, Known, NoFlag};
use super::flow::LOOK;
use super::openapi;
use super::patience::Patience;
use super::problem::Problem;
use super::state::Served;
use crate::desk::{Confirmed, Local, Unknown};
use crate::domain::Timestamp;

/// How often memory is checked against the store.
const CONFIRM: Duration = Duration::from_millis(100);
/// How long memory that could not be checked is believed.
const STALE: Duration = Duration::from_secs(2);
/// A ticket for the stream of changes holds for this hour and the next.
const HOUR: i64 = 3_600;
/// How often a silent stream says that it is there.
const ALIVE: Duration = Duration::from_secs(15);

/// What is known of the store, and since when.
pub(super) struct Flags {
    confirmed: RwLock<Option<(Instant, Confirmed)>>,
    /// What flags depend on, as a text; changes when they may.
    state: OnceLock<watch::Receiver<String>>,
    secret: OnceLock<[u8; 32]>,
}

impl Default for Flags {
    fn default() -> Self {
        Self { confirmed: RwLock::new(None), state: OnceLock::new(), secret: OnceLock::new() }
    }
}

impl Flags {
    /// What is known now; out of memory.
    fn known(&self, desk: &Local) -> Known {
        let in_force = desk.in_force();
        let confirmed = self.confirmed.read().ok().and_then(|c| c.clone());
        let fresh = confirmed.filter(|(at, _)| at.elapsed() < STALE).map(|(_, c)| c);
        Known { in_force, confirmed: fresh }
    }

    /// Check memory against the store from now on.
    fn begin(&self, served: &Served) -> watch::Receiver<String> {
        let begin = || {
            let (tell, state) = watch::channel(String::new());
            tokio::spawn(refresh(served.clone(), tell));
            state
        };
        self.state.get_or_init(begin).clone()
    }

    fn keep(&self, confirmed: Confirmed, at: Instant) {
        if let Ok(mut slot) = self.confirmed.write() {
            *slot = Some((at, confirmed));
        }
    }

    /// Has anybody looked at the store yet?
    fn is_ready(&self) -> bool {
        self.confirmed.read().is_ok_and(|c| c.is_some())
    }
}

/// Look at the store again and again, at once where the log grew here.
async fn refresh(served: Served, tell: watch::Sender<String>) {
    let mut heads = served.flow().heads(served.desk());
    while !served.is_leaving() {
        look(&served).await;
        let state = served.flags().known(served.desk()).state();
        tell.send_if_modified(|told| {
            let other = *told != state;
            if other {
                *told = state;
            }
            other
        });
        let _ = tokio::time::timeout(CONFIRM, heads.changed()).await;
    }
}

/// One look at the store.
async fn look(served: &Served) {
    let (desk, at) = (served.desk().clone(), Instant::now());
    match blocking(move || desk.confirm()).await {
        // As of when it was asked, not of when the answer came.
        Ok(confirmed) => served.flags().keep(confirmed, at),
        Err(refused) => {
            tracing::warn!(why = refused.message, "flags cannot be confirmed");
        }
    }
}

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
    let hour = Timestamp::now().as_second().div_euclid(HOUR);
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

/// Strong: what is known, asked about by the same context in the same hour, makes the same answer
/// in every process. So word of a change can name the tag that its reader will be given.
fn etag(state: &str, about: &str, hour: i64) -> String {
    let mut hash = Sha256::new();
    hash.update(json!([state, about, hour]).to_string());
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash.finalize()))
}

/// A secret of this store, the same in every process that serves it.
async fn secret(served: &Served) -> Result<[u8; 32], Problem> {
    if let Some(secret) = served.flags().secret.get() {
        return Ok(*secret);
    }
    let desk = served.desk().clone();
    let made = blocking(move || desk.derived_secret("ofrep/changes")).await?;
    Ok(*served.flags().secret.get_or_init(|| made))
}

/// A word that only this store can make of another.
fn sealed(secret: &[u8; 32], purpose: &str, text: &str) -> String {
    // HMAC takes keys of every length.
    let mac = Hmac::<Sha256>::new_from_slice(secret).map(|mut mac| {
        mac.update(json!([purpose, text]).to_string().as_bytes());
        mac.finalize().into_bytes()
    });
    mac.map(|m| URL_SAFE_NO_PAD.encode(m)).unwrap_or_default()
}

/// A context as a word that says nothing of it: it stands in an address.
fn about(secret: &[u8; 32], asked: &Asked) -> String {
    sealed(secret, "context", &asked.word())
}

/// What opens the stream of changes, which no header can: it says nothing but "fetch again".
fn ticket(secret: &[u8; 32], about: &str, hour: i64) -> String {
    format!("{hour}.{about}.{}", sealed(secret, "ticket", &format!("{hour}.{about}")))
}

/// The context that a ticket is for, if it opens now.
fn opens<'t>(secret: &[u8; 32], presented: &'t str) -> Option<&'t str> {
    let now = Timestamp::now().as_second().div_euclid(HOUR);
    let about = presented.split('.').nth(1)?;
    let ours = [now, now - 1].map(|hour| ticket(secret, about, hour));
    ours.iter().any(|t| bool::from(t.as_bytes().ct_eq(presented.as_bytes()))).then_some(about)
}

/// Hear of changes
#[utoipa::path(
    get, path = "/ofrep/v1/changes", tag = "flags",
    description = "Server-sent events that say when to fetch all flags again. The address, with its \
        ticket, is in `eventStreams` of such an answer.",
    params(("ticket" = String, Query, description = "From `eventStreams`")),
    responses(
        (status = 200, description = "A stream", content_type = "text/event-stream", body = String),
        (status = 401, description = "The ticket is over: fetch all flags again", body = openapi::Problem),
    )
)]
pub(super) async fn changes(
    State(served): State<Served>,
    Extension(patience): Extension<Patience>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let ticket = query.get("ticket").map(String::as_str).unwrap_or_default();
    let Some(about) = opens(&secret(&served).await?, ticket).map(str::to_owned) else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "the ticket of this stream is over, or none of ours",
        )
        .hint("fetch all flags again: the answer names another"));
    };
    let place = served.flow().place()?;
    let state = served.flags().begin(&served);
    // Whoever comes back having seen what holds now need not fetch; whoever begins has just done.
    let seen = headers.get("last-event-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let seen = seen.unwrap_or_else(|| state.borrow().clone());
    let until = Some(Instant::now() + patience.stream);
    let begin = (served, state, seen, until, Arc::new((place, about)));
    let events = stream::unfold(begin, |(served, mut state, seen, mut until, held)| async move {
        loop {
            // After the last word there is nothing more.
            if served.is_leaving() || until.is_none() {
                return None;
            }
            let now = state.borrow_and_update().clone();
            // Before the end, too, all flags are fetched again: with them comes another ticket.
            let over = until.is_some_and(|until| Instant::now() >= until);
            if over && now.is_empty() {
                return None;
            }
            if (now != seen || over) && !now.is_empty() {
                until = until.filter(|_| !over);
                let event = Event::default().id(now.as_str()).event("message");
                let at = Timestamp::now().as_second();
                let data = json!({
                    "type": "refetchEvaluation",
                    "etag": etag(&now, &held.1, at.div_euclid(HOUR)),
                    "lastModified": at,
                });
                let event = event.json_data(data).ok()?;
                return Some((Ok::<_, Infallible>(event), (served, state, now, until, held)));
            }
            let _ = tokio::time::timeout(LOOK, state.changed()).await;
        }
    });
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response();
    unbuffered(&mut response);
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

impl serde::Serialize for Flag {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        json!({
            "key": self.key, "value": self.value, "reason": self.reason,
            "variant": self.variant, "metadata": self.metadata,
        })
        .serialize(s)
    }
}
