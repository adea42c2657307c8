//! What containment found for one decision: outcomes, stored with it, never whole states.

use serde::{Deserialize, Serialize};

use super::{ControlScope, Timestamp};

/// What a stop makes of the decisions in its scope, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopMode {
    /// Everything goes to people.
    Human,
    /// The caller is told to use another version.
    LastGood,
    /// Nothing may be done.
    Block,
}

impl StopMode {
    /// `human`, `last-good` or `block`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::LastGood => "last-good",
            Self::Block => "block",
        }
    }
}

/// Everything containment had to say of one decision. A field is there only where it changed
/// something or could have: a decision that nothing touched has none of this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contained {
    /// Of all switches that cover it, the one that holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<Stopped>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub canary: Option<CanaryDraw>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub freeze: Option<Frozen>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub breaker: Option<Tripped>,
    /// Present when the limiter turned it away.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<TurnedAway>,
    /// Present when people were asked for more than the budget.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<OverBudget>,
}

impl Contained {
    /// Nothing applies.
    pub fn is_clear(&self) -> bool {
        *self == Self::default()
    }
}

/// A switch that holds a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopped {
    pub scope: ControlScope,
    pub mode: StopMode,
    /// A pause set by an effect, not a kill by a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// `last-good`: the version to use instead; `None` where none is known, and then people decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}

/// Which side of a canary's share a decision of the new version is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryDraw {
    pub version: String,
    pub baseline: String,
    /// Share (0..=1) of the decisions it has now; 0 after a rollback.
    pub share: f64,
    /// Hash of the id as a number in [0, 1): inside where it is below the share.
    pub draw: f64,
    /// Why it has no share any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
}

impl CanaryDraw {
    /// Its proposal counts; outside it is answered with the baseline.
    pub fn inside(&self) -> bool {
        self.draw < self.share
    }
}

/// A freeze that holds a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    pub id: String,
    /// The corrected decision it is like.
    pub like: String,
    /// Estimated Jaccard similarity (0..=1) of the texts where that is why; `None`: same domain,
    /// action and cohort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
    pub by: String,
    pub reason: String,
}

/// A breaker that is not closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tripped {
    pub model: String,
    pub domain: String,
    /// A trickle stays automatic.
    pub half_open: bool,
    /// Share (0..=1) that stays automatic while half open.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub trickle: f64,
    /// Hash of the id as a number in [0, 1): automatic where it is below the trickle.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub draw: f64,
    pub cause: String,
}

impl Tripped {
    /// It is part of the trickle that stays automatic.
    pub fn trickles(&self) -> bool {
        self.half_open && self.draw < self.trickle
    }
}

/// A limit that turned a decision away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnedAway {
    /// `[limit.NAME]`'s name, or the scope an effect limited.
    pub name: String,
    /// As the policy or the effect set it.
    pub per_minute: f64,
    /// As it stands, tightened by errors.
    pub effective: f64,
    /// Who limited it, where an effect did: the effect's name and its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A queue of which more is asked than its budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverBudget {
    pub queue: String,
    pub per_hour: f64,
    /// What would have come before its people in the hour until now, this one included.
    pub arrivals: u64,
    /// What did come before them, this one not included.
    pub asked: u64,
    /// `sample`, `hold`, `block` or `auto_flagged`.
    pub overflow: String,
    /// What looking at this one is worth, 0..=1.
    pub value: f64,
    /// What one must be worth now to be looked at.
    pub needed: f64,
    /// It is looked at all the same.
    pub kept: bool,
}

fn is_zero(n: &f64) -> bool {
    *n == 0.0
}
