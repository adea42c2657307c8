//! What stands in the editor: a text that can be seen in full, what is wrong with it, what it changes.

use crossterm::event::KeyEvent;
use ratatui::style::{Modifier, Style};
use serde_json::Value;
use tui_textarea::{CursorMove, TextArea, WrapMode};

use crate::domain::{Fault, Kind, Output, Timestamp};
use crate::protocol::{Draft, ItemView};
use crate::tui::app::line::{self, Line};
use crate::tui::app::verdict::Target;
use crate::tui::keymap::Context;

/// Texts shorter than this (bytes) are compared at every key.
const QUICK: usize = 32 * 1024;

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
    pub(super) checked: u64,
    pub(super) asked_check: u64,
    /// Rises with every change of the text.
    pub version: u64,
    /// The version that was compared with what stands.
    pub compared: u64,
    pub(super) saved: u64,
    pub(super) changed: Timestamp,
    /// The item has another revision now than when the editor was opened.
    pub moved: bool,
    pub tags: Vec<String>,
    pub note: Option<String>,
    pub message: Option<String>,
}

impl EditForm {
    pub(super) fn new(
        target: Target,
        view: &ItemView,
        draft: Option<&Draft>,
        now: Timestamp,
    ) -> Option<Self> {
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
            compared: 1,
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

    pub(in crate::tui::app) fn context(&self) -> Context {
        match self.field {
            EditField::Text => Context::Editor,
            EditField::Action => Context::Prompt,
        }
    }

    pub(super) fn parse(&mut self) -> Option<Value> {
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
    pub(super) fn changes(&mut self) -> (Option<Output>, Option<String>) {
        let value = if self.json { self.parse() } else { Some(Value::String(self.text())) };
        let output = value.filter(|v| *v != self.original_value);
        let action = self.action.said().filter(|a| !self.repair && *a != self.original_action);
        (output, action)
    }

    pub(super) fn touched(&mut self, now: Timestamp) {
        self.version += 1;
        // A long text is compared when typing pauses, so that typing stays quick.
        if self.area.lines().iter().map(String::len).sum::<usize>() < QUICK {
            self.compared = self.version;
        }
        self.changed = now;
        self.message = None;
        self.parse();
    }

    pub(in crate::tui::app) fn typed(&mut self, event: &KeyEvent, now: Timestamp) {
        let changed = match self.field {
            EditField::Text => self.area.input(*event),
            EditField::Action => self.action.key(event),
        };
        if changed {
            self.touched(now);
        }
    }

    pub(in crate::tui::app) fn pasted(&mut self, text: &str, now: Timestamp) {
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

    pub(super) fn replace(&mut self, text: &str, now: Timestamp) {
        let (seen, left_out) = visible(text.strip_suffix('\n').unwrap_or(text));
        self.left_out += left_out;
        // One change, so that undo in the editor brings the old text back.
        self.area.select_all();
        self.area.insert_str(seen);
        self.area.move_cursor(CursorMove::Top);
        self.touched(now);
    }

    pub(super) fn draft(&self) -> Draft {
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

    pub(super) fn wants_check(&self) -> bool {
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
