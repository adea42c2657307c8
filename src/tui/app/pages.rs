//! Pages over a view: help, the guideline, the code points.

use crossterm::event::KeyEvent;

use super::act::scrolled;
use super::line::Line;
use super::toast::Tone;
use super::{Effect, Overlay, State};
use crate::tui::keymap::{Action, Context};

/// The help page of a context.
#[derive(Clone, Debug)]
pub struct Help {
    /// Where it was opened.
    pub of: Context,
    pub input: Line,
    /// Letters go into the filter.
    pub typing: bool,
    pub scroll: usize,
}

impl Help {
    pub(super) fn typed(&mut self, event: &KeyEvent) {
        self.input.key(event);
        self.scroll = 0;
    }
}

/// What a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// What to check.
    Guideline { about: String, text: String },
    /// Named texts of the item, code point by code point.
    CodePoints { item: String, texts: Vec<(String, String)> },
}

/// A page to read and close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub kind: PageKind,
    pub scroll: usize,
}

impl State {
    pub(super) fn open_help(&mut self) -> Vec<Effect> {
        let help = Help { of: self.context(), input: Line::default(), typing: false, scroll: 0 };
        self.open(Overlay::Help(help));
        Vec::new()
    }

    pub(super) fn help_act(&mut self, action: Action) -> Vec<Effect> {
        let (lines, room) = (self.painted.overlay_lines, self.painted.overlay_room);
        let Some(Overlay::Help(help)) = self.overlays.last_mut() else { return Vec::new() };
        match (action, help.typing) {
            (Action::Filter, false) => help.typing = true,
            (Action::Submit, true) => help.typing = false,
            (Action::Back, true) => {
                help.typing = false;
                help.input.clear();
            }
            (Action::Back | Action::Quit | Action::Help, _) => self.close(),
            _ => help.scroll = scrolled(help.scroll, action, lines, room),
        }
        Vec::new()
    }

    pub(super) fn open_guideline(&mut self) -> Vec<Effect> {
        let Some(view) = self.item().cloned() else { return Vec::new() };
        let Some(guideline) = &view.guideline else {
            let text = format!("the policy has no guideline for {}", view.route_domain());
            self.toast(Tone::Info, text);
            return Vec::new();
        };
        let about = match &guideline.action {
            Some(action) => format!("{} · {action}", guideline.domain),
            None => guideline.domain.clone(),
        };
        let kind = PageKind::Guideline { about, text: guideline.text.clone() };
        self.open(Overlay::Page(Page { kind, scroll: 0 }));
        Vec::new()
    }

    /// Every text of the item, with its path in the record.
    pub(super) fn open_raw(&mut self) -> Vec<Effect> {
        let Some(view) = self.item().cloned() else { return Vec::new() };
        let mut texts = Vec::new();
        if let Some(current) = &view.current {
            collect("output", &current.output, &mut texts);
        }
        collect("", &view.record, &mut texts);
        let kind = PageKind::CodePoints { item: view.id.clone(), texts };
        self.open(Overlay::Page(Page { kind, scroll: 0 }));
        Vec::new()
    }

    pub(super) fn page_overlay_act(&mut self, action: Action) -> Vec<Effect> {
        let (lines, room) = (self.painted.overlay_lines, self.painted.overlay_room);
        let Some(Overlay::Page(page)) = self.overlays.last_mut() else { return Vec::new() };
        match action {
            Action::Back | Action::Quit | Action::Open | Action::Guideline | Action::RawView => {
                self.close();
            }
            _ => page.scroll = scrolled(page.scroll, action, lines, room),
        }
        Vec::new()
    }
}

/// Texts inside a value, each with its dotted path; one that is there already is not repeated.
fn collect(path: &str, value: &serde_json::Value, into: &mut Vec<(String, String)>) {
    use serde_json::Value;
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::String(text) if into.iter().any(|(p, t)| p == path && t == text) => {}
        Value::String(text) => into.push((path.to_owned(), text.clone())),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                collect(&below(&i.to_string()), item, into);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                collect(&below(key), field, into);
            }
        }
        _ => {}
    }
}
