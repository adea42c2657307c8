//! A feature opened: its distribution now beside the reference, and the decisions behind it.

use super::act::moved;
use super::watched::Watched;
use super::{Effect, Purpose, State};
use crate::protocol::{DistributionView, Query, Refused, Reply};
use crate::tui::keymap::Action;

/// What was opened. It is not read again by itself: whoever compares wants it to stand still.
#[derive(Clone, Debug)]
pub struct Opened {
    /// `model:m@1`.
    pub slice: String,
    pub feature: String,
    pub seen: Watched<DistributionView>,
    /// Index into the decisions.
    pub selected: usize,
}

impl Opened {
    /// The decision under the cursor.
    pub fn here(&self) -> Option<&str> {
        let view = self.seen.view.as_ref()?;
        view.decisions.get(self.selected).map(String::as_str)
    }
}

impl State {
    pub(super) fn open_distribution(&mut self, slice: String, feature: String) -> Vec<Effect> {
        let seen = Watched::default();
        self.signals.opened = Some(Opened { slice, feature, seen, selected: 0 });
        self.dirty = true;
        self.read_distribution()
    }

    /// Reads what is opened; what was being read is nobody's any more.
    pub(super) fn read_distribution(&mut self) -> Vec<Effect> {
        let window = self.signals.window().to_owned();
        let now = self.now;
        let mut effects = self.drop_distribution();
        let Some(opened) = &self.signals.opened else { return effects };
        let (slice, feature) = (opened.slice.clone(), opened.feature.clone());
        let (ticket, effect) =
            self.ask(Purpose::Distribution, Query::Distribution { slice, feature, window });
        if let Some(opened) = &mut self.signals.opened {
            opened.seen.started(ticket, now);
        }
        effects.push(effect);
        effects
    }

    fn drop_distribution(&mut self) -> Vec<Effect> {
        let ticket = self.signals.opened.as_mut().and_then(|o| o.seen.forget());
        let Some(ticket) = ticket else { return Vec::new() };
        self.asked.remove(&ticket);
        vec![Effect::Cancel { ticket }]
    }

    pub(super) fn distribution_came(
        &mut self,
        ticket: u64,
        reply: Result<Reply, Refused>,
    ) -> Vec<Effect> {
        let reply = match reply {
            Ok(Reply::Distribution(view)) => Ok(*view),
            other => Err(super::asks::failure(other)),
        };
        if let Some(opened) = &mut self.signals.opened {
            let news = opened.seen.came(ticket, reply, PartialEq::eq);
            self.dirty |= news == Some(true);
        }
        Vec::new()
    }

    pub(super) fn distribution_act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Back if !self.toasts.is_empty() => {
                self.toasts.clear();
                Vec::new()
            }
            Action::Back => {
                let effects = self.drop_distribution();
                self.signals.opened = None;
                effects
            }
            Action::Open => match self.signals.opened.as_ref().and_then(Opened::here) {
                Some(id) => {
                    let id = id.to_owned();
                    self.open_look(&id)
                }
                None => Vec::new(),
            },
            Action::Window | Action::WindowBack => {
                let windows = super::signals::WINDOWS.len();
                let by = if action == Action::Window { 1 } else { windows - 1 };
                self.signals.turn_window(by);
                // The figures behind are of the other window now, too.
                let mut effects = self.reread_signals();
                effects.extend(self.read_distribution());
                effects
            }
            Action::KillHere | Action::Kill => self.open_kill(),
            Action::CopyId => self.copy_id(),
            _ => {
                let room = self.painted.room;
                if let Some(opened) = &mut self.signals.opened {
                    let rows = opened.seen.view.as_ref().map_or(0, |v| v.decisions.len());
                    opened.selected = moved(opened.selected, action, rows, room);
                }
                Vec::new()
            }
        }
    }
}
