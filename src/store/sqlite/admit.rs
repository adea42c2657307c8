//! Admission: the hot path. An automatic decision is one row in three tables and nothing else.

use rusqlite::{CachedStatement, params};

use super::decisions::{self, Encoded};
use super::fault::{Done, int};
use super::tx::{Appender, Tx};
use super::{dead, items, ops};
use crate::domain::{Facts, Outcome, Route};
use crate::store::{Admission, AdmitBatch, AdmitResult, Columns, StoreError};

/// Admit the rows `from..` of a batch, at most `most`; answers in order.
pub(super) fn rows(
    tx: &mut Tx<'_>,
    batch: &AdmitBatch,
    from: usize,
    most: usize,
) -> Done<Vec<AdmitResult>> {
    // Prepared once, not looked up for every row.
    let conn = tx.conn;
    let mut statements = Statements {
        // The unique index answers "known already?" while it inserts.
        decision: conn.prepare_cached(
            "INSERT OR IGNORE INTO decisions(n, id, content, shape, at, due, confidence, impact,
                 reason, cohort, tags, rest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?,
        append: Appender::new(conn)?,
    };
    let part = batch.rows.iter().skip(from).take(most);
    let answers = part.map(|row| one(tx, &mut statements, row)).collect::<Done<Vec<_>>>()?;
    tx.tick(batch.now);
    Ok(answers)
}

struct Statements<'c> {
    decision: CachedStatement<'c>,
    append: Appender<'c>,
}

/// Keep the lines that are no records.
pub(super) fn dead_letters(tx: &mut Tx<'_>, batch: &AdmitBatch) -> Done<()> {
    batch.dead.iter().try_for_each(|letter| dead::put(tx, letter))
}

fn one(tx: &mut Tx<'_>, statements: &mut Statements<'_>, row: &Admission) -> Done<AdmitResult> {
    let route = &row.route;
    let n = int(tx.head.frontier.size());
    let at = row.facts.now.as_millisecond();
    let Encoded { shape, due, reason, cohort, tags, rest } =
        decisions::encode(tx, route, &row.facts, &row.columns, at)?;
    let inserted = statements.decision.execute(params![
        n,
        route.id,
        &row.content[..],
        shape,
        at,
        due,
        row.columns.confidence,
        row.columns.business_impact,
        reason,
        cohort,
        tags,
        rest,
    ])?;
    if inserted == 0 {
        return known(tx, row);
    }
    // NULL: an admission is about itself.
    let index = tx.append_with(&mut statements.append, &row.entry, None)?;
    if let Some(item) = &row.item {
        items::put(tx, n, item, row.columns.level, shape, true)?;
    }
    let group = row.columns.cohort.get("cohort").map_or("", String::as_str);
    tx.deltas.cohort(group, 1);
    tx.deltas.model(shape, at);
    tx.deltas.shape(shape, 1);
    let head = tx.change();
    head.decisions += 1;
    head.automatic += i64::from(route.outcome == Outcome::Auto);
    row.then.iter().try_for_each(|op| ops::apply(tx, op, row.facts.now))?;
    Ok(AdmitResult::New(index))
}

/// The id is known: with the same content it is a duplicate, else a conflict.
fn known(tx: &mut Tx<'_>, row: &Admission) -> Done<AdmitResult> {
    let id = &row.route.id;
    let content: Vec<u8> = tx
        .conn
        .prepare_cached("SELECT content FROM decisions WHERE id = ?1")?
        .query_row([id], |r| r.get(0))?;
    if !row.says(&content) {
        return Ok(AdmitResult::Conflict);
    }
    let stored = decisions::read(tx.conn, "d.id = ?1", id)?
        .ok_or_else(|| StoreError::Missing(format!("decision {id}")))?;
    let state = stored.state();
    let mut route = stored.route;
    route.state = state;
    route.duplicate = true;
    Ok(AdmitResult::Duplicate(Box::new(route)))
}

/// A repaired record takes the place of the broken one.
pub(super) fn again(
    tx: &mut Tx<'_>,
    id: &str,
    route: &Route,
    facts: &Facts,
    columns: &Columns,
) -> Done<()> {
    let n = tx.number(id)?;
    let entry = tx
        .entry
        .filter(|e| e.bodies > 0)
        .ok_or_else(|| StoreError::Missing(format!("entry with the repaired record of {id}")))?;
    let old = decisions::read(tx.conn, "d.n = ?1", n)?
        .ok_or_else(|| StoreError::Missing(format!("decision {id}")))?;
    let old_shape: i64 = tx
        .conn
        .prepare_cached("SELECT shape FROM decisions WHERE n = ?1")?
        .query_row([n], |r| r.get(0))?;
    let e = decisions::encode(tx, route, facts, columns, old.admitted_at.as_millisecond())?;
    tx.conn
        .prepare_cached(
            "UPDATE decisions SET shape = ?2, due = ?3, confidence = ?4, impact = ?5, reason = ?6,
                 cohort = ?7, tags = ?8, rest = ?9, raw = ?10 WHERE n = ?1",
        )?
        .execute(params![
            n,
            e.shape,
            e.due,
            columns.confidence,
            columns.business_impact,
            e.reason,
            e.cohort,
            e.tags,
            e.rest,
            int(entry.index),
        ])?;
    if let Some((item, level)) = items::read(tx.conn, n, id)? {
        let queue = tx.memory.names.queue(tx.conn, &item.queue)?;
        tx.deltas.item(&item, queue, level, old_shape, -1);
        tx.deltas.item(&item, queue, level, e.shape, 1);
    }
    let group = |c: &Columns| c.cohort.get("cohort").cloned().unwrap_or_default();
    tx.deltas.cohort(&group(&old.columns), -1);
    tx.deltas.cohort(&group(columns), 1);
    tx.deltas.model(e.shape, facts.now.as_millisecond());
    tx.deltas.shape(old_shape, -1);
    tx.deltas.shape(e.shape, 1);
    let automatic = |r: &Route| i64::from(r.outcome == Outcome::Auto);
    let by = automatic(route) - automatic(&old.route);
    tx.change().automatic += by;
    Ok(())
}
