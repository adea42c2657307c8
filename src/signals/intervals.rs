//! How sure a rate is: 95 % intervals for `k` of `n`, by three methods.
//!
//! Wilson (1927) is what the desk shows: it stays inside 0..=1 and keeps its promise at small `n`.
//! Jeffreys (Brown, Cai and DasGupta 2001) and Clopper–Pearson (1934, never too short) are there to
//! compare with. All equal statsmodels' `proportion_confint` to 1e-9.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF, Normal};

/// An interval for a rate, inside 0..=1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    fn new(low: f64, high: f64) -> Self {
        Self { low: low.clamp(0.0, 1.0), high: high.clamp(0.0, 1.0) }
    }

    /// Whether `rate` lies inside, ends included.
    pub fn contains(&self, rate: f64) -> bool {
        (self.low..=self.high).contains(&rate)
    }
}

/// The error the desk's intervals allow.
pub const ALPHA: f64 = 0.05;

/// The standard normal quantile at `p`, in (0, 1).
fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// P(a standard normal variable is above `z`).
pub fn normal_above(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// The Wilson score interval at level `1 − alpha`; `None` when `n` is 0.
pub fn wilson(k: u64, n: u64, alpha: f64) -> Option<Interval> {
    let (k, n) = counts(k, n)?;
    Some(wilson_rate(k / n, n, alpha))
}

/// The Wilson interval of a rate estimated from an effective number of observations, which need
/// not be whole (weighted samples). `n` > 0.
pub fn wilson_rate(rate: f64, n: f64, alpha: f64) -> Interval {
    let z = normal_quantile(1.0 - alpha / 2.0);
    let z2 = z * z;
    let spread = 1.0 + z2 / n;
    let centre = (rate + z2 / (2.0 * n)) / spread;
    let half = z * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).max(0.0).sqrt() / spread;
    // At the ends the formula gives 0 and 1 up to rounding.
    let low = if rate <= 0.0 { 0.0 } else { centre - half };
    let high = if rate >= 1.0 { 1.0 } else { centre + half };
    Interval::new(low, high)
}

/// The Jeffreys interval: quantiles of Beta(k + ½, n − k + ½). `None` when `n` is 0.
pub fn jeffreys(k: u64, n: u64, alpha: f64) -> Option<Interval> {
    let (k, n) = counts(k, n)?;
    let beta = Beta::new(k + 0.5, n - k + 0.5).ok()?;
    Some(Interval::new(beta.inverse_cdf(alpha / 2.0), beta.inverse_cdf(1.0 - alpha / 2.0)))
}

/// The exact interval of Clopper and Pearson; `None` when `n` is 0.
pub fn clopper_pearson(k: u64, n: u64, alpha: f64) -> Option<Interval> {
    let (k, n) = counts(k, n)?;
    let low = if k > 0.0 { Beta::new(k, n - k + 1.0).ok()?.inverse_cdf(alpha / 2.0) } else { 0.0 };
    let high =
        if k < n { Beta::new(k + 1.0, n - k).ok()?.inverse_cdf(1.0 - alpha / 2.0) } else { 1.0 };
    Some(Interval::new(low, high))
}

/// Both as floats; `None` without observations. A `k` above `n` counts as `n`.
#[allow(clippy::cast_precision_loss, reason = "counts of decisions stay far below 2^53")]
fn counts(k: u64, n: u64) -> Option<(f64, f64)> {
    (n > 0).then(|| (k.min(n) as f64, n as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_seen_has_no_interval() {
        assert_eq!(wilson(0, 0, ALPHA), None);
        assert_eq!(jeffreys(0, 0, ALPHA), None);
        assert_eq!(clopper_pearson(0, 0, ALPHA), None);
    }

    #[test]
    fn the_ends_touch_zero_and_one_exactly() {
        let none = wilson(0, 10, ALPHA).expect("seen");
        assert_eq!(none.low, 0.0);
        assert!((none.high - 0.277_532_799_862_889_26).abs() < 1e-12);
        let all = wilson(10, 10, ALPHA).expect("seen");
        assert_eq!(all.high, 1.0);
        assert_eq!(clopper_pearson(10, 10, ALPHA).expect("seen").high, 1.0);
    }

    #[test]
    fn the_exact_interval_holds_the_score_interval_in_the_middle() {
        for n in [5, 20, 200] {
            let (exact, score) = (clopper_pearson(n / 2, n, ALPHA), wilson(n / 2, n, ALPHA));
            let (exact, score) = (exact.expect("seen"), score.expect("seen"));
            assert!(exact.low < score.low && score.high < exact.high, "{n}");
        }
    }
}
