//! The courier: takes what waits in the outbox, sends it, says what became of it.
//!
//! Delivery is at least once, under an id that stays the same: a parcel is marked only after the
//! answer came. One process at a time has the turn; a process that lacks a secret leaves those
//! parcels to one that has it. In a round each lane works for itself, so that a slow service holds
//! up no other.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::backoff;
use super::lane::{Job, Plan, plan};
use super::notice::Stamp;
use super::request::{Secret, Verdict};
use super::wire::{Trouble, Wire};
use crate::desk::outbox::{Outbox, Parcel};
use crate::domain::Timestamp;
use crate::protocol::{Refused, Why};

/// How many parcels of a kind one round looks at.
const LOOK: usize = 2000;
/// How long a turn is held; longer than any round with one exchange a lane can take.
const TURN: Duration = Duration::from_secs(120);
/// How long a lane rests after it could not be reached.
const REST: Duration = Duration::from_secs(3);
/// How long an address that said it is gone is believed.
const GONE: Duration = Duration::from_secs(3600);
/// How often [`Courier::run`] looks.
const POLL: Duration = Duration::from_secs(1);

/// What a courier is given from outside.
#[derive(Clone)]
pub struct Terms {
    /// Environment variables by name.
    pub env: Arc<dyn Fn(&str) -> Option<String> + Send + Sync>,
    /// How messages name the sender: this machine.
    pub source: String,
    /// Names this courier among others.
    pub holder: String,
    /// Spreads retries.
    pub seed: u64,
}

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Arrived.
    pub sent: u64,
    /// Not sent because a later message said it already.
    pub superseded: u64,
    /// Failed, to be tried again.
    pub failed: u64,
    /// Given up.
    pub dead: u64,
    /// Lanes for which this process lacks something, and what.
    pub unready: BTreeMap<String, String>,
    /// Another process delivers now.
    pub elsewhere: bool,
    /// When there is more to do, as far as is known: a lane's pace, a retry, a repetition.
    pub next: Option<Timestamp>,
    /// More is due and only waits for the pace of its lane, until then.
    pub paced: Option<Timestamp>,
}

/// What is remembered of a lane between rounds.
#[derive(Clone, Debug, Default)]
struct Memory {
    not_before: Option<Timestamp>,
    /// It rests because it failed, not because of its pace.
    resting: bool,
    /// The address that is gone, why, and how long that is believed.
    gone: Option<(Secret, String, Timestamp)>,
}

/// Carries parcels from an outbox over a wire.
pub struct Courier {
    outbox: Arc<dyn Outbox>,
    wire: Arc<dyn Wire>,
    terms: Terms,
    lanes: HashMap<String, Memory>,
    /// It has the turn.
    turn: bool,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("holder", &self.terms.holder).finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier with nothing to do yet.
    pub fn new(outbox: Arc<dyn Outbox>, wire: Arc<dyn Wire>, terms: Terms) -> Self {
        Self { outbox, wire, terms, lanes: HashMap::new(), turn: false }
    }

    /// Send what is due at `now` (wall time), as far as every lane's pace allows. `only`: to this
    /// notifier alone (`reply`: replies).
    pub async fn round(&mut self, now: Timestamp, only: Option<&str>) -> Result<Round, Refused> {
        let env = self.terms.env.clone();
        let wanted = only.map(str::to_owned);
        let plan = self
            .with(move |outbox| {
                let mut parcels: Vec<Parcel> = outbox.waiting("notify", 0, LOOK)?;
                parcels.extend(outbox.waiting("reply", 0, LOOK)?);
                if parcels.is_empty() {
                    return Ok(Plan::default());
                }
                let notifiers = outbox.notifiers()?;
                Ok(plan(parcels, &notifiers, &*env, wanted.as_deref(), now))
            })
            .await?;
        let mut round =
            Round { unready: plan.unready.clone(), next: plan.next, ..Round::default() };
        if plan.due.is_empty() && plan.superseded.is_empty() && plan.dead.is_empty() {
            self.rest().await?;
            return Ok(round);
        }
        let holder = self.terms.holder.clone();
        if !self.with(move |outbox| outbox.turn(&holder, TURN)).await? {
            self.turn = false;
            return Ok(Round { elsewhere: true, ..round });
        }
        self.turn = true;
        self.clear(&plan, &mut round).await?;
        self.send(plan.due, now, &mut round).await?;
        Ok(round)
    }

