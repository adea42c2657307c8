//! Canaries: a new version takes a share of the decisions while its override rate stands up
//! against the baseline's.
//!
//! The share is by a hash of the decision's id, the same at every step: what is inside a smaller
//! share stays inside a bigger one. Evidence is exact however often one looks ([`super::Trial`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Control;
use crate::domain::{CanaryDraw, ControlScope, Decision, Timestamp};
use crate::policy::Chance;

/// The version of a model in use, and the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InUse {
    pub current: String,
    pub previous: Option<String>,
}

/// A canary. Its evidence ([`super::Trial`]) is kept apart, because it moves with every verdict.
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

/// What cannot be done with a canary.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CanaryError {
    #[error("{model} has a canary already: {version} is running; promote it or roll it back first")]
    Running { model: String, version: String },
    #[error("no canary of {model} is running")]
    NoneRunning { model: String },
    #[error("a canary needs a version that is not its baseline: both are {0}")]
    SameVersion(String),
    #[error(
        "the steps of a canary are shares above 0 and at most 1, each larger than the one before; got {0:?}"
    )]
    Steps(Vec<f64>),
    #[error("the tolerance of a canary is a rate of at least 0 and below 1; got {0}")]
    Tolerance(f64),
}

impl Control {
    /// Let a new version take its first share. The baseline is the version in use from now on, as
    /// far as nothing else was known.
    #[allow(clippy::too_many_arguments, reason = "they are what a person says to start one")]
    pub fn start_canary(
        &mut self,
        model: &str,
        version: &str,
        baseline: &str,
        steps: &[f64],
        (min_reviewed, tolerance, promote_level): (u64, f64, u8),
        by: &str,
        at: Timestamp,
    ) -> Result<&Canary, CanaryError> {
        if let Some(running) = self.running(model) {
            let (model, version) = (model.to_owned(), running.version.clone());
            return Err(CanaryError::Running { model, version });
        }
        if version == baseline {
            return Err(CanaryError::SameVersion(version.to_owned()));
        }
        let rising = steps.windows(2).all(|w| matches!(w, [a, b] if a < b));
        let shares = steps.iter().all(|s| *s > 0.0 && *s <= 1.0);
        if steps.is_empty() || !rising || !shares {
            return Err(CanaryError::Steps(steps.to_vec()));
        }
        if !(0.0..1.0).contains(&tolerance) {
            return Err(CanaryError::Tolerance(tolerance));
        }
        let in_use = self
            .versions
            .entry(model.to_owned())
            .or_insert_with(|| InUse { current: baseline.to_owned(), previous: None });
        if in_use.current != baseline {
            let before = std::mem::replace(&mut in_use.current, baseline.to_owned());
            in_use.previous = Some(before);
        }
        let canary = Canary {
            version: version.to_owned(),
            baseline: baseline.to_owned(),
            state: CanaryState::Running,
            steps: steps.to_vec(),
            step: 0,
            min_reviewed,
            tolerance,
            promote_level,
            by: by.to_owned(),
            started_at: at,
            since: at,
            reason: None,
        };
        self.canaries.insert(model.to_owned(), canary);
        self.running(model).ok_or_else(|| CanaryError::NoneRunning { model: model.to_owned() })
    }

    /// The canary of a model that is running.
    pub fn running(&self, model: &str) -> Option<&Canary> {
        self.canaries.get(model).filter(|c| c.state == CanaryState::Running)
    }

    fn running_mut(&mut self, model: &str) -> Result<&mut Canary, CanaryError> {
        self.canaries
            .get_mut(model)
            .filter(|c| c.state == CanaryState::Running)
            .ok_or_else(|| CanaryError::NoneRunning { model: model.to_owned() })
    }

    /// The running canary takes its next, bigger share. `false`: it is at its last step.
    pub fn advance_canary(&mut self, model: &str, at: Timestamp) -> Result<bool, CanaryError> {
        let canary = self.running_mut(model)?;
        if canary.step + 1 >= canary.steps.len() {
            return Ok(false);
        }
        canary.step += 1;
        canary.since = at;
        Ok(true)
    }

    /// A person makes the running canary the version in use.
    pub fn promote_canary(
        &mut self,
        model: &str,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), CanaryError> {
        let canary = self.running_mut(model)?;
        canary.state = CanaryState::Promoted;
        canary.since = at;
        canary.reason = Some(reason.to_owned());
        let (current, previous) = (canary.version.clone(), Some(canary.baseline.clone()));
        self.versions.insert(model.to_owned(), InUse { current, previous });
        Ok(())
    }

    /// The running canary gets nothing any more: its decisions are answered with the baseline,
    /// until another canary of the model is started.
    pub fn roll_back_canary(
        &mut self,
        model: &str,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), CanaryError> {
        let canary = self.running_mut(model)?;
        canary.state = CanaryState::RolledBack;
        canary.since = at;
        canary.reason = Some(reason.to_owned());
        Ok(())
    }

    /// Which version of a model the caller with this id should use: the canary's inside its share,
    /// else the one in use; `None`: nothing is known of the model.
    pub fn version_for(&self, model: &str, id: &str, chance: &Chance) -> Option<&str> {
        match self.running(model) {
            Some(c) if draw(model, c, id, chance) < c.share() => Some(&c.version),
            _ => self.versions.get(model).map(|v| v.current.as_str()),
        }
    }

