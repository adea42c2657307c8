//! Rows and header kept fresh: a page at a time, at most a few times a second, never in the way.

use jiff::SignedDuration;

use super::list::Want;
use super::{Effect, Purpose, State};
use crate::protocol::{Header, Page, PageAsk, Query, Refused, Reply, Row};

/// Changes that come faster are taken together.
const PACE: SignedDuration = SignedDuration::from_millis(250);

/// Another policy may govern: its name, the control generation or the queues are not the same.
fn governed_anew(old: &Header, new: &Header) -> bool {
    fn queues(header: &Header) -> impl Iterator<Item = (&str, u8, bool)> {
        header.queues.iter().map(|q| (q.name.as_str(), q.level, q.signed))
    }
    old.policy != new.policy || old.generation != new.generation || queues(old).ne(queues(new))
}

impl State {
    /// Looks again: now, or when the last look is old enough.
    pub(super) fn refresh(&mut self) -> Vec<Effect> {
        let due = self.refreshed_at.checked_add(PACE).unwrap_or(self.now);
        if due > self.now {
            self.refresh_due = Some(due);
            return Vec::new();
        }
        self.refresh_now()
    }

    /// Looks again, now.
    pub(super) fn refresh_now(&mut self) -> Vec<Effect> {
        self.refresh_due = None;
        self.refreshed_at = self.now;
        let mut effects = self.refresh_header();
        if self.list.loaded {
            effects.extend(self.want_rows(&Want::Refresh, true));
        } else {
            effects.extend(self.load_rows());
        }
        effects.extend(self.refresh_view());
        effects
    }

    pub(super) fn refresh_header(&mut self) -> Vec<Effect> {
        if !self.header_slot.wants_again(&()) {
            return Vec::new();
        }
        let (ticket, effect) = self.ask(Purpose::Header, Query::Header);
        self.header_slot.started(ticket, ());
        vec![effect]
    }

    pub(super) fn header_came(
        &mut self,
        ticket: u64,
        reply: Result<Reply, Refused>,
    ) -> Vec<Effect> {
        let again = self.header_slot.ended(ticket).is_some();
        let mut effects = Vec::new();
        match reply {
            Ok(Reply::Header(header)) => {
                let news = self
                    .header
                    .as_ref()
                    .is_none_or(|old| *old != Header { now: old.now, ..(*header).clone() });
                if self.header.as_ref().is_some_and(|old| governed_anew(old, &header)) {
                    effects.push(self.ask(Purpose::Policy, Query::Policy).1);
                }
                let first = self.header.is_none();
                let old = self.header.take();
                self.dirty |= news || self.header_failed.is_some();
                self.header = Some(*header);
                self.header_at = self.now;
                self.header_failed = None;
                effects.extend(self.outbox_news(old.as_ref()));
                // The rows came first, before it was known whose they are.
                if first && self.list.row().is_some_and(|row| self.above_me(row)) {
                    let free = self.free_from(0).unwrap_or(0);
                    self.list.select_index(free);
                    effects.extend(self.follow_selection(true));
                }
            }
            other => {
                let failed = super::asks::failure(other);
                self.dirty |= self.header_failed.as_ref() != Some(&failed);
                self.header_failed = Some(failed);
            }
        }
        if again {
            effects.extend(self.refresh_header());
        }
        effects
    }

    /// Fetches what the list needs next, if anything.
    pub(super) fn load_rows(&mut self) -> Vec<Effect> {
        match self.list.needs() {
            Some(want) if self.list.failed.is_none() => self.want_rows(&want, false),
            _ => Vec::new(),
        }
    }

    pub(super) fn want_rows(&mut self, want: &Want, again: bool) -> Vec<Effect> {
        let may = if again { self.list.slot.wants_again(want) } else { self.list.slot.wants(want) };
        if may { self.ask_rows(want.clone()) } else { Vec::new() }
    }

    fn ask_rows(&mut self, want: Want) -> Vec<Effect> {
        let ask = self.list.ask(&want);
        let (ticket, effect) =
            self.ask(Purpose::Page(want.clone(), Box::new(ask.clone())), Query::Page(ask));
        self.list.slot.started(ticket, want);
        vec![effect]
    }

