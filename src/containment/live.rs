//! What moves with every decision, in one process: limiters and the meters of budgets.

use std::collections::BTreeMap;

use super::budget::Meter;
use super::limit::Gcra;
use crate::domain::Timestamp;
use crate::policy::Chance;

/// Limiters by name (`[limit.NAME]`, or the scope that an effect limited), and the meters of
/// budgets by queue.
///
/// It belongs to a process. Two processes that admit into one store have one each: together they
/// may let twice a limit through, and ask twice a budget. A new one begins where the store's counts
/// say that things stand ([`Live::seed_limiter`], [`Live::seed_meter`]).
#[derive(Clone)]
pub struct Live {
    chance: Chance,
    key: Vec<u8>,
    limiters: BTreeMap<String, Gcra>,
    meters: BTreeMap<String, Meter>,
    capacity: BTreeMap<String, f64>,
}

impl Live {
    /// Nothing counted yet. `key` keys every draw and every signature of a text; it must stay the
    /// same for the life of a store.
    pub fn new(key: &[u8]) -> Self {
        Self {
            chance: Chance::new(key),
            key: key.to_vec(),
            limiters: BTreeMap::new(),
            meters: BTreeMap::new(),
            capacity: BTreeMap::new(),
        }
    }

    /// Draws under the store's key: which ids a canary's share holds.
    pub fn chance(&self) -> &Chance {
        &self.chance
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Is there a limiter of that name yet?
    pub fn has_limiter(&self, name: &str) -> bool {
        self.limiters.contains_key(name)
    }

    /// Begin a limiter that has let `taken` decisions through in the minute before `now`.
    pub fn seed_limiter(&mut self, name: &str, taken: u64, now: Timestamp, per_minute: f64) {
        self.limiters.insert(name.to_owned(), Gcra::seeded(taken, now, per_minute));
    }

    /// Is there a meter of that queue yet?
    pub fn has_meter(&self, queue: &str) -> bool {
        self.meters.contains_key(queue)
    }

    /// Begin a meter of a queue to which `arrivals` came in the hour before `now`.
    pub fn seed_meter(&mut self, queue: &str, arrivals: u64, now: Timestamp) {
        self.meters.insert(queue.to_owned(), Meter::seeded(arrivals, now));
    }

    /// Reviews an hour that the people of a queue have been seen to do.
    pub fn set_capacity(&mut self, queue: &str, per_hour: Option<f64>) {
        match per_hour {
            Some(n) => drop(self.capacity.insert(queue.to_owned(), n)),
            None => drop(self.capacity.remove(queue)),
        }
    }

    /// Reviews an hour that the people of a queue have been seen to do; `None`: not measured.
    pub fn capacity(&self, queue: &str) -> Option<f64> {
        self.capacity.get(queue).copied()
    }

    /// Arrivals, reviews asked for, and reviews that gave way, of a queue in the hour before `now`.
    pub fn last_hour(&self, queue: &str, now: Timestamp) -> (u64, u64, u64) {
        self.meters.get(queue).map_or((0, 0, 0), |m| m.last_hour(now))
    }

    pub(super) fn limiter(&mut self, name: &str) -> &mut Gcra {
        self.limiters.entry(name.to_owned()).or_default()
    }

    pub(super) fn meter(&mut self, queue: &str) -> &mut Meter {
        self.meters.entry(queue.to_owned()).or_default()
    }
}
