//! Counters kept with every change, so that no total is ever counted.

use std::collections::HashMap;

use rusqlite::Connection;

use super::decisions::time;
use super::fault::{Done, count};
use super::place::minute;
use crate::domain::{Item, ItemState};
use crate::store::Counts;

/// Changes of counters, added up over an operation.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    /// By queue, level, shape: open items, and decided ones in their grace time.
    counts: HashMap<(i64, u8, i64), (i64, i64)>,
    /// By queue and due minute: open items, and those not yet escalated for being late.
    dues: HashMap<(i64, i64), (i64, i64)>,
    cohorts: HashMap<String, i64>,
    /// First sight of a shape (which tells the model version), milliseconds.
    models: HashMap<i64, i64>,
    /// Decisions by shape.
    shapes: HashMap<i64, i64>,
}

impl Deltas {
    /// An item comes to stand (`by` = 1) or stands no longer (−1) where it is.
    pub(super) fn item(&mut self, item: &Item, queue: i64, level: u8, shape: i64, by: i64) {
        let open = item.state.is_open();
        let held = item.state == ItemState::Decided;
        if open || held {
            let count = self.counts.entry((queue, level, shape)).or_default();
            count.0 += if open { by } else { 0 };
            count.1 += if held { by } else { 0 };
        }
        if let (true, Some(due)) = (open, item.due_at) {
            let due = self.dues.entry((queue, minute(due.as_millisecond()))).or_default();
            due.0 += by;
            due.1 += if item.breached { 0 } else { by };
        }
    }

    /// One decision more (or less) in a group of the dimension `cohort`.
    pub(super) fn cohort(&mut self, group: &str, by: i64) {
        match self.cohorts.get_mut(group) {
            Some(n) => *n += by,
            None => drop(self.cohorts.insert(group.to_owned(), by)),
        }
    }

    /// One decision more (or less) of a shape.
    pub(super) fn shape(&mut self, shape: i64, by: i64) {
        *self.shapes.entry(shape).or_default() += by;
    }

    /// A decision of this shape at this time.
    pub(super) fn model(&mut self, shape: i64, at: i64) {
        let first = self.models.entry(shape).or_insert(at);
        *first = at.min(*first);
    }

    /// Add them to the stored counters.
    pub(super) fn write(self, conn: &Connection) -> Done<()> {
        for ((queue, level, shape), (open, held)) in self.counts {
            if (open, held) == (0, 0) {
                continue;
            }
            conn.prepare_cached(
                "INSERT INTO counts(queue, level, shape, open, held) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET open = open + excluded.open, held = held + excluded.held",
            )?
            .execute((queue, level, shape, open, held))?;
        }
        for ((queue, minute), (open, fresh)) in self.dues {
            if (open, fresh) == (0, 0) {
                continue;
            }
            conn.prepare_cached(
                "INSERT INTO dues(queue, minute, open, fresh) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET open = open + excluded.open, fresh = fresh + excluded.fresh",
            )?
            .execute((queue, minute, open, fresh))?;
            if open < 0 {
                conn.prepare_cached(
                    "DELETE FROM dues WHERE queue = ?1 AND minute = ?2 AND open = 0",
                )?
                .execute((queue, minute))?;
            }
        }
        for (cohort, by) in self.cohorts.into_iter().filter(|(_, by)| *by != 0) {
            conn.prepare_cached(
                "INSERT INTO cohort_counts(cohort, decisions) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET decisions = decisions + excluded.decisions",
            )?
            .execute((cohort, by))?;
        }
        for (shape, by) in self.shapes.into_iter().filter(|(_, by)| *by != 0) {
            conn.prepare_cached(
                "INSERT INTO shape_counts(shape, decisions) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET decisions = decisions + excluded.decisions",
            )?
            .execute((shape, by))?;
        }
        for (shape, at) in self.models {
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
