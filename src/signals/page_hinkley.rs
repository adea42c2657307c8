//! Page–Hinkley: the cumulated deviation from the running mean, against its own extreme
//! (E. S. Page, *Continuous inspection schemes*, Biometrika 41, 1954), as river computes it.

use serde::{Deserialize, Serialize};

/// Which change is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Up,
    Down,
    #[default]
    Both,
}

/// How Page–Hinkley is set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHinkleySettings {
    /// Values before the first test.
    pub min_instances: u64,
    /// Deviation that is tolerated at each value.
    pub delta: f64,
    /// Alarm when the cumulated deviation is further than this from its extreme.
    pub threshold: f64,
    /// What remains of the cumulated deviation at each value, in (0, 1].
    pub alpha: f64,
    pub direction: Direction,
}

impl Default for PageHinkleySettings {
    /// river's.
    fn default() -> Self {
        Self {
            min_instances: 30,
            delta: 0.005,
            threshold: 50.0,
            alpha: 1.0 - 0.0001,
            direction: Direction::Both,
        }
    }
}

/// The detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHinkley {
    settings: PageHinkleySettings,
    n: f64,
    mean: f64,
    up: f64,
    down: f64,
    /// Lowest `up` so far; `None` before the first value.
    low: Option<f64>,
    /// Highest `down` so far. It starts at −1, as in river.
    high: f64,
    drifted: bool,
    skipped: u64,
}

impl PageHinkley {
    /// Nothing seen yet.
    pub fn new(settings: PageHinkleySettings) -> Self {
        Self {
            settings,
            n: 0.0,
            mean: 0.0,
            up: 0.0,
            down: 0.0,
            low: None,
            high: -1.0,
            drifted: false,
            skipped: 0,
        }
    }

    /// Takes a value; true when the stream changed at it. Starts anew with the next value after a
    /// change.
    pub fn update(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            self.skipped += 1;
            return false;
        }
        if self.drifted {
            *self = Self { skipped: self.skipped, ..Self::new(self.settings) };
        }
        let PageHinkleySettings { min_instances, delta, threshold, alpha, direction } =
            self.settings;
        self.n += 1.0;
        self.mean += (value - self.mean) / self.n;
        let deviation = value - self.mean;
        self.up = alpha * self.up + deviation - delta;
        self.down = alpha * self.down + deviation + delta;
        let low = self.low.map_or(self.up, |low| low.min(self.up));
        self.low = Some(low);
        self.high = self.high.max(self.down);
        #[allow(clippy::cast_precision_loss, reason = "a count of values, far below 2^53")]
        let enough = self.n >= min_instances as f64;
        let rose = self.up - low > threshold && direction != Direction::Down;
        let fell = self.high - self.down > threshold && direction != Direction::Up;
        self.drifted = enough && (rose || fell);
        self.drifted
    }

    /// Running mean since the last change, 0 when nothing was seen.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Values since the last change.
    pub fn width(&self) -> f64 {
        self.n
    }

    /// Values that were missing or not finite.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_direction_it_was_asked_for() {
        let falls: Vec<f64> = (0..400).map(|i| if i < 200 { 1.0 } else { 0.0 }).collect();
        let alarms = |direction| {
            let mut detector = PageHinkley::new(PageHinkleySettings {
                threshold: 10.0,
                direction,
                ..PageHinkleySettings::default()
            });
            falls.iter().filter(|value| detector.update(**value)).count()
        };
        assert_eq!(alarms(Direction::Up), 0);
        assert!(alarms(Direction::Down) >= 1);
        assert!(alarms(Direction::Both) >= 1);
    }

    #[test]
    fn not_a_number_neither_blinds_nor_alarms() {
        let mut detector = PageHinkley::new(PageHinkleySettings {
            threshold: 5.0,
            ..PageHinkleySettings::default()
        });
        for _ in 0..100 {
            assert!(!detector.update(0.0));
            assert!(!detector.update(f64::NAN));
        }
        assert!((0..20).any(|_| detector.update(1.0)));
        assert_eq!(detector.skipped(), 100);
    }
}
