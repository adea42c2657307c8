//! The editor: text and action to correct, JSON checked while typing, drafts kept at every pause.

use crossterm::event::KeyEvent;
use jiff::SignedDuration;
use ratatui::style::{Modifier, Style};
use serde_json::Value;
use tui_textarea::{CursorMove, TextArea, WrapMode};

use super::line::{self, Line};
use super::reason::ReasonFor;
use super::toast::Tone;
use super::verdict::{About, Order, Target};
use super::{Effect, Overlay, Purpose, State};
use crate::domain::{Fault, Kind, Output, Timestamp, Verdict, VerdictKind};
use crate::protocol::{Command, Draft, ItemView, Query};
use crate::tui::keymap::{Action, Context};

/// A pause this long, and the draft is kept.
pub(super) const PAUSE: SignedDuration = SignedDuration::from_millis(800);
/// A pause this long, and the output is checked.
const CHECK: SignedDuration = SignedDuration::from_millis(150);

/// Which field has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditField {
    Text,
    Action,
}

/// Where JSON stops being JSON. Line and column from 0, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxFault {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// The editor.
#[derive(Debug)]
pub struct EditForm {
    pub target: Target,
    pub domain: String,
    pub area: TextArea<'static>,
    pub action: Line,
    pub field: EditField,
    /// What stands now, as text; the diff's old side. May hide characters that `area` does not.
    pub original: String,
    original_value: Value,
    original_action: String,
    /// The output is JSON.
    pub json: bool,
    /// A broken record is being repaired: the text is the whole record.
    pub repair: bool,
    /// Characters that could not be seen and were left out of the editor's text.
    pub left_out: usize,
    pub syntax: Option<SyntaxFault>,
    /// What the schema says of the text at version `checked`.
    pub faults: Vec<Fault>,
    checked: u64,
    asked_check: u64,
    /// Rises with every change of the text.
    pub version: u64,
    saved: u64,
    changed: Timestamp,
    /// The item has another revision now than when the editor was opened.
    pub moved: bool,
    pub tags: Vec<String>,
    pub note: Option<String>,
    pub message: Option<String>,
}

impl EditForm {
    fn new(target: Target, view: &ItemView, draft: Option<&Draft>, now: Timestamp) -> Option<Self> {
        let repair = view.kind == Kind::Quarantine;
        let (original_value, original_action) = match (&view.current, repair) {
            (_, true) => (view.record.clone(), String::new()),
            (Some(current), false) => (current.output.clone(), current.action.clone()),
            (None, false) => return None,
        };
        // Tags chosen for a reject are not the reasons of an edit.
        let reasons = draft.filter(|d| d.verdict.as_deref() != Some("reject"));
        let json = !original_value.is_string();
        let original = show_output(&original_value);
        let draft = draft.filter(|d| d.output.is_some());
        let text = draft.and_then(|d| d.output.clone()).unwrap_or_else(|| original.clone());
        let action =
            draft.and_then(|d| d.action.clone()).unwrap_or_else(|| original_action.clone());
        let (seen, left_out) = visible(&text);
        let mut form = Self {
            target,
            domain: view.route_domain(),
            area: area(&seen),
            action: Line::with(&action),
            field: EditField::Text,
            original,
            original_value,
            original_action,
            json,
            repair,
            left_out,
            syntax: None,
            faults: Vec::new(),
            checked: 0,
            asked_check: 0,
            version: 1,
            saved: 1,
            changed: now,
            moved: false,
            tags: reasons.map(|d| d.tags.clone()).unwrap_or_default(),
            note: reasons.and_then(|d| d.note.clone()),
            message: draft.map(|_| "your draft is back".to_owned()),
        };
        form.parse();
        Some(form)
    }

