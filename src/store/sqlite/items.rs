//! An item's row: where it stands, with the counters and approvals that go with it.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::fault::{Done, count, int, is_constraint};
use super::tx::Tx;
use crate::domain::{Item, Timestamp};
use crate::store::StoreError;
use crate::store::rows::item::{self, Stored, kind_word};
use crate::store::rows::place::place;

/// The columns that [`decode`] reads, of `items i JOIN queues q ON q.k = i.queue`.
pub(super) const COLUMNS: &str = "i.state, i.kind, i.revision, i.entered, i.due, i.priority, \
     i.blind, i.breached, i.rest, q.name";

/// How many they are.
pub(super) const WIDTH: usize = 10;

/// A row of [`COLUMNS`], which begin at column `from`.
pub(super) fn decode(row: &Row<'_>, from: usize, id: &str) -> Done<Item> {
    let stored = Stored {
        state: row.get(from)?,
        kind: row.get(from + 1)?,
        revision: row.get(from + 2)?,
        entered: row.get(from + 3)?,
        due: row.get(from + 4)?,
        priority: row.get(from + 5)?,
        blind: row.get(from + 6)?,
        breached: row.get(from + 7)?,
        rest: row.get(from + 8)?,
        queue: row.get(from + 9)?,
    };
    Ok(stored.decode(id)?)
}

/// An item with the level of its queue, by its decision's number.
pub(super) fn read(conn: &Connection, n: i64, id: &str) -> Done<Option<(Item, u8)>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, i.level FROM items i JOIN queues q ON q.k = i.queue WHERE i.n = ?1"
    ))?;
    let mut rows = statement.query([n])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((decode(row, 0, id)?, row.get(10)?)))
}

/// The revision an item is at; one that is not there yet is at 0.
pub(super) fn revision(conn: &Connection, id: &str) -> Done<u64> {
    let found: Option<i64> = conn
        .prepare_cached(
            "SELECT i.revision FROM decisions d JOIN items i ON i.n = d.n WHERE d.id = ?1",
        )?
        .query_row([id], |r| r.get(0))
        .optional()?;
    Ok(found.map_or(0, count))
}

/// Store an item where it now stands; counters follow. `new`: there is no row of it yet.
pub(super) fn put(
    tx: &mut Tx<'_>,
    n: i64,
    item: &Item,
    level: u8,
    shape: i64,
    new: bool,
) -> Done<()> {
    let queue = tx.memory.names.queue(tx.conn, &item.queue)?;
    let before = match new {
        true => None,
        false => read(tx.conn, n, &item.id)?,
    };
    if let Some((old, old_level)) = &before {
        let old_queue = tx.memory.names.queue(tx.conn, &old.queue)?;
        tx.deltas.item(old, old_queue, *old_level, shape, -1);
    }
    tx.deltas.item(item, queue, level, shape, 1);
    let rest = item::rest(item)?;
    let grace = item.pending.as_ref().map(|p| p.until.as_millisecond());
    tx.conn
        .prepare_cached(
            "INSERT INTO items(n, queue, level, open, place, state, kind, revision, entered, due,
                 priority, blind, breached, grace, rest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT DO UPDATE SET queue = ?2, level = ?3, open = ?4, place = ?5, state = ?6,
                 kind = ?7, revision = ?8, entered = ?9, due = ?10, priority = ?11, blind = ?12,
                 breached = ?13, grace = ?14, rest = ?15",
        )?
        .execute(rusqlite::params![
            n,
            queue,
            level,
            item.state.is_open(),
            place(item),
            item.state.as_str(),
            kind_word(item.kind),
            int(item.revision),
            item.entered_at.as_millisecond(),
            item.due_at.map(Timestamp::as_millisecond),
            item.priority,
            item.blind,
            item.breached,
            grace,
            rest,
        ])?;
    let old_approvals = before.as_ref().is_some_and(|(old, _)| !old.approvals.is_empty());
    if old_approvals {
        tx.conn.prepare_cached("DELETE FROM approvals WHERE item = ?1")?.execute([n])?;
    }
    for a in &item.approvals {
        // The primary key says that a person counts once, the unique index that a level does.
        tx.conn
            .prepare_cached(
                "INSERT INTO approvals(item, content, reviewer, queue) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((n, a.content.as_deref().unwrap_or(""), &a.reviewer, &a.queue))
            .map_err(|e| match is_constraint(&e) {
                true => {
                    StoreError::CountsOnce { item: item.id.clone(), reviewer: a.reviewer.clone() }
                        .into()
                }
                false => super::fault::Fail::from(e),
            })?;
    }
    Ok(())
}

/// What an item waits for, without the texts of a pending verdict (they are being erased).
pub(super) fn erase_texts(conn: &Connection, n: i64) -> Done<()> {
    let rest: Option<String> = conn
        .prepare_cached("SELECT rest FROM items WHERE n = ?1")?
        .query_row([n], |r| r.get(0))
        .optional()?;
    let Some(rest) = rest else { return Ok(()) };
    conn.prepare_cached("UPDATE items SET rest = ?2 WHERE n = ?1")?
        .execute((n, item::without_texts(&rest)?))?;
    Ok(())
}
