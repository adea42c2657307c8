//! The evidence of a canary: override rates of the new version and of the baseline, judged so that
//! looking after every verdict costs nothing.
//!
//! Rollback: the exact 2×2 e-process reaches `1 / 0.01` while the canary's rate is the higher one;
//! a harmless canary is rolled back with probability at most 1 %, however long it runs. "No worse":
//! the upper end of the confidence sequence for the difference of the rates is within the
//! tolerance. One override more in each arm than was seen keeps that interval honest where nothing
//! was overridden yet.

use serde::{Deserialize, Serialize};

use super::Canary;
use crate::signals::sequential::{Arm, Sequence, TUNING, TwoByTwo, confidence_sequence};

/// Error allowed for an automatic rollback of a harmless canary.
pub const ALPHA: f64 = 0.01;
/// Error of the interval shown, and on one side half of it.
const SHOWN: f64 = 0.10;
/// Reviewed decisions each arm needs before anything is said to be no worse.
const ENOUGH: u64 = 50;
/// Points kept of the e-value's history.
const HISTORY: usize = 120;

/// Everything seen of a running canary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    process: TwoByTwo,
    /// Reviewed decisions of the canary since its present step began.
    step_reviewed: u64,
    /// The e-value over time, oldest first, at most 120 points.
    history: Vec<f64>,
    /// Every so many verdicts make a point.
    every: u64,
    verdicts: u64,
}

/// How a canary stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Worse,
    NoWorse,
    NotEnoughData,
}

impl Standing {
    /// `worse`, `no_worse` or `not_enough_data`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::NoWorse => "no_worse",
            Self::NotEnoughData => "not_enough_data",
        }
    }
}

/// What is to be done with a canary now.
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    Stay,
    /// Its next, bigger share.
    Advance,
    /// At its last step and no worse: a person may promote it.
    Ready,
    /// With the figures.
    RollBack(String),
}

impl Trial {
    /// A verdict on a decision of the canary or of the baseline took effect.
    pub fn observe(&mut self, canary: bool, overridden: bool) {
        if canary {
            self.process.canary(overridden);
            self.step_reviewed += 1;
        } else {
            self.process.baseline(overridden);
        }
        self.verdicts += 1;
        if self.verdicts.is_multiple_of(self.every.max(1)) {
            self.history.push(self.process.e_value().min(f64::MAX));
        }
        if self.history.len() > HISTORY {
            // Every second point stays, and from now on points come half as often.
            let mut keep = false;
            self.history.retain(|_| {
                keep = !keep;
                keep
            });
            self.every = self.every.max(1) * 2;
        }
    }

    /// Its present step began just now.
    pub fn begin_step(&mut self) {
        self.step_reviewed = 0;
    }

    /// Overridden and reviewed, of the canary.
    pub fn canary(&self) -> Arm {
        self.process.canary_arm()
    }

    /// Overridden and reviewed, of the baseline.
    pub fn baseline(&self) -> Arm {
        self.process.baseline_arm()
    }

    /// Evidence that their rates differ; 1 is none.
    pub fn e_value(&self) -> f64 {
        self.process.e_value().min(f64::MAX)
    }

    /// The e-value that rolls it back.
    pub fn e_needed() -> f64 {
        1.0 / ALPHA
    }

    /// The e-value over time, oldest first.
    pub fn history(&self) -> &[f64] {
        &self.history
    }

    /// Interval for the canary's override rate minus the baseline's, valid at every time; `None`
    /// while one of them has no reviews.
    pub fn difference(&self) -> Option<Sequence> {
        let (canary, baseline) = (self.canary(), self.baseline());
        if canary.n == 0 || baseline.n == 0 {
            return None;
        }
        let eased = |arm: Arm| Arm::new(arm.k + 1, arm.n + 2);
        confidence_sequence(eased(baseline), eased(canary), SHOWN, TUNING)
    }

    /// How it stands.
    pub fn standing(&self, tolerance: f64) -> Standing {
        if self.process.reached(ALPHA) && self.process.canary_higher() {
            return Standing::Worse;
        }
        let enough = self.canary().n >= ENOUGH && self.baseline().n >= ENOUGH;
        match self.difference() {
            Some(d) if enough && d.high <= tolerance => Standing::NoWorse,
            _ => Standing::NotEnoughData,
        }
    }

