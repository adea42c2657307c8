//! What goes into a store and what comes out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::domain::{ControlScope, Facts, Item, ItemState, Review, Reviewer, Route, Timestamp};
use crate::protocol::{Cursor, Filter};

/// Why a store refuses or fails.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A premise no longer holds; nothing was written. Decide again.
    #[error("{0} has changed since this was decided")]
    Premise(Premise),
    /// The lease named is not held (any more).
    #[error("the lease on {item} is lost{}", holder.as_deref().map(|h| format!(": {h} holds it")).unwrap_or_default())]
    LeaseLost { item: String, holder: Option<String>, until: Option<Timestamp> },
    /// A review with this request id is stored already.
    #[error("request {0} is already stored")]
    RequestExists(String),
    /// They hold as many items of the queue as one person may.
    #[error(
        "{reviewer} holds {} of {queue}; the most is {most}",
        crate::text::many(held, "item", "items")
    )]
    HoldsEnough { reviewer: String, queue: String, held: u64, most: u32 },
    /// The same person twice, or two approvals for one level: the store itself says no.
    #[error("{reviewer} already counts for {item}")]
    CountsOnce { item: String, reviewer: String },
    #[error("there is no {0}")]
    Missing(String),
    /// The disk or the database failed; nothing of the operation is acknowledged.
    #[error("the store cannot {doing}: {cause}")]
    Io { doing: String, cause: String },
    /// The connection was lost while the database was committing, and it could not be asked what
    /// became of it: the operation may have happened or not. Look before doing it again.
    #[error(
        "the store may or may not have done this: the database went away while it was to {doing}"
    )]
    Unsure { doing: String },
    /// What is in the file is not what this program writes: damaged, or changed by other means.
    #[error("the store cannot {doing}: {cause}")]
    Damaged { doing: String, cause: String },
    /// Written by a newer version of this program.
    #[error("the store has schema {found}, this program knows up to {known}")]
    Newer { found: u32, known: u32 },
    /// The writer has shut down.
    #[error("the store is closed")]
    Closed,
}

/// Which premise failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Premise {
    Generation,
    Policy,
    Actor(String),
    Item {
        id: String,
        revision: u64,
    },
    /// The state of this key.
    State(String),
}

impl std::fmt::Display for Premise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Generation => f.write_str("the control state"),
            Self::Policy => f.write_str("the policy in force"),
            Self::Actor(name) => write!(f, "the reviewer {name}"),
            Self::Item { id, revision } => write!(f, "{id} (now at revision {revision})"),
            Self::State(key) => write!(f, "the state {key}"),
        }
    }
}

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

/// A batch of routed records.
#[derive(Clone, Debug)]
pub struct AdmitBatch {
    pub premises: Premises,
    /// Desk time after this batch: the store's clock moves to it, never back.
    pub now: Timestamp,
    /// Shared, so that the caller still has them when the answers come.
    pub rows: Arc<Vec<Admission>>,
    pub dead: Vec<DeadLetter>,
    /// A bulk writer yields to interactive writers of other processes, and to every other
    /// operation of its own. While others wait, a batch may be cut into several commits; if then
    /// a premise fails half way, the rows before are admitted (and duplicates when tried again).
    pub bulk: bool,
}

/// One routed record.
#[derive(Clone, Debug)]
pub struct Admission {
    /// HMAC-SHA-256 (store key) of the record's canonical form: decides "same content".
    pub content: [u8; 32],
    /// The same as earlier versions took it, where that differs: a `null` in an optional place
    /// counted as content then. Compared, never stored.
    pub before: Option<[u8; 32]>,
    pub route: Route,
    pub facts: Facts,
    /// What a list shows of it.
    pub columns: Columns,
    /// Present when people are to look at it (review, quarantine, sample).
    pub item: Option<Item>,
    /// The `admit` entry; its first body is the raw record.
    pub entry: EntryDraft,
    /// What the policy sets off at admission; applied in the same savepoint, only if it is new.
    pub then: Vec<Op>,
}

impl Admission {
    /// Does the record say what a stored one says, by its content?
    pub fn says(&self, stored: &[u8]) -> bool {
        self.content == stored || self.before.is_some_and(|before| before == stored)
    }
}

