//! Counters kept with every change, so that no total is ever counted.

use super::fault::Done;
use super::text::stored;
use super::tx::{Tx, values};
use crate::store::rows::counters::Deltas;

/// Add them to the stored counters: one statement for each kind there is something of.
pub(super) async fn write(tx: &mut Tx<'_>, deltas: Deltas) -> Done<()> {
    let Deltas { counts, dues, cohorts, models, shapes } = deltas;
    let (mut queue, mut level, mut shape) = (Vec::new(), Vec::new(), Vec::new());
    let (mut open, mut held) = (Vec::new(), Vec::new());
    for (of, (o, h)) in counts.into_iter().filter(|(_, by)| *by != (0, 0)) {
        queue.push(of.0);
        level.push(i16::from(of.1));
        shape.push(of.2);
        open.push(o);
        held.push(h);
    }
    if !queue.is_empty() {
        tx.send(
            "INSERT INTO counts AS c (queue, level, shape, open, held)
             SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[],
                 $5::bigint[])
             ON CONFLICT (queue, level, shape)
             DO UPDATE SET open = c.open + excluded.open, held = c.held + excluded.held",
            values![queue, level, shape, open, held],
        )
        .await?;
    }
    let (mut queue, mut minute, mut open, mut fresh) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (of, (o, f)) in dues.into_iter().filter(|(_, by)| *by != (0, 0)) {
        queue.push(of.0);
        minute.push(of.1);
        open.push(o);
        fresh.push(f);
    }
    if !queue.is_empty() {
        let fewer = open.iter().any(|by| *by < 0);
        let at = (queue.clone(), minute.clone());
        tx.send(
            "INSERT INTO dues AS d (queue, minute, open, fresh)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
             ON CONFLICT (queue, minute)
             DO UPDATE SET open = d.open + excluded.open, fresh = d.fresh + excluded.fresh",
            values![queue, minute, open, fresh],
        )
        .await?;
        if fewer {
            tx.send(
                "DELETE FROM dues d USING unnest($1::bigint[], $2::bigint[]) AS at(queue, minute)
                 WHERE d.queue = at.queue AND d.minute = at.minute AND d.open = 0",
                values![at.0, at.1],
            )
            .await?;
        }
    }
    let (mut cohort, mut by) = (Vec::new(), Vec::new());
    for (of, n) in cohorts.into_iter().filter(|(_, n)| *n != 0) {
        cohort.push(stored(&of).into_owned());
        by.push(n);
    }
    if !cohort.is_empty() {
        tx.send(
            "INSERT INTO cohort_counts AS c (cohort, decisions)
             SELECT * FROM unnest($1::text[], $2::bigint[])
             ON CONFLICT (md5(cohort)) DO UPDATE SET decisions = c.decisions + excluded.decisions",
            values![cohort, by],
        )
        .await?;
    }
    let (mut shape, mut by) = (Vec::new(), Vec::new());
    for (of, n) in shapes.into_iter().filter(|(_, n)| *n != 0) {
        shape.push(of);
        by.push(n);
    }
    if !shape.is_empty() {
        tx.send(
            "INSERT INTO shape_counts AS s (shape, decisions)
             SELECT * FROM unnest($1::bigint[], $2::bigint[])
             ON CONFLICT (shape) DO UPDATE SET decisions = s.decisions + excluded.decisions",
            values![shape, by],
        )
        .await?;
    }
    let (mut shape, mut at) = (Vec::new(), Vec::new());
    for (of, first) in models {
        // What is stored is known from a transaction before, and only ever goes down.
        if tx.memory.seen.get(&of).is_none_or(|known| first < *known) {
            tx.memory.seen.insert(of, first);
            shape.push(of);
            at.push(first);
        }
    }
    if !shape.is_empty() {
        tx.send(
            "INSERT INTO model_first_seen AS m (model, at)
             SELECT s.model || '@' || s.version, min(u.at)
             FROM unnest($1::bigint[], $2::bigint[]) AS u(shape, at) JOIN shapes s ON s.k = u.shape
             WHERE s.model || s.version <> '' GROUP BY 1
             ON CONFLICT (md5(model)) DO UPDATE SET at = excluded.at WHERE excluded.at < m.at",
            values![shape, at],
        )
        .await?;
    }
    Ok(())
}
