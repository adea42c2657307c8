//! Leases: who works on what, until when. Coordination, not truth: never in the log.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::{Done, count, int};
use super::premises::lost;
use super::tx::Tx;
use super::{items, names, walk};
use crate::domain::Timestamp;
use crate::store::rows::room::room;
use crate::store::rows::time;
use crate::store::{Lease, TakeLease};

/// A live lease.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) reviewer: String,
    pub(super) until: Timestamp,
    pub(super) epoch: u64,
}

impl Held {
    pub(super) fn of(self, item: &str) -> Lease {
        Lease {
            item: item.to_owned(),
            reviewer: self.reviewer,
            until: self.until,
            epoch: self.epoch,
        }
    }
}

/// The live lease of a decision at wall time `wall`.
pub(super) fn live(conn: &Connection, n: i64, wall: Timestamp) -> Done<Option<Held>> {
    let found: Option<(String, i64, i64)> = conn
        .prepare_cached(
            "SELECT reviewer, until, epoch FROM leases
             WHERE item = ?1 AND reviewer IS NOT NULL AND until > ?2",
        )?
        .query_row((n, wall.as_millisecond()), |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    found
        .map(|(reviewer, until, epoch)| {
            Ok(Held { reviewer, until: time(until)?, epoch: count(epoch) })
        })
        .transpose()
}

/// Give the named item, or the first one in queue order that nobody holds; where the reviewer
/// holds enough of a queue, nothing of it.
pub(super) fn take(tx: &mut Tx<'_>, ask: &TakeLease) -> Done<Option<Lease>> {
    if ask.most.is_empty() {
        return give(tx, ask);
    }
    let n = ask.item.as_ref().map(|id| tx.number(id)).transpose()?;
    let (ask, enough) = room(ask, &held(tx, ask, n)?);
    match enough {
        Some(enough) if ask.item.is_some() || ask.queues.is_empty() => Err(enough.into()),
        Some(enough) => give(tx, &ask)?.map(Some).ok_or_else(|| enough.into()),
        None => give(tx, &ask),
    }
}

/// How many open items the reviewer holds, by queue; that of number `but` is not counted where it
/// is one's own.
fn held(tx: &Tx<'_>, ask: &TakeLease, but: Option<i64>) -> Done<BTreeMap<String, u64>> {
    let mut statement = tx.conn.prepare_cached(
        "SELECT q.name, count(*) FROM leases l JOIN items i ON i.n = l.item
             JOIN queues q ON q.k = i.queue
         WHERE l.reviewer = ?1 AND l.until > ?2 AND i.open = 1 AND l.item IS NOT ?3
         GROUP BY q.name",
    )?;
    let rows = statement.query_map((&ask.reviewer, ask.wall.as_millisecond(), but), |r| {
        Ok((r.get(0)?, count(r.get(1)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn give(tx: &mut Tx<'_>, ask: &TakeLease) -> Done<Option<Lease>> {
    match &ask.item {
        Some(id) => {
            let n = tx.number(id)?;
            let open = items::read(tx.conn, n, id)?.is_some_and(|(item, _)| item.state.is_open());
            match live(tx.conn, n, ask.wall)? {
                _ if !open => Ok(None),
                Some(h) if h.reviewer != ask.reviewer => Err(lost(id, Some(h))),
                _ => grant(tx, n, id, ask).map(Some),
            }
        }
        None => match first_free(tx, ask)? {
            Some((n, id)) => grant(tx, n, &id, ask).map(Some),
            None => Ok(None),
        },
    }
}

/// The first open item of the queues that nobody holds, whose standing content the reviewer has
/// not approved already, and that is not to be stepped over.
fn first_free(tx: &Tx<'_>, ask: &TakeLease) -> Done<Option<(i64, String)>> {
    // What has run out since somebody last asked is to be found again.
    tx.conn
        .prepare_cached("UPDATE items SET held_until = NULL WHERE held_until <= ?1")?
        .execute([ask.wall.as_millisecond()])?;
    let mut queues = Vec::new();
    for name in &ask.queues {
        queues.extend(names::queue(tx.conn, name)?);
    }
    queues.sort_unstable();
    queues.dedup();
    let mut first: Option<walk::Step> = None;
    for queue in queues {
        let mut statement = tx.conn.prepare_cached(
            "SELECT i.place, i.n FROM items i
             WHERE i.open = 1 AND i.held_until IS NULL AND i.queue = ?1
                 AND NOT EXISTS (SELECT 1 FROM leases l
                 WHERE l.item = i.n AND l.reviewer IS NOT NULL AND l.until > ?2)
                 AND NOT EXISTS (SELECT 1 FROM approvals a
                 WHERE a.item = i.n AND a.reviewer = ?3
                     AND a.content = coalesce(json_extract(i.rest, '$.content'), ''))
             ORDER BY i.place",
        )?;
        let mut rows = statement.query((queue, ask.wall.as_millisecond(), &ask.reviewer))?;
        while let Some(row) = rows.next()? {
            let step = walk::Step { place: row.get(0)?, n: row.get(1)? };
            if first.as_ref().is_some_and(|f| f.place <= step.place) {
                break;
            }
            if !ask.skip.iter().any(|id| id.as_bytes() == step.id()) {
                first = Some(step);
                break;
            }
        }
    }
    Ok(first.map(|step| (step.n, String::from_utf8_lossy(step.id()).into_owned())))
}

/// A new grant: the epoch rises.
fn grant(tx: &Tx<'_>, n: i64, id: &str, ask: &TakeLease) -> Done<Lease> {
    let epoch: i64 = tx
        .conn
        .prepare_cached(
            "INSERT INTO leases(item, reviewer, until, epoch) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT DO UPDATE SET reviewer = ?2, until = ?3, epoch = epoch + 1
             RETURNING epoch",
        )?
        .query_row((n, &ask.reviewer, ask.until.as_millisecond()), |r| r.get(0))?;
    mark(tx, n, Some(ask.until))?;
    let held = Held { reviewer: ask.reviewer.clone(), until: ask.until, epoch: count(epoch) };
    Ok(held.of(id))
}

/// Prolong the lease of that epoch. It may have run out, as long as nobody took the item since.
pub(super) fn renew(
    tx: &Tx<'_>,
    id: &str,
    reviewer: &str,
    epoch: u64,
    until: Timestamp,
) -> Done<Lease> {
    let n = tx.number(id)?;
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE leases SET until = ?4 WHERE item = ?1 AND reviewer = ?2 AND epoch = ?3",
        )?
        .execute((n, reviewer, int(epoch), until.as_millisecond()))?;
    match changed {
        0 => Err(lost(id, live(tx.conn, n, Timestamp::MIN)?)),
        _ => {
            mark(tx, n, Some(until))?;
            Ok(Held { reviewer: reviewer.to_owned(), until, epoch }.of(id))
        }
    }
}

/// Give a lease back, if it is still that one.
pub(super) fn release(tx: &Tx<'_>, id: &str, reviewer: &str, epoch: u64) -> Done<()> {
    let Some(n) = tx.find(id)? else { return Ok(()) };
    let ended = tx
        .conn
        .prepare_cached(
            "UPDATE leases SET reviewer = NULL WHERE item = ?1 AND reviewer = ?2 AND epoch = ?3",
        )?
        .execute((n, reviewer, int(epoch)))?;
    match ended {
        0 => Ok(()),
        _ => mark(tx, n, None),
    }
}

/// End whatever lease the item has.
pub(super) fn end(tx: &Tx<'_>, id: &str) -> Done<()> {
    let n = tx.number(id)?;
    tx.conn.prepare_cached("UPDATE leases SET reviewer = NULL WHERE item = ?1")?.execute([n])?;
    mark(tx, n, None)
}

/// Tell the index of free items that this one is held so long, or free.
fn mark(tx: &Tx<'_>, n: i64, until: Option<Timestamp>) -> Done<()> {
    tx.conn
        .prepare_cached("UPDATE items SET held_until = ?2 WHERE n = ?1 AND held_until IS NOT ?2")?
        .execute((n, until.map(Timestamp::as_millisecond)))?;
    Ok(())
}
