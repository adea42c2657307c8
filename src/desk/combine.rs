//! Admission for a server: what many callers submit at once is routed by one sequencer and
//! committed together.
//!
//! Records are parsed where they arrive, on the callers' own threads ([`super::submit`]). One thread takes whatever
//! waits at the moment, routes it in order on one look at what holds, and hands it to the store as
//! a few batches, one a name; while they are on their way to the disk the next ones gather. So a
//! commit is shared by as many as wait for it; nobody waits for company that is not about to come.
//!
//! A batch is decided on premises: control, policy, the person's row, and the table of tokens.
//! Where one of them moved, it is decided again: a revoked token, a disabled name or a stop is never
//! raced by what was already on its way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tokio::sync::oneshot;

use super::Local;
use super::admit::{admission, answer_of, letters, moment, raw, would_route};
use super::core::{Core, Sight, millis, refuse};
use super::prepare::{Prepared, Ready, prepare};
use super::salts::Salts;
use super::signals::Counted;
use super::submit::{Admissions, Ask, Shared, Turned};
use super::tally::Tally;
use super::tokens::{Identity, Known, TABLE, Unknown};
use crate::authority::{self, Subject};
use crate::domain::{Decision, Reviewer, Timestamp};
use crate::protocol::{Act, Admitted, Refusal, Refused, Why};
use crate::store::{Admission, AdmitBatch, AdmitResult, DeadLetter, Premises, StoreError, Ticket};

/// Lines taken up at once, and rows of one batch of the store.
const AT_ONCE: usize = 1000;
const ROWS: usize = 200;
/// Batches on their way to the disk while the next ones are routed: more would be smaller ones.
const AHEAD: usize = 1;
/// How often others are let go first.
const YIELDS: usize = 16;
/// How old a look at counts and clocks may be. (Control, policy, people and tokens are premises.)
const LOOK: Duration = Duration::from_millis(250);
/// How often one record is decided again before its caller is told to come again.
const ATTEMPTS: u8 = 16;

impl Local {
    /// Begin to take submissions.
    pub fn admissions(&self) -> Result<Admissions, Refused> {
        let core = self.core.clone();
        let sight = core.sight()?;
        let alive = Arc::new(());
        let shared = Arc::new(Shared::new(&sight, alive.clone()));
        let (to, from) = crossbeam_channel::unbounded();
        let sequencer = Sequencer {
            tally: Tally::load(&core, &sight)?,
            tokens: core.tokens_now()?,
            now: sight.now,
            sight,
            looked: Instant::now(),
            people: HashMap::new(),
            open: HashMap::new(),
            next: 0,
            flight: VecDeque::new(),
            from,
            shared: shared.clone(),
            core,
        };
        let run = move || {
            let _alive = alive;
            sequencer.run();
        };
        std::thread::Builder::new()
            .name("admission".into())
            .spawn(run)
            .map_err(|e| Refused::new(Why::Unavailable, format!("no thread for admission: {e}")))?;
        Ok(Admissions { to, shared })
    }
}

/// A submission some lines of which have no answer yet.
struct Open {
    who: Identity,
    source: Source,
    answers: Vec<Option<Admitted>>,
    left: usize,
    reply: oneshot::Sender<Result<Vec<Admitted>, Turned>>,
}

/// Where lines come from, and how many came from there before them.
#[derive(Clone, Default)]
struct Source {
    name: String,
    before: u64,
}

/// Whose answer a row is.
#[derive(Clone, Copy)]
struct Place {
    ask: u64,
    line: usize,
    attempts: u8,
}

/// A record to be routed.
struct Waiting {
    place: Place,
    ready: Box<Ready>,
    /// It was made ready under another policy than the one it is routed by.
    stale: bool,
}

/// What is on its way to the disk.
enum Flight {
    Rows {
        name: String,
        places: Vec<Place>,
        rows: Arc<Vec<Admission>>,
        /// What was read of them, where the windows of this process count them.
        read: Vec<Option<Arc<Decision>>>,
        ticket: Answers,
    },
    /// Lines that are not usable, and why.
    Letters { places: Vec<(Place, Refusal)>, ticket: Answers },
}

type Answers = Ticket<Vec<AdmitResult>>;

