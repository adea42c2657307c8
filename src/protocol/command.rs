//! What can be done at a desk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CanaryAct, IncidentAct, KillMode, ReferenceAsk};
use crate::domain::{ControlScope, Role, Timestamp, TokenScope, Verdict};

/// Everything that changes something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Command {
    /// Admit records; one answer a line, in order.
    Admit {
        lines: Vec<Line>,
    },
    /// Admit refused lines again, by dead-letter number (after a policy or limit changed).
    RetryRefused {
        numbers: Vec<u64>,
    },
    /// Take an item: a named one, or the next in order that is free.
    Lease(LeaseAsk),
    /// Keep a lease alive.
    Renew {
        item: String,
        epoch: u64,
    },
    /// Give a lease back.
    Release {
        item: String,
        epoch: u64,
    },
    /// Take a lease away from whoever holds it (admin; logged).
    TakeBack {
        item: String,
    },
    /// Keep what a reviewer has typed so far.
    SaveDraft {
        item: String,
        draft: Draft,
    },
    /// Throw a draft away.
    DropDraft {
        item: String,
    },
    /// A verdict.
    Review(Box<ReviewRequest>),
    /// A blind item: the reviewer's own answer, before the proposal is shown.
    AnswerBlind(BlindAnswer),
    /// Take one's last verdict on the item back.
    Undo {
        item: String,
    },
    /// Open a new review of a settled decision.
    Flag {
        item: String,
        tags: Vec<String>,
        note: Option<String>,
    },
    /// What happened after the decision was acted on.
    Feedback {
        item: String,
        kind: FeedbackKind,
        note: Option<String>,
    },
    AddReviewer {
        name: String,
        level: u8,
        roles: Vec<Role>,
        key: Option<String>,
        /// `None`: as they were.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        skills: Option<Vec<String>>,
    },
    DisableReviewer {
        name: String,
    },
    /// Put a policy in force. `install`: only where none is in force yet.
    ActivatePolicy {
        name: String,
        source: String,
        schemas: BTreeMap<String, Value>,
        install: bool,
    },
    /// Erase all text of a decision, everywhere; the proofs still hold.
    Erase {
        item: String,
        reason: String,
    },
    /// Sign a checkpoint of the log as it stands.
    Checkpoint,
    /// Stop automation in a scope, now.
    Kill {
        scope: ControlScope,
        mode: KillMode,
        reason: String,
    },
    /// Ask to restart it; it restarts when enough different people have asked.
    Resume {
        scope: ControlScope,
        reason: String,
    },
    /// Put what was automatic in a scope since then before people, after the fact.
    Requeue {
        scope: ControlScope,
        since: Timestamp,
        reason: String,
    },
    /// Let decisions like a corrected one go their usual way again.
    ReleaseFreeze {
        id: String,
        reason: String,
    },
    Canary(CanaryAct),
    /// Acknowledge or resolve an incident.
    Incident {
        id: String,
        act: IncidentAct,
        note: Option<String>,
    },
    /// Freeze the reference that drift is measured against.
    SetReference(ReferenceAsk),
    /// Try an effect that could not be delivered again, now.
    Redeliver {
        key: String,
    },
    /// Make a token for a registered reviewer, or for a service that only submits.
    CreateToken(TokenAsk),
    /// A token opens nothing from now on.
    RevokeToken {
        id: String,
    },
    /// Keep corrections of other desks, each once by its origin and id.
    Receive {
        corrections: Vec<Value>,
    },
    /// Let what is due happen: grace times, SLA. Any process may say it; one at a time acts.
    Tick,
}

/// A command by name alone: what authority is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    Admit,
    RetryRefused,
    Lease,
    Renew,
    Release,
    TakeBack,
    SaveDraft,
    DropDraft,
    Review,
    AnswerBlind,
    Undo,
    Flag,
    Feedback,
    AddReviewer,
    DisableReviewer,
    ActivatePolicy,
    Erase,
    Checkpoint,
    Kill,
    Resume,
    Requeue,
    ReleaseFreeze,
    StartCanary,
    PromoteCanary,
    RollBackCanary,
    Incident,
    SetReference,
    Redeliver,
    Receive,
    CreateToken,
    RevokeToken,
    Tick,
}

