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

use std::collections::{HashSet, VecDeque};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lines::{Chunk, Source};
use replay::Replay;
pub use replay::ReplayVerdict;

use super::Local;
use super::admit::{Tally, admission, answer_of, letter, moment};
use super::core::{Core, Sight, refuse};
use super::prepare::{Prepared, Ready};
use crate::authority::{self, Subject};
use crate::domain::{Outcome, Route, Timestamp};
use crate::protocol::{Act, Line, Refusal, Refused};
use crate::store::{AdmitBatch, AdmitResult, DeadLetter, StoreError, Ticket};

/// Rows of one store batch: what a bulk writer commits at most before it yields.
const ROWS: usize = 200;
/// Batches on their way to the disk while the next ones are routed.
const IN_FLIGHT: usize = 12;
/// How long rows of a slow stream wait for company.
const LINGER: Duration = Duration::from_millis(50);
/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(100);

/// Something to read records from.
pub struct Input {
    /// Shown with dead letters.
    pub name: String,
    pub reader: Box<dyn Read + Send>,
    /// Bytes, where known (for progress).
    pub len: Option<u64>,
}

/// How to ingest.
#[derive(Default)]
pub struct IngestOptions {
    pub by: String,
    /// Say what would happen; store nothing.
    pub dry_run: bool,
    /// Verdicts of people, replayed by time.
    pub verdicts: Vec<ReplayVerdict>,
    /// Set to stop after what is on its way (Ctrl-C): the store stays consistent.
    pub stop: Arc<AtomicBool>,
}

/// What ingest tells while it runs.
pub enum IngestEvent<'a> {
    /// A line was admitted (or recognised).
    Route(&'a Route),
    /// A line is a dead letter.
    Refused { source: &'a str, line: u64, refusal: &'a Refusal },
    /// A replayed verdict was refused.
    VerdictRefused { id: &'a str, refused: &'a Refused },
    /// Now and then: bytes read.
    Progress { bytes: u64, lines: u64 },
}

/// What became of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    pub lines: u64,
    pub blank: u64,
    pub auto: u64,
    pub review: u64,
    pub quarantine: u64,
    pub block: u64,
    pub fallback: u64,
    /// Automatic ones that people look at too (counted in `auto`).
    pub sampled: u64,
    pub duplicates: u64,
    pub refused: u64,
    pub verdicts: u64,
    /// Replayed verdicts on decisions that never came before people.
    pub verdicts_idle: u64,
    pub verdicts_refused: u64,
    pub interrupted: bool,
}

impl Summary {
    /// Records newly stored.
    pub fn admitted(&self) -> u64 {
        self.auto + self.review + self.quarantine + self.block + self.fallback
    }
}

/// Admit everything in `inputs`, in order; `on` hears of each line in order.
pub fn run(
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
    let counts = sight.policy.as_ref().is_some_and(|p| {
        let needs = p.needs();
        needs.cohort_seen || needs.model_age_days
    });
    let mut run = Run {
        core,
        by: &options.by,
        dry_run: options.dry_run,
        now: sight.now,
        replay: Replay::new(options.verdicts),
        sight,
        tally,
        counts,
        waiting: Vec::new(),
        dead: Vec::new(),
        flight: VecDeque::new(),
        seen: HashSet::new(),
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
            Chunk::Line(line, prepared) => run.line(line, *prepared)?,
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
    let (bytes, lines) = (read.load(Ordering::Relaxed), run.summary.lines);
    (run.on)(IngestEvent::Progress { bytes, lines });
    Ok(run.summary)
}

/// A line with its record, waiting for the batch to fill.
struct Waiting {
    line: Line,
    ready: Box<Ready>,
    at: Timestamp,
}

/// A batch on its way to the disk.
struct Flight {
    rows: Vec<Waiting>,
    routes: Vec<Route>,
    ticket: Ticket<Vec<AdmitResult>>,
}

/// The sequencer's state.
struct Run<'a> {
    core: &'a Core,
    by: &'a str,
    dry_run: bool,
    sight: Sight,
    now: Timestamp,
    tally: Tally,
    /// The policy's facts count decisions: duplicates must not count twice.
    counts: bool,
    replay: Replay,
    waiting: Vec<Waiting>,
    dead: Vec<DeadLetter>,
    flight: VecDeque<Flight>,
    /// Dry runs store nothing, so they remember what they have seen.
    seen: HashSet<String>,
    summary: Summary,
    on: &'a mut dyn FnMut(IngestEvent<'_>),
}

