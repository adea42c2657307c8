//! Bulk admission: files of any size in constant memory, parsed on many threads, routed in order.
//!
//! ```text
//! reader (one a source) ─ chunks of lines ─▶ workers: parse, canonical form, hashes
//!        └──────────── the same order ─────▶ sequencer: clock, counts, route ─▶ store's writer
//! ```
//!
//! Channels are short, so a slow store slows the readers. On the record clock sources are merged
//! by time; otherwise they follow one another. Running it again is safe: what is stored already
//! answers as a duplicate.

mod lines;
mod replay;
mod told;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use lines::next_line;
use lines::{Chunk, Place, Source};
use replay::Replay;
pub use replay::ReplayVerdict;
pub use told::{IngestEvent, IngestOptions, Input, Summary};

use super::admit::{admission, answer_of, letters, moment, raw};
use super::contain::Gauges;
use super::core::{Core, Sight, refuse};
use super::prepare::{Prepared, Ready, prepare};
use super::salts::Salts;
use super::tally::Tally;
use super::{Door, Local};
use crate::authority::{self, Subject};
use crate::domain::{Reviewer, Route, Timestamp};
use crate::protocol::{Act, Refusal, Refused, Why};
use crate::store::{Admission, AdmitBatch, AdmitResult, DeadLetter, Premises, StoreError, Ticket};

/// Rows of one store batch: what a bulk writer commits at most before it yields.
const ROWS: usize = 200;
/// Batches on their way to the disk while the next ones are routed.
const IN_FLIGHT: usize = 12;
/// How long rows of a slow stream wait for company.
const LINGER: Duration = Duration::from_millis(50);
/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(100);

/// Admit everything in `inputs`, in order; `on` hears of each line in order.
pub fn run(
    local: &Local,
    inputs: Vec<Input>,
    options: IngestOptions,
    on: &mut dyn FnMut(IngestEvent<'_>),
) -> Result<Summary, Refused> {
    let by = options.by.clone();
    let attempt = (&Door::default(), by.as_str(), authority::name(Act::Admit), "");
    local.core.noted(attempt, admit_all(local, inputs, options, on))
}

fn admit_all(
    local: &Local,
    inputs: Vec<Input>,
    options: IngestOptions,
    on: &mut dyn FnMut(IngestEvent<'_>),
) -> Result<Summary, Refused> {
    let core = &local.core;
    let actor = core.actor(&options.by)?;
    authority::may(&actor, Act::Admit, Subject::default())?;
    let sight = core.sight()?;
    let read = Arc::new(AtomicU64::new(0));
    let mut source = Source::start(
        inputs,
        sight.snapshot.key,
        sight.policy.clone(),
        sight.snapshot.record_clock,
        &read,
        &options.stop,
    );
    let tally = Tally::load(core, &sight)?;
    let dry_run = options.dry_run;
    let mut run = Run {
        core,
        by: actor,
        dry_run,
        now: sight.now,
        ticked: sight.now,
        replay: Replay::new(options.verdicts),
        prepared_under: sight.snapshot.policy.clone(),
        sight,
        tally,
        waiting: Vec::new(),
        dead: Vec::new(),
        flight: VecDeque::new(),
        seen: HashSet::new(),
        rehearsed: None,
        summary: Summary::default(),
        on,
    };
    let mut told = Instant::now();
    loop {
        if options.stop.load(Ordering::Relaxed) {
            run.summary.interrupted = true;
            break;
        }
        match source.next(LINGER)? {
            Chunk::Line(place, prepared) => run.line(place, prepared)?,
            // Nothing more for now: whoever reads the answers gets those there are.
            Chunk::Quiet => {
                run.flush()?;
                run.land_all()?;
            }
            Chunk::End => break,
        }
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            let (bytes, lines) = (read.load(Ordering::Relaxed), run.summary.lines);
            (run.on)(IngestEvent::Progress { bytes, lines });
        }
    }
    // What was read is stored, whether the end was reached or somebody stopped it.
    run.flush()?;
    run.land_all()?;
    // Verdicts on what was not read yet are not given before their time.
    if !run.summary.interrupted {
        run.verdicts_until(None)?;
    }
    if !dry_run && run.sight.snapshot.record_clock {
        run.core.watch_at(None)?;
    }
    let (bytes, lines) = (read.load(Ordering::Relaxed), run.summary.lines);
    (run.on)(IngestEvent::Progress { bytes, lines });
    Ok(run.summary)
}

/// A record that waits for the batch to fill.
struct Waiting {
    place: Place,
    ready: Box<Ready>,
    at: Timestamp,
}

/// Routed records on their way to the disk, and where each was read.
struct Batch {
    places: Vec<Place>,
    rows: Arc<Vec<Admission>>,
}

/// A batch with the promise of its answers.
type Flight = (Batch, Ticket<Vec<AdmitResult>>);

/// The sequencer's state.
struct Run<'a> {
    core: &'a Core,
    /// Who admits, as of the last look.
    by: Reviewer,
    dry_run: bool,
    sight: Sight,
    now: Timestamp,
    /// Desk time up to which what happens by itself has happened (record clock).
    ticked: Timestamp,
    /// The policy by which the readers know what to redact: the one in force when they started.
    prepared_under: Option<String>,
    tally: Tally,
    replay: Replay,
    waiting: Vec<Waiting>,
    dead: Vec<DeadLetter>,
    flight: VecDeque<Flight>,
    /// Dry runs store nothing, so they remember what they have seen.
    seen: HashSet<String>,
    /// The gauges of a dry run: it uses up nothing.
    rehearsed: Option<Gauges>,
    summary: Summary,
    on: &'a mut dyn FnMut(IngestEvent<'_>),
}

