//! Kinds of log entries: words that are written once and read for ever.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What happened. A word of the log, open to later kinds; the known ones are constants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryKind(Cow<'static, str>);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        impl EntryKind {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($word));)*

            /// The kinds this version writes, in the order of the documentation.
            pub const KNOWN: &[Self] = &[$(Self::$name),*];
        }
    };
}

kinds! {
    /// The first entry of a log; its `d` names the log's origin and key.
    GENESIS = "genesis";
    /// A record was admitted: its route in short, its body committed to.
    ADMIT = "admit";
    /// A line was refused; the bytes are a committed body (a dead letter).
    REFUSE = "refuse";
    /// A reviewer's own answer to a blind item, before the proposal was shown.
    ANSWER = "answer";
    /// A reviewer's verdict; effects wait out the grace time.
    VERDICT = "verdict";
    /// A verdict was taken back within its grace time.
    UNDO = "undo";
    /// A verdict's grace time is over and the item went on to the next required level.
    STAGE = "stage";
    /// The item is final.
    SETTLE = "settle";
    /// The item went to another queue.
    MOVE = "move";
    /// A verdict that was given offline came after another: both are kept, a third person decides.
    CLASH = "clash";
    /// A settled decision was opened again.
    FLAG = "flag";
    /// What the world said after the decision was done.
    FEEDBACK = "feedback";
    /// The waiting workflow was told.
    RELEASE = "release";
    /// A repaired record went through the route again.
    READMIT = "readmit";
    /// A live lease was taken from its holder.
    LEASE_TAKEN_BACK = "lease_taken_back";
    REVIEWER_ADDED = "reviewer_added";
    REVIEWER_DISABLED = "reviewer_disabled";
    POLICY_ACTIVATED = "policy_activated";
    /// A policy effect fired.
    EFFECT = "effect";
    /// Bodies were erased; `x` names their commitments.
    ERASE = "erase";
    /// Somebody was not allowed to.
    DENIED = "denied";
    /// Automation was stopped or restarted.
    SWITCH = "switch";
    /// A reference was frozen that drift is measured against.
    REFERENCE = "reference";
    /// Decisions like a corrected one were held for people, or let go again.
    FREEZE = "freeze";
    /// A canary was started, promoted or rolled back.
    CANARY = "canary";
    /// An incident was opened, acknowledged or resolved.
    INCIDENT = "incident";
    /// What was automatic was asked to go before people; and each decision that did.
    REQUEUE = "requeue";
    /// A token was made, or opens nothing any more; its `d` names it, whose it is, its scopes.
    TOKEN_CREATED = "token_created";
    TOKEN_REVOKED = "token_revoked";
    /// An effect that could not be delivered is to be tried again.
    REDELIVER = "redeliver";
    /// Corrections of other desks were kept; its `d` says how many, and their digest.
    RECEIVE = "receive";
}

impl EntryKind {
    /// A kind by its word, known or not.
    pub fn new(word: impl Into<String>) -> Self {
        Self(Cow::Owned(word.into()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for EntryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
