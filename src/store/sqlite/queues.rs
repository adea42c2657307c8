//! Counters of queues, and the items that time has caught up with.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::fault::{Done, count, int};
use super::items;
use crate::domain::{Item, Timestamp};
use crate::store::QueueCount;
use crate::store::rows::lately::SOON;
use crate::store::rows::place::{first_of, minute};

/// Counters of every queue with items that are open or in their grace time.
pub(super) fn counts(conn: &Connection, now: Timestamp, wall: Timestamp) -> Done<Vec<QueueCount>> {
    let mut statement = conn.prepare_cached(
        "SELECT q.k, q.name, sum(c.open) FROM counts c JOIN queues q ON q.k = c.queue
         GROUP BY q.k HAVING sum(c.open) > 0 OR sum(c.held) > 0 ORDER BY q.name",
    )?;
    let rows = statement.query_map((), |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    let rows: Vec<(i64, String, i64)> = rows.collect::<Result<_, _>>()?;
    let mut leased = leased(conn, wall)?;
    let now = now.as_millisecond();
    rows.into_iter()
        .map(|(k, queue, waiting)| {
            let late = due_before(conn, k, now)?;
            Ok(QueueCount {
                queue,
                waiting: count(waiting),
                leased: leased.remove(&k).unwrap_or_default(),
                late,
                due_soon: due_before(conn, k, now + SOON + 1)?.saturating_sub(late),
            })
        })
        .collect()
}

/// Queues that items which are not settled are in or still need, each with one such item.
pub(super) fn needed(conn: &Connection) -> Done<BTreeMap<String, String>> {
    let mut statement = conn.prepare_cached(
        "WITH live AS (SELECT * FROM items WHERE open = 1 OR grace IS NOT NULL),
              wanted(queue, n) AS (
                  SELECT q.name, i.n FROM live i JOIN queues q ON q.k = i.queue
                  UNION ALL
                  SELECT j.value, i.n FROM live i, json_each(i.rest, '$.required') j
                  UNION ALL
                  SELECT json_extract(i.rest, '$.pending.verdict.to'), i.n FROM live i)
         SELECT w.queue, d.id FROM
             (SELECT queue, min(n) AS n FROM wanted WHERE queue IS NOT NULL GROUP BY queue) w
             JOIN decisions d ON d.n = w.n",
    )?;
    let rows = statement.query_map((), |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Live leases on open items, by queue and person. There are as many as people at work.
fn leased(conn: &Connection, wall: Timestamp) -> Done<BTreeMap<i64, BTreeMap<String, u64>>> {
    let mut statement = conn.prepare_cached(
        "SELECT i.queue, l.reviewer, count(*) FROM leases l JOIN items i ON i.n = l.item
         WHERE l.reviewer IS NOT NULL AND l.until > ?1 AND i.open = 1
         GROUP BY i.queue, l.reviewer",
    )?;
    let mut rows = statement.query([wall.as_millisecond()])?;
    let mut found: BTreeMap<i64, BTreeMap<String, u64>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().insert(row.get(1)?, count(row.get(2)?));
    }
    Ok(found)
}

/// Open items of a queue due before `ms`: whole minutes from the counters, the last by the index.
fn due_before(conn: &Connection, queue: i64, ms: i64) -> Done<u64> {
    let last = minute(ms);
    let whole: i64 = conn
        .prepare_cached("SELECT coalesce(sum(open), 0) FROM dues WHERE queue = ?1 AND minute < ?2")?
        .query_row((queue, last), |r| r.get(0))?;
    let part: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM items WHERE open = 1 AND queue = ?1
             AND place >= ?2 AND place < ?3 AND due < ?4",
        )?
        .query_row((queue, first_of(last), first_of(last + 1), ms), |r| r.get(0))?;
    Ok(count(whole + part))
}

/// Open items past their due time that have not been escalated for it yet, longest due first
/// within a queue.
pub(super) fn overdue(conn: &Connection, now: Timestamp, limit: usize) -> Done<Vec<Item>> {
    let now = now.as_millisecond();
    // Only minutes that hold such items are looked into.
    let mut minutes = conn.prepare_cached(
        "SELECT queue, minute FROM dues WHERE minute <= ?1 AND fresh > 0 ORDER BY minute, queue",
    )?;
    let mut minutes = minutes.query([minute(now)])?;
    let mut found = Vec::new();
    while let Some(row) = minutes.next()? {
        let (queue, minute): (i64, i64) = (row.get(0)?, row.get(1)?);
        let mut statement = conn.prepare_cached(&format!(
            "SELECT {}, d.id FROM items i JOIN queues q ON q.k = i.queue
                 JOIN decisions d ON d.n = i.n
             WHERE i.open = 1 AND i.queue = ?1 AND i.place >= ?2 AND i.place < ?3 AND i.due < ?4
                 AND i.breached = 0 ORDER BY i.place LIMIT ?5",
            items::COLUMNS
        ))?;
        let left = limit.saturating_sub(found.len());
        let range = (queue, first_of(minute), first_of(minute + 1), now, int(left as u64));
        let mut rows = statement.query(range)?;
        while let Some(row) = rows.next()? {
            let id: String = row.get(10)?;
            found.push(items::decode(row, 0, &id)?);
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

/// Items whose pending verdict's grace time is over at wall time `wall`, oldest first.
pub(super) fn graces_over(conn: &Connection, wall: Timestamp, limit: usize) -> Done<Vec<Item>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {}, d.id FROM items i JOIN queues q ON q.k = i.queue JOIN decisions d ON d.n = i.n
         WHERE i.grace <= ?1 ORDER BY i.grace, i.n LIMIT ?2",
        items::COLUMNS
    ))?;
    let mut rows = statement.query((wall.as_millisecond(), int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(10)?;
        found.push(items::decode(row, 0, &id)?);
    }
    Ok(found)
}