/// The parts of a record that lists and filters need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    pub domain: String,
    pub action: String,
    pub model: String,
    pub version: String,
    pub confidence: Option<f64>,
    pub business_impact: Option<f64>,
    pub cohort: BTreeMap<String, String>,
    pub tags: Vec<String>,
    /// The level of the queue it entered.
    pub level: u8,
}

/// What became of an admission.
#[derive(Clone, Debug, PartialEq)]
pub enum AdmitResult {
    /// Stored, at this log index.
    New(u64),
    /// Same id and content: the original route, with the state it has now.
    Duplicate(Box<Route>),
    /// Same id, other content: the first stays. (The caller makes a dead letter of it.)
    Conflict,
}

/// A line that is not usable at all, kept byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub source: String,
    pub line: u64,
    pub reason: String,
    pub message: String,
    pub bytes: Vec<u8>,
    pub at: Timestamp,
}

/// A dead letter as it is kept. The same line of the same source with the same bytes is kept once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDeadLetter {
    pub number: u64,
    pub letter: DeadLetter,
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

/// Whom to give which item.
#[derive(Clone, Debug)]
pub struct TakeLease {
    pub reviewer: String,
    /// This item; otherwise the first free one.
    pub item: Option<String>,
    /// Queues to take from.
    pub queues: Vec<String>,
    /// Items to step over.
    pub skip: Vec<String>,
    /// Of which queues the reviewer may hold no more than so many, compared in the transaction
    /// that grants. Where nothing else is free, [`StoreError::HoldsEnough`] says so.
    pub most: Vec<(String, u32)>,
    pub wall: Timestamp,
    pub until: Timestamp,
}

/// A lease: coordination, not truth. A verdict names its epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub item: String,
    pub reviewer: String,
    pub until: Timestamp,
    /// Rises with every new grant on the item.
    pub epoch: u64,
}

/// How well this process knows what others have committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// For how long the control generation could not be confirmed; zero where every look sees
    /// every commit.
    pub unconfirmed: Duration,
    /// The newest control generation seen, where a store is looked at without being asked.
    pub generation: Option<u64>,
}

impl Freshness {
    /// Without a word for so long, nothing may be taken as automatic any more.
    pub const LIMIT: Duration = Duration::from_secs(2);

    /// May somebody have stopped automation without this process knowing?
    pub fn is_stale(&self) -> bool {
        self.unconfirmed > Self::LIMIT
    }
}

/// What decisions are taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub head: u64,
    pub generation: u64,
    /// Hash of the policy in force.
    pub policy: Option<String>,
    /// `true`: desk time is the latest `occurred_at` admitted.
    pub record_clock: bool,
    /// The latest desk time stored.
    pub desk_time: Timestamp,
    /// Secret of this store: keys the content HMAC.
    pub key: [u8; 32],
    /// Name of the log in checkpoints.
    pub origin: String,
    pub decisions: u64,
    pub automatic: u64,
}

/// A decision as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDecision {
    /// The raw record as it came (the repaired one after a re-admission); `None`: erased.
    pub raw: Option<Vec<u8>>,
    /// As in [`Admission::content`].
    pub content: [u8; 32],
    pub route: Route,
    pub facts: Facts,
    pub columns: Columns,
    /// `None`: settled automatically and never looked at.
    pub item: Option<Item>,
    /// Log index of the admission.
    pub index: u64,
    /// Desk time of admission.
    pub admitted_at: Timestamp,
}

impl StoredDecision {
    /// Where it stands now.
    pub fn state(&self) -> ItemState {
        self.item.as_ref().map_or(self.route.state, |i| i.state)
    }
}

/// A reviewer's own answer to a blind item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    pub request_id: String,
    pub agreed: bool,
}

/// A page to read.
#[derive(Clone, Debug, Default)]
pub struct PageQuery {
    pub filter: Filter,
    /// For `filter.by_me`.
    pub by: String,
    /// Only queues of this level and below (`filter.mine`, as the desk understands it).
    pub up_to: Option<u8>,
    pub after: Option<Cursor>,
    pub before: Option<Cursor>,
    pub from_end: bool,
    pub limit: usize,
    /// Free text: look through at most this many rows in one call.
    pub scan: usize,
    /// For showing who holds what.
    pub wall: Option<Timestamp>,
}

