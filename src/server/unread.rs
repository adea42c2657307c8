//! A client that reads nothing: what is to be sent to it waits for a while, and then it is gone.
//!
//! This sits below TLS, where a byte that is taken has left this process: what is measured is the
//! time in which none was, whatever was waiting to be (an answer, an event, the sign that a stream
//! is alive). A slow reader is no such client, however long it takes.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// An acceptor of connections that send at once, and wait so long for their client to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    most: Duration,
}

impl Reading {
    pub(super) fn within(most: Duration) -> Self {
        Self { most }
    }
}

impl<S> Accept<TcpStream, S> for Reading {
    type Stream = Read;
    type Service = S;
    type Future = Ready<io::Result<(Read, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let most = self.most;
        let nodelay = stream.set_nodelay(true);
        ready(nodelay.map(|()| (Read { stream, most, stuck: None }, service)))
    }
}

/// A connection whose client is expected to read.
#[derive(Debug)]
pub(super) struct Read {
    stream: TcpStream,
    most: Duration,
    /// Since a byte could not be sent: how long it may go on.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Read {
    /// What became of an attempt to send.
    fn sent(
        &mut self,
        cx: &mut Context<'_>,
        sent: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if sent.is_ready() {
            self.stuck = None;
            return sent;
        }
        let most = self.most;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(most)));
        if stuck.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // What was not read need not be kept for it by this machine, either.
        let _ = self.stream.set_zero_linger();
        tracing::debug!(seconds = most.as_secs(), "a client that read nothing is gone");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing")))
    }
}

impl AsyncRead for Read {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Read {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.sent(cx, sent)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.sent(cx, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
