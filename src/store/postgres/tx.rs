//! Inside a write transaction: where the store stands, what is sent, what waits to be sent.
//!
//! A transaction of many operations must not wait for the server at every step. So what only
//! writes is sent without waiting for its answer (the server works in order), new rows are
//! gathered and sent as arrays, counters are added up; all answers are looked at before it counts
//! as committed. Where such an answer is an error, nobody knows whose it was: then the operations
//! are run once more, each in a savepoint and each waited for ([`Pace::Careful`]).

use std::collections::{BTreeSet, HashMap};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use deadpool_postgres::ClientWrapper;
use futures_util::future::try_join_all;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::fault::{Done, Fail, count, damaged, int};
use super::fresh::Rows;
use super::names::Names;
use super::read;
use super::text::{T, Text};
use crate::audit::{Frontier, Hash, leaf_hash};
use crate::domain::Timestamp;
use crate::store::rows::SLOTS;
use crate::store::rows::counters::Deltas;
use crate::store::rows::head::Head;
use crate::store::{EntryDraft, StoreError};

/// A value on its way to the server.
pub(super) type Value<'a> = Box<dyn ToSql + Send + Sync + 'a>;
type Sent<'a> = Pin<Box<dyn Future<Output = Result<u64, tokio_postgres::Error>> + Send + 'a>>;

/// Shorthand for a list of [`Value`]s.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as $crate::store::postgres::tx::Value<'_>),*]
    };
}
pub(super) use values;

/// How a transaction is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing is waited for that need not be; an operation that fails half way spoils all.
    Fast,
    /// Each operation in its savepoint, each statement waited for.
    Careful,
}

/// What the writer keeps in memory from one transaction to the next.
pub(super) struct Memory {
    /// As of our last commit.
    pub(super) frontier: Frontier,
    pub(super) names: Names,
    /// First sight of shapes, as stored.
    pub(super) seen: HashMap<i64, i64>,
    pub(super) key: [u8; 32],
}

impl Memory {
    pub(super) fn new(key: [u8; 32]) -> Self {
        let (frontier, names, seen) = (Frontier::new(), Names::default(), HashMap::new());
        Self { frontier, names, seen, key }
    }

    /// Forget what was learned in a transaction that is lost. (The frontier is of the last one
    /// that was not.)
    pub(super) fn forget(&mut self) {
        self.names = Names::default();
        self.seen.clear();
    }
}

/// An entry that was just appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appended {
    pub(super) index: u64,
    pub(super) bodies: usize,
}

/// A write transaction that is open; `'a`: the connection, and the jobs whose rows it sends.
pub(super) struct Tx<'a> {
    pub(super) client: &'a ClientWrapper,
    pub(super) memory: &'a mut Memory,
    pub(super) pace: Pace,
    pub(super) head: Head,
    pub(super) deltas: Deltas,
    /// New rows that are not sent yet.
    pub(super) rows: Rows<'a>,
    /// Contents of decisions that were there before, as far as asked for.
    pub(super) known: HashMap<String, Vec<u8>>,
    pub(super) versions: Versions,
    /// The last entry of this operation, to which rows refer.
    pub(super) entry: Option<Appended>,
    /// The last entry of all, by its leaf hash.
    pub(super) last: Option<(u64, Hash)>,
    /// Effects that this operation held or let go.
    pub(super) held: u64,
    /// Somebody's texts are to be removed from where they were.
    pub(super) erased: bool,
    /// Rises with everything that an operation changes.
    pub(super) changes: u64,
    dirty: bool,
    generation_before: u64,
    /// Only ever reached through `&mut`; the lock makes what it holds shareable.
    sent: Mutex<Vec<Sent<'a>>>,
}

/// Where a transaction stood before an operation.
pub(super) struct Mark {
    head: Head,
    last: Option<(u64, Hash)>,
    erased: bool,
    dirty: bool,
}

