//! The courier: takes what waits in the outbox, sends it, says what became of it.
//!
//! Delivery is at least once, under an id that stays the same: a parcel is marked only after the
//! answer came. One process at a time has the turn; a process that lacks a secret leaves those
//! parcels to one that has it. Each lane has a worker of its own, so that a slow service holds up
//! no other.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::lane::{Job, Line, Plan, Planner};
use super::request::Verdict;
use super::turn::{TURN, Turn, renewals};
use super::wire::Wire;
use super::worker::{Desk, End, Memory};
use crate::desk::outbox::Outbox;
use crate::domain::Timestamp;
use crate::protocol::{Refused, Why};

/// How many parcels are read at once.
const PAGE: usize = 1000;
/// How often [`Courier::run`] looks; where a look takes long, it is a tenth of the time.
const POLL: Duration = Duration::from_secs(1);
const SHARE: u32 = 10;

/// Environment variables by name.
pub type Env = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a courier is given from outside.
#[derive(Clone)]
pub struct Terms {
    /// Where secrets come from.
    pub env: Env,
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
    /// Parcels that waited when it began.
    pub waiting: usize,
}

impl Round {
    fn soon(&mut self, at: Timestamp, paced: bool) {
        self.next = self.next.into_iter().chain([at]).min();
        if paced {
            self.paced = self.paced.into_iter().chain([at]).min();
        }
    }

    /// Add what a worker did.
    fn add(&mut self, end: &End) {
        self.sent += end.sent;
        self.failed += end.failed;
        self.dead += end.dead;
        if let Some(at) = end.next {
            self.soon(at, false);
        }
        if end.left > 0
            && let Some(at) = end.memory.not_before
        {
            self.soon(at, !end.memory.resting);
        }
    }
}

/// Carries parcels from an outbox over a wire.
pub struct Courier {
    desk: Desk,
    terms: Terms,
    /// Replies that wait and were read already: which line each waits in.
    known: HashMap<u64, Line>,
    /// Lanes that nobody works on now.
    lanes: HashMap<String, Memory>,
    /// Lanes that are worked on.
    at_work: JoinSet<Result<End, Refused>>,
    busy: Vec<String>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("holder", &self.terms.holder).finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier with nothing to do yet.
    pub fn new(outbox: Arc<dyn Outbox>, wire: Arc<dyn Wire>, terms: Terms) -> Self {
        let (source, seed, turn) = (terms.source.clone(), terms.seed, Turn::default());
        let desk = Desk { outbox, wire, source, seed, turn };
        Self {
            desk,
            terms,
            known: HashMap::new(),
            lanes: HashMap::new(),
            at_work: JoinSet::new(),
            busy: Vec::new(),
        }
    }

    /// Send what is due at `now` (wall time), as far as every lane's pace allows, and wait for all
    /// answers. `only`: to this notifier alone (`reply`: replies).
    pub async fn round(&mut self, now: Timestamp, only: Option<&str>) -> Result<Round, Refused> {
        let mut round = self.start(now, only).await?;
        let mut renewals = renewals();
        while !self.at_work.is_empty() {
            tokio::select! {
                Some(end) = self.ended() => round.add(&end?),
                _ = renewals.tick() => self.keep().await,
            }
        }
        Ok(round)
    }

