//! What happened lately, read backwards from the newest: what limiters and budgets begin with.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::fault::Done;
use crate::domain::Timestamp;
use crate::store::{Automatic, Flowed, Lately};

/// Rows looked through at most: an hour of some fourteen decisions a second.
const SCAN: i64 = 50_000;
/// Reviews looked through at most.
const REVIEWS: i64 = 20_000;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Decisions of the last minute and hour, reviews of the last day, at desk time `now`.
pub(super) fn lately(conn: &Connection, now: Timestamp) -> Done<Lately> {
    let now = now.as_millisecond();
    let mut lately = Lately::default();
    let mut kinds: BTreeMap<(String, String, String, String), u64> = BTreeMap::new();
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
    lately.automatic = kinds.into_iter().map(automatic).collect();
    lately.per_hour = throughput(conn, now)?;
    Ok(lately)
}

/// Decisions of the last hour, and what limits turned away then; what freezes held from `since` on.
pub(super) fn flowed(conn: &Connection, now: Timestamp, since: Option<Timestamp>) -> Done<Flowed> {
    let hour = now.as_millisecond() - HOUR;
    let since = since.map_or(hour, |since| since.as_millisecond().min(hour));
    let mut flowed = Flowed::default();
    let mut kinds: BTreeMap<(String, String, String, String), u64> = BTreeMap::new();
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
    flowed.decisions = kinds.into_iter().map(automatic).collect();
    Ok(flowed)
}

fn automatic(
    ((domain, action, model, version), decisions): ((String, String, String, String), u64),
) -> Automatic {
    Automatic { domain, action, model, version, decisions }
}

/// Verdicts an hour by queue, over the hours of the last day in which there was one.
fn throughput(conn: &Connection, now: i64) -> Done<BTreeMap<String, f64>> {
    let mut statement = conn.prepare_cached(
        "SELECT at, queue FROM reviews WHERE undone = 0 ORDER BY rowid DESC LIMIT ?1",
    )?;
    let mut hours: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
    let mut rows = statement.query([REVIEWS])?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(0)?;
        if at <= now - DAY {
            break;
        }
        // Hours before now, the one that is running included.
        let hour = (now - at).max(0) / HOUR;
        *hours.entry(row.get(1)?).or_default().entry(hour).or_default() += 1;
    }
    // Counts of a day are exact in a double.
    #[allow(clippy::cast_precision_loss, reason = "at most 20,000")]
    let mean = |hours: BTreeMap<i64, u64>| hours.values().sum::<u64>() as f64 / hours.len() as f64;
    Ok(hours.into_iter().map(|(queue, hours)| (queue, mean(hours))).collect())
}
