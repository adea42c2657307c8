//! Things opened to be read where they were found: a decision, an incident. Nothing is decided
//! here.

use std::sync::Arc;

use super::act::scrolled;
use super::toast::Tone;
use super::watched::Watched;
use super::{ControlAct, Effect, Overlay, Purpose, State};
use crate::protocol::{Happened, IncidentView, ItemView, Query, Refused, Reply};
use crate::tui::keymap::Action;

/// A decision over the view it was opened from.
#[derive(Clone, Debug)]
pub struct Look {
    pub id: String,
    pub seen: Watched<ItemView>,
    pub scroll: usize,
    /// Another view, another number.
    pub version: u64,
}

/// An incident with its timeline.
#[derive(Clone, Debug)]
pub struct IncidentPage {
    /// As the list told it, until the whole of it is here.
    pub brief: Arc<IncidentView>,
    pub seen: Watched<IncidentView>,
    /// The line under the cursor.
    pub at: usize,
}

/// A line of an incident's page.
#[derive(Clone, Debug, PartialEq)]
pub enum IncidentLine<'a> {
    /// A name and what stands beside it.
    Fact(&'static str, String),
    Heading(&'static str),
    Happened(&'a Happened),
    /// A decision that belongs to it; Enter opens it.
    Decision(&'a str),
    Blank,
}

impl IncidentPage {
    /// The newest view of it.
    pub fn view(&self) -> &IncidentView {
        self.seen.view.as_ref().unwrap_or(&self.brief)
    }

    /// What it shows, line by line.
    pub fn lines(&self) -> Vec<IncidentLine<'_>> {
        use IncidentLine as L;
        let view = self.view();
        let mut lines = vec![L::Fact("cause", view.cause.clone())];
        if let Some(runbook) = &view.runbook {
            lines.push(L::Fact("runbook", runbook.clone()));
        }
        if view.fired > 1 {
            lines.push(L::Fact("fired", format!("{} times", view.fired)));
        }
        if !view.timeline.is_empty() {
            lines.extend([L::Blank, L::Heading("TIMELINE")]);
            lines.extend(view.timeline.iter().map(L::Happened));
        }
        if !view.decisions.is_empty() {
            lines.extend([L::Blank, L::Heading("DECISIONS")]);
            lines.extend(view.decisions.iter().map(|d| L::Decision(d)));
        }
        lines
    }
}

impl State {
    /// Shows a decision over what is on the screen.
    pub(super) fn open_look(&mut self, id: &str) -> Vec<Effect> {
        let mut seen = Watched::default();
        let (ticket, effect) = self.ask(Purpose::Look, Query::Item { id: id.to_owned() });
        seen.started(ticket, self.now);
        self.views += 1;
        let look = Look { id: id.to_owned(), seen, scroll: 0, version: self.views };
        self.open(Overlay::Look(Box::new(look)));
        vec![effect]
    }

    pub(super) fn look_came(&mut self, ticket: u64, reply: Result<Reply, Refused>) -> Vec<Effect> {
        let reply = match reply {
            Ok(Reply::Item(view)) => Ok(*view),
            other => Err(super::asks::failure(other)),
        };
        for overlay in &mut self.overlays {
            if let Overlay::Look(look) = overlay
                && look.seen.loading()
                && look.seen.came(ticket, reply.clone(), PartialEq::eq).is_some()
            {
                self.dirty = true;
            }
        }
        Vec::new()
    }

    pub(super) fn look_act(&mut self, action: Action) -> Vec<Effect> {
        let (lines, room) = (self.painted.overlay_lines, self.painted.overlay_room);
        let Some(Overlay::Look(look)) = self.overlays.last_mut() else { return Vec::new() };
        match action {
            Action::Back | Action::Quit | Action::Open => self.close(),
            Action::CopyId => {
                let id = look.id.clone();
                self.toast(Tone::Info, format!("copied {id}"));
                return vec![Effect::Copy(id)];
            }
            _ => look.scroll = scrolled(look.scroll, action, lines, room),
        }
        Vec::new()
    }

    /// Shows an incident over what is on the screen.
    pub(super) fn open_incident(&mut self, brief: Arc<IncidentView>) -> Vec<Effect> {
        self.open(Overlay::Incident(Box::new(IncidentPage {
            brief,
            seen: Watched::default(),
            at: 0,
        })));
        self.reread_incident()
    }

    /// Reads the open incident again.
    pub(super) fn reread_incident(&mut self) -> Vec<Effect> {
        let id = self.overlays.iter().find_map(|o| match o {
            Overlay::Incident(page) => Some(page.brief.id.clone()),
            _ => None,
        });
        let Some(id) = id else { return Vec::new() };
        let now = self.now;
        let (ticket, effect) = self.ask(Purpose::Incident, Query::Incident { id });
        let mut effects = Vec::new();
        for overlay in &mut self.overlays {
            if let Overlay::Incident(page) = overlay {
                if let Some(old) = page.seen.forget() {
                    self.asked.remove(&old);
                    effects.push(Effect::Cancel { ticket: old });
                }
                page.seen.started(ticket, now);
            }
        }
        effects.push(effect);
        effects
    }

    pub(super) fn incident_came(
        &mut self,
        ticket: u64,
        reply: Result<Reply, Refused>,
    ) -> Vec<Effect> {
        let reply = match reply {
            Ok(Reply::Incident(view)) => Ok(*view),
            other => Err(super::asks::failure(other)),
        };
        for overlay in &mut self.overlays {
            if let Overlay::Incident(page) = overlay {
                let news = page.seen.came(ticket, reply.clone(), PartialEq::eq);
                self.dirty |= news == Some(true);
            }
        }
        Vec::new()
    }

    pub(super) fn incident_act(&mut self, action: Action) -> Vec<Effect> {
        let room = self.painted.overlay_room;
        let Some(Overlay::Incident(page)) = self.overlays.last_mut() else { return Vec::new() };
        let id = page.brief.id.clone();
        match action {
            Action::Back | Action::Quit => self.close(),
            Action::Acknowledge => return self.open_sure(ControlAct::Acknowledge(id)),
            Action::Resolve => return self.open_sure(ControlAct::Resolve(id)),
            Action::Kill | Action::KillHere => return self.open_kill(),
            Action::CopyId => {
                self.toast(Tone::Info, format!("copied {id}"));
                return vec![Effect::Copy(id)];
            }
            Action::Open => {
                let found = match page.lines().get(page.at) {
                    Some(IncidentLine::Decision(id)) => Some((*id).to_owned()),
                    _ => None,
                };
                if let Some(id) = found {
                    return self.open_look(&id);
                }
            }
            _ => {
                let lines = page.lines().len();
                page.at = super::act::moved(page.at.min(lines), action, lines, room);
            }
        }
        Vec::new()
    }
}
