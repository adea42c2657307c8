//! The turn to send: one process at a time has it, and those at work in it know how long it lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How long it is held. Whoever dies with it keeps others waiting for so long.
pub(super) const TURN: Duration = Duration::from_secs(30);
/// How often it is looked after while somebody is at work; past half of its time it is renewed.
const RENEW: Duration = Duration::from_secs(5);

/// The turn, as a process and its workers know it.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<Mutex<Option<Instant>>>);

impl Turn {
    /// It was asked for at `asked`: is it ours? Half of it is left then, if not all.
    pub(super) fn set(&self, ours: bool, asked: Instant) {
        *self.until() = ours.then(|| asked + TURN / 2);
    }

    /// Nothing more is begun once it is over: another may have it.
    pub(super) fn lasts(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    /// Is there one to be given back?
    pub(super) fn leave(&self) -> bool {
        self.until().take().is_some()
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When to look after it.
pub(super) fn renewals() -> Interval {
    let mut times = interval_at(Instant::now() + RENEW, RENEW);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    times
}
