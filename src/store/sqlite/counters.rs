//! Counters kept with every change, so that no total is ever counted.

use rusqlite::Connection;

use super::fault::{Done, count};
use crate::store::Counts;
use crate::store::rows::counters::Deltas;
use crate::store::rows::time;

/// Add them to the stored counters.
pub(super) fn write(deltas: Deltas, conn: &Connection) -> Done<()> {
    for ((queue, level, shape), (open, held)) in deltas.counts {
        if (open, held) == (0, 0) {
            continue;
        }
        conn.prepare_cached(
            "INSERT INTO counts(queue, level, shape, open, held) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET open = open + excluded.open, held = held + excluded.held",
        )?
        .execute((queue, level, shape, open, held))?;
    }
    for ((queue, minute), (open, fresh)) in deltas.dues {
        if (open, fresh) == (0, 0) {
            continue;
        }
        conn.prepare_cached(
            "INSERT INTO dues(queue, minute, open, fresh) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET open = open + excluded.open, fresh = fresh + excluded.fresh",
        )?
        .execute((queue, minute, open, fresh))?;
        if open < 0 {
            conn.prepare_cached("DELETE FROM dues WHERE queue = ?1 AND minute = ?2 AND open = 0")?
                .execute((queue, minute))?;
        }
    }
    for (cohort, by) in deltas.cohorts.into_iter().filter(|(_, by)| *by != 0) {
        conn.prepare_cached(
            "INSERT INTO cohort_counts(cohort, decisions) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET decisions = decisions + excluded.decisions",
        )?
        .execute((cohort, by))?;
    }
    for (shape, by) in deltas.shapes.into_iter().filter(|(_, by)| *by != 0) {
        conn.prepare_cached(
            "INSERT INTO shape_counts(shape, decisions) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET decisions = decisions + excluded.decisions",
        )?
        .execute((shape, by))?;
    }
    for (shape, at) in deltas.models {
        conn.prepare_cached(
            "INSERT INTO model_first_seen(model, at)
             SELECT model || '@' || version, ?2 FROM shapes
             WHERE k = ?1 AND model || version <> ''
             ON CONFLICT DO UPDATE SET at = excluded.at WHERE excluded.at < at",
        )?
        .execute((shape, at))?;
    }
    Ok(())
}

/// The counters that facts are made of.
pub(super) fn read(conn: &Connection) -> Done<Counts> {
    let mut counts = Counts::default();
    let mut statement =
        conn.prepare_cached("SELECT cohort, decisions FROM cohort_counts WHERE decisions > 0")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        counts.cohorts.insert(row.get(0)?, count(row.get(1)?));
    }
    let mut statement = conn.prepare_cached("SELECT model, at FROM model_first_seen")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        counts.models.insert(row.get(0)?, time(row.get(1)?)?);
    }
    Ok(counts)
}
