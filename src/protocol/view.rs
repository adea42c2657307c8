//! What screens and commands are shown: plain data, already cut to what the asker may see.
//!
//! Strings here are as foreign as they came; a screen cleans them (`text::Clean`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cursor, Draft, Refused, UsualView};
use crate::domain::{
    Clash, Content, Facts, Fault, ItemState, Kind, Review, Reviewer, Route, Sample, Timestamp,
    VerdictKind,
};

/// The log grew: look again. Coalesced; `head` is the number of entries now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub head: u64,
    pub generation: u64,
}

/// The top line of every screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub reviewer: Reviewer,
    /// Short name of the store (`demo`, a file name, a host).
    pub store: String,
    /// Desk time: SLA clocks count against it.
    pub now: Timestamp,
    /// `wall` or `record`.
    pub clock: String,
    pub queues: Vec<QueueView>,
    /// `on`, or what limits it.
    pub automation: String,
    pub generation: u64,
    pub policy: Option<String>,
    /// Corrections that wait to be sent to a backend; `None` where no backend is set up.
    pub unsent: Option<u64>,
    /// Backends of corrections, and how many of them the last try to reach failed.
    #[serde(default)]
    pub backends: u64,
    #[serde(default)]
    pub failing: u64,
    /// Entries in the log.
    pub head: u64,
    /// Slices and features that drift now, such as `loan-gb@3.1 income`; the first few.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub drift: Vec<String>,
    /// Decisions in all, and those settled automatically.
    pub decisions: u64,
    pub automatic: u64,
    /// Over a network: what waits here to be sent, and whether the desk can be reached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outbox: Option<OutboxView>,
}

/// What a desk far away has not been told yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxView {
    /// Since when the desk cannot be reached; `None`: it can.
    pub offline_since: Option<Timestamp>,
    /// Why not, for people.
    pub why: Option<String>,
    /// What a person has to do, where waiting alone does not help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Verdicts that wait, in the order in which they were given.
    pub unsent: Vec<UnsentView>,
    /// What became of verdicts that had waited: told until [`Desk::shown`](super::Desk::shown).
    pub arrived: Vec<Arrived>,
}

/// A verdict that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsentView {
    pub item: String,
    pub verdict: VerdictKind,
    /// Where an escalation is to go.
    pub to: Option<String>,
    /// When it was given.
    pub at: Timestamp,
}

/// A verdict that had waited and has been answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// Says which it is to [`Desk::shown`](super::Desk::shown); rises.
    #[serde(default)]
    pub number: u64,
    pub item: String,
    pub verdict: VerdictKind,
    pub fate: Fate,
}

/// What became of a verdict that had waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Applied,
    /// Another decided meanwhile: both are kept for a third person.
    Clash(Clash),
    /// It cannot be, and this is why.
    Refused(Refused),
}

/// A queue with its counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    pub name: String,
    pub title: String,
    pub level: u8,
    /// Open items, leased ones included.
    pub waiting: u64,
    /// Of these, leased to somebody now.
    pub leased: u64,
    /// Of these, leased to somebody else than who asks.
    #[serde(default)]
    pub held_by_others: u64,
    /// Of these, past their due time.
    pub late: u64,
    /// Due within five minutes.
    pub due_soon: u64,
    /// Verdicts must carry a signature.
    pub signed: bool,
    pub escalates_to: Option<String>,
    /// Who has one of its items in hand now, or has the queue open, by name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub people: Vec<String>,
    /// What a reviewer must have learned to work here.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub skills: Vec<String>,
    /// How many of its items one person may hold at a time; `None`: any number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capacity: Option<u32>,
}

/// A row of the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub queue: String,
    pub state: ItemState,
    pub kind: Kind,
    pub due_at: Option<Timestamp>,
    pub level: u8,
    pub business_impact: Option<f64>,
    /// Withheld (`null`) on blind items, and on broken records that have none.
    pub confidence: Option<f64>,
    pub domain: String,
    /// Withheld (`null`) on blind items.
    pub action: Option<String>,
    pub model: String,
    pub rule: String,
    /// Why it is here, one sentence.
    pub reason: String,
    pub revision: u64,
    pub priority: i64,
    /// Who holds it now, if anybody.
    pub leased_by: Option<String>,
    pub blind: bool,
    pub cursor: Cursor,
}

/// A page of rows in queue order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub items: Vec<Row>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
    /// All that wait and match the filter's indexed parts; from maintained counters where it can.
    pub total: u64,
    /// Free text: how many rows were looked through for this page. A page may be short, even
    /// empty, and still have a `next`: ask on from there.
    pub scanned: u64,
}

/// Who holds an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseView {
    pub reviewer: String,
    /// Wall time.
    pub until: Timestamp,
    pub epoch: u64,
    /// Proves later that the holder was given it; shown to the holder alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grant: Option<String>,
}

