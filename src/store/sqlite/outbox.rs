//! Effects on their way out: tried, held, given up, done; each at most once per key.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::fault::{Done, count, int};
use super::scopes;
use super::tx::Tx;
use crate::domain::{ControlScope, Timestamp};
use crate::store::rows::{json, time, unjson};
use crate::store::{EffectState, OutgoingAsk, OutgoingCount, StoreError, StoredEffect};

/// Put an effect; a key that was there, done or not, stays as it is.
pub(super) fn put(
    tx: &Tx<'_>,
    key: &str,
    kind: &str,
    item: &str,
    payload: &serde_json::Value,
    now: Timestamp,
) -> Done<()> {
    tx.conn
        .prepare_cached(
            "INSERT OR IGNORE INTO outbox(key, kind, item, payload, at, done)
             VALUES (?1, ?2, ?3, ?4, ?5, 0)",
        )?
        .execute((key, kind, item, json(payload)?, now.as_millisecond()))?;
    Ok(())
}

/// The key stays (at most once); what was sent need not be kept.
pub(super) fn done(tx: &Tx<'_>, key: &str) -> Done<()> {
    tx.conn
        .prepare_cached(
            "UPDATE outbox SET done = 1, payload = 'null', error = NULL WHERE key = ?1",
        )?
        .execute([key])?;
    Ok(())
}

/// It failed: when next, or given up. One that is done stays so.
pub(super) fn tried(tx: &Tx<'_>, key: &str, error: &str, next: Option<Timestamp>) -> Done<()> {
    tx.conn
        .prepare_cached(
            "UPDATE outbox SET attempts = attempts + 1, error = ?2, next_at = coalesce(?3, 0),
                 dead = ?3 IS NULL
             WHERE key = ?1 AND done = 0",
        )?
        .execute((key, error, next.map(Timestamp::as_millisecond)))?;
    Ok(())
}

/// One that was given up is due again, with as many tries as a new one; not a reply that a later
/// one about its item follows.
pub(super) fn retry(tx: &Tx<'_>, key: &str) -> Done<()> {
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE outbox SET dead = 0, next_at = 0, attempts = 0
             WHERE key = ?1 AND done = 0 AND dead = 1 AND NOT EXISTS (
                 SELECT 1 FROM outbox later
                 WHERE outbox.kind = 'reply' AND later.kind = 'reply'
                     AND later.item = outbox.item AND later.number > outbox.number)",
        )?
        .execute([key])?;
    match changed {
        0 => Err(StoreError::Missing(format!("undeliverable effect {key}")).into()),
        _ => Ok(()),
    }
}

/// Hold what waits for decisions in a scope, or let it go; says how many they were. A held reply
/// that a later one about its item follows is not let go: it need not go out any more.
pub(super) fn hold(
    tx: &Tx<'_>,
    scope: &ControlScope,
    kind: &str,
    held: bool,
    except: &[ControlScope],
) -> Done<u64> {
    if !held {
        // What was decided before is not said after what was decided since.
        tx.conn
            .prepare_cached(
                "UPDATE outbox SET done = 1, payload = 'null', error = NULL
                 WHERE done = 0 AND dead IN (0, 1) AND held = 1 AND kind = 'reply' AND EXISTS (
                     SELECT 1 FROM outbox later
                     WHERE later.kind = 'reply' AND later.item = outbox.item
                         AND later.number > outbox.number AND later.held = 0)",
            )?
            .execute(())?;
    }
    let mut given = vec![Sql::from(held), Sql::from(!held), Sql::from(kind.to_owned())];
    let (within, values) = scopes::sql(scope);
    given.extend(values);
    let mut spared = String::new();
    for other in except {
        let (outside, values) = scopes::sql(other);
        spared.push_str(&format!(" AND NOT ({outside})"));
        given.extend(values);
    }
    let sql = format!(
        "UPDATE outbox SET held = ?
         WHERE done = 0 AND dead IN (0, 1) AND held = ? AND kind = ? AND EXISTS (
             SELECT 1 FROM decisions d JOIN shapes s ON s.k = d.shape
             WHERE d.id = outbox.item AND ({within}){spared})"
    );
    let changed = tx.conn.prepare_cached(&sql)?.execute(params_from_iter(given))?;
    Ok(changed as u64)
}

/// Effects that have not gone out, oldest first.
pub(super) fn read(conn: &Connection, ask: &OutgoingAsk) -> Done<Vec<StoredEffect>> {
    let (dead, held) = match ask.state {
        EffectState::Waiting => ("dead = 0", "held = 0"),
        EffectState::Held => ("dead = 0", "held = 1"),
        EffectState::Dead => ("dead = 1", "held IN (0, 1)"),
    };
    let kind = if ask.kind.is_some() { " AND kind = ?4" } else { " AND ?4 IS NULL" };
    let payload = if ask.bare { "'null'" } else { "payload" };
    let mut statement = conn.prepare_cached(&format!(
        "SELECT number, key, kind, item, {payload}, at, attempts, next_at, error FROM outbox
         WHERE done = 0 AND {dead} AND {held} AND number > ?1 AND next_at <= ?2{kind}
         ORDER BY number LIMIT ?3"
    ))?;
    let due = ask.due_at.map_or(i64::MAX, Timestamp::as_millisecond);
    let mut rows = statement.query((int(ask.after), due, int(ask.limit as u64), &ask.kind))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let payload: String = row.get(4)?;
        let next: i64 = row.get(7)?;
        found.push(StoredEffect {
            number: count(row.get(0)?),
            key: row.get(1)?,
            kind: row.get(2)?,
            item: row.get(3)?,
            payload: unjson(&payload, "an effect")?,
            at: time(row.get(5)?)?,
            state: ask.state,
            attempts: row.get(6)?,
            next_at: Some(next).filter(|ms| *ms != 0).map(time).transpose()?,
            error: row.get(8)?,
        });
    }
    Ok(found)
}

/// How many have not gone out.
pub(super) fn counts(conn: &Connection) -> Done<OutgoingCount> {
    let mut statement = conn.prepare_cached(
        "SELECT dead, held, count(*) FROM outbox WHERE done = 0 GROUP BY dead, held",
    )?;
    let mut rows = statement.query(())?;
    let mut counts = OutgoingCount::default();
    while let Some(row) = rows.next()? {
        let of = match (row.get(0)?, row.get(1)?) {
            (true, _) => &mut counts.dead,
            (false, true) => &mut counts.held,
            (false, false) => &mut counts.waiting,
        };
        *of += count(row.get(2)?);
    }
    Ok(counts)
}
