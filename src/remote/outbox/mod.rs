//! Verdicts on their way to a desk that may be out of reach: in order, each until it is answered.
//! Pure: what happened goes in, what to send and what to write down comes out; time and chance are
//! arguments.
//!
//! One verdict is under way at a time, so they arrive in the order in which they were given. Each
//! is sent, under the same request id, until the desk has said what became of it: what was applied
//! is applied once, because the desk knows the id again. A verdict is on disk before anybody is
//! told that it is kept, and leaves it only with its fate.

mod fate;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use jiff::SignedDuration;

pub use fate::{Heard, fate};

use crate::domain::Timestamp;
use crate::protocol::{Arrived, ReviewRequest, UnsentView};

/// The first pause after nothing came back; doubled each time.
const FIRST: SignedDuration = SignedDuration::from_secs(1);
/// The longest pause: whoever sees the network come back does not wait long.
const LONGEST: SignedDuration = SignedDuration::from_secs(15);

/// A verdict that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub request: ReviewRequest,
    /// Who gave it: it is sent in no other name.
    pub by: String,
    /// When it was given (this machine's clock).
    pub at: Timestamp,
    /// It was sent at least once: the desk may have it.
    pub tried: bool,
}

/// The verdicts of one person that wait, first given first.
#[derive(Debug)]
pub struct Outbox {
    /// Whose they are: nobody else's are held, shown or waited for.
    me: String,
    waiting: VecDeque<Job>,
    /// Rises with every change of what waits.
    changes: u64,
    /// The first one is under way.
    flying: bool,
    /// How often in a row nothing came back.
    lost: u32,
    /// Nothing is sent before.
    not_before: Option<Timestamp>,
}

/// When somebody began to look what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look(u64);

impl Outbox {
    /// The outbox of `me`, with those of what was kept that are theirs, in order.
    pub fn new(me: &str, kept: impl IntoIterator<Item = Job>) -> Self {
        Self {
            waiting: kept.into_iter().filter(|job| job.by == me).collect(),
            me: me.to_owned(),
            changes: 0,
            flying: false,
            lost: 0,
            not_before: None,
        }
    }

    /// One more verdict. It must be on disk already, and may have been seen there meanwhile.
    pub fn put(&mut self, job: Job) {
        let there = self.waiting.iter().any(|j| j.request.request_id == job.request.request_id);
        if job.by == self.me && !there {
            self.changes += 1;
            self.waiting.push_back(job);
        }
    }

    /// Somebody is going to look what is kept on disk: for [`seen`](Self::seen).
    pub fn look(&self) -> Look {
        Look(self.changes)
    }

    /// What was found on disk since that look; nothing may be under way. `false`: what waits has
    /// changed meanwhile, and what was found may be older than that: look again.
    pub fn seen(&mut self, look: Look, kept: impl IntoIterator<Item = Job>) -> bool {
        let fresh = look == self.look();
        if fresh {
            self.waiting = kept.into_iter().filter(|job| job.by == self.me).collect();
            self.flying = false;
        }
        fresh
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The verdict on this item that waits.
    pub fn of(&self, item: &str) -> Option<&Job> {
        self.waiting.iter().find(|j| j.request.item == item)
    }

    /// What waits, for people.
    pub fn unsent(&self) -> Vec<UnsentView> {
        let view = |job: &Job| UnsentView {
            item: job.request.item.clone(),
            verdict: job.request.verdict.verdict,
            to: job.request.verdict.to.clone(),
            at: job.at,
        };
        self.waiting.iter().map(view).collect()
    }

    /// The verdict to send now, if any: it is under way until [`heard`](Self::heard). It has to be
    /// noted as tried before it is sent.
    pub fn next(&mut self, now: Timestamp) -> Option<Job> {
        let early = self.not_before.is_some_and(|at| at > now);
        if self.flying || early {
            return None;
        }
        let first = self.waiting.front_mut()?;
        first.tried = true;
        self.flying = true;
        Some(first.clone())
    }

    /// When to ask [`next`](Self::next) again, if time alone decides it.
    pub fn wake(&self) -> Option<Timestamp> {
        self.not_before.filter(|_| !self.flying && !self.waiting.is_empty())
    }

    /// What came back for the verdict under way. `Some`: its fate, to be written down; it waits no
    /// more. `chance` (0..=1) spreads the tries of many.
    pub fn heard(
        &mut self,
        request_id: &str,
        heard: Heard,
        now: Timestamp,
        chance: f64,
    ) -> Option<Arrived> {
        if !self.flying || self.waiting.front().is_none_or(|j| j.request.request_id != request_id) {
            return None;
        }
        self.flying = false;
        let Some(fate) = fate(heard) else {
            self.lost = self.lost.saturating_add(1);
            self.not_before = now.checked_add(pause(self.lost, chance)).ok();
            return None;
        };
        (self.lost, self.not_before) = (0, None);
        let job = self.waiting.pop_front()?;
        self.changes += 1;
        let (item, verdict) = (job.request.item, job.request.verdict.verdict);
        Some(Arrived { number: 0, item, verdict, fate })
    }

    /// The network is back, or somebody asks for it: send at once.
    pub fn hurry(&mut self) {
        (self.lost, self.not_before) = (0, None);
    }

    /// Take back the verdict on this item, if it was never sent: its job, to be erased on disk.
    pub fn take_back(&mut self, item: &str) -> Option<Job> {
        let index = self.waiting.iter().position(|j| j.request.item == item && !j.tried)?;
        self.changes += 1;
        self.waiting.remove(index)
    }
}

/// How long to wait after `lost` tries in a row that brought nothing: doubled each time, of that
/// at least half, by chance.
fn pause(lost: u32, chance: f64) -> SignedDuration {
    let doubled =
        FIRST.saturating_mul(1_i32.checked_shl(lost.min(16).saturating_sub(1)).unwrap_or(i32::MAX));
    let most = doubled.min(LONGEST);
    most.checked_div(2).map_or(most, |half| half + half.mul_f64(chance.clamp(0.0, 1.0)))
}
