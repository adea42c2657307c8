//! An item's row: where it stands, with the counters and approvals that go with it.

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::{Deserialize, Serialize};

use super::decisions::{json, time, unjson};
use super::fault::{Done, count, damaged, int, is_constraint};
use super::place::place;
use super::tx::Tx;
use crate::domain::{Approval, Item, ItemState, Kind, Pending, Sample, Timestamp};
use crate::store::StoreError;

/// What no index needs.
#[derive(Debug, Serialize, Deserialize)]
struct Rest {
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    required: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    approvals: Vec<Approval>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pending: Option<Pending>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sample: Option<Sample>,
}

/// The columns that [`decode`] reads, of `items i JOIN queues q ON q.k = i.queue`.
pub(super) const COLUMNS: &str = "i.state, i.kind, i.revision, i.entered, i.due, i.priority, \
     i.blind, i.breached, i.rest, q.name";

/// How many they are.
pub(super) const WIDTH: usize = 10;

/// A row of [`COLUMNS`], which begin at column `from`.
pub(super) fn decode(row: &Row<'_>, from: usize, id: &str) -> Done<Item> {
    let state: String = row.get(from)?;
    let kind: String = row.get(from + 1)?;
    let due: Option<i64> = row.get(from + 4)?;
    let rest: String = row.get(from + 8)?;
    let rest: Rest = unjson(&rest, "an item")?;
    Ok(Item {
        id: id.to_owned(),
        kind: kind_of(&kind)?,
        state: state_of(&state)?,
        queue: row.get(from + 9)?,
        entered_at: time(row.get(from + 3)?)?,
        due_at: due.map(time).transpose()?,
        priority: row.get(from + 5)?,
        revision: count(row.get(from + 2)?),
        required: rest.required,
        approvals: rest.approvals,
        content: rest.content,
        pending: rest.pending,
        blind: row.get(from + 6)?,
        sample: rest.sample,
        breached: row.get(from + 7)?,
    })
}

/// A stored state by its word.
pub(super) fn state_of(word: &str) -> Done<ItemState> {
    [ItemState::Waiting, ItemState::Decided, ItemState::AwaitingApproval, ItemState::Settled]
        .into_iter()
        .find(|s| s.as_str() == word)
        .ok_or_else(|| damaged("an item's state").into())
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Review => "review",
        Kind::Retrospective => "retrospective",
        Kind::Quarantine => "quarantine",
    }
}

fn kind_of(word: &str) -> Done<Kind> {
    [Kind::Review, Kind::Retrospective, Kind::Quarantine]
        .into_iter()
        .find(|k| kind_word(*k) == word)
        .ok_or_else(|| damaged("an item's kind").into())
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
    let rest = json(&Rest {
        required: item.required.clone(),
        approvals: item.approvals.clone(),
        content: item.content.clone(),
        pending: item.pending.clone(),
        sample: item.sample.clone(),
    })?;
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
    let mut rest: Rest = unjson(&rest, "an item")?;
    if let Some(pending) = &mut rest.pending {
        let v = &mut pending.verdict;
        (v.output, v.action, v.label, v.note) = (None, None, None, None);
        v.tags.clear();
    }
    conn.prepare_cached("UPDATE items SET rest = ?2 WHERE n = ?1")?.execute((n, json(&rest)?))?;
    Ok(())
}
