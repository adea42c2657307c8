//! The sheet that asks why: tags by their letters, a note, what would have been right.

mod form;

pub use self::form::{Field, Reason, ReasonFor, ReasonForm};
use super::bulk::BulkVerdict;
use super::edit::PAUSE;
use super::toast::Tone;
use super::verdict::{About, Order, Target};
use super::{Effect, Overlay, State};
use crate::domain::{Timestamp, Verdict, VerdictKind};
use crate::protocol::{Command, Draft};
use crate::tui::keymap::Action;

impl State {
    /// Opens the sheet for a reject of the item on show, or of every marked one.
    pub(super) fn open_reject(&mut self, repeat: bool) -> Vec<Effect> {
        if !self.marks.is_empty() {
            return self.open_bulk_reason(repeat);
        }
        if self.item().is_some_and(|v| v.blind) {
            return self.open_blind();
        }
        if self.refuse_early(VerdictKind::Reject) {
            return Vec::new();
        }
        let Some(target) = self.target() else { return Vec::new() };
        let draft =
            self.draft(&target.id).filter(|d| d.verdict.as_deref() == Some("reject")).cloned();
        self.open_reason(ReasonFor::Reject(target), draft, repeat);
        Vec::new()
    }

    fn open_bulk_reason(&mut self, repeat: bool) -> Vec<Effect> {
        self.open_reason(ReasonFor::Bulk(self.marks.len()), None, repeat);
        Vec::new()
    }

    /// `Space r`: the same, by its own key.
    pub(super) fn bulk_reject(&mut self) -> Vec<Effect> {
        if self.marks.is_empty() {
            self.toast(Tone::Info, "nothing is marked; m marks the item under the cursor");
            return Vec::new();
        }
        self.open_bulk_reason(false)
    }

    /// Opens the sheet for a new review of the settled decision under the cursor.
    pub(super) fn open_flag(&mut self) -> Vec<Effect> {
        let id = match self.view {
            super::View::Audit => self.audit.item_here(),
            super::View::Learning => self.learning.here().map(|c| c.id.clone()),
            _ => self.shown.as_ref().map(|s| s.id.clone()),
        };
        let Some(id) = id else {
            self.toast(Tone::Info, "there is no decision under the cursor");
            return Vec::new();
        };
        let open = self.item().is_some_and(|v| v.id == id && v.state.is_open());
        if open {
            self.toast(
                Tone::Info,
                format!("{id} is under review already; flags are for settled ones"),
            );
            return Vec::new();
        }
        self.open_reason(ReasonFor::Flag(id), None, false);
        Vec::new()
    }

    pub(super) fn open_reason(&mut self, about: ReasonFor, draft: Option<Draft>, repeat: bool) {
        let tags = self.policy.as_ref().map(|p| p.tags.clone()).unwrap_or_default();
        let mut form = ReasonForm::new(about, &tags);
        if let Some(draft) = draft {
            form.fill(Reason { tags: draft.tags, note: draft.note, label: None });
        }
        if repeat {
            match self.last_reason.clone() {
                Some(reason) => form.fill(reason),
                None => form.fault = Some("no reason was given yet in this session".into()),
            }
        }
        if tags.is_empty() {
            form.field = Field::Note;
        }
        self.open(Overlay::Reason(form));
    }

    pub(super) fn reason_act(&mut self, action: Action) -> Vec<Effect> {
        let last = self.last_reason.clone();
        let Some(Overlay::Reason(form)) = self.overlays.last_mut() else { return Vec::new() };
        match action {
            Action::PaneNext | Action::Down => form.next_field(true),
            Action::PanePrev | Action::Up => form.next_field(false),
            Action::RepeatReason => match last {
                Some(reason) => form.fill(reason),
                None => form.fault = Some("no reason was given yet in this session".into()),
            },
            Action::Back => return self.leave_reason(),
            Action::Submit => return self.send_reason(),
            _ => {}
        }
        Vec::new()
    }

