//! One verdict on every marked item: a summary and a typed count first, one review each after.

use crossterm::event::KeyEvent;

use super::line::Line;
use super::toast::Tone;
use super::verdict::Target;
use super::{Effect, Overlay, State};
use crate::domain::{Kind, Verdict, VerdictKind};
use crate::protocol::Row;
use crate::tui::keymap::Action;

/// What is to be said of all of them.
#[derive(Clone, Debug, PartialEq)]
pub enum BulkVerdict {
    Accept,
    Reject { tags: Vec<String>, note: Option<String>, label: Option<String> },
    Move { to: String, note: Option<String> },
}

impl BulkVerdict {
    fn verdict(&self) -> Verdict {
        match self.clone() {
            Self::Accept => Verdict::plain(VerdictKind::Accept),
            Self::Reject { tags, note, label } => {
                Verdict { tags, note, label, ..Verdict::plain(VerdictKind::Reject) }
            }
            Self::Move { to, note } => {
                Verdict { to: Some(to), note, ..Verdict::plain(VerdictKind::Escalate) }
            }
        }
    }

    /// What will be done, in a word.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject { .. } => "reject",
            Self::Move { .. } => "move",
        }
    }
}

/// The question.
#[derive(Clone, Debug)]
pub struct BulkForm {
    pub verdict: BulkVerdict,
    pub rows: Vec<Row>,
    /// Marked, but not for this: the id and why.
    pub left_out: Vec<(String, String)>,
    pub typed: Line,
    pub fault: Option<String>,
}

impl BulkForm {
    pub(super) fn typed(&mut self, event: &KeyEvent) {
        self.fault = None;
        self.typed.key(event);
    }

    /// How many of each domain and action, most first.
    pub fn summary(&self) -> Vec<(String, usize)> {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for row in &self.rows {
            let what = format!("{} · {}", row.domain, row.action.as_deref().unwrap_or("–"));
            *counts.entry(what).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        counts
    }
}

impl State {
    pub(super) fn bulk_accept(&mut self) -> Vec<Effect> {
        if self.marks.is_empty() {
            self.toast(Tone::Info, "nothing is marked; m marks the item under the cursor");
        } else {
            self.open_bulk(BulkVerdict::Accept);
        }
        Vec::new()
    }

    pub(super) fn open_bulk(&mut self, verdict: BulkVerdict) {
        let signed: Vec<String> =
            self.queues().into_iter().filter(|q| q.signed).map(|q| q.name).collect();
        let why_not = |row: &Row| -> Option<String> {
            if row.blind {
                return Some("blind: answer it first".to_owned());
            }
            if row.leased_by.as_ref().is_some_and(|by| *by != self.me) {
                return Some(format!("leased to {}", row.leased_by.as_deref().unwrap_or("?")));
            }
            if !row.state.is_open() {
                return Some(format!("it is {}", row.state.as_str()));
            }
            if row.kind == Kind::Quarantine && verdict == BulkVerdict::Accept {
                return Some("a broken record cannot be accepted".to_owned());
            }
            if signed.contains(&row.queue) {
                return Some(format!("{} wants a signature on each", row.queue));
            }
            match &verdict {
                BulkVerdict::Move { to, .. } if *to == row.queue => {
                    Some("it is there already".to_owned())
                }
                _ => None,
            }
        };
        let (mut rows, mut left_out) = (Vec::new(), Vec::new());
        for marked in self.marks.values() {
            // The row as it stands now, if it is at hand: it may have been taken since.
            let row = self.list.find(&marked.id).unwrap_or(marked);
            let changed = row.revision != marked.revision;
            match why_not(row)
                .or_else(|| changed.then(|| "it changed after it was marked".to_owned()))
            {
                Some(why) => left_out.push((row.id.clone(), why)),
                None => rows.push(row.clone()),
            }
        }
        if rows.is_empty() {
            let why = left_out.first().map(|(id, why)| format!("{id}: {why}")).unwrap_or_default();
            self.toast_hint(
                Tone::Warn,
                format!("none of the marked items can be decided so: {why}"),
                None,
            );
            return;
        }
        self.open(Overlay::Bulk(BulkForm {
            verdict,
            rows,
            left_out,
            typed: Line::default(),
            fault: None,
        }));
    }

    pub(super) fn bulk_act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Back => {
                self.close();
                Vec::new()
            }
            Action::Submit => self.send_bulk(),
            _ => Vec::new(),
        }
    }

    fn send_bulk(&mut self) -> Vec<Effect> {
        let Some(Overlay::Bulk(form)) = self.overlays.last_mut() else { return Vec::new() };
        let count = form.rows.len();
        if form.typed.said() != Some(count.to_string()) {
            form.fault = Some(format!("type {count} to {} them all", form.verdict.verb()));
            return Vec::new();
        }
        let (rows, verdict) = (std::mem::take(&mut form.rows), form.verdict.verdict());
        self.close();
        let batch = self.verdicts.next_batch();
        for row in rows {
            let here = self.shown.as_ref().filter(|s| s.id == row.id);
            let target = Target {
                lease: here.and_then(|s| s.epoch(self.now)),
                id: row.id,
                revision: row.revision,
                // The row was seen, not the whole item: no view to vouch for.
                seen: None,
                signed: false,
            };
            self.send(target, verdict.clone(), batch);
        }
        let mut effects = self.go_on();
        effects.extend(self.pump());
        effects
    }
}