impl Run<'_> {
    fn line(&mut self, place: Place, prepared: Prepared) -> Result<(), Refused> {
        self.summary.lines += 1;
        match prepared {
            Prepared::Blank => self.summary.blank += 1,
            Prepared::Refused(refusal, bytes) => self.refuse_line(&place, &refusal, bytes),
            Prepared::Record(ready) => {
                let at = moment(&self.sight, &ready, self.clock());
                self.verdicts_until(Some(at))?;
                self.tick_until(at)?;
                self.now = at;
                let judged = self.replay.knows(&ready.id);
                self.waiting.push(Waiting { place, ready, at });
                if judged || self.waiting.len() >= ROWS {
                    self.flush()?;
                }
            }
        }
        if self.dead.len() >= ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Under the record clock, what happens by itself happens on the way, at the times at which it
    /// would have happened then: every five minutes of desk time, a few times in a long silence
    /// where conditions may change as windows empty.
    fn tick_until(&mut self, at: Timestamp) -> Result<(), Refused> {
        const SLOT: i64 = 300;
        const STEPS: i64 = 4;
        let slot = |time: Timestamp| time.as_second().div_euclid(SLOT);
        let (from, to) = (slot(self.ticked.max(self.now)), slot(at));
        if self.dry_run || !self.sight.snapshot.record_clock || to <= from {
            return Ok(());
        }
        // Before the first record there is no time to pass.
        let begun = self.ticked > Timestamp::UNIX_EPOCH || !self.waiting.is_empty();
        self.ticked = at;
        if !begun {
            return Ok(());
        }
        self.flush()?;
        self.land_all()?;
        let alone = self
            .sight
            .policy
            .as_ref()
            .is_none_or(|p| p.window_effects().next().is_none() && p.breaker().is_none());
        // Clocks run out at their own times, however far apart the ticks are.
        let steps = if alone { 1 } else { (to - from).clamp(1, STEPS) };
        for step in 1..=steps {
            let second = (from + (to - from) * step / steps) * SLOT;
            if let Ok(time) = Timestamp::from_second(second) {
                self.core.watch_at(Some(time))?;
            }
        }
        self.sight = self.core.sight()?;
        Ok(())
    }

    /// Desk time now: the wall clock's, or where the record clock stands.
    fn clock(&self) -> Timestamp {
        if self.sight.snapshot.record_clock {
            return self.now;
        }
        super::core::millis(self.core.wall_now()).max(self.now)
    }

    fn refuse_line(&mut self, place: &Place, refusal: &Refusal, bytes: Vec<u8>) {
        let Place { source, line } = place;
        self.summary.refused += 1;
        (self.on)(IngestEvent::Refused { source, line: *line, refusal });
        if !self.dry_run {
            let Refusal { reason, message } = refusal.clone();
            let (source, at) = (source.to_string(), self.sight.wall);
            self.dead.push(DeadLetter { source, line: *line, reason, message, bytes, at });
        }
    }

    /// Route what waits and send it to the store.
    fn flush(&mut self) -> Result<(), Refused> {
        if self.waiting.is_empty() && self.dead.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        let dead = std::mem::take(&mut self.dead);
        if self.dry_run {
            return self.rehearse(rows);
        }
        if !dead.is_empty() {
            // On its own: no premise keeps what is not usable from being kept.
            let ticket = self.core.store.admit(AdmitBatch { bulk: true, ..letters(dead) });
            self.flight.push_back((Batch { places: Vec::new(), rows: Arc::default() }, ticket));
        }
        let mut rows = rows;
        while !rows.is_empty() {
            let (flight, rest) = self.send(rows)?;
            self.flight.push_back(flight);
            if !rest.is_empty() {
                // An effect has changed what holds: what comes next is routed on that.
                self.land_all()?;
                self.look()?;
            }
            rows = rest;
        }
        while self.flight.len() > IN_FLIGHT {
            self.land()?;
        }
        Ok(())
    }

    /// Look at what holds now.
    fn look(&mut self) -> Result<(), Refused> {
        self.by = self.core.actor(&self.by.name)?;
        authority::may(&self.by, Act::Admit, Subject::default())?;
        self.see()?;
        self.tally = Tally::load(self.core, &self.sight)?;
        Ok(())
    }

    /// A new sight, which knows what is on its way to the disk.
    fn see(&mut self) -> Result<(), Refused> {
        let sight = self.core.sight()?;
        self.sight = Sight { cooling: std::mem::take(&mut self.sight.cooling), ..sight };
        Ok(())
    }

    /// Route a batch on the present sight and queue it. A row that sets off an effect on control
    /// is the last of its batch; the rest comes back.
    fn send(&mut self, waiting: Vec<Waiting>) -> Result<(Flight, Vec<Waiting>), Refused> {
        // A stop acts in its own process before it is stored.
        if self.sight.epoch != self.core.controls.epoch() {
            self.see()?;
        }
        // A stream may run for days: what is written now is written at today's wall time.
        self.sight.wall = super::core::millis(self.core.wall_now());
        let known = self.known(&waiting)?;
        let stale = self.sight.snapshot.policy != self.prepared_under;
        let mut places = Vec::with_capacity(waiting.len());
        let mut rows = Vec::with_capacity(waiting.len());
        let mut waiting = waiting.into_iter().enumerate();
        for (i, Waiting { place, ready, at }) in waiting.by_ref() {
            let ready = if stale { self.prepared(ready.raw())? } else { ready };
            let known = known.get(i).copied().unwrap_or(false);
            let made = self.core.with_gauges(&self.sight, at, |gauges| {
                // What is known already is answered as it was and counts no more.
                let mut aside = known.then(|| gauges.clone());
                let gauges = aside.as_mut().unwrap_or(gauges);
                admission(self.core, *ready, &self.sight, (&self.tally, gauges), &self.by.name, at)
            })??;
            if !known {
                self.tally.count(&made);
            }
            places.push(place);
            rows.push(made);
            if self.sight.take_changed().is_some() {
                break;
            }
        }
        let rest = waiting.map(|(_, row)| row).collect();
        let now = rows.last().map_or(Timestamp::UNIX_EPOCH, |r| r.facts.now);
        let rows = Arc::new(rows);
        let ticket = self.core.store.admit(AdmitBatch {
            premises: Premises {
                actor: Some((self.by.name.clone(), self.by.version)),
                ..self.sight.premises()
            },
            now,
            rows: rows.clone(),
            dead: Vec::new(),
            bulk: true,
        });
        Ok(((Batch { places, rows }, ticket), rest))
    }

    /// Route a batch again on what holds now: what was decided before holds no more.
    fn again(&mut self, batch: Batch) -> Result<Flight, Refused> {
        self.look()?;
        let mut waiting = Vec::with_capacity(batch.rows.len());
        for (place, row) in batch.places.into_iter().zip(&*batch.rows) {
            waiting.push(Waiting { place, ready: self.prepared(raw(row))?, at: row.facts.now });
        }
        let (flight, mut rest) = self.send(waiting)?;
        // If the first part changes what holds, the others find their premise gone and come here
        // again, each in its turn.
        let mut more = Vec::new();
        while !rest.is_empty() {
            let (next, left) = self.send(rest)?;
            more.push(next);
            rest = left;
        }
        for next in more.into_iter().rev() {
            self.flight.push_front(next);
        }
        Ok(flight)
    }

    /// A record made ready under the policy in force now.
    fn prepared(&self, bytes: Vec<u8>) -> Result<Box<Ready>, Refused> {
        let (key, policy) = (&self.sight.snapshot.key, self.sight.policy.as_deref());
        match prepare(bytes, key, policy, &mut Salts::of(1))? {
            Prepared::Record(ready) => Ok(ready),
            _ => Err(Refused::new(Why::Internal, "a record is not one the second time")),
        }
    }

    /// Which rows are stored already; asked only where facts count decisions, so that duplicates
    /// do not count twice.
    fn known(&self, rows: &[Waiting]) -> Result<Vec<bool>, Refused> {
        if !Tally::tells_known(&self.sight) {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = rows.iter().map(|r| r.ready.id.as_str()).collect();
        self.core.store.known(&ids).map_err(refuse)
    }

    /// Wait for the oldest batch. Where control or policy moved since it was routed, route it
    /// again on what holds now.
    fn land(&mut self) -> Result<(), Refused> {
        let Some((mut batch, mut ticket)) = self.flight.pop_front() else { return Ok(()) };
        let results = loop {
            let results = ticket.wait();
            self.core.cooled_by(&self.sight, &batch.rows, results.as_deref().ok());
            match results {
                Ok(results) => break results,
                Err(StoreError::Premise(_)) => (batch, ticket) = self.again(batch)?,
                Err(error) => return Err(refuse(error)),
            }
        };
        for ((place, row), result) in batch.places.iter().zip(&*batch.rows).zip(results) {
            match answer_of(result, &row.route) {
                Ok(route) => self.landed(&route),
                Err(refusal) => self.refuse_line(place, &refusal, raw(row)),
            }
        }
        self.core.grown(self.core.store.head().map_err(refuse)?);
        Ok(())
    }

    fn landed(&mut self, route: &Route) {
        self.summary.count(route);
        self.replay.admitted(route, self.now);
        (self.on)(IngestEvent::Route(route));
    }

    fn land_all(&mut self) -> Result<(), Refused> {
        while !self.flight.is_empty() {
            self.land()?;
        }
        // Lines that clashed with others are dead letters of their own.
        if !self.dead.is_empty() {
            let dead = std::mem::take(&mut self.dead);
            self.core.keep_dead(dead).map_err(refuse)?;
        }
        Ok(())
    }

    /// Give the replayed verdicts that are due by `time` (`None`: all that are left).
    fn verdicts_until(&mut self, time: Option<Timestamp>) -> Result<(), Refused> {
        if self.dry_run || !self.replay.any() {
            return Ok(());
        }
        if self.replay.due(time) || time.is_none() {
            self.flush()?;
        }
        self.land_if_judged()?;
        while let Some((at, verdict)) = self.replay.pop(time) {
            self.now = self.now.max(at);
            self.verdict(at, verdict)?;
        }
        if time.is_none() {
            self.summary.verdicts_idle += self.replay.never_met();
        }
        Ok(())
    }

    /// A verdict can only be given on what is stored.
    fn land_if_judged(&mut self) -> Result<(), Refused> {
        if self.flight.iter().any(|(b, _)| b.rows.iter().any(|r| self.replay.knows(&r.route.id))) {
            self.land_all()?;
        }
        Ok(())
    }

    fn verdict(&mut self, at: Timestamp, verdict: ReplayVerdict) -> Result<(), Refused> {
        self.land_all()?;
        let by = verdict.by.clone().unwrap_or_else(|| self.by.name.clone());
        let id = verdict.id.clone();
        // The wall clock waits for nobody: there, what is replayed is given now.
        let at = self.sight.snapshot.record_clock.then_some(at);
        let given = self.core.review(&by, &verdict.request(), at);
        match given {
            Ok(_) => self.summary.verdicts += 1,
            Err(refused) if refused.kind == crate::protocol::Why::Unavailable => {
                return Err(refused);
            }
            Err(refused) => {
                self.summary.verdicts_refused += 1;
                (self.on)(IngestEvent::VerdictRefused { id: &id, refused: &refused });
            }
        }
        Ok(())
    }

    /// A dry run: route, tell, store nothing.
    fn rehearse(&mut self, rows: Vec<Waiting>) -> Result<(), Refused> {
        let ids: Vec<&str> = rows.iter().map(|r| r.ready.id.as_str()).collect();
        let known = self.core.store.known(&ids).map_err(refuse)?;
        for (row, known) in rows.into_iter().zip(known) {
            let seen = known || !self.seen.insert(row.ready.id.clone());
            let mut gauges = match self.rehearsed.take() {
                Some(gauges) => gauges,
                None => self.core.with_gauges(&self.sight, row.at, |g| g.clone())?,
            };
            let mut aside = seen.then(|| gauges.clone());
            let used = aside.as_mut().unwrap_or(&mut gauges);
            let (tally, by) = (&self.tally, self.by.name.as_str());
            let mut made =
                admission(self.core, *row.ready, &self.sight, (tally, used), by, row.at)?;
            self.rehearsed = Some(gauges);
            made.route.duplicate = seen;
            // What an effect would have stopped is stopped for the rest of the rehearsal.
            if let Some(control) = self.sight.take_changed().filter(|_| !seen) {
                let control = Arc::new(control);
                self.sight.control = Some(control.clone());
                self.sight.stored = Some(control);
            }
            if !made.route.duplicate {
                self.tally.count(&made);
            }
            self.landed(&made.route);
        }
        Ok(())
    }
}
