//! The door of admission for a server: lines are parsed where they arrive, and wait for their answer.
//!
//! Whoever comes takes a place first, so that what waits is bounded in lines and bytes; behind the
//! door is the sequencer of [`super::combine`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam_channel::Sender;
use tokio::sync::oneshot;

use super::core::{Sight, lock};
use super::prepare::{Prepared, prepare};
use super::salts::Salts;
use super::tokens::{Identity, Unknown};
use crate::policy::Policy;
use crate::protocol::{Admitted, Refused, Why};

/// Lines, and bytes of them, that may wait; beyond, callers are told to come again.
const MOST: usize = 20_000;
const MOST_BYTES: usize = 256 << 20;
/// Bytes up to which lines are parsed without a thread of their own.
const INLINE: usize = 32 << 10;

/// Why a submission was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The token opens nothing any more.
    Unknown(Unknown),
    Refused(Refused),
}

impl From<Refused> for Turned {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What is submitted together.
#[derive(Clone, Debug)]
pub struct Submission {
    pub who: Identity,
    /// Where it came from; shown with dead letters.
    pub source: String,
    /// How many lines of the source came before these; counted in with dead letters.
    pub before: u64,
    pub lines: Vec<Vec<u8>>,
    /// Say what the routes would be; store nothing.
    pub dry_run: bool,
}

/// The way in for many callers at once. Cheap to clone; the thread ends with the last clone.
#[derive(Clone)]
pub struct Admissions {
    pub(super) to: Sender<Ask>,
    pub(super) shared: Arc<Shared>,
}

/// What the door and the sequencer have in common.
pub(super) struct Shared {
    terms: Mutex<Arc<Terms>>,
    /// Lines on their way, and their bytes.
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    /// The thread holds the other one.
    alive: Arc<()>,
}

impl Shared {
    /// `alive`: the thread holds the other one.
    pub(super) fn new(sight: &Sight, alive: Arc<()>) -> Self {
        Self {
            terms: Mutex::new(Arc::new(Terms::of(sight))),
            waiting: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            alive,
        }
    }

    /// Lines are made ready by what holds now.
    pub(super) fn renew(&self, sight: &Sight) {
        let mut terms = lock(&self.terms);
        if terms.hash != sight.snapshot.policy {
            *terms = Arc::new(Terms::of(sight));
        }
    }
}

/// What lines are made ready under.
pub(super) struct Terms {
    key: [u8; 32],
    policy: Option<Arc<Policy>>,
    pub(super) hash: Option<String>,
}

impl Terms {
    fn of(sight: &Sight) -> Self {
        let Sight { snapshot, policy, .. } = sight;
        Self { key: snapshot.key, policy: policy.clone(), hash: snapshot.policy.clone() }
    }
}

/// A submission whose lines are parsed.
pub(super) struct Ask {
    pub(super) who: Identity,
    pub(super) source: String,
    pub(super) before: u64,
    pub(super) prepared: Vec<Prepared>,
    pub(super) under: Arc<Terms>,
    pub(super) dry_run: bool,
    pub(super) reply: oneshot::Sender<Result<Vec<Admitted>, Turned>>,
}

impl Admissions {
    /// Admit; the answers stand in the order of the lines, and what they say is durable.
    pub async fn admit(&self, submission: Submission) -> Result<Vec<Admitted>, Turned> {
        let Submission { who, source, before, lines, dry_run } = submission;
        let bytes: usize = lines.iter().map(Vec::len).sum();
        let _room = Room::take(&self.shared, lines.len(), bytes)?;
        let under = lock(&self.shared.terms).clone();
        let prepared = if bytes <= INLINE {
            ready(lines, &under)?
        } else {
            let terms = under.clone();
            super::blocking(move || ready(lines, &terms)).await?
        };
        let (reply, answer) = oneshot::channel();
        let ask = Ask { who, source, before, prepared, under, dry_run, reply };
        let ended = || {
            Refused::new(Why::Unavailable, "admission has ended")
                .hint("the server is shutting down or has a defect; nothing was stored")
        };
        self.to.send(ask).map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended().into()))
    }

    /// Does the sequencer still take submissions?
    pub fn is_alive(&self) -> bool {
        Arc::strong_count(&self.shared.alive) > 1
    }
}

/// A place among those that wait, given back when the caller has the answer or has gone.
struct Room {
    shared: Arc<Shared>,
    lines: usize,
    bytes: usize,
}

impl Room {
    fn take(shared: &Arc<Shared>, lines: usize, bytes: usize) -> Result<Self, Refused> {
        let room = Self { shared: shared.clone(), lines, bytes };
        let many = shared.waiting.fetch_add(lines, Ordering::Relaxed) > MOST;
        let much = shared.bytes.fetch_add(bytes, Ordering::Relaxed) > MOST_BYTES;
        if many || much {
            return Err(Refused::new(
                Why::Unavailable,
                "more decisions are waiting than can be stored soon",
            )
            .hint("send them again in a moment; the same id is admitted once"));
        }
        Ok(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.waiting.fetch_sub(self.lines, Ordering::Relaxed);
        self.shared.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn ready(lines: Vec<Vec<u8>>, terms: &Terms) -> Result<Vec<Prepared>, Refused> {
    let mut salts = Salts::of(lines.len());
    let policy = terms.policy.as_deref();
    lines.into_iter().map(|line| prepare(line, &terms.key, policy, &mut salts)).collect()
}