    /// Deliver until `stop` is ready. Troubles of the outbox are logged and tried again.
    pub async fn run(mut self, clock: impl Fn() -> Timestamp, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut said = BTreeMap::new();
        loop {
            let wait = match self.round(clock(), None).await {
                Ok(round) => {
                    if round.unready != said {
                        for (to, why) in &round.unready {
                            tracing::warn!(to, why, "cannot deliver from here");
                        }
                        said = round.unready;
                    }
                    let paced = round.paced.map(|at| at.duration_since(clock()));
                    paced.map_or(POLL, |p| Duration::try_from(p).unwrap_or_default().min(POLL))
                }
                Err(refused) => {
                    tracing::warn!(why = refused.message, "the outbox cannot be used");
                    POLL * 5
                }
            };
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        let _ = self.rest().await;
    }

    /// Let another process deliver.
    pub async fn rest(&mut self) -> Result<(), Refused> {
        if std::mem::take(&mut self.turn) {
            let holder = self.terms.holder.clone();
            self.with(move |outbox| outbox.end_turn(&holder)).await?;
        }
        Ok(())
    }

    /// Take away what need not, or never can, be sent.
    async fn clear(&self, plan: &Plan, round: &mut Round) -> Result<(), Refused> {
        round.superseded = plan.superseded.len() as u64;
        round.dead = plan.dead.len() as u64;
        let (superseded, dead) = (plan.superseded.clone(), plan.dead.clone());
        self.with(move |outbox| {
            if !superseded.is_empty() {
                outbox.done(&superseded.iter().map(String::as_str).collect::<Vec<_>>())?;
            }
            dead.iter().try_for_each(|(key, why)| outbox.tried(key, why, None))
        })
        .await
    }

    /// Every lane that may, works; all at the same time.
    async fn send(
        &mut self,
        due: BTreeMap<String, Vec<Job>>,
        now: Timestamp,
        round: &mut Round,
    ) -> Result<(), Refused> {
        let origin = self.with(|outbox| outbox.origin()).await?;
        let sooner = |a: Option<Timestamp>, b: Timestamp| Some(a.map_or(b, |a| a.min(b)));
        let mut ready = Vec::new();
        for (name, jobs) in due {
            let memory = self.lanes.remove(&name).unwrap_or_default();
            match memory.not_before {
                Some(at) if at > now => {
                    round.next = sooner(round.next, at);
                    if !memory.resting {
                        round.paced = sooner(round.paced, at);
                    }
                    self.lanes.insert(name, memory);
                }
                _ => ready.push((name, jobs, memory)),
            }
        }
        let at_work = ready
            .into_iter()
            .map(|(name, jobs, memory)| self.work(name, jobs, memory, &origin, now));
        for end in join_all(at_work).await {
            let end = end?;
            round.sent += end.sent;
            round.failed += end.failed;
            round.dead += end.dead;
            if let Some(at) = end.next {
                round.next = sooner(round.next, at);
            }
            if end.left > 0
                && let Some(at) = end.memory.not_before
            {
                round.next = sooner(round.next, at);
                if !end.memory.resting {
                    round.paced = sooner(round.paced, at);
                }
            }
            self.lanes.insert(end.name, end.memory);
        }
        Ok(())
    }

    /// One lane: as many of its jobs as its pace allows, until one cannot be delivered.
    async fn work(
        &self,
        name: String,
        jobs: Vec<Job>,
        mut memory: Memory,
        origin: &str,
        now: Timestamp,
    ) -> Result<End, Refused> {
        let all = jobs.len();
        let mut end = End::default();
        memory.resting = false;
        for job in jobs {
            let pace = job.pace();
            if end.worked() >= pace.burst {
                break;
            }
            memory.not_before = Some(now + pace.every);
            match self.carry(&job, &mut memory, origin, now).await? {
                Fate::Sent { next } => {
                    end.sent += 1;
                    end.next = end.next.into_iter().chain(next).min();
                }
                Fate::Dead => end.dead += 1,
                Fate::Later { next, rest } => {
                    end.failed += u64::from(next.is_some());
                    end.dead += u64::from(next.is_none());
                    end.next = end.next.into_iter().chain(next).min();
                    memory.not_before = Some(now + rest);
                    memory.resting = true;
                    break;
                }
            }
        }
        end.left = all - end.worked();
        Ok(End { name, memory, ..end })
    }

    /// One job: send it, understand the answer, write down what became of it.
    async fn carry(
        &self,
        job: &Job,
        memory: &mut Memory,
        origin: &str,
        now: Timestamp,
    ) -> Result<Fate, Refused> {
        let key = job.parcel().key.clone();
        let stamp =
            Stamp { id: Stamp::id_of(origin, &key), now, source: self.terms.source.clone() };
        let Some(request) = job.request(&stamp) else {
            self.with(move |outbox| outbox.done(&[&key])).await?;
            return Ok(Fate::Sent { next: None });
        };
        if let Some((address, why, until)) = &memory.gone
            && *address == job.address()
            && *until > now
        {
            let why = why.clone();
            self.with(move |outbox| outbox.tried(&key, &why, None)).await?;
            return Ok(Fate::Dead);
        }
        let verdict = match self.wire.send(&request).await {
            Ok(response) => job.read(&request, &response, now),
            Err(Trouble::Unreachable(why)) => Verdict::Later { why, after: None },
            Err(never) => Verdict::Refused(request.scrub(&never.to_string())),
        };
        tracing::info!(key, id = stamp.id, ?verdict, "delivery");
        match verdict {
            Verdict::Done => {
                self.with(move |outbox| outbox.done(&[&key])).await?;
                Ok(Fate::Sent { next: None })
            }
            Verdict::Again(after) => {
                let next = now + after;
                self.with(move |outbox| outbox.tried(&key, "", Some(next))).await?;
                Ok(Fate::Sent { next: Some(next) })
            }
            Verdict::Later { why, after } => {
                let tried = job.parcel().attempts.saturating_add(1);
                let chance = backoff::chance(self.terms.seed, &key, tried);
                let next = job.again(chance, after).map(|wait| now + wait);
                let why = match next {
                    Some(_) => why,
                    None => format!("given up after {tried} tries: {why}"),
                };
                self.with(move |outbox| outbox.tried(&key, &why, next)).await?;
                let rest = after.unwrap_or_default().max(REST);
                Ok(Fate::Later { next, rest })
            }
            Verdict::Refused(why) => {
                self.with(move |outbox| outbox.tried(&key, &why, None)).await?;
                Ok(Fate::Dead)
            }
            Verdict::Gone(why) => {
                let why = format!("nobody is at this address any more: {why}");
                memory.gone = Some((job.address(), why.clone(), now + GONE));
                self.with(move |outbox| outbox.tried(&key, &why, None)).await?;
                Ok(Fate::Dead)
            }
        }
    }

    /// Speak to the outbox on a thread that may block.
    async fn with<T: Send + 'static>(
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

/// What became of one job.
enum Fate {
    /// It arrived; perhaps to be said again.
    Sent { next: Option<Timestamp> },
    /// It did not, and its lane rests; `None`: it is given up.
    Later { next: Option<Timestamp>, rest: Duration },
    /// It never will.
    Dead,
}

/// What a lane did in a round.
#[derive(Default)]
struct End {
    name: String,
    memory: Memory,
    sent: u64,
    failed: u64,
    dead: u64,
    /// Due ones that were not tried.
    left: usize,
    next: Option<Timestamp>,
}

impl End {
    fn worked(&self) -> usize {
        usize::try_from(self.sent + self.failed + self.dead).unwrap_or(usize::MAX)
    }
}
