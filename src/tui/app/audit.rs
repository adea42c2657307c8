//! The audit view: the trail's entries, of one item or all, and its verification.

use super::toast::Tone;
use super::{Effect, Purpose, State};
use crate::protocol::{EntryView, Query, Refused, Reply, VerifyAsk, VerifyReport};
use crate::tui::keymap::Action;

/// Entries asked for at a time.
const PAGE: usize = 200;
/// Entries kept.
const MOST: usize = 2000;

/// How the verification stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Verify {
    #[default]
    Never,
    Running {
        ticket: u64,
        done: u64,
        all: u64,
    },
    Done(Box<VerifyReport>),
    Failed(Refused),
}

/// The view.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Only this item's entries.
    pub item: Option<String>,
    /// In index order, without gaps in what was asked for.
    pub entries: Vec<EntryView>,
    pub total: u64,
    /// There are entries after the last one at hand.
    more: Option<u64>,
    /// Index into `entries`.
    pub selected: usize,
    /// Follow the newest.
    pub at_end: bool,
    /// The entry under the cursor is unfolded.
    pub open: bool,
    pub loading: bool,
    pub failed: Option<Refused>,
    pub verify: Verify,
    loaded: bool,
}

impl Audit {
    /// The entry under the cursor.
    pub fn here(&self) -> Option<&EntryView> {
        self.entries.get(self.selected)
    }

    /// The item that the entry under the cursor is about.
    pub fn item_here(&self) -> Option<String> {
        let entry = &self.here()?.entry;
        let id = entry.get("id").and_then(serde_json::Value::as_str);
        id.map(str::to_owned).or_else(|| self.item.clone())
    }
}

impl State {
    /// The view on show wants news.
    pub(super) fn refresh_view(&mut self) -> Vec<Effect> {
        match self.view {
            super::View::Audit => self.load_entries(),
            super::View::Learning => self.load_corrections(),
            super::View::Signals => self.refresh_signals(),
            super::View::Containment => self.refresh_containment(),
            super::View::Policy if self.policy.is_none() => {
                vec![self.ask(Purpose::Policy, Query::Policy).1]
            }
            _ => Vec::new(),
        }
    }

    fn load_entries(&mut self) -> Vec<Effect> {
        if self.audit.loading {
            return Vec::new();
        }
        let head = self.header.as_ref().map_or(0, |h| h.head);
        let from = match (self.audit.loaded, self.audit.entries.last()) {
            (true, Some(last)) => last.index + 1,
            // All entries: begin near the end; an item's own are few.
            _ if self.audit.item.is_none() => {
                self.audit.at_end = true;
                head.saturating_sub(PAGE as u64)
            }
            _ => 0,
        };
        if self.audit.loaded && self.audit.item.is_none() && from >= head && head > 0 {
            return Vec::new();
        }
        self.ask_entries(from)
    }

    fn ask_entries(&mut self, from: u64) -> Vec<Effect> {
        self.audit.loading = true;
        let item = self.audit.item.clone();
        let purpose = Purpose::Entries { item: item.clone(), from };
        vec![self.ask(purpose, Query::Entries { item, from, limit: PAGE }).1]
    }

    pub(super) fn entries_came(
        &mut self,
        item: Option<String>,
        from: u64,
        reply: Result<Reply, Refused>,
    ) -> Vec<Effect> {
        if item != self.audit.item {
            return Vec::new();
        }
        self.audit.loading = false;
        self.dirty = true;
        let audit = &mut self.audit;
        let (entries, next, total) = match reply {
            Ok(Reply::Entries { entries, next, total }) => (entries, next, total),
            other => {
                audit.failed = Some(super::asks::failure(other));
                return Vec::new();
            }
        };
        audit.failed = None;
        audit.total = total;
        let before = audit.entries.first().is_some_and(|e| e.index > from);
        if before {
            let first = audit.entries.first().map_or(u64::MAX, |e| e.index);
            let mut earlier: Vec<_> = entries.into_iter().filter(|e| e.index < first).collect();
            audit.selected += earlier.len();
            earlier.append(&mut audit.entries);
            audit.entries = earlier;
            if audit.entries.len() > MOST {
                audit.entries.truncate(MOST);
                audit.more = audit.entries.last().map(|e| e.index + 1);
            }
        } else {
            let last = audit.entries.last().map(|e| e.index);
            audit.entries.extend(entries.into_iter().filter(|e| last.is_none_or(|l| e.index > l)));
            audit.more = next;
            if audit.entries.len() > MOST {
                let cut = audit.entries.len() - MOST;
                audit.entries.drain(..cut);
                audit.selected = audit.selected.saturating_sub(cut);
            }
        }
        audit.loaded = true;
        let end = audit.entries.len().saturating_sub(1);
        audit.selected = if audit.at_end { end } else { audit.selected.min(end) };
        // Whoever follows the end wants all of it.
        match (audit.at_end, audit.more) {
            (true, Some(next)) => self.ask_entries(next),
            _ => Vec::new(),
        }
    }

