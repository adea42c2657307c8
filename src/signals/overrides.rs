//! How often people overrule a slice, and whether that is more than it used to be.

use serde::{Deserialize, Serialize};

use super::intervals::{ALPHA, Interval, wilson};
use super::sequential::Arm;
use super::two_sample::{fisher_higher, newcombe, z_test};

/// Verdicts a slice needs in the window, and before it, before anything is said.
pub const MIN_REVIEWED: u64 = 30;

/// A p-value below this is computed exactly.
const EXACT: f64 = 0.01;

/// How a slice's override rate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As it used to be, or better.
    Stable,
    /// Higher than before, perhaps by chance: fewer than one healthy slice in twenty looks so.
    Watch,
    /// Higher than before: the interval of the difference and that of the rate lie above.
    Over,
    NotEnoughData,
}

impl Standing {
    /// Is it worse than before, by one look at this slice alone? `None` without enough data.
    pub fn is_worse(self) -> Option<bool> {
        (self != Self::NotEnoughData).then_some(self == Self::Over)
    }

    /// `stable`, `watch`, `over` or `not_enough_data`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Watch => "watch",
            Self::Over => "over",
            Self::NotEnoughData => "not_enough_data",
        }
    }
}

/// A slice's override rate in a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overrides {
    /// Overridden of reviewed.
    pub now: Arm,
    /// `None` without verdicts.
    pub rate: Option<f64>,
    /// 95 % Wilson.
    pub interval: Option<Interval>,
    /// The rate before the window, of the slice itself or of those it is held against; `None` with
    /// fewer than [`MIN_REVIEWED`] verdicts.
    pub baseline: Option<f64>,
    pub standing: Standing,
    /// One-sided, against "not higher than before"; `None` without enough data. By the pooled z
    /// test; where that is below [`EXACT`], where its tail is too thin, by Fisher's exact one.
    pub p_higher: Option<f64>,
}

/// The override rate of `now` against `before`: the same slice's, or that of those it is held
/// against. Without a baseline nothing is judged.
pub fn overrides(now: Arm, before: Arm) -> Overrides {
    let baseline = if before.n >= MIN_REVIEWED { before.rate() } else { None };
    let interval = wilson(now.k, now.n, ALPHA);
    let judged = match (now.rate(), interval, baseline) {
        (Some(rate), Some(interval), Some(base)) if now.n >= MIN_REVIEWED => {
            let above = newcombe(before, now).is_some_and(|(low, _)| low > 0.0);
            // No outcome differs between the two: certainly not higher.
            let p = z_test(before, now).map_or(1.0, |test| test.p_higher);
            let standing = if above && interval.low > base {
                Standing::Over
            } else if rate > base && p < ALPHA {
                Standing::Watch
            } else {
                Standing::Stable
            };
            Some((standing, if p < EXACT { fisher_higher(before, now) } else { p }))
        }
        _ => None,
    };
    Overrides {
        now,
        rate: now.rate(),
        interval,
        baseline,
        standing: judged.map_or(Standing::NotEnoughData, |(standing, _)| standing),
        p_higher: judged.map(|(_, p)| p),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(now: (u64, u64), before: (u64, u64)) -> Standing {
        overrides(Arm::new(now.0, now.1), Arm::new(before.0, before.1)).standing
    }

    #[test]
    fn four_answers() {
        assert_eq!(standing((3, 29), (100, 1_000)), Standing::NotEnoughData);
        assert_eq!(standing((9, 30), (1, 29)), Standing::NotEnoughData);
        assert_eq!(standing((10, 100), (100, 1_000)), Standing::Stable);
        assert_eq!(standing((2, 100), (100, 1_000)), Standing::Stable, "better is not worse");
        assert_eq!(standing((16, 100), (100, 1_000)), Standing::Watch);
        assert_eq!(standing((25, 100), (100, 1_000)), Standing::Over);
        assert_eq!(standing((0, 100), (0, 1_000)), Standing::Stable);
    }

    #[test]
    fn a_point_alone_is_no_evidence() {
        // 20 % against 10 %, but of 30 only.
        let found = overrides(Arm::new(6, 30), Arm::new(100, 1_000));
        assert_eq!(found.rate, Some(0.2));
        assert_ne!(found.standing, Standing::Over);
        assert!(found.interval.expect("seen").contains(0.1));
    }
}
