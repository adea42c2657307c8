//! When a message that did not arrive is tried again: a schedule, spread by chance so that many do
//! not come back at once. Chance is an argument.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::domain::Timestamp;

/// For signed webhooks and replies: the schedule that Standard Webhooks recommends.
pub const PATIENT: [u64; 9] =
    [5, 5 * 60, 30 * 60, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// For people who have to know soon: quick at first, given up after about sixteen hours.
pub const URGENT: [u64; 12] =
    [5, 15, 30, 60, 2 * 60, 5 * 60, 15 * 60, 30 * 60, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR];

const HOUR: u64 = 3600;

/// No service makes a message wait longer than this.
pub const LONGEST: Duration = Duration::from_secs(24 * HOUR);

/// How long to wait after the `tried`th try (1-based) failed; `None`: it is given up. `chance` is
/// in 0..1 and spreads by a fifth either way. What the service asks for (`after`) counts in full
/// where it is longer.
pub fn wait(
    schedule: &[u64],
    tried: u32,
    chance: f64,
    after: Option<Duration>,
) -> Option<Duration> {
    let step = usize::try_from(tried.max(1)).ok()?.checked_sub(1)?;
    let seconds = *schedule.get(step)?;
    let spread = 0.8 + 0.4 * chance.clamp(0.0, 1.0);
    let own = Duration::from_secs(seconds).mul_f64(spread);
    Some(own.max(after.unwrap_or_default()).min(LONGEST))
}

/// First and longest wait between tries to reach a backend of corrections, and how many there are:
/// about three days of them.
const STEADY: (u64, u64, u32) = (5, 15 * 60, 300);

/// As [`wait`], for a backend of corrections: the wait doubles up to a quarter of an hour, so that
/// one that comes back is soon up to date.
pub fn steady(tried: u32, chance: f64, after: Option<Duration>) -> Option<Duration> {
    let (first, longest, tries) = STEADY;
    if tried > tries {
        return None;
    }
    let doubled = first.saturating_mul(1 << tried.saturating_sub(1).min(10));
    wait(&[doubled.min(longest)], 1, chance, after)
}

/// `wait` after `now`; the end of time where there is nothing after it.
pub fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Chance in 0..1 for a try of a message: the same for the same seed, key and try.
pub fn chance(seed: u64, key: &str, tried: u32) -> f64 {
    let digest = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(tried.to_le_bytes())
        .chain_update(key)
        .finalize();
    let bytes: [u8; 4] = digest.first_chunk().copied().unwrap_or_default();
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<Option<u64>> =
            (1..=10).map(|n| wait(&PATIENT, n, 0.5, None).map(|w| w.as_secs())).collect();
        let hours = [2, 5, 10, 14, 20, 24].map(|h| Some(h * 3600));
        assert_eq!(waits[..3], [Some(5), Some(300), Some(1800)]);
        assert_eq!(waits[3..9], hours);
        assert_eq!(waits[9], None);
        assert_eq!(wait(&URGENT, 13, 0.5, None), None);
    }

    #[test]
    fn a_backend_is_tried_steadily() {
        let waits = |n| steady(n, 0.5, None).map(|w| w.as_secs());
        let first: Vec<Option<u64>> = (1..=10).map(waits).collect();
        let expected = [5, 10, 20, 40, 80, 160, 320, 640, 900, 900];
        assert_eq!(first, expected.map(Some));
        assert_eq!((waits(300), waits(301)), (Some(900), None));
        assert_eq!(steady(1, 0.5, Some(Duration::from_secs(60))), Some(Duration::from_secs(60)));
    }

    #[test]
    fn chance_spreads_by_a_fifth_and_is_no_chance_with_a_seed() {
        for tried in 1..1000 {
            let at = chance(7, "k", tried);
            assert!((0.0..1.0).contains(&at));
            let w = wait(&[100], 1, at, None).unwrap().as_secs_f64();
            assert!((80.0..=120.0).contains(&w), "{w}");
        }
        assert!((chance(7, "k", 1) - chance(7, "k", 1)).abs() < f64::EPSILON);
        assert!((chance(7, "k", 1) - chance(8, "k", 1)).abs() > f64::EPSILON);
        let mean = (1..=1000).map(|n| chance(7, "k", n)).sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }

    #[test]
    fn the_service_may_ask_for_more_but_not_for_ever() {
        let after = |s| Some(Duration::from_secs(s));
        assert_eq!(wait(&URGENT, 1, 0.5, after(90)), after(90));
        assert_eq!(wait(&URGENT, 1, 0.5, after(1)), after(5));
        assert_eq!(wait(&URGENT, 1, 0.5, after(u64::MAX)), after(24 * 3600));
    }
}