/// The thread's state.
struct Sequencer {
    core: Arc<Core>,
    from: Receiver<Ask>,
    shared: Arc<Shared>,
    sight: Sight,
    looked: Instant,
    tally: Tally,
    /// People as of the look.
    people: HashMap<String, Reviewer>,
    tokens: Arc<Known>,
    open: HashMap<u64, Open>,
    next: u64,
    flight: VecDeque<Flight>,
    /// Desk time, never backwards.
    now: Timestamp,
}

impl Sequencer {
    fn run(mut self) {
        loop {
            let mut asks = Vec::new();
            let mut lines = 0;
            if self.flight.is_empty() {
                // The last sender is gone, and everything is answered.
                let Ok(first) = self.from.recv() else { return };
                lines += first.prepared.len();
                asks.push(first);
                let_others_come(&self.from);
            }
            while lines < AT_ONCE {
                let Ok(ask) = self.from.try_recv() else { break };
                lines += ask.prepared.len();
                asks.push(ask);
            }
            if !asks.is_empty() {
                self.take(asks);
            }
            if self.flight.len() >= AHEAD || self.from.is_empty() {
                self.land();
            }
        }
    }

    /// Route what was submitted and send it to the store.
    fn take(&mut self, asks: Vec<Ask>) {
        if let Err(refused) = self.look_if_due(asks.iter().any(|ask| ask.dry_run)) {
            for ask in asks {
                let _ = ask.reply.send(Err(refused.clone().into()));
            }
            return;
        }
        let mut waiting: Vec<(String, Vec<Waiting>)> = Vec::new();
        let (mut dead, mut places) = (Vec::new(), Vec::new());
        for ask in asks {
            let Ask { who, source: name, before, prepared, under, dry_run, reply } = ask;
            let source = Source { name, before };
            if let Err(turned) = self.known(&who) {
                let _ = reply.send(Err(turned));
                continue;
            }
            let stale = under.hash != self.sight.snapshot.policy;
            if dry_run {
                let _ = reply.send(self.rehearse(prepared, stale).map_err(Turned::from));
                continue;
            }
            let id = self.next;
            self.next = self.next.wrapping_add(1);
            let name = who.name.clone();
            let mut answers = Vec::with_capacity(prepared.len());
            let mut rows = Vec::new();
            for (line, prepared) in prepared.into_iter().enumerate() {
                let place = Place { ask: id, line, attempts: 0 };
                answers.push(match prepared {
                    Prepared::Blank => Some(Admitted::Blank),
                    Prepared::Refused(refusal, bytes) => {
                        dead.push(self.letter(&source, place, &refusal, bytes));
                        places.push((place, refusal));
                        None
                    }
                    Prepared::Record(ready) => {
                        rows.push(Waiting { place, ready, stale });
                        None
                    }
                });
            }
            match waiting.iter_mut().find(|(known, _)| *known == name) {
                Some((_, all)) => all.extend(rows),
                None => waiting.push((name, rows)),
            }
            let left = answers.iter().filter(|a| a.is_none()).count();
            self.open.insert(id, Open { who, source, answers, left, reply });
            self.answer_if_done(id);
        }
        self.bury(dead, places);
        for (name, rows) in waiting {
            self.send(&name, rows);
        }
    }

    /// May whoever this is submit now? Their token as the table stands, then who they are.
    fn known(&mut self, who: &Identity) -> Result<(), Turned> {
        if who.version != self.tokens.version {
            self.tokens = self.core.tokens_now()?;
            let wall = self.core.wall_now();
            self.tokens.of_id(&who.token, wall).map_err(Turned::Unknown)?;
        }
        let person = self.person(&who.name)?;
        authority::may(&person, Act::Admit, Subject::default())?;
        Ok(())
    }

    fn person(&mut self, name: &str) -> Result<Reviewer, Refused> {
        if let Some(person) = self.people.get(name) {
            return Ok(person.clone());
        }
        let person = self.core.actor(name)?;
        self.people.insert(name.to_owned(), person.clone());
        Ok(person)
    }

