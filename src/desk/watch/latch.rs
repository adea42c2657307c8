//! When a condition that is looked at again and again sets its effect off: as it becomes true, and
//! not again at every look.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::signals::Window;

/// How long a condition on this window must have been false before an incident it opened is over:
/// an eighth of the window, ten minutes at least. A window that has hardly moved says hardly more
/// than before; what hovers about a threshold is one incident.
pub(super) fn quiet(window: Window) -> SignedDuration {
    SignedDuration::from_secs((window.seconds() / 8).max(600))
}

/// What is remembered of one effect in one slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Latch {
    /// It fired, and the condition has held since.
    pub(super) on: bool,
    pub(super) fired_at: Option<Timestamp>,
    /// When the condition was first seen false again; `None` while it holds.
    pub(super) clear_since: Option<Timestamp>,
    /// The incident it opened, while that is not known to be over.
    pub(super) incident: Option<String>,
}

impl Latch {
    /// The condition was looked at; `true`: its effect fires now.
    ///
    /// It fires when the condition becomes true. It fires again only after the condition was false,
    /// or while it still holds when the cool-down is over; never within the cool-down.
    pub(super) fn look(
        &mut self,
        holds: bool,
        now: Timestamp,
        cooldown: Option<SignedDuration>,
    ) -> bool {
        if !holds {
            self.on = false;
            self.clear_since.get_or_insert(now);
            return false;
        }
        self.clear_since = None;
        let cooled = match (self.fired_at, cooldown) {
            (Some(fired), Some(cooldown)) => now.duration_since(fired) >= cooldown,
            _ => true,
        };
        let again = self.on && cooldown.is_some();
        if !cooled || (self.on && !again) {
            return false;
        }
        self.on = true;
        self.fired_at = Some(now);
        true
    }

    /// It has been false for long enough to call what it opened over.
    pub(super) fn is_over(&self, now: Timestamp, quiet: SignedDuration) -> bool {
        self.clear_since.is_some_and(|since| now.duration_since(since) >= quiet)
    }

    /// Nothing of it needs to be remembered.
    pub(super) fn is_idle(&self, now: Timestamp, cooldown: Option<SignedDuration>) -> bool {
        let cooled = self
            .fired_at
            .is_none_or(|fired| now.duration_since(fired) >= cooldown.unwrap_or_default());
        !self.on && self.incident.is_none() && cooled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    #[test]
    fn it_fires_once_and_again_after_it_was_false() {
        let mut latch = Latch::default();
        let seen = [false, true, true, true, false, true, true];
        let fired: Vec<bool> =
            (0..).zip(seen).map(|(m, holds)| latch.look(holds, t(m), None)).collect();
        assert_eq!(fired, [false, true, false, false, false, true, false]);
    }

    #[test]
    fn within_the_cool_down_it_never_fires_and_after_it_again_while_it_holds() {
        let hour = Some(SignedDuration::from_hours(1));
        let mut latch = Latch::default();
        assert!(latch.look(true, t(0), hour));
        assert!(!latch.look(false, t(10), hour));
        assert!(!latch.look(true, t(20), hour), "flapping");
        assert!(!latch.look(true, t(59), hour));
        assert!(latch.look(true, t(60), hour));
        assert!(!latch.look(true, t(61), hour));
        assert!(latch.look(true, t(120), hour), "it still holds");
    }

    #[test]
    fn what_it_opened_is_over_after_a_quiet_while() {
        let mut latch = Latch::default();
        latch.look(true, t(0), None);
        latch.look(false, t(5), None);
        let ten = quiet(Window::Hour);
        assert!(!latch.is_over(t(14), ten));
        latch.look(true, t(14), None);
        latch.look(false, t(16), None);
        assert!(!latch.is_over(t(20), ten), "it counts anew");
        assert!(latch.is_over(t(26), ten));
        let day = quiet(Window::Day);
        assert!(!latch.is_over(t(16 + 179), day) && latch.is_over(t(16 + 180), day));
        assert!(latch.is_idle(t(26), None));
        latch.incident = Some("inc-1".into());
        assert!(!latch.is_idle(t(26), None));
    }
}