    /// Another filter or queue: what was being read is not wanted any more.
    pub(super) fn reload_rows(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(ticket) = self.list.slot.cancel() {
            self.asked.remove(&ticket);
            effects.push(Effect::Cancel { ticket });
        }
        effects.extend(self.load_rows());
        self.dirty = true;
        effects
    }

    pub(super) fn page_came(
        &mut self,
        ticket: u64,
        want: &Want,
        ask: &PageAsk,
        page: Page,
    ) -> Vec<Effect> {
        let next = self.list.slot.ended(ticket);
        let before = self.on_screen();
        let selected = self.list.selected.clone();
        let busy = self.busy_item();
        let first = !self.list.loaded;
        for row in &page.items {
            self.kept.older(&row.id, row.revision);
        }
        self.list.took(want, ask, page);
        if first && selected.is_none() {
            let free = self.free_from(0).unwrap_or(0);
            self.list.select_index(free);
        }
        self.dirty |= before != self.on_screen();
        let mut effects = Vec::new();
        match busy {
            // Somebody is writing about this item: it stays on show whatever the list does.
            Some(id) if self.list.selected.as_ref() != Some(&id) => {
                self.list.select(&id);
            }
            _ => effects.extend(self.follow_selection(first || selected.is_none())),
        }
        effects.extend(self.row_news());
        if let Some(want) = next {
            effects.extend(self.ask_rows(want));
        } else {
            effects.extend(self.load_rows());
        }
        effects.extend(self.prefetch());
        effects
    }

    pub(super) fn page_failed(&mut self, ticket: u64, refused: Refused) -> Vec<Effect> {
        let next = self.list.slot.ended(ticket);
        self.toast_refused("the queue could not be read: ", &refused);
        self.list.failed = Some(refused);
        next.map(|want| self.ask_rows(want)).unwrap_or_default()
    }

    /// What of the list a person sees.
    fn on_screen(&self) -> (Vec<Row>, Option<String>, usize, (u64, bool), u64, u64) {
        let rows = self.list.rows.iter().skip(self.list.top).take(self.list.height);
        (
            rows.cloned().collect(),
            self.list.selected.clone(),
            self.list.top,
            self.list.matching(),
            self.list.scanned,
            self.list.arrived(),
        )
    }

    /// The row of the item on show says something newer than the item does: load it again.
    fn row_news(&mut self) -> Vec<Effect> {
        let Some(shown) = &self.shown else { return Vec::new() };
        let Some(view) = &shown.view else { return Vec::new() };
        let Some(row) = self.list.find(&shown.id) else { return Vec::new() };
        let holder = view.lease.as_ref().filter(|l| l.until > self.now).map(|l| &l.reviewer);
        let mine = shown.epoch(self.now).is_some();
        let other = row.leased_by.as_ref().filter(|by| **by != self.me);
        let changed = row.revision != view.revision
            || row.queue != view.queue
            || (other != holder.filter(|by| **by != self.me))
            || (mine && other.is_some());
        if changed { self.reload_item() } else { Vec::new() }
    }

    /// The next row after the selection that this reviewer could take.
    pub(super) fn next_free(&self) -> Option<&Row> {
        let from = self.list.index().map_or(0, |i| i + 1);
        self.list.rows.get(self.free_from(from)?)
    }

    /// The row's queue is of a higher level than the reviewer, or asks for a skill they lack.
    pub fn above_me(&self, row: &Row) -> bool {
        let Some(header) = &self.header else { return false };
        let queue = header.queues.iter().find(|q| q.name == row.queue);
        let lacks = |skill: &String| !header.reviewer.skills.contains(skill);
        row.level > header.reviewer.level || queue.is_some_and(|q| q.skills.iter().any(lacks))
    }

    /// Index of the first row from `from` on, then from the top, that is free to take.
    pub(super) fn free_from(&self, from: usize) -> Option<usize> {
        let free = |row: &Row| {
            row.state.is_open()
                && !self.skipped.contains(&row.id)
                && row.leased_by.as_ref().is_none_or(|by| *by == self.me)
                && !self.above_me(row)
                && self.unsent_on(&row.id).is_none()
                && self.shown.as_ref().is_none_or(|s| s.id != row.id)
        };
        let rows = &self.list.rows;
        let after = rows.iter().enumerate().skip(from).find(|(_, r)| free(r));
        after.or_else(|| rows.iter().enumerate().take(from).find(|(_, r)| free(r))).map(|(i, _)| i)
    }
}
