//! What a command did.

use serde::{Deserialize, Serialize};

use super::{IncidentView, ItemView, LeaseView, Received, ReferenceView, Resumed};
use crate::domain::{Clash, ControlScope, ItemState, Reviewer, Route, Timestamp, Token};

/// What a command did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done; nothing more to say.
    Done,
    Admitted(Vec<Admitted>),
    /// The item with its lease; `None`: nothing is free (see the queue's counters for why).
    Leased(Option<Box<ItemView>>),
    Renewed(LeaseView),
    Reviewed(Reviewed),
    Reviewer(Reviewer),
    /// `sha256:…` of the policy now in force.
    Policy(String),
    /// A signed note.
    Checkpoint(String),
    /// The switch after a kill: what it covers, and the generation that holds from now on.
    Killed {
        scope: ControlScope,
        generation: u64,
        /// Outgoing effects of the scope that are held now.
        held: u64,
    },
    Resumed(Resumed),
    /// How many decisions went before people again.
    Requeued(u64),
    Incident(Box<IncidentView>),
    Reference(ReferenceView),
    Token(Box<NewToken>),
    Revoked(Token),
    Erased(Erased),
    Received(Received),
    /// How many things a tick did.
    Ticked(u64),
}

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// How many texts that the trail commits to went; 0: all had gone before, and only what might
    /// be left of them was removed once more.
    pub texts: u64,
    /// What only the operator of the store can remove, and how; `None`: nothing is left.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remains: Option<String>,
}

/// The fate of one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admitted {
    Route(Box<Route>),
    Refused(Refusal),
    /// A blank line.
    Blank,
}

/// Why a line is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable word: `invalid_json`, `id_conflict`, …
    pub reason: String,
    pub message: String,
}

/// What a verdict, undo or flag made of the item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    pub id: String,
    pub state: ItemState,
    pub queue: String,
    pub revision: u64,
    /// Wall time until which it can be taken back; `None`: at once final.
    pub until: Option<Timestamp>,
    /// Already stored under this request id; nothing was done again.
    #[serde(default)]
    pub duplicate: bool,
    /// What policy effects did, in words ("escalated to level3, due in 2h").
    #[serde(default)]
    pub effects: Vec<String>,
    /// Another decided meanwhile: both verdicts are kept, and a third person decides.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clash: Option<Clash>,
    /// The desk could not be reached: the verdict waits in the local outbox.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unsent: bool,
}

/// A token that was made. The token itself is in here and nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// `ovr_…`: what a client sends.
    pub token: String,
    #[serde(flatten)]
    pub kept: Token,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("kept", &self.kept).finish_non_exhaustive()
    }
}
