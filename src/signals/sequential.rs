//! Evidence that may be looked at after every decision: tests that stay valid however often one
//! peeks.
//!
//! Repeating a fixed-size test at each look raises a false alarm in more than a third of harmless
//! canaries. These do not:
//!
//! - [`TwoByTwo`], an exact e-process for two proportions (Turner, Ly and Grünwald, *Generic
//!   e-variables for exact sequential k-sample tests*, arXiv 2106.02693). The trigger.
//! - [`confidence_sequence`], an asymptotic interval for the difference of two proportions
//!   (Waudby-Smith et al., arXiv 2103.06476). What is drawn, once both arms have some hundreds.
//! - [`Sprt`], Wald's test of two simple hypotheses (1945).
//! - [`mixture_ratio`], the mixture test of Johari, Pekelis and Walsh (arXiv 1512.04922).

use serde::{Deserialize, Serialize};

/// Outcomes of one arm: `k` of `n` were overridden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    pub k: u64,
    pub n: u64,
}

impl Arm {
    /// `k` of `n`; a `k` above `n` counts as `n`.
    pub fn new(k: u64, n: u64) -> Self {
        Self { k: k.min(n), n }
    }

    /// `k / n`; `None` when nothing was seen.
    pub fn rate(self) -> Option<f64> {
        (self.n > 0).then(|| count(self.k) / count(self.n))
    }

    /// Takes one more outcome.
    pub fn observe(&mut self, overridden: bool) {
        self.n += 1;
        self.k += u64::from(overridden);
    }

    fn add(&mut self, other: Self) {
        self.k += other.k;
        self.n += other.n;
    }

    fn misses(self) -> u64 {
        self.n.saturating_sub(self.k)
    }
}

/// The parameter of the symmetric Beta prior behind the plug-in rates; any value is valid, this
/// one loses least evidence over a wide range of rates.
const BETA_PRIOR: f64 = 0.18;

/// The exact e-process for "the canary's rate equals the baseline's".
///
/// Outcomes come in blocks. Before a block is looked at, each arm's rate is estimated from the
/// blocks before it; the block's factor is the likelihood under these two rates over that under
/// their average (weighted by the block's shape), which no common rate makes larger than 1 in
/// expectation. The product is a supermartingale whatever the shapes, as long as outcomes do not
/// choose them: P(it ever reaches 1/α) ≤ α. Logarithms of independent strata add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoByTwo {
    prior: f64,
    baseline: Arm,
    canary: Arm,
    /// Outcomes that wait for the other arm.
    open_baseline: Arm,
    open_canary: Arm,
    log_e: f64,
    /// The largest `log_e` so far, at least 0.
    log_peak: f64,
    blocks: u64,
}

impl Default for TwoByTwo {
    fn default() -> Self {
        Self::new(BETA_PRIOR)
    }
}

impl TwoByTwo {
    /// Nothing seen yet; `prior` > 0.
    pub fn new(prior: f64) -> Self {
        Self {
            prior,
            baseline: Arm::default(),
            canary: Arm::default(),
            open_baseline: Arm::default(),
            open_canary: Arm::default(),
            log_e: 0.0,
            log_peak: 0.0,
            blocks: 0,
        }
    }

    /// Takes an outcome of the baseline; closes a block when the canary has one waiting.
    pub fn baseline(&mut self, overridden: bool) {
        self.open_baseline.observe(overridden);
        self.close();
    }

    /// Takes an outcome of the canary; closes a block when the baseline has one waiting.
    pub fn canary(&mut self, overridden: bool) {
        self.open_canary.observe(overridden);
        self.close();
    }

    /// The order of arrival alone decides where a block ends, so that the shapes stay valid and
    /// nothing is thrown away however uneven the arms are.
    fn close(&mut self) {
        if self.open_baseline.n > 0 && self.open_canary.n > 0 {
            let (baseline, canary) = (self.open_baseline, self.open_canary);
            self.open_baseline = Arm::default();
            self.open_canary = Arm::default();
            self.block(baseline, canary);
        }
    }

    /// Takes a whole block. Its shape (both `n`) must not depend on its outcomes.
    pub fn block(&mut self, baseline: Arm, canary: Arm) {
        let total = baseline.n + canary.n;
        if total == 0 {
            return;
        }
        let of = |arm: Arm| (count(arm.k) + self.prior) / (count(arm.n) + 2.0 * self.prior);
        let (p_baseline, p_canary) = (of(self.baseline), of(self.canary));
        let p_common = (count(baseline.n) * p_baseline + count(canary.n) * p_canary) / count(total);
        self.log_e += factor(baseline, p_baseline, p_common) + factor(canary, p_canary, p_common);
        self.log_peak = self.log_peak.max(self.log_e);
        self.baseline.add(baseline);
        self.canary.add(canary);
        self.blocks += 1;
    }

