//! Many slices and many looks are many tests: which findings still count.
//!
//! Testing 40 cohorts and a dozen features every few seconds at 1 % would cry wolf all day. Two
//! things are many, and each has its own correction.
//!
//! *Looks.* A sliding window is looked at again and again, and looks share most of their data. The
//! chance that a statistic of a sliding sum crosses a high level at any moment of a window's
//! length, looked at without a pause, is known: such sums vary about any moment like Brownian
//! motion, so crossings come in clumps, and clumps come at a rate (Pickands 1969; D. Aldous,
//! *Probability Approximations via the Poisson Clumping Heuristic*, 1989, B and D). For a normal
//! statistic at level u that is u φ(u) a window's length, for χ² with d degrees of freedom at x
//! it is 2 f(x) (x − d + 1). [`scanned_normal`] and [`scanned_chi2`] add that to the p-value of
//! one look. What holds for looks without a pause holds for fewer: how often a ticker looks makes no
//! difference to what it may raise, and nothing has to wait for a bucket to close.
//!
//! *Slices.* These values of all live slices and features are one family, and Benjamini and
//! Hochberg's step-up procedure (1995; valid under the positive dependence that overlapping slices
//! have, Benjamini and Yekutieli 2001) says which of them count, at a rate that goes with the
//! window's length ([`rate`]): where nothing drifts, a rule on a window raises something once in
//! [`YEARS`] years at most, whether its window is 15 minutes or 90 days long. So the chance of
//! more than two false ones in a year is a tenth of a percent (Poisson, mean 0.2). That it is so is
//! simulated (`tests/healthy_year.rs`), with looks after every decision.
//!
//! Override rates are a family of their own, of one p-value a slice, judged exactly (Fisher).
//! Distributions enter with Pearson's χ² of reference against window, at the desk as in that
//! test: the tail of PSI's own null law is not to be trusted at p-values this small.
//!
//! E-values (evidence that may be peeked at) have their own procedure, valid under any dependence:
//! [`discoveries_by_e`] (R. Wang and A. Ramdas, *False discovery rate control with e-values*,
//! 2022).

use statrs::distribution::{ChiSquared, Continuous, ContinuousCDF, Normal};

use super::Window;

/// Years in which a rule on a window, looked at all the time, raises one false finding at most.
pub const YEARS: f64 = 5.0;

/// The false discovery rate of a window's length of looking: its share of [`YEARS`] years.
pub fn rate(window: Window) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "90 days of seconds at most")]
    let seconds = window.seconds() as f64;
    seconds / (YEARS * 365.25 * 86_400.0)
}

/// The chance that a normal statistic of a sliding window is ever as high as one with this one-sided
/// p-value while a window's length passes. Not a number for a `p` that is none.
pub fn scanned_normal(p: f64) -> f64 {
    if !(p > 0.0 && p < 0.5) {
        return if p <= 0.0 { 0.0 } else { p };
    }
    let law = Normal::standard();
    let u = -law.inverse_cdf(p);
    (p + u * law.pdf(u)).min(1.0)
}

/// The same for a χ² statistic with `dof` degrees of freedom; 1 with none.
pub fn scanned_chi2(statistic: f64, dof: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a few hundred bins")]
    let d = dof as f64;
    ChiSquared::new(d).map_or(1.0, |law| {
        let clumps = 2.0 * law.pdf(statistic) * (statistic - d + 1.0).max(0.0);
        (law.sf(statistic) + clumps).min(1.0)
    })
}

