//! The syncer: collects, sends each backend its rows in order, looks for annotations that come
//! back, and writes down what became of each.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Load, Place, Sender, label_studio};
use crate::desk::Local;
use crate::desk::backends::KIND;
use crate::desk::outbox::{Outbox as _, Parcel};
use crate::domain::Timestamp;
use crate::policy::{Backend, BackendKind};
use crate::protocol::{Refused, Why};
use crate::sync::backoff;
use crate::sync::turn::{TURN, Turn, renewals};
use crate::sync::wire::Wire;
use crate::sync::{Round, Terms};

/// Rows read, and rows sent in one go.
const PAGE: usize = 1000;
const BATCH: usize = 100;
/// How long one backend's work lasts before others' rows are looked for.
const SHIFT: Duration = Duration::from_secs(20);
/// How often [`Syncer::run`] looks, and how often it asks a backend for annotations.
const POLL: Duration = Duration::from_secs(1);
const PULL: Duration = Duration::from_secs(30);

/// Carries corrections from a desk to the backends of its policy.
pub struct Syncer {
    desk: Local,
    wire: Arc<dyn Wire>,
    terms: Terms,
    at_work: JoinSet<(String, Result<End, Refused>)>,
    busy: HashSet<String>,
    turn: Turn,
}

impl fmt::Debug for Syncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syncer").field("holder", &self.terms.holder).finish_non_exhaustive()
    }
}

/// What was done for one backend.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    sent: u64,
    failed: u64,
    dead: u64,
    next: Option<Timestamp>,
}

/// Which backends, and how eagerly.
#[derive(Clone, Copy, Debug)]
struct Ask<'a> {
    /// This one alone, whether it is time to try again or not.
    only: Option<&'a str>,
    /// Look for annotations now, whenever that was done last.
    pull_now: bool,
}

impl Syncer {
    /// A syncer with nothing to do yet.
    pub fn new(desk: Local, wire: Arc<dyn Wire>, terms: Terms) -> Self {
        let (at_work, busy, turn) = (JoinSet::new(), HashSet::new(), Turn::default());
        Self { desk, wire, terms, at_work, busy, turn }
    }

    /// Collect, send what may go at `now` (wall time), take annotations in, and wait for all of it.
    /// `only`: this backend alone, even if it would not be tried again yet.
    pub async fn round(&mut self, now: Timestamp, only: Option<&str>) -> Result<Round, Refused> {
        let mut round = self.start(now, Ask { only, pull_now: true }).await?;
        let mut renewals = renewals();
        while !self.at_work.is_empty() {
            tokio::select! {
                Some((_, end)) = self.ended() => add(&mut round, end?),
                _ = renewals.tick() => self.keep().await,
            }
        }
        Ok(round)
    }

    /// Sync until `stop` is ready. Troubles of the store are logged and tried again.
    pub async fn run(mut self, clock: impl Fn() -> Timestamp, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut renewals = renewals();
        let mut said = BTreeMap::new();
        loop {
            let wait = match self.start(clock(), Ask { only: None, pull_now: false }).await {
                Ok(round) => {
                    let more = u32::try_from(1 + round.waiting / PAGE).unwrap_or(u32::MAX);
                    if round.unready != said {
                        for (to, why) in &round.unready {
                            tracing::warn!(to, why, "cannot sync from here");
                        }
                        said = round.unready;
                    }
                    // The more waits, the less often all of it is looked through.
                    POLL.saturating_mul(more)
                }
                Err(refused) => {
                    tracing::warn!(why = refused.message, "corrections cannot be synced");
                    POLL * 5
                }
            };
            let again = tokio::time::Instant::now() + wait;
            loop {
                let busy = !self.at_work.is_empty();
                tokio::select! {
                    () = &mut stop => return self.finish().await,
                    () = tokio::time::sleep_until(again) => break,
                    _ = renewals.tick(), if busy => self.keep().await,
                    Some((to, end)) = self.ended() => {
                        if let Err(refused) = end {
                            let why = refused.message;
                            tracing::warn!(to, why, "a backend could not be synced");
                            tokio::time::sleep(POLL).await;
                        }
                        break;
                    }
                }
            }
        }
    }

    /// What is on the wire may still arrive; it is noted if there is time.
    async fn finish(mut self) {
        let mut renewals = renewals();
        while !self.at_work.is_empty() {
            tokio::select! {
                Some(_) = self.ended() => {}
                _ = renewals.tick() => self.keep().await,
            }
        }
        let _ = self.rest().await;
    }