    /// What is to be done with the running `canary` now.
    pub fn next(&self, canary: &Canary) -> Move {
        match self.standing(canary.tolerance) {
            Standing::Worse => {
                let (new, old) = (self.canary(), self.baseline());
                Move::RollBack(format!(
                    "overridden {} of {} against {} of {} of {}: e {:.0} >= {:.0}",
                    new.k,
                    new.n,
                    old.k,
                    old.n,
                    canary.baseline,
                    self.e_value(),
                    Self::e_needed(),
                ))
            }
            Standing::NoWorse if self.step_reviewed >= canary.min_reviewed => {
                match canary.step + 1 < canary.steps.len() {
                    true => Move::Advance,
                    false => Move::Ready,
                }
            }
            Standing::NoWorse | Standing::NotEnoughData => Move::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::t;
    use super::*;
    use crate::containment::Control;

    fn canary(tolerance: f64) -> Canary {
        let mut c = Control::default();
        let how = (100, tolerance, 2);
        c.start_canary("m", "2", "1", &[0.1, 0.5], how, "ann", t(0)).unwrap().clone()
    }

    /// `n` verdicts of each, overridden every so often.
    fn seen(n: u64, canary: u64, baseline: u64) -> Trial {
        let mut trial = Trial::default();
        for i in 1..=n {
            trial.observe(false, i % baseline == 0);
            trial.observe(true, i % canary == 0);
        }
        trial
    }

    #[test]
    fn a_bad_one_is_rolled_back_with_its_figures() {
        let trial = seen(200, 3, 20);
        assert_eq!(trial.standing(0.05), Standing::Worse);
        let Move::RollBack(why) = trial.next(&canary(0.05)) else { panic!() };
        assert!(why.starts_with("overridden 66 of 200 against 10 of 200 of 1: e "), "{why}");
        assert!(why.ends_with(">= 100"), "{why}");
        // A better one never is, whatever the evidence of a difference.
        let better = seen(200, 20, 3);
        assert!(better.e_value() > 100.0);
        assert_eq!(better.standing(0.05), Standing::NoWorse);
    }

    #[test]
    fn a_good_one_advances_when_its_step_was_looked_at_enough() {
        let mut c = canary(0.05);
        assert_eq!(seen(40, 10, 10).standing(0.5), Standing::NotEnoughData);
        assert_eq!(seen(90, 1000, 1000).next(&c), Move::Stay, "not enough of this step");
        let mut trial = seen(1500, 20, 20);
        assert_eq!(trial.next(&c), Move::Advance);
        trial.begin_step();
        c.step = 1;
        assert_eq!(trial.next(&c), Move::Stay);
        for i in 0..100 {
            trial.observe(true, i % 20 == 0);
        }
        assert_eq!(trial.next(&c), Move::Ready);
        assert_eq!(trial.next(&canary(0.0)), Move::Stay, "no worse by nothing is never certain");
    }

    #[test]
    fn its_history_covers_all_of_it_in_few_points() {
        let trial = seen(5000, 10, 10);
        assert!((60..=HISTORY).contains(&trial.history().len()), "{}", trial.history().len());
        assert_eq!(trial.canary(), Arm::new(500, 5000));
        let json = serde_json::to_vec(&trial).unwrap();
        assert_eq!(serde_json::from_slice::<Trial>(&json).unwrap(), trial);
    }

    #[test]
    fn harmless_ones_are_rolled_back_less_than_one_time_in_a_hundred() {
        // Seeded: SplitMix64.
        let mut state = 7u64;
        let mut draw = move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut rolled_back = 0;
        for _ in 0..400 {
            let mut trial = Trial::default();
            for _ in 0..1000 {
                trial.observe(draw() < 0.2, draw() < 0.1);
                if trial.standing(0.05) == Standing::Worse {
                    rolled_back += 1;
                    break;
                }
            }
        }
        assert!(rolled_back <= 4, "{rolled_back} of 400");
    }
}
