//! A promise that an operation will be durable: wait for it, or await it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::StoreError;

/// The answer of a queued operation; fulfilled after its commit is durable.
#[must_use = "nothing is known to be durable before the ticket is fulfilled"]
#[derive(Debug)]
pub struct Ticket<T>(oneshot::Receiver<Result<T, StoreError>>);

/// The other end of a [`Ticket`].
pub type Promise<T> = oneshot::Sender<Result<T, StoreError>>;

impl<T> Ticket<T> {
    /// A ticket and the promise that fulfils it.
    pub fn new() -> (Promise<T>, Self) {
        let (tx, rx) = oneshot::channel();
        (tx, Self(rx))
    }

    /// A ticket that is fulfilled already.
    pub fn ready(answer: Result<T, StoreError>) -> Self {
        let (tx, ticket) = Self::new();
        // The receiver is alive: it is in `ticket`.
        let _ = tx.send(answer);
        ticket
    }

    /// Block until the operation is durable or refused.
    pub fn wait(self) -> Result<T, StoreError> {
        self.0.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }
}

impl<T> Future for Ticket<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|r| r.unwrap_or(Err(StoreError::Closed)))
    }
}
