//! Canaries: a new version takes a share of the decisions while its override rate stands up
//! against the baseline's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Control;
use crate::domain::{ControlScope, Timestamp};

/// The version of a model in use, and the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InUse {
    pub current: String,
    pub previous: Option<String>,
}

/// A canary. Its evidence is kept apart, because it moves with every verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    pub version: String,
    pub baseline: String,
    pub state: CanaryState,
    /// Shares in (0, 1], rising.
    pub steps: Vec<f64>,
    /// Index of the step it is at.
    pub step: usize,
    /// Reviewed decisions of the canary that a step needs before it may end.
    pub min_reviewed: u64,
    /// Largest override rate above the baseline's that is still acceptable (0..1).
    pub tolerance: f64,
    /// The level a person needs to promote it.
    pub promote_level: u8,
    pub by: String,
    pub started_at: Timestamp,
    /// When it came to this step or state.
    pub since: Timestamp,
    /// Why it was promoted or rolled back, with figures.
    pub reason: Option<String>,
}

/// Where a canary stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryState {
    Running,
    Promoted,
    RolledBack,
}

impl CanaryState {
    /// `running`, `promoted` or `rolled_back`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
        }
    }
}

impl Canary {
    /// Share (0..=1) of the decisions it has now.
    pub fn share(&self) -> f64 {
        match self.state {
            CanaryState::Running => self.steps.get(self.step).copied().unwrap_or(0.0),
            CanaryState::Promoted => 1.0,
            CanaryState::RolledBack => 0.0,
        }
    }
}

impl Control {
    /// The last known good version of each model that a stop of this scope would concern, as far
    /// as canaries and promotions have told.
    pub(super) fn last_good(&self, scope: &ControlScope) -> BTreeMap<String, String> {
        let of = |model: &str, bad: Option<&str>| -> Option<String> {
            let in_use = self.versions.get(model)?;
            let trial = self.canaries.get(model).filter(|c| c.state == CanaryState::Running);
            match (bad, trial) {
                // Stopping a version that is not the one in use: that one is good.
                (Some(bad), _) if bad != in_use.current => Some(in_use.current.clone()),
                // While a new version is on trial, the one in use is the good one.
                (None, Some(_)) => Some(in_use.current.clone()),
                _ => in_use.previous.clone(),
            }
        };
        match scope {
            ControlScope::Model { name, version } => {
                let good = of(name, version.as_deref());
                good.map(|v| (name.clone(), v)).into_iter().collect()
            }
            _ => {
                let all = self.versions.keys();
                all.filter_map(|m| Some((m.clone(), of(m, None)?))).collect()
            }
        }
    }
}
