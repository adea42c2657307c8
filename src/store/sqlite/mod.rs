//! [`Sqlite`]: the store on one machine, in one file that `sqlite3` can open.
//!
//! Writes are queued to one thread ([`writer`]); reads run on the calling thread, each on a
//! connection of its own ([`pool`]) in one short transaction.

mod admit;
mod checkpointer;
mod counters;
mod dead;
mod decisions;
mod derived;
mod erase;
mod fault;
mod follow;
mod items;
mod jobs;
mod lately;
mod leases;
mod names;
mod open;
mod ops;
mod outbox;
mod page;
mod pool;
mod premises;
mod queues;
mod reviews;
mod schema;
mod scopes;
mod states;
#[cfg(test)]
mod tests;
mod trail;
mod tx;
mod walk;
mod windows;
mod writer;
mod yielding;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};

pub use open::OpenMode;
pub use schema::Fresh;

use self::fault::{Done, Fail, count};
use self::jobs::{Admit, Call};
use self::open::{Access, Prepared, patiently};
use self::pool::Pool;
use self::writer::{Queue, Writer};
use crate::domain::{Item, Review, Reviewer, Timestamp};
use crate::store::rows::time;
use crate::store::{
    AdmitBatch, AdmitResult, AutomaticAsk, AutomaticPage, Committed, Counts, Flowed, Followed,
    Lately, Lease, OutgoingAsk, OutgoingCount, PageQuery, QueueCount, Seen, SignCheckpoint,
    Snapshot, Store, StoreError, StoredAnswer, StoredCorrection, StoredDeadLetter, StoredDecision,
    StoredEffect, StoredPage, StoredPolicy, StoredState, TakeLease, Tally, Ticket, TrailSink,
    WindowAsk, WindowRow, Write,
};

/// A store in a SQLite file.
///
/// ```no_run
/// # use overrule::store::{Fresh, OpenMode, Sqlite, Store as _};
/// # fn f(random: [u8; 32]) -> Result<(), overrule::store::StoreError> {
/// let fresh = Fresh { key: random, origin: "desk.example/7f3a".to_owned() };
/// let mode = OpenMode { create: true, interactive: true, ..OpenMode::default() };
/// let store = Sqlite::open("desk.db".as_ref(), mode, &fresh)?;
/// println!("{} decisions", store.snapshot()?.decisions);
/// store.close()
/// # }
/// ```
pub struct Sqlite {
    path: PathBuf,
    pool: Arc<Pool>,
    /// `None`: opened read-only, or closed.
    queue: Mutex<Option<Queue>>,
    access: Access,
    /// Compares SQLite's data version with what it was.
    watch: Mutex<Option<Connection>>,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Open the store at `path`, or make it ([`OpenMode::create`]); `fresh` is used only then.
    ///
    /// Errors: [`StoreError::Missing`] without a file, [`StoreError::Newer`] for a later schema,
    /// [`StoreError::Io`] for a file that cannot be used.
    pub fn open(path: &Path, mode: OpenMode, fresh: &Fresh) -> Result<Self, StoreError> {
        let doing = || format!("open {}", path.display());
        let told = |e: Fail| e.told(&doing());
        let (conn, access) = match open::prepare(path, mode, fresh).map_err(told)? {
            Prepared::Writer(conn) => (Some(conn), Access::Write),
            Prepared::Reader(access) => (None, access),
        };
        let pool = Arc::new(Pool::new(path.to_owned(), access));
        let queue = match conn {
            None => None,
            Some(conn) => {
                let key =
                    patiently(|| Ok(conn.query_row("SELECT key FROM meta", (), |r| r.get(0))?))
                        .map_err(told)?;
                let started =
                    Writer::start(path.to_owned(), conn, key, mode.interactive, Arc::clone(&pool));
                Some(started.map_err(|e| StoreError::Io { doing: doing(), cause: e.to_string() })?)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            pool,
            queue: Mutex::new(queue),
            access,
            watch: Mutex::new(None),
        })
    }

