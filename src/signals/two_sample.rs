//! Two samples at one look: what a canary's final report states beside its sequential verdict.
//!
//! Rates: the pooled z test, Fisher's exact test, Newcombe's interval for the difference (his
//! method 10, 1998). Durations: Mann–Whitney, exact for small samples without ties, else normal
//! with correction for ties and continuity. All equal statsmodels and scipy to 1e-9. Looked at
//! repeatedly these alarm falsely; [`super::sequential`] does not.

use statrs::function::factorial::ln_binomial;

use super::intervals::{ALPHA, normal_above, wilson};
use super::sequential::Arm;

/// The pooled z test of canary against baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZTest {
    pub z: f64,
    pub p_two_sided: f64,
    /// One-sided: the canary's rate is higher.
    pub p_higher: f64,
}

/// The pooled z test; `None` while an arm is empty or no outcome differs.
pub fn z_test(baseline: Arm, canary: Arm) -> Option<ZTest> {
    let difference = canary.rate()? - baseline.rate()?;
    let (n_base, n_canary) = (float(baseline.n), float(canary.n));
    let pooled = float(baseline.k + canary.k) / (n_base + n_canary);
    let variance = pooled * (1.0 - pooled) * (1.0 / n_base + 1.0 / n_canary);
    if variance <= 0.0 {
        return None;
    }
    let z = difference / variance.sqrt();
    Some(ZTest { z, p_two_sided: 2.0 * normal_above(z.abs()), p_higher: normal_above(z) })
}

/// Newcombe's 95 % interval for canary minus baseline; `None` while an arm is empty.
pub fn newcombe(baseline: Arm, canary: Arm) -> Option<(f64, f64)> {
    let (p_base, p_canary) = (baseline.rate()?, canary.rate()?);
    let base = wilson(baseline.k, baseline.n, ALPHA)?;
    let new = wilson(canary.k, canary.n, ALPHA)?;
    let difference = p_canary - p_base;
    let below = (p_canary - new.low).hypot(base.high - p_base);
    let above = (new.high - p_canary).hypot(p_base - base.low);
    Some((difference - below, difference + above))
}

/// Fisher's exact test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fisher {
    pub p_two_sided: f64,
    /// One-sided: the canary's rate is higher.
    pub p_higher: f64,
}

/// Fisher's one-sided p-value alone: the canary's rate is higher. Fast for a canary far above, however
/// many outcomes there are; 1 when an arm is empty.
pub fn fisher_higher(baseline: Arm, canary: Arm) -> f64 {
    let hits = baseline.k + canary.k;
    let whole = ln_binomial(baseline.n + canary.n, hits);
    let mut sum = 0.0;
    for k in canary.k..=hits.min(canary.n) {
        let p = (ln_binomial(canary.n, k) + ln_binomial(baseline.n, hits - k) - whole).exp();
        sum += p;
        // Above the mode each is smaller than the one before by a growing factor.
        if p < sum * 1e-17 {
            break;
        }
    }
    sum.min(1.0)
}

/// Fisher's exact test; both p-values are 1 when an arm is empty.
pub fn fisher(baseline: Arm, canary: Arm) -> Fisher {
    let hits = baseline.k + canary.k;
    let total = baseline.n + canary.n;
    let first = hits.saturating_sub(baseline.n);
    let last = hits.min(canary.n);
    // P(the canary has k of the hits), hypergeometric.
    let whole = ln_binomial(total, hits);
    let chance =
        |k: u64| (ln_binomial(canary.n, k) + ln_binomial(baseline.n, hits - k) - whole).exp();
    let observed = chance(canary.k);
    // As likely as what was seen, up to rounding: scipy's tolerance.
    let limit = observed * (1.0 + 1e-7);
    let (mut two, mut higher) = (0.0, 0.0);
    for k in first..=last {
        let p = chance(k);
        if p <= limit {
            two += p;
        }
        if k >= canary.k {
            higher += p;
        }
    }
    Fisher { p_two_sided: two.min(1.0), p_higher: higher.min(1.0) }
}

/// The Mann–Whitney test of two samples of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// U of the second sample: pairs in which it is larger, ties counted half.
    pub u: f64,
    /// Two-sided, normal approximation with corrections for ties and continuity.
    pub p_asymptotic: f64,
    /// Two-sided, exact; `None` with ties or when both samples have more than [`EXACT_MAX`].
    pub p_exact: Option<f64>,
    /// P(a value of the second is larger than one of the first), ties counted half.
    pub effect: f64,
}

/// The exact distribution is computed while one sample has at most so many values.
const EXACT_MAX: usize = 25;

