//! The containment view: one cursor over everything that contains automation, and what can be
//! done where it stands.

use std::sync::Arc;

use super::act::moved;
use super::toast::Tone;
use super::watched::Watched;
use super::{ControlAct, Effect, Purpose, State, View};
use crate::domain::ControlScope;
use crate::protocol::{
    BreakerView, BudgetView, CanaryView, ContainmentView, FreezeView, IncidentView, LimitView,
    OutgoingView, Query, Refused, Reply, SwitchState, SwitchView,
};
use crate::tui::keymap::Action;

/// A row the cursor can stand on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ControlRow<'a> {
    Switch(&'a SwitchView),
    Incident(&'a IncidentView),
    Canary(&'a CanaryView),
    Freeze(&'a FreezeView),
    Breaker(&'a BreakerView),
    Limit(&'a LimitView),
    Budget(&'a BudgetView),
    Outgoing(&'a OutgoingView),
}

impl ControlRow<'_> {
    /// What it is called: the cursor stays on it, whatever comes or goes around it.
    pub fn name(&self) -> String {
        match self {
            Self::Switch(s) => s.scope.to_string(),
            Self::Incident(i) => format!("incident {}", i.id),
            Self::Canary(c) => format!("canary {}@{}", c.model, c.version),
            Self::Freeze(f) => format!("freeze {}", f.id),
            Self::Breaker(b) => format!("breaker {} {}", b.domain, b.model),
            Self::Limit(l) => format!("limit {} {}", l.name, l.scope),
            Self::Budget(b) => format!("budget {}", b.queue),
            Self::Outgoing(o) => format!("outgoing {}", o.key),
        }
    }

    /// Rows of one kind stand together under one heading.
    pub fn kind(&self) -> usize {
        match self {
            Self::Switch(_) => 0,
            Self::Incident(_) => 1,
            Self::Canary(_) => 2,
            Self::Freeze(_) => 3,
            Self::Breaker(_) => 4,
            Self::Limit(_) => 5,
            Self::Budget(_) => 6,
            Self::Outgoing(_) => 7,
        }
    }

    /// The id a person would copy.
    fn id(&self) -> String {
        match self {
            Self::Switch(s) => s.scope.to_string(),
            Self::Incident(i) => i.id.clone(),
            Self::Canary(c) => format!("{}@{}", c.model, c.version),
            Self::Freeze(f) => f.id.clone(),
            Self::Breaker(b) => b.model.clone(),
            Self::Limit(l) => l.name.clone(),
            Self::Budget(b) => b.queue.clone(),
            Self::Outgoing(o) => o.key.clone(),
        }
    }

    /// The part of all decisions that it is about, for the kill switch.
    pub fn scope(&self) -> Option<ControlScope> {
        match self {
            Self::Switch(s) => Some(s.scope.clone()),
            Self::Canary(c) => Some(ControlScope::Model {
                name: c.model.clone(),
                version: Some(c.version.clone()),
            }),
            Self::Breaker(b) => format!("model={}", b.model).parse().ok(),
            Self::Limit(l) => Some(l.scope.clone()),
            Self::Freeze(f) => Some(ControlScope::Action(f.action.clone())),
            Self::Incident(i) => {
                let (dimension, value) = i.slice.as_object()?.iter().next()?;
                format!("{dimension}={}", value.as_str()?).parse().ok()
            }
            Self::Budget(_) | Self::Outgoing(_) => None,
        }
    }

    /// What can be done here, most wanted first: the hints and the detail line say so.
    pub fn offers(&self) -> &'static [Action] {
        match self {
            Self::Switch(s) if s.own() == SwitchState::On => &[Action::KillHere],
            Self::Switch(_) => &[Action::ResumeHere, Action::KillHere, Action::Requeue],
            Self::Incident(i) => match i.state.as_str() {
                "open" => &[Action::Acknowledge, Action::Resolve, Action::Open, Action::KillHere],
                "acknowledged" => &[Action::Resolve, Action::Open, Action::KillHere],
                _ => &[Action::Open],
            },
            Self::Canary(c) if c.state == "running" => {
                &[Action::RollBack, Action::Promote, Action::KillHere]
            }
            Self::Canary(_) => &[Action::KillHere],
            Self::Freeze(_) => &[Action::ReleaseFreeze, Action::Open],
            Self::Breaker(_) | Self::Limit(_) => &[Action::KillHere],
            Self::Budget(_) => &[Action::Open],
            Self::Outgoing(_) => &[Action::Redeliver, Action::Open],
        }
    }
}

/// The view.
#[derive(Clone, Debug, Default)]
pub struct Containment {
    pub seen: Watched<ContainmentView>,
    /// The name of the row under the cursor, and where it stood: what takes its place is next.
    at: Option<String>,
    index: usize,
}

impl Containment {
    /// Every row, in reading order.
    pub fn rows(&self) -> Vec<ControlRow<'_>> {
        let Some(view) = &self.seen.view else { return Vec::new() };
        let mut rows: Vec<_> = view.switches.iter().map(ControlRow::Switch).collect();
        rows.extend(view.incidents.iter().map(ControlRow::Incident));
        rows.extend(view.canaries.iter().map(ControlRow::Canary));
        rows.extend(view.freezes.iter().map(ControlRow::Freeze));
        rows.extend(view.breakers.iter().map(ControlRow::Breaker));
        rows.extend(view.limits.iter().map(ControlRow::Limit));
        rows.extend(view.budgets.iter().map(ControlRow::Budget));
        rows.extend(view.outgoing.listed.iter().map(ControlRow::Outgoing));
        rows
    }

    /// Index of the row under the cursor.
    pub fn selected(&self) -> usize {
        let rows = self.rows();
        let named = self.at.as_ref().and_then(|at| rows.iter().position(|r| r.name() == *at));
        named.unwrap_or(self.index.min(rows.len().saturating_sub(1)))
    }

    /// The row under the cursor.
    pub fn here(&self) -> Option<ControlRow<'_>> {
        self.rows().into_iter().nth(self.selected())
    }

    fn select(&mut self, index: usize) {
        let name = self.rows().get(index).map(ControlRow::name);
        self.at = name;
        self.index = index;
    }

    /// The switch of this very scope.
    pub fn switch(&self, scope: &ControlScope) -> Option<&SwitchView> {
        self.seen.view.as_ref()?.switches.iter().find(|s| s.scope == *scope)
    }

    /// Decisions an hour in a scope, when it is known.
    pub fn per_hour(&self, scope: &ControlScope) -> Option<f64> {
        self.switch(scope)?.per_hour
    }
}

impl State {
    /// Reads the switches now, or when their time comes.
    pub(super) fn refresh_containment(&mut self) -> Vec<Effect> {
        if !self.containment.seen.news(self.now) {
            return Vec::new();
        }
        let (ticket, effect) = self.ask(Purpose::Containment, Query::Containment);
        self.containment.seen.started(ticket, self.now);
        vec![effect]
    }

    /// Something was done: what is read now must not be older than that.
    pub(super) fn reread_containment(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(ticket) = self.containment.seen.forget() {
            self.asked.remove(&ticket);
            effects.push(Effect::Cancel { ticket });
        }
        effects.extend(self.refresh_containment());
        effects
    }

    pub(super) fn containment_came(
        &mut self,
        ticket: u64,
        reply: Result<Reply, Refused>,
    ) -> Vec<Effect> {
        let reply = match reply {
            Ok(Reply::Containment(view)) => Ok(*view),
            other => Err(super::asks::failure(other)),
        };
        let index = self.containment.selected();
        if let Some(news) = self.containment.seen.came(ticket, reply, PartialEq::eq) {
            let shown = self.view == View::Containment || self.stopping_form();
            self.dirty |= news && shown;
            // The cursor stays on what it was on; where that is gone, at its place.
            let named = self.containment.at.is_some();
            if named && self.containment.here().map(|r| r.name()) != self.containment.at {
                self.containment.select(index.min(self.containment.rows().len().saturating_sub(1)));
            }
            self.say_stopped();
        }
        Vec::new()
    }

    pub(super) fn containment_act(&mut self, action: Action) -> Vec<Effect> {
        let Some(here) = self.containment.here() else {
            return match action {
                Action::Kill | Action::KillHere => self.open_kill(),
                Action::Back => {
                    self.toasts.clear();
                    Vec::new()
                }
                _ => Vec::new(),
            };
        };
        let about = match action {
            Action::Kill | Action::KillHere => return self.open_kill(),
            Action::CopyId => {
                let id = here.id();
                self.toast(Tone::Info, format!("copied {id}"));
                return vec![Effect::Copy(id)];
            }
            Action::Open => return self.open_control(),
            Action::Back => {
                self.toasts.clear();
                return Vec::new();
            }
            Action::PaneNext | Action::PanePrev => {
                let index = self.next_section(action == Action::PaneNext);
                self.containment.select(index);
                return Vec::new();
            }
            Action::ResumeHere => here.scope().map(ControlAct::Resume),
            Action::Requeue => here.scope().map(ControlAct::Requeue),
            Action::Acknowledge | Action::Resolve => match here {
                ControlRow::Incident(i) if action == Action::Acknowledge => {
                    Some(ControlAct::Acknowledge(i.id.clone()))
                }
                ControlRow::Incident(i) => Some(ControlAct::Resolve(i.id.clone())),
                _ => None,
            },
            Action::ReleaseFreeze => match here {
                ControlRow::Freeze(f) => Some(ControlAct::Release(f.id.clone())),
                _ => None,
            },
            Action::Promote | Action::RollBack => match here {
                ControlRow::Canary(c) if action == Action::Promote => {
                    Some(ControlAct::Promote(c.model.clone()))
                }
                ControlRow::Canary(c) => Some(ControlAct::RollBack(c.model.clone())),
                _ => None,
            },
            Action::Redeliver => match here {
                ControlRow::Outgoing(o) => Some(ControlAct::Redeliver(o.key.clone())),
                _ => None,
            },
            _ => {
                let rows = self.containment.rows().len();
                let at = moved(self.containment.selected(), action, rows, self.painted.room);
                self.containment.select(at);
                return Vec::new();
            }
        };
        match about {
            Some(act) => self.open_sure(act),
            None => {
                let text = format!("{} is for another kind of row", action.title());
                self.toast(Tone::Info, text);
                Vec::new()
            }
        }
    }

    /// The switches, when nothing newer is on its way.
    pub fn containment_ready(&self) -> Option<Result<Arc<ContainmentView>, Refused>> {
        self.containment.seen.ready()
    }

    /// Index of the first row of the next section, or of the one before.
    fn next_section(&self, forward: bool) -> usize {
        let rows = self.containment.rows();
        let at = self.containment.selected();
        let Some(kind) = rows.get(at).map(ControlRow::kind) else { return 0 };
        let kinds: Vec<usize> = rows.iter().map(ControlRow::kind).collect();
        let first = |wanted: usize| kinds.iter().position(|k| *k == wanted).unwrap_or(0);
        let other = match forward {
            true => kinds.iter().find(|k| **k > kind).or(kinds.first()),
            false => kinds.iter().rev().find(|k| **k < kind).or(kinds.last()),
        };
        other.map_or(0, |k| first(*k))
    }

    /// Enter: what is behind the row.
    fn open_control(&mut self) -> Vec<Effect> {
        match self.containment.here() {
            Some(ControlRow::Incident(i)) => {
                let i = Arc::new(i.clone());
                self.open_incident(i)
            }
            Some(ControlRow::Freeze(f)) => {
                let id = f.like.clone();
                self.open_look(&id)
            }
            Some(ControlRow::Outgoing(o)) => {
                let id = o.item.clone();
                self.open_look(&id)
            }
            Some(ControlRow::Budget(b)) => {
                self.queue = Some(b.queue.clone());
                let text = self.list.filter_text.clone();
                let mut effects = self.go(View::Queue);
                effects.extend(self.set_filter(&text));
                effects
            }
            _ => Vec::new(),
        }
    }
}
