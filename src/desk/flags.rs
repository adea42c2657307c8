//! What automation may do, for those who ask at every decision: out of memory, and checked against
//! the store by whoever refreshes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Local;
use super::core::{Core, Sight, lock, refuse};
use crate::containment::{Control, Kind, Kinds};
use crate::policy::Chance;
use crate::protocol::Refused;
use crate::store::{Flowed, Tally};

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
    /// What decides where, while a breaker is open or half open.
    pub kinds: Arc<Kinds>,
}

/// What decides where, as it was read for this generation and second of the wall clock.
pub(super) type Kept = Option<(u64, i64, Arc<Kinds>)>;

/// Control as this process knows it, its own stops included, without asking the store.
#[derive(Clone)]
pub struct InForce {
    /// `None`: it cannot be read, or nobody has looked yet. Nothing may be automatic then.
    pub control: Option<Arc<Control>>,
    pub generation: u64,
}

impl Core {
    /// What decides where. Only breakers make it matter; it is read once a second at most.
    fn kinds_lately(&self, sight: &Sight, tally: &[Tally]) -> Result<Arc<Kinds>, Refused> {
        if sight.control.as_ref().is_none_or(|c| c.breakers.is_empty()) {
            return Ok(Arc::default());
        }
        let at = (sight.snapshot.generation, sight.wall.as_second());
        if let Some((generation, second, kinds)) = &*lock(&self.kinds)
            && (*generation, *second) == at
        {
            return Ok(kinds.clone());
        }
        let flowed = self.store.flowed(sight.now, None).map_err(refuse)?;
        let kinds = Arc::new(kinds(tally, &flowed));
        *lock(&self.kinds) = Some((at.0, at.1, kinds.clone()));
        Ok(kinds)
    }
}

/// What decides where, of what was counted.
pub(super) fn kinds(tally: &[Tally], flowed: &Flowed) -> Kinds {
    let kind = |domain: &str, model: &str, version: &str| Kind {
        domain: domain.to_owned(),
        model: model.to_owned(),
        version: version.to_owned(),
    };
    let known = |k: &Kind| !k.domain.is_empty() && !k.model.is_empty();
    let lately = flowed.decisions.iter().map(|a| kind(&a.domain, &a.model, &a.version));
    let ever = tally.iter().filter(|t| t.decisions > 0);
    let ever = ever.map(|t| kind(&t.domain, &t.model, &t.version));
    Kinds { lately: lately.filter(known).collect(), ever: ever.filter(known).collect() }
}

impl Local {
    /// Look at the store: what [`Local::in_force`] says holds as of now. Blocks for a small read.
    pub fn confirm(&self) -> Result<Confirmed, Refused> {
        let sight = self.core.sight()?;
        let tally = self.core.store.tally().map_err(refuse)?;
        let named = |of: fn(&Tally) -> &String| -> BTreeSet<String> {
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
            kinds: self.core.kinds_lately(&sight, &tally)?,
        })
    }

    /// Control as this process knows it. Never blocks on the store.
    pub fn in_force(&self) -> InForce {
        let controls = &self.core.controls;
        let Some((generation, known)) = controls.last_known() else {
            return InForce { control: None, generation: 0 };
        };
        // What this node knows may be old by now.
        if self.core.store.freshness().is_stale() {
            return InForce { control: None, generation };
        }
        InForce { control: controls.with_stops(generation, known), generation }
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
