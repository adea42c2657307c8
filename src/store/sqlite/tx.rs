//! Inside a write transaction: where the store stands, what was learned, what must be undone.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _};

use super::counters;
use super::fault::{Done, Fail, count, damaged, int};
use super::names::Names;
use crate::audit::{Frontier, leaf_hash};
use crate::domain::Timestamp;
use crate::store::rows::SLOTS;
use crate::store::rows::counters::Deltas;
use crate::store::rows::head::Head;
use crate::store::{EntryDraft, StoreError};

/// What the writer keeps in memory from one transaction to the next.
pub(super) struct Memory {
    /// `None`: to be read.
    head: Option<Head>,
    pub(super) names: Names,
    pub(super) key: [u8; 32],
}

impl Memory {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { head: None, names: Names::default(), key }
    }

    /// Forget everything: a transaction was lost.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.key);
    }
}

/// A write transaction that is open.
pub(super) struct Tx<'a> {
    pub(super) conn: &'a Connection,
    pub(super) memory: &'a mut Memory,
    pub(super) head: Head,
    pub(super) deltas: Deltas,
    /// The last entry of this operation, to which rows refer.
    pub(super) entry: Option<Appended>,
    /// Effects that this operation held or let go.
    pub(super) held: u64,
    /// The store must be vacuumed after the commit.
    pub(super) erased: bool,
    dirty: bool,
}

/// An entry that was just appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appended {
    pub(super) index: u64,
    pub(super) bodies: usize,
}

impl<'a> Tx<'a> {
    /// Begin, waiting for others; reads where the store stands now.
    pub(super) fn begin(conn: &'a Connection, memory: &'a mut Memory) -> Done<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        match read_head(conn, memory.head.take()) {
            Ok(head) => Ok(Self {
                conn,
                memory,
                head,
                deltas: Deltas::default(),
                entry: None,
                held: 0,
                erased: false,
                dirty: false,
            }),
            Err(e) => {
                let _ = conn.execute_batch("ROLLBACK");
                Err(e)
            }
        }
    }

    /// Run one operation so that all of it happens or nothing.
    pub(super) fn all_or_nothing<T>(&mut self, run: impl FnOnce(&mut Self) -> Done<T>) -> Done<T> {
        let before = (self.head.clone(), self.erased, self.dirty);
        self.conn.prepare_cached("SAVEPOINT op")?.execute(())?;
        self.memory.names.mark();
        self.entry = None;
        self.held = 0;
        let ran = run(self).and_then(|answer| {
            let deltas = std::mem::take(&mut self.deltas);
            counters::write(deltas, self.conn)?;
            Ok(answer)
        });
        match ran {
            Ok(answer) => {
                self.conn.prepare_cached("RELEASE op")?.execute(())?;
                Ok(answer)
            }
            Err(e) if e.is_grave() => Err(e),
            Err(e) => {
                (self.head, self.erased, self.dirty) = before;
                self.deltas = Deltas::default();
                self.memory.names.forget_since_mark();
                // If not even that goes, SQLite has given the whole transaction up.
                self.conn.execute_batch("ROLLBACK TO op; RELEASE op").map_err(Fail::Lost)?;
                Err(e)
            }
        }
    }

    /// Run an operation that is refused, if it is, before it writes anything worth undoing: a
    /// savepoint would keep a copy of every page it touches. Where SQLite itself fails in the
    /// midst of it, the whole transaction is lost.
    pub(super) fn refused_first<T>(&mut self, run: impl FnOnce(&mut Self) -> Done<T>) -> Done<T> {
        self.entry = None;
        self.held = 0;
        run(self).map_err(|e| match e {
            Fail::Sql(e) if e.sqlite_error_code().is_some() => Fail::Lost(e),
            other => other,
        })
    }

    /// Make it durable. Everything before it happened, or nothing.
    pub(super) fn commit(self) -> Done<()> {
        if self.dirty {
            let h = &self.head;
            self.conn
                .prepare_cached(
                    "UPDATE state SET size = ?1, generation = ?2, policy = ?3, desk = ?4,
                     decisions = ?5, automatic = ?6",
                )?
                .execute((
                    int(h.frontier.size()),
                    int(h.generation),
                    &h.policy,
                    h.desk,
                    h.decisions,
                    h.automatic,
                ))?;
            self.conn
                .prepare_cached("UPDATE frontier SET bytes = ?1")?
                .execute([h.frontier.to_bytes()])?;
        }
        self.conn.prepare_cached("COMMIT")?.execute(())?;
        self.memory.head = Some(self.head);
        Ok(())
    }

    /// Leave everything as it was before [`Tx::begin`].
    pub(super) fn abandon(self) {
        let _ = self.conn.execute_batch("ROLLBACK");
        self.memory.forget();
    }

    /// The head will have to be written.
    pub(super) fn change(&mut self) -> &mut Head {
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
    pub(super) fn append(&mut self, entry: &EntryDraft, item: Option<i64>) -> Done<u64> {
        let mut appender = Appender::new(self.conn)?;
        self.append_with(&mut appender, entry, item)
    }

    /// As [`Self::append`], with statements that a loop keeps.
    pub(super) fn append_with(
        &mut self,
        appender: &mut Appender<'_>,
        entry: &EntryDraft,
        item: Option<i64>,
    ) -> Done<u64> {
        let index = self.head.frontier.size();
        let bodies = entry.bodies.len();
        if bodies as u64 > SLOTS {
            return Err(StoreError::Io {
                doing: "append to the trail".to_owned(),
                cause: format!("an entry has {bodies} texts; at most {SLOTS} can be kept"),
            }
            .into());
        }
        appender.log.execute((int(index), item, &entry.bytes))?;
        for (slot, body) in (0..).zip(&entry.bodies) {
            let path = (body.path != "record").then_some(body.path.as_str());
            appender.bodies.execute((
                int(index * SLOTS + slot),
                path,
                &body.salt[..],
                &body.value,
            ))?;
        }
        let mut full = Vec::new();
        self.change().frontier.push(leaf_hash(&entry.bytes), &mut full);
        for tile in full {
            self.conn
                .prepare_cached("INSERT INTO tiles(id, bytes) VALUES (?1, ?2)")?
                .execute((tile_id(tile.level, tile.index), tile.bytes))?;
        }
        self.entry = Some(Appended { index, bodies });
        Ok(index)
    }

    /// The number of a decision; refused if there is none of that id.
    pub(super) fn number(&self, id: &str) -> Done<i64> {
        self.find(id)?.ok_or_else(|| StoreError::Missing(format!("decision {id}")).into())
    }

    /// The number of a decision, if there is one of that id.
    pub(super) fn find(&self, id: &str) -> Done<Option<i64>> {
        Ok(self
            .conn
            .prepare_cached("SELECT n FROM decisions WHERE id = ?1")?
            .query_row([id], |r| r.get(0))
            .optional()?)
    }
}

