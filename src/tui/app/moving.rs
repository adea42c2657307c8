//! Escalate or send back: pick the queue, add a note; a draft travels along.

use crossterm::event::KeyEvent;
use serde_json::Value;

use super::bulk::BulkVerdict;
use super::line::Line;
use super::toast::Tone;
use super::verdict::Target;
use super::{Effect, Overlay, State};
use crate::domain::{Kind, Output, Verdict, VerdictKind};
use crate::protocol::QueueView;
use crate::tui::keymap::{Action, Context};

/// Which field has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveField {
    Queue,
    Note,
}

/// The sheet.
#[derive(Clone, Debug)]
pub struct MoveForm {
    /// `None`: every marked item.
    pub target: Option<Target>,
    /// The queue it is in.
    pub from: String,
    pub queues: Vec<QueueView>,
    pub search: Line,
    /// Index into [`MoveForm::matching`].
    pub selected: usize,
    pub note: Line,
    pub field: MoveField,
    /// The draft that travels along.
    pub draft: Option<String>,
    json: bool,
    /// A broken record: Enter alone moves nothing, a queue must be named or gone to.
    must_name: bool,
    pub fault: Option<String>,
}

impl MoveForm {
    /// The item it is about, if it is one.
    pub fn item(&self) -> Option<&str> {
        self.target.as_ref().map(|t| t.id.as_str())
    }

    pub(super) fn context(&self) -> Context {
        match self.field {
            MoveField::Queue => Context::Palette,
            MoveField::Note => Context::Prompt,
        }
    }

    /// Queues that match what was typed, in the policy's order, the one it is in left out.
    pub fn matching(&self) -> Vec<&QueueView> {
        let typed = self.search.text().to_lowercase();
        let matches = |q: &&QueueView| {
            q.name != self.from
                && (q.name.to_lowercase().contains(&typed)
                    || q.title.to_lowercase().contains(&typed))
        };
        self.queues.iter().filter(matches).collect()
    }

    pub(super) fn typed(&mut self, event: &KeyEvent) {
        self.fault = None;
        match self.field {
            MoveField::Queue => {
                self.search.key(event);
                self.selected = 0;
            }
            MoveField::Note => {
                self.note.key(event);
            }
        }
    }

    pub(super) fn pasted(&mut self, text: &str) {
        match self.field {
            MoveField::Queue => self.search.insert(text),
            MoveField::Note => self.note.insert(text),
        }
    }
}

impl State {
    pub(super) fn open_move(&mut self) -> Vec<Effect> {
        let bulk = !self.marks.is_empty();
        let mut target = None;
        if !bulk {
            if self.refuse_early(VerdictKind::Escalate) {
                return Vec::new();
            }
            target = self.target();
            if target.is_none() {
                return Vec::new();
            }
        }
        let from = match (bulk, self.item()) {
            (false, Some(view)) => view.queue.clone(),
            _ => String::new(),
        };
        let queues = self.queues();
        if queues.iter().all(|q| q.name == from) {
            self.toast(Tone::Info, "the policy has no other queue to move to");
            return Vec::new();
        }
        let draft = target
            .as_ref()
            .and_then(|t| self.draft(&t.id))
            .filter(|d| d.verdict.as_deref() == Some("edit"))
            .and_then(|d| d.output.clone());
        let json =
            self.item().and_then(|v| v.current.as_ref()).is_some_and(|c| !c.output.is_string());
        // A broken record is repaired where it is: no queue stands under the cursor for Enter.
        let broken = !bulk && self.item().is_some_and(|v| v.kind == Kind::Quarantine);
        // Up is what is meant most: where this queue escalates to stands first under the cursor.
        let up = queues.iter().find(|q| q.name == from).and_then(|q| q.escalates_to.clone());
        let mut form = MoveForm {
            target,
            from,
            queues,
            search: Line::default(),
            selected: 0,
            note: Line::default(),
            field: MoveField::Queue,
            must_name: broken,
            draft,
            json,
            fault: None,
        };
        form.selected =
            form.matching().iter().position(|q| Some(&q.name) == up.as_ref()).unwrap_or(0);
        self.open(Overlay::Move(form));
        Vec::new()
    }

    /// Every queue, as the header counts them now, else as the policy names them.
    pub(super) fn queues(&self) -> Vec<QueueView> {
        match (&self.header, &self.policy) {
            (Some(header), _) if !header.queues.is_empty() => header.queues.clone(),
            (_, Some(policy)) => policy.queues.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn move_act(&mut self, action: Action) -> Vec<Effect> {
        let Some(Overlay::Move(form)) = self.overlays.last_mut() else { return Vec::new() };
        let last = form.matching().len().saturating_sub(1);
        match action {
            Action::Down | Action::PageDown => {
                form.must_name = false;
                form.selected = (form.selected + 1).min(last);
            }
            Action::Up | Action::PageUp => {
                form.must_name = false;
                form.selected = form.selected.saturating_sub(1);
            }
            Action::PaneNext | Action::PanePrev => {
                form.field = match form.field {
                    MoveField::Queue => MoveField::Note,
                    MoveField::Note => MoveField::Queue,
                };
            }
            Action::Back => self.close(),
            Action::Submit => return self.send_move(),
            _ => {}
        }
        Vec::new()
    }

    fn send_move(&mut self) -> Vec<Effect> {
        let Some(Overlay::Move(form)) = self.overlays.last_mut() else { return Vec::new() };
        if form.must_name && form.search.text().trim().is_empty() {
            form.fault = Some("a broken record is repaired here: type the queue to move it".into());
            return Vec::new();
        }
        let Some(to) = form.matching().get(form.selected).map(|q| q.name.clone()) else {
            form.fault = Some(format!("no queue is called {}", form.search.text().escape_debug()));
            return Vec::new();
        };
        let note = form.note.said();
        let output: Option<Output> = form.draft.as_ref().and_then(|text| match form.json {
            true => serde_json::from_str(text).ok(),
            false => Some(Value::String(text.clone())),
        });
        let (target, text) = (form.target.clone(), form.draft.clone());
        self.close();
        let Some(target) = target else {
            self.open_bulk(BulkVerdict::Move { to, note });
            return Vec::new();
        };
        let verdict =
            Verdict { to: Some(to), note, output, ..Verdict::plain(VerdictKind::Escalate) };
        self.with_draft(&target, &verdict, text);
        self.decide(target, verdict)
    }
}
