//! Names that many rows share, as small numbers: queues, and the shapes of decisions.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::Done;

/// More shapes than this are not kept in memory.
const KEPT: usize = 10_000;

/// What many decisions have in common, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) domain: String,
    pub(super) action: String,
    pub(super) model: String,
    pub(super) version: String,
    pub(super) level: u8,
    pub(super) rule: String,
    /// The rest of the route that does not depend on the record, as JSON.
    pub(super) route: String,
}

/// Numbers of names known already; another process may know more.
#[derive(Debug, Default)]
pub(super) struct Names {
    shapes: HashMap<Shape, i64>,
    queues: HashMap<String, i64>,
    /// Learned in the savepoint that is open: forgotten if it is rolled back.
    new_shapes: Vec<Shape>,
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
        for shape in self.new_shapes.drain(..) {
            self.shapes.remove(&shape);
        }
        for queue in self.new_queues.drain(..) {
            self.queues.remove(&queue);
        }
    }

    /// The number of a shape; it gets one if it is new.
    pub(super) fn shape(&mut self, conn: &Connection, shape: Shape) -> Done<i64> {
        if let Some(k) = self.shapes.get(&shape) {
            return Ok(*k);
        }
        let s = &shape;
        let all = (&s.domain, &s.action, &s.model, &s.version, s.level, &s.rule, &s.route);
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
        self.new_shapes.push(shape.clone());
        self.shapes.insert(shape, k);
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

/// The number of a queue, if it ever had an item.
pub(super) fn queue(conn: &Connection, name: &str) -> Done<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT k FROM queues WHERE name = ?1")?
        .query_row([name], |r| r.get(0))
        .optional()?)
}
