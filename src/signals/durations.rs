//! How long things take: percentiles from an HDR histogram, in milliseconds.
//!
//! Two significant digits: a percentile is within 0.5 % of the value of that rank. Histograms of
//! one configuration merge exactly; means come from integer sums kept beside them (`Counts`).

use hdrhistogram::Histogram;

use super::Sums;

/// Anything longer counts as this: 400 days.
const LONGEST_MS: u64 = 400 * 86_400_000;

/// A spread of durations.
#[derive(Clone, Debug)]
pub struct Durations(Histogram<u64>);

impl Default for Durations {
    #[allow(
        clippy::expect_used,
        reason = "1 <= low, 2 low <= high and two digits are always valid"
    )]
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_MS, 2).expect("valid bounds"))
    }
}

impl Durations {
    /// One more of `ms`.
    pub fn record(&mut self, ms: u64) {
        self.0.saturating_record(ms.min(LONGEST_MS));
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The value of rank ⌊q (n − 1)⌋ (numpy's `lower`), `q` in 0..=1, milliseconds. `None` without
    /// any.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let n = self.count();
        if n == 0 {
            return None;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "0 <= q (n - 1) < n"
        )]
        let rank = (q.clamp(0.0, 1.0) * (n - 1) as f64).floor() as u64;
        let mut below = 0;
        for bucket in self.0.iter_recorded() {
            below += bucket.count_at_value();
            if below > rank {
                let value = bucket.value_iterated_to();
                let (low, high) =
                    (self.0.lowest_equivalent(value), self.0.highest_equivalent(value));
                #[allow(clippy::cast_precision_loss, reason = "at most 400 days")]
                return Some(f64::midpoint(low as f64, high as f64));
            }
        }
        None
    }

    /// As it is stored: lowest value of each bucket, and its count.
    pub fn to_sums(&self) -> Sums {
        Sums::of(
            self.0
                .iter_recorded()
                .map(|b| (self.0.lowest_equivalent(b.value_iterated_to()), b.count_at_value())),
        )
    }

    /// Add what was stored.
    pub fn add_sums(&mut self, sums: &Sums) {
        for (ms, count) in sums.pairs() {
            self.0.saturating_record_n(ms.min(LONGEST_MS), count);
        }
    }
}
