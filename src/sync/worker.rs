//! One worker a lane: sends its jobs one after the other, writes down what became of each.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff;
use super::lane::Job;
use super::notice::Stamp;
use super::request::{Secret, Verdict};
use super::turn::Turn;
use super::wire::{Trouble, Wire};
use crate::desk::outbox::Outbox;
use crate::domain::Timestamp;
use crate::protocol::{Refused, Why};

/// How long a lane rests after it could not be reached; shorter than the first retry.
const REST: Duration = Duration::from_secs(3);
/// How long an address that said it is gone is believed.
const GONE: Duration = Duration::from_secs(3600);
/// How long a worker goes on with new jobs.
const SHIFT: Duration = Duration::from_secs(10);

/// What workers share.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) wire: Arc<dyn Wire>,
    pub(super) source: String,
    pub(super) seed: u64,
    /// Once it is over no job is begun.
    pub(super) turn: Turn,
}

/// What is remembered of a lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) not_before: Option<Timestamp>,
    /// It rests because it failed, not because of its pace.
    pub(super) resting: bool,
    /// The address that is gone, why, and how long that is believed.
    gone: Option<(Secret, String, Timestamp)>,
}

/// What a worker did.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    pub(super) name: String,
    pub(super) memory: Memory,
    pub(super) sent: u64,
    pub(super) failed: u64,
    pub(super) dead: u64,
    /// Due ones that were not tried.
    pub(super) left: usize,
    /// When one of its jobs is due again.
    pub(super) next: Option<Timestamp>,
}

/// What became of one job.
enum Fate {
    /// It arrived; perhaps to be said again.
    Sent { next: Option<Timestamp> },
    /// It did not, and its lane rests; `None`: it is given up.
    Later { next: Option<Timestamp>, rest: Duration },
    /// It never will.
    Dead,
}

impl Desk {
    /// As many jobs as the lane's pace allows, until one cannot be delivered.
    pub(super) async fn work(
        self,
        name: String,
        jobs: Vec<Job>,
        mut memory: Memory,
        origin: String,
        now: Timestamp,
    ) -> Result<End, Refused> {
        let mut end = End { left: jobs.len(), ..End::default() };
        memory.resting = false;
        let began = Instant::now();
        for (n, job) in jobs.iter().enumerate() {
            let pace = job.pace();
            if n >= pace.burst || began.elapsed() > SHIFT || !self.turn.lasts() {
                break;
            }
            end.left -= 1;
            memory.not_before = Some(backoff::after(now, pace.every));
            match self.carry(job, &mut memory, &origin, now).await? {
                Fate::Sent { next } => {
                    end.sent += 1;
                    end.next = end.next.into_iter().chain(next).min();
                }
                Fate::Dead => end.dead += 1,
                Fate::Later { next, rest } => {
                    end.failed += u64::from(next.is_some());
                    end.dead += u64::from(next.is_none());
                    end.next = end.next.into_iter().chain(next).min();
                    memory.not_before = Some(backoff::after(now, rest));
                    memory.resting = true;
                    break;
                }
            }
        }
        Ok(End { name, memory, ..end })
    }

    /// One job: send it, and write down what became of it.
    async fn carry(
        &self,
        job: &Job,
        memory: &mut Memory,
        origin: &str,
        now: Timestamp,
    ) -> Result<Fate, Refused> {
        let key = job.parcel().key.clone();
        let verdict = match &memory.gone {
            Some((address, why, until)) if *address == job.address() && *until > now => {
                Verdict::Refused(why.clone())
            }
            _ => self.exchange(job, origin, now).await,
        };
        let (error, next, fate) = match verdict {
            Verdict::Done => {
                self.with(move |outbox| outbox.done(&[&key])).await?;
                return Ok(Fate::Sent { next: None });
            }
            Verdict::Again(after) => {
                let next = Some(backoff::after(now, after));
                (String::new(), next, Fate::Sent { next })
            }
            Verdict::Later { why, after } => {
                let tried = job.parcel().attempts.saturating_add(1);
                let chance = backoff::chance(self.seed, &key, tried);
                let next = job.again(chance, after).map(|wait| backoff::after(now, wait));
                let why = match next {
                    Some(_) => why,
                    None => format!("given up after {tried} tries: {why}"),
                };
                (why, next, Fate::Later { next, rest: after.unwrap_or_default().max(REST) })
            }
            Verdict::Refused(why) => (why, None, Fate::Dead),
            Verdict::Gone(why) => {
                let why = format!("nobody is at this address any more: {why}");
                memory.gone = Some((job.address(), why.clone(), backoff::after(now, GONE)));
                (why, None, Fate::Dead)
            }
        };
        self.with(move |outbox| outbox.tried(&key, &error, next)).await?;
        Ok(fate)
    }

    /// Over the wire and back: what the service made of it.
    pub(super) async fn exchange(&self, job: &Job, origin: &str, now: Timestamp) -> Verdict {
        let key = &job.parcel().key;
        let stamp = Stamp::new(origin, key, &self.source, now);
        let Some(request) = job.request(&stamp) else { return Verdict::Done };
        let verdict = match self.wire.send(&request).await {
            Ok(response) => job.read(&request, &response, now),
            Err(Trouble::Unreachable(why)) => Verdict::Later { why, after: None },
            Err(never) => Verdict::Refused(request.scrub(&never.to_string())),
        };
        tracing::info!(key, id = stamp.id, ?verdict, "delivery");
        verdict
    }

    /// Speak to the outbox on a thread that may block.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Outbox) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let outbox = self.outbox.clone();
        tokio::task::spawn_blocking(move || work(&*outbox)).await.unwrap_or_else(|e| {
            Err(Refused::new(Why::Internal, format!("a task of the courier failed: {e}"))
                .hint("this is a defect; what was not marked is sent again"))
        })
    }
}