    /// The natural logarithm of the e-value now.
    pub fn log_e(&self) -> f64 {
        self.log_e
    }

    /// The e-value now; infinite beyond what a float holds.
    pub fn e_value(&self) -> f64 {
        self.log_e.exp()
    }

    /// 1 over the largest e-value so far, in 0..=1: a p-value that is valid at every time.
    pub fn p_always_valid(&self) -> f64 {
        (-self.log_peak).exp()
    }

    /// Whether the e-value is at least `1/alpha` now.
    pub fn reached(&self, alpha: f64) -> bool {
        self.log_e >= -alpha.ln()
    }

    /// Everything seen of the baseline, outcomes that wait included.
    pub fn baseline_arm(&self) -> Arm {
        let mut arm = self.baseline;
        arm.add(self.open_baseline);
        arm
    }

    /// Everything seen of the canary, outcomes that wait included.
    pub fn canary_arm(&self) -> Arm {
        let mut arm = self.canary;
        arm.add(self.open_canary);
        arm
    }

    /// Whether the canary's rate is above the baseline's: the direction that harms.
    pub fn canary_higher(&self) -> bool {
        match (self.canary_arm().rate(), self.baseline_arm().rate()) {
            (Some(canary), Some(baseline)) => canary > baseline,
            _ => false,
        }
    }

    /// Blocks closed so far.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }
}

/// ln of the likelihood of `arm` under `p` over that under `p0`. All rates are inside (0, 1)
/// because the prior is positive.
fn factor(arm: Arm, p: f64, p0: f64) -> f64 {
    count(arm.k) * (p / p0).ln() + count(arm.misses()) * ((1.0 - p) / (1.0 - p0)).ln()
}

/// An interval that holds at every time at once, with its p-value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// Canary minus baseline.
    pub difference: f64,
    pub low: f64,
    pub high: f64,
    /// Against "no difference", valid at every time.
    pub p_always_valid: f64,
}

/// The number of outcomes at which [`confidence_sequence`] is tightest by default.
pub const TUNING: f64 = 2_000.0;

/// The asymptotic confidence sequence for canary minus baseline at level `1 − alpha`, tightest
/// after `tuning` outcomes of both arms together. `None` while an arm is empty or neither has
/// varied. Each arm needs 200 outcomes before the interval keeps its promise: below, uneven arms
/// miss it 8 % of the time instead of 5 %.
///
/// Eq. 9 with the mixing parameter of eq. 161 and the p-value of eq. 155 of arXiv 2103.06476.
pub fn confidence_sequence(
    baseline: Arm,
    canary: Arm,
    alpha: f64,
    tuning: f64,
) -> Option<Sequence> {
    let (p_baseline, p_canary) = (baseline.rate()?, canary.rate()?);
    let error = p_baseline * (1.0 - p_baseline) / count(baseline.n)
        + p_canary * (1.0 - p_canary) / count(canary.n);
    if error <= 0.0 {
        return None;
    }
    let n = count(baseline.n + canary.n);
    let l = -2.0 * alpha.ln();
    let rho2 = (l + (l + 1.0).ln()) / tuning;
    let spread = n * rho2 + 1.0;
    let deviation = (error * n).sqrt();
    let difference = p_canary - p_baseline;
    let half = deviation * (2.0 * spread * (spread.sqrt() / alpha).ln() / (n * n * rho2)).sqrt();
    let sum = difference / deviation * n;
    let e_value = (rho2 * sum * sum / (2.0 * spread)).exp() / spread.sqrt();
    Some(Sequence {
        difference,
        low: difference - half,
        high: difference + half,
        p_always_valid: (1.0 / e_value).min(1.0),
    })
}

/// What Wald's test says so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SprtVerdict {
    Continue,
    /// The rate is rather the acceptable one.
    AcceptH0,
    /// The rate is rather the unacceptable one.
    RejectH0,
}

/// Wald's sequential probability ratio test of a rate: `p0` (acceptable) against `p1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sprt {
    hit: f64,
    miss: f64,
    upper: f64,
    lower: f64,
    llr: f64,
    n: u64,
    verdict: SprtVerdict,
}

impl Sprt {
    /// `0 < p0 < p1 < 1`; `alpha` and `beta` are the errors of first and second kind.
    pub fn new(p0: f64, p1: f64, alpha: f64, beta: f64) -> Self {
        Self {
            hit: (p1 / p0).ln(),
            miss: ((1.0 - p1) / (1.0 - p0)).ln(),
            upper: ((1.0 - beta) / alpha).ln(),
            lower: (beta / (1.0 - alpha)).ln(),
            llr: 0.0,
            n: 0,
            verdict: SprtVerdict::Continue,
        }
    }

