//! Backends of corrections as people are shown them.

use serde::{Deserialize, Serialize};

use super::Outgoing;
use crate::domain::Timestamp;

/// What waits to go out into the world, and how it fares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncView {
    /// Alerts, replies and corrections; the first of those that wait are listed, too.
    pub outgoing: Outgoing,
    /// Every backend of the policy in force.
    pub backends: Vec<BackendView>,
}

/// How one backend stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendView {
    pub name: String,
    /// `overrule`, `webhook`, `file`, `label_studio` or `mlflow`.
    pub kind: String,
    /// Rows of the outbox that wait to go there.
    pub to_send: u64,
    /// The last try failed.
    pub failing: bool,
    /// Rows that were given up; `overrule sync retry KEY` sends one again.
    pub dead: u64,
    /// Rows that arrived, ever.
    pub sent: u64,
    pub last_sent_at: Option<Timestamp>,
    /// Wall time before which nothing goes there.
    pub next_at: Option<Timestamp>,
    /// What went wrong the last time.
    pub error: Option<String>,
    /// Queues whose items are pushed there, but for those whose reviewers are to answer before they
    /// see the proposal.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub blind: Vec<String>,
    /// Annotations from there that became verdicts.
    #[serde(default)]
    pub taken: u64,
    /// Accounts there that are no reviewer here.
    #[serde(default)]
    pub unmapped: Vec<String>,
    /// Annotations from there that could not be applied, newest last; the last 100.
    #[serde(default)]
    pub conflicts: Vec<ConflictView>,
}

/// An annotation that could not become a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictView {
    /// What it is called there: `annotation 12`.
    pub annotation: String,
    pub item: String,
    /// Whose it is there.
    pub account: String,
    pub why: String,
    /// Wall time at which it was read.
    pub at: Timestamp,
}

/// What became of corrections that another desk sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    pub new: u64,
    /// They took the place of an earlier one of the same id.
    pub updated: u64,
    /// They were here already, or a later one is.
    pub duplicates: u64,
    #[serde(default)]
    pub refused: Vec<NotReceived>,
}

/// A line that is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReceived {
    /// 1-based.
    pub line: usize,
    pub why: String,
}