/// One item in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemView {
    pub id: String,
    /// The record as it came (blind items: without `action`, `output`, `confidence`, `ensemble`,
    /// `rationale`, `attributions`, `logits`). `null` after erasure.
    pub record: Value,
    pub route: Route,
    pub state: ItemState,
    pub kind: Kind,
    pub queue: String,
    pub entered_at: Timestamp,
    pub due_at: Option<Timestamp>,
    pub revision: u64,
    /// Queues whose people have yet to approve the content that stands.
    pub approvals_needed: Vec<String>,
    /// The content that stands now (the proposal, or the last edit). Withheld on blind items.
    pub current: Option<Content>,
    pub reviews: Vec<Review>,
    pub lease: Option<LeaseView>,
    /// A verdict that waits out its grace time: who, and until when (wall time).
    pub pending: Option<(String, Timestamp)>,
    pub faults: Vec<Fault>,
    /// The proposal is withheld until the reviewer has given an own answer.
    pub blind: bool,
    pub sample: Option<Sample>,
    /// What the reviewer should check, from the policy.
    pub guideline: Option<GuidelineView>,
    /// A verdict here must be signed.
    pub signed: bool,
    /// The asker's draft, if one is kept.
    pub draft: Option<Draft>,
    /// Draft that travelled with an escalation.
    pub handed_over: Option<Content>,
    /// SHA-256 (hex) of what this view shows of the item; a verdict names it.
    pub seen: String,
    /// Its text has been erased.
    pub erased: bool,
    /// Numeric context fields against the reference of its cohort and model; empty without one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub usual: Vec<UsualView>,
    /// Id of the freeze that holds it, if one does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub frozen_by: Option<String>,
    /// Verdicts that clash, while a third person is to decide.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clash: Option<Clash>,
    /// Why everything that can be covered is: the policy that says what to hide cannot be read.
    #[serde(default)]
    pub covered: Option<String>,
}

/// A decision as whoever submitted it may see it: nothing before its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionView {
    pub id: String,
    /// As it was routed, with the state that holds now. A verdict whose grace time runs is not told.
    pub route: Route,
    pub state: ItemState,
    /// It may be acted on as `result` says; nothing more is waited for.
    pub settled: bool,
    /// What it came to; `null` until it is settled.
    pub result: Option<ResultView>,
    /// Why everything that can be covered is: the policy that says what to hide cannot be read.
    #[serde(default)]
    pub covered: Option<String>,
}

/// What a decision came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultView {
    /// `auto`, `block`, `fallback`; after people looked at it `accepted`, `edited` or `rejected`.
    pub outcome: String,
    /// People overruled it after it was done.
    pub reversal: bool,
    /// What to do; `null` where it must not be done, or was erased.
    pub action: Option<String>,
    pub output: Option<Value>,
    /// A reject: what would have been right, if the reviewer said so.
    pub label: Option<String>,
    /// Level of whoever decided last; `null` where nobody did.
    pub level: Option<u8>,
}

/// Guidance for a domain and action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuidelineView {
    pub domain: String,
    pub action: Option<String>,
    pub text: String,
}

/// A tag of the policy's taxonomy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagView {
    pub id: String,
    pub title: String,
    pub key: Option<char>,
    /// 0..=10.
    pub severity: u8,
    pub require_note: bool,
    /// What using it sets off, in words ("freezes similar, goes to level3").
    pub consequence: Option<String>,
}

/// The policy in force, as screens need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    pub name: String,
    pub hash: String,
    pub source: String,
    /// `[control] grace`, milliseconds.
    pub grace_ms: u64,
    /// How many different people it takes to restart automation; 0: not told.
    #[serde(default)]
    pub resume: u32,
    pub tags: Vec<TagView>,
    pub queues: Vec<QueueView>,
    /// Queues whose approval some `[[require]]` asks for; a queue may stand here twice.
    #[serde(default)]
    pub required: Vec<String>,
}

/// Why a decision went where it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainView {
    pub route: Route,
    pub facts: Facts,
    /// Recomputed now from record, policy and facts: equal to the stored route byte for byte.
    pub reproduced: bool,
    /// The policy's own explanation (rules, atoms with values, the smallest change).
    pub explanation: Value,
    /// The same for people.
    pub text: String,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLine {
    pub number: u64,
    pub source: String,
    pub line: u64,
    pub reason: String,
    pub message: String,
    pub bytes: Vec<u8>,
}

/// A trail entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryView {
    pub index: u64,
    /// The entry's JSON as it is hashed.
    pub entry: Value,
}

/// What to verify against, from outside the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyAsk {
    /// C2SP verifier key; `None`: the store's own (says less).
    pub key: Option<String>,
    /// An earlier checkpoint (signed note).
    pub checkpoint: Option<String>,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    pub ok: bool,
    pub entries: u64,
    /// Base64.
    pub root: String,
    /// The newest signed checkpoint.
    pub checkpoint: Option<String>,
    /// Index of the first bad entry.
    pub first_bad: Option<u64>,
    /// What is wrong there; empty when all is well.
    pub faults: Vec<String>,
    /// Entries not covered by a checkpoint that came from outside the database.
    pub unanchored: u64,
}
