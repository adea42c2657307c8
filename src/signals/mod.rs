//! What drifts, and how sure that is: windows, population drift, change detectors, calibration,
//! override rates, the clock of queues. Pure: plain numbers in, three-valued verdicts out.

pub mod adwin;
pub mod calibration;
pub mod chi2;
mod compare;
mod counts;
pub mod ddm;
pub mod detector;
mod durations;
pub mod ensemble;
pub mod estimate;
pub mod fdr;
mod features;
pub mod flow;
mod histogram;
pub mod intervals;
pub mod ks;
pub mod overrides;
pub mod page_hinkley;
mod population;
mod reference;
mod registry;
pub mod sequential;
pub mod sla;
mod slice;
mod stray;
mod sums;
pub mod two_sample;
mod window;
mod windows;

pub use compare::{Compared, compare};
pub use counts::{Count, Counts};
pub use durations::Durations;
pub use features::{Discovered, FEATURES, Feature, discover};
pub use histogram::{Bins, DISTINCT, LEVELS, MISSING, Value};
pub use population::{MIN_CURRENT, MIN_REFERENCE, PSI_ALARM, Population};
pub use reference::{
    KEPT, MODELS, ModelReference, Reference, ReferenceBuilder, STEPS, Shape, Watched,
};
pub use registry::{Registry, Remembered, SliceId};
pub use slice::{OTHER, Slice, SliceError};
pub use stray::{Stray, Strayed, strays};
pub use sums::{DamagedSums, Sums};
pub use window::{Span, Tier, Window, WindowError};
pub use windows::{Clock, Figures, ModelId, Part, PartError, Row, View, Windows};

use serde::{Deserialize, Serialize};

/// Has a population moved?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    Stable,
    Drift,
    NotEnoughData,
}

impl Drift {
    /// `stable`, `drift` or `not_enough_data`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Drift => "drift",
            Self::NotEnoughData => "not_enough_data",
        }
    }
}
