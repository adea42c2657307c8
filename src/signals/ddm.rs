//! DDM: the error rate against the lowest it has been (Gama, Medas, Castillo and Rodrigues,
//! *Learning with drift detection*, 2004), as river computes it. Sees deterioration only.

use serde::{Deserialize, Serialize};

/// How DDM is set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DdmSettings {
    /// Values before the first test.
    pub warm_start: u64,
    /// Standard deviations above the lowest rate at which it warns, and at which it alarms.
    pub warning_threshold: f64,
    pub drift_threshold: f64,
}

impl Default for DdmSettings {
    /// river's.
    fn default() -> Self {
        Self { warm_start: 30, warning_threshold: 2.0, drift_threshold: 3.0 }
    }
}

/// What DDM says of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DdmLevel {
    #[default]
    InControl,
    Warning,
    Drift,
}

/// The detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ddm {
    settings: DdmSettings,
    n: u64,
    rate: f64,
    /// Rate and standard deviation where their sum was lowest; `None` during the warm start.
    lowest: Option<(f64, f64)>,
    level: DdmLevel,
    skipped: u64,
}

impl Ddm {
    /// Nothing seen yet.
    pub fn new(settings: DdmSettings) -> Self {
        Self { settings, n: 0, rate: 0.0, lowest: None, level: DdmLevel::InControl, skipped: 0 }
    }

    /// Takes an error bit (1: wrong). Values that are not finite are skipped. Starts anew with the
    /// next value after a change.
    pub fn update(&mut self, error: f64) -> DdmLevel {
        if !error.is_finite() {
            self.skipped += 1;
            return match self.level {
                DdmLevel::Drift => DdmLevel::InControl,
                level => level,
            };
        }
        if self.level == DdmLevel::Drift {
            *self = Self { skipped: self.skipped, ..Self::new(self.settings) };
        }
        self.n += 1;
        #[allow(clippy::cast_precision_loss, reason = "a count of values, far below 2^53")]
        let n = self.n as f64;
        self.rate += (error - self.rate) / n;
        if self.n <= self.settings.warm_start {
            return self.level;
        }
        // Bits give rates in 0..=1; anything else would make the deviation imaginary.
        let deviation = (self.rate * (1.0 - self.rate) / n).max(0.0).sqrt();
        let sum = self.rate + deviation;
        let (rate, spread) = match self.lowest {
            Some((rate, spread)) if sum > rate + spread => (rate, spread),
            _ => (self.rate, deviation),
        };
        self.lowest = Some((rate, spread));
        self.level = if sum > rate + self.settings.drift_threshold * spread {
            DdmLevel::Drift
        } else if sum > rate + self.settings.warning_threshold * spread {
            DdmLevel::Warning
        } else {
            DdmLevel::InControl
        };
        self.level
    }

    /// Error rate since the last change, 0 when nothing was seen.
    pub fn mean(&self) -> f64 {
        self.rate
    }

    /// Values since the last change.
    pub fn width(&self) -> u64 {
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
    fn warns_before_it_alarms_and_never_of_an_improvement() {
        let mut ddm = Ddm::new(DdmSettings::default());
        for i in 0..500u32 {
            ddm.update(f64::from(u8::from(i.is_multiple_of(10))));
        }
        let mut levels: Vec<DdmLevel> =
            (0..120u32).map(|i| ddm.update(f64::from(u8::from(i.is_multiple_of(2))))).collect();
        levels.dedup();
        let alarm = levels.iter().position(|level| *level == DdmLevel::Drift);
        let warning = levels.iter().position(|level| *level == DdmLevel::Warning);
        assert!(warning.is_some() && warning < alarm, "{levels:?}");

        let mut ddm = Ddm::new(DdmSettings::default());
        for i in 0..500u32 {
            ddm.update(f64::from(u8::from(i.is_multiple_of(2))));
        }
        assert!((0..500).all(|_| ddm.update(0.0) == DdmLevel::InControl));
    }
}
