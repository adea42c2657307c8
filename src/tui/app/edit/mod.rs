//! The editor: text and action to correct, JSON checked while typing, drafts kept at every pause.

mod form;

use jiff::SignedDuration;
use tui_textarea::CursorMove;

pub use self::form::{EditField, EditForm, SyntaxFault, show_output};
use super::reason::ReasonFor;
use super::toast::Tone;
use super::verdict::{About, Order};
use super::{Effect, Overlay, Purpose, State};
use crate::domain::{Fault, Timestamp, Verdict, VerdictKind};
use crate::protocol::{Command, Query};
use crate::tui::keymap::Action;

/// A pause this long, and the draft is kept.
pub(super) const PAUSE: SignedDuration = SignedDuration::from_millis(800);
/// A pause this long, and the output is checked.
const CHECK: SignedDuration = SignedDuration::from_millis(150);

impl State {
    /// Opens the editor on the item on show. `outside`: in the reviewer's own editor.
    pub(super) fn open_edit(&mut self, outside: bool) -> Vec<Effect> {
        if self.item().is_some_and(|v| v.blind) {
            return self.open_blind();
        }
        if self.refuse_early(VerdictKind::Edit) {
            return Vec::new();
        }
        let Some(target) = self.target() else { return Vec::new() };
        let Some(view) = self.item().cloned() else { return Vec::new() };
        let draft = self.draft(&view.id).cloned();
        let Some(form) = EditForm::new(target, &view, draft.as_ref(), self.now) else {
            self.toast(Tone::Info, format!("{} has nothing to edit", view.id));
            return Vec::new();
        };
        self.open(Overlay::Edit(Box::new(form)));
        let mut effects = self.check_now();
        if outside {
            effects.extend(self.edit_outside());
        }
        effects
    }

    /// The open editor, whatever lies over it.
    fn edit_form(&mut self) -> Option<&mut EditForm> {
        self.overlays.iter_mut().rev().find_map(|o| match o {
            Overlay::Edit(form) => Some(&mut **form),
            _ => None,
        })
    }

    pub(super) fn edit_act(&mut self, action: Action) -> Vec<Effect> {
        let now = self.now;
        let Some(form) = self.edit_form() else { return Vec::new() };
        match action {
            Action::PaneNext | Action::PanePrev if !form.repair => {
                form.field = match form.field {
                    EditField::Text => EditField::Action,
                    EditField::Action => EditField::Text,
                };
                Vec::new()
            }
            Action::PaneNext => {
                form.area.insert_tab();
                form.touched(now);
                Vec::new()
            }
            Action::Submit => self.submit_edit(),
            Action::Back => {
                let effects = self.save_open_draft(false);
                self.close();
                effects
            }
            Action::ExternalEditor => self.edit_outside(),
            Action::Down => self.area_moves(CursorMove::Down),
            Action::Up => self.area_moves(CursorMove::Up),
            _ => Vec::new(),
        }
    }

    fn area_moves(&mut self, to: CursorMove) -> Vec<Effect> {
        if let Some(form) = self.edit_form() {
            form.area.move_cursor(to);
        }
        Vec::new()
    }

    fn submit_edit(&mut self) -> Vec<Effect> {
        let Some(form) = self.edit_form() else { return Vec::new() };
        let (output, action) = form.changes();
        if let Some(fault) = &form.syntax {
            form.message = Some(format!("this is not JSON yet: {}", fault.message));
            return Vec::new();
        }
        if let Some(fault) = form.current_faults().first() {
            form.message = Some(format!("the schema does not hold: {fault}"));
            return Vec::new();
        }
        if output.is_none() && action.is_none() {
            form.message = Some("nothing is changed yet; Esc closes, a accepts".to_owned());
            return Vec::new();
        }
        let (target, tags, note) = (form.target.clone(), form.tags.clone(), form.note.clone());
        let (text, repair) = (form.text(), form.repair);
        let taxonomy = self.policy.as_ref().is_some_and(|p| !p.tags.is_empty());
        if taxonomy && tags.is_empty() && !repair {
            self.open_reason(ReasonFor::Edit { target, output, action }, None, false);
            return Vec::new();
        }
        self.close();
        let verdict = Verdict { output, action, tags, note, ..Verdict::plain(VerdictKind::Edit) };
        self.with_draft(&target, &verdict, Some(text));
        self.decide(target, verdict)
    }

