//! Windows of what was measured: absolute values by tier, start, slice and part.

use rusqlite::{Connection, Row, ToSql};

use super::fault::Done;
use super::tx::Tx;
use crate::domain::Timestamp;
use crate::store::rows::time;
use crate::store::{WindowAsk, WindowRow};

/// Write rows; what stood there is replaced.
pub(super) fn put(tx: &Tx<'_>, rows: &[WindowRow]) -> Done<()> {
    let mut statement = tx.conn.prepare_cached(
        "INSERT INTO windows(tier, start, slice, part, value) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET value = ?5",
    )?;
    for row in rows {
        let start = row.start.as_millisecond();
        statement.execute((row.tier, start, &row.slice, &row.part, &row.value))?;
    }
    Ok(())
}

/// Forget what starts before then.
pub(super) fn drop_before(tx: &Tx<'_>, tier: u8, before: Timestamp) -> Done<()> {
    tx.conn
        .prepare_cached("DELETE FROM windows WHERE tier = ?1 AND start < ?2")?
        .execute((tier, before.as_millisecond()))?;
    Ok(())
}

/// The starts there are, found by one seek each: a slice is then looked up start by start,
/// instead of reading all slices of all starts.
const STARTS: &str = "WITH RECURSIVE starts(s) AS (
         SELECT (SELECT min(start) FROM windows WHERE tier = ?1 AND start >= ?2)
         UNION ALL
         SELECT (SELECT min(start) FROM windows WHERE tier = ?1 AND start > s)
         FROM starts WHERE s < ?3)";

/// Windows by start, slice and part.
pub(super) fn read(conn: &Connection, ask: &WindowAsk) -> Done<Vec<WindowRow>> {
    // The literal lets the planner use the index of the counts.
    let part = match ask.part.as_deref() {
        None => "",
        Some("") => " AND w.part = ''",
        Some(_) => " AND w.part = :part",
    };
    let sql = match &ask.slice {
        None => format!(
            "SELECT w.start, w.slice, w.part, w.value FROM windows w
             WHERE w.tier = ?1 AND w.start >= ?2 AND w.start < ?3{part}
             ORDER BY w.start, w.slice, w.part"
        ),
        Some(_) => format!(
            "{STARTS} SELECT w.start, w.slice, w.part, w.value
             FROM starts CROSS JOIN windows w ON w.tier = ?1 AND w.start = s
             WHERE s < ?3 AND w.slice = :slice{part} ORDER BY w.start, w.part"
        ),
    };
    let mut statement = conn.prepare_cached(&sql)?;
    let (from, to) = (ask.from.as_millisecond(), ask.to.as_millisecond());
    let mut given: Vec<(&str, &dyn ToSql)> = vec![("?1", &ask.tier), ("?2", &from), ("?3", &to)];
    if let Some(slice) = &ask.slice {
        given.push((":slice", slice));
    }
    if let Some(part) = ask.part.as_ref().filter(|p| !p.is_empty()) {
        given.push((":part", part));
    }
    let mut rows = statement.query(&given[..])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode(row, ask.tier)?);
    }
    Ok(found)
}

fn decode(row: &Row<'_>, tier: u8) -> Done<WindowRow> {
    Ok(WindowRow {
        tier,
        start: time(row.get(0)?)?,
        slice: row.get(1)?,
        part: row.get(2)?,
        value: row.get(3)?,
    })
}
