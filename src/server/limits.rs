//! How often one token, or one address, may ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

use super::problem::Problem;
use crate::containment::Gcra;
use crate::domain::Timestamp;

/// Requests a minute; bursts of a minute's worth pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    pub token: f64,
    pub address: f64,
    /// Requests of an address whose token opens nothing.
    pub failed: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { token: 600_000.0, address: 1_200_000.0, failed: 60.0 }
    }
}

/// Beyond this many names, those at rest are forgotten.
const MANY: usize = 10_000;

/// Limiters by name.
pub(super) struct Limits {
    rates: Rates,
    tokens: Mutex<HashMap<String, Gcra>>,
    addresses: Mutex<HashMap<IpAddr, Gcra>>,
    failures: Mutex<HashMap<IpAddr, Gcra>>,
}

impl Limits {
    pub(super) fn new(rates: Rates) -> Self {
        let tokens = Mutex::default();
        Self { rates, tokens, addresses: Mutex::default(), failures: Mutex::default() }
    }

    /// A request of this address.
    pub(super) fn address(&self, from: IpAddr) -> Result<(), Problem> {
        let passes = pass(&self.addresses, &network(from), self.rates.address, Timestamp::now());
        passes.then_some(()).ok_or_else(|| too_many("this address"))
    }

    /// A request with this token.
    pub(super) fn token(&self, id: &str) -> Result<(), Problem> {
        let passes = pass(&self.tokens, id, self.rates.token, Timestamp::now());
        passes.then_some(()).ok_or_else(|| too_many("this token"))
    }

    /// A request of this address whose token opened nothing.
    pub(super) fn failed(&self, from: IpAddr) -> Result<(), Problem> {
        let passes = pass(&self.failures, &network(from), self.rates.failed, Timestamp::now());
        passes
            .then_some(())
            .ok_or_else(|| too_many("this address, with tokens that open nothing").retry_after(60))
    }
}

/// Whoever has an IPv6 address has 2^64 of them.
pub(super) fn network(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

fn pass<K, Q>(limiters: &Mutex<HashMap<K, Gcra>>, name: &Q, rate: f64, now: Timestamp) -> bool
where
    K: Hash + Eq + std::borrow::Borrow<Q>,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
{
    let mut limiters = lock(limiters);
    if limiters.len() > MANY {
        // What would let a whole minute's worth through remembers nothing.
        limiters.retain(|_, one| !one.is_at_rest(now));
    }
    match limiters.get_mut(name) {
        Some(one) if !one.has_room(now, rate) => false,
        Some(one) => {
            one.take(now, rate);
            true
        }
        None => {
            let mut one = Gcra::default();
            one.take(now, rate);
            limiters.insert(name.to_owned(), one);
            true
        }
    }
}

fn too_many(who: &str) -> Problem {
    let what = format!("too many requests of {who}");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", what)
        .hint("ask more slowly; many records go in one request as application/x-ndjson")
        .retry_after(1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_of_one_name_and_recovers() {
        let limiters = Mutex::default();
        let at = |s| Timestamp::from_second(1_000_000_i64 + s).unwrap();
        for _ in 0..60 {
            assert!(pass(&limiters, "a", 60.0, at(0)));
        }
        assert!(!pass(&limiters, "a", 60.0, at(0)));
        assert!(pass(&limiters, "b", 60.0, at(0)));
        assert!(pass(&limiters, "a", 60.0, at(2)));
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let other: IpAddr = "2001:db8::ffff:1".parse().unwrap();
        let far: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        assert_eq!(network(one), network(other));
        assert_ne!(network(one), network(far));
    }
}
