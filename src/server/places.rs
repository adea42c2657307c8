//! A place for every connection, as many as there are; who finds none is told so, and leaves.
//!
//! Beyond the places there is a door: a few connections whose first request is answered with 503
//! (`/healthz` as ever: the process is well). Beyond the door connections are closed at once, so
//! that files and memory stay bounded whatever comes.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{Request, StatusCode};
use axum_server::accept::Accept;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use super::problem::Problem;

/// Connections that are told that there is no place.
pub const DOOR: usize = 64;

/// Mark of a request that came through the door.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtDoor;

/// The places of a server.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    door: Arc<Semaphore>,
}

/// A place that is free again when the connection is gone.
#[derive(Clone, Debug)]
struct Place {
    at_door: bool,
    _held: Arc<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(places: usize) -> Self {
        let free = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { free, door: Arc::new(Semaphore::new(DOOR)) }
    }

    fn take(&self) -> Option<Place> {
        let place = |kind: &Arc<Semaphore>, at_door| {
            let held = kind.clone().try_acquire_owned().ok()?;
            Some(Place { at_door, _held: Arc::new(held) })
        };
        place(&self.free, false).or_else(|| place(&self.door, true))
    }
}

/// The answer at the door.
pub(super) fn full() -> Problem {
    let what = "every connection that this server takes is in use";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", what)
        .hint("ask again, or another node; nothing was done. serve --connections says how many")
        .retry_after(1)
}

/// An acceptor that gives each connection its place before it costs anything more.
#[derive(Clone, Debug)]
pub(super) struct Seating<A> {
    inner: A,
    places: Places,
}

impl<A> Seating<A> {
    pub(super) fn new(inner: A, places: Places) -> Self {
        Self { inner, places }
    }
}

impl<A, I, S> Accept<I, S> for Seating<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
{
    type Stream = A::Stream;
    type Service = Seated<A::Service>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let Some(place) = self.places.take() else {
            // The stream goes with this, and the connection with it.
            return Box::pin(async { Err(io::ErrorKind::ConnectionAborted.into()) });
        };
        let accepting = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            Ok((stream, Seated { inner: service, place }))
        })
    }
}

/// What serves one connection, for as long as that has its place.
#[derive(Clone, Debug)]
pub(super) struct Seated<S> {
    inner: S,
    place: Place,
}

impl<S, B> Service<Request<B>> for Seated<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if self.place.at_door {
            request.extensions_mut().insert(AtDoor);
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_then_the_door_then_nothing_until_somebody_leaves() {
        let places = Places::new(2);
        let mut held: Vec<Place> = (0..2 + DOOR).map(|_| places.take().unwrap()).collect();
        assert_eq!(held.iter().filter(|p| p.at_door).count(), DOOR);
        assert!(!held[0].at_door && !held[1].at_door && held[2].at_door);
        assert!(places.take().is_none());
        // A request that is still being answered keeps the place of its connection.
        let working = held[0].clone();
        drop(held.remove(0));
        assert!(places.take().is_none());
        drop(working);
        assert!(!places.take().unwrap().at_door);
    }
}
