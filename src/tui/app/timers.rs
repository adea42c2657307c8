//! When the app wants to be woken, and what it does then. Nothing to do: no timer, no frame.

use jiff::SignedDuration;

use super::keys::HESITATES;
use super::{Countdown, Effect, State};
use crate::domain::Timestamp;

/// Leases of others end without a log entry: look this often.
const LOOK: SignedDuration = SignedDuration::from_secs(30);

impl State {
    /// The next time something is due by time alone.
    pub fn wake(&self) -> Option<Timestamp> {
        if self.ending.is_some() {
            return None;
        }
        let after = |t: Timestamp, d: SignedDuration| t.checked_add(d).ok();
        let hints =
            if self.keys.pending.is_empty() { None } else { after(self.keys.since, HESITATES) };
        [
            self.toasts.iter().map(|t| t.until).min(),
            self.verdicts.pending.iter().map(|p| p.until).min(),
            self.lease_wake(),
            hints.filter(|at| *at > self.painted_at),
            self.refresh_due,
            after(self.refreshed_at, LOOK),
            self.next_count(),
            self.edit_wake(),
            self.reason_wake(),
            self.watched_wake(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When the list is looked at again by itself.
    pub fn next_look(&self) -> Timestamp {
        self.refreshed_at.checked_add(LOOK).unwrap_or(self.now)
    }

    /// When the countdowns on the frame change.
    fn next_count(&self) -> Option<Timestamp> {
        let wait = match self.painted.countdown {
            Countdown::None => return None,
            Countdown::Seconds => SignedDuration::from_secs(1),
            // The next minute, or the moment when a last minute begins and seconds count.
            Countdown::Minutes => {
                let into = self.painted_at.as_millisecond().rem_euclid(60_000);
                let minute = SignedDuration::from_millis(60_000 - into);
                self.painted.last_minute.map_or(minute, |d| d.min(minute))
            }
        };
        self.painted_at.checked_add(wait).ok()
    }

    /// The next time something on the frame changes: when no second counts, wait for the minute.
    pub(super) fn woke(&mut self) -> Vec<Effect> {
        let now = self.now;
        if self.next_count().is_some_and(|at| at <= now) {
            self.dirty = true;
        }
        if !self.keys.pending.is_empty()
            && self
                .keys
                .since
                .checked_add(HESITATES)
                .is_ok_and(|at| at <= now && at > self.painted_at)
        {
            self.dirty = true;
        }
        self.expire_toasts();
        let mut effects = self.expire_pending();
        effects.extend(self.heartbeat());
        effects.extend(self.edit_pause());
        effects.extend(self.keep_reason());
        effects.extend(self.watched_due());
        let look = self.refreshed_at.checked_add(LOOK).is_ok_and(|at| at <= now);
        if look || self.refresh_due.is_some_and(|at| at <= now) {
            // A failed page is tried again at the next look.
            self.list.failed = None;
            effects.extend(self.refresh_now());
        }
        effects
    }
}
