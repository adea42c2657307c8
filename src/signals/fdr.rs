//! Many slices are many tests: which of them still count when a few hundred are looked at.
//!
//! Testing 40 cohorts and a dozen features each hour at 1 % would cry wolf several times a day.
//! At each look the p-values of all live slices are one family, and Benjamini and Hochberg's
//! step-up procedure (1995; valid under the positive dependence that overlapping slices have,
//! Benjamini and Yekutieli 2001) keeps the expected share of false ones among those that count
//! below [`Q`]. Looks repeat, so `Q` is small: in a world where nothing drifts, and as far as the
//! p-values hold, the chance that one look raises anything at all is at most `Q`. Looks at sliding
//! windows share most of their data, so a year of them is not a year of fresh ones: what they raise
//! is measured (`healthy_year.rs`), by the hour and every five minutes, with the hysteresis that the
//! ticker has.
//! Override rates are a family of their own, of one p-value a slice ([`Q_RATES`]): they change only
//! with each review, and are judged exactly.
//! Distributions enter with Pearson's χ² p-value of reference against window, at the desk as in
//! that test: the tail of PSI's own null law is not to be trusted at p-values this small.
//!
//! E-values (evidence that may be peeked at) have their own procedure, valid under any dependence:
//! [`discoveries_by_e`] (R. Wang and A. Ramdas, *False discovery rate control with e-values*,
//! 2022).

/// The false discovery rate at each look at distributions.
pub const Q: f64 = 0.000_02;
/// … and at override rates.
pub const Q_RATES: f64 = 0.000_1;

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

    /// PSI of a day's counts against ten equal bins, and Pearson's p-value.
    fn day(random: &mut Random, shift: f64, chi: &ChiSquared) -> (f64, f64) {
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
        (counts.iter().map(psi).sum(), chi.sf(statistic))
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
            let looks: Vec<(f64, f64)> =
                (0..COHORTS).map(|_| day(&mut random, 0.0, &chi)).collect();
            let p: Vec<f64> = looks.iter().map(|look| look.1).collect();
            uncorrected += p.iter().filter(|p| **p < 0.01).count();
            let found = discoveries(&p, Q);
            drifted += looks.iter().zip(found).filter(|((psi, _), f)| *f && *psi >= 0.1).count();
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
        let mut p: Vec<f64> = (0..COHORTS).map(|_| day(&mut random, 0.0, &chi).1).collect();
        p[17] = day(&mut random, 0.5, &chi).1;
        let found = discoveries(&p, Q);
        assert_eq!(found.iter().filter(|x| **x).count(), 1, "{p:?}");
        assert!(found[17]);
    }
}