    /// The text in the editor.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    pub(super) fn context(&self) -> Context {
        match self.field {
            EditField::Text => Context::Editor,
            EditField::Action => Context::Prompt,
        }
    }

    fn parse(&mut self) -> Option<Value> {
        self.syntax = None;
        if !self.json {
            return None;
        }
        match serde_json::from_str::<Value>(&self.text()) {
            Ok(value) if value.is_object() => Some(value),
            Ok(_) => {
                let message = "the output must be an object: { … }".to_owned();
                self.syntax = Some(SyntaxFault { line: 0, column: 0, message });
                None
            }
            Err(error) => {
                // serde_json counts lines from 1 and columns in bytes from 1; 0 is "before the line".
                let line = error.line().saturating_sub(1);
                let bytes = error.column().saturating_sub(1);
                let text = self.area.lines().get(line).map_or("", String::as_str);
                let column = text.char_indices().take_while(|(i, _)| *i < bytes).count();
                let message = error.to_string();
                let message = message.split(" at line").next().unwrap_or_default().to_owned();
                self.syntax = Some(SyntaxFault { line, column, message });
                None
            }
        }
    }

    /// Text or action, if they differ from what stands.
    fn changes(&mut self) -> (Option<Output>, Option<String>) {
        let value = if self.json { self.parse() } else { Some(Value::String(self.text())) };
        let output = value.filter(|v| *v != self.original_value);
        let action = self.action.said().filter(|a| !self.repair && *a != self.original_action);
        (output, action)
    }

    fn touched(&mut self, now: Timestamp) {
        self.version += 1;
        self.changed = now;
        self.message = None;
        self.parse();
    }

    pub(super) fn typed(&mut self, event: &KeyEvent, now: Timestamp) {
        let changed = match self.field {
            EditField::Text => self.area.input(*event),
            EditField::Action => self.action.key(event),
        };
        if changed {
            self.touched(now);
        }
    }

    pub(super) fn pasted(&mut self, text: &str, now: Timestamp) {
        match self.field {
            EditField::Text => {
                let (seen, left_out) = visible(text);
                self.left_out += left_out;
                self.area.insert_str(seen);
            }
            EditField::Action => self.action.insert(text),
        }
        self.touched(now);
    }

    fn replace(&mut self, text: &str, now: Timestamp) {
        let (seen, left_out) = visible(text.strip_suffix('\n').unwrap_or(text));
        self.left_out += left_out;
        // One change, so that undo in the editor brings the old text back.
        self.area.select_all();
        self.area.insert_str(seen);
        self.area.move_cursor(CursorMove::Top);
        self.touched(now);
    }

    fn draft(&self) -> Draft {
        let action = self.action.said().filter(|a| *a != self.original_action);
        Draft {
            output: Some(self.text()),
            action,
            tags: self.tags.clone(),
            note: self.note.clone(),
            verdict: Some("edit".into()),
            to: None,
        }
    }

    fn wants_check(&self) -> bool {
        self.json && !self.repair && self.asked_check != self.version
    }

    /// Faults of the text as it is now (older ones would point at the wrong place).
    pub fn current_faults(&self) -> &[Fault] {
        if self.checked == self.version { &self.faults } else { &[] }
    }
}

/// An output as a person edits it.
pub fn show_output(output: &Value) -> String {
    match output {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_else(|_| other.to_string()),
    }
}

/// The text without characters that cannot be seen, and how many those were. Line breaks and
/// tabs stay; CR LF is a line break.
fn visible(text: &str) -> (String, usize) {
    let mut left_out = 0;
    let text = text.replace("\r\n", "\n");
    let seen = text
        .chars()
        .filter(|c| {
            let keep = matches!(c, '\n' | '\t') || !line::hidden(*c);
            left_out += usize::from(!keep);
            keep
        })
        .collect();
    (seen, left_out)
}

fn area(text: &str) -> TextArea<'static> {
    let mut area = TextArea::from(text.split('\n'));
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_tab_length(2);
    area.set_cursor_line_style(Style::new());
    area.set_cursor_style(Style::new().add_modifier(Modifier::REVERSED));
    area
}

impl ItemView {
    /// The record's domain; broken records may have none.
    pub(crate) fn route_domain(&self) -> String {
        self.record.get("domain").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

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
        let check = (form.wants_check()).then(|| after(CHECK)).flatten();
        let save = (form.saved != form.version).then(|| after(PAUSE)).flatten();
        [check, save].into_iter().flatten().min()
    }

    /// A pause in typing: check and keep what stands there.
    pub(super) fn edit_pause(&mut self) -> Vec<Effect> {
        let now = self.now;
        let Some(form) = self.edit_form() else { return Vec::new() };
        let passed = now.duration_since(form.changed);
        let (check, save) = (form.wants_check() && passed >= CHECK, passed >= PAUSE);
        let mut effects = if check { self.check_now() } else { Vec::new() };
        if save {
            effects.extend(self.save_open_draft(false));
        }
        effects
    }

    fn check_now(&mut self) -> Vec<Effect> {
        let Some(form) = self.edit_form() else { return Vec::new() };
        form.asked_check = form.version;
        let (version, domain, repair) = (form.version, form.domain.clone(), form.repair);
        match form.parse() {
            Some(output) if !repair => {
                vec![self.ask(Purpose::Check(version), Query::CheckOutput { domain, output }).1]
            }
            _ => Vec::new(),
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