/// A row of the queue as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    pub item: Item,
    pub columns: Columns,
    pub rule: String,
    pub reason: String,
    pub lease: Option<Lease>,
    pub cursor: Cursor,
}

/// A page as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredPage {
    /// In queue order, whatever the direction.
    pub rows: Vec<StoredRow>,
    /// Where to go on in the direction asked for; `None` at its end.
    pub next: Option<Cursor>,
    /// All that match, free text aside.
    pub total: u64,
    /// Rows looked through for free text.
    pub scanned: u64,
}

/// Words that decisions in the store have, for those who look for one that is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Actions by domain.
    pub actions: BTreeMap<String, BTreeSet<String>>,
    pub rules: BTreeSet<String>,
}

/// Counters of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCount {
    pub queue: String,
    pub waiting: u64,
    /// Live leases on open items, by who holds them.
    pub leased: BTreeMap<String, u64>,
    pub late: u64,
    pub due_soon: u64,
}

/// A policy as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPolicy {
    pub hash: String,
    pub name: String,
    pub source: String,
    /// Schemas by file stem (`loan.input`, `loan.output`).
    pub schemas: BTreeMap<String, Value>,
}

/// Counts that facts are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Decisions by group of the dimension `cohort` (`""`: those without one).
    pub cohorts: BTreeMap<String, u64>,
    /// First sight (desk time) of `name@version`.
    pub models: BTreeMap<String, Timestamp>,
}

/// A correction as it is kept: what to join.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCorrection {
    pub number: u64,
    pub decision: StoredDecision,
    pub review: Review,
}

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

/// A small state as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredState {
    /// Rises by one with every change, drops included.
    pub version: u64,
    pub value: Vec<u8>,
}

/// What was measured of a slice in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRow {
    /// 0: a minute, 1: an hour, 2: a day.
    pub tier: u8,
    /// Desk time.
    pub start: Timestamp,
    pub slice: String,
    /// Empty: the counts; else the feature whose histogram it is.
    pub part: String,
    pub value: Vec<u8>,
}

/// Which windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowAsk {
    pub tier: u8,
    /// First start, inclusive.
    pub from: Timestamp,
    /// Last start, exclusive.
    pub to: Timestamp,
    /// Only of this slice.
    pub slice: Option<String>,
    /// Only this part (`""`: counts).
    pub part: Option<String>,
}

/// An entry with what it is about, as that stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    pub index: u64,
    /// Canonical bytes of the entry.
    pub entry: Vec<u8>,
    /// The decision it names.
    pub decision: Option<StoredDecision>,
    /// The review that its `req` names.
    pub review: Option<Review>,
}

/// Which automatic decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutomaticAsk {
    pub scope: ControlScope,
    /// Admitted at this desk time or later.
    pub since: Timestamp,
    /// Go on after the decision of this log index.
    pub after: Option<u64>,
    pub limit: usize,
    /// Look through at most this many decisions in one call.
    pub scan: u64,
}

/// Some automatic decisions, in order of admission.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutomaticPage {
    pub decisions: Vec<StoredDecision>,
    /// Where to go on; `None`: that was all.
    pub next: Option<u64>,
}

/// How many decisions of a kind there are, and how many of them wait for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub domain: String,
    pub action: String,
    pub model: String,
    pub version: String,
    pub decisions: u64,
    pub open: u64,
}

/// What happened lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lately {
    /// Settled automatically in the last minute.
    pub automatic: Vec<Automatic>,
    /// Decisions of the last hour that people have in hand, by the queue they are in now.
    pub arrivals: BTreeMap<String, u64>,
    /// Verdicts an hour by queue: the mean over those of the last 24 hours in which there was one.
    pub per_hour: BTreeMap<String, f64>,
}

/// What came in the last hour, and what containment kept from automation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flowed {
    /// Decisions of the last hour by what they are about.
    pub decisions: Vec<Automatic>,
    /// Decisions of the last hour that a limit turned away, by its name.
    pub turned_away: BTreeMap<String, u64>,
    /// Decisions that a freeze held, by its id.
    pub held: BTreeMap<String, u64>,
}

/// How many decisions of a kind there were, such as those settled automatically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Automatic {
    pub domain: String,
    pub action: String,
    pub model: String,
    pub version: String,
    pub decisions: u64,
}