    /// The schema version of the file at `path`, 0 for an empty one. Looking changes nothing.
    ///
    /// Errors: [`StoreError::Io`], [`StoreError::Damaged`] for what is no store, or cannot be read.
    pub fn version(path: &Path) -> Result<u32, StoreError> {
        open::version(path).map_err(|e| e.told(&format!("read {}", path.display())))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A number that changes whenever anybody, this process included, has committed anything to
    /// the file (leases and drafts too, unlike [`Store::head`]). Cheap enough to ask four times a
    /// second; only equality means something.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |watch: &mut Option<Connection>| -> Done<i64> {
            let conn = match watch.take() {
                Some(conn) => conn,
                None => open::reader(&self.path, self.access)?,
            };
            let version =
                patiently(|| Ok(conn.query_row("PRAGMA data_version", (), |r| r.get(0))?))?;
            *watch = Some(conn);
            Ok(version)
        };
        read(&mut watch).map_err(|e| e.told("see whether the store has changed"))
    }

    /// Queue an operation.
    fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        run: impl FnOnce(&mut tx::Tx<'_>) -> Done<T> + Send + 'static,
    ) -> Ticket<T> {
        let (promise, ticket) = Ticket::new();
        self.push(Call::boxed(doing, promise, run), false);
        ticket
    }

    /// Queue an operation that needs no savepoint: see [`writer::Job::refuses_first`].
    fn light<T: Send + 'static>(
        &self,
        doing: &'static str,
        run: impl FnOnce(&mut tx::Tx<'_>) -> Done<T> + Send + 'static,
    ) -> Ticket<T> {
        let (promise, ticket) = Ticket::new();
        self.push(Call::light(doing, promise, run), false);
        ticket
    }

    fn push(&self, job: Box<dyn writer::Job>, bulk: bool) {
        match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.push(job, bulk),
            None if self.access != Access::Write => {
                let cause = "it was opened only for reading".to_owned();
                let doing = job.doing().to_owned();
                job.settle(Err(StoreError::Io { doing, cause }));
            }
            None => job.settle(Err(StoreError::Closed)),
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl Store for Sqlite {
    fn admit(&self, batch: AdmitBatch) -> Ticket<Vec<AdmitResult>> {
        let (promise, ticket) = Ticket::new();
        let bulk = batch.bulk;
        self.push(Admit::boxed(batch, promise), bulk);
        ticket
    }

    fn commit(&self, write: Write) -> Ticket<Committed> {
        self.call("store this", move |tx| ops::write(tx, &write))
    }

    fn lease(&self, ask: TakeLease) -> Ticket<Option<Lease>> {
        self.light("lease an item", move |tx| leases::take(tx, &ask))
    }

    fn renew(&self, item: &str, reviewer: &str, epoch: u64, until: Timestamp) -> Ticket<Lease> {
        let (item, reviewer) = (item.to_owned(), reviewer.to_owned());
        self.light("renew a lease", move |tx| leases::renew(tx, &item, &reviewer, epoch, until))
    }

    fn release(&self, item: &str, reviewer: &str, epoch: u64) -> Ticket<()> {
        let (item, reviewer) = (item.to_owned(), reviewer.to_owned());
        self.light("release a lease", move |tx| leases::release(tx, &item, &reviewer, epoch))
    }

    fn put_draft(&self, item: &str, reviewer: &str, draft: Option<Vec<u8>>) -> Ticket<()> {
        let (item, reviewer) = (item.to_owned(), reviewer.to_owned());
        self.light("keep a draft", move |tx| ops::draft(tx, &item, &reviewer, draft.as_deref()))
    }

    fn checkpoint(&self, sign: SignCheckpoint) -> Ticket<Option<String>> {
        self.call("store a checkpoint", move |tx| ops::checkpoint(tx, sign))
    }

    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.pool.read("read where the store stands", |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT size, generation, policy, record_clock, desk, key, origin, decisions,
                     automatic FROM state, meta",
            )?;
            let (desk, snapshot) = statement.query_row((), |r| {
                let snapshot = Snapshot {
                    head: count(r.get(0)?),
                    generation: count(r.get(1)?),
                    policy: r.get(2)?,
                    record_clock: r.get(3)?,
                    desk_time: Timestamp::UNIX_EPOCH,
                    key: r.get(5)?,
                    origin: r.get(6)?,
                    decisions: count(r.get(7)?),
                    automatic: count(r.get(8)?),
                };
                Ok((r.get(4)?, snapshot))
            })?;
            Ok(Snapshot { desk_time: time(desk)?, ..snapshot })
        })
    }

    fn head(&self) -> Result<u64, StoreError> {
        self.pool.read("read the head of the log", |conn| {
            let size: i64 =
                conn.prepare_cached("SELECT size FROM state")?.query_row((), |r| r.get(0))?;
            Ok(count(size))
        })
    }

    fn decision(&self, id: &str) -> Result<Option<StoredDecision>, StoreError> {
        self.pool.read("read a decision", |conn| decisions::read(conn, "d.id = ?1", id))
    }

    fn known(&self, ids: &[&str]) -> Result<Vec<bool>, StoreError> {
        self.pool.read("look ids up", |conn| {
            let mut find = conn.prepare_cached("SELECT 1 FROM decisions WHERE id = ?1")?;
            let known = ids.iter().map(|id| find.exists([id])).collect::<Result<_, _>>()?;
            Ok(known)
        })
    }

    fn reviews(&self, id: &str) -> Result<Vec<Review>, StoreError> {
        self.pool.read("read reviews", |conn| reviews::read(conn, "d.id = ?1", id))
    }

    fn review(&self, request_id: &str) -> Result<Option<Review>, StoreError> {
        self.pool.read("read a review", |conn| {
            Ok(reviews::read(conn, "r.request_id = ?1", request_id)?.pop())
        })
    }

    fn lease_of(&self, id: &str, wall: Timestamp) -> Result<Option<Lease>, StoreError> {
        self.pool.read("read a lease", |conn| match number(conn, id)? {
            Some(n) => Ok(leases::live(conn, n, wall)?.map(|held| held.of(id))),
            None => Ok(None),
        })
    }

    fn blind_answer(&self, id: &str, reviewer: &str) -> Result<Option<StoredAnswer>, StoreError> {
        self.pool.read("read a blind answer", |conn| match number(conn, id)? {
            Some(n) => reviews::blind_answer(conn, n, reviewer),
            None => Ok(None),
        })
    }

    fn page(&self, ask: &PageQuery) -> Result<StoredPage, StoreError> {
        self.pool.read("read the queue", |conn| page::page(conn, ask))
    }

    fn queues(&self, now: Timestamp, wall: Timestamp) -> Result<Vec<QueueCount>, StoreError> {
        self.pool.read("read the queues", |conn| queues::counts(conn, now, wall))
    }

    fn needed(&self) -> Result<std::collections::BTreeMap<String, String>, StoreError> {
        self.pool.read("read what items need", queues::needed)
    }

    fn seen(&self) -> Result<Seen, StoreError> {
        self.pool.read("read the words of decisions", names::seen)
    }

    fn graces_over(&self, wall: Timestamp, limit: usize) -> Result<Vec<Item>, StoreError> {
        self.pool.read("read pending verdicts", |conn| queues::graces_over(conn, wall, limit))
    }

    fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<Item>, StoreError> {
        self.pool.read("read late items", |conn| queues::overdue(conn, now, limit))
    }

    fn reviewers(&self) -> Result<Vec<Reviewer>, StoreError> {
        self.pool.read("read the reviewers", |conn| ops::reviewers(conn, None))
    }

    fn reviewer(&self, name: &str) -> Result<Option<Reviewer>, StoreError> {
        self.pool.read("read a reviewer", |conn| Ok(ops::reviewers(conn, Some(name))?.pop()))
    }

    fn policy(&self, hash: Option<&str>) -> Result<Option<StoredPolicy>, StoreError> {
        self.pool.read("read the policy", |conn| ops::policy(conn, hash))
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.pool.read("read the counters", counters::read)
    }

    fn entries(
        &self,
        id: Option<&str>,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.pool.read("read the trail", |conn| trail::entries(conn, id, from, limit))
    }

    fn corrections(
        &self,
        since: Option<Timestamp>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredCorrection>, StoreError> {
        self.pool.read("read corrections", |conn| reviews::corrections(conn, since, after, limit))
    }

    fn dead_letters(&self, after: u64, limit: usize) -> Result<Vec<StoredDeadLetter>, StoreError> {
        self.pool.read("read refused lines", |conn| dead::read(conn, after, limit))
    }

    fn draft(&self, item: &str, reviewer: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.pool.read("read a draft", |conn| {
            Ok(conn
                .prepare_cached(
                    "SELECT bytes FROM drafts JOIN decisions d ON d.n = item
                     WHERE d.id = ?1 AND reviewer = ?2",
                )?
                .query_row((item, reviewer), |r| r.get(0))
                .optional()?)
        })
    }

    fn outgoing(&self, ask: &OutgoingAsk) -> Result<Vec<StoredEffect>, StoreError> {
        self.pool.read("read the outbox", |conn| outbox::read(conn, ask))
    }

    fn outgoing_count(&self) -> Result<OutgoingCount, StoreError> {
        self.pool.read("count the outbox", outbox::counts)
    }

    fn state(&self, key: &str) -> Result<Option<StoredState>, StoreError> {
        self.pool.read("read a state", |conn| states::read(conn, key))
    }

    fn states(&self, prefix: &str) -> Result<Vec<(String, StoredState)>, StoreError> {
        self.pool.read("read states", |conn| states::all(conn, prefix))
    }

    fn windows(&self, ask: &WindowAsk) -> Result<Vec<WindowRow>, StoreError> {
        self.pool.read("read windows", |conn| windows::read(conn, ask))
    }

    fn follow(&self, from: u64, limit: usize) -> Result<Vec<Followed>, StoreError> {
        self.pool.read("follow the log", |conn| follow::read(conn, from, limit))
    }

    fn automatic(&self, ask: &AutomaticAsk) -> Result<AutomaticPage, StoreError> {
        self.pool.read("read automatic decisions", |conn| scopes::automatic(conn, ask))
    }

    fn tally(&self) -> Result<Vec<Tally>, StoreError> {
        self.pool.read("read the counters", scopes::tally)
    }

    fn lately(&self, now: Timestamp) -> Result<Lately, StoreError> {
        self.pool.read("read what happened lately", |conn| lately::lately(conn, now))
    }

    fn flowed(&self, now: Timestamp, since: Option<Timestamp>) -> Result<Flowed, StoreError> {
        self.pool.read("read what came lately", |conn| lately::flowed(conn, now, since))
    }

    fn open_in_cohort(&self, dimension: &str, group: &str) -> Result<u64, StoreError> {
        self.pool.read("count a cohort", |conn| scopes::open_in_cohort(conn, dimension, group))
    }

    fn last_checkpoint(&self) -> Result<Option<String>, StoreError> {
        self.pool.read("read the last checkpoint", |conn| {
            Ok(conn
                .prepare_cached("SELECT note FROM checkpoints ORDER BY number DESC LIMIT 1")?
                .query_row((), |r| r.get(0))
                .optional()?)
        })
    }

    fn feed(&self, sink: &mut dyn TrailSink) -> Result<(), StoreError> {
        self.pool.read("read the trail", |conn| trail::feed(conn, sink))
    }

    fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>, StoreError> {
        self.pool.read("read hashes of the trail", |conn| trail::tile(conn, level, index, width))
    }

    fn close(&self) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(queue) = queue {
            queue.stop();
        }
        self.pool.close();
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

fn number(conn: &Connection, id: &str) -> Done<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT n FROM decisions WHERE id = ?1")?
        .query_row([id], |r| r.get(0))
        .optional()?)
}
