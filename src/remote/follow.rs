//! News: the log grew over there, or something changed here.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::Response;
use tokio::sync::watch;

use super::Inner;
use super::events::Events;
use super::said::{Failed, Trouble};
use crate::protocol::Change;

/// A stream that says nothing this long is opened anew (servers send a comment more often).
const SILENT: Duration = Duration::from_secs(60);
/// Between two tries to open it.
const AGAIN: Duration = Duration::from_secs(1);
/// Before a stream that ended is opened anew.
const BREATH: Duration = Duration::from_millis(200);
/// Where there is no stream to follow, look this often.
const POLL: Duration = Duration::from_secs(2);

struct Follow {
    inner: Arc<Inner>,
    ours: watch::Receiver<u64>,
    stream: Option<(Response, Events)>,
    head: u64,
    /// The stream was open before: what was missed is told when it is open again.
    opened: bool,
}

/// Tells that the log grew past `after`, and when the desk went away or came back.
pub(super) fn changes(inner: Arc<Inner>, after: u64) -> BoxStream<'static, Change> {
    let ours = inner.news.subscribe();
    let follow = Follow { inner, ours, stream: None, head: after, opened: false };
    stream::unfold(follow, |mut follow| async move {
        let change = follow.next().await;
        Some((change, follow))
    })
    .boxed()
}

impl Follow {
    async fn next(&mut self) -> Change {
        loop {
            if self.stream.is_none() && !self.inner.is_away() {
                match self.inner.wire.events(self.from()).await {
                    Ok(response) => {
                        self.stream = Some((response, Events::default()));
                        if std::mem::replace(&mut self.opened, true) {
                            return self.change();
                        }
                    }
                    // Whether the desk is away is found out by asking it: a server may only be
                    // short of streams.
                    Err(Failed::Trouble(Trouble::Away { .. })) => {
                        self.news_within(AGAIN).await;
                        return self.change();
                    }
                    // No stream for this token, or of this server: the header is asked instead.
                    Err(failed) => {
                        tracing::debug!(?failed, "no events");
                        self.news_within(POLL).await;
                        return self.change();
                    }
                }
            }
            let Some((response, events)) = &mut self.stream else {
                // Away: the courier finds out when it is back.
                self.news_within(SILENT).await;
                return self.change();
            };
            tokio::select! {
                changed = self.ours.changed() => {
                    if changed.is_ok() {
                        return self.change();
                    }
                }
                piece = tokio::time::timeout(SILENT, response.chunk()) => match piece {
                    Ok(Ok(Some(piece))) => {
                        if let Some(newest) = events.take(&piece) {
                            self.head = self.head.max(newest.saturating_add(1));
                            return self.change();
                        }
                    }
                    // It ended, broke, or fell silent: asking the desk says why.
                    _ => {
                        self.stream = None;
                        self.news_within(BREATH).await;
                        return self.change();
                    }
                }
            }
        }
    }

    /// The index to go on after; where nobody has looked yet, the newest that is known.
    fn from(&self) -> u64 {
        let known = self.inner.state().header.as_ref().map_or(0, |(h, _)| h.head);
        if self.head == 0 { known } else { self.head }
    }

    async fn news_within(&mut self, wait: Duration) -> bool {
        matches!(tokio::time::timeout(wait, self.ours.changed()).await, Ok(Ok(())))
    }

    fn change(&self) -> Change {
        let state = self.inner.state();
        let (head, generation) =
            state.header.as_ref().map_or((0, 0), |(h, _)| (h.head, h.generation));
        Change { head: head.max(self.head), generation }
    }
}