    /// Keep the turn for those at work.
    async fn keep(&self) {
        match self.hold().await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("another process has taken the turn to sync"),
            Err(refused) => {
                tracing::warn!(why = refused.message, "the turn to sync is not held");
            }
        }
    }

    /// Have the turn, if no other has it.
    async fn hold(&self) -> Result<bool, Refused> {
        let asked = tokio::time::Instant::now();
        let (desk, holder) = (self.desk.clone(), self.terms.holder.clone());
        let ours = blocking(move || desk.backends_turn(&holder, TURN)).await?;
        self.turn.set(ours, asked);
        Ok(ours)
    }

    /// Let another process sync.
    pub async fn rest(&mut self) -> Result<(), Refused> {
        if self.turn.leave() {
            let (desk, holder) = (self.desk.clone(), self.terms.holder.clone());
            blocking(move || desk.end_backends_turn(&holder)).await?;
        }
        Ok(())
    }

    /// Put a worker on every backend that has something to do.
    async fn start(&mut self, now: Timestamp, ask: Ask<'_>) -> Result<Round, Refused> {
        // A look may take long.
        if !self.at_work.is_empty() {
            self.keep().await;
        }
        let desk = self.desk.clone();
        let (backends, mut rows) = blocking(move || {
            let backends = desk.backends()?;
            if backends.is_empty() {
                // Rows may be left of backends that the policy had before: they wait for its return.
                return Ok((backends, BTreeMap::new()));
            }
            desk.collect()?;
            Ok((backends, rows(&desk)?))
        })
        .await?;
        let mut round = Round { waiting: rows.values().map(Vec::len).sum(), ..Round::default() };
        let mut due = Vec::new();
        for backend in backends {
            if ask.only.is_some_and(|only| only != backend.name)
                || self.busy.contains(&backend.name)
            {
                continue;
            }
            let parcels = rows.remove(&backend.name).unwrap_or_default();
            let wait = parcels.first().and_then(|p| p.next_at).filter(|at| *at > now);
            let waits = ask.only.is_none() && wait.is_some();
            if waits && let Some(at) = wait {
                round.next = round.next.into_iter().chain([at]).min();
            }
            let pull = self.pull_due(&backend, now, ask).await?;
            if (parcels.is_empty() || waits) && !pull {
                continue;
            }
            match Place::of(&backend, &*self.terms.env) {
                Ok(place) => due.push((place, if waits { Vec::new() } else { parcels }, pull)),
                Err(why) => {
                    round.unready.insert(backend.name, why.to_string());
                }
            }
        }
        if due.is_empty() && self.busy.is_empty() {
            self.rest().await?;
            return Ok(round);
        }
        // Also for those at work: the turn lasts as long as they do.
        if !self.hold().await? {
            return Ok(Round { elsewhere: true, ..round });
        }
        for (place, parcels, pull) in due {
            let name = place.backend.name.clone();
            self.busy.insert(name.clone());
            let worker = Worker {
                desk: self.desk.clone(),
                wire: self.wire.clone(),
                terms: self.terms.clone(),
                place,
                turn: self.turn.clone(),
                now,
            };
            self.at_work.spawn(async move { (name, worker.work(parcels, pull).await) });
        }
        Ok(round)
    }

    /// Is it time to look for annotations?
    async fn pull_due(
        &self,
        backend: &Backend,
        now: Timestamp,
        ask: Ask<'_>,
    ) -> Result<bool, Refused> {
        if backend.kind != BackendKind::LabelStudio || !backend.pull {
            return Ok(false);
        }
        let (desk, name) = (self.desk.clone(), backend.name.clone());
        let (_, looked_at) = blocking(move || desk.pull_cursor(&name)).await?;
        // (A look in the future is one before the clock was set back.)
        Ok(ask.pull_now || looked_at.is_none_or(|at| !(at..at + PULL).contains(&now)))
    }

    /// The next worker that ends; `None`: nobody is at work.
    async fn ended(&mut self) -> Option<(String, Result<End, Refused>)> {
        match self.at_work.join_next().await? {
            Ok((name, end)) => {
                self.busy.remove(&name);
                Some((name, end))
            }
            Err(e) => {
                if self.at_work.is_empty() {
                    self.busy.clear();
                }
                let failed = Refused::new(Why::Internal, format!("a worker of sync failed: {e}"))
                    .hint("this is a defect; what was not marked is sent again");
                Some((String::new(), Err(failed)))
            }
        }
    }
}