    /// Look anew where the look is old, or a stop of this process is newer than it.
    fn look_if_due(&mut self, tokens: bool) -> Result<(), Refused> {
        let moved = self.sight.epoch != self.core.controls.epoch();
        if moved || self.looked.elapsed() >= LOOK {
            self.look()?;
        } else if tokens {
            // What commits nothing has no premise to be caught by.
            self.tokens = self.core.tokens_now()?;
        }
        self.sight.wall = millis(self.core.wall_now());
        Ok(())
    }

    /// Look at what holds now.
    fn look(&mut self) -> Result<(), Refused> {
        // Counts are exact only when nothing is on its way.
        if Tally::tells_known(&self.sight) {
            self.land_all();
        }
        let sight = self.core.sight()?;
        // What is on its way is not forgotten.
        self.sight = Sight { cooling: std::mem::take(&mut self.sight.cooling), ..sight };
        self.tally = Tally::load(&self.core, &self.sight)?;
        self.people.clear();
        self.tokens = self.core.tokens_now()?;
        self.looked = Instant::now();
        self.shared.renew(&self.sight);
        Ok(())
    }

    /// Desk time now: the wall clock's, or where the record clock stands.
    fn clock(&self) -> Timestamp {
        if self.sight.snapshot.record_clock {
            return self.now.max(self.sight.now);
        }
        self.sight.wall.max(self.now)
    }

    /// Route in the name of one person; all of it is in flight then, or answered with why not.
    fn send(&mut self, name: &str, mut waiting: Vec<Waiting>) {
        loop {
            // On the table of tokens that is about to be the premise.
            waiting = self.still_known(waiting);
            if waiting.is_empty() {
                return;
            }
            let asks: Vec<u64> = waiting.iter().map(|w| w.place.ask).collect();
            match self.batch(name, waiting) {
                Ok((flight, left, changed)) => {
                    self.flight.push_back(flight);
                    waiting = left;
                    // An effect has changed what holds: what comes next is routed on that.
                    if changed {
                        self.land_all();
                        if let Err(refused) = self.look() {
                            return self.fail(waiting.iter().map(|w| w.place.ask), &refused.into());
                        }
                    }
                }
                Err(turned) => return self.fail(asks.into_iter(), &turned),
            }
        }
    }

    /// Without the rows of those whose tokens open nothing any more; they are answered so.
    fn still_known(&mut self, waiting: Vec<Waiting>) -> Vec<Waiting> {
        let wall = self.sight.wall;
        let mut turned: HashMap<u64, Unknown> = HashMap::new();
        for ask in waiting.iter().map(|w| w.place.ask) {
            let who = self.open.get(&ask).map(|open| &open.who);
            if let Some(who) = who.filter(|who| who.version != self.tokens.version)
                && let Err(unknown) = self.tokens.of_id(&who.token, wall)
            {
                turned.insert(ask, unknown);
            }
        }
        for (ask, unknown) in &turned {
            self.fail(std::iter::once(*ask), &Turned::Unknown(*unknown));
        }
        waiting.into_iter().filter(|w| !turned.contains_key(&w.place.ask)).collect()
    }

    /// Route a batch on the present sight and queue it. A row that sets off an effect on control
    /// is the last of its batch; what is left comes back.
    fn batch(
        &mut self,
        name: &str,
        waiting: Vec<Waiting>,
    ) -> Result<(Flight, Vec<Waiting>, bool), Turned> {
        let person = self.person(name)?;
        authority::may(&person, Act::Admit, Subject::default())?;
        let known = match Tally::tells_known(&self.sight) {
            true => {
                let ids: Vec<&str> = waiting.iter().map(|w| w.ready.id.as_str()).collect();
                self.core.store.known(&ids).map_err(refuse)?
            }
            false => Vec::new(),
        };
        let (mut places, mut rows, mut read) = (Vec::new(), Vec::new(), Vec::new());
        let counted = self.core.fresh.is_wanted();
        let mut waiting = waiting.into_iter().enumerate();
        let mut changed = false;
        while rows.len() < ROWS && !changed {
            let Some((i, Waiting { place, ready, stale })) = waiting.next() else { break };
            let ready = if stale { self.again_ready(ready.raw())? } else { ready };
            let at = moment(&self.sight, &ready, self.clock());
            self.now = at;
            read.extend(counted.then(|| ready.decision()));
            let known = known.get(i).copied().unwrap_or(false);
            let made = self.core.with_gauges(&self.sight, at, |gauges| {
                // What is known already is answered as it was and counts no more.
                let mut aside = known.then(|| gauges.clone());
                let gauges = aside.as_mut().unwrap_or(gauges);
                admission(&self.core, *ready, &self.sight, (&self.tally, gauges), name, at)
            })??;
            if !known {
                self.tally.count(&made);
            }
            places.push(place);
            rows.push(made);
            changed = self.sight.take_changed().is_some();
        }
        let rows = Arc::new(rows);
        let ticket = self.core.store.admit(AdmitBatch {
            premises: Premises {
                actor: Some((person.name, person.version)),
                state: vec![(TABLE.to_owned(), self.tokens.version)],
                ..self.sight.premises()
            },
            now: self.now,
            rows: rows.clone(),
            dead: Vec::new(),
            bulk: false,
        });
        let left = waiting.map(|(_, row)| row).collect();
        Ok((Flight::Rows { name: name.to_owned(), places, rows, read, ticket }, left, changed))
    }

