//! An item: a decision that waits for people, or waited. Its life is in [`super::life`].

use serde::{Deserialize, Serialize};

use super::{Sample, Timestamp, Verdict};

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// In a queue, perhaps leased.
    Waiting,
    /// A verdict is durable; its effects wait out the grace time.
    Decided,
    /// Approved so far; waits for the next stage's people.
    AwaitingApproval,
    /// Final, until somebody flags it.
    Settled,
}

impl ItemState {
    /// The word used in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Decided => "decided",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Settled => "settled",
        }
    }

    /// People may take it from a queue.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::AwaitingApproval)
    }
}

/// What a review of this item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The decision waits for people before it is done.
    Review,
    /// The decision is done; overriding it is a reversal (a sample, or a flag).
    Retrospective,
    /// The record is broken: it can be repaired or rejected, never accepted.
    Quarantine,
}

/// A level's approval of one content of the item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The required queue it counts for.
    pub queue: String,
    pub reviewer: String,
    /// The content approved: the request id of the edit that made it, `None` for the model's own.
    pub content: Option<String>,
}

/// A verdict that waits out its grace time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub request_id: String,
    pub reviewer: String,
    pub level: u8,
    pub verdict: Verdict,
    /// Desk time of the verdict.
    pub at: Timestamp,
    /// Wall time until which it can be taken back.
    pub until: Timestamp,
    /// The state to go back to on undo.
    pub from: ItemState,
}

/// A decision on its way through people's hands. All text (proposal, edits, notes) lives in the
/// record and the reviews; an item only says where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub id: String,
    pub kind: Kind,
    pub state: ItemState,
    pub queue: String,
    /// When it entered this queue (desk time): the SLA clock's start.
    pub entered_at: Timestamp,
    pub due_at: Option<Timestamp>,
    /// Higher goes first among items due in the same minute.
    pub priority: i64,
    /// Rises with a verdict, undo, move or edit, never with a lease.
    pub revision: u64,
    /// Queues whose people must approve the final content, in order.
    pub required: Vec<String>,
    pub approvals: Vec<Approval>,
    /// Request id of the edit whose content stands now; `None`: the model's own proposal.
    pub content: Option<String>,
    pub pending: Option<Pending>,
    /// The reviewer answers before the proposal is shown.
    pub blind: bool,
    pub sample: Option<Sample>,
    /// Past its due time and already escalated once for it.
    #[serde(default)]
    pub breached: bool,
}

impl Item {
    /// Required queues that have not approved the content that stands now, in order.
    pub fn missing(&self) -> Vec<&str> {
        self.required
            .iter()
            .filter(|q| !self.approvals.iter().any(|a| &a.queue == *q && a.content == self.content))
            .map(String::as_str)
            .collect()
    }
}