    /// Shows one item's entries, or all.
    pub(super) fn audit_item(&mut self, item: Option<String>) -> Vec<Effect> {
        let verify = std::mem::take(&mut self.audit.verify);
        self.audit = Audit { item, verify, ..Audit::default() };
        self.dirty = true;
        self.load_entries()
    }

    pub(super) fn audit_act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::VerifyAudit => return self.verify(),
            Action::Filter => return self.open_filter(),
            Action::CopyId => return self.copy_id(),
            Action::Flag => return self.open_flag(),
            Action::PaneNext | Action::PanePrev => {
                // Between the item at hand and the whole trail.
                let item = match &self.audit.item {
                    Some(_) => None,
                    None => self.audit.item_here().or_else(|| self.list.selected.clone()),
                };
                return self.audit_item(item);
            }
            Action::Open | Action::Fold | Action::RawView => self.audit.open = !self.audit.open,
            Action::Back => {
                if !self.toasts.is_empty() {
                    self.toasts.clear();
                } else if self.audit.open {
                    self.audit.open = false;
                } else if self.audit.item.is_some() {
                    return self.audit_item(None);
                }
            }
            Action::Kill => return self.page_act(action),
            _ => return self.move_in_entries(action),
        }
        Vec::new()
    }

    fn move_in_entries(&mut self, action: Action) -> Vec<Effect> {
        let page = self.painted.room.max(2);
        let last = self.audit.entries.len().saturating_sub(1);
        let at = self.audit.selected;
        let next = match action {
            Action::Down | Action::NextMatch => at + 1,
            Action::Up | Action::PrevMatch => at.saturating_sub(1),
            Action::HalfPageDown => at + page / 2,
            Action::HalfPageUp => at.saturating_sub(page / 2),
            Action::PageDown => at + page,
            Action::PageUp => at.saturating_sub(page),
            Action::Top => 0,
            Action::Bottom => last,
            _ => return Vec::new(),
        };
        self.audit.selected = next.min(last);
        self.audit.at_end = self.audit.selected == last && next >= last && at <= next;
        if self.audit.loading {
            return Vec::new();
        }
        let first = self.audit.entries.first().map_or(0, |e| e.index);
        if self.audit.selected < page && first > 0 && self.audit.item.is_none() {
            return self.ask_entries(first.saturating_sub(PAGE as u64));
        }
        match self.audit.more {
            Some(next) if self.audit.selected + page > last => self.ask_entries(next),
            _ => Vec::new(),
        }
    }

    fn verify(&mut self) -> Vec<Effect> {
        if matches!(self.audit.verify, Verify::Running { .. }) {
            return Vec::new();
        }
        let ticket = self.ticket(Purpose::Verify);
        let all = self.header.as_ref().map_or(0, |h| h.head);
        self.audit.verify = Verify::Running { ticket, done: 0, all };
        vec![Effect::Verify { ticket, ask: VerifyAsk::default() }]
    }

    pub(super) fn verifying(&mut self, ticket: u64, done: u64, all: u64) -> Vec<Effect> {
        if matches!(self.audit.verify, Verify::Running { ticket: t, .. } if t == ticket) {
            self.audit.verify = Verify::Running { ticket, done, all };
            self.dirty |= self.view == super::View::Audit;
        }
        Vec::new()
    }

    pub(super) fn verified(
        &mut self,
        ticket: u64,
        report: Result<VerifyReport, Refused>,
    ) -> Vec<Effect> {
        if self.asked.remove(&ticket).is_none() {
            return Vec::new();
        }
        self.audit.verify = match report {
            Ok(report) => {
                if !report.ok {
                    let at =
                        report.first_bad.map_or_else(String::new, |i| format!(" at entry {i}"));
                    self.toast(Tone::Bad, format!("the trail does not verify{at}"));
                }
                Verify::Done(Box::new(report))
            }
            Err(refused) => Verify::Failed(refused),
        };
        self.dirty = true;
        Vec::new()
    }
}
