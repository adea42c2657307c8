//! Admission: the hot path. Whatever many batches hold goes out as one array a table.

use super::fault::{Done, int};
use super::fresh::words;
use super::text::stored;
use super::tx::{Tx, values};
use super::{items, ops, premises, read};
use crate::domain::{Facts, Outcome, Route};
use crate::store::rows::dead::digest;
use crate::store::rows::decision::{self, Lean};
use crate::store::{Admission, AdmitBatch, AdmitResult, Columns, DeadLetter, StoreError};

/// Admit the rows `from..` of a batch, at most `most`; answers in order, and whether that was all.
/// The lines that are no records are kept with the last of them.
pub(super) async fn rows<'a>(
    tx: &mut Tx<'a>,
    batch: &'a AdmitBatch,
    from: usize,
    most: usize,
) -> Done<(Vec<AdmitResult>, bool)> {
    premises::check(tx, &batch.premises).await?;
    let part = batch.rows.iter().skip(from).take(most);
    let mut answers = Vec::with_capacity(part.len());
    for row in part {
        answers.push(one(tx, row).await?);
    }
    tx.tick(batch.now);
    let all = from + answers.len() == batch.rows.len();
    if all {
        for letter in &batch.dead {
            dead_letter(tx, letter).await?;
        }
    }
    Ok((answers, all))
}

async fn one<'a>(tx: &mut Tx<'a>, row: &'a Admission) -> Done<AdmitResult> {
    let route = &row.route;
    let before = tx.rows.content(&route.id).or_else(|| tx.known.get(&route.id).map(Vec::as_slice));
    if let Some(content) = before {
        return match row.says(content) {
            true => duplicate(tx, &route.id).await,
            false => Ok(AdmitResult::Conflict),
        };
    }
    let n = int(tx.head.frontier.size());
    let at = row.facts.now.as_millisecond();
    let shape = tx.memory.names.shape(tx.client, route, &row.columns).await?;
    let lean = decision::lean(route, &row.facts, at)?;
    tx.rows.decision(n, row, shape, at, lean);
    // NULL: an admission is about itself.
    let index = tx.append(&row.entry, None)?;
    if let Some(item) = &row.item {
        items::put(tx, n, item, row.columns.level, shape, true).await?;
    }
    tx.deltas.cohort(group(&row.columns), 1);
    tx.deltas.model(shape, at);
    tx.deltas.shape(shape, 1);
    let head = tx.change();
    head.decisions += 1;
    head.automatic += automatic(route);
    for op in &row.then {
        ops::apply(tx, op, row.facts.now).await?;
    }
    Ok(AdmitResult::New(index))
}

fn group(columns: &Columns) -> &str {
    columns.cohort.get("cohort").map_or("", String::as_str)
}

fn automatic(route: &Route) -> i64 {
    i64::from(route.outcome == Outcome::Auto)
}

/// The id is known with the same content.
async fn duplicate(tx: &mut Tx<'_>, id: &str) -> Done<AdmitResult> {
    tx.flush().await?;
    let stored = read::decision(tx.client, id)
        .await?
        .ok_or_else(|| StoreError::Missing(format!("decision {id}")))?;
    let state = stored.state();
    let mut route = stored.route;
    route.state = state;
    route.duplicate = true;
    Ok(AdmitResult::Duplicate(Box::new(route)))
}

/// Keep a line; the same line of the same source with the same bytes is kept once.
async fn dead_letter<'a>(tx: &mut Tx<'a>, letter: &'a DeadLetter) -> Done<()> {
    let digest = digest(&tx.memory.key, &letter.bytes).to_vec();
    tx.send(
        "INSERT INTO dead_letters(source, line, digest, reason, message, bytes, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (md5(source), line, digest) DO NOTHING",
        values![
            stored(&letter.source).into_owned(),
            int(letter.line),
            digest,
            stored(&letter.reason).into_owned(),
            stored(&letter.message).into_owned(),
            &letter.bytes[..],
            letter.at.as_millisecond(),
        ],
    )
    .await
}

/// A repaired record takes the place of the broken one.
pub(super) async fn again(
    tx: &mut Tx<'_>,
    id: &str,
    route: &Route,
    facts: &Facts,
    columns: &Columns,
) -> Done<()> {
    let n = tx.number(id).await?;
    let entry = tx
        .entry
        .filter(|e| e.bodies > 0)
        .ok_or_else(|| StoreError::Missing(format!("entry with the repaired record of {id}")))?;
    let missing = || StoreError::Missing(format!("decision {id}"));
    let old = read::decision(tx.client, id).await?.ok_or_else(missing)?;
    let row = tx.row("SELECT shape FROM decisions WHERE n = $1", &[&n]).await?;
    let old_shape: i64 = row.ok_or_else(missing)?.try_get(0)?;
    let shape = tx.memory.names.shape(tx.client, route, columns).await?;
    let at = old.admitted_at.as_millisecond();
    let Lean { due, reason, rest } = decision::lean(route, facts, at)?;
    let [dims, groups, tags] = words(columns);
    tx.send(
        "UPDATE decisions SET shape = $2, due = $3, confidence = $4, impact = $5, reason = $6,
             dims = $7::text::text[], groups = $8::text::text[], tags = $9::text::text[],
             rest = $10, raw = $11
         WHERE n = $1",
        values![
            n,
            shape,
            due,
            columns.confidence,
            columns.business_impact,
            reason.map(|r| stored(r).into_owned()),
            dims,
            groups,
            tags,
            rest.map(|rest| stored(&rest).into_owned()),
            int(entry.index),
        ],
    )
    .await?;
    if let Some((item, level)) = items::read(tx, n, id).await? {
        let queue = tx.memory.names.queue(tx.client, &item.queue).await?;
        tx.deltas.item(&item, queue, level, old_shape, -1);
        tx.deltas.item(&item, queue, level, shape, 1);
    }
    tx.deltas.cohort(group(&old.columns), -1);
    tx.deltas.cohort(group(columns), 1);
    tx.deltas.model(shape, facts.now.as_millisecond());
    tx.deltas.shape(old_shape, -1);
    tx.deltas.shape(shape, 1);
    let by = automatic(route) - automatic(&old.route);
    tx.change().automatic += by;
    Ok(())
}
