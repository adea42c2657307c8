//! The breaker on auto-accept, one for each model version and domain: it opens on evidence, tries
//! again with a trickle, and closes on evidence.

use serde::{Deserialize, Serialize};

use crate::domain::{ControlScope, Decision, Timestamp};

/// A breaker that is not closed. (A closed one is not written down.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    pub domain: String,
    pub model: String,
    pub version: String,
    pub phase: Phase,
    /// When it came into this phase.
    pub since: Timestamp,
    /// How often it opened since it was closed last.
    pub trips: u32,
    /// What tripped it last, with its figures.
    pub cause: String,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// Everything goes to people until then.
    Open { until: Timestamp },
    /// This share (0..=1) is automatic again.
    HalfOpen { trickle: f64 },
}

impl Breaker {
    /// Does it stand between this decision and auto-accept?
    pub fn covers(&self, d: &Decision) -> bool {
        self.domain == d.domain && self.model == d.model.name && self.version == d.model.version
    }

    /// Is all it covers inside this scope?
    pub fn is_inside(&self, scope: &ControlScope) -> bool {
        *scope == ControlScope::Domain(self.domain.clone()) || scope.contains(&self.scope())
    }

    /// The scope that its model is.
    pub fn scope(&self) -> ControlScope {
        ControlScope::Model { name: self.model.clone(), version: Some(self.version.clone()) }
    }
}