/// What operations are about to ask, all at once.
#[derive(Default)]
pub(super) struct Asked<'a> {
    /// Decisions that may be known.
    pub(super) ids: Vec<T<'a>>,
    /// People, and states, whose versions are premises.
    pub(super) people: BTreeSet<&'a str>,
    pub(super) states: BTreeSet<&'a str>,
}

/// Versions of people and states as they stand in a transaction; what is not in it is to be asked.
#[derive(Default)]
pub(super) struct Versions {
    pub(super) people: HashMap<String, u64>,
    pub(super) states: HashMap<String, u64>,
}

/// What the connection says when a transaction begins.
pub(super) struct Begun {
    /// By which the server can be asked later whether it was committed.
    pub(super) xid: String,
    pub(super) head: Head,
    pub(super) known: HashMap<String, Vec<u8>>,
    pub(super) versions: Versions,
}

/// Whatever the role's or the database's default: each statement must see what others committed
/// before it got the head, and nothing but the head may make it wait or fail.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const STATE: &str = "SELECT size, generation, policy, desk, decisions, automatic,
     pg_current_xact_id()::text FROM state";
const KNOWN: &str = "SELECT id, content FROM decisions WHERE id = ANY($1)";
pub(super) const PERSON: &str = "SELECT version FROM reviewers WHERE name = $1";
pub(super) const STATE_OF: &str =
    "SELECT version FROM states WHERE md5(key) = md5($1) AND key = $1 AND value IS NOT NULL";

/// Begin: take the head of the log, see where the store stands, and what is asked of it.
/// One way to the server and back, but for what other nodes appended.
pub(super) async fn begin(
    client: &ClientWrapper,
    memory: &Memory,
    asked: Asked<'_>,
) -> Done<Begun> {
    let Asked { ids, people, states } = asked;
    let lock = client.prepare_cached(super::conn::LOCK).await?;
    let state = client.prepare_cached(STATE).await?;
    let find = client.prepare_cached(KNOWN).await?;
    let known = async {
        match ids.is_empty() {
            true => Ok(Vec::new()),
            false => client.query(&find, &[&ids]).await,
        }
    };
    // Polled, and so sent, in this order.
    let (begun, locked, state, known, people, states) = tokio::join!(
        biased;
        client.batch_execute(BEGIN),
        client.execute(&lock, &[]),
        client.query_one(&state, &[]),
        known,
        versions(client, PERSON, people),
        versions(client, STATE_OF, states),
    );
    begun?;
    locked?;
    let (row, known) = (state?, known?);
    let size = count(row.try_get(0)?);
    let head = Head {
        frontier: frontier(client, memory.frontier.clone(), size).await?,
        generation: count(row.try_get(1)?),
        policy: row.try_get::<_, Option<Text>>(2)?.map(|t| t.0),
        desk: row.try_get(3)?,
        decisions: row.try_get(4)?,
        automatic: row.try_get(5)?,
    };
    let known = known
        .iter()
        .map(|row| Ok((row.try_get::<_, Text>(0)?.0, row.try_get(1)?)))
        .collect::<Result<_, tokio_postgres::Error>>()?;
    let versions = Versions { people: people?, states: states? };
    Ok(Begun { xid: row.try_get(6)?, head, known, versions })
}

/// The version of each of these; 0 where there is none.
async fn versions(
    client: &ClientWrapper,
    sql: &str,
    names: BTreeSet<&str>,
) -> Done<HashMap<String, u64>> {
    let statement = client.prepare_cached(sql).await?;
    let one = |name| {
        let statement = &statement;
        async move {
            let row = client.query_opt(statement, &[&T(name)]).await?;
            let version = row.map_or(Ok(0), |row| row.try_get(0))?;
            Ok((name.to_owned(), count(version)))
        }
    };
    let all: Result<_, tokio_postgres::Error> = try_join_all(names.into_iter().map(one)).await;
    Ok(all?.into_iter().collect())
}

