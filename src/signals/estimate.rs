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

    /// The same of sums over w = 1/p: w, w of the wrong ones, w², w² of the wrong ones.
    pub fn of_weights(n: u64, wrong: u64, [w, w_wrong, w2, w2_wrong]: [f64; 4]) -> Self {
        Self {
            n,
            wrong,
            weight: w,
            weight_wrong: w_wrong,
            spread: (w2 - w).max(0.0),
            spread_wrong: (w2_wrong - w_wrong).max(0.0),
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
        /// Uniform in (0, 1).
        fn unit(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let (top, one) = (self.0 >> 40, 1u32 << 24);
            (f64::from(u32::try_from(top).expect("24 bits")) + 0.5) / f64::from(one)
        }

        /// How many are passed over until the next one of probability `p`.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small test")]
        fn skip(&mut self, p: f64) -> usize {
            (self.unit().ln() / (1.0 - p).ln()) as usize
        }
    }

    fn share(part: u64, of: u64) -> f64 {
        f64::from(u32::try_from(part).expect("few")) / f64::from(u32::try_from(of).expect("few"))
    }

    #[test]
    fn intervals_of_95_percent_cover_93_to_97() {
        const RUNS: u64 = 3_000;
        let mut random = Random(0x5eed_0001);
        for (name, world) in WORLDS {
            // The outcomes of the world are fixed; only the sample varies.
            let strata: Vec<(f64, Vec<bool>)> = world
                .iter()
                .map(|(n, p, rate)| (*p, (0..*n).map(|_| random.unit() < *rate).collect()))
                .collect();
            let all = strata.iter().flat_map(|(_, outcomes)| outcomes);
            let (wrong, all) = all.fold((0, 0), |(w, n), wrong| (w + u64::from(*wrong), n + 1));
            let truth = share(wrong, all);
            let (mut covered, mut sum, mut plain) = (0, 0.0, 0.0);
            for _ in 0..RUNS {
                let mut sums = SampleSums::default();
                for (probability, outcomes) in &strata {
                    let mut at = random.skip(*probability);
                    while let Some(wrong) = outcomes.get(at) {
                        sums.observe(Sampled { probability: *probability, wrong: *wrong });
                        at += 1 + random.skip(*probability);
                    }
                }
                let found = from_sums(&sums, Some(all)).expect("some sampled");
                covered += u64::from(found.interval.contains(truth));
                sum += found.rate / 3_000.0;
                plain += share(sums.wrong, sums.n) / 3_000.0;
            }
            let coverage = share(covered, RUNS);
            println!(
                "{name}: covers {:.1} %, truth {truth:.4}, mean estimate {sum:.4}, plain {plain:.4}",
                coverage * 100.0
            );
            assert!((0.93..=0.97).contains(&coverage), "{name}: {coverage}");
            assert!((sum - truth).abs() < 0.02 * truth, "{name}: {sum} for {truth}");
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
        let weights = [both.weight, both.weight_wrong, 100.0 * 4.0, 34.0 * 4.0];
        assert_eq!(SampleSums::of_weights(100, 34, weights), both);
    }
}
