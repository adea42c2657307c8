//! A place for every connection, as many as there are, and so many of them for one address; who
//! finds none is told so, and leaves.
//!
//! Beyond the places there is a door: a few connections whose first request is answered with 503
//! (`/healthz` as ever: the process is well). Beyond the door connections are closed at once, so
//! that files and memory stay bounded whatever comes.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::http::{Request, StatusCode};
use axum_server::accept::Accept;
use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use super::limits::network;
use super::problem::Problem;

/// Connections that are told that there is no place.
pub const DOOR: usize = 64;

/// Mark of a request that came through the door, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtDoor {
    /// Every place is taken.
    Full,
    /// This address has as many as it may have.
    Enough,
}

/// The places of a server.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    door: Arc<Semaphore>,
    /// How many one address may have, and how many each has.
    per_address: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place that is free again when the connection is gone.
#[derive(Clone, Debug)]
struct Place {
    at_door: Option<AtDoor>,
    _held: Arc<(OwnedSemaphorePermit, Option<Counted>)>,
}

/// A place counts for its address as long as this lives.
#[derive(Debug)]
struct Counted {
    from: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.from);
            }
        }
    }
}

impl Places {
    /// So many, and so many for one address (`None`: any number).
    pub(super) fn new(places: usize, per_address: Option<usize>) -> Self {
        Self {
            free: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            door: Arc::new(Semaphore::new(DOOR)),
            per_address: per_address.unwrap_or(usize::MAX),
            taken: Arc::default(),
        }
    }

    /// A place for a connection from there (`None`: nobody knows where it comes from).
    fn take(&self, from: Option<IpAddr>) -> Option<Place> {
        let place = |kind: &Arc<Semaphore>, at_door, counted| {
            let held = kind.clone().try_acquire_owned().ok()?;
            Some(Place { at_door, _held: Arc::new((held, counted)) })
        };
        let Ok(counted) = self.count(from) else {
            return place(&self.door, Some(AtDoor::Enough), None);
        };
        place(&self.free, None, counted).or_else(|| place(&self.door, Some(AtDoor::Full), None))
    }

    /// One more for its address; `Err`: it has enough.
    fn count(&self, from: Option<IpAddr>) -> Result<Option<Counted>, AtDoor> {
        let Some(from) = from.map(|ip| network(ip.to_canonical())) else { return Ok(None) };
        if self.per_address == usize::MAX {
            return Ok(None);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(from).or_default();
        if *count >= self.per_address {
            return Err(AtDoor::Enough);
        }
        *count += 1;
        Ok(Some(Counted { from, taken: self.taken.clone() }))
    }
}

/// The answer at the door.
pub(super) fn turned_away(why: AtDoor) -> Problem {
    let (what, hint) = match why {
        AtDoor::Full => (
            "every connection that this server takes is in use",
            "ask again, or another node; nothing was done. serve --connections says how many",
        ),
        AtDoor::Enough => (
            "this address has as many connections open as one may have",
            "close some, or send more over each; nothing was done. serve --connections-per-address \
             says how many",
        ),
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", what).hint(hint).retry_after(1)
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

impl<A, S> Accept<TcpStream, S> for Seating<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
{
    type Stream = A::Stream;
    type Service = Seated<A::Service>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let from = stream.peer_addr().ok().map(|peer| peer.ip());
        let Some(place) = self.places.take(from) else {
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
        if let Some(why) = self.place.at_door {
            request.extensions_mut().insert(why);
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_then_the_door_then_nothing_until_somebody_leaves() {
        let places = Places::new(2, None);
        let one = Some(IpAddr::from([192, 0, 2, 1]));
        let mut held: Vec<Place> = (0..2 + DOOR).map(|_| places.take(one).unwrap()).collect();
        let full = held.iter().filter(|p| p.at_door == Some(AtDoor::Full));
        assert_eq!(full.count(), DOOR);
        assert_eq!([held[0].at_door, held[1].at_door], [None, None]);
        assert!(places.take(one).is_none());
        // A request that is still being answered keeps the place of its connection.
        let working = held[0].clone();
        drop(held.remove(0));
        assert!(places.take(one).is_none());
        drop(working);
        assert_eq!(places.take(one).unwrap().at_door, None);
    }

    #[test]
    fn an_address_has_so_many_places_and_takes_none_from_others() {
        let places = Places::new(5, Some(2));
        let v4 = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let at_door = |from| places.take(from).unwrap().at_door;
        let first = places.take(v4("192.0.2.1")).unwrap();
        // The same address, as one of the other version.
        let second = places.take(v4("::ffff:192.0.2.1")).unwrap();
        assert_eq!([first.at_door, second.at_door], [None, None]);
        assert_eq!(at_door(v4("192.0.2.1")), Some(AtDoor::Enough));
        // Others come in, a network of IPv6 as one.
        let net: Vec<Place> = ["2001:db8::1", "2001:db8::ffff:1"]
            .iter()
            .map(|from| places.take(v4(from)).unwrap())
            .collect();
        assert!(net.iter().all(|place| place.at_door.is_none()));
        assert_eq!(at_door(v4("2001:db8::2")), Some(AtDoor::Enough));
        let last = places.take(v4("192.0.2.2")).unwrap();
        assert_eq!((last.at_door, at_door(v4("192.0.2.3"))), (None, Some(AtDoor::Full)));
        // Who is turned away because all is full counts for nobody, and nothing is kept of who left.
        drop((first, net, last));
        let again = places.take(v4("192.0.2.1")).unwrap();
        assert_eq!((again.at_door, at_door(v4("192.0.2.1"))), (None, Some(AtDoor::Enough)));
        drop((again, second));
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
