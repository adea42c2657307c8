//! A decision in its row: columns, shape, and how they are read.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::fault::{Done, count, int};
use super::items;
use super::tx::Tx;
use crate::domain::{Facts, Route};
use crate::store::rows::decision::{self, Decoded, Lean, Stored};
use crate::store::rows::{SLOTS, json};
use crate::store::{Columns, StoredDecision};

/// The columns of a decision's row beside its key, id and content.
pub(super) struct Encoded<'r> {
    pub(super) shape: i64,
    pub(super) due: Option<i64>,
    pub(super) reason: Option<&'r str>,
    pub(super) cohort: Option<String>,
    pub(super) tags: Option<String>,
    pub(super) rest: Option<String>,
}

/// Split a decision into shape and row. `at`: the admission's time in milliseconds.
pub(super) fn encode<'r>(
    tx: &mut Tx<'_>,
    route: &'r Route,
    facts: &Facts,
    columns: &Columns,
    at: i64,
) -> Done<Encoded<'r>> {
    let shape = tx.memory.names.shape(tx.conn, route, columns)?;
    let Lean { due, reason, rest } = decision::lean(route, facts, at)?;
    Ok(Encoded {
        shape,
        due,
        reason,
        cohort: match columns.cohort.is_empty() {
            true => None,
            false => Some(json(&columns.cohort)?),
        },
        tags: match columns.tags.is_empty() {
            true => None,
            false => Some(json(&columns.tags)?),
        },
        rest,
    })
}

/// The columns that [`decode`] reads, of `decisions d JOIN shapes s ON s.k = d.shape`.
pub(super) const COLUMNS: &str = "d.n, d.id, d.at, d.due, d.confidence, d.impact, d.reason, \
     d.cohort, d.tags, d.rest, d.raw, s.domain, s.action, s.model, s.version, s.level, s.rule, \
     s.route, d.content";
/// How many they are.
pub(super) const WIDTH: usize = 19;

/// A row of [`COLUMNS`].
pub(super) fn decode(row: &Row<'_>) -> Done<Decoded> {
    let stored = Stored {
        n: row.get(0)?,
        id: row.get(1)?,
        content: row.get(18)?,
        at: row.get(2)?,
        due: row.get(3)?,
        reason: row.get(6)?,
        rest: row.get(9)?,
        raw: row.get(10)?,
        rule: row.get(16)?,
        route: row.get(17)?,
        columns: Columns {
            domain: row.get(11)?,
            action: row.get(12)?,
            model: row.get(13)?,
            version: row.get(14)?,
            confidence: row.get(4)?,
            business_impact: row.get(5)?,
            cohort: decision::cohort(row.get(7)?)?,
            tags: decision::tags(row.get(8)?)?,
            level: row.get(15)?,
        },
    };
    Ok(stored.decode()?)
}

/// A decision with its item, by the SQL condition `which` with one parameter.
pub(super) fn read<P: rusqlite::ToSql>(
    conn: &Connection,
    which: &str,
    parameter: P,
) -> Done<Option<StoredDecision>> {
    let sql =
        format!("SELECT {COLUMNS} FROM decisions d JOIN shapes s ON s.k = d.shape WHERE {which}");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([parameter])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let d = decode(row)?;
    let item = items::read(conn, d.n, &d.route.id)?.map(|(item, _)| item);
    Ok(Some(StoredDecision {
        raw: body(conn, d.raw.saturating_mul(int(SLOTS)))?,
        route: d.route,
        facts: d.facts,
        columns: d.columns,
        item,
        content: d.content,
        index: count(d.n),
        admitted_at: d.at,
    }))
}

/// A text by its row; `None`: erased, or never there.
pub(super) fn body(conn: &Connection, id: i64) -> Done<Option<Vec<u8>>> {
    Ok(conn
        .prepare_cached("SELECT value FROM bodies WHERE id = ?1")?
        .query_row([id], |r| r.get::<_, Option<Vec<u8>>>(0))
        .optional()?
        .flatten())
}
