//! Changes of counters that are kept with every change, so that no total is ever counted.

use std::collections::HashMap;

use super::place::minute;
use crate::domain::{Item, ItemState};

/// Changes of counters, added up over an operation.
#[derive(Debug, Default)]
pub(in crate::store) struct Deltas {
    /// By queue, level, shape: open items, and decided ones in their grace time.
    pub(in crate::store) counts: HashMap<(i64, u8, i64), (i64, i64)>,
    /// By queue and due minute: open items, and those not yet escalated for being late.
    pub(in crate::store) dues: HashMap<(i64, i64), (i64, i64)>,
    pub(in crate::store) cohorts: HashMap<String, i64>,
    /// First sight of a shape (which tells the model version), milliseconds.
    pub(in crate::store) models: HashMap<i64, i64>,
    /// Decisions by shape.
    pub(in crate::store) shapes: HashMap<i64, i64>,
}

impl Deltas {
    /// An item comes to stand (`by` = 1) or stands no longer (−1) where it is.
    pub(in crate::store) fn item(
        &mut self,
        item: &Item,
        queue: i64,
        level: u8,
        shape: i64,
        by: i64,
    ) {
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
    pub(in crate::store) fn cohort(&mut self, group: &str, by: i64) {
        match self.cohorts.get_mut(group) {
            Some(n) => *n += by,
            None => drop(self.cohorts.insert(group.to_owned(), by)),
        }
    }

    /// One decision more (or less) of a shape.
    pub(in crate::store) fn shape(&mut self, shape: i64, by: i64) {
        *self.shapes.entry(shape).or_default() += by;
    }

    /// A decision of this shape at this time.
    pub(in crate::store) fn model(&mut self, shape: i64, at: i64) {
        let first = self.models.entry(shape).or_insert(at);
        *first = at.min(*first);
    }
}
