//! What every request gets: an id, and bounds of time and size.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;

/// The header of a request's id; a caller may choose it.
const ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id a caller may choose, in bytes.
const LONGEST: usize = 64;
/// A body of a route that takes no records: an edited output is at most as long as a record.
pub(super) const BODY: usize = 4 << 20;
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
pub(super) fn bounded(routes: Router) -> Router {
    routes.layer(DefaultBodyLimit::max(BODY)).layer(middleware::from_fn(identified))
}

/// Give the request an id, time and a word in the log.
async fn identified(request: Request, next: Next) -> Response {
    let id = chosen(&request).unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = CURRENT.scope(id.clone(), async {
        let answer = tokio::time::timeout(TIME, next.run(request)).await;
        answer.unwrap_or_else(|_| {
            let what = format!("no answer within {} seconds", TIME.as_secs());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "slow", what)
                .hint("ask again; what was sent with a request id or a decision's id is done once")
                .retry_after(1)
                .into_response()
        })
    });
    let mut answer = answer.await;
    tracing::debug!(request = id, %method, path, status = answer.status().as_u16(), "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(ID, value);
    }
    answer
}

/// The id the caller chose, if it is fit for a log line.
fn chosen(request: &Request) -> Option<String> {
    let id = request.headers().get(ID)?.to_str().ok()?;
    let fit = !id.is_empty() && id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic());
    fit.then(|| id.to_owned())
}