    fn edit_outside(&mut self) -> Vec<Effect> {
        let Some(form) = self.edit_form() else { return Vec::new() };
        let suffix = if form.json { ".json" } else { ".md" };
        let text = form.text();
        self.outside = true;
        vec![Effect::Edit { text, suffix }]
    }

    /// The external editor ended.
    pub(super) fn edited_outside(&mut self, result: Result<Option<String>, String>) -> Vec<Effect> {
        let now = self.now;
        self.dirty = true;
        self.outside = false;
        self.active = now;
        match result {
            Err(why) => self.toast(Tone::Bad, why),
            Ok(None) => {
                if let Some(form) = self.edit_form() {
                    form.message = Some("the editor changed nothing".to_owned());
                }
            }
            Ok(Some(text)) => {
                if let Some(form) = self.edit_form() {
                    form.replace(&text, now);
                }
            }
        }
        let mut effects = vec![Effect::Redraw];
        effects.extend(self.check_now());
        effects
    }

    /// When a pause in typing ends.
    pub(super) fn edit_wake(&self) -> Option<Timestamp> {
        let form = self.overlays.iter().find_map(|o| match o {
            Overlay::Edit(form) => Some(form),
            _ => None,
        })?;
        let after = |d| form.changed.checked_add(d).ok();
        let wants = form.wants_check() || form.compared != form.version;
        let check = wants.then(|| after(CHECK)).flatten();
        let save = (form.saved != form.version).then(|| after(PAUSE)).flatten();
        [check, save].into_iter().flatten().min()
    }

    /// A pause in typing: check and keep what stands there.
    pub(super) fn edit_pause(&mut self) -> Vec<Effect> {
        let now = self.now;
        let Some(form) = self.edit_form() else { return Vec::new() };
        let passed = now.duration_since(form.changed);
        let (check, save) = (form.wants_check() && passed >= CHECK, passed >= PAUSE);
        let compare = form.compared != form.version && passed >= CHECK;
        if compare {
            form.compared = form.version;
        }
        self.dirty |= compare;
        let mut effects = if check { self.check_now() } else { Vec::new() };
        if save {
            effects.extend(self.save_open_draft(false));
        }
        effects
    }

    fn check_now(&mut self) -> Vec<Effect> {
        let Some(form) = self.edit_form() else { return Vec::new() };
        form.asked_check = form.version;
        let (version, domain) = (form.version, form.domain.clone());
        let repairs = form.repair.then(|| form.target.id.clone());
        match form.parse() {
            Some(output) => {
                let query = Query::CheckOutput { domain, output, repairs };
                vec![self.ask(Purpose::Check(version), query).1]
            }
            None => Vec::new(),
        }
    }

    /// The schema's answer; one for an older text is stale.
    pub(super) fn checked(&mut self, version: u64, faults: Option<Vec<Fault>>) -> Vec<Effect> {
        if let Some(form) = self.edit_form()
            && form.version == version
        {
            form.checked = version;
            form.faults = faults.unwrap_or_default();
            self.dirty = true;
        }
        Vec::new()
    }

    /// Keeps what stands in an open editor or sheet; `ordered`: before the app ends.
    pub(super) fn save_open_draft(&mut self, ordered: bool) -> Vec<Effect> {
        let form = self.edit_form().filter(|f| f.saved != f.version);
        let edited = form.map(|form| {
            form.saved = form.version;
            (form.target.id.clone(), form.draft())
        });
        if !ordered {
            return edited.map(|(id, draft)| self.keep_draft(&id, draft)).unwrap_or_default();
        }
        for (id, draft) in edited.into_iter().chain(self.unsaved_reason()) {
            self.verdicts.outbox.push_back(Order {
                command: Command::SaveDraft { item: id.clone(), draft },
                sign: false,
                about: About::Draft(id),
            });
        }
        Vec::new()
    }
}