impl Run<'_> {
    fn line(&mut self, line: Line, prepared: Prepared) -> Result<(), Refused> {
        self.summary.lines += 1;
        match prepared {
            Prepared::Blank => self.summary.blank += 1,
            Prepared::Refused(refusal) => {
                self.refuse_line(&line, &refusal);
            }
            Prepared::Record(ready) => {
                let at = moment(&self.sight, &ready, self.clock());
                self.verdicts_until(Some(at))?;
                self.now = at;
                let judged = self.replay.knows(&ready.id);
                self.waiting.push(Waiting { line, ready, at });
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

    /// Desk time now: the wall clock's, or where the record clock stands.
    fn clock(&self) -> Timestamp {
        if self.sight.snapshot.record_clock {
            return self.now;
        }
        super::core::millis((self.core.wall)()).max(self.now)
    }

    fn refuse_line(&mut self, line: &Line, refusal: &Refusal) {
        self.summary.refused += 1;
        (self.on)(IngestEvent::Refused { source: &line.source, line: line.line, refusal });
        if !self.dry_run {
            self.dead.push(letter(line, refusal, self.sight.wall));
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
        let flight = self.send(rows, dead)?;
        self.flight.push_back(flight);
        while self.flight.len() > IN_FLIGHT {
            self.land()?;
        }
        Ok(())
    }

    /// Route a batch on the present sight and queue it.
    fn send(&mut self, rows: Vec<Waiting>, dead: Vec<DeadLetter>) -> Result<Flight, Refused> {
        let known = self.known(&rows)?;
        let mut admissions = Vec::with_capacity(rows.len());
        let mut routes = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            let made = admission(&row.ready, &self.sight, &self.tally, self.by, row.at)?;
            if !known.get(i).copied().unwrap_or(false) {
                self.tally.count(&row.ready, row.at);
            }
            routes.push(made.route.clone());
            admissions.push(made);
        }
        let ticket = self.core.store.admit(AdmitBatch {
            premises: self.sight.premises(),
            now: rows.last().map_or(Timestamp::UNIX_EPOCH, |r| r.at),
            rows: admissions,
            dead,
            bulk: true,
        });
        Ok(Flight { rows, routes, ticket })
    }

    /// Which rows are stored already; asked only where counts depend on it.
    fn known(&self, rows: &[Waiting]) -> Result<Vec<bool>, Refused> {
        if !self.counts {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = rows.iter().map(|r| r.ready.id.as_str()).collect();
        self.core.store.known(&ids).map_err(refuse)
    }

    /// Wait for the oldest batch. Where control or policy moved since it was routed, route it
    /// again on what holds now.
    fn land(&mut self) -> Result<(), Refused> {
        let Some(mut flight) = self.flight.pop_front() else { return Ok(()) };
        let results = loop {
            match flight.ticket.wait() {
                Ok(results) => break results,
                Err(StoreError::Premise(_)) => {
                    self.sight = self.core.sight()?;
                    flight = self.send(flight.rows, Vec::new())?;
                }
                Err(error) => return Err(refuse(error)),
            }
        };
        for ((row, route), result) in flight.rows.iter().zip(flight.routes).zip(results) {
            match answer_of(result, route) {
                Ok(route) => self.landed(&route),
                Err(refusal) => self.refuse_line(&row.line, &refusal),
            }
        }
        self.core.grown(self.core.store.head().map_err(refuse)?);
        Ok(())
    }

    fn landed(&mut self, route: &Route) {
        let s = &mut self.summary;
        if route.duplicate {
            s.duplicates += 1;
        } else {
            match route.outcome {
                Outcome::Auto => s.auto += 1,
                Outcome::Review => s.review += 1,
                Outcome::Quarantine => s.quarantine += 1,
                Outcome::Block => s.block += 1,
                Outcome::Fallback => s.fallback += 1,
            }
            s.sampled += u64::from(route.sample.is_some());
        }
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
        if self.flight.iter().any(|f| f.rows.iter().any(|r| self.replay.knows(&r.ready.id))) {
            self.land_all()?;
        }
        Ok(())
    }

    fn verdict(&mut self, at: Timestamp, verdict: ReplayVerdict) -> Result<(), Refused> {
        self.land_all()?;
        let by = verdict.by.clone().unwrap_or_else(|| self.by.to_owned());
        let id = verdict.id.clone();
        let given = self.core.review(&by, &verdict.request(), Some(at));
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
        for (row, known) in rows.iter().zip(known) {
            let made = admission(&row.ready, &self.sight, &self.tally, self.by, row.at)?;
            let mut route = made.route;
            route.duplicate = known || !self.seen.insert(row.ready.id.clone());
            if !route.duplicate {
                self.tally.count(&row.ready, row.at);
            }
            self.landed(&route);
        }
        Ok(())
    }
}
