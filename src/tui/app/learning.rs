//! The learning view: recent corrections, and how often each tag was given.

use std::collections::{BTreeMap, VecDeque};

use super::act::moved;
use super::{Effect, Purpose, State};
use crate::domain::Correction;
use crate::protocol::{Query, Refused, Reply};
use crate::tui::keymap::Action;

/// Corrections asked for at a time.
const PAGE: usize = 500;
/// Newest corrections kept; all are counted.
const MOST: usize = 500;

/// The view.
#[derive(Clone, Debug, Default)]
pub struct Learning {
    /// The newest last.
    pub recent: VecDeque<Correction>,
    /// All seen.
    pub total: u64,
    pub by_tag: BTreeMap<String, u64>,
    pub by_verdict: BTreeMap<&'static str, u64>,
    /// Row under the cursor, counted from the newest.
    pub selected: usize,
    pub open: bool,
    pub failed: Option<Refused>,
    pub loaded: bool,
    after: u64,
    loading: bool,
}

impl Learning {
    /// The correction under the cursor.
    pub fn here(&self) -> Option<&Correction> {
        self.recent.iter().rev().nth(self.selected)
    }
}

impl State {
    pub(super) fn load_corrections(&mut self) -> Vec<Effect> {
        if self.learning.loading {
            return Vec::new();
        }
        self.learning.loading = true;
        let after = self.learning.after;
        let query = Query::Corrections { since: None, after, limit: PAGE };
        vec![self.ask(Purpose::Corrections { after }, query).1]
    }

    pub(super) fn corrections_came(
        &mut self,
        after: u64,
        reply: Result<Reply, Refused>,
    ) -> Vec<Effect> {
        let learning = &mut self.learning;
        if after != learning.after {
            return Vec::new();
        }
        learning.loading = false;
        let (corrections, next) = match reply {
            Ok(Reply::Corrections { corrections, next }) => (corrections, next),
            other => {
                learning.failed = Some(super::asks::failure(other));
                self.dirty = true;
                return Vec::new();
            }
        };
        self.dirty |= !corrections.is_empty() || !learning.loaded || learning.failed.is_some();
        learning.failed = None;
        learning.loaded = true;
        let came = corrections.len();
        for correction in corrections {
            learning.total += 1;
            *learning.by_verdict.entry(correction.verdict.as_str()).or_default() += 1;
            for tag in &correction.tags {
                *learning.by_tag.entry(tag.clone()).or_default() += 1;
            }
            learning.recent.push_back(correction);
            if learning.recent.len() > MOST {
                learning.recent.pop_front();
            }
        }
        // The cursor stays on its row while newer ones come in above it.
        if learning.selected > 0 {
            learning.selected =
                (learning.selected + came).min(learning.recent.len().saturating_sub(1));
        }
        match next {
            Some(next) if next > after => {
                learning.after = next;
                self.load_corrections()
            }
            _ => {
                learning.after = after + came as u64;
                Vec::new()
            }
        }
    }

    pub(super) fn learning_act(&mut self, action: Action) -> Vec<Effect> {
        let (at, rows) = (self.learning.selected, self.learning.recent.len());
        let next = match action {
            Action::Open | Action::Fold => {
                self.learning.open = !self.learning.open;
                at
            }
            Action::CopyId => return self.copy_id(),
            Action::Flag => return self.open_flag(),
            Action::Back if self.learning.open => {
                self.learning.open = false;
                at
            }
            Action::Kill | Action::Back => return self.page_act(action),
            _ => moved(at, action, rows, self.painted.room),
        };
        self.learning.selected = next.min(rows.saturating_sub(1));
        Vec::new()
    }
}
