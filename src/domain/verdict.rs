//! What a reviewer says, and the review it becomes.

use serde::{Deserialize, Serialize};

use super::{Output, Timestamp};

/// The four verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    Accept,
    Edit,
    Reject,
    Escalate,
}

impl VerdictKind {
    /// The word used in JSON, commands and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Edit => "edit",
            Self::Reject => "reject",
            Self::Escalate => "escalate",
        }
    }

    /// An edit or a reject overrules the machine.
    pub fn overrides(self) -> bool {
        matches!(self, Self::Edit | Self::Reject)
    }
}

/// A verdict with everything that travels with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub verdict: VerdictKind,
    /// `edit`: the new output. `escalate`: a draft that travels along.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Output>,
    /// `edit`: the new action.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<String>,
    /// `reject`: what would have been right.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// `escalate`: the queue to move to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<String>,
}

impl Verdict {
    /// A verdict of this kind with nothing else said.
    pub fn plain(verdict: VerdictKind) -> Self {
        Self {
            verdict,
            output: None,
            action: None,
            label: None,
            tags: Vec::new(),
            note: None,
            to: None,
        }
    }
}

/// A verdict as it was given: by whom, when, on what. History shows these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// UUIDv7 of the request; the key of the review.
    pub request_id: String,
    pub item: String,
    pub reviewer: String,
    pub level: u8,
    /// The queue the item was in.
    pub queue: String,
    /// The item's revision that the reviewer saw.
    pub revision: u64,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Desk time.
    pub at: Timestamp,
    /// A reviewer's signature (armored SSHSIG), where one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signature: Option<String>,
    /// Taken back within the grace time.
    #[serde(default)]
    pub undone: bool,
    /// The review of an automatic decision overruled it after it was done.
    #[serde(default)]
    pub reversal: bool,
    /// Blind items: the reviewer's own answer agreed with the proposal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agreed: Option<bool>,
}
