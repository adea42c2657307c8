//! A write: what it was decided on, and what it does.

use serde_json::Value;

use super::{Columns, StoredPolicy, WindowRow};
use crate::domain::{ControlScope, Facts, Item, Review, Reviewer, Route, Timestamp};

/// What a write was decided on; each that is `Some` is compared inside the write transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Premises {
    pub generation: Option<u64>,
    /// Hash of the policy in force (`Some(None)`: none was).
    pub policy: Option<Option<String>>,
    /// Name and version of the acting reviewer (0: there is none of that name yet).
    pub actor: Option<(String, u64)>,
    /// Id and revision of the item (as it was before); without an item row it is at 0.
    pub item: Option<(String, u64)>,
    /// More items, in the same way.
    pub items: Vec<(String, u64)>,
    pub lease: LeasePremise,
    /// Keys of [`Op::PutState`] and the version each had (0: there was none).
    pub state: Vec<(String, u64)>,
}

/// What is assumed of the lease of the item that [`Premises::item`] names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LeasePremise {
    /// Leases do not matter (ticks, admin).
    #[default]
    Any,
    /// `reviewer` holds it under this epoch at wall time `wall`.
    Held { reviewer: String, epoch: u64, wall: Timestamp },
    /// Nobody but `reviewer` holds it at wall time `wall`.
    FreeFor { reviewer: String, wall: Timestamp },
}

/// A text kept beside an entry, with the salt of its commitment (which is in the entry, at the
/// same position as the body has here).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// `record`, `review`, `note`, …, or a redacted path.
    pub path: String,
    pub salt: [u8; 32],
    pub value: Vec<u8>,
}

/// A trail entry to append: canonical bytes and the bodies it commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryDraft {
    /// The decision it is about, if any; it must be stored.
    pub item: Option<String>,
    pub bytes: Vec<u8>,
    pub bodies: Vec<Body>,
}

/// One business operation.
#[derive(Clone, Debug)]
pub struct Write {
    pub premises: Premises,
    /// Desk time: the store's clock moves to it, never back.
    pub now: Timestamp,
    pub ops: Vec<Op>,
}

/// A part of a [`Write`]. A row that belongs to an entry refers to the last [`Op::Entry`] before it.
#[derive(Clone, Debug)]
pub enum Op {
    /// Append to the trail.
    Entry(EntryDraft),
    /// Put an item where it now stands (its decision must exist). Keeps approvals unique.
    PutItem { item: Box<Item>, level: u8 },
    /// A repaired record takes the place of the broken one: new columns, route, facts; its raw
    /// record is the last entry's first body.
    Readmit { id: String, route: Box<Route>, facts: Box<Facts>, columns: Columns },
    /// Store a review; its text is the last entry's first body: JSON of its
    /// [`Verdict`](crate::domain::Verdict) (more members do no harm). A plain verdict, which says
    /// nothing but its kind, needs no body. A request id that is stored already refuses the whole
    /// write with [`StoreError::RequestExists`], before premises are compared.
    PutReview(Box<Review>),
    /// Mark a review undone.
    UndoReview { request_id: String },
    /// A reviewer's own answer to a blind item; its text is the last entry's first body.
    PutAnswer { item: String, reviewer: String, request_id: String, agreed: bool },
    /// A settled override or confirmed sample becomes a labelled example.
    PutCorrection { item: String, request_id: String, at: Timestamp },
    /// Something to be sent or done by whoever ticks next; at most once per `key`.
    PutEffect { key: String, kind: String, item: String, payload: Value },
    /// Store a reviewer. The stored version is one more than before (1 for a new name), or the
    /// given one if that is higher.
    PutReviewer(Reviewer),
    /// Store a policy (if new) and put it in force.
    PutPolicy(StoredPolicy),
    /// Raise the control generation by one.
    BumpGeneration,
    /// Give the item's lease up (a verdict ends it), or take it back from whoever holds it.
    EndLease { item: String },
    /// Forget a reviewer's draft (it was sent).
    DropDraft { item: String, reviewer: String },
    /// Post-action signal.
    PutFeedback { item: String, kind: String, at: Timestamp },
    /// Delete every text and salt of this decision, everywhere (bodies of its entries, drafts,
    /// effects, dead letters with the same id), and vacuum what held it. What entries from `below`
    /// on say stays: whoever asks has not seen them, so nothing in the trail would say that it went.
    Erase { item: String, below: u64 },
    /// A dead letter was admitted after all.
    DropDeadLetter { number: u64 },
    /// Mark an outgoing effect as handled.
    EffectDone { key: String },
    /// An outgoing effect was tried and failed: when next (wall time), or given up (`None`).
    EffectTried { key: String, error: String, next_at: Option<Timestamp> },
    /// One that was given up is due again, now; [`StoreError::Missing`] where none was.
    EffectRetry { key: String },
    /// Hold effects of this kind that wait for decisions in `scope`, or (`held: false`) let go
    /// what is held of them, but for what also lies in a scope of `except`. How many they were is
    /// in [`Committed::held`].
    HoldEffects { scope: ControlScope, kind: String, held: bool, except: Vec<ControlScope> },
    /// Replace a small state whole, or drop it; its version rises by one.
    PutState { key: String, value: Option<Vec<u8>> },
    /// Write windows; values are absolute: a row of the same place is replaced.
    PutWindows(Vec<WindowRow>),
    /// Forget the windows of a tier that start before then.
    DropWindows { tier: u8, before: Timestamp },
}

/// A commit that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number of log entries after it.
    pub head: u64,
    /// Effects that its [`Op::HoldEffects`] held or let go.
    pub held: u64,
}