/// The frontier of a log of `size` entries: from the one in memory, or else the stored one, and
/// the entries since.
pub(super) async fn frontier(client: &ClientWrapper, from: Frontier, size: u64) -> Done<Frontier> {
    /// With more than this to read, the stored one is nearer.
    const NEAR: u64 = 1_024;
    if from.size() > size || size - from.size() > NEAR {
        return read::frontier(client).await;
    }
    let mut frontier = from;
    let entries = client
        .prepare_cached("SELECT bytes FROM log WHERE idx >= $1 AND idx < $2 ORDER BY idx")
        .await?;
    if frontier.size() < size {
        let range = (int(frontier.size()), int(size));
        let mut full = Vec::new();
        for row in client.query(&entries, &[&range.0, &range.1]).await? {
            frontier.push(leaf_hash(row.try_get(0)?), &mut full);
        }
    }
    match frontier.size() == size {
        true => Ok(frontier),
        false => Err(damaged("the head of the log").into()),
    }
}

impl<'a> Tx<'a> {
    pub(super) fn new(
        client: &'a ClientWrapper,
        memory: &'a mut Memory,
        pace: Pace,
        begun: Begun,
    ) -> Self {
        Self {
            client,
            memory,
            pace,
            generation_before: begun.head.generation,
            head: begun.head,
            deltas: Deltas::default(),
            rows: Rows::default(),
            known: begun.known,
            versions: begun.versions,
            entry: None,
            last: None,
            held: 0,
            erased: false,
            changes: 0,
            dirty: false,
            sent: Mutex::default(),
        }
    }

