//! `trait Store`: whole business operations, each one transaction.
//!
//! The desk decides on a snapshot what should happen (pure rooms say what), and asks the store to
//! make it so, once: a [`Write`] carries the [`Premises`] it was decided on, and the store compares
//! them inside the write transaction. A mismatch changes nothing and means: decide again.
//!
//! Calls that write return a [`Ticket`]: the operation is queued at once, grouped with others into
//! one commit, and the ticket is fulfilled when that commit is durable.

#[cfg(test)]
pub(crate) mod conformance;
mod form;
pub mod postgres;
mod rows;
pub mod sqlite;
#[cfg(test)]
#[cfg(unix)]
#[path = "../../tests/support/postgres.rs"]
pub(crate) mod throw_away;
mod ticket;
mod types;

use crate::audit::{AnswerRow, CorrectionRow, DecisionRow, StateRow};
use crate::domain::{Item, ItemState, Review, Reviewer, Timestamp};

pub use form::form;
pub use postgres::Postgres;
pub use sqlite::{Fresh, OpenMode, Sqlite};
pub use ticket::{Promise, Ticket};
pub use types::*;

/// A place that keeps decisions, items, people, policy and the trail, and never lies about it.
///
/// Reads see the last committed state and never wait for writers. Reads block the calling thread
/// for as long as the disk takes: call them from a blocking task.
pub trait Store: Send + Sync + 'static {
    /// Admit a batch: all rows in one savepoint; each answers for itself. The batch is refused as
    /// a whole ([`StoreError::Premise`]) when control or policy moved since it was routed.
    fn admit(&self, batch: AdmitBatch) -> Ticket<Vec<AdmitResult>>;

    /// One business operation: all of `write` or nothing of it.
    fn commit(&self, write: Write) -> Ticket<Committed>;

    /// Take an item: a named one, or the first one in queue order that nobody holds and whose
    /// standing content the reviewer has not approved already. What the reviewer holds is not
    /// given out again, unless named: then under a new epoch. `None`: nothing is free, or the named item is not open. A named item that somebody else
    /// holds is refused with [`StoreError::LeaseLost`], which says who.
    fn lease(&self, ask: TakeLease) -> Ticket<Option<Lease>>;

    /// Prolong the lease of that epoch; refused with [`StoreError::LeaseLost`] if it was given
    /// back, ended or granted anew. One that merely ran out goes on if nobody took the item.
    fn renew(&self, item: &str, reviewer: &str, epoch: u64, until: Timestamp) -> Ticket<Lease>;

    /// Give a lease back; nothing happens if it is no longer held.
    fn release(&self, item: &str, reviewer: &str, epoch: u64) -> Ticket<()>;

    /// Keep or drop (`None`) a reviewer's draft.
    fn put_draft(&self, item: &str, reviewer: &str, draft: Option<Vec<u8>>) -> Ticket<()>;

    /// Sign and store a checkpoint if entries were added since the last one. The key never
    /// enters the store; `sign` gets (size, root) and returns the signed note.
    fn checkpoint(&self, sign: SignCheckpoint) -> Ticket<Option<String>>;

    /// How well this process knows the control state, without asking anybody: a node that cannot
    /// confirm it must not call anything automatic.
    fn freshness(&self) -> Freshness {
        Freshness::default()
    }

    /// What an erased text leaves in this kind of store that only its operator can remove, and
    /// how; `None`: nothing.
    fn remains(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// The wall clock that all who share the store agree on, where this process's own says
    /// `local`. Leases, grace and turns are told by it.
    fn now(&self, local: Timestamp) -> Timestamp {
        local
    }

    /// Everything a decision is taken on.
    fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Number of log entries now (cheap; sees other processes' commits).
    fn head(&self) -> Result<u64, StoreError>;

    /// A decision with its item, if there is one of that id.
    fn decision(&self, id: &str) -> Result<Option<StoredDecision>, StoreError>;

    /// Which of these ids are known (ingest asks before routing where counts matter).
    fn known(&self, ids: &[&str]) -> Result<Vec<bool>, StoreError>;

    /// Reviews of an item, oldest first, texts included (empty where erased).
    fn reviews(&self, id: &str) -> Result<Vec<crate::domain::Review>, StoreError>;

    /// A review by its request id, with the item's id in it.
    fn review(&self, request_id: &str) -> Result<Option<crate::domain::Review>, StoreError>;

    /// The live lease of an item at wall time `wall`.
    fn lease_of(&self, id: &str, wall: Timestamp) -> Result<Option<Lease>, StoreError>;

    /// A reviewer's own answer to a blind item.
    fn blind_answer(&self, id: &str, reviewer: &str) -> Result<Option<StoredAnswer>, StoreError>;

    /// A page of open items in queue order (or of items `by` decided). `next` is where to go on in
    /// the direction asked for: `after` it, or `before` it where `before` or `from_end` was asked.
    fn page(&self, ask: &PageQuery) -> Result<StoredPage, StoreError>;

    /// Counters of every queue that has items, at desk time `now` and wall time `wall`.
    fn queues(&self, now: Timestamp, wall: Timestamp) -> Result<Vec<QueueCount>, StoreError>;

    /// Queues that some unsettled item is in, still needs the approval of, or goes to when its
    /// grace is over; each with one such item.
    fn needed(&self) -> Result<std::collections::BTreeMap<String, String>, StoreError>;

    /// Words that decisions in the store have.
    fn seen(&self) -> Result<Seen, StoreError>;

    /// Items whose pending verdict's grace is over at wall time `wall`, oldest first.
    fn graces_over(&self, wall: Timestamp, limit: usize) -> Result<Vec<Item>, StoreError>;

    /// Open items past their due time at `now` that have not been escalated for it yet.
    fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<Item>, StoreError>;

    /// All reviewers, by name.
    fn reviewers(&self) -> Result<Vec<Reviewer>, StoreError>;

    /// One reviewer.
    fn reviewer(&self, name: &str) -> Result<Option<Reviewer>, StoreError>;

    /// A policy by hash; `None` argument: the one in force.
    fn policy(&self, hash: Option<&str>) -> Result<Option<StoredPolicy>, StoreError>;

    /// Counts that facts need: decisions by cohort group, first sight of model versions.
    fn counts(&self) -> Result<Counts, StoreError>;

    /// Entries from `from` on (all, or an item's), at most `limit`.
    fn entries(
        &self,
        id: Option<&str>,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError>;

    /// Corrections after the `after`th, oldest first.
    fn corrections(
        &self,
        since: Option<Timestamp>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredCorrection>, StoreError>;

    /// Dead letters with number > `after`.
    fn dead_letters(&self, after: u64, limit: usize) -> Result<Vec<StoredDeadLetter>, StoreError>;

    /// A reviewer's draft for an item.
    fn draft(&self, item: &str, reviewer: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Effects that have not gone out (replies, notifications, backends), oldest first.
    fn outgoing(&self, ask: &OutgoingAsk) -> Result<Vec<StoredEffect>, StoreError>;

    /// How many effects have not gone out.
    fn outgoing_count(&self) -> Result<OutgoingCount, StoreError>;

    /// A small state, if there is one of that key.
    fn state(&self, key: &str) -> Result<Option<StoredState>, StoreError>;

    /// All small states whose key begins so, by key.
    fn states(&self, prefix: &str) -> Result<Vec<(String, StoredState)>, StoreError>;

    /// Windows by start, slice and part.
    fn windows(&self, ask: &WindowAsk) -> Result<Vec<WindowRow>, StoreError>;

    /// Entries from `from` on with what they are about, as that stands now: what signals are
    /// computed from.
    fn follow(&self, from: u64, limit: usize) -> Result<Vec<Followed>, StoreError>;

    /// Decisions in a scope that were settled automatically and that nobody has looked at or is
    /// to look at. A page may be empty and still name a next one.
    fn automatic(&self, ask: &AutomaticAsk) -> Result<AutomaticPage, StoreError>;

    /// Decisions and open items by domain, action and model, from counters.
    fn tally(&self) -> Result<Vec<Tally>, StoreError>;

    /// What limiters and budgets begin with, at desk time `now`.
    fn lately(&self, now: Timestamp) -> Result<Lately, StoreError>;

    /// What came in the hour before `now`, and what freezes held from `since` on (where that is
    /// earlier); among the newest 50,000 decisions.
    fn flowed(&self, now: Timestamp, since: Option<Timestamp>) -> Result<Flowed, StoreError>;

    /// Open items of a cohort group (looks through all open items).
    fn open_in_cohort(&self, dimension: &str, group: &str) -> Result<u64, StoreError>;

    /// The newest stored checkpoint (signed note).
    fn last_checkpoint(&self) -> Result<Option<String>, StoreError>;

    /// Read the whole trail into `sink` from one read snapshot, in this order: the head, all stored
    /// checkpoints, then by rising index each full level-0 tile followed by its entries, each with
    /// its bodies and the rows that belong to it; the tiles of higher levels, where every item
    /// stands, and the rows that belong to no single entry. A row that makes no sense is reported
    /// and stepped over.
    fn feed(&self, sink: &mut dyn TrailSink) -> Result<(), StoreError>;

    /// The first `width` (1..=256) hashes of the tile `(level, index)`, 32 bytes each: a full tile,
    /// or the unfinished one of the frontier. Refused with [`StoreError::Missing`] where the log
    /// does not reach so far.
    fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>, StoreError>;

    /// Wait until everything queued is committed, sign off, release files.
    fn close(&self) -> Result<(), StoreError>;
}

/// Makes a signed note of (size, root).
pub type SignCheckpoint = Box<dyn FnOnce(u64, [u8; 32]) -> String + Send>;

/// What opens a commitment: salt and value.
pub type Opened<'a> = ([u8; 32], &'a [u8]);

/// Who reads the trail: a verifier.
pub trait TrailSink {
    /// How many entries the store says there are, and its frontier (opaque bytes of
    /// `audit::tree::Frontier`). Called first.
    fn head(&mut self, size: u64, frontier: &[u8]);
    /// An entry, and the decision under whose id it is found (`None`: under none, or it admits that
    /// decision).
    fn entry(&mut self, index: u64, bytes: &[u8], about: Option<&str>);
    /// A body of the entry given last, in commitment order; an erased one has no salt and value.
    fn body(&mut self, index: u64, path: &str, kept: Option<Opened<'_>>);
    /// The decision that the entry given last admitted.
    fn decision(&mut self, row: &DecisionRow<'_>);
    /// A review whose verdict is the entry given last, as its row says: of the texts it has the
    /// tags only.
    fn review(&mut self, index: u64, row: &Review);
    /// An own answer to a blind item that the entry given last tells of.
    fn answer(&mut self, row: &AnswerRow<'_>);
    /// A full tile of 256 hashes.
    fn tile(&mut self, level: u8, index: u64, hashes: &[u8]);
    /// A stored signed checkpoint, oldest first.
    fn checkpoint(&mut self, note: &str);
    /// Where an item stands (plain automatic decisions have no item row).
    fn item(&mut self, id: &str, state: ItemState, revision: u64, queue: &str);
    /// A person: the row's key and version, and what it holds.
    fn reviewer(&mut self, name: &str, version: u64, row: &Reviewer);
    /// A policy that is or was in force.
    fn policy(&mut self, row: &StoredPolicy);
    /// A labelled example, in their order.
    fn correction(&mut self, row: &CorrectionRow<'_>);
    /// Which small states it wants to see: whole keys, and beginnings of keys that end with `/`.
    fn states_wanted(&self) -> &[&str] {
        &[]
    }
    /// A small state that it wants to see, as it is kept.
    fn small(&mut self, key: &str, value: &[u8]) {
        let _ = (key, value);
    }
    /// Where the store stands. Called last.
    fn state(&mut self, row: &StateRow<'_>);
    /// A row that makes no sense, of that entry if it belongs to one.
    fn broken(&mut self, index: Option<u64>, what: &str);
}
