//! What automation may do, for those who ask at every decision: out of memory, and checked against
//! the store by whoever refreshes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Local;
use super::core::refuse;
use crate::containment::Control;
use crate::policy::Chance;
use crate::protocol::Refused;

/// What the store says about automation.
#[derive(Clone)]
pub struct Confirmed {
    pub generation: u64,
    /// A policy is in force, and it can be read.
    pub policy: bool,
    /// Draws under the store's key: which ids a canary's share holds.
    pub chance: Arc<Chance>,
    /// Domains and models there are decisions of.
    pub domains: BTreeSet<String>,
    pub models: BTreeSet<String>,
}

/// Control as this process knows it, its own stops included, without asking the store.
#[derive(Clone)]
pub struct InForce {
    /// `None`: it cannot be read, or nobody has looked yet. Nothing may be automatic then.
    pub control: Option<Arc<Control>>,
    pub generation: u64,
    /// Changes with every stop of this process that is not stored yet.
    pub epoch: u64,
}

impl Local {
    /// Look at the store: what [`Local::in_force`] says holds as of now. Blocks for a small read.
    pub fn confirm(&self) -> Result<Confirmed, Refused> {
        let sight = self.core.sight()?;
        let tally = self.core.store.tally().map_err(refuse)?;
        let named = |of: fn(&crate::store::Tally) -> &String| -> BTreeSet<String> {
            tally.iter().map(of).filter(|name| !name.is_empty()).cloned().collect()
        };
        // Tokens that were made or revoked elsewhere are known from here on as well.
        self.core.tokens_now()?;
        Ok(Confirmed {
            generation: sight.snapshot.generation,
            policy: sight.policy.is_some(),
            chance: Arc::new(Chance::new(sight.snapshot.key)),
            domains: named(|t| &t.domain),
            models: named(|t| &t.model),
        })
    }

    /// Control as this process knows it. Never blocks on the store.
    pub fn in_force(&self) -> InForce {
        let controls = &self.core.controls;
        let epoch = controls.epoch();
        let Some((generation, known)) = controls.last_known() else {
            return InForce { control: None, generation: 0, epoch };
        };
        // What this node knows may be old by now.
        if self.core.store.freshness().is_stale() {
            return InForce { control: None, generation, epoch };
        }
        InForce { control: controls.with_stops(generation, known), generation, epoch }
    }

    /// A secret of this store for `purpose`, the same in every process that serves it.
    pub fn derived_secret(&self, purpose: &str) -> Result<[u8; 32], Refused> {
        use hmac::Mac as _;
        let snapshot = self.core.store.snapshot().map_err(refuse)?;
        let mut out = [0; 32];
        // HMAC takes keys of every length.
        if let Ok(mut mac) = hmac::Hmac::<sha2::Sha256>::new_from_slice(&snapshot.key) {
            mac.update(purpose.as_bytes());
            out.copy_from_slice(&mac.finalize().into_bytes());
        }
        Ok(out)
    }
}
