//! One change detector on a stream, chosen by name: ADWIN by default, Page–Hinkley or DDM.
//!
//! The shipped settings are one default for every stream, not tuned to any: `assets/signals.md`
//! has what they find on four public ones, and a test prints that table again.

use serde::{Deserialize, Serialize};

use super::adwin::{Adwin, AdwinSettings};
use super::ddm::{Ddm, DdmLevel, DdmSettings};
use super::page_hinkley::{PageHinkley, PageHinkleySettings};

/// Which detector, with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum DetectorSettings {
    Adwin(AdwinSettings),
    PageHinkley(PageHinkleySettings),
    Ddm(DdmSettings),
}

impl Default for DetectorSettings {
    /// ADWIN at δ 0.05, tested at every 8th value.
    fn default() -> Self {
        Self::Adwin(AdwinSettings { delta: DELTA, clock: 8 })
    }
}

/// The confidence the shipped ADWIN shares among all streams it watches. Its bound is far on the
/// safe side: at 25 times the customary 0.002 it still raises nothing on 85,000 unchanged values
/// and halves the delays.
pub const DELTA: f64 = 0.05;

impl DetectorSettings {
    /// The shipped settings of `adwin`, `page_hinkley` or `ddm`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "adwin" => Some(Self::default()),
            "page_hinkley" => Some(Self::PageHinkley(PageHinkleySettings::default())),
            "ddm" => Some(Self::Ddm(DdmSettings::default())),
            _ => None,
        }
    }
}

/// A change detector and all it remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Detector {
    Adwin(Adwin),
    PageHinkley(PageHinkley),
    Ddm(Ddm),
}

impl Default for Detector {
    fn default() -> Self {
        Self::new(DetectorSettings::default())
    }
}

impl Detector {
    /// Nothing seen yet.
    pub fn new(settings: DetectorSettings) -> Self {
        match settings {
            DetectorSettings::Adwin(settings) => Self::Adwin(Adwin::new(settings)),
            DetectorSettings::PageHinkley(settings) => {
                Self::PageHinkley(PageHinkley::new(settings))
            }
            DetectorSettings::Ddm(settings) => Self::Ddm(Ddm::new(settings)),
        }
    }

    /// Takes a value (`None`: missing, skipped and counted); true when the stream changed at it.
    pub fn update(&mut self, value: Option<f64>) -> bool {
        let value = value.unwrap_or(f64::NAN);
        match self {
            Self::Adwin(detector) => detector.update(value),
            Self::PageHinkley(detector) => detector.update(value),
            Self::Ddm(detector) => detector.update(value) == DdmLevel::Drift,
        }
    }

    /// Shares the confidence among `streams` watched at once, so that many slices together raise
    /// no more false alarms than one would. Only ADWIN's threshold is a probability; the others
    /// keep theirs.
    pub fn share(&mut self, streams: usize) {
        if let Self::Adwin(detector) = self {
            #[allow(clippy::cast_precision_loss, reason = "a count of slices, below 2^53")]
            detector.set_delta(DELTA / streams.max(1) as f64);
        }
    }

    /// `adwin`, `page_hinkley` or `ddm`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adwin(_) => "adwin",
            Self::PageHinkley(_) => "page_hinkley",
            Self::Ddm(_) => "ddm",
        }
    }

    /// Mean of what it still takes for one stream, 0 when that is nothing.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Adwin(detector) => detector.mean(),
            Self::PageHinkley(detector) => detector.mean(),
            Self::Ddm(detector) => detector.mean(),
        }
    }

    /// Values that were missing or not finite.
    pub fn skipped(&self) -> u64 {
        match self {
            Self::Adwin(detector) => detector.skipped(),
            Self::PageHinkley(detector) => detector.skipped(),
            Self::Ddm(detector) => detector.skipped(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_its_detector_and_it_survives_being_stored() {
        for name in ["adwin", "page_hinkley", "ddm"] {
            let mut detector = Detector::new(DetectorSettings::named(name).expect("a name"));
            assert_eq!(detector.name(), name);
            for i in 0..100u32 {
                detector.update((i % 5 != 0).then(|| f64::from(i % 2)));
            }
            assert_eq!(detector.skipped(), 20);
            let stored = serde_json::to_string(&detector).expect("json");
            assert_eq!(serde_json::from_str::<Detector>(&stored).expect("back"), detector);
        }
        assert_eq!(DetectorSettings::named("eddm"), None);
    }

    #[test]
    fn many_streams_share_one_confidence() {
        let step = |i: u32| Some(f64::from(u8::from(i.is_multiple_of(4) || i >= 600)));
        let delay = |streams| {
            let mut detector = Detector::default();
            detector.share(streams);
            (0..2_000).position(|i| detector.update(step(i))).expect("found")
        };
        assert!(delay(1) <= delay(1_000));
    }
}
