//! Finding: the filter line, the queue picker, the action palette.

use crossterm::event::KeyEvent;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::filter;
use super::line::Line;
use super::{Effect, Overlay, State, View};
use crate::protocol::QueueView;
use crate::tui::keymap::{Action, Context, Keymap};

/// The filter line. In the audit view it takes an item's id.
#[derive(Clone, Debug)]
pub struct FilterForm {
    pub input: Line,
    pub audit: bool,
    /// Why it cannot be used as it stands.
    pub fault: Option<String>,
}

impl FilterForm {
    pub(super) fn typed(&mut self, event: &KeyEvent) {
        self.input.key(event);
        self.fault = None;
    }
}

/// The list of queues to work from; the first choice is all of them.
#[derive(Clone, Debug)]
pub struct QueuePicker {
    pub input: Line,
    pub queues: Vec<QueueView>,
    pub selected: usize,
}

impl QueuePicker {
    pub(super) fn typed(&mut self, event: &KeyEvent) {
        self.input.key(event);
        self.selected = 0;
    }

    pub(super) fn pasted(&mut self, text: &str) {
        self.input.insert(text);
        self.selected = 0;
    }

    /// What matches; `None` stands for all queues.
    pub fn matching(&self) -> Vec<Option<&QueueView>> {
        let typed = self.input.text().to_lowercase();
        let all = (typed.is_empty() || "all".starts_with(&typed)).then_some(None);
        let named = self.queues.iter().filter(|q| {
            q.name.to_lowercase().contains(&typed) || q.title.to_lowercase().contains(&typed)
        });
        all.into_iter().chain(named.map(Some)).collect()
    }
}

/// Every action that works where the palette was opened, best match first.
#[derive(Clone, Debug)]
pub struct Palette {
    pub input: Line,
    all: Vec<(Action, Vec<String>)>,
    pub matching: Vec<(Action, Vec<String>)>,
    pub selected: usize,
}

impl Palette {
    fn new(keymap: &Keymap, context: Context) -> Self {
        let all: Vec<_> = Action::ALL
            .iter()
            .filter(|a| a.works_in(context) && !matches!(a, Action::Palette))
            .map(|a| (*a, keymap.keys_for(context, *a)))
            .collect();
        Self { input: Line::default(), matching: all.clone(), all, selected: 0 }
    }

    pub(super) fn typed(&mut self, event: &KeyEvent) {
        if self.input.key(event) {
            self.search();
        }
    }

    pub(super) fn pasted(&mut self, text: &str) {
        self.input.insert(text);
        self.search();
    }

    fn search(&mut self) {
        self.selected = 0;
        let pattern = Pattern::parse(self.input.text(), CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let typed = self.input.text().to_lowercase();
        let mut scored: Vec<_> = self
            .all
            .iter()
            .filter_map(|(action, keys)| {
                let text = format!("{} {}", action.title(), action.id());
                let score = pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher);
                // Letters scattered over a sentence match everything: help must hold the word.
                let helps = || action.help().to_lowercase().contains(&typed).then_some(0);
                let score = score.or_else(helps)?;
                Some((score, (*action, keys.clone())))
            })
            .collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.matching = scored.into_iter().map(|(_, entry)| entry).collect();
    }
}

/// `selected` moved by an action within `n` lines.
fn moved(selected: usize, action: Action, n: usize) -> usize {
    let last = n.saturating_sub(1);
    match action {
        Action::Down => (selected + 1).min(last),
        Action::Up => selected.saturating_sub(1),
        Action::PageDown => (selected + 8).min(last),
        Action::PageUp => selected.saturating_sub(8),
        _ => selected,
    }
}

impl State {
    pub(super) fn open_filter(&mut self) -> Vec<Effect> {
        let audit = self.view == View::Audit;
        let text = if audit {
            self.audit.item.clone().unwrap_or_default()
        } else {
            self.list.filter_text.clone()
        };
        self.open(Overlay::Filter(FilterForm { input: Line::with(&text), audit, fault: None }));
        Vec::new()
    }

    pub(super) fn filter_act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Back => {
                self.close();
                Vec::new()
            }
            Action::Submit => {
                let Some(Overlay::Filter(form)) = self.overlays.last_mut() else {
                    return Vec::new();
                };
                let (text, audit) = (form.input.text().trim().to_owned(), form.audit);
                if audit {
                    self.close();
                    return self.audit_item((!text.is_empty()).then_some(text));
                }
                if let Err(fault) = filter::parse(&text) {
                    form.fault = Some(fault.to_string());
                    return Vec::new();
                }
                self.close();
                self.set_filter(&text)
            }
            _ => Vec::new(),
        }
    }

    /// Filters the queue; the queue picked stays unless the line names another.
    pub(super) fn set_filter(&mut self, text: &str) -> Vec<Effect> {
        let Ok(mut filter) = filter::parse(text) else { return Vec::new() };
        filter.queue = filter.queue.or_else(|| self.queue.clone());
        self.list.refilter(text.to_owned(), filter);
        self.reload_rows()
    }

    pub(super) fn open_queues(&mut self) -> Vec<Effect> {
        let queues = self.queues();
        let mut picker = QueuePicker { input: Line::default(), queues, selected: 0 };
        let here = self.queue.as_deref();
        let at = picker.matching().iter().position(|q| q.map(|q| q.name.as_str()) == here);
        picker.selected = at.unwrap_or(0);
        self.open(Overlay::Queues(picker));
        Vec::new()
    }

    pub(super) fn queues_act(&mut self, action: Action) -> Vec<Effect> {
        let Some(Overlay::Queues(picker)) = self.overlays.last_mut() else { return Vec::new() };
        let matching = picker.matching();
        match action {
            Action::Submit => {
                let Some(choice) = matching.get(picker.selected) else { return Vec::new() };
                let choice = choice.map(|q| q.name.clone());
                self.close();
                self.queue = choice;
                let text = self.list.filter_text.clone();
                self.set_filter(&text)
            }
            Action::Back => {
                self.close();
                Vec::new()
            }
            _ => {
                picker.selected = moved(picker.selected, action, matching.len());
                Vec::new()
            }
        }
    }

    pub(super) fn open_palette(&mut self) -> Vec<Effect> {
        let palette = Palette::new(&self.keys.map, self.context());
        self.open(Overlay::Palette(palette));
        Vec::new()
    }

    pub(super) fn palette_act(&mut self, action: Action) -> Vec<Effect> {
        let Some(Overlay::Palette(palette)) = self.overlays.last_mut() else { return Vec::new() };
        match action {
            Action::Submit => {
                let chosen = palette.matching.get(palette.selected).map(|(a, _)| *a);
                self.close();
                chosen.map(|action| self.act(action)).unwrap_or_default()
            }
            Action::Back => {
                self.close();
                Vec::new()
            }
            _ => {
                palette.selected = moved(palette.selected, action, palette.matching.len());
                Vec::new()
            }
        }
    }
}
