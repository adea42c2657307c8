//! How often the automatic decisions nobody looked at are wrong, from the few that were sampled.
//!
//! Each automatic decision was sampled on its own with a known probability `p` (Poisson sampling),
//! so each sampled one speaks for `1/p`. The rate is Hájek's ratio estimator, Σ(y/p) / Σ(1/p) (J.
//! Hájek 1971; Särndal, Swensson and Wretman, *Model Assisted Survey Sampling*, 1992, 5.7): it
//! stays inside 0..=1 and does not suffer from how many happened to be drawn, as Horvitz and
//! Thompson's Σ(y/p) / N does, which is given beside it where `N` is known. Both are unbiased where
//! the plain share of errors among sampled ones is not: targeted rules sample the doubtful more.
//!
//! The interval is Wilson's on the effective number of observations, rate · (1 − rate) / variance,
//! with the variance of the linearised estimator, Σ (1 − p)/p² · (y − rate)² / (Σ 1/p)², and its
//! degrees of freedom (E. L. Korn and B. I. Graubard, *Confidence intervals for proportions with
//! small expected number of positive counts estimated from survey data*, 1998; N. Dean and
//! M. Pagano, 2015, compare them). Coverage is tested by simulation.

use serde::{Deserialize, Serialize};

use super::intervals::{ALPHA, Interval, wilson_rate};

/// An automatic decision that was sampled and looked at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// Probability that it would be sampled, in (0, 1].
    pub probability: f64,
    /// A person overruled it.
    pub wrong: bool,
}

/// The same as sums, which merge exactly over minutes and nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleSums {
    pub n: u64,
    pub wrong: u64,
    /// Σ 1/p over all, and over the wrong ones.
    pub weight: f64,
    pub weight_wrong: f64,
    /// Σ (1 − p)/p² over all, and over the wrong ones.
    pub spread: f64,
    pub spread_wrong: f64,
}

impl SampleSums {
    /// Takes one more. A probability outside (0, 1] says nothing and is left out.
    pub fn observe(&mut self, seen: Sampled) {
        let p = seen.probability;
        if !(p > 0.0 && p <= 1.0) {
            return;
        }
        let (weight, spread) = (1.0 / p, (1.0 - p) / (p * p));
        self.n += 1;
        self.weight += weight;
        self.spread += spread;
        if seen.wrong {
            self.wrong += 1;
            self.weight_wrong += weight;
            self.spread_wrong += spread;
        }
    }

    /// Adds what others saw.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.wrong += other.wrong;
        self.weight += other.weight;
        self.weight_wrong += other.weight_wrong;
        self.spread += other.spread;
        self.spread_wrong += other.spread_wrong;
    }
}

/// The error rate of all automatic decisions, estimated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Hájek's.
    pub rate: f64,
    /// 95 %.
    pub interval: Interval,
    /// Horvitz and Thompson's, where the number of automatic decisions was given; may exceed 1.
    pub horvitz_thompson: Option<f64>,
    /// Sampled decisions behind it, and how many plain random ones would say as much.
    pub n: u64,
    pub effective: f64,
}

/// The estimate from sums; `automatic` is the number of automatic decisions they were drawn from,
/// if known. `None` without any sampled one.
pub fn from_sums(sums: &SampleSums, automatic: Option<u64>) -> Option<Estimate> {
    if sums.n == 0 {
        return None;
    }
    let rate = (sums.weight_wrong / sums.weight).clamp(0.0, 1.0);
    let right = sums.spread - sums.spread_wrong;
    // Σ (1 − p)/p² · (y − rate)², split into the wrong (y = 1) and the right (y = 0).
    let deviation = sums.spread_wrong * (1.0 - rate) * (1.0 - rate) + right * rate * rate;
    let variance = deviation / (sums.weight * sums.weight);
    // Without both outcomes the observed variance is 0 and says nothing: take the one that equal
    // rates in every stratum would give.
    let mixed = sums.wrong > 0 && sums.wrong < sums.n;
    let effective = if mixed && variance > 0.0 {
        rate * (1.0 - rate) / variance
    } else {
        sums.weight * sums.weight / sums.spread
    };
    #[allow(clippy::cast_precision_loss, reason = "counts of decisions stay far below 2^53")]
    let horvitz_thompson =
        automatic.filter(|all| *all > 0).map(|all| sums.weight_wrong / all as f64);
    // Every one was looked at: nothing is left to estimate.
    let interval = if sums.spread <= 0.0 || !effective.is_finite() {
        Interval { low: rate, high: rate }
    } else {
        wilson_rate(rate, effective, ALPHA)
    };
    Some(Estimate { rate, interval, horvitz_thompson, n: sums.n, effective })
}