fn add(round: &mut Round, end: End) {
    round.sent += end.sent;
    round.failed += end.failed;
    round.dead += end.dead;
    round.next = round.next.into_iter().chain(end.next).min();
}

/// Rows that go to backends, by backend, oldest first: the first page of each.
fn rows(desk: &Local) -> Result<BTreeMap<String, Vec<Parcel>>, Refused> {
    let mut rows: BTreeMap<String, Vec<Parcel>> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = desk.waiting(KIND, after, PAGE)?;
        let full = page.len() == PAGE;
        after = page.last().map_or(after, |p| p.number);
        for parcel in page {
            let to = parcel.payload.get("to").and_then(|t| t.as_str()).unwrap_or_default();
            let of = rows.entry(to.to_owned()).or_default();
            if of.len() < PAGE {
                of.push(parcel);
            }
        }
        if !full {
            return Ok(rows);
        }
    }
}

/// Who works for one backend.
struct Worker {
    desk: Local,
    wire: Arc<dyn Wire>,
    terms: Terms,
    place: Place,
    turn: Turn,
    now: Timestamp,
}

impl Worker {
    async fn work(self, parcels: Vec<Parcel>, pull: bool) -> Result<End, Refused> {
        let desk = self.desk.clone();
        let (origin, tags) = blocking(move || Ok((desk.origin()?, desk.tags()?))).await?;
        let sender = Sender {
            place: &self.place,
            wire: &*self.wire,
            origin: &origin,
            source: &self.terms.source,
            tags: &tags,
            now: self.now,
        };
        let mut end = End::default();
        let began = tokio::time::Instant::now();
        for batch in parcels.chunks(BATCH) {
            if !self.turn.lasts()
                || !self.batch(&sender, batch, &mut end).await?
                || began.elapsed() > SHIFT
            {
                break;
            }
        }
        if pull && !label_studio::pull(&sender, &self.desk).await? {
            end.failed += 1;
        }
        Ok(end)
    }

    /// Send a batch; `false`: the backend cannot be reached now.
    async fn batch(
        &self,
        sender: &Sender<'_>,
        batch: &[Parcel],
        end: &mut End,
    ) -> Result<bool, Refused> {
        let (desk, backend) = (self.desk.clone(), self.place.backend.clone());
        let parcels = batch.to_vec();
        let loads: Vec<Load> = blocking(move || {
            let cargo = desk.cargo(&backend, &parcels)?;
            let both = parcels.into_iter().zip(cargo);
            Ok(both.map(|(parcel, cargo)| Load { parcel, cargo }).collect())
        })
        .await?;
        let done = sender.deliver(&loads).await;
        let name = self.place.backend.name.clone();
        tracing::info!(to = name, sent = done.sent.len(), later = ?done.later, "sync");
        end.sent += done.sent.len() as u64;
        end.dead += done.refused.len() as u64;
        let settled = |key: &String| {
            done.sent.contains(key)
                || done.gone.contains(key)
                || done.refused.iter().any(|(k, _)| k == key)
        };
        let mut tried: Vec<(String, String, Option<Timestamp>)> =
            done.refused.iter().map(|(key, why)| (key.clone(), why.clone(), None)).collect();
        let reached = done.later.is_none();
        // The oldest that did not get through waits for all behind it.
        if let Some((why, after)) = &done.later
            && let Some(first) = batch.iter().find(|p| !settled(&p.key))
        {
            let attempts = first.attempts.saturating_add(1);
            let chance = backoff::chance(self.terms.seed, &first.key, attempts);
            let next = backoff::steady(attempts, chance, *after)
                .map(|wait| backoff::after(self.now, wait));
            let why = match next {
                Some(_) => why.clone(),
                None => format!("given up after {attempts} tries: {why}"),
            };
            end.failed += u64::from(next.is_some());
            end.dead += u64::from(next.is_none());
            end.next = end.next.into_iter().chain(next).min();
            tried.push((first.key.clone(), why, next));
        }
        let desk = self.desk.clone();
        blocking(move || {
            if !(done.sent.is_empty() && done.gone.is_empty()) {
                desk.delivered(&name, &done.sent, &done.gone)?;
            }
            tried.iter().try_for_each(|(key, why, next)| desk.tried(key, why, *next))
        })
        .await?;
        Ok(reached)
    }
}

/// Speak to the desk on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Refused::new(Why::Internal, format!("a task of sync failed: {e}"))
            .hint("this is a defect; what was not marked is sent again"))
    })
}
