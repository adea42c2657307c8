//! The control state as this process knows it: what is stored, and stops that are not stored yet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::KEY;
use crate::containment::Control;
use crate::desk::core::{Core, lock};
use crate::domain::{ControlScope, Timestamp};
use crate::protocol::KillMode;

/// The stored control state.
#[derive(Clone)]
pub(in crate::desk) struct Known {
    /// `None`: it cannot be read, and everything automatic goes to people.
    pub(in crate::desk) control: Option<Arc<Control>>,
    /// Its version, for the premise of a change.
    pub(in crate::desk) version: u64,
}

/// What this process knows and has decided about control.
#[derive(Default)]
pub(in crate::desk) struct Controls {
    /// As stored, with the generation it belongs to.
    known: Mutex<Option<(u64, Known)>>,
    /// Stops on their way to the disk, or that did not get there.
    stops: Mutex<Vec<Stop>>,
    /// Rises with every change of `stops`.
    epoch: AtomicU64,
}

/// A stop that acts in this process before it is stored.
#[derive(Clone)]
struct Stop {
    number: u64,
    scope: ControlScope,
    mode: KillMode,
    by: String,
    at: Timestamp,
    reason: String,
}

impl Controls {
    /// Stop now, in this process; its number.
    pub(super) fn stop(
        &self,
        scope: &ControlScope,
        mode: &KillMode,
        by: &str,
        at: Timestamp,
        reason: &str,
    ) -> u64 {
        let mut stops = lock(&self.stops);
        let number = self.epoch.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        stops.push(Stop {
            number,
            scope: scope.clone(),
            mode: mode.clone(),
            by: by.to_owned(),
            at,
            reason: reason.to_owned(),
        });
        number
    }

    /// A stop of this scope is stored: the process no longer has to remember those before.
    pub(super) fn stored(&self, scope: &ControlScope, number: u64) {
        self.retain(|s| s.scope != *scope || s.number > number);
    }

    /// It was not a stop after all: who asked may not.
    pub(super) fn take_back(&self, number: u64) {
        self.retain(|s| s.number != number);
    }

    fn retain(&self, keep: impl Fn(&Stop) -> bool) {
        lock(&self.stops).retain(keep);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Changes whenever stops of this process do: a sight from before is to be taken anew.
    pub(in crate::desk) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// The stored state with this process's own stops in it.
    pub(in crate::desk) fn with_stops(&self, known: Known) -> Option<Arc<Control>> {
        let stops = lock(&self.stops);
        let control = known.control?;
        if stops.is_empty() {
            return Some(control);
        }
        let mut control = Control::clone(&control);
        for s in stops.iter() {
            control.kill(&s.scope, &s.mode, &s.by, s.at, &s.reason);
        }
        Some(Arc::new(control))
    }
}

impl Core {
    /// The control state of this generation, or a later one: whoever decides on it has the
    /// generation as a premise.
    pub(in crate::desk) fn known_control(&self, generation: u64) -> Known {
        if let Some((at, known)) = &*lock(&self.controls.known)
            && *at == generation
        {
            return known.clone();
        }
        let stored = match self.store.state(KEY) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "the control state cannot be read");
                return Known { control: None, version: 0 };
            }
        };
        let known = match stored {
            // Nothing was ever stopped.
            None if generation == 0 => {
                Known { control: Some(Arc::new(Control::default())), version: 0 }
            }
            None => {
                tracing::error!(generation, "the control state is gone");
                Known { control: None, version: 0 }
            }
            Some(stored) => {
                let control = Control::parse(&stored.value).map(Arc::new);
                if let Err(error) = &control {
                    tracing::error!(%error, "everything goes to people");
                }
                Known { control: control.ok(), version: stored.version }
            }
        };
        *lock(&self.controls.known) = Some((generation, known.clone()));
        known
    }
}

/// What takes the place of a control state that cannot be read when somebody changes it: nothing
/// runs until people restart it, whatever was stopped before.
pub(super) fn instead_of_unreadable(now: Timestamp) -> Control {
    let mut control = Control::default();
    let why = "the control state could not be read; what was stopped before is not known";
    control.kill(&ControlScope::All, &KillMode::Human, "system", now, why);
    control
}
