//! Taking verdicts back while their grace time runs, and letting go of those that are final.

use super::toast::Tone;
use super::verdict::{About, Order, Pending, Sent};
use super::{Effect, Purpose, State};
use crate::protocol::Command;

impl State {
    /// Takes back the newest verdict that can be, with those given by the same key press; the
    /// item on show first, if it is one.
    pub(super) fn undo(&mut self) -> Vec<Effect> {
        let here = self.shown.as_ref().map(|s| s.id.clone());
        let mut all: Vec<&Sent> = self
            .verdicts
            .pending
            .iter()
            .filter(|p| !p.undoing && p.until > self.now)
            .map(|p| &p.sent)
            .collect();
        let asked_back = |item: &str| {
            self.verdicts
                .outbox
                .iter()
                .any(|o| matches!(&o.about, About::Undo(s) if s.item == item))
        };
        all.extend(self.verdicts.unanswered().filter(|s| !asked_back(&s.item)));
        let newest = all
            .iter()
            .find(|s| Some(&s.item) == here.as_ref())
            .or_else(|| all.last())
            .map(|s| s.batch);
        let Some(batch) = newest else {
            if let Some(sent) = self.unsent_to_undo() {
                self.verdicts.outbox.push_back(Order {
                    command: Command::Undo { item: sent.item.clone() },
                    sign: false,
                    about: About::Undo(sent),
                });
                self.dirty = true;
                return self.pump();
            }
            let grace = self.policy.as_ref().map_or(5, |p| p.grace_ms.div_ceil(1000));
            let text = format!("nothing to take back: a verdict is final after {grace} s");
            self.toast_hint(Tone::Info, text, Some("a settled decision can be flagged".to_owned()));
            return Vec::new();
        };
        let back: Vec<Sent> = all.into_iter().filter(|s| s.batch == batch).cloned().collect();
        for sent in back {
            for p in &mut self.verdicts.pending {
                p.undoing |= p.sent.item == sent.item;
            }
            self.verdicts.outbox.push_back(Order {
                command: Command::Undo { item: sent.item.clone() },
                sign: false,
                about: About::Undo(sent),
            });
        }
        self.dirty = true;
        self.pump()
    }

    pub(super) fn undone(&mut self, sent: Sent) -> Vec<Effect> {
        self.verdicts.pending.retain(|p| p.sent.item != sent.item);
        self.kept.drop_item(&sent.item);
        self.toast(Tone::Info, format!("took back: {} is as it was", sent.item));
        match sent.row {
            Some(row) => self.list.put_back(row),
            None => self.list.returned(&sent.item),
        }
        let mut effects = Vec::new();
        // The desk forgot the draft with the verdict; the verdict is back, and so is the draft.
        if let Some(draft) = self.drafts.get(&sent.item).cloned() {
            let command = Command::SaveDraft { item: sent.item.clone(), draft };
            effects.push(self.tell(Purpose::Draft(sent.item.clone()), command));
        }
        if self.overlays.is_empty() && self.list.select(&sent.item) {
            if self.shown.as_ref().is_some_and(|s| s.id == sent.item) {
                effects.extend(self.reload_item());
            } else {
                effects.extend(self.follow_selection(true));
            }
        }
        effects.extend(self.refresh());
        effects
    }

    /// Verdicts whose grace time is over are final; says so to the desk, which then acts on them.
    pub(super) fn expire_pending(&mut self) -> Vec<Effect> {
        let now = self.now;
        let (over, left) = std::mem::take(&mut self.verdicts.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|p| p.until <= now);
        self.verdicts.pending = left;
        if over.is_empty() {
            return Vec::new();
        }
        self.dirty = true;
        for Pending { sent, .. } in over {
            self.drafts.remove(&sent.item);
        }
        vec![self.tell(Purpose::Quiet, Command::Tick)]
    }
}
