//! What is counted of a slice: integers only, so that parts of a cluster add up exactly.
//!
//! Inverse-probability weights and what they weigh are kept in units of 1e-6 (squares: 1e-3),
//! because sums of floating-point numbers depend on their order.

use super::Sums;
use super::calibration::{BINS, BinSums, bin_of};

/// Cells before those of the reliability diagram.
const PLAIN: usize = 48;
/// Cells of a bin: n; sums of w, w·confidence, w·right (1e-6); of w² (1e-3).
const PER_BIN: usize = 5;
const CELLS: usize = PLAIN + BINS * PER_BIN;

/// A quantity that is counted. The number is its place in what is stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum Count {
    /// Decisions admitted, whatever became of them.
    Decisions = 0,
    /// … of which were settled automatically,
    Auto = 1,
    /// … blocked,
    Blocked = 2,
    /// … answered with another version,
    Fallback = 3,
    /// … quarantined.
    Quarantined = 4,
    /// Items that came to people (samples included).
    ToPeople = 5,
    /// Verdicts that took effect.
    Accepted = 6,
    Edited = 7,
    Rejected = 8,
    Escalated = 9,
    /// Automatic decisions that people overruled afterwards.
    Reversals = 10,
    /// Verdicts that had a clock, in time and late.
    InTime = 11,
    Late = 12,
    /// Post-action signals.
    FeedbackReversal = 13,
    FeedbackComplaint = 14,
    FeedbackError = 15,
    FeedbackConfirmed = 16,
    /// Milliseconds from entry to verdict, and how many there were.
    ReviewMs = 17,
    ReviewTimes = 18,
    /// Milliseconds from admission to settlement, and how many there were.
    ResolveMs = 19,
    ResolveTimes = 20,
    /// Milliseconds from escalation to settlement, and how many there were.
    EscalationMs = 21,
    EscalationTimes = 22,
    /// Values that were missing or not a number where a number is usual.
    Missing = 23,
    /// Sampled automatic decisions that were reviewed, and those found wrong.
    Sampled = 24,
    SampledWrong = 25,
    /// Sums of w = 1/p over them: w, w of the wrong ones (1e-6), w² and w² of the wrong (1e-3).
    Weight = 26,
    WeightWrong = 27,
    Weight2 = 28,
    Weight2Wrong = 29,
    /// Verdicts on items that were not sampled: accept, edit, reject.
    Reviewed = 30,
    /// Items settled for good.
    Settled = 31,
    /// Verdicts taken back within the grace time.
    Undone = 32,
    /// Decisions older than any window that is still kept.
    TooOld = 33,
    /// Sum of w·(confidence − right)² over known outcomes (1e-6).
    Brier = 34,
}

/// Exact, mergeable counts of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; CELLS]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; CELLS])
    }
}

impl Counts {
    /// One of the counts.
    #[allow(clippy::indexing_slicing, reason = "a count's number is below PLAIN")]
    pub fn get(&self, what: Count) -> u64 {
        self.0[what as usize]
    }

    /// Add to one of the counts.
    #[allow(clippy::indexing_slicing, reason = "a count's number is below PLAIN")]
    pub fn add(&mut self, what: Count, n: u64) {
        let cell = &mut self.0[what as usize];
        *cell = cell.saturating_add(n);
    }

    /// `accept + edit + reject`: what an override rate is a share of.
    pub fn reviewed(&self) -> u64 {
        self.get(Count::Accepted) + self.overridden()
    }

    /// `edit + reject`.
    pub fn overridden(&self) -> u64 {
        self.get(Count::Edited) + self.get(Count::Rejected)
    }

    /// An outcome is known: the model said `confidence` (0..=1) and was right or not; it was
    /// looked at with this probability (1 for what goes to people anyway). Others are left out.
    pub fn outcome(&mut self, confidence: f64, right: bool, probability: f64) {
        let said = (0.0..=1.0).contains(&confidence);
        if !(said && probability > 0.0 && probability <= 1.0) {
            return;
        }
        let weight = 1.0 / probability;
        let sure = if right { 1.0 - confidence } else { confidence };
        self.add(Count::Brier, units(weight * sure * sure, 1e6));
        let w = units(weight, 1e6);
        let cells = [
            1,
            w,
            units(weight * confidence, 1e6),
            if right { w } else { 0 },
            units(weight * weight, 1e3),
        ];
        let at = PLAIN + bin_of(confidence, BINS) * PER_BIN;
        for (cell, n) in self.0.iter_mut().skip(at).zip(cells) {
            *cell = cell.saturating_add(n);
        }
    }

