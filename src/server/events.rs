//! `GET /v1/events`: the log as server-sent events. An event's id is the entry's index, so
//! `Last-Event-ID` goes on exactly where a connection broke off, on any node.
//!
//! A stream ends after a while by itself ([`Patience::stream`]); its client goes on where it was. It
//! is read as fast as its client takes it, a page at a time: a slow reader costs a page of
//! memory and no entry. What an event shows depends on the token: with `audit` or `admin` the entry
//! as it is hashed (but where the token reviews, too: not of an item that waits blind for its owner);
//! otherwise where things stand, and nothing of who said what of an item, which would tell a blind
//! reviewer what others thought.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::auth::{Caller, bearer, blocking};
use super::body::Params;
use super::flow::LOOK;
use super::openapi;
use super::patience::Patience;
use super::problem::Problem;
use super::state::Served;
use crate::desk::Tail;
use crate::domain::TokenScope;

/// Entries read at a time.
const PAGE: usize = 256;
/// How often a silent stream says that it is there.
const ALIVE: Duration = Duration::from_secs(15);
/// Where to begin, and what to leave out.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// The first index, where there is no `Last-Event-ID`; without both: what comes from now on.
    from: Option<u64>,
    /// Only entries of these kinds, with commas between (`settle,switch`).
    kind: Option<String>,
    /// Only entries about decisions of this domain.
    domain: Option<String>,
}

/// Follow the log
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    description = "Server-sent events. Each has the log index as its id, the entry's kind as its \
        event, and JSON with `index`; `Last-Event-ID` goes on after that index, on any node. Tokens \
        with `audit` or `admin` get the entry as it is hashed (with `review` beside it: but of what \
        waits blind for its owner); others get where things stand.",
    params(Ask, ("Last-Event-ID" = Option<u64>, Header, description = "The last index seen")),
    responses(
        (status = 200, description = "A stream; it ends after an hour, for its client to go on with `Last-Event-ID`", content_type = "text/event-stream", body = String),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "The token only submits", body = openapi::Problem),
        (status = 503, description = "Too many streams are open", body = openapi::Problem),
    )
)]
pub(super) async fn follow(
    caller: Caller,
    State(served): State<Served>,
    Extension(patience): Extension<Patience>,
    headers: HeaderMap,
    Params(ask): Params<Ask>,
) -> Result<Response, Problem> {
    use TokenScope::{Admin, Audit, OnCall, Review};
    let desk = caller.desk(&[Review, OnCall, Audit, Admin], "follow the log").await?.clone();
    let place = served.flow().place()?;
    let heads = served.flow().heads(&desk);
    let seen = match headers.get("last-event-id") {
        None => None,
        Some(value) => Some(last(value)?),
    };
    let next = match seen.map(|index| index + 1).or(ask.from) {
        Some(next) => next,
        None => blocking(move || desk.head()).await?,
    };
    let reader = Reader {
        kinds: ask.kind.map(|k| k.split(',').map(|k| k.trim().to_owned()).collect()),
        domain: ask.domain,
        token: bearer(&headers).unwrap_or_default().to_owned(),
        served,
        heads,
        next,
        page: VecDeque::new(),
        until: Instant::now() + patience.stream,
        _place: place,
    };
    let events = stream::unfold(reader, |mut reader| async {
        let event = reader.event().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response();
    unbuffered(&mut response);
    Ok(response)
}

/// Proxies must pass each event on as it comes.
pub(super) fn unbuffered(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}

fn last(value: &HeaderValue) -> Result<u64, Problem> {
    let index = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    index.filter(|index| *index < u64::MAX).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_header", "Last-Event-ID is no log index")
            .hint("send the id of the last event, or leave the header out")
    })
}

/// One client's way through the log.
struct Reader {
    served: Served,
    heads: watch::Receiver<u64>,
    /// What authenticated it, looked at again before every page: a revoked token gets no more, and
    /// neither does one whose owner is disabled.
    token: String,
    kinds: Option<Vec<String>>,
    domain: Option<String>,
    /// The next index to read.
    next: u64,
    page: VecDeque<Event>,
    /// When it ends.
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// The next event; `None`: the stream is over.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.page.pop_front() {
                return Some(event);
            }
            if self.served.is_leaving() || Instant::now() >= self.until {
                return None;
            }
            if *self.heads.borrow_and_update() > self.next {
                let full = self.turn().await?;
                if full || !self.page.is_empty() {
                    continue;
                }
            }
            // Whoever follows is woken at once; the time is for the end of the server alone.
            let _ = tokio::time::timeout(LOOK, self.heads.changed()).await;
        }
    }

    /// Read the next page. `Some(true)`: there is more. `None`: the stream ends here.
    async fn turn(&mut self) -> Option<bool> {
        let (desk, token, from) = (self.served.desk().clone(), self.token.clone(), self.next);
        let domains = self.domain.is_some();
        let read = blocking(move || desk.tail_for(&token, from, PAGE, domains));
        let page = match read.await {
            Ok(page) => page?,
            Err(refused) => {
                // It comes back with what it has seen last, here or on another node.
                tracing::warn!(why = refused.message, "a stream of events ends");
                return None;
            }
        };
        let full = page.len() == PAGE;
        for tail in page {
            // An index is read once: entries never move, and none appears before another.
            self.next = tail.index + 1;
            if self.wants(&tail) {
                self.page.push_back(shown(&tail)?);
            }
        }
        Some(full)
    }

    fn wants(&self, tail: &Tail) -> bool {
        let kind = tail.entry.get("t").and_then(Value::as_str).unwrap_or_default();
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|k| k == kind))
            && self.domain.as_ref().is_none_or(|domain| tail.domain.as_ref() == Some(domain))
    }
}

/// An entry as an event. (JSON has no line break that could end it.)
fn shown(tail: &Tail) -> Option<Event> {
    let kind = tail.entry.get("t").and_then(Value::as_str).unwrap_or("entry");
    let data = json!({ "index": tail.index, "entry": tail.entry });
    let event = Event::default().id(tail.index.to_string());
    event.event(kind.replace(['\r', '\n'], " ")).json_data(data).ok()
}
