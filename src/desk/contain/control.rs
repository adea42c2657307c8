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
    /// The control generation that holds it, once it is stored.
    stored: Option<u64>,
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
            stored: None,
        });
        number
    }

    /// A stop of this scope is stored as of this generation: the process need not remember those
    /// before any more, once it knows that generation.
    pub(super) fn stored(&self, scope: &ControlScope, number: u64, generation: u64) {
        let mut stops = lock(&self.stops);
        for stop in stops.iter_mut().filter(|s| s.scope == *scope && s.number <= number) {
            stop.stored = Some(generation);
        }
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// It was not a stop after all: who asked may not.
    pub(super) fn take_back(&self, number: u64) {
        lock(&self.stops).retain(|s| s.number != number);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Changes whenever stops of this process do: a sight from before is to be taken anew.
    pub(in crate::desk) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// The stored state as it was read last, with its generation.
    pub(in crate::desk) fn last_known(&self) -> Option<(u64, Known)> {
        lock(&self.known).clone()
    }

    /// The stored state of this generation with this process's own stops in it.
    pub(in crate::desk) fn with_stops(
        &self,
        generation: u64,
        known: Known,
    ) -> Option<Arc<Control>> {
        let mut stops = lock(&self.stops);
        stops.retain(|s| s.stored.is_none_or(|at| at > generation));
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
        let mut last = lock(&self.controls.known);
        // A look that began earlier may come later: what is known never goes back.
        if last.as_ref().is_none_or(|(at, _)| *at <= generation) {
            *last = Some((generation, known.clone()));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Local, OpenOptions};
    use crate::protocol::{Answer, Command};

    /// Whoever holds the writer, a stop acts in its own process at once, and everywhere when it is
    /// stored; a process that has it stored forgets its own.
    #[test]
    fn a_stop_acts_in_its_process_before_it_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.db");
        let desk = Local::open(OpenOptions::new(&path, "ann")).unwrap();
        let other = Local::open(OpenOptions::new(&path, "ann")).unwrap();
        let scope: ControlScope = "domain=loan".parse().unwrap();
        let stopped = |desk: &Local| {
            let sight = desk.core.sight().unwrap();
            (sight.snapshot.generation, sight.control.unwrap().switches.contains_key(&scope))
        };
        let lock = rusqlite::Connection::open(&path).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let before = desk.core.sight().unwrap().epoch;
        std::thread::scope(|threads| {
            let killing = threads.spawn(|| {
                let kill = Command::Kill {
                    scope: scope.clone(),
                    mode: KillMode::Human,
                    reason: "drifts".into(),
                };
                desk.execute_blocking("ann", kill).unwrap()
            });
            while desk.core.controls.epoch() == before {
                std::thread::yield_now();
            }
            assert_eq!(stopped(&desk), (0, true), "not stored, and stopped here");
            assert_eq!(stopped(&other), (0, false), "another process cannot know yet");
            lock.execute_batch("ROLLBACK").unwrap();
            let answer = killing.join().unwrap();
            let expected = Answer::Killed { scope: scope.clone(), generation: 1, held: 0 };
            assert_eq!(answer, expected);
        });
        let said = desk.in_force();
        assert!(said.control.unwrap().switches.contains_key(&scope), "without another look");
        assert_eq!(said.generation, 1);
        assert_eq!((stopped(&desk), stopped(&other)), ((1, true), (1, true)));
        let own = desk.core.known_control(1);
        let shown = desk.core.controls.with_stops(1, own.clone()).unwrap();
        assert!(Arc::ptr_eq(&shown, &own.control.unwrap()), "no stop of its own is left");
    }

    #[test]
    fn a_stop_that_was_not_allowed_is_taken_back_and_a_stored_one_forgets_those_before() {
        let controls = Controls::default();
        let known = || Known { control: Some(Arc::new(Control::default())), version: 0 };
        let kill = |scope: &str| {
            let at = Timestamp::UNIX_EPOCH;
            controls.stop(&scope.parse().unwrap(), &KillMode::Human, "ann", at, "x")
        };
        let stops = || -> Vec<String> {
            let control = controls.with_stops(0, known()).unwrap();
            control.switches.keys().map(ToString::to_string).collect()
        };
        let one = kill("domain=loan");
        let two = kill("all");
        assert_eq!(stops(), ["all", "domain=loan"]);
        controls.take_back(two);
        assert_eq!(stops(), ["domain=loan"]);
        // The first could not be stored, the second of the same scope was.
        let three = kill("domain=loan");
        assert!(three > one);
        controls.stored(&"domain=loan".parse().unwrap(), three, 1);
        assert_eq!(stops(), ["domain=loan"], "what is known here is from before");
        let later = controls.with_stops(1, known()).unwrap();
        assert!(later.switches.is_empty(), "what is known holds it");
        assert!(stops().is_empty());
        // What cannot be read stays unreadable, whatever is stopped here.
        kill("all");
        assert!(controls.with_stops(1, Known { control: None, version: 0 }).is_none());
    }
}
