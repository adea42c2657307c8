//! Is the stream of decisions itself unusual: a caller that fell silent, a loop that floods.

use serde::{Deserialize, Serialize};

/// Equal parts of time before the last one that a baseline needs.
const MIN_PARTS: usize = 12;

/// Beyond so many standard deviations the arrival rate is unusual. Rates have heavy tails, so this
/// is further out than a normal law would ask for.
pub const UNUSUAL: f64 = 4.0;

/// How the arrival rate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    Usual,
    TooFew,
    TooMany,
    NotEnoughData,
}

/// The last part's count in standard deviations from the mean of `before` (equal parts of time,
/// complete, any order); `None` with fewer than [`MIN_PARTS`] or when nothing ever came.
///
/// The deviation is that of the parts before, at least √mean as for independent arrivals, so that
/// a quiet stretch does not make an ordinary count look wild.
pub fn arrival_z(before: &[u64], last: u64) -> Option<f64> {
    if before.len() < MIN_PARTS {
        return None;
    }
    let n = float(u64::try_from(before.len()).unwrap_or(u64::MAX));
    let mean = before.iter().map(|c| float(*c)).sum::<f64>() / n;
    let squares = before.iter().map(|c| (float(*c) - mean).powi(2)).sum::<f64>();
    let variance = (squares / (n - 1.0)).max(mean);
    (variance > 0.0).then(|| (float(last) - mean) / variance.sqrt())
}

/// [`arrival_z`] as an answer.
pub fn arrivals(before: &[u64], last: u64) -> Arrivals {
    match arrival_z(before, last) {
        None => Arrivals::NotEnoughData,
        Some(z) if z > UNUSUAL => Arrivals::TooMany,
        Some(z) if z < -UNUSUAL => Arrivals::TooFew,
        Some(_) => Arrivals::Usual,
    }
}

/// `count` in `minutes`, an hour; 0 for no time.
pub fn per_hour(count: u64, minutes: f64) -> f64 {
    if minutes > 0.0 { float(count) * 60.0 / minutes } else { 0.0 }
}

#[allow(clippy::cast_precision_loss, reason = "counts of decisions stay far below 2^53")]
fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_and_silence_are_unusual_and_a_little_more_is_not() {
        let before = [100, 96, 104, 110, 92, 99, 101, 88, 107, 95, 103, 105];
        assert_eq!(arrivals(&before, 120), Arrivals::Usual);
        assert_eq!(arrivals(&before, 0), Arrivals::TooFew);
        assert_eq!(arrivals(&before, 400), Arrivals::TooMany);
        assert_eq!(arrivals(&before[..11], 400), Arrivals::NotEnoughData);
        assert_eq!(arrival_z(&before, 110), Some(1.0), "mean 100, √mean 10");
    }

    #[test]
    fn what_never_came_cannot_be_missed() {
        assert_eq!(arrivals(&[0; 24], 0), Arrivals::NotEnoughData);
        assert_eq!(arrivals(&[0; 24], 9), Arrivals::NotEnoughData);
        assert_eq!(per_hour(30, 15.0), 120.0);
        assert_eq!(per_hour(30, 0.0), 0.0);
    }
}