    /// What stands in an open sheet for a reject and is not kept yet.
    pub(super) fn unsaved_reason(&self) -> Option<(String, Draft)> {
        let form = self.overlays.iter().rev().find_map(|o| match o {
            Overlay::Reason(form) => Some(form),
            _ => None,
        })?;
        let ReasonFor::Reject(target) = &form.about else { return None };
        let reason = form.reason();
        if reason == Reason::default() {
            return None;
        }
        let id = target.id.clone();
        let draft = Draft {
            tags: reason.tags,
            note: reason.note,
            verdict: Some("reject".into()),
            // A text that was typed for an edit is not lost by thinking of a reject.
            output: self.draft(&id).and_then(|d| d.output.clone()),
            ..Draft::default()
        };
        (self.draft(&id) != Some(&draft)).then_some((id, draft))
    }

    /// When a pause in filling in the sheet ends.
    pub(super) fn reason_wake(&self) -> Option<Timestamp> {
        self.unsaved_reason()?;
        self.active.checked_add(PAUSE).ok()
    }

    /// A pause: what was typed is kept.
    pub(super) fn keep_reason(&mut self) -> Vec<Effect> {
        let due = self.active.checked_add(PAUSE).is_ok_and(|at| at <= self.now);
        match self.unsaved_reason().filter(|_| due) {
            Some((id, draft)) => self.keep_draft(&id, draft),
            None => Vec::new(),
        }
    }

    /// Esc: what was typed is kept.
    fn leave_reason(&mut self) -> Vec<Effect> {
        let unsaved = self.unsaved_reason();
        let Some(Overlay::Reason(form)) = self.overlays.pop() else { return Vec::new() };
        let reason = form.reason();
        match &form.about {
            ReasonFor::Reject(_) => match unsaved {
                Some((id, draft)) => self.keep_draft(&id, draft),
                None => Vec::new(),
            },
            ReasonFor::Edit { .. } => {
                if let Some(Overlay::Edit(edit)) = self.overlays.last_mut() {
                    edit.tags = reason.tags;
                    edit.note = reason.note;
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn send_reason(&mut self) -> Vec<Effect> {
        let Some(Overlay::Reason(form)) = self.overlays.last_mut() else { return Vec::new() };
        if let Some(tag) = form.wants_note() {
            form.fault = Some(format!("{} needs a note", tag.id));
            form.field = Field::Note;
            return Vec::new();
        }
        let (reason, about) = (form.reason(), form.about.clone());
        // Where the policy names reasons, an overruled model is told one.
        if form.has_label() && !form.tags.is_empty() && reason == Reason::default() {
            form.fault = Some("say why: a tag, or a note".to_owned());
            return Vec::new();
        }
        self.close();
        let Reason { tags, note, label } = reason.clone();
        if !matches!(about, ReasonFor::Flag(_)) && reason != Reason::default() {
            self.last_reason = Some(reason);
        }
        match about {
            ReasonFor::Reject(target) => {
                let verdict = Verdict { tags, note, label, ..Verdict::plain(VerdictKind::Reject) };
                self.with_draft(&target, &verdict, None);
                self.decide(target, verdict)
            }
            ReasonFor::Edit { target, output, action } => {
                let text = match self.overlays.pop() {
                    Some(Overlay::Edit(edit)) => Some(edit.text()),
                    _ => None,
                };
                let verdict =
                    Verdict { output, action, tags, note, ..Verdict::plain(VerdictKind::Edit) };
                self.with_draft(&target, &verdict, text);
                self.decide(target, verdict)
            }
            ReasonFor::Flag(id) => {
                self.verdicts.outbox.push_back(Order {
                    command: Command::Flag { item: id.clone(), tags, note },
                    sign: false,
                    about: About::Flag(id),
                });
                self.pump()
            }
            ReasonFor::Bulk(_) => {
                self.open_bulk(BulkVerdict::Reject { tags, note, label });
                Vec::new()
            }
        }
    }

    /// What is about to be sent is kept as a draft first, so that a refusal loses nothing.
    pub(super) fn with_draft(&mut self, target: &Target, verdict: &Verdict, text: Option<String>) {
        let draft = Draft {
            output: text.or_else(|| self.draft(&target.id).and_then(|d| d.output.clone())),
            action: verdict.action.clone(),
            tags: verdict.tags.clone(),
            note: verdict.note.clone(),
            verdict: Some(verdict.verdict.as_str().to_owned()),
            to: verdict.to.clone(),
        };
        self.drafts.insert(target.id.clone(), draft);
    }
}
