//! How long a client may take to send what it has to say, and to hear what it asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use futures_util::stream::{self, StreamExt as _};

use super::problem::Problem;

/// What a connection is worth waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until a request's head is there: from the connection, or from the answer before.
    pub head: Duration,
    /// Until its body is there.
    pub body: Duration,
    /// Until it reads on, where nothing more can be sent to it.
    pub write: Duration,
    /// Until a stream of events ends, for its client to open it anew: what a stream that has little
    /// to say sends is taken by the client's machine, whether the client reads it or not.
    pub stream: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            write: Duration::from_secs(60),
            stream: Duration::from_secs(3600),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the body did not come in time")]
struct Late;

/// The body, cut off after `most`; whether that has happened. What was cut off is an error to
/// whoever reads it, never a shorter body.
pub(super) fn timed(body: Body, most: Duration) -> (Body, Arc<AtomicBool>) {
    let late = Arc::new(AtomicBool::new(false));
    if body.is_end_stream() {
        return (body, late);
    }
    let mut data = body.into_data_stream();
    let mut wait = Box::pin(tokio::time::sleep(most));
    let told = late.clone();
    let cut = stream::poll_fn(move |cx| match data.poll_next_unpin(cx) {
        Poll::Pending if wait.as_mut().poll(cx).is_ready() => {
            told.store(true, Ordering::Relaxed);
            Poll::Ready(Some(Err(axum::Error::new(Late))))
        }
        other => other,
    });
    (Body::from_stream(cut), late)
}

/// The answer to a body that did not come.
pub(super) fn too_slow(most: Duration) -> Problem {
    let what = format!("the body did not come within {} seconds", most.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "slow_body", what)
        .hint("nothing was done; send less at once, or serve with a greater --body-seconds")
}
