//! What a policy is made of, as the other rooms see it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hours::Hours;
use crate::domain::{Outcome, Sample, VerdictKind};

/// `[control]`: the desk's own settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Control {
    /// How long a verdict can be taken back in the app. Default 5 s.
    pub grace: SignedDuration,
    /// How many different people must ask before automation restarts. 1..=9, default 2.
    pub resume: u32,
    /// Where automatic decisions go when automation stands still. Default `level1`, else the
    /// queue of the lowest level, else `dataops`.
    pub human_queue: String,
    /// How far in the future `occurred_at` may lie. Default 1 h.
    pub max_skew: SignedDuration,
}

/// `[queues.NAME]`: RACI and the clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Queue {
    pub name: String,
    /// For people; the name where the file gives none.
    pub title: String,
    /// 1..=3: reviewers of this level and above work here. Default 1.
    pub level: u8,
    pub sla: Option<SignedDuration>,
    /// Working hours; `None` is always.
    pub hours: Option<Hours>,
    pub responsible: Vec<String>,
    pub accountable: Option<String>,
    pub consulted: Vec<String>,
    pub informed: Vec<String>,
    /// Where an item goes when its clock runs out.
    pub escalates_to: Option<String>,
    /// Verdicts must carry a signature.
    pub signed: bool,
    /// What a reviewer must have learned to take an item here: all of these.
    pub skills: Vec<String>,
    /// How many of its items one person may hold at a time; `None`: any number.
    pub capacity: Option<u32>,
    /// Share (0..=1) whose proposal is withheld until the reviewer has answered.
    pub blind: f64,
}

/// `[[tag]]`: one word of the correction taxonomy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    pub id: String,
    pub title: String,
    /// The letter that picks it in the app.
    pub key: Option<char>,
    /// 0..=10, default 0.
    pub severity: u8,
    pub require_note: bool,
}

/// `[[guideline]]`: what to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guideline {
    pub domain: String,
    /// `None`: every action of the domain that has no guideline of its own.
    pub action: Option<String>,
    pub text: String,
}

/// `[impact]`: where the impact levels begin (0..=10).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Impact {
    pub medium: f64,
    pub high: f64,
}

impl Default for Impact {
    fn default() -> Self {
        Self { medium: 4.0, high: 7.0 }
    }
}

/// Domain → its JSON Schemas.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schemas(pub BTreeMap<String, DomainSchemas>);

/// JSON Schemas of one domain; `None` where there is no file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DomainSchemas {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Value>,
}

/// Which facts the rules read; others need not be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    pub cohort_seen: bool,
    pub arrival_rate_z: bool,
    pub model_age_days: bool,
}

/// What a policy says about one decision: the policy's part of a [`crate::domain::Route`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Routing {
    pub outcome: Outcome,
    /// Where people see it: the review's queue, `dataops`, or a drawn sample's queue.
    pub queue: Option<String>,
    /// For a review: the queues whose people must approve, in order; the first is `queue`.
    pub approvals: Vec<String>,
    /// The rule that settled it.
    pub rule: String,
    /// Every output check and route that matched, checks first, in the order of the file.
    pub matched: Vec<String>,
    /// One sentence. Foreign values in it are cut to 80 characters but otherwise raw.
    pub reason: String,
    /// Only with `auto`.
    pub sample: Option<Sample>,
    /// The rule's own SLA, which goes before the queue's.
    pub sla: Option<SignedDuration>,
    pub priority: i64,
    pub blind: bool,
    /// Added by effects (`tag:T`).
    pub tags: Vec<String>,
    /// Effects on `decision` that fired.
    pub firings: Vec<Firing>,
}

/// An effect that fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Firing {
    pub effect: String,
    pub actions: Vec<EffectAction>,
    pub reason: String,
}

/// What an effect does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectAction {
    /// `automation.pause`
    Pause,
    /// `automation.limit:N`: at most N automatic decisions a minute.
    Limit(f64),
    /// `freeze.similar`
    FreezeSimilar,
    /// `canary.rollback`
    CanaryRollback,
    /// `incident.open`
    IncidentOpen,
    /// `escalate:QUEUE`, `escalate:QUEUE@2h`
    Escalate { queue: String, sla: Option<SignedDuration> },
    /// `notify:NAME`
    Notify(String),
    /// `tag:T`
    Tag(String),
}

/// What a rule on reviews reads beside the decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewFacts {
    pub verdict: VerdictKind,
    #[serde(default)]
    pub tags: Vec<String>,
    /// The reviewer's level, 1..=3.
    pub level: u8,
    pub reviewer: String,
    /// The decision was done already.
    #[serde(default)]
    pub reversal: bool,
}

/// What a rule on windows reads; `None` is not enough data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowFacts {
    /// (edit + reject) / (accept + edit + reject), undone ones excluded.
    pub override_rate: Option<f64>,
    /// 95 % Wilson interval of it.
    pub override_low: Option<f64>,
    pub override_high: Option<f64>,
    pub override_baseline: Option<f64>,
    /// The window's rate lies above that before it by more than chance explains.
    pub override_worse: Option<bool>,
    pub reviewed: u64,
    /// Largest over features with n >= 200.
    pub psi: Option<f64>,
    pub kl: Option<f64>,
    pub drift: Option<bool>,
    pub ece: Option<f64>,
    pub sla_compliance: Option<f64>,
}

/// What a rule on queues' clocks reads beside the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlaFacts {
    /// The queue whose clock runs.
    pub queue: String,
    /// That queue's level.
    pub level: u8,
    /// Whole minutes until the item is due, rounded up; 0 and below once it is late.
    #[serde(default)]
    pub minutes_left: i64,
    /// The time has run out.
    #[serde(default = "yes")]
    pub breached: bool,
}

fn yes() -> bool {
    true
}
