//! The sheet itself: which tags are chosen, what was typed, what is missing.

use crossterm::event::{KeyCode, KeyEvent};

use crate::domain::Output;
use crate::protocol::TagView;
use crate::tui::app::line::Line;
use crate::tui::app::verdict::Target;
use crate::tui::keymap::Context;

/// What the sheet is filled in for.
#[derive(Clone, Debug, PartialEq)]
pub enum ReasonFor {
    Reject(Target),
    /// The editor's text, to go with its tags.
    Edit {
        target: Target,
        output: Option<Output>,
        action: Option<String>,
    },
    /// A new review of a settled decision.
    Flag(String),
    /// Every marked item.
    Bulk(usize),
}

/// Which line has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Tags,
    Note,
    Label,
}

/// Tags and note as last sent; `.` fills them in again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    pub tags: Vec<String>,
    pub note: Option<String>,
    pub label: Option<String>,
}

/// The sheet.
#[derive(Clone, Debug)]
pub struct ReasonForm {
    pub about: ReasonFor,
    /// Every tag with the letter that chooses it.
    pub tags: Vec<(char, TagView)>,
    /// Ids of the chosen tags, in the order they were chosen.
    pub chosen: Vec<String>,
    pub note: Line,
    pub label: Line,
    pub field: Field,
    /// What is missing.
    pub fault: Option<String>,
}

impl ReasonForm {
    pub(super) fn new(about: ReasonFor, tags: &[TagView]) -> Self {
        Self {
            about,
            tags: letters(tags),
            chosen: Vec::new(),
            note: Line::default(),
            label: Line::default(),
            field: Field::Tags,
            fault: None,
        }
    }

    /// The item it is about, if it is one.
    pub fn item(&self) -> Option<&str> {
        match &self.about {
            ReasonFor::Reject(target) | ReasonFor::Edit { target, .. } => Some(&target.id),
            ReasonFor::Flag(id) => Some(id),
            ReasonFor::Bulk(_) => None,
        }
    }

    /// A reject (and only it) may say what would have been right.
    pub fn has_label(&self) -> bool {
        matches!(self.about, ReasonFor::Reject(_) | ReasonFor::Bulk(_))
    }

    pub(in crate::tui::app) fn context(&self) -> Context {
        if self.field == Field::Tags { Context::Tags } else { Context::Prompt }
    }

    pub(super) fn fill(&mut self, reason: Reason) {
        self.chosen = reason.tags;
        self.chosen.retain(|id| self.tags.iter().any(|(_, t)| t.id == *id));
        self.note = Line::with(&reason.note.unwrap_or_default());
        self.label = Line::with(&reason.label.unwrap_or_default());
    }

    pub(super) fn reason(&self) -> Reason {
        Reason { tags: self.chosen.clone(), note: self.note.said(), label: self.label.said() }
    }

    pub(in crate::tui::app) fn typed(&mut self, event: &KeyEvent) {
        self.fault = None;
        match self.field {
            Field::Tags => match event.code {
                KeyCode::Char(c) => self.toggle(c),
                KeyCode::Backspace => {
                    self.chosen.pop();
                }
                _ => {}
            },
            Field::Note => {
                self.note.key(event);
            }
            Field::Label => {
                self.label.key(event);
            }
        }
    }

    pub(in crate::tui::app) fn pasted(&mut self, text: &str) {
        match self.field {
            Field::Tags => {
                self.fault = Some("tags are chosen by letter; Tab goes to the note".into())
            }
            Field::Note => self.note.insert(text),
            Field::Label => self.label.insert(text),
        }
    }

    pub(super) fn toggle(&mut self, c: char) {
        let Some((_, tag)) = self.tags.iter().find(|(letter, _)| *letter == c) else {
            self.fault = Some(format!("no tag has the letter {}", c.escape_debug()));
            return;
        };
        match self.chosen.iter().position(|id| *id == tag.id) {
            Some(i) => {
                self.chosen.remove(i);
            }
            None => self.chosen.push(tag.id.clone()),
        }
    }

    pub(super) fn next_field(&mut self, forward: bool) {
        self.field = match (self.field, forward, self.has_label()) {
            (Field::Tags, true, _) | (Field::Label, false, _) => Field::Note,
            (Field::Note, true, true) | (Field::Tags, false, true) => Field::Label,
            (Field::Tags, false, false) => Field::Note,
            (Field::Note | Field::Label, _, _) => Field::Tags,
        };
    }

    /// A chosen tag that wants a note while there is none.
    pub(super) fn wants_note(&self) -> Option<&TagView> {
        if self.note.said().is_some() {
            return None;
        }
        let chosen = |t: &&TagView| t.require_note && self.chosen.contains(&t.id);
        self.tags.iter().map(|(_, t)| t).find(chosen)
    }
}

/// A letter for every tag: its own, else the first of its name that is free, else a digit.
fn letters(tags: &[TagView]) -> Vec<(char, TagView)> {
    let mut taken: Vec<char> = tags.iter().filter_map(|t| t.key).collect();
    // `.` repeats the last reason.
    taken.push('.');
    let mut used = Vec::new();
    tags.iter()
        .filter_map(|tag| {
            let own = tag.key.filter(|k| !used.contains(k));
            let key = own.or_else(|| {
                let name = tag.id.chars().filter(char::is_ascii_alphabetic);
                name.chain('1'..='9').chain('a'..='z').find(|c| !taken.contains(c))
            })?;
            taken.push(key);
            used.push(key);
            Some((key, tag.clone()))
        })
        .collect()
}