/// The estimate from single outcomes.
pub fn estimate(seen: &[Sampled], automatic: Option<u64>) -> Option<Estimate> {
    let mut sums = SampleSums::default();
    for one in seen {
        sums.observe(*one);
    }
    from_sums(&sums, automatic)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strata of a world: decisions, share sampled, share wrong.
    type World = &'static [(u32, f64, f64)];

    const WORLDS: [(&str, World); 5] = [
        ("one in fifty, 5 % wrong", &[(30_000, 0.02, 0.05)]),
        ("one in fifty, 1 % wrong", &[(50_000, 0.02, 0.01)]),
        ("doubtful ones sampled more", &[(20_000, 0.02, 0.03), (4_000, 0.5, 0.2)]),
        ("half of them looked at", &[(2_000, 0.5, 0.1)]),
        ("three rates", &[(10_000, 0.05, 0.02), (5_000, 0.1, 0.05), (1_000, 0.5, 0.3)]),
    ];

    struct Random(u64);

    impl Random {
        fn below(&mut self, p: f64) -> bool {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let (top, one) = (self.0 >> 40, 1u32 << 24);
            f64::from(u32::try_from(top).expect("24 bits")) / f64::from(one) < p
        }
    }

    #[test]
    fn intervals_of_95_percent_cover_93_to_97() {
        let mut random = Random(0x5eed_0001);
        for (name, world) in WORLDS {
            // The outcomes of the world are fixed; only the sample varies.
            let mut wrong = 0u32;
            let mut all = 0u32;
            let mut outcomes: Vec<(f64, bool)> = Vec::new();
            for (decisions, p, rate) in world {
                for _ in 0..*decisions {
                    let is_wrong = random.below(*rate);
                    wrong += u32::from(is_wrong);
                    all += 1;
                    outcomes.push((*p, is_wrong));
                }
            }
            let truth = f64::from(wrong) / f64::from(all);
            let (mut covered, mut sum, mut plain) = (0u32, 0.0, 0.0);
            const RUNS: u32 = 3_000;
            for _ in 0..RUNS {
                let mut sums = SampleSums::default();
                for (probability, wrong) in &outcomes {
                    if random.below(*probability) {
                        sums.observe(Sampled { probability: *probability, wrong: *wrong });
                    }
                }
                let found = from_sums(&sums, Some(u64::from(all))).expect("some sampled");
                covered += u32::from(found.interval.contains(truth));
                sum += found.rate;
                let (wrong, n) = (sums.wrong, sums.n);
                plain += f64::from(u32::try_from(wrong).expect("few"))
                    / f64::from(u32::try_from(n).expect("few"));
            }
            let share = f64::from(covered) / f64::from(RUNS);
            let mean = sum / f64::from(RUNS);
            println!(
                "{name}: covers {:.1} %, truth {truth:.4}, mean estimate {mean:.4}, plain share {:.4}",
                share * 100.0,
                plain / f64::from(RUNS)
            );
            assert!((0.93..=0.97).contains(&share), "{name}: {share}");
            assert!((mean - truth).abs() < 0.02 * truth, "{name}: {mean} for {truth}");
        }
    }

    #[test]
    fn looked_at_all_of_them_nothing_is_uncertain() {
        let seen: Vec<Sampled> =
            (0..10u32).map(|i| Sampled { probability: 1.0, wrong: i < 3 }).collect();
        let found = estimate(&seen, Some(10)).expect("seen");
        assert_eq!(found.interval, Interval { low: 0.3, high: 0.3 });
        assert!((found.horvitz_thompson.expect("known") - 0.3).abs() < 1e-12);
    }

    #[test]
    fn no_error_among_few_still_leaves_room_for_some() {
        let seen = vec![Sampled { probability: 0.1, wrong: false }; 20];
        let found = estimate(&seen, None).expect("seen");
        assert_eq!((found.rate, found.interval.low), (0.0, 0.0));
        assert!(found.interval.high > 0.1, "{}", found.interval.high);
        assert_eq!(estimate(&[], None), None);
        assert_eq!(estimate(&[Sampled { probability: 0.0, wrong: true }], None), None);
    }

    #[test]
    fn sums_merge_exactly() {
        let one = |i: u32| Sampled { probability: 0.5, wrong: i.is_multiple_of(3) };
        let (mut left, mut right, mut both) = Default::default();
        for i in 0..100 {
            SampleSums::observe(if i < 40 { &mut left } else { &mut right }, one(i));
            SampleSums::observe(&mut both, one(i));
        }
        left.merge(&right);
        assert_eq!(left, both);
    }
}