/// Which of `p_values` count at rate `q`, in the same order (Benjamini–Hochberg). One that is not
/// a number does not count, nor as a test.
pub fn discoveries(p_values: &[f64], q: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = p_values.iter().copied().filter(|p| p.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let tests = float(sorted.len());
    let limit = sorted
        .iter()
        .enumerate()
        .rev()
        .find(|(i, p)| **p <= q * float(i + 1) / tests)
        .map(|(_, p)| *p);
    p_values.iter().map(|p| limit.is_some_and(|limit| *p <= limit)).collect()
}

/// Which of `e_values` count at rate `q`, in the same order (e-BH).
pub fn discoveries_by_e(e_values: &[f64], q: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = e_values.iter().copied().filter(|e| !e.is_nan()).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let tests = float(sorted.len());
    let limit = sorted
        .iter()
        .enumerate()
        .rev()
        .find(|(i, e)| **e * float(i + 1) >= tests / q)
        .map(|(_, e)| *e);
    e_values.iter().map(|e| limit.is_some_and(|limit| *e >= limit)).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a count of slices, below 2^53")]
fn float(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ChiSquared, ContinuousCDF};

    use super::*;
    use crate::signals::detector::Detector;

    #[test]
    fn the_published_example_of_fifteen_p_values() {
        // Benjamini and Hochberg 1995, 3.2: four are found at 5 %, by Bonferroni three.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        let found = discoveries(&p, 0.05);
        assert_eq!(found.iter().filter(|x| **x).count(), 4);
        assert!(found[3] && !found[4]);
    }

    #[test]
    fn a_lone_one_needs_bonferroni_and_nothing_found_is_nothing() {
        let mut p = vec![0.5; 40];
        p[7] = 0.05 / 40.0;
        assert!(discoveries(&p, 0.05)[7]);
        p[7] = 0.06 / 40.0;
        assert!(!discoveries(&p, 0.05).contains(&true));
        assert!(discoveries(&[], 0.05).is_empty());
        assert_eq!(discoveries(&[f64::NAN, 0.01], 0.05), [false, true]);
    }

    #[test]
    fn e_values_count_by_their_own_rule() {
        let found = discoveries_by_e(&[900.0, 450.0, 5.0, 1.0], 0.01);
        assert_eq!(found, [true, true, false, false]);
        assert_eq!(discoveries_by_e(&[399.0, 1.0, 1.0, 1.0], 0.01), [false; 4]);
    }

    #[test]
    fn a_look_without_a_pause_costs_what_crossings_come_at() {
        // u = 3: 0.00135 at one look, and 3 φ(3) = 0.013296 crossings a window's length.
        let p = 0.001_349_898_031_630_1;
        assert!((scanned_normal(p) - 0.014_645_442_8).abs() < 1e-9, "{}", scanned_normal(p));
        assert_eq!((scanned_normal(0.0), scanned_normal(0.7)), (0.0, 0.7));
        assert!(scanned_normal(f64::NAN).is_nan());
        // One degree of freedom is a normal statistic seen from both sides.
        assert!((scanned_chi2(9.0, 1) - 2.0 * 0.014_645_442_8).abs() < 1e-8);
        assert_eq!(scanned_chi2(50.0, 0), 1.0);
        let along: Vec<f64> = (0..60).map(|x| scanned_chi2(20.0 + f64::from(x), 9)).collect();
        assert!(along.windows(2).all(|pair| pair[1] < pair[0]), "{along:?}");
        // Day and year: the same number of false findings in a year, whatever the window.
        let years = |w: Window| f64::from(i32::try_from(w.seconds()).expect("small")) / rate(w);
        for window in Window::ALL {
            assert!((years(window) / (365.25 * 86_400.0) - YEARS).abs() < 1e-9);
        }
    }

    struct Random(u64);

    impl Random {
        fn unit(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let (top, one) = (self.0 >> 40, 1u32 << 24);
            f64::from(u32::try_from(top).expect("24 bits")) / f64::from(one)
        }
    }

    const COHORTS: usize = 40;
    const BINS: usize = 10;
    const A_DAY: usize = 300;
    const REFERENCE: f64 = 10_000.0;

    /// PSI of a day's counts against ten equal bins, and the chance of Pearson's statistic: at one
    /// look, and at any time of a day.
    fn day(random: &mut Random, shift: f64, chi: &ChiSquared) -> (f64, f64, f64) {
        let mut counts = [0u32; BINS];
        for _ in 0..A_DAY {
            let value = random.unit();
            let value = if random.unit() < shift { value / 2.0 } else { value };
            let below = |b: &usize| value >= f64::from(u32::try_from(*b).expect("ten")) / 10.0;
            counts[(0..BINS).rev().find(below).unwrap_or(0)] += 1;
        }
        let n = f64::from(u32::try_from(A_DAY).expect("small"));
        let psi = |c: &u32| {
            let share = f64::from(*c).max(1e-4) / n;
            (0.1 - share) * (0.1 / share).ln()
        };
        let pearson = |c: &u32| (f64::from(*c) - n / 10.0).powi(2) / (n / 10.0);
        let statistic = counts.iter().map(pearson).sum::<f64>() / (1.0 + n / REFERENCE);
        (counts.iter().map(psi).sum(), chi.sf(statistic), scanned_chi2(statistic, 9))
    }

    #[test]
    fn a_healthy_year_of_forty_cohorts_raises_at_most_two_drift_incidents() {
        let mut random = Random(0x0eed_2026);
        let chi = ChiSquared::new(9.0).expect("nine degrees");
        let mut detectors = vec![Detector::default(); COHORTS];
        for detector in &mut detectors {
            detector.share(COHORTS);
        }
        let (mut uncorrected, mut drifted, mut changed) = (0, 0, 0);
        for _ in 0..365 {
            let looks: Vec<(f64, f64, f64)> =
                (0..COHORTS).map(|_| day(&mut random, 0.0, &chi)).collect();
            uncorrected += looks.iter().filter(|look| look.1 < 0.01).count();
            let p: Vec<f64> = looks.iter().map(|look| look.2).collect();
            let found = discoveries(&p, rate(Window::Day));
            drifted += looks.iter().zip(found).filter(|(look, f)| *f && look.0 >= 0.1).count();
            // A tenth is reviewed; one review in twelve overrides.
            for detector in &mut detectors {
                for _ in 0..A_DAY / 10 {
                    let overridden = f64::from(u8::from(random.unit() < 1.0 / 12.0));
                    changed += usize::from(detector.update(Some(overridden)));
                }
            }
        }
        println!("p < 0.01 alone: {uncorrected}; with control: {drifted}; detectors: {changed}");
        assert!(uncorrected > 100, "without control it cries wolf: {uncorrected}");
        assert!(drifted + changed <= 2, "{drifted} by distribution, {changed} by detector");
    }

    #[test]
    fn a_drift_that_matters_in_one_cohort_of_forty_is_still_found_within_a_day() {
        let mut random = Random(0x0eed_0002);
        let chi = ChiSquared::new(9.0).expect("nine degrees");
        let mut p: Vec<f64> = (0..COHORTS).map(|_| day(&mut random, 0.0, &chi).2).collect();
        p[17] = day(&mut random, 0.5, &chi).2;
        let found = discoveries(&p, rate(Window::Day));
        assert_eq!(found.iter().filter(|x| **x).count(), 1, "{p:?}");
        assert!(found[17]);
    }
}
