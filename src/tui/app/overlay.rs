//! What lies over a view: one enum, the top one has the keys.

use crossterm::event::KeyEvent;

use super::{
    BlindForm, BulkForm, EditForm, Effect, FilterForm, Help, IncidentPage, KillForm, Look,
    MoveForm, Page, Palette, QueuePicker, ReasonForm, State, SureForm,
};
use crate::tui::keymap::{Action, Context};

/// Everything that can lie over a view.
#[derive(Debug)]
pub enum Overlay {
    Help(Help),
    Palette(Palette),
    Filter(FilterForm),
    Queues(QueuePicker),
    Reason(ReasonForm),
    Edit(Box<EditForm>),
    Move(MoveForm),
    Bulk(BulkForm),
    Blind(BlindForm),
    /// Guideline, code points.
    Page(Page),
    /// Stop automation.
    Kill(Box<KillForm>),
    /// Anything else that changes containment: really?
    Sure(Box<SureForm>),
    /// A decision, to be read.
    Look(Box<Look>),
    Incident(Box<IncidentPage>),
    /// Verdicts can still be taken back: really quit?
    Quit,
}

impl Overlay {
    /// The keys that work in it.
    pub fn context(&self) -> Context {
        match self {
            Self::Help(help) if help.typing => Context::Filter,
            Self::Help(_) | Self::Page(_) | Self::Look(_) => Context::Help,
            Self::Incident(_) => Context::Containment,
            Self::Palette(_) | Self::Queues(_) => Context::Palette,
            Self::Filter(_) => Context::Filter,
            Self::Reason(form) => form.context(),
            Self::Edit(form) => form.context(),
            Self::Move(form) => form.context(),
            Self::Bulk(_) | Self::Blind(_) | Self::Kill(_) | Self::Sure(_) => Context::Prompt,
            Self::Quit => Context::Modal,
        }
    }
}

impl State {
    pub(super) fn open(&mut self, overlay: Overlay) {
        self.overlays.push(overlay);
        self.dirty = true;
    }

    pub(super) fn close(&mut self) {
        self.overlays.pop();
        self.dirty = true;
    }

    /// The item somebody is writing about: it stays on show.
    pub(super) fn busy_item(&self) -> Option<String> {
        self.overlays.iter().find_map(|o| match o {
            Overlay::Reason(form) => form.item().map(str::to_owned),
            Overlay::Edit(form) => Some(form.target.id.clone()),
            Overlay::Move(form) => form.item().map(str::to_owned),
            Overlay::Blind(form) => Some(form.item.clone()),
            _ => None,
        })
    }

    pub(super) fn overlay_act(&mut self, action: Action) -> Vec<Effect> {
        match self.overlays.last() {
            None => Vec::new(),
            Some(Overlay::Help(_)) => self.help_act(action),
            Some(Overlay::Palette(_)) => self.palette_act(action),
            Some(Overlay::Filter(_)) => self.filter_act(action),
            Some(Overlay::Queues(_)) => self.queues_act(action),
            Some(Overlay::Reason(_)) => self.reason_act(action),
            Some(Overlay::Edit(_)) => self.edit_act(action),
            Some(Overlay::Move(_)) => self.move_act(action),
            Some(Overlay::Bulk(_)) => self.bulk_act(action),
            Some(Overlay::Blind(_)) => self.blind_act(action),
            Some(Overlay::Page(_)) => self.page_overlay_act(action),
            Some(Overlay::Kill(_)) => self.kill_act(action),
            Some(Overlay::Sure(_)) => self.sure_act(action),
            Some(Overlay::Look(_)) => self.look_act(action),
            Some(Overlay::Incident(_)) => self.incident_act(action),
            Some(Overlay::Quit) => match action {
                Action::Submit => {
                    self.close();
                    self.end()
                }
                Action::Back | Action::Quit => {
                    self.close();
                    Vec::new()
                }
                _ => Vec::new(),
            },
        }
    }

    /// A key that is text for the field on top.
    pub(super) fn typed(&mut self, event: &KeyEvent) -> Vec<Effect> {
        self.dirty = true;
        match self.overlays.last_mut() {
            Some(Overlay::Help(help)) => help.typed(event),
            Some(Overlay::Palette(palette)) => palette.typed(event),
            Some(Overlay::Filter(form)) => form.typed(event),
            Some(Overlay::Queues(picker)) => picker.typed(event),
            Some(Overlay::Reason(form)) => form.typed(event),
            Some(Overlay::Edit(form)) => form.typed(event, self.now),
            Some(Overlay::Move(form)) => form.typed(event),
            Some(Overlay::Bulk(form)) => form.typed(event),
            Some(Overlay::Blind(form)) => form.typed(event),
            Some(Overlay::Kill(form)) => form.typed(event),
            Some(Overlay::Sure(form)) => form.typed(event),
            Some(Overlay::Page(_) | Overlay::Look(_) | Overlay::Incident(_) | Overlay::Quit)
            | None => {}
        }
        Vec::new()
    }

    /// Pasted text for the field on top.
    pub(super) fn pasted(&mut self, text: &str) -> Vec<Effect> {
        self.dirty = true;
        match self.overlays.last_mut() {
            Some(Overlay::Help(help)) => help.input.insert(text),
            Some(Overlay::Palette(palette)) => palette.pasted(text),
            Some(Overlay::Filter(form)) => form.input.insert(text),
            Some(Overlay::Queues(picker)) => picker.pasted(text),
            Some(Overlay::Reason(form)) => form.pasted(text),
            Some(Overlay::Edit(form)) => form.pasted(text, self.now),
            Some(Overlay::Move(form)) => form.pasted(text),
            // A count is typed by hand, that is its point.
            Some(
                Overlay::Bulk(_)
                | Overlay::Page(_)
                | Overlay::Look(_)
                | Overlay::Incident(_)
                | Overlay::Quit,
            )
            | None => {}
            Some(Overlay::Blind(form)) => form.pasted(text),
            Some(Overlay::Kill(form)) => form.pasted(text),
            Some(Overlay::Sure(form)) => form.pasted(text),
        }
        Vec::new()
    }

    /// The item on show is another revision now: forms about it keep their text and say so.
    pub(super) fn view_changed(&mut self) -> Vec<Effect> {
        let Some(view) = self.item().cloned() else { return Vec::new() };
        for overlay in &mut self.overlays {
            if let Overlay::Edit(form) = overlay
                && form.target.id == view.id
            {
                form.moved = form.target.revision != view.revision;
            }
        }
        Vec::new()
    }
}
