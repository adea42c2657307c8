//! A blind item: the reviewer's own answer first, then the proposal.

use crossterm::event::KeyEvent;

use super::line::Line;
use super::toast::Tone;
use super::{Effect, Overlay, State};
use crate::tui::keymap::Action;

/// The question.
#[derive(Clone, Debug)]
pub struct BlindForm {
    pub item: String,
    pub action: Line,
    pub note: Line,
    /// The note has the keys.
    pub in_note: bool,
    /// Actions seen on other items of the domain; Down and Up fill them in.
    pub known: Vec<String>,
    at: Option<usize>,
    pub fault: Option<String>,
}

impl BlindForm {
    pub(super) fn typed(&mut self, event: &KeyEvent) {
        self.fault = None;
        if self.in_note {
            self.note.key(event);
        } else {
            self.action.key(event);
        }
    }

    pub(super) fn pasted(&mut self, text: &str) {
        if self.in_note {
            self.note.insert(text);
        } else {
            self.action.insert(text);
        }
    }

    fn choose(&mut self, forward: bool) {
        if self.in_note || self.known.is_empty() {
            return;
        }
        let n = self.known.len();
        let next = match (self.at, forward) {
            (None, true) => 0,
            (None, false) => n - 1,
            (Some(i), true) => (i + 1) % n,
            (Some(i), false) => (i + n - 1) % n,
        };
        self.at = Some(next);
        self.action = Line::with(self.known.get(next).map_or("", String::as_str));
    }
}

impl State {
    pub(super) fn open_blind(&mut self) -> Vec<Effect> {
        let Some(view) = self.item().filter(|v| v.blind).cloned() else {
            self.toast(
                Tone::Info,
                "the proposal is shown here; only blind items ask for an answer first",
            );
            return Vec::new();
        };
        if self.refuse_early(crate::domain::VerdictKind::Edit) || self.target().is_none() {
            return Vec::new();
        }
        let domain = view.route_domain();
        let mut known: Vec<String> = self
            .list
            .rows
            .iter()
            .filter(|r| r.domain == domain)
            .filter_map(|r| r.action.clone())
            .collect();
        known.sort();
        known.dedup();
        self.open(Overlay::Blind(BlindForm {
            item: view.id.clone(),
            action: Line::default(),
            note: Line::default(),
            in_note: false,
            known,
            at: None,
            fault: None,
        }));
        Vec::new()
    }

    pub(super) fn blind_act(&mut self, action: Action) -> Vec<Effect> {
        let Some(Overlay::Blind(form)) = self.overlays.last_mut() else { return Vec::new() };
        match action {
            Action::PaneNext | Action::PanePrev => form.in_note = !form.in_note,
            Action::Down => form.choose(true),
            Action::Up => form.choose(false),
            Action::Back => self.close(),
            Action::Submit => {
                let Some(answer) = form.action.said() else {
                    form.fault =
                        Some("say what you would have done: one action, like approve".into());
                    form.in_note = false;
                    return Vec::new();
                };
                let (item, note) = (form.item.clone(), form.note.said());
                self.close();
                return self.answer_blind(&item, answer, note);
            }
            _ => {}
        }
        Vec::new()
    }
}
