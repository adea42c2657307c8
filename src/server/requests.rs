//! What every request gets: an id, and bounds of time and size.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};

use super::listen::HEAD_BYTES;
use super::patience::{Patience, timed, too_slow};
use super::places::{AtDoor, turned_away};
use super::problem::Problem;

/// The header of a request's id; a caller may choose it.
const ID: HeaderName = HeaderName::from_static("x-request-id");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
/// The longest id a caller may choose, in bytes.
const LONGEST: usize = 64;
/// Where records come in, and the bytes of one such request: some kilobytes each, 500 of them.
pub(super) const RECORDS: &str = "/v1/decisions";
const RECORDS_BODY: usize = 16 << 20;
/// Any other body: an edited output is at most as long as a record.
const BODY: usize = 4 << 20;
/// How long a request may take until its answer begins. Who waits on purpose (long-poll) ends
/// before, and a stream has begun long before.
const TIME: Duration = Duration::from_secs(75);

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that is being answered.
pub(super) fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Bounds around all routes.
pub(super) fn bounded(routes: Router, patience: Patience) -> Router {
    routes.layer(middleware::from_fn_with_state(patience, identified))
}

/// The longest body this address takes, in bytes.
fn longest(path: &str) -> usize {
    if path == RECORDS { RECORDS_BODY } else { BODY }
}

/// Give the request an id, time and a word in the log.
async fn identified(State(patience): State<Patience>, request: Request, next: Next) -> Response {
    let id = chosen(&request).unwrap_or_else(fresh);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let at_door = request.extensions().get::<AtDoor>().copied();
    let answer = CURRENT.scope(id.clone(), async {
        // Whoever looks whether the process is alive must not take a busy one for dead.
        if let Some(why) = at_door.filter(|_| path != "/healthz") {
            return turned_away(why).into_response();
        }
        answered(request, next, patience).await
    });
    let answer = answer.await;
    let mut answer = if at_door.is_some() { closing(answer) } else { answer };
    tracing::debug!(request = id, %method, path, status = answer.status().as_u16(), "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(ID, value);
    }
    answer
}

/// The answer, or why there is none in time.
async fn answered(request: Request, next: Next, patience: Patience) -> Response {
    if head(&request) > HEAD_BYTES {
        let what = format!("the head of the request is longer than {HEAD_BYTES} bytes");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return closing(Problem::new(status, "head_too_large", what).into_response());
    }
    if let Some(problem) = encoded(&request) {
        return closing(problem.into_response());
    }
    let most = longest(request.uri().path());
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|n| n.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|n| n > most as u64) {
        // Not waited for.
        let what = format!("the body is longer than {most} bytes");
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", what);
        return closing(problem.hint("send less at once").into_response());
    }
    let (parts, body) = request.into_parts();
    let (body, late) = timed(body, patience.body);
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(patience);
    DefaultBodyLimit::max(most).apply(&mut request);
    match tokio::time::timeout(TIME, next.run(request)).await {
        // What was read of it was refused for being cut off, whatever the handler made of that.
        Ok(_) if late.load(Ordering::Relaxed) => closing(too_slow(patience.body).into_response()),
        Ok(answer) => answer,
        Err(_) => {
            let what = format!("no answer within {} seconds", TIME.as_secs());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "slow", what)
                .hint("ask again; what was sent with a request id or a decision's id is done once")
                .retry_after(1)
                .into_response()
        }
    }
}

/// A body that is not sent as it is: nothing here unpacks one.
fn encoded(request: &Request) -> Option<Problem> {
    let mut given = request.headers().get_all(header::CONTENT_ENCODING).iter();
    let other = given.find(|v| !v.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))?;
    let shown = String::from_utf8_lossy(other.as_bytes());
    let what = format!("bodies are not taken with content-encoding {shown}");
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(Problem::new(status, "content_encoding", what).hint("send the body as it is"))
}

/// How long the request's head is, in bytes.
fn head(request: &Request) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let lines = request.headers().iter();
    target + lines.map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}

/// The last answer on its connection.
fn closing(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CONNECTION, CLOSE);
    answer
}

/// An id nobody has had: a random one of this process, and the request's number in it. Drawing
/// randomness for every request would cost more than all else that is done here.
fn fresh() -> String {
    static PROCESS: LazyLock<String> = LazyLock::new(|| uuid::Uuid::now_v7().simple().to_string());
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("{}-{:x}", *PROCESS, NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The id the caller chose, if it is fit for a log line.
fn chosen(request: &Request) -> Option<String> {
    let id = request.headers().get(ID)?.to_str().ok()?;
    let fit = !id.is_empty() && id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic());
    fit.then(|| id.to_owned())
}