    /// A record made ready under the policy in force now.
    fn again_ready(&self, bytes: Vec<u8>) -> Result<Box<Ready>, Refused> {
        let (key, policy) = (&self.sight.snapshot.key, self.sight.policy.as_deref());
        match prepare(bytes, key, policy, &mut Salts::of(1))? {
            Prepared::Record(ready) => Ok(ready),
            _ => Err(Refused::new(Why::Internal, "a record is not one the second time")),
        }
    }

    /// What the routes would be. Uses up no limit.
    fn rehearse(&mut self, lines: Vec<Prepared>, stale: bool) -> Result<Vec<Admitted>, Refused> {
        let mut answers = Vec::with_capacity(lines.len());
        for line in lines {
            answers.push(match line {
                Prepared::Blank => Admitted::Blank,
                Prepared::Refused(refusal, _) => Admitted::Refused(refusal),
                Prepared::Record(ready) => {
                    let ready = if stale { self.again_ready(ready.raw())? } else { ready };
                    let at = moment(&self.sight, &ready, self.clock());
                    let route = self.core.with_gauges(&self.sight, at, |gauges| {
                        would_route(&ready, &self.sight, &self.tally, &mut gauges.clone(), at)
                    })?;
                    Admitted::Route(Box::new(route))
                }
            });
        }
        Ok(answers)
    }

    fn letter(&self, source: &Source, at: Place, refusal: &Refusal, bytes: Vec<u8>) -> DeadLetter {
        let Refusal { reason, message } = refusal.clone();
        let Source { name: source, before } = source.clone();
        let line = u64::try_from(at.line).unwrap_or(u64::MAX).saturating_add(1);
        let line = line.saturating_add(before);
        DeadLetter { source, line, reason, message, bytes, at: self.sight.wall }
    }

    /// Keep lines that are not usable. On their own: no premise keeps them from being kept.
    fn bury(&mut self, dead: Vec<DeadLetter>, places: Vec<(Place, Refusal)>) {
        if !dead.is_empty() {
            let ticket = self.core.store.admit(letters(dead));
            self.flight.push_back(Flight::Letters { places, ticket });
        }
    }

    /// Wait for the oldest batch, and answer.
    fn land(&mut self) {
        match self.flight.pop_front() {
            None => {}
            Some(Flight::Letters { places, ticket }) => match ticket.wait() {
                Ok(_) => {
                    for (place, refusal) in places {
                        self.answer(place, Admitted::Refused(refusal));
                    }
                }
                Err(error) => {
                    let asks = places.into_iter().map(|(place, _)| place.ask);
                    self.fail(asks, &refuse(error).into());
                }
            },
            Some(Flight::Rows { name, places, rows, read, ticket }) => {
                let results = ticket.wait();
                self.core.cooled_by(&self.sight, &rows, results.as_deref().ok());
                match results {
                    Ok(results) => {
                        self.count(&rows, read, &results);
                        self.landed(&places, &rows, results);
                    }
                    Err(StoreError::Premise(premise)) => {
                        tracing::debug!(%premise, "decided again");
                        self.again(&name, places, &rows);
                    }
                    Err(error) => {
                        self.fail(places.into_iter().map(|p| p.ask), &refuse(error).into());
                    }
                }
            }
        }
    }