    /// A statement whose answer is of no interest unless it is an error.
    pub(super) async fn send(&mut self, sql: &'static str, values: Vec<Value<'a>>) -> Done<()> {
        self.changes += 1;
        let statement = self.client.prepare_cached(sql).await?;
        let client = self.client;
        let mut run: Sent<'a> = Box::pin(async move {
            let values: Vec<&(dyn ToSql + Sync)> =
                values.iter().map(|v| &**v as &(dyn ToSql + Sync)).collect();
            client.execute(&statement, &values).await
        });
        match self.pace {
            Pace::Careful => drop(run.await?),
            // The first poll sends it.
            Pace::Fast => match poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await {
                Poll::Ready(done) => drop(done?),
                Poll::Pending => self.sent().push(run),
            },
        }
        Ok(())
    }

    fn sent(&mut self) -> &mut Vec<Sent<'a>> {
        self.sent.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// A statement that says how many rows it changed.
    pub(super) async fn changed(
        &mut self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Done<u64> {
        let statement = self.client.prepare_cached(sql).await?;
        let changed = self.client.execute(&statement, values).await?;
        self.changes += u64::from(changed > 0);
        Ok(changed)
    }

    /// A row that is there, or not.
    pub(super) async fn row(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Done<Option<Row>> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query_opt(&statement, values).await?)
    }

    /// The head will have to be written.
    pub(super) fn change(&mut self) -> &mut Head {
        self.changes += 1;
        self.dirty = true;
        &mut self.head
    }

    /// Desk time moves on, never back.
    pub(super) fn tick(&mut self, now: Timestamp) {
        let now = now.as_millisecond();
        if now > self.head.desk {
            self.change().desk = now;
        }
    }

    /// Append an entry about `item` (its decision's `n`) with its bodies.
    pub(super) fn append(&mut self, entry: &'a EntryDraft, item: Option<i64>) -> Done<u64> {
        let index = self.head.frontier.size();
        let bodies = entry.bodies.len();
        if bodies as u64 > SLOTS {
            return Err(StoreError::Io {
                doing: "append to the trail".to_owned(),
                cause: format!("an entry has {bodies} texts; at most {SLOTS} can be kept"),
            }
            .into());
        }
        let (hash, mut full) = (leaf_hash(&entry.bytes), Vec::new());
        self.change().frontier.push(hash, &mut full);
        self.last = Some((index, hash));
        self.rows.entry(int(index), item, entry);
        if !full.is_empty() {
            self.rows.tiles(full, &self.head.frontier);
        }
        self.entry = Some(Appended { index, bodies });
        Ok(index)
    }

    /// The number of a decision; refused if there is none of that id.
    pub(super) async fn number(&self, id: &str) -> Done<i64> {
        match self.find(id).await? {
            Some(n) => Ok(n),
            None => Err(StoreError::Missing(format!("decision {id}")).into()),
        }
    }

    /// The number of a decision, if there is one of that id.
    pub(super) async fn find(&self, id: &str) -> Done<Option<i64>> {
        if let Some(n) = self.rows.number(id) {
            return Ok(Some(n));
        }
        match self.row("SELECT n FROM decisions WHERE id = $1", &[&T(id)]).await? {
            Some(row) => Ok(Some(row.try_get(0)?)),
            None => Ok(None),
        }
    }

    /// Send what was gathered: statements from now on see it.
    pub(super) async fn flush(&mut self) -> Done<()> {
        let rows = self.rows.take();
        for (sql, values) in rows.statements() {
            self.send(sql, values).await?;
        }
        Ok(())
    }

    /// What an operation may have to be rolled back to. All before it has been sent.
    pub(super) async fn savepoint(&mut self) -> Done<Mark> {
        self.client.batch_execute("SAVEPOINT op").await?;
        let (head, last) = (self.head.clone(), self.last);
        Ok(Mark { head, last, erased: self.erased, dirty: self.dirty })
    }

    /// The operation since the savepoint happened.
    pub(super) async fn release(&mut self) -> Done<()> {
        self.settle().await?;
        self.client.batch_execute("RELEASE op").await?;
        Ok(())
    }

    /// The operation since the savepoint did not happen.
    pub(super) async fn roll_back(&mut self, mark: Mark) -> Done<()> {
        (self.head, self.last) = (mark.head, mark.last);
        (self.erased, self.dirty) = (mark.erased, mark.dirty);
        self.deltas = Deltas::default();
        self.rows.forget(int(self.head.frontier.size()));
        self.memory.forget();
        self.client.batch_execute("ROLLBACK TO op; RELEASE op").await?;
        Ok(())
    }

    /// Send all that waits to be sent, counters too.
    async fn settle(&mut self) -> Done<()> {
        self.flush().await?;
        let deltas = std::mem::take(&mut self.deltas);
        super::counters::write(self, deltas).await
    }

    /// Make it durable: everything happened, or nothing. `committing` is called when the server is
    /// about to be told: from then on a lost connection leaves it open whether it did.
    pub(super) async fn commit(mut self, committing: impl FnOnce()) -> Done<Frontier> {
        self.settle().await?;
        if self.dirty {
            let h = self.head.clone();
            self.send(
                "UPDATE state SET size = $1, generation = $2, policy = $3, desk = $4,
                     decisions = $5, automatic = $6",
                values![
                    int(h.frontier.size()),
                    int(h.generation),
                    h.policy,
                    h.desk,
                    h.decisions,
                    h.automatic,
                ],
            )
            .await?;
            if h.generation != self.generation_before {
                let sql = "SELECT pg_notify('overrule_control', $1)";
                self.send(sql, values![h.generation.to_string()]).await?;
            }
        }
        committing();
        let client = self.client;
        let mut commit = Box::pin(client.batch_execute("COMMIT"));
        let first = poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx))).await;
        // An error among these made a rollback of the commit.
        let mut failed = None;
        for sent in std::mem::take(self.sent()) {
            if let Err(e) = sent.await {
                failed.get_or_insert(e);
            }
        }
        let ended = match first {
            Poll::Ready(ended) => ended,
            Poll::Pending => commit.await,
        };
        match (failed, ended) {
            (None, Ok(())) => Ok(self.head.frontier),
            (Some(e), _) | (None, Err(e)) => Err(Fail::Sql(e)),
        }
    }
}
