//! Names that many rows share, as small numbers: queues, and the shapes of decisions.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::Done;
use crate::domain::Route;
use crate::store::rows::json;
use crate::store::rows::shape::{Shape, digest};
use crate::store::{Columns, Seen};

/// More shapes than this are not kept in memory.
const KEPT: usize = 10_000;

/// Numbers of names known already; another process may know more.
#[derive(Debug, Default)]
pub(super) struct Names {
    shapes: HashMap<u64, Vec<(Shape, i64)>>,
    queues: HashMap<String, i64>,
    /// Learned in the savepoint that is open: forgotten if it is rolled back.
    new_shapes: Vec<u64>,
    new_queues: Vec<String>,
}

impl Names {
    /// From here on what is learned may have to be forgotten.
    pub(super) fn mark(&mut self) {
        self.new_shapes.clear();
        self.new_queues.clear();
    }

    /// The savepoint was rolled back.
    pub(super) fn forget_since_mark(&mut self) {
        for digest in self.new_shapes.drain(..) {
            self.shapes.remove(&digest);
        }
        for queue in self.new_queues.drain(..) {
            self.queues.remove(&queue);
        }
    }

    /// The number of the shape of a decision; it gets one if it is new.
    pub(super) fn shape(
        &mut self,
        conn: &Connection,
        route: &Route,
        columns: &Columns,
    ) -> Done<i64> {
        let digest = digest(route, columns);
        let known = self.shapes.get(&digest).into_iter().flatten();
        if let Some((_, k)) = known.into_iter().find(|(shape, _)| shape.is_of(route, columns)) {
            return Ok(*k);
        }
        let shape = Shape::of(route, columns);
        let route = json(&Route { rule: String::new(), ..shape.route.clone() })?;
        let s = &shape;
        let all = (&s.domain, &s.action, &s.model, &s.version, s.level, &s.route.rule, &route);
        conn.prepare_cached(
            "INSERT OR IGNORE INTO shapes(domain, action, model, version, level, rule, route)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(all)?;
        let k = conn
            .prepare_cached(
                "SELECT k FROM shapes WHERE domain = ?1 AND action = ?2 AND model = ?3
                 AND version = ?4 AND level = ?5 AND rule = ?6 AND route = ?7",
            )?
            .query_row(all, |r| r.get(0))?;
        if self.shapes.len() >= KEPT {
            self.shapes.clear();
        }
        self.new_shapes.push(digest);
        self.shapes.entry(digest).or_default().push((shape, k));
        Ok(k)
    }

    /// The number of a queue; it gets one if it is new.
    pub(super) fn queue(&mut self, conn: &Connection, name: &str) -> Done<i64> {
        if let Some(k) = self.queues.get(name) {
            return Ok(*k);
        }
        conn.prepare_cached("INSERT OR IGNORE INTO queues(name) VALUES (?1)")?.execute([name])?;
        let k = queue(conn, name)?.unwrap_or(0);
        self.new_queues.push(name.to_owned());
        self.queues.insert(name.to_owned(), k);
        Ok(k)
    }
}

/// Words that decisions have.
pub(super) fn seen(conn: &Connection) -> Done<Seen> {
    let mut seen = Seen::default();
    let mut all = conn.prepare_cached("SELECT DISTINCT domain, action, rule FROM shapes")?;
    let mut rows = all.query(())?;
    while let Some(row) = rows.next()? {
        let (domain, action, rule): (String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        seen.actions.entry(domain).or_default().insert(action);
        seen.rules.insert(rule);
    }
    Ok(seen)
}

/// The number of a queue, if it ever had an item.
pub(super) fn queue(conn: &Connection, name: &str) -> Done<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT k FROM queues WHERE name = ?1")?
        .query_row([name], |r| r.get(0))
        .optional()?)
}
