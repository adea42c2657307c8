//! [`Postgres`]: the store of a team, on a PostgreSQL server (15 or later) that several nodes share.
//!
//! Writes are queued to one task a node ([`writer`]), which commits many of them at once while it
//! holds the lock of the log's head; leases go through a task of their own ([`leases`]), beside
//! that lock. Reads run on a pool of read-only connections. All of it lives on a small runtime of
//! the store's own, so that any thread that may block can call.

mod admit;
mod conn;
mod counters;
mod erase;
mod fate;
mod fault;
mod fresh;
mod inspect;
mod items;
mod jobs;
mod leases;
mod names;
mod open;
mod ops;
mod outbox;
mod premises;
mod read;
mod reviews;
mod run;
mod schema;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod text;
mod tls;
mod tx;
mod watch;
#[cfg(test)]
#[cfg(unix)]
mod wire_tests;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{ClientWrapper, Pool};
use tokio::runtime::Runtime;

pub use self::inspect::Inspection;
pub use self::watch::NodeClock;

use self::conn::{Shared, patiently};
use self::fault::Done;
use self::jobs::{Job, Work};
use self::leases::{Ask, Desk};
use self::watch::Standing;
use self::writer::Queue;
use crate::domain::{Item, Review, Reviewer, Timestamp};
use crate::store::{
    AdmitBatch, AdmitResult, AutomaticAsk, AutomaticPage, Committed, Counts, Flowed, Followed,
    Fresh, Freshness, Lately, Lease, OpenMode, OutgoingAsk, OutgoingCount, PageQuery, QueueCount,
    Seen, SignCheckpoint, Snapshot, Store, StoreError, StoredAnswer, StoredCorrection,
    StoredDeadLetter, StoredDecision, StoredEffect, StoredPage, StoredPolicy, StoredState,
    TakeLease, Tally, Ticket, TrailSink, WindowAsk, WindowRow, Write,
};

/// A store on a PostgreSQL server.
///
/// ```no_run
/// # use overrule::store::{Fresh, OpenMode, Postgres, Store as _};
/// # fn f(random: [u8; 32]) -> Result<(), overrule::store::StoreError> {
/// let fresh = Fresh { key: random, origin: "desk.example/7f3a".to_owned() };
/// let mode = OpenMode { create: true, ..OpenMode::default() };
/// let store = Postgres::open("postgres://desk@db.example/desk", mode, &fresh)?;
/// println!("{} decisions", store.snapshot()?.decisions);
/// store.close()
/// # }
/// ```
pub struct Postgres {
    address: Shared,
    pool: Pool,
    /// `None`: closed.
    runtime: Mutex<Option<Arc<Runtime>>>,
    /// `None`: opened read-only, or closed.
    tasks: Mutex<Option<Tasks>>,
    read_only: bool,
    standing: Arc<Standing>,
}

/// What runs as long as the store is open.
struct Tasks {
    queue: Queue,
    desk: Desk,
    leases: tokio::task::JoinHandle<()>,
    watch: tokio::task::AbortHandle,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("address", &self.address.shown).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Open the store in the schema that the URL's connections look into first, or make it
    /// ([`OpenMode::create`]); `fresh` is used only then.
    ///
    /// `sslmode` in the URL: `disable`, `prefer` (the default), `require`, `verify-full`;
    /// `sslrootcert` names a file of certificates to trust instead of the system's.
    ///
    /// Errors: [`StoreError::Missing`] where there is no store, [`StoreError::Newer`] for a later
    /// schema, [`StoreError::Io`] for a server that cannot be reached or used.
    pub fn open(url: &str, mode: OpenMode, fresh: &Fresh) -> Result<Self, StoreError> {
        open::open(url, mode, fresh, Arc::new(Timestamp::now))
    }

    /// Where it is, without the password.
    pub fn address(&self) -> &str {
        &self.address.shown
    }