impl Command {
    /// What this command is, without its particulars.
    pub fn act(&self) -> Act {
        match self {
            Self::Admit { .. } => Act::Admit,
            Self::RetryRefused { .. } => Act::RetryRefused,
            Self::Lease(_) => Act::Lease,
            Self::Renew { .. } => Act::Renew,
            Self::Release { .. } => Act::Release,
            Self::TakeBack { .. } => Act::TakeBack,
            Self::SaveDraft { .. } => Act::SaveDraft,
            Self::DropDraft { .. } => Act::DropDraft,
            Self::Review(_) => Act::Review,
            Self::AnswerBlind(_) => Act::AnswerBlind,
            Self::Undo { .. } => Act::Undo,
            Self::Flag { .. } => Act::Flag,
            Self::Feedback { .. } => Act::Feedback,
            Self::AddReviewer { .. } => Act::AddReviewer,
            Self::DisableReviewer { .. } => Act::DisableReviewer,
            Self::ActivatePolicy { .. } => Act::ActivatePolicy,
            Self::Erase { .. } => Act::Erase,
            Self::Checkpoint => Act::Checkpoint,
            Self::Kill { .. } => Act::Kill,
            Self::Resume { .. } => Act::Resume,
            Self::Requeue { .. } => Act::Requeue,
            Self::ReleaseFreeze { .. } => Act::ReleaseFreeze,
            Self::Canary(CanaryAct::Start { .. }) => Act::StartCanary,
            Self::Canary(CanaryAct::Promote { .. }) => Act::PromoteCanary,
            Self::Canary(CanaryAct::Rollback { .. }) => Act::RollBackCanary,
            Self::Incident { .. } => Act::Incident,
            Self::SetReference(_) => Act::SetReference,
            Self::Redeliver { .. } => Act::Redeliver,
            Self::Receive { .. } => Act::Receive,
            Self::CreateToken(_) => Act::CreateToken,
            Self::RevokeToken { .. } => Act::RevokeToken,
            Self::Tick => Act::Tick,
        }
    }

    /// What it is about, in a word: an item, a scope, a name. Empty where it is about nothing that
    /// has one.
    pub fn about(&self) -> String {
        match self {
            Self::Renew { item, .. }
            | Self::Release { item, .. }
            | Self::TakeBack { item }
            | Self::SaveDraft { item, .. }
            | Self::DropDraft { item }
            | Self::Undo { item }
            | Self::Flag { item, .. }
            | Self::Feedback { item, .. }
            | Self::Erase { item, .. } => item.clone(),
            Self::Review(request) => request.item.clone(),
            Self::AnswerBlind(answer) => answer.item.clone(),
            Self::Lease(ask) => ask.item.clone().or(ask.queue.clone()).unwrap_or_default(),
            Self::AddReviewer { name, .. }
            | Self::DisableReviewer { name }
            | Self::ActivatePolicy { name, .. } => name.clone(),
            Self::CreateToken(ask) => ask.name.clone(),
            Self::RevokeToken { id } => id.clone(),
            Self::Kill { scope, .. } | Self::Resume { scope, .. } | Self::Requeue { scope, .. } => {
                scope.to_string()
            }
            Self::ReleaseFreeze { id, .. } => format!("freeze {id}"),
            Self::Incident { id, .. } => format!("incident {id}"),
            Self::Canary(CanaryAct::Start { model, version, .. }) => {
                format!("canary {model}@{version}")
            }
            Self::Canary(CanaryAct::Promote { model, .. } | CanaryAct::Rollback { model, .. }) => {
                format!("canary {model}")
            }
            Self::Redeliver { key } => key.clone(),
            Self::Admit { .. }
            | Self::RetryRefused { .. }
            | Self::Checkpoint
            | Self::SetReference(_)
            | Self::Receive { .. }
            | Self::Tick => String::new(),
        }
    }
}

/// One line to admit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Where it came from (a file name, `-`, an address); shown with dead letters.
    pub source: String,
    /// 1-based.
    pub line: u64,
    pub bytes: Vec<u8>,
}

/// Which item to lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseAsk {
    /// This one; otherwise the next free one.
    pub item: Option<String>,
    /// Only from this queue.
    pub queue: Option<String>,
    /// Items to step over (skipped in this session).
    #[serde(default)]
    pub skip: Vec<String>,
}

/// What a reviewer has typed and not yet sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The edited output as text (JSON outputs as the text being edited).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// The verdict being prepared: `edit`, `reject`, `escalate`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<String>,
}

/// A verdict as it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewRequest {
    /// UUIDv7; sending the same one again changes nothing and gets the same answer.
    pub request_id: String,
    pub item: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The lease it was made under; `None`: take one for the moment (refused if another holds it).
    #[serde(default)]
    pub lease: Option<u64>,
    /// The revision the reviewer saw; `None`: whatever stands now (the command line's `decide`).
    #[serde(default)]
    pub revision: Option<u64>,
    /// Hash of the view shown ([`ItemView::seen`]).
    #[serde(default)]
    pub seen: Option<String>,
    /// Armored SSHSIG over the statement.
    #[serde(default)]
    pub signature: Option<String>,
    /// Hold the effects this long (milliseconds); 0: none.
    #[serde(default)]
    pub grace_ms: u64,
    /// It was given while the desk could not be reached, under the lease named: it is stored
    /// whatever happened meanwhile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offline: Option<Offline>,
}

/// A verdict that waited in a local outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offline {
    /// The grant of the lease it was made under ([`LeaseView::grant`]).
    pub grant: String,
    /// When it was given, by the reviewer's own clock.
    pub at: Timestamp,
}

/// A reviewer's own answer to a blind item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindAnswer {
    pub request_id: String,
    pub item: String,
    /// What the reviewer would have done.
    pub action: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// Post-action signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    Reversal,
    Complaint,
    Error,
    Confirmed,
}

/// Which token to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAsk {
    /// A registered reviewer. A name that nobody has is a new service, where the only scope is
    /// `ingest`.
    #[serde(rename = "for")]
    pub name: String,
    pub scopes: Vec<TokenScope>,
    /// How long it lasts, in seconds: one to ten years' worth.
    pub lasts_s: u64,
}
