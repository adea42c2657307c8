//! What is to go out and has not yet.

use serde_json::Value;

use crate::domain::Timestamp;

/// An effect that has not gone out.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEffect {
    /// Rises with every effect; where a page goes on.
    pub number: u64,
    pub key: String,
    pub kind: String,
    pub item: String,
    pub payload: Value,
    pub at: Timestamp,
    pub state: EffectState,
    /// How often it was tried.
    pub attempts: u32,
    /// Wall time before which it is not tried again; `None`: at once.
    pub next_at: Option<Timestamp>,
    /// What went wrong the last time.
    pub error: Option<String>,
}

/// Where an effect that has not gone out stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EffectState {
    /// To be tried when it is due.
    #[default]
    Waiting,
    /// Held by a switch; nobody tries it.
    Held,
    /// Given up after too many tries, until somebody says otherwise.
    Dead,
}

impl EffectState {
    /// `waiting`, `held` or `dead`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Dead => "dead",
        }
    }
}

/// Which outgoing effects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingAsk {
    pub state: EffectState,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only what may be tried at this wall time.
    pub due_at: Option<Timestamp>,
    /// Only effects with a number above.
    pub after: u64,
    pub limit: usize,
    /// Without what they say: their payloads are neither read nor parsed, and `null`.
    pub bare: bool,
}

/// How many effects have not gone out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutgoingCount {
    pub waiting: u64,
    pub held: u64,
    pub dead: u64,
}