    /// Tell the keeper of this process what it need not read back.
    fn count(&self, rows: &[Admission], read: Vec<Option<Arc<Decision>>>, done: &[AdmitResult]) {
        let stored = rows.iter().zip(read).zip(done);
        self.core.fresh.keep(stored.filter_map(|((row, read), done)| match done {
            AdmitResult::New(index) => Counted::of(*index, row, read?),
            AdmitResult::Duplicate(_) | AdmitResult::Conflict => None,
        }));
    }

    fn land_all(&mut self) {
        while !self.flight.is_empty() {
            self.land();
        }
    }

    fn landed(&mut self, places: &[Place], rows: &[Admission], results: Vec<AdmitResult>) {
        // Known from the answers: asking the store would make it read what was just written.
        let last = results.iter().filter_map(|one| match one {
            AdmitResult::New(index) => Some(index + 1),
            AdmitResult::Duplicate(_) | AdmitResult::Conflict => None,
        });
        if let Some(head) = last.max() {
            self.core.grown(head);
        }
        let (mut dead, mut clashes) = (Vec::new(), Vec::new());
        for ((place, row), result) in places.iter().zip(rows).zip(results) {
            match answer_of(result, &row.route) {
                Ok(route) => {
                    self.answer(*place, Admitted::Route(Box::new(route.into_owned())));
                }
                Err(refusal) => {
                    let source = self.open.get(&place.ask).map(|open| open.source.clone());
                    let source = source.unwrap_or_default();
                    dead.push(self.letter(&source, *place, &refusal, raw(row)));
                    clashes.push((*place, refusal));
                }
            }
        }
        self.bury(dead, clashes);
    }

    /// What a batch was decided on has moved: decide again, for those who still may.
    fn again(&mut self, name: &str, places: Vec<Place>, rows: &[Admission]) {
        if let Err(refused) = self.look() {
            return self.fail(places.into_iter().map(|p| p.ask), &refused.into());
        }
        let mut waiting = Vec::with_capacity(rows.len());
        for (mut place, row) in places.into_iter().zip(rows) {
            let Some(who) = self.open.get(&place.ask).map(|open| open.who.clone()) else {
                continue;
            };
            place.attempts += 1;
            let known = match place.attempts > ATTEMPTS {
                true => Err(Refused::new(Why::Unavailable, "what decides this keeps changing")
                    .hint("send it again in a moment")
                    .into()),
                false => self.known(&who),
            };
            let made = known.and_then(|()| Ok(self.again_ready(raw(row))?));
            match made {
                Ok(ready) => waiting.push(Waiting { place, ready, stale: false }),
                Err(turned) => self.fail([place.ask].into_iter(), &turned),
            }
        }
        self.send(name, waiting);
    }

    fn answer(&mut self, place: Place, answer: Admitted) {
        let Some(open) = self.open.get_mut(&place.ask) else { return };
        if let Some(slot @ None) = open.answers.get_mut(place.line) {
            *slot = Some(answer);
            open.left -= 1;
        }
        self.answer_if_done(place.ask);
    }

    fn answer_if_done(&mut self, ask: u64) {
        if self.open.get(&ask).is_some_and(|open| open.left == 0)
            && let Some(open) = self.open.remove(&ask)
        {
            // Whoever does not wait any more finds the same answer when they send it again.
            let _ = open.reply.send(Ok(open.answers.into_iter().flatten().collect()));
        }
    }

    fn fail(&mut self, asks: impl Iterator<Item = u64>, turned: &Turned) {
        for ask in asks {
            if let Some(open) = self.open.remove(&ask) {
                let _ = open.reply.send(Err(turned.clone()));
            }
        }
    }
}

/// Whoever was answered with the last batch may be about to submit again: as long as more come, let
/// them go first, so that they share a commit. Costs whoever is alone one call of the system.
fn let_others_come(queue: &Receiver<Ask>) {
    let mut there = queue.len();
    for _ in 0..YIELDS {
        std::thread::yield_now();
        let now = queue.len();
        if now == there {
            return;
        }
        there = now;
    }
}
