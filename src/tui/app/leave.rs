//! Ending: nothing that was submitted is lost, the lease goes back, drafts are kept.

use super::item::Hold;
use super::verdict::{About, Order};
use super::{Effect, Overlay, State};
use crate::protocol::Command;

/// The app is ending; it waits for what it submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The outbox is emptying.
    Draining,
    /// The last effect was given.
    Ended,
}

impl State {
    /// The reviewer wants to quit: at once, or after a question while verdicts can be taken back.
    pub(super) fn quit(&mut self) -> Vec<Effect> {
        let pending = self.verdicts.pending.iter().any(|p| p.until > self.now);
        if pending || !self.verdicts.idle() {
            self.open(Overlay::Quit);
            return Vec::new();
        }
        self.end()
    }

    /// Ends: gives back what is held and waits for the desk's answers.
    pub(super) fn end(&mut self) -> Vec<Effect> {
        if self.ending.is_some() {
            return self.pump();
        }
        self.ending = Some(Ending::Draining);
        self.dirty = true;
        let mut effects = self.save_open_draft(true);
        // It stays on the screen to the end, but it is not ours any more.
        let held = self.shown.as_mut().and_then(|s| {
            let epoch = s.epoch(self.now);
            s.hold = Hold::Theirs;
            Some((s.id.clone(), epoch?))
        });
        if let Some((item, epoch)) = held {
            self.verdicts.outbox.push_back(Order {
                command: Command::Release { item, epoch },
                sign: false,
                about: About::Release,
            });
        }
        effects.extend(self.pump());
        effects
    }

    /// A signal: the terminal goes away, or somebody asks us to.
    pub(super) fn stop(&mut self) -> Vec<Effect> {
        self.end()
    }

    /// Ends once everything has been answered.
    pub(super) fn may_end(&mut self) -> Vec<Effect> {
        // A stop that was sent is seen through as well.
        if self.ending == Some(Ending::Draining) && self.control.ordered.is_empty() {
            self.ending = Some(Ending::Ended);
            return vec![Effect::Quit];
        }
        Vec::new()
    }
}