/// The statements that append.
pub(super) struct Appender<'c> {
    log: CachedStatement<'c>,
    bodies: CachedStatement<'c>,
}

impl<'c> Appender<'c> {
    pub(super) fn new(conn: &'c Connection) -> Done<Self> {
        Ok(Self {
            log: conn.prepare_cached("INSERT INTO log(idx, item, bytes) VALUES (?1, ?2, ?3)")?,
            bodies: conn.prepare_cached(
                "INSERT INTO bodies(id, path, salt, value) VALUES (?1, ?2, ?3, ?4)",
            )?,
        })
    }
}

/// The row id of a full tile.
pub(super) fn tile_id(level: u8, index: u64) -> i64 {
    int(u64::from(level) << 56 | index)
}

/// What `state` says now; the frontier from memory if nobody else has appended since.
fn read_head(conn: &Connection, known: Option<Head>) -> Done<Head> {
    let (size, mut head) = conn
        .prepare_cached("SELECT size, generation, policy, desk, decisions, automatic FROM state")?
        .query_row((), |r| {
            let head = Head {
                frontier: Frontier::new(),
                generation: count(r.get(1)?),
                policy: r.get(2)?,
                desk: r.get(3)?,
                decisions: r.get(4)?,
                automatic: r.get(5)?,
            };
            Ok((count(r.get(0)?), head))
        })?;
    head.frontier = match known {
        Some(known) if known.frontier.size() == size => known.frontier,
        _ => read_frontier(conn, size)?,
    };
    Ok(head)
}

/// The stored frontier; it must be of the size that `state` names.
pub(super) fn read_frontier(conn: &Connection, size: u64) -> Done<Frontier> {
    let bytes: Vec<u8> =
        conn.prepare_cached("SELECT bytes FROM frontier")?.query_row((), |r| r.get(0))?;
    match Frontier::from_bytes(&bytes) {
        Ok(frontier) if frontier.size() == size => Ok(frontier),
        _ => Err(damaged("the frontier of the log").into()),
    }
}
