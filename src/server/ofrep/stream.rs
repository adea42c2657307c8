//! The stream of changes: a word to fetch all flags again, whenever they may be other.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::json;

use super::ticket::{etag, hour, opens, secret};
use crate::domain::Timestamp;
use crate::server::events::unbuffered;
use crate::server::flow::LOOK;
use crate::server::openapi;
use crate::server::patience::Patience;
use crate::server::problem::Problem;
use crate::server::state::Served;

/// How often a silent stream says that it is there.
const ALIVE: Duration = Duration::from_secs(15);

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
pub(in crate::server) async fn changes(
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
                let at = Timestamp::now();
                let data = json!({
                    "type": "refetchEvaluation",
                    "etag": etag(&now, &held.1, hour(at)),
                    "lastModified": at.as_second(),
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