    /// Which side of a canary's share a decision is on, if it is of a version on trial or of one
    /// that was rolled back.
    pub(super) fn canary_for(&self, d: &Decision, chance: &Chance) -> Option<CanaryDraw> {
        let c = self.canaries.get(&d.model.name).filter(|c| c.version == d.model.version)?;
        let rolled_back = match c.state {
            CanaryState::Promoted => return None,
            CanaryState::Running => None,
            CanaryState::RolledBack => Some(c.reason.clone().unwrap_or_default()),
        };
        Some(CanaryDraw {
            version: c.version.clone(),
            baseline: c.baseline.clone(),
            share: c.share(),
            draw: draw(&d.model.name, c, &d.id, chance),
            rolled_back,
        })
    }
}

/// Where an id stands in 0..1 for this canary, at every step.
fn draw(model: &str, canary: &Canary, id: &str, chance: &Chance) -> f64 {
    chance.uniform(&format!("canary:{model}:{}", canary.version), id)
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

#[cfg(test)]
mod tests {
    use super::super::tests::{decision, t};
    use super::*;

    fn started(steps: &[f64]) -> Control {
        let mut c = Control::default();
        c.start_canary("m", "2", "1", steps, (50, 0.05, 2), "ann", t(0)).unwrap();
        c
    }

    #[test]
    fn what_is_inside_a_smaller_share_stays_inside_a_bigger_one() {
        let chance = Chance::new("key");
        let mut c = started(&[0.1, 0.3, 1.0]);
        let inside = |c: &Control| -> Vec<bool> {
            let ids = (0..3000).map(|i| decision(&format!("d-{i}"), "m@2"));
            ids.map(|d| c.canary_for(&d, &chance).unwrap().inside()).collect()
        };
        let shares = [inside(&c), {
            c.advance_canary("m", t(1)).unwrap();
            inside(&c)
        }];
        let of = |s: &[bool]| s.iter().filter(|b| **b).count();
        // Standard deviations 16 and 25.
        assert!((220..=380).contains(&of(&shares[0])), "{}", of(&shares[0]));
        assert!((780..=1020).contains(&of(&shares[1])), "{}", of(&shares[1]));
        assert!(shares[0].iter().zip(&shares[1]).all(|(small, big)| !small || *big));
        assert_eq!(c.advance_canary("m", t(2)), Ok(true));
        assert_eq!(of(&inside(&c)), 3000);
        assert_eq!(c.advance_canary("m", t(3)), Ok(false));
    }

    #[test]
    fn only_the_new_version_is_drawn_and_the_caller_is_told_the_same_beforehand() {
        let chance = Chance::new("key");
        let c = started(&[0.4]);
        assert_eq!(c.canary_for(&decision("a", "m@1"), &chance), None);
        assert_eq!(c.canary_for(&decision("a", "n@2"), &chance), None);
        for i in 0..200 {
            let d = decision(&format!("d-{i}"), "m@2");
            let told = c.version_for("m", &d.id, &chance);
            let drawn = c.canary_for(&d, &chance).unwrap();
            assert_eq!(told, Some(if drawn.inside() { "2" } else { "1" }));
        }
        assert_eq!(c.version_for("other", "a", &chance), None);
    }

    #[test]
    fn promotion_and_rollback_say_what_is_in_use_and_what_was_good() {
        let chance = Chance::new("key");
        let mut c = started(&[0.5]);
        assert_eq!(c.last_good(&ControlScope::All).get("m").map(String::as_str), Some("1"));
        c.roll_back_canary("m", t(1), "e 120 >= 100").unwrap();
        let draw = c.canary_for(&decision("a", "m@2"), &chance).unwrap();
        assert!(!draw.inside());
        assert_eq!(draw.rolled_back.as_deref(), Some("e 120 >= 100"));
        assert_eq!(c.version_for("m", "a", &chance), Some("1"));
        assert_eq!(
            c.promote_canary("m", t(2), "x"),
            Err(CanaryError::NoneRunning { model: "m".into() })
        );
        c.start_canary("m", "3", "1", &[1.0], (1, 0.0, 1), "ann", t(3)).unwrap();
        c.promote_canary("m", t(4), "good").unwrap();
        assert_eq!(c.version_for("m", "a", &chance), Some("3"));
        assert_eq!(c.canary_for(&decision("a", "m@3"), &chance), None);
        let scope: ControlScope = "model=m@3".parse().unwrap();
        assert_eq!(c.last_good(&scope).get("m").map(String::as_str), Some("1"));
        assert_eq!(Control::parse(&c.to_json().unwrap()).unwrap(), c);
    }

    #[test]
    fn what_makes_no_sense_does_not_start() {
        let mut c = Control::default();
        let mut start = |v: &str, steps: &[f64], tolerance: f64| {
            c.start_canary("m", v, "1", steps, (1, tolerance, 1), "ann", t(0))
                .err()
                .map(|e| e.to_string())
        };
        let both = "a canary needs a version that is not its baseline: both are 1";
        assert_eq!(start("1", &[0.5], 0.0).as_deref(), Some(both));
        for steps in [&[][..], &[0.0], &[0.5, 0.5], &[0.5, 0.1], &[1.1], &[f64::NAN]] {
            assert!(start("2", steps, 0.0).unwrap().starts_with("the steps of a canary"));
        }
        assert!(start("2", &[0.5], 1.0).unwrap().starts_with("the tolerance of a canary"));
        assert_eq!(start("2", &[0.5], 0.0), None);
        assert!(start("3", &[0.5], 0.0).unwrap().starts_with("m has a canary already: 2"));
    }
}