/// Mann–Whitney of `canary` against `baseline`; values that are not finite are left out; `None`
/// while a sample is empty.
pub fn mann_whitney(baseline: &[f64], canary: &[f64]) -> Option<MannWhitney> {
    let mut all: Vec<(f64, bool)> = Vec::with_capacity(baseline.len() + canary.len());
    all.extend(baseline.iter().filter(|v| v.is_finite()).map(|v| (*v, false)));
    let first = all.len();
    all.extend(canary.iter().filter(|v| v.is_finite()).map(|v| (*v, true)));
    let second = all.len() - first;
    if first == 0 || second == 0 {
        return None;
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (m, n) = (size(first), size(second));
    let total = m + n;
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let t = size(group.len());
        let rank = before + (t + 1.0) / 2.0;
        ranks += rank * size(group.iter().filter(|(_, of_canary)| *of_canary).count());
        ties += t * t * t - t;
        before += t;
    }
    let u = ranks - n * (n + 1.0) / 2.0;
    let extreme = u.max(m * n - u);
    let variance = m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    let p_asymptotic = if variance > 0.0 {
        let z = (extreme - m * n / 2.0 - 0.5) / variance.sqrt();
        (2.0 * normal_above(z)).clamp(0.0, 1.0)
    } else {
        1.0
    };
    let p_exact =
        (ties == 0.0 && first.min(second) <= EXACT_MAX).then(|| exact(first, second, extreme));
    Some(MannWhitney { u, p_asymptotic, p_exact, effect: u / (m * n) })
}

/// P(U ≥ `extreme`) · 2 when every order of `m + n` distinct values is equally likely. Counts the
/// orders with each U by adding one value of the larger sample at a time, as shares so that nothing
/// overflows.
fn exact(m: usize, n: usize, extreme: f64) -> f64 {
    let (small, large) = (m.min(n), m.max(n));
    // row[i][u]: share of orders of i values of the small sample and j of the large with this U.
    let mut row: Vec<Vec<f64>> = vec![vec![1.0]; small + 1];
    for j in 1..=large {
        let mut next: Vec<Vec<f64>> = vec![vec![1.0]];
        for i in 1..=small {
            // The largest value is of the large sample (it beats all i), or of the small one.
            let of_large = size(j) / size(i + j);
            let mut here = vec![0.0; i * j + 1];
            if let Some(less) = row.get(i) {
                for (cell, share) in here.iter_mut().skip(i).zip(less) {
                    *cell += of_large * share;
                }
            }
            if let Some(less) = next.get(i - 1) {
                for (cell, share) in here.iter_mut().zip(less) {
                    *cell += (1.0 - of_large) * share;
                }
            }
            next.push(here);
        }
        row = next;
    }
    let orders = row.pop().unwrap_or_default();
    let tail: f64 = orders
        .iter()
        .enumerate()
        .filter(|(u, _)| size(*u) >= extreme)
        .map(|(_, share)| share)
        .sum();
    (2.0 * tail).min(1.0)
}

#[allow(clippy::cast_precision_loss, reason = "counts of decisions stay far below 2^53")]
fn float(n: u64) -> f64 {
    n as f64
}

#[allow(clippy::cast_precision_loss, reason = "counts of values stay far below 2^53")]
fn size(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_arm_says_nothing() {
        let (none, some) = (Arm::default(), Arm::new(3, 9));
        assert_eq!(z_test(none, some), None);
        assert_eq!(newcombe(some, none), None);
        assert_eq!(fisher(none, some).p_two_sided, 1.0);
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[f64::NAN], &[1.0]), None);
    }

    #[test]
    fn one_side_alone_is_the_same_and_takes_no_longer_with_many_outcomes() {
        for (base, canary) in
            [((70, 840), (12, 30)), ((3, 9), (0, 0)), ((0, 5), (5, 5)), ((40, 50), (1, 9))]
        {
            let (base, canary) = (Arm::new(base.0, base.1), Arm::new(canary.0, canary.1));
            let (alone, both) = (fisher_higher(base, canary), fisher(base, canary).p_higher);
            assert!((alone - both).abs() <= 1e-12, "{base:?} {canary:?}: {alone} {both}");
        }
        let many = fisher_higher(Arm::new(1_000_000, 10_000_000), Arm::new(110_000, 1_000_000));
        assert!(many < 1e-200, "{many}");
    }

    #[test]
    fn the_exact_distribution_of_two_and_two_is_known() {
        // Six orders; U = 4 in one of them.
        let found = mann_whitney(&[1.0, 2.0], &[3.0, 4.0]).expect("both");
        assert_eq!((found.u, found.effect), (4.0, 1.0));
        assert!((found.p_exact.expect("no ties") - 2.0 / 6.0).abs() < 1e-12);
    }
}
