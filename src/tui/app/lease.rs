//! The lease of the item on show: asked for, kept alive while somebody works, lost, taken again.

use std::sync::Arc;

use jiff::SignedDuration;

use super::item::Hold;
use super::{Effect, Purpose, State};
use crate::domain::Timestamp;
use crate::protocol::{Answer, Command, LeaseAsk, Refused, Why};

/// A lease is renewed this often while somebody works.
const RENEW: SignedDuration = SignedDuration::from_secs(30);
/// Who pressed no key this long is away: the lease runs out by itself.
const AWAY: SignedDuration = SignedDuration::from_mins(4);

impl State {
    pub(super) fn set_hold(&mut self, hold: Hold) {
        if let Some(shown) = &mut self.shown {
            shown.hold = hold;
            self.dirty = true;
        }
    }

    pub(super) fn held_by_other(&self, id: &str) -> bool {
        let by = self.list.find(id).and_then(|r| r.leased_by.as_deref());
        by.is_some_and(|by| by != self.me)
    }

    /// The item on show is one that people can take: open, as far as is known.
    pub(super) fn may_take(&self) -> bool {
        let Some(shown) = &self.shown else { return false };
        let state = match (&shown.view, self.list.find(&shown.id)) {
            (_, Some(row)) => row.state,
            (Some(view), None) => view.state,
            (None, None) => return true,
        };
        state.is_open()
    }

    /// Asks for the lease when it is time to.
    pub(super) fn take_lease(&mut self) -> Vec<Effect> {
        let Some(shown) = &self.shown else { return Vec::new() };
        let Hold::Wanted(when) = shown.hold else { return Vec::new() };
        if when > self.now || self.leasing.is_some() || !self.may_take() || self.ending.is_some() {
            return Vec::new();
        }
        let id = shown.id.clone();
        let ask = LeaseAsk { item: Some(id.clone()), ..LeaseAsk::default() };
        let (ticket, effect) = self.tell_ticket(Purpose::Lease(id), Command::Lease(ask));
        self.leasing = Some(ticket);
        self.set_hold(Hold::Asking(ticket));
        vec![effect]
    }

    /// When the lease on show wants something: to be asked for, renewed, or seen to run out.
    pub(super) fn lease_wake(&self) -> Option<Timestamp> {
        match self.shown.as_ref()?.hold {
            Hold::Wanted(when) if self.leasing.is_none() && self.may_take() => Some(when),
            Hold::Mine { until, renewed, .. } => {
                let due = renewed.checked_add(RENEW).unwrap_or(until);
                if self.is_away_at(due) { Some(until) } else { Some(due.min(until)) }
            }
            _ => None,
        }
    }

    fn is_away_at(&self, when: Timestamp) -> bool {
        // Whoever types in their own editor is at work, though no key reaches us.
        !self.outside && when.duration_since(self.active) > AWAY
    }

    /// The heartbeat: renew what is worked on, let go of what ran out.
    pub(super) fn heartbeat(&mut self) -> Vec<Effect> {
        let Some(shown) = &self.shown else { return Vec::new() };
        let Hold::Mine { epoch, until, renewed } = shown.hold else { return self.take_lease() };
        let item = shown.id.clone();
        if until <= self.now {
            self.set_hold(Hold::Lost(
                Refused::new(Why::LeaseLost, format!("your lease on {item} ran out"))
                    .hint("any key takes it again"),
            ));
            return Vec::new();
        }
        if self.now.duration_since(renewed) < RENEW || self.is_away_at(self.now) {
            return Vec::new();
        }
        if let Some(shown) = &mut self.shown {
            shown.hold = Hold::Mine { epoch, until, renewed: self.now };
        }
        vec![self.tell(Purpose::Renew(item.clone()), Command::Renew { item, epoch })]
    }

    /// A key was pressed: whoever lost a lease by being away takes it again.
    pub(super) fn woke_up(&mut self) -> Vec<Effect> {
        let ran_out = self.shown.as_ref().is_some_and(|s| {
            matches!(&s.hold, Hold::Lost(_))
                || matches!(&s.hold, Hold::Mine { until, .. } if *until <= self.now)
        });
        if !ran_out {
            return self.heartbeat();
        }
        self.set_hold(Hold::Wanted(self.now));
        self.take_lease()
    }

    /// The answer to a lease asked for `id`.
    pub(super) fn leased(
        &mut self,
        ticket: u64,
        id: &str,
        answer: Result<Answer, Refused>,
    ) -> Vec<Effect> {
        self.leasing = None;
        let current =
            self.shown.as_ref().is_some_and(|s| s.id == id && s.hold == Hold::Asking(ticket));
        let mut effects = Vec::new();
        match answer {
            Ok(Answer::Leased(Some(view))) => {
                let lease = view.lease.clone().filter(|l| l.reviewer == self.me);
                let view = Arc::new(*view);
                self.kept.put(view.clone());
                match (current, lease) {
                    (true, Some(lease)) => {
                        self.set_hold(Hold::Mine {
                            epoch: lease.epoch,
                            until: lease.until,
                            renewed: self.now,
                        });
                        effects.extend(self.got_view(view));
                    }
                    (true, None) => {
                        self.set_hold(Hold::Theirs);
                        effects.extend(self.got_view(view));
                    }
                    // The reviewer has moved on: give it back.
                    (false, Some(lease)) => {
                        let command = Command::Release { item: id.to_owned(), epoch: lease.epoch };
                        effects.push(self.tell(Purpose::Quiet, command));
                    }
                    (false, None) => {}
                }
            }
            Ok(_) if current => {
                self.set_hold(Hold::Theirs);
                effects.extend(self.reload_item());
            }
            Err(refused) if current => {
                // Not theirs to decide: nothing goes back to it by itself.
                if refused.kind == Why::Authority {
                    self.skipped.insert(id.to_owned());
                }
                let hold = match refused.kind {
                    Why::LeaseLost => Hold::Theirs,
                    _ => Hold::Denied(refused),
                };
                self.set_hold(hold);
                effects.extend(self.reload_item());
            }
            Ok(_) | Err(_) => {}
        }
        effects.extend(self.take_lease());
        effects.extend(self.prefetch());
        effects
    }

    /// The answer to a renewal.
    pub(super) fn renewed(&mut self, id: &str, answer: Result<Answer, Refused>) -> Vec<Effect> {
        let now = self.now;
        let Some(shown) = self.shown.as_mut().filter(|s| s.id == id) else { return Vec::new() };
        let Hold::Mine { epoch, until, renewed } = &mut shown.hold else { return Vec::new() };
        match answer {
            Ok(Answer::Renewed(lease)) => {
                *epoch = lease.epoch;
                *until = lease.until;
                *renewed = now;
                // No frame for this: what the screen says of the lease is only too careful.
                Vec::new()
            }
            Err(refused) if refused.kind == Why::LeaseLost => {
                self.toast_refused("", &refused);
                self.set_hold(Hold::Lost(refused));
                self.reload_item()
            }
            // Try again at the next beat; the lease still runs.
            Ok(_) | Err(_) => Vec::new(),
        }
    }
}
