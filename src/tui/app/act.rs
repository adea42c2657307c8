//! What an action does, by where it is done.

use super::list::Want;
use super::toast::Tone;
use super::{Effect, Overlay, Pane, State, View};
use crate::domain::{Kind, Verdict, VerdictKind};
use crate::tui::keymap::{Action, Context};

impl State {
    /// Where a key is pressed now.
    pub fn context(&self) -> Context {
        if let Some(overlay) = self.overlays.last() {
            return overlay.context();
        }
        match (self.view, self.pane) {
            (View::Queue, Pane::List) => Context::Queue,
            (View::Queue, Pane::Item) => Context::Item,
            (View::Signals, _) => Context::Signals,
            (View::Containment, _) => Context::Containment,
            (View::Audit, _) => Context::Audit,
            (View::Learning, _) => Context::Learning,
            (View::Policy, _) => Context::Policy,
        }
    }

    /// Does an action where the reviewer is.
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        if self.ending.is_some() {
            return Vec::new();
        }
        self.dirty = true;
        match action {
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Help if !matches!(self.overlays.last(), Some(Overlay::Help(_))) => {
                return self.open_help();
            }
            _ => {}
        }
        if !self.overlays.is_empty() {
            return self.overlay_act(action);
        }
        match action {
            Action::Palette => self.open_palette(),
            Action::Refresh => {
                self.list.failed = None;
                self.list.looked();
                self.prefetch_failed = None;
                let mut effects = self.refresh_now();
                effects.extend(self.reload_item());
                match self.view {
                    View::Signals => {
                        effects.extend(self.reread_signals());
                        effects.extend(self.read_distribution());
                    }
                    View::Containment => effects.extend(self.reread_containment()),
                    _ => {}
                }
                effects
            }
            Action::Quit => match self.view {
                View::Queue => self.quit(),
                _ => self.go(View::Queue),
            },
            Action::ViewQueue => self.go(View::Queue),
            Action::ViewSignals => self.go(View::Signals),
            Action::ViewContainment => self.go(View::Containment),
            Action::ViewAudit => self.go(View::Audit),
            Action::ViewLearning => self.go(View::Learning),
            Action::ViewPolicy => self.go(View::Policy),
            Action::ViewNext => self.turn(1),
            Action::ViewPrev => self.turn(View::ALL.len() - 1),
            Action::Undo => self.undo(),
            _ => match self.view {
                View::Queue => self.queue_act(action),
                View::Audit => self.audit_act(action),
                View::Learning => self.learning_act(action),
                View::Signals => self.signals_act(action),
                View::Containment => self.containment_act(action),
                View::Policy => self.page_act(action),
            },
        }
    }

    pub(super) fn go(&mut self, view: View) -> Vec<Effect> {
        if self.view == view {
            return Vec::new();
        }
        self.view = view;
        self.page_scroll = 0;
        self.refresh_view()
    }

    fn turn(&mut self, by: usize) -> Vec<Effect> {
        let at = View::ALL.iter().position(|v| *v == self.view).unwrap_or(0);
        let next = View::ALL.iter().cycle().nth(at + by);
        next.map(|view| self.go(*view)).unwrap_or_default()
    }

    fn queue_act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Accept => self.accept(),
            Action::Edit => self.open_edit(false),
            Action::ExternalEditor => self.open_edit(true),
            Action::Reject => self.open_reject(false),
            Action::RepeatReason => self.open_reject(true),
            Action::Escalate => self.open_move(),
            Action::Skip => self.skip(),
            Action::TakeBack => self.take_back(),
            Action::TakeAlong => self.take_along(),
            Action::Answer => self.open_blind(),
            Action::Flag => self.open_flag(),
            Action::Guideline => self.open_guideline(),
            Action::RawView => self.open_raw(),
            Action::CopyId => self.copy_id(),
            Action::Mark => self.mark(),
            Action::MarkAll => self.mark_all(),
            Action::BulkAccept => self.bulk_accept(),
            Action::BulkReject => self.bulk_reject(),
            Action::Filter => self.open_filter(),
            Action::PickQueue => self.open_queues(),
            Action::NextMatch => self.step(1),
            Action::PrevMatch => self.step(-1),
            Action::PaneNext | Action::PanePrev => {
                self.pane = match self.pane {
                    Pane::List => Pane::Item,
                    Pane::Item => Pane::List,
                };
                Vec::new()
            }
            Action::Open => {
                self.pane = Pane::Item;
                let blind = self.item().is_some_and(|v| v.blind);
                if blind { self.open_blind() } else { Vec::new() }
            }
            Action::Fold => {
                self.folded = !self.folded;
                Vec::new()
            }
            Action::Back => self.back(),
            Action::Kill => self.open_kill(),
            _ if self.pane == Pane::Item => {
                self.scroll_item(action);
                Vec::new()
            }
            _ => self.move_in_list(action),
        }
    }

    /// Esc in the queue: toasts go first, then the item, then the marks, then the filter.
    fn back(&mut self) -> Vec<Effect> {
        if !self.toasts.is_empty() {
            self.toasts.clear();
            return Vec::new();
        }
        if self.pane == Pane::Item {
            self.pane = Pane::List;
            return Vec::new();
        }
        if !self.marks.is_empty() {
            let n = self.marks.len();
            self.marks.clear();
            self.toast(Tone::Info, format!("unmarked {n}"));
            return Vec::new();
        }
        if !self.list.filter_text.is_empty() {
            return self.set_filter("");
        }
        Vec::new()
    }

    fn move_in_list(&mut self, action: Action) -> Vec<Effect> {
        let half = isize::try_from(self.list.height / 2).unwrap_or(1).max(1);
        match action {
            Action::Down => self.step(1),
            Action::Up => self.step(-1),
            Action::HalfPageDown => self.step(half),
            Action::HalfPageUp => self.step(-half),
            Action::PageDown => self.step(half * 2),
            Action::PageUp => self.step(-half * 2),
            Action::Top => self.go_to_edge(&Want::Start),
            Action::Bottom => self.go_to_edge(&Want::End),
            _ => Vec::new(),
        }
    }

    fn step(&mut self, by: isize) -> Vec<Effect> {
        self.list.step(by);
        let mut effects = self.follow_selection(false);
        effects.extend(self.load_rows());
        effects
    }

    fn go_to_edge(&mut self, edge: &Want) -> Vec<Effect> {
        self.list.looked();
        let (there, index) = match edge {
            Want::Start => (self.list.at_start(), 0),
            _ => (self.list.at_end(), usize::MAX),
        };
        if there {
            self.list.select_index(index);
            return self.follow_selection(false);
        }
        self.list.selected = None;
        self.list.select_index(index);
        self.list.selected = None;
        self.want_rows(edge, true)
    }

    fn scroll_item(&mut self, action: Action) {
        let (lines, room) = (self.painted.lines, self.painted.room);
        if let Some(shown) = &mut self.shown {
            shown.scroll = scrolled(shown.scroll, action, lines, room);
        }
    }

    /// Scrolling of views that are one page.
    pub(super) fn page_act(&mut self, action: Action) -> Vec<Effect> {
        if action == Action::Kill {
            return self.open_kill();
        }
        if action == Action::Back && !self.toasts.is_empty() {
            self.toasts.clear();
            return Vec::new();
        }
        self.page_scroll =
            scrolled(self.page_scroll, action, self.painted.lines, self.painted.room);
        Vec::new()
    }

    fn accept(&mut self) -> Vec<Effect> {
        if !self.marks.is_empty() {
            return self.bulk_accept();
        }
        if self.item().is_some_and(|v| v.blind) {
            return self.open_blind();
        }
        if self.refuse_early(VerdictKind::Accept) {
            return Vec::new();
        }
        match self.target() {
            Some(target) => self.decide(target, Verdict::plain(VerdictKind::Accept)),
            None => Vec::new(),
        }
    }

    /// Says at once what the desk would say: what cannot be decided now, and why.
    pub(super) fn refuse_early(&mut self, kind: VerdictKind) -> bool {
        let Some(shown) = &self.shown else {
            self.toast(Tone::Info, "there is no item to decide");
            return true;
        };
        let Some(view) = shown.view.clone() else { return false };
        if let Some(unsent) = self.unsent_on(&view.id) {
            let done = super::verdict::past(unsent.verdict);
            let text = format!("{} is {done} here already, not yet sent", view.id);
            self.toast_hint(Tone::Warn, text, Some("u takes it back".to_owned()));
            return true;
        }
        if let super::item::Hold::Denied(refused) = &shown.hold {
            let refused = refused.clone();
            self.toast_refused("", &refused);
            return true;
        }
        let holder = view.lease.as_ref().filter(|l| l.reviewer != self.me && l.until > self.now);
        if let Some(lease) = holder
            && !matches!(shown.hold, super::item::Hold::Mine { .. })
        {
            let text = format!("{} is leased to {}; nothing was decided", view.id, lease.reviewer);
            self.toast_hint(
                Tone::Warn,
                text,
                Some("take another, or wait until it is free".to_owned()),
            );
            return true;
        }
        if !view.state.is_open() {
            let text = format!("{} is {}, not waiting for a verdict", view.id, view.state.as_str());
            let hint = "u takes back your last verdict; F flags a settled decision".to_owned();
            self.toast_hint(Tone::Info, text, Some(hint));
            return true;
        }
        if view.kind == Kind::Quarantine && kind == VerdictKind::Accept {
            let text = format!("{} is a broken record and cannot be accepted", view.id);
            let hint = "e repairs it, r rejects it".to_owned();
            self.toast_hint(Tone::Warn, text, Some(hint));
            return true;
        }
        if view.signed && !self.signs {
            let text =
                format!("verdicts in {} must be signed, and no key is set up here", view.queue);
            let hint = "start again with --sign KEY: your ssh key's file".to_owned();
            self.toast_hint(Tone::Warn, text, Some(hint));
            return true;
        }
        false
    }

    fn skip(&mut self) -> Vec<Effect> {
        let Some(id) = self.shown.as_ref().map(|s| s.id.clone()) else { return Vec::new() };
        self.skipped.insert(id.clone());
        let from = self.list.index().map_or(0, |i| i + 1);
        match self.free_from(from) {
            Some(index) => self.list.select_index(index),
            None => {
                // Everything was stepped over: begin again.
                self.skipped.clear();
                self.skipped.insert(id);
                match self.free_from(from) {
                    Some(index) => self.list.select_index(index),
                    None => {
                        self.toast(Tone::Info, "there is no other free item to go to");
                        return Vec::new();
                    }
                }
            }
        }
        let mut effects = self.follow_selection(true);
        effects.extend(self.load_rows());
        effects
    }

    /// Asks before somebody loses what they have in hand.
    fn take_back(&mut self) -> Vec<Effect> {
        let Some(id) = self.shown.as_ref().map(|s| s.id.clone()) else { return Vec::new() };
        let held = self.item().and_then(|v| v.lease.as_ref()).filter(|l| l.until > self.now);
        match held.map(|l| l.reviewer == self.me) {
            Some(false) => self.open_sure(super::ControlAct::TakeBack(id)),
            Some(true) => {
                self.toast(Tone::Info, format!("{id} is in your own hands: s gives it back"));
                Vec::new()
            }
            None => {
                self.toast(Tone::Info, format!("nobody has {id} in hand"));
                Vec::new()
            }
        }
    }

    pub(super) fn copy_id(&mut self) -> Vec<Effect> {
        let id = match self.view {
            View::Audit => self.audit.item_here(),
            View::Learning => self.learning.here().map(|c| c.id.clone()),
            View::Signals => self.signal_id(),
            _ => self.list.selected.clone().or_else(|| self.shown.as_ref().map(|s| s.id.clone())),
        };
        let Some(id) = id else { return Vec::new() };
        self.toast(Tone::Info, format!("copied {id}"));
        vec![Effect::Copy(id)]
    }

    fn mark(&mut self) -> Vec<Effect> {
        let Some(row) = self.list.row().cloned() else { return Vec::new() };
        if self.marks.remove(&row.id).is_none() {
            self.marks.insert(row.id.clone(), row);
        }
        self.step(1)
    }

    fn mark_all(&mut self) -> Vec<Effect> {
        if !self.marks.is_empty() {
            self.marks.clear();
            return Vec::new();
        }
        let shown = self.list.rows.iter().skip(self.list.top).take(self.list.height);
        self.marks = shown.map(|r| (r.id.clone(), r.clone())).collect();
        Vec::new()
    }
}

