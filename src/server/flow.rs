//! What flows: one follower of the log wakes whoever waits for it to grow, and a bound on how many
//! streams there are. No thread waits with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::auth::blocking;
use super::problem::Problem;
use crate::desk::Local;
use crate::protocol::Desk as _;

/// Streams and long polls that are open at the same time.
const MOST: usize = 4096;
/// Entries read at a time.
const PAGE: usize = 512;
/// How often those who wait look whether the server is ending.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// Begins when somebody asks for it; until then nothing runs.
pub(super) struct Flow {
    heads: OnceLock<watch::Receiver<u64>>,
    /// Decisions that somebody waits for, each with a count that rises with entries about it.
    awaited: Awaited,
    watched: OnceLock<()>,
    places: Arc<Semaphore>,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            heads: OnceLock::new(),
            awaited: Arc::default(),
            watched: OnceLock::new(),
            places: Arc::new(Semaphore::new(MOST)),
        }
    }
}

impl Flow {
    /// The number of entries in the log, as it grows, whoever wrote them. The follower ends with
    /// the runtime.
    pub(super) fn heads(&self, desk: &Local) -> watch::Receiver<u64> {
        let follow = || {
            let (tell, heads) = watch::channel(0);
            let mut changes = desk.changes(0);
            tokio::spawn(async move {
                while let Some(change) = changes.next().await {
                    if tell.send(change.head).is_err() {
                        break;
                    }
                }
            });
            heads
        };
        self.heads.get_or_init(follow).clone()
    }

    /// Changes with every entry about this decision from now on. However many wait, the log is
    /// read once for all of them, and not at all while nobody does.
    pub(super) fn about(&self, desk: &Local, id: &str) -> watch::Receiver<u64> {
        let waiter = {
            let mut awaited = lock(&self.awaited);
            awaited.retain(|_, tell| tell.receiver_count() > 0);
            let tell = awaited.entry(id.to_owned()).or_insert_with(|| watch::channel(0).0);
            tell.subscribe()
        };
        self.watched.get_or_init(|| {
            let (heads, desk, awaited) = (self.heads(desk), desk.clone(), self.awaited.clone());
            tokio::spawn(watch_for(heads, desk, awaited));
        });
        waiter
    }

    /// A place for somebody who waits; given back when it is dropped.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let what = format!("{MOST} streams and long polls are open already");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", what)
                .hint("follow with fewer connections, or ask another node")
                .retry_after(5)
        })
    }
}

type Awaited = Arc<Mutex<HashMap<String, watch::Sender<u64>>>>;

/// Read what the log grew by while somebody waits, and wake those it is about.
async fn watch_for(mut heads: watch::Receiver<u64>, desk: Local, awaited: Awaited) {
    let mut next = None;
    loop {
        let head = *heads.borrow_and_update();
        // Whoever begins to wait after this look reads the store after it, too: what is in the log
        // by now needs no waking.
        let idle = lock(&awaited).is_empty();
        match next {
            Some(from) if !idle && from < head => {
                let desk = desk.clone();
                match blocking(move || desk.tail(from, PAGE, false)).await {
                    Ok(page) => {
                        next = Some(page.last().map_or(from, |last| last.index + 1));
                        wake(&awaited, page);
                        continue;
                    }
                    Err(refused) => {
                        tracing::warn!(why = refused.message, "the log cannot be followed");
                        wake_all(&awaited);
                    }
                }
            }
            // What came before anybody looked may be about those who wait already.
            None if !idle => wake_all(&awaited),
            _ => {}
        }
        next = Some(next.map_or(head, |from| if idle { head.max(from) } else { from }));
        if heads.changed().await.is_err() {
            break;
        }
    }
}

fn wake(awaited: &Awaited, page: Vec<crate::desk::Tail>) {
    let awaited = lock(awaited);
    for tail in page {
        let id = tail.entry.get("id").and_then(serde_json::Value::as_str);
        if let Some(tell) = id.and_then(|id| awaited.get(id)) {
            tell.send_modify(|n| *n += 1);
        }
    }
}

fn wake_all(awaited: &Awaited) {
    for tell in lock(awaited).values() {
        tell.send_modify(|n| *n += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is never left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