    /// An automatic decision that was drawn with this probability turned out right or wrong.
    pub fn sampled(&mut self, wrong: bool, probability: f64) {
        if !(probability > 0.0 && probability <= 1.0) {
            return;
        }
        let weight = 1.0 / probability;
        let (w, w2) = (units(weight, 1e6), units(weight * weight, 1e3));
        self.add(Count::Sampled, 1);
        self.add(Count::Weight, w);
        self.add(Count::Weight2, w2);
        if wrong {
            self.add(Count::SampledWrong, 1);
            self.add(Count::WeightWrong, w);
            self.add(Count::Weight2Wrong, w2);
        }
    }

    /// Σw, Σw·wrong, Σw², Σw²·wrong over sampled automatic decisions, w = 1/p.
    pub fn weights(&self) -> [f64; 4] {
        let get = |what, unit: f64| float(self.get(what)) / unit;
        [
            get(Count::Weight, 1e6),
            get(Count::WeightWrong, 1e6),
            get(Count::Weight2, 1e3),
            get(Count::Weight2Wrong, 1e3),
        ]
    }

    /// The bins of the reliability diagram, low to high.
    pub fn calibration(&self) -> [BinSums; BINS] {
        let mut bins = [BinSums::default(); BINS];
        let (_, cells) = self.0.split_at(PLAIN);
        for (bin, cells) in bins.iter_mut().zip(cells.chunks(PER_BIN)) {
            if let &[n, weight, confidence, right, weight2] = cells {
                *bin = BinSums {
                    n,
                    weight: float(weight) / 1e6,
                    confidence: float(confidence) / 1e6,
                    right: float(right) / 1e6,
                    weight2: float(weight2) / 1e3,
                };
            }
        }
        bins
    }

    /// The Brier score of the known outcomes, by weight; `None` without any.
    pub fn brier(&self) -> Option<f64> {
        let weight: f64 = self.calibration().iter().map(|b| b.weight).sum();
        (weight > 0.0).then(|| float(self.get(Count::Brier)) / 1e6 / weight)
    }

    /// Add all of another's.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a = a.saturating_add(*b);
        }
    }

    /// As it is stored.
    pub fn to_sums(&self) -> Sums {
        Sums::of((0..).zip(self.0))
    }

    /// Add what was stored.
    pub fn add_sums(&mut self, sums: &Sums) {
        sums.add_to(&mut self.0);
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a finite value at least 0; `as` saturates at the ends"
)]
fn units(x: f64, per: f64) -> u64 {
    (x * per).round() as u64
}

/// A count as a number: exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "counts beyond 2^53 are not met")]
pub(super) fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_weighted_by_its_probability() {
        let mut counts = Counts::default();
        counts.outcome(0.9, true, 1.0);
        counts.outcome(0.9, false, 0.02);
        counts.outcome(f64::NAN, true, 1.0);
        counts.outcome(0.9, true, 0.0);
        let bin = counts.calibration()[13];
        assert_eq!((bin.n, bin.weight, bin.right, bin.weight2), (2, 51.0, 1.0, 2501.0));
        assert!((bin.confidence - 45.9).abs() < 1e-9);
        assert_eq!(counts.calibration().iter().map(|b| b.n).sum::<u64>(), 2);
        assert!((counts.brier().unwrap() - (0.01 + 50.0 * 0.81) / 51.0).abs() < 1e-9);
        assert_eq!(Counts::default().brier(), None);
    }

    #[test]
    fn stored_counts_come_back_and_merge() {
        let mut a = Counts::default();
        a.add(Count::Decisions, 3);
        a.add(Count::TooOld, 1);
        a.sampled(true, 0.5);
        a.outcome(0.1, true, 0.5);
        let mut twice = a.clone();
        twice.merge(&a);
        let mut stored = Counts::default();
        stored.add_sums(&a.to_sums());
        assert_eq!(stored, a);
        stored.add_sums(&a.to_sums());
        assert_eq!(stored, twice);
        assert_eq!(twice.weights(), [4.0, 4.0, 8.0, 8.0]);
    }
}
