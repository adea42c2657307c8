//! Seeded streams of decisions with human truth, for demo, drills, benches and tests. Pure.
//!
//! ```
//! use overrule::simulate::{Scenario, Simulator};
//!
//! let first = Simulator::new(7, Scenario::default()).next().unwrap();
//! let again = Simulator::new(7, Scenario::default()).next().unwrap();
//! assert_eq!(first.line, again.line);
//! ```
//!
//! Three desks send work: answers to customers (`support_qa`), loan pre-approval (`loan`) and
//! clinical triage (`medical`). A model draws its confidence from what it sees, and the truth is
//! then drawn with exactly that probability: before a drift the confidences are calibrated by
//! construction. A drift hits one cohort of one model: its inputs move to where the model has no
//! experience, it stays as sure as before, and is wrong far more often.
//!
//! Every arrival has its own generator, seeded by the stream's seed and its number, so a change of
//! one domain's texts leaves the others as they were.

mod grammar;
mod loan;
mod rng;
mod spoil;
mod support;
#[cfg(test)]
mod tests;
mod triage;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::{Timestamp, VerdictKind};
use rng::Rng;

/// How many recent lines a duplicate is taken from.
const RECENT: usize = 16;

/// The desks that send work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Desk {
    Support,
    Loan,
    Triage,
}

impl Desk {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Support, Self::Loan, Self::Triage];

    /// The `domain` of its records.
    pub fn domain(self) -> &'static str {
        match self {
            Self::Support => "support_qa",
            Self::Loan => "loan",
            Self::Triage => "medical",
        }
    }

    /// The cohort that a drift hits (its group in the dimension `cohort`).
    pub fn drifting_cohort(self) -> &'static str {
        match self {
            Self::Support => support::DRIFTING,
            Self::Loan => loan::DRIFTING,
            Self::Triage => triage::DRIFTING,
        }
    }
}

/// What a stream is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// When the stream starts: `occurred_at` is this plus the arrival's offset.
    pub start: Timestamp,
    /// Mean arrivals a minute (Poisson), above 0.
    pub rate_per_minute: f64,
    /// Which desks send work, equally often; a desk named twice sends twice as much.
    pub desks: Vec<Desk>,
    /// When the drift starts; `None`: never.
    pub drift_after: Option<Duration>,
    /// Whose model drifts.
    pub drift_desk: Desk,
    /// Share (0..=1) of lines that are broken or refused.
    pub broken: f64,
    /// Share (0..=1) of lines that were sent before.
    pub duplicates: f64,
    /// Share (0..=1) of customers whose text hides something (invisible or control characters).
    pub hostile: f64,
    /// The number of the first arrival: goes into ids.
    pub first_number: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            start: Timestamp::UNIX_EPOCH,
            rate_per_minute: 30.0,
            desks: Desk::ALL.to_vec(),
            drift_after: None,
            drift_desk: Desk::Loan,
            broken: 0.004,
            duplicates: 0.002,
            hostile: 0.004,
            first_number: 1001,
        }
    }
}

/// What people would say, had they looked.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// The proposal was right as it stood.
    pub right: bool,
    /// The right action.
    pub action: String,
    /// The right output, where it differs and can be written down.
    pub output: Option<Value>,
    /// What a careful reviewer does.
    pub verdict: VerdictKind,
    /// Why it was wrong, in the shipped policies' tags.
    pub tags: Vec<String>,
}

/// What kind of line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A valid record with a new id.
    Record,
    /// The bytes of an earlier line again.
    Duplicate,
    /// A line that will be quarantined or refused; its truth is of the record it should have been.
    Broken,
}

/// One line of the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Since the start of the stream; never falls.
    pub at_offset: Duration,
    /// A JSON record, without a line end.
    pub line: String,
    /// The record's id, also where the line lost it.
    pub id: String,
    pub desk: Desk,
    pub sort: Sort,
    /// It belongs to the drifting cohort, after the drift began.
    pub drifted: bool,
    pub truth: Truth,
}

/// What a desk's model proposes, before it becomes a line.
struct Draft {
    prefix: &'static str,
    action: &'static str,
    scope: &'static str,
    user_group: &'static str,
    model: (&'static str, &'static str),
    members: [&'static str; 3],
    cohort: [(&'static str, &'static str); 2],
    confidence: f64,
    business_impact: Value,
    input: Value,
    output: Value,
    rationale: String,
    truth: Truth,
}

/// An endless stream of arrivals.
#[derive(Clone, Debug)]
pub struct Simulator {
    seed: u64,
    scenario: Scenario,
    /// Arrivals so far.
    count: u64,
    /// Milliseconds since the start.
    clock: f64,
    recent: VecDeque<Arrival>,
}

impl Simulator {
    /// The stream of this seed: the same seed and scenario give the same bytes.
    pub fn new(seed: u64, scenario: Scenario) -> Self {
        Self { seed, scenario, count: 0, clock: 0.0, recent: VecDeque::with_capacity(RECENT) }
    }