    /// The same on a node whose clock is `clock`: [`Store::now`] says how far the server's is from
    /// it.
    pub fn open_at(
        url: &str,
        mode: OpenMode,
        fresh: &Fresh,
        clock: NodeClock,
    ) -> Result<Self, StoreError> {
        open::open(url, mode, fresh, clock)
    }

    fn push(&self, work: Work, bulk: bool) {
        let job = Job::new(work);
        match &*self.tasks.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(tasks) => tasks.queue.push(job, bulk),
            None => {
                let e = self.no_writer(job.doing());
                job.refuse(e);
            }
        }
    }

    fn ask(&self, ask: Ask) {
        match &*self.tasks.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(tasks) => tasks.desk.ask(ask),
            None => ask.refuse(self.no_writer("lease an item")),
        }
    }

    fn no_writer(&self, doing: &str) -> StoreError {
        match self.read_only {
            true => StoreError::Io {
                doing: doing.to_owned(),
                cause: "it was opened only for reading".to_owned(),
            },
            false => StoreError::Closed,
        }
    }

    fn runtime(&self) -> Result<Arc<Runtime>, StoreError> {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.clone().ok_or(StoreError::Closed)
    }

    /// Read with one statement, or with several that need not be of one moment. Called again when
    /// the server went away in the middle.
    fn read<T>(
        &self,
        doing: &str,
        run: impl AsyncFn(&ClientWrapper) -> Done<T>,
    ) -> Result<T, StoreError> {
        let again = async || {
            let client = self.pool.get().await?;
            run(&client).await
        };
        self.runtime()?.block_on(patiently(again)).map_err(|e| e.told(doing))
    }

    /// Read in one snapshot. Called again when the server went away in the middle.
    fn snapshot_read<T>(
        &self,
        doing: &str,
        run: impl AsyncFn(&ClientWrapper) -> Done<T>,
    ) -> Result<T, StoreError> {
        let again = async || {
            let client = self.pool.get().await?;
            snapshot(&client, run(&client)).await
        };
        self.runtime()?.block_on(patiently(again)).map_err(|e| e.told(doing))
    }

    /// Read in one snapshot, once: what was handed over cannot be taken back.
    fn once<T>(
        &self,
        doing: &str,
        run: impl AsyncFnOnce(&ClientWrapper) -> Done<T>,
    ) -> Result<T, StoreError> {
        let once = async {
            let client = patiently(async || Ok(self.pool.get().await?)).await?;
            snapshot(&client, run(&client)).await
        };
        self.runtime()?.block_on(once).map_err(|e| e.told(doing))
    }
}

