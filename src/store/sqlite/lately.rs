//! What happened lately, read backwards from the newest: what limiters and budgets begin with.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::fault::Done;
use crate::domain::Timestamp;
use crate::store::rows::lately::{
    self as rows, DAY, HOUR, Hours, Kinds, MINUTE, REVIEWS, SCAN, by_kind,
};
use crate::store::{Flowed, Lately};

/// Decisions of the last minute and hour, reviews of the last day, at desk time `now`.
pub(super) fn lately(conn: &Connection, now: Timestamp) -> Done<Lately> {
    let now = now.as_millisecond();
    let mut lately = Lately::default();
    let mut kinds = Kinds::new();
    // Desk time never runs backwards, so the newest come last.
    let mut statement = conn.prepare_cached(
        "SELECT d.at, s.route ->> 'outcome', s.domain, s.action, s.model, s.version, q.name
         FROM decisions d CROSS JOIN shapes s ON s.k = d.shape
         LEFT JOIN items i ON i.n = d.n LEFT JOIN queues q ON q.k = i.queue
         ORDER BY d.n DESC LIMIT ?1",
    )?;
    let mut rows = statement.query([SCAN])?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(0)?;
        if at <= now - HOUR {
            break;
        }
        if at > now - MINUTE && row.get::<_, Option<String>>(1)?.as_deref() == Some("auto") {
            let kind = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
            *kinds.entry(kind).or_default() += 1;
        }
        if let Some(queue) = row.get::<_, Option<String>>(6)? {
            *lately.arrivals.entry(queue).or_default() += 1;
        }
    }
    lately.automatic = by_kind(kinds);
    lately.per_hour = throughput(conn, now)?;
    Ok(lately)
}

/// Decisions of the last hour, and what limits turned away then; what freezes held from `since` on.
pub(super) fn flowed(conn: &Connection, now: Timestamp, since: Option<Timestamp>) -> Done<Flowed> {
    let hour = now.as_millisecond() - HOUR;
    let since = since.map_or(hour, |since| since.as_millisecond().min(hour));
    let mut flowed = Flowed::default();
    let mut kinds = Kinds::new();
    let mut statement = conn.prepare_cached(
        "SELECT d.at, s.domain, s.action, s.model, s.version,
             d.rest ->> '$.contained.limit.name', d.rest ->> '$.contained.freeze.id'
         FROM decisions d CROSS JOIN shapes s ON s.k = d.shape
         ORDER BY d.n DESC LIMIT ?1",
    )?;
    let mut rows = statement.query([SCAN])?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(0)?;
        if at < since {
            break;
        }
        if let Some(freeze) = row.get::<_, Option<String>>(6)? {
            *flowed.held.entry(freeze).or_default() += 1;
        }
        if at > hour {
            let kind = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
            *kinds.entry(kind).or_default() += 1;
            if let Some(limit) = row.get::<_, Option<String>>(5)? {
                *flowed.turned_away.entry(limit).or_default() += 1;
            }
        }
    }
    flowed.decisions = by_kind(kinds);
    Ok(flowed)
}

/// Verdicts an hour by queue, over the hours of the last day in which there was one.
fn throughput(conn: &Connection, now: i64) -> Done<BTreeMap<String, f64>> {
    let mut statement = conn.prepare_cached(
        "SELECT at, queue FROM reviews WHERE undone = 0 ORDER BY rowid DESC LIMIT ?1",
    )?;
    let mut hours = Hours::new();
    let mut found = statement.query([REVIEWS])?;
    while let Some(row) = found.next()? {
        let at: i64 = row.get(0)?;
        if at <= now - DAY {
            break;
        }
        // Hours before now, the one that is running included.
        let hour = (now - at).max(0) / HOUR;
        *hours.entry(row.get(1)?).or_default().entry(hour).or_default() += 1;
    }
    Ok(rows::throughput(hours))
}