    /// Takes one outcome; after a verdict nothing changes any more.
    pub fn observe(&mut self, overridden: bool) -> SprtVerdict {
        if self.verdict != SprtVerdict::Continue {
            return self.verdict;
        }
        self.n += 1;
        self.llr += if overridden { self.hit } else { self.miss };
        if self.llr >= self.upper {
            self.verdict = SprtVerdict::RejectH0;
        } else if self.llr <= self.lower {
            self.verdict = SprtVerdict::AcceptH0;
        }
        self.verdict
    }

    /// The verdict so far.
    pub fn verdict(&self) -> SprtVerdict {
        self.verdict
    }

    /// The log-likelihood ratio, with the bounds (lower, upper) at which the test stops.
    pub fn log_ratio(&self) -> (f64, f64, f64) {
        (self.llr, self.lower, self.upper)
    }

    /// Outcomes taken.
    pub fn n(&self) -> u64 {
        self.n
    }
}

/// The mixture likelihood ratio after `n` pairs (both arms of the same size), for a difference of
/// `theta` under the null and a normal mixture of standard deviation `tau`. Reject when it exceeds
/// `1/alpha`. 1 while neither arm has varied or the arms differ in size.
pub fn mixture_ratio(baseline: Arm, canary: Arm, tau: f64, theta: f64) -> f64 {
    let (Some(p_baseline), Some(p_canary)) = (baseline.rate(), canary.rate()) else {
        return 1.0;
    };
    let variance = p_baseline * (1.0 - p_baseline) + p_canary * (1.0 - p_canary);
    if variance <= 0.0 || baseline.n != canary.n {
        return 1.0;
    }
    let n = count(canary.n);
    let tau2 = tau * tau;
    let spread = variance + n * tau2;
    let difference = p_canary - p_baseline - theta;
    (variance / spread).sqrt()
        * (n * n * tau2 * difference * difference / (2.0 * variance * spread)).exp()
}

/// A count as a float: exact up to 2^53, more than any arm will hold.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts stay far below 2^53, where every integer is a float"
)]
fn count(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_difference_gives_no_evidence_and_a_large_one_does() {
        let mut same = TwoByTwo::default();
        let mut worse = TwoByTwo::default();
        for i in 0..400u32 {
            same.baseline(i % 10 == 0);
            same.canary(i % 10 == 5);
            worse.baseline(i % 10 == 0);
            worse.canary(i % 3 == 0);
        }
        assert!(same.e_value() < 1.0, "{}", same.e_value());
        assert!(worse.reached(0.01) && worse.canary_higher());
        assert_eq!(worse.canary_arm(), Arm::new(134, 400));
        assert!(worse.p_always_valid() < 0.01);
    }

    #[test]
    fn blocks_close_by_arrival_alone_and_lose_nothing() {
        let mut process = TwoByTwo::default();
        for _ in 0..9 {
            process.baseline(false);
        }
        assert_eq!(process.blocks(), 0);
        process.canary(true);
        assert_eq!(process.blocks(), 1);
        assert_eq!(process.log_e(), 0.0, "the first block has no estimates to bet with");
        assert_eq!(process.baseline_arm(), Arm::new(0, 9));
        process.block(Arm::default(), Arm::default());
        assert_eq!(process.blocks(), 1);
    }

    #[test]
    fn peeking_at_every_block_raises_at_most_alpha_false_alarms() {
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        let mut draw = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            count(random >> 11) / count(1 << 53)
        };
        let mut alarms = 0u32;
        for _ in 0..1_000 {
            let mut process = TwoByTwo::default();
            for _ in 0..500 {
                for _ in 0..4 {
                    process.baseline(draw() < 0.1);
                }
                process.canary(draw() < 0.1);
                if process.reached(0.05) {
                    alarms += 1;
                    break;
                }
            }
        }
        assert!(alarms <= 50, "{alarms} of 1,000 at alpha 5 %");
    }

    #[test]
    fn arms_that_never_varied_have_no_sequence() {
        assert_eq!(confidence_sequence(Arm::new(0, 50), Arm::new(0, 50), 0.05, 500.0), None);
        assert_eq!(confidence_sequence(Arm::default(), Arm::new(1, 2), 0.05, 500.0), None);
        assert_eq!(mixture_ratio(Arm::new(0, 9), Arm::new(0, 9), 0.2, 0.0), 1.0);
    }

    #[test]
    fn a_process_survives_being_stored() {
        let mut process = TwoByTwo::default();
        process.baseline(true);
        process.canary(false);
        process.baseline(false);
        let stored = serde_json::to_string(&process).expect("json");
        assert_eq!(serde_json::from_str::<TwoByTwo>(&stored).expect("back"), process);
    }
}
