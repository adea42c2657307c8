//! A decision's row as the form that its entry commits to: for a verifier, who reads all of them.

use std::collections::{BTreeMap, HashMap};

use super::decision::Rest;
use super::{count, damaged, time, unjson};
use crate::audit::DecisionRow;
use crate::domain::Route;
use crate::store::form::{Own, groups, own, shared};
use crate::store::{Columns, StoreError, TrailSink};

/// Groups and tags as stored are few; beyond this many different ones they are read anew.
const KEPT: usize = 10_000;

/// A shape, read, and its part of a form.
pub(in crate::store) struct Shape {
    route: Route,
    form: [u8; 32],
}

impl Shape {
    /// From a shape's row. `route`: JSON.
    pub(in crate::store) fn read(
        columns: &Columns,
        rule: String,
        route: &str,
    ) -> Result<Self, StoreError> {
        let route = Route { rule, ..unjson(route, "a route")? };
        // What a decision has of its own is not in its shape.
        if !route.id.is_empty() || !route.reason.is_empty() || route.duplicate {
            return Err(damaged("a route"));
        }
        let form = shared(&route, columns);
        Ok(Self { route, form })
    }

    /// The outcome and tags of its route, which conditions may look at.
    pub(in crate::store) fn route(&self) -> &Route {
        &self.route
    }
}

/// Shapes by number; `None`: it cannot be read.
pub(in crate::store) type Shapes = HashMap<i64, Option<Shape>>;

/// A row of `decisions`, as read.
pub(in crate::store) struct Row<'r> {
    pub(in crate::store) id: &'r str,
    pub(in crate::store) content: &'r [u8],
    pub(in crate::store) shape: i64,
    pub(in crate::store) at: i64,
    pub(in crate::store) due: Option<i64>,
    pub(in crate::store) confidence: Option<f64>,
    pub(in crate::store) impact: Option<f64>,
    pub(in crate::store) reason: Option<&'r str>,
    /// Groups and tags as the engine keeps them; equal ones mean the same.
    pub(in crate::store) words: &'r [Option<&'r [u8]>],
    /// JSON.
    pub(in crate::store) rest: Option<&'r str>,
    pub(in crate::store) raw: Option<i64>,
}

/// What [`Row::words`] mean: groups and tags.
pub(in crate::store) type Words = (BTreeMap<String, String>, Vec<String>);

/// Makes forms, and keeps what makes the next one cheaper.
pub(in crate::store) struct Forms {
    shapes: Shapes,
    /// Groups and tags as stored, and their part of a form.
    parts: HashMap<Vec<u8>, Vec<u8>>,
    key: Vec<u8>,
    form: Vec<u8>,
}

impl Forms {
    pub(in crate::store) fn new(shapes: Shapes) -> Self {
        Self { shapes, parts: HashMap::new(), key: Vec::new(), form: Vec::new() }
    }

    /// Hand the decision of entry `index` over.
    pub(in crate::store) fn tell(
        &mut self,
        row: &Row<'_>,
        words: impl FnOnce() -> Result<Words, StoreError>,
        index: u64,
        sink: &mut dyn TrailSink,
    ) -> Result<(), StoreError> {
        let unclear = || damaged("a decision");
        let shape = self.shapes.get(&row.shape).and_then(Option::as_ref).ok_or_else(unclear)?;
        let at = time(row.at)?;
        let rest = match row.rest {
            Some(text) => unjson(text, "a decision")?,
            None => Rest::default(),
        };
        let due_at = rest.due_at(row.due)?;
        if due_at.map(|t| t.as_millisecond()) != row.due {
            return Err(unclear());
        }
        self.form.clear();
        self.form.extend_from_slice(&shape.form);
        let worded = row.words.iter().any(Option::is_some);
        if worded {
            self.key.clear();
            for words in row.words {
                // What is kept says itself where it ends.
                self.key.push(u8::from(words.is_some()));
                self.key.extend_from_slice(words.unwrap_or_default());
            }
            if let Some(known) = self.parts.get(self.key.as_slice()) {
                self.form.extend_from_slice(known);
            } else {
                let (cohort, tags) = words()?;
                let mut part = Vec::new();
                groups(&mut part, &cohort, &tags);
                self.form.extend_from_slice(&part);
                if self.parts.len() >= KEPT {
                    self.parts.clear();
                }
                self.parts.insert(self.key.clone(), part);
            }
        }
        let route = &shape.route;
        let facts = rest.facts(at, route.generation);
        let mine = Own {
            id: row.id,
            content: row.content,
            due_at,
            reason: row.reason.unwrap_or_default(),
            faults: &rest.faults,
            generation: route.generation,
            confidence: row.confidence,
            impact: row.impact,
        };
        own(&mut self.form, &mine, &facts);
        sink.decision(&DecisionRow {
            index,
            id: row.id,
            at,
            raw: row.raw.map(count),
            outcome: route.outcome,
            rule: &route.rule,
            policy: &route.policy,
            generation: route.generation,
            texts: row.reason.is_some() || worded,
            form: &self.form,
        });
        Ok(())
    }
}