/// Where the cursor of a list of `rows` rows goes by an action, with room for `room` of them.
pub(super) fn moved(at: usize, action: Action, rows: usize, room: usize) -> usize {
    let page = room.max(2);
    let last = rows.saturating_sub(1);
    let next = match action {
        Action::Down | Action::NextMatch => at.saturating_add(1),
        Action::Up | Action::PrevMatch => at.saturating_sub(1),
        Action::HalfPageDown => at.saturating_add(page / 2),
        Action::HalfPageUp => at.saturating_sub(page / 2),
        Action::PageDown => at.saturating_add(page),
        Action::PageUp => at.saturating_sub(page),
        Action::Top => 0,
        Action::Bottom => last,
        _ => at,
    };
    next.min(last)
}

/// Where a page of `lines` in a room of `room` lines is scrolled to by `action`.
pub(super) fn scrolled(at: usize, action: Action, lines: usize, room: usize) -> usize {
    let page = room.saturating_sub(1).max(1);
    let half = (room / 2).max(1);
    let last = lines.saturating_sub(room);
    let next = match action {
        Action::Down => at.saturating_add(1),
        Action::Up => at.saturating_sub(1),
        Action::HalfPageDown => at.saturating_add(half),
        Action::HalfPageUp => at.saturating_sub(half),
        Action::PageDown => at.saturating_add(page),
        Action::PageUp => at.saturating_sub(page),
        Action::Top => 0,
        Action::Bottom => last,
        _ => at,
    };
    next.min(last)
}
