//! Containment as it is asked for and shown: switches, breakers, limits, canaries, freezes,
//! incidents.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::domain::{ControlScope, Timestamp};

/// What a kill makes of the decisions in its scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum KillMode {
    /// Everything goes to people.
    Human,
    /// Nothing may be done.
    Block,
    /// The caller is told to use this version instead; `None`: the last one that was in use
    /// before.
    LastGood { version: Option<String> },
}

impl KillMode {
    /// `human`, `block` or `last-good`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Block => "block",
            Self::LastGood { .. } => "last-good",
        }
    }
}

/// What to do with a canary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum CanaryAct {
    /// Let `version` of `model` take a share of the decisions, against `baseline`.
    Start {
        model: String,
        version: String,
        baseline: String,
        /// Shares in (0, 1], rising, one a step; the last is usually 1.
        #[serde(default = "CanaryAct::steps")]
        steps: Vec<f64>,
        /// Reviewed decisions of the canary that a step needs before it may end.
        #[serde(default = "CanaryAct::min_reviewed")]
        min_reviewed: u64,
        /// Largest override rate above the baseline's that is still acceptable (0..1).
        #[serde(default = "CanaryAct::tolerance")]
        tolerance: f64,
        /// The level a person needs to promote it.
        #[serde(default = "CanaryAct::promote_level")]
        promote_level: u8,
    },
    /// Give it everything: it becomes the version in use.
    Promote { model: String, reason: String },
    /// Give it nothing: its decisions are answered with the baseline.
    Rollback { model: String, reason: String },
}

/// What holds where the start of a canary does not say.
impl CanaryAct {
    /// A twentieth, a quarter, half, all.
    pub fn steps() -> Vec<f64> {
        vec![0.05, 0.25, 0.5, 1.0]
    }

    /// Reviewed decisions a step.
    pub fn min_reviewed() -> u64 {
        100
    }

    /// Two overrides in a hundred more.
    pub fn tolerance() -> f64 {
        0.02
    }

    /// Level 2.
    pub fn promote_level() -> u8 {
        2
    }
}

/// What to do with an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentAct {
    Acknowledge,
    Resolve,
}

/// Everything that contains automation, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainmentView {
    pub generation: u64,
    /// Scopes by name, `all` first, then domains with their models under them.
    pub switches: Vec<SwitchView>,
    pub breakers: Vec<BreakerView>,
    pub limits: Vec<LimitView>,
    pub budgets: Vec<BudgetView>,
    pub canaries: Vec<CanaryView>,
    pub freezes: Vec<FreezeView>,
    /// Newest first; open ones before resolved ones.
    pub incidents: Vec<IncidentView>,
    /// Effects that wait to go out, were held by a switch, or could not be delivered.
    pub outgoing: Outgoing,
}

/// A scope and whether automation runs in it, whatever stands in its way there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwitchView {
    pub scope: ControlScope,
    /// What a stop does here; `None` where it is on or limited.
    #[serde(flatten, serialize_with = "mode_or_null", default)]
    pub mode: Option<KillMode>,
    /// As it stands, by what is set on it, by what is set above it, and by breakers.
    pub state: SwitchState,
    /// Who made it so: a reviewer, an effect, `breaker`.
    pub by: Option<String>,
    pub at: Option<Timestamp>,
    pub reason: Option<String>,
    /// Who has asked to restart it so far, and how many different people it takes.
    #[serde(default)]
    pub resume_by: Vec<String>,
    #[serde(default)]
    pub resume_needs: u32,
    /// Decisions an hour that came in this scope over the last hour.
    #[serde(default)]
    pub per_hour: Option<f64>,
    /// Items of this scope that wait for people.
    #[serde(default)]
    pub in_flight: u64,
    /// How deep it stands in the tree: `all` is 0.
    #[serde(default)]
    pub depth: u8,
    /// What makes it so where that is set on another scope, which this one is inside of or, where
    /// it is limited, in part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub under: Option<ControlScope>,
    /// With `under`: how it stands by itself, where that is not on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub own: Option<SwitchState>,
}

impl SwitchView {
    /// A scope in which nothing is set.
    pub fn on(scope: ControlScope) -> Self {
        Self {
            scope,
            mode: None,
            state: SwitchState::On,
            by: None,
            at: None,
            reason: None,
            resume_by: Vec::new(),
            resume_needs: 0,
            per_hour: None,
            in_flight: 0,
            depth: 0,
            under: None,
            own: None,
        }
    }

    /// How it stands by itself, whatever is set above it: what can be restarted here.
    pub fn own(&self) -> SwitchState {
        match self.under {
            Some(_) => self.own.unwrap_or(SwitchState::On),
            None => self.state,
        }
    }
}