    fn draw(&mut self) -> Arrival {
        let number = self.count;
        self.count += 1;
        let mut rng = Rng::new(self.seed, number);
        let rate = self.scenario.rate_per_minute.max(1e-9);
        self.clock += rng.exponential(60_000.0 / rate);
        let at_offset = millis(self.clock);
        if rng.chance(self.scenario.duplicates)
            && let Some(old) = self.recent.get(rng.below(self.recent.len().max(1)))
        {
            return Arrival { at_offset, sort: Sort::Duplicate, ..old.clone() };
        }
        let desks = &self.scenario.desks;
        let desk = if desks.is_empty() { Desk::Support } else { rng.pick(desks) };
        let drifting = desk == self.scenario.drift_desk
            && self.scenario.drift_after.is_some_and(|after| at_offset >= after);
        let hostile = rng.chance(self.scenario.hostile);
        let draft = match desk {
            Desk::Support => support::draw(&mut rng, drifting, hostile),
            Desk::Loan => loan::draw(&mut rng, drifting, hostile),
            Desk::Triage => triage::draw(&mut rng, drifting, hostile),
        };
        let id = format!("{}-{}", draft.prefix, self.scenario.first_number + number);
        let drifted = drifting && draft.cohort.contains(&("cohort", desk.drifting_cohort()));
        let mut record = self.record(&mut rng, &id, desk, at_offset, &draft);
        let sort = if rng.chance(self.scenario.broken) { Sort::Broken } else { Sort::Record };
        let line = match sort {
            Sort::Broken => spoil::spoil(&mut rng, &mut record),
            _ => record.to_string(),
        };
        let arrival = Arrival { at_offset, line, id, desk, sort, drifted, truth: draft.truth };
        if sort == Sort::Record {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(arrival.clone());
        }
        arrival
    }

    fn record(
        &self,
        rng: &mut Rng,
        id: &str,
        desk: Desk,
        at_offset: Duration,
        draft: &Draft,
    ) -> Value {
        // A stream would have to run for longer than calendars reach to leave them.
        let at = self.scenario.start.checked_add(at_offset).unwrap_or(Timestamp::MAX);
        let members = draft.members.iter().zip(around(rng, draft.confidence));
        let ensemble: Vec<Value> =
            members.map(|(name, score)| json!({"name": name, "score": score})).collect();
        let [(d1, g1), (d2, g2)] = draft.cohort;
        let latency = round(rng.between(80.0, 900.0), 0);
        json!({
            "id": id,
            "occurred_at": format!("{at:.3}"),
            "domain": desk.domain(),
            "model": {"name": draft.model.0, "version": draft.model.1},
            "cohort": {d1: g1, d2: g2},
            "action": draft.action,
            "input": draft.input,
            "output": draft.output,
            "rationale": draft.rationale,
            "confidence": draft.confidence,
            "ensemble": ensemble,
            "business_impact": draft.business_impact,
            "scope": draft.scope,
            "user_group": draft.user_group,
            "latency_ms": number(latency),
        })
    }
}

impl Iterator for Simulator {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        Some(self.draw())
    }
}

/// Three scores whose mean is `confidence` (to rounding), further apart where the model is unsure.
fn around(rng: &mut Rng, confidence: f64) -> [f64; 3] {
    let room = confidence.min(1.0 - confidence).min(0.05 + (1.0 - confidence) * 0.5);
    let (a, b) = (rng.between(-0.5, 0.5) * room, rng.between(-0.5, 0.5) * room);
    [a, b, -(a + b)].map(|e| round((confidence + e).clamp(0.0, 1.0), 4))
}

/// `x` to this many decimals.
fn round(x: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (x * scale).round() / scale
}

/// A number as people write it: whole ones without a decimal point.
fn number(x: f64) -> Value {
    // Whole and small, so the cast is exact.
    if x.fract() == 0.0 && x.abs() < 1e9 { json!(x as i64) } else { json!(x) }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Whole milliseconds of a stream's clock.
fn millis(clock: f64) -> Duration {
    Duration::try_from_secs_f64(round(clock, 0) / 1000.0).unwrap_or(Duration::MAX)
}