    /// Deliver until `stop` is ready. Troubles of the outbox are logged and tried again.
    pub async fn run(mut self, clock: impl Fn() -> Timestamp, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut renewals = renewals();
        let mut said = BTreeMap::new();
        loop {
            let began = Instant::now();
            let wait = match self.start(clock(), None).await {
                Ok(round) => {
                    if round.unready != said {
                        for (to, why) in &round.unready {
                            tracing::warn!(to, why, "cannot deliver from here");
                        }
                        said = round.unready;
                    }
                    let poll = POLL.max(began.elapsed() * SHARE);
                    let paced = round.paced.map(|at| at.duration_since(clock()));
                    paced.map_or(poll, |p| Duration::try_from(p).unwrap_or_default().min(poll))
                }
                Err(refused) => {
                    tracing::warn!(why = refused.message, "the outbox cannot be used");
                    POLL * 5
                }
            };
            // A worker that ends may leave more that is due; until then there is only the clock.
            let again = Instant::now() + wait;
            loop {
                let busy = !self.at_work.is_empty();
                tokio::select! {
                    () = &mut stop => return self.finish().await,
                    () = tokio::time::sleep_until(again) => break,
                    _ = renewals.tick(), if busy => self.keep().await,
                    Some(end) = self.ended() => {
                        if let Err(refused) = end {
                            tracing::warn!(why = refused.message, "a delivery could not be noted");
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
            Ok(false) => tracing::warn!("another process has taken the turn to send"),
            Err(refused) => {
                tracing::warn!(why = refused.message, "the turn to send is not held");
            }
        }
    }

    /// Have the turn, if no other has it.
    async fn hold(&self) -> Result<bool, Refused> {
        let (holder, asked) = (self.terms.holder.clone(), Instant::now());
        let ours = self.desk.with(move |outbox| outbox.turn(&holder, TURN)).await?;
        self.desk.turn.set(ours, asked);
        Ok(ours)
    }

    /// Let another process deliver.
    pub async fn rest(&mut self) -> Result<(), Refused> {
        if self.desk.turn.leave() {
            let holder = self.terms.holder.clone();
            self.desk.with(move |outbox| outbox.end_turn(&holder)).await?;
        }
        Ok(())
    }

    /// Send a test alert to a notifier of the policy, and its resolution; what became of each.
    pub async fn test(&self, to: &str, now: Timestamp) -> Result<Vec<Verdict>, Refused> {
        let (env, to) = (self.terms.env.clone(), to.to_owned());
        let jobs = self
            .desk
            .with(move |outbox| {
                let notifiers = outbox.notifiers()?;
                Job::tests(&to, &notifiers, &*env, now).map_err(|why| {
                    Refused::new(Why::Invalid, why).hint("overrule policy show lists the notifiers")
                })
            })
            .await?;
        let mut verdicts = Vec::new();
        for job in &jobs {
            verdicts.push(self.desk.exchange(job, "overrule/test", now).await);
        }
        Ok(verdicts)
    }

    /// Look what is due, and put a worker on every lane that may go.
    async fn start(&mut self, now: Timestamp, only: Option<&str>) -> Result<Round, Refused> {
        // A look may take long.
        if !self.at_work.is_empty() {
            self.keep().await;
        }
        let env = self.terms.env.clone();
        let wanted = only.map(str::to_owned);
        // (Lost with a look that fails, it is read again.)
        let known = std::mem::take(&mut self.known);
        let look = self.desk.with(move |outbox| {
            let any = |kind| outbox.bare(kind, 0, 1).map(|found| !found.is_empty());
            if !(any("notify")? || any("reply")?) {
                return Ok(Look::default());
            }
            let notifiers = outbox.notifiers()?;
            let planner = Planner::new(&notifiers, &*env, wanted.as_deref(), now);
            everything(outbox, planner, known)
        });
        let Look { plan, waiting, known } = look.await?;
        self.known = known;
        let mut round = Round { unready: plan.unready, waiting, ..Round::default() };
        if let Some(at) = plan.next {
            round.soon(at, false);
        }
        if plan.due.is_empty() && plan.superseded.is_empty() && plan.dead.is_empty() {
            if self.busy.is_empty() {
                self.rest().await?;
            }
            return Ok(round);
        }
        if !self.hold().await? {
            return Ok(Round { elsewhere: true, ..round });
        }
        self.clear(plan.superseded, plan.dead, &mut round).await?;
        let origin = self.desk.with(|outbox| outbox.origin()).await?;
        for (name, jobs) in plan.due {
            if self.busy.contains(&name) {
                continue;
            }
            let memory = self.lanes.remove(&name).unwrap_or_default();
            match memory.not_before {
                Some(at) if at > now => {
                    round.soon(at, !memory.resting);
                    self.lanes.insert(name, memory);
                }
                _ => {
                    self.busy.push(name.clone());
                    let work = self.desk.clone().work(name, jobs, memory, origin.clone(), now);
                    self.at_work.spawn(work);
                }
            }
        }
        Ok(round)
    }

    /// The next worker that ends; `None`: nobody is at work.
    async fn ended(&mut self) -> Option<Result<End, Refused>> {
        let end = self.at_work.join_next().await?;
        let end = end.unwrap_or_else(|e| {
            Err(Refused::new(Why::Internal, format!("a worker of the courier failed: {e}"))
                .hint("this is a defect; what was not marked is sent again"))
        });
        match &end {
            Ok(end) => {
                self.busy.retain(|lane| *lane != end.name);
                self.lanes.insert(end.name.clone(), end.memory.clone());
            }
            // Which lane it was is not known; nobody is at work on one that has no worker.
            Err(_) if self.at_work.is_empty() => self.busy.clear(),
            Err(_) => {}
        }
        Some(end)
    }

    /// Take away what need not, or never can, be sent.
    async fn clear(
        &self,
        superseded: Vec<String>,
        dead: Vec<(String, String)>,
        round: &mut Round,
    ) -> Result<(), Refused> {
        round.superseded = superseded.len() as u64;
        round.dead = dead.len() as u64;
        self.desk
            .with(move |outbox| {
                if !superseded.is_empty() {
                    outbox.done(&superseded.iter().map(String::as_str).collect::<Vec<_>>())?;
                }
                dead.iter().try_for_each(|(key, why)| outbox.tried(key, why, None))
            })
            .await
    }
}

/// What a look found.
#[derive(Default)]
struct Look {
    plan: Plan,
    /// How many wait.
    waiting: usize,
    known: HashMap<u64, Line>,
}

/// A plan over every parcel that waits, due or not, and how many they are: what is said later about
/// one thing decides what is sent now, and what waits for one host stands before what goes to
/// others. Replies that were read before, and may not go now, are not read again: they may be many.
fn everything(
    outbox: &dyn Outbox,
    mut planner: Planner<'_>,
    mut before: HashMap<u64, Line>,
) -> Result<Look, Refused> {
    let (mut waiting, mut known) = (0, HashMap::new());
    for kind in ["notify", "reply"] {
        let mut after = 0;
        loop {
            let mut page = Vec::new();
            // Alerts are few: one takes the place of others.
            let mut whole = kind == "notify";
            if !whole {
                page = outbox.bare(kind, after, PAGE)?;
                whole = page.iter().any(|p| {
                    before.get(&p.number).is_none_or(|line| planner.wants(line, p.next_at))
                });
            }
            if whole {
                page = outbox.waiting(kind, after, PAGE)?;
            }
            let full = page.len() == PAGE;
            after = page.last().map_or(after, |p| p.number);
            waiting += page.len();
            for parcel in page {
                let (number, next_at) = (parcel.number, parcel.next_at);
                let line = match before.remove(&number).filter(|_| !whole) {
                    Some(line) => {
                        planner.pass(&line, next_at);
                        Some(line)
                    }
                    None => planner.take(parcel),
                };
                known.extend(line.map(|line| (number, line)));
            }
            if !full {
                break;
            }
        }
    }
    Ok(Look { plan: planner.end(), waiting, known })
}