/// `mode` is always there.
fn mode_or_null<S: Serializer>(mode: &Option<KillMode>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct None {
        mode: Option<KillMode>,
    }
    match mode {
        Some(mode) => mode.serialize(to),
        Option::None => None { mode: Option::None }.serialize(to),
    }
}

/// Whether automation runs in a scope; the stricter the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchState {
    On,
    Limited,
    Paused,
    Killed,
}

impl SwitchState {
    /// `on`, `limited`, `paused` or `killed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Limited => "limited",
            Self::Paused => "paused",
            Self::Killed => "killed",
        }
    }
}

/// The breaker on auto-accept of one model in one domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakerView {
    pub domain: String,
    pub model: String,
    /// `closed`, `open` or `half_open`.
    pub state: String,
    pub since: Timestamp,
    /// What tripped it, with its figures.
    pub cause: Option<String>,
    /// When an open one lets a trickle through.
    pub retry_at: Option<Timestamp>,
}

/// A rate limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitView {
    pub name: String,
    pub scope: ControlScope,
    /// As the policy or an effect set it.
    pub per_minute: f64,
    /// As it stands, tightened by errors.
    pub effective: f64,
    /// Automatic decisions that went to people because of it, last hour.
    pub turned_away: u64,
}

/// What may be asked of the people of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetView {
    pub queue: String,
    /// Reviews an hour that people can do; `None`: not measured yet.
    pub per_hour: Option<f64>,
    /// Items that arrived in the last hour.
    pub arrivals: u64,
    /// What gives way: `sample`, `hold`, `block` or `auto_flagged`.
    pub overflow: String,
    /// How often it gave way in the last hour.
    pub gave_way: u64,
    /// When, at these rates, items of the queue begin to breach their SLA.
    pub breach_at: Option<Timestamp>,
}

/// A canary: a new version that takes a share of the decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CanaryView {
    pub model: String,
    pub version: String,
    pub baseline: String,
    /// `running`, `promoted` or `rolled_back`.
    pub state: String,
    /// 1-based.
    pub step: usize,
    pub steps: Vec<f64>,
    /// Share it has now.
    pub share: f64,
    pub since: Timestamp,
    /// Overridden and reviewed, of the canary and of the baseline.
    pub canary: (u64, u64),
    pub base: (u64, u64),
    /// Evidence that it is worse: the e-value now, and the one that rolls it back.
    pub e_value: f64,
    pub e_needed: f64,
    /// The e-value over time, oldest first, at most 120.
    pub history: Vec<f64>,
    /// Confidence sequence (valid at every time) for the difference of override rates.
    pub difference: Option<(f64, f64)>,
    /// `worse`, `no_worse` or `not_enough_data`.
    pub verdict: String,
    pub promote_level: u8,
    pub reason: Option<String>,
}

/// Decisions like a corrected one, held for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreezeView {
    pub id: String,
    /// The corrected decision.
    pub like: String,
    pub domain: String,
    pub action: String,
    pub cohort: Option<String>,
    pub by: String,
    /// The level that froze, and may release it.
    pub level: u8,
    pub at: Timestamp,
    /// Decisions it has held so far.
    pub held: u64,
    pub reason: String,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentView {
    pub id: String,
    /// `open`, `acknowledged` or `resolved`.
    pub state: String,
    /// What kind of thing went wrong: the effect's id, or `manual`.
    pub kind: String,
    /// Where: one dimension and its value, such as `{"model":"m@1"}`.
    pub slice: Value,
    pub opened_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by: Option<String>,
    pub resolved_at: Option<Timestamp>,
    pub resolved_by: Option<String>,
    /// The figures that opened it.
    pub cause: String,
    /// How often it fired since it was opened.
    pub fired: u64,
    pub runbook: Option<String>,
    /// Ids of decisions that belong to it, newest first, at most 50.
    #[serde(default)]
    pub decisions: Vec<String>,
    /// What happened, oldest first.
    #[serde(default)]
    pub timeline: Vec<Happened>,
}

/// A line of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    pub at: Timestamp,
    pub by: String,
    pub what: String,
}

/// Effects on their way out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    pub waiting: u64,
    pub held: u64,
    pub dead: u64,
    /// The first of those held or dead, at most 100.
    pub listed: Vec<OutgoingView>,
}

/// One effect that did not go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingView {
    pub key: String,
    pub kind: String,
    /// Where to: a notifier's name, or the reply's kind.
    pub to: String,
    pub item: String,
    /// `waiting`, `held` or `dead`.
    pub state: String,
    pub attempts: u32,
    pub next_at: Option<Timestamp>,
    pub error: Option<String>,
}

/// What a restart still needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    pub scope: ControlScope,
    /// Automation runs again.
    pub running: bool,
    /// Different people who have asked.
    pub by: Vec<String>,
    pub needs: u32,
}