/// All of `run` sees one moment.
async fn snapshot<T>(client: &ClientWrapper, run: impl Future<Output = Done<T>>) -> Done<T> {
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let answer = run.await;
    // An error may have ended the transaction already; either way nothing is left of it.
    let ended = client.batch_execute("COMMIT").await;
    let answer = answer?;
    ended?;
    Ok(answer)
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl Store for Postgres {
    fn admit(&self, batch: AdmitBatch) -> Ticket<Vec<AdmitResult>> {
        let (promise, ticket) = Ticket::new();
        let bulk = batch.bulk;
        self.push(Work::Admit { batch: Box::new(batch), answers: Vec::new(), promise }, bulk);
        ticket
    }

    fn commit(&self, write: Write) -> Ticket<Committed> {
        let (promise, ticket) = Ticket::new();
        self.push(Work::Write { write: Box::new(write), promise }, false);
        ticket
    }

    fn lease(&self, ask: TakeLease) -> Ticket<Option<Lease>> {
        let (promise, ticket) = Ticket::new();
        self.ask(Ask::Take(ask, promise));
        ticket
    }

    fn renew(&self, item: &str, reviewer: &str, epoch: u64, until: Timestamp) -> Ticket<Lease> {
        let (promise, ticket) = Ticket::new();
        let (item, reviewer) = (item.to_owned(), reviewer.to_owned());
        self.ask(Ask::Renew { held: Lease { item, reviewer, until, epoch }, promise });
        ticket
    }

    fn release(&self, item: &str, reviewer: &str, epoch: u64) -> Ticket<()> {
        let (promise, ticket) = Ticket::new();
        let (item, reviewer) = (item.to_owned(), reviewer.to_owned());
        self.ask(Ask::Release { item, reviewer, epoch, promise });
        ticket
    }

    fn put_draft(&self, item: &str, reviewer: &str, draft: Option<Vec<u8>>) -> Ticket<()> {
        let (promise, ticket) = Ticket::new();
        let (item, reviewer) = (item.to_owned(), reviewer.to_owned());
        self.push(Work::Draft { item, reviewer, bytes: draft, promise }, false);
        ticket
    }

    fn checkpoint(&self, sign: SignCheckpoint) -> Ticket<Option<String>> {
        let (promise, ticket) = Ticket::new();
        self.push(Work::Checkpoint { sign: Mutex::new(sign), promise }, false);
        ticket
    }

    fn freshness(&self) -> Freshness {
        self.standing.freshness()
    }

    fn remains(&self) -> Result<Option<String>, StoreError> {
        self.read("see what an erasure leaves", async |c| erase::remains(c).await.map(Some))
    }

    fn now(&self, local: Timestamp) -> Timestamp {
        self.standing.now(local)
    }

    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.read("read where the store stands", async |c| read::snapshot(c).await)
    }

    fn head(&self) -> Result<u64, StoreError> {
        self.read("read the head of the log", async |c| read::head(c).await)
    }

    fn decision(&self, id: &str) -> Result<Option<StoredDecision>, StoreError> {
        self.snapshot_read("read a decision", async |c| read::decision(c, id).await)
    }

    fn known(&self, ids: &[&str]) -> Result<Vec<bool>, StoreError> {
        self.read("look ids up", async |c| read::known(c, ids).await)
    }

    fn reviews(&self, id: &str) -> Result<Vec<Review>, StoreError> {
        self.snapshot_read("read reviews", async |c| read::reviews(c, id).await)
    }

    fn review(&self, request_id: &str) -> Result<Option<Review>, StoreError> {
        self.read("read a review", async |c| read::review(c, request_id).await)
    }

    fn lease_of(&self, id: &str, wall: Timestamp) -> Result<Option<Lease>, StoreError> {
        self.read("read a lease", async |c| read::lease_of(c, id, wall).await)
    }

    fn blind_answer(&self, id: &str, reviewer: &str) -> Result<Option<StoredAnswer>, StoreError> {
        self.read("read a blind answer", async |c| read::blind_answer(c, id, reviewer).await)
    }

    fn page(&self, ask: &PageQuery) -> Result<StoredPage, StoreError> {
        self.snapshot_read("read the queue", async |c| read::page(c, ask).await)
    }

    fn queues(&self, now: Timestamp, wall: Timestamp) -> Result<Vec<QueueCount>, StoreError> {
        self.snapshot_read("read the queues", async |c| read::queues(c, now, wall).await)
    }

    fn needed(&self) -> Result<std::collections::BTreeMap<String, String>, StoreError> {
        self.read("read what items need", async |c| read::needed(c).await)
    }

    fn seen(&self) -> Result<Seen, StoreError> {
        self.read("read the words of decisions", async |c| read::seen(c).await)
    }

    fn graces_over(&self, wall: Timestamp, limit: usize) -> Result<Vec<Item>, StoreError> {
        self.read("read pending verdicts", async |c| read::graces_over(c, wall, limit).await)
    }

    fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<Item>, StoreError> {
        self.snapshot_read("read late items", async |c| read::overdue(c, now, limit).await)
    }

    fn reviewers(&self) -> Result<Vec<Reviewer>, StoreError> {
        self.read("read the reviewers", async |c| read::reviewers(c).await)
    }

    fn reviewer(&self, name: &str) -> Result<Option<Reviewer>, StoreError> {
        self.read("read a reviewer", async |c| read::reviewer(c, name).await)
    }

    fn policy(&self, hash: Option<&str>) -> Result<Option<StoredPolicy>, StoreError> {
        self.read("read the policy", async |c| read::policy(c, hash).await)
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.snapshot_read("read the counters", async |c| read::counts(c).await)
    }

    fn entries(
        &self,
        id: Option<&str>,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.snapshot_read("read the trail", async |c| read::entries(c, id, from, limit).await)
    }

    fn corrections(
        &self,
        since: Option<Timestamp>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredCorrection>, StoreError> {
        self.snapshot_read("read corrections", async |c| {
            read::corrections(c, since, after, limit).await
        })
    }

    fn dead_letters(&self, after: u64, limit: usize) -> Result<Vec<StoredDeadLetter>, StoreError> {
        self.read("read refused lines", async |c| read::dead_letters(c, after, limit).await)
    }

    fn draft(&self, item: &str, reviewer: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read a draft", async |c| read::draft(c, item, reviewer).await)
    }

    fn outgoing(&self, ask: &OutgoingAsk) -> Result<Vec<StoredEffect>, StoreError> {
        self.snapshot_read("read the outbox", async |c| read::outgoing(c, ask).await)
    }

    fn outgoing_count(&self) -> Result<OutgoingCount, StoreError> {
        self.read("count the outbox", async |c| read::outgoing_count(c).await)
    }

    fn state(&self, key: &str) -> Result<Option<StoredState>, StoreError> {
        self.read("read a state", async |c| read::state(c, key).await)
    }

    fn states(&self, prefix: &str) -> Result<Vec<(String, StoredState)>, StoreError> {
        self.read("read states", async |c| read::states(c, prefix).await)
    }

    fn windows(&self, ask: &WindowAsk) -> Result<Vec<WindowRow>, StoreError> {
        self.snapshot_read("read windows", async |c| read::windows(c, ask).await)
    }

    fn follow(&self, from: u64, limit: usize) -> Result<Vec<Followed>, StoreError> {
        self.snapshot_read("follow the log", async |c| read::follow(c, from, limit).await)
    }

    fn automatic(&self, ask: &AutomaticAsk) -> Result<AutomaticPage, StoreError> {
        self.snapshot_read("read automatic decisions", async |c| read::automatic(c, ask).await)
    }

    fn tally(&self) -> Result<Vec<Tally>, StoreError> {
        self.read("read the counters", async |c| read::tally(c).await)
    }

    fn lately(&self, now: Timestamp) -> Result<Lately, StoreError> {
        self.snapshot_read("read what happened lately", async |c| read::lately(c, now).await)
    }

    fn flowed(&self, now: Timestamp, since: Option<Timestamp>) -> Result<Flowed, StoreError> {
        self.read("read what came lately", async |c| read::flowed(c, now, since).await)
    }

    fn open_in_cohort(&self, dimension: &str, group: &str) -> Result<u64, StoreError> {
        self.read("count a cohort", async |c| read::open_in_cohort(c, dimension, group).await)
    }

    fn last_checkpoint(&self) -> Result<Option<String>, StoreError> {
        self.read("read the last checkpoint", async |c| read::last_checkpoint(c).await)
    }

    fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>, StoreError> {
        self.snapshot_read("read hashes of the trail", async |c| {
            read::tile(c, level, index, width).await
        })
    }

    fn feed(&self, sink: &mut dyn TrailSink) -> Result<(), StoreError> {
        self.once("read the trail", async |c| read::feed(c, sink).await)
    }

    fn close(&self) -> Result<(), StoreError> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.pool.close();
        let Some(runtime) = runtime else { return Ok(()) };
        if let Some(Tasks { queue, desk, watch, leases }) = tasks {
            watch.abort();
            drop(desk);
            let (writer, done) = (queue.stop(), std::sync::mpsc::channel());
            runtime.spawn(async move {
                let _ = tokio::join!(writer, leases);
                let _ = done.0.send(());
            });
            // Not `block_on`: a store may be dropped where that is not allowed.
            let _ = done.1.recv();
        }
        if let Ok(runtime) = Arc::try_unwrap(runtime) {
            runtime.shutdown_background();
        }
        Ok(())
    }
}
