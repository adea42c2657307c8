//! What keeps automation in bounds: switches, breaker, limits, budget, canary, freezes, incidents.
//! Pure state machines: events and a time in, the next state out.
//!
//! [`Control`] is everything in force, one value: whoever decides reads it whole, whoever changes
//! it writes it whole, with the control generation as the premise. What moves with every decision
//! (limiters, budget meters) is [`Live`] and belongs to a process; what moves with every verdict (a
//! canary's evidence) is the ticker's.
//!
//! ```
//! use overrule::containment::Control;
//! use overrule::domain::{ControlScope, Timestamp};
//! use overrule::protocol::KillMode;
//!
//! let mut control = Control::default();
//! let loans: ControlScope = "domain=loan".parse()?;
//! control.kill(&loans, &KillMode::Human, "ann", Timestamp::UNIX_EPOCH, "it approves everybody");
//! let again = Control::parse(&control.to_json()?)?;
//! assert_eq!(again, control);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod breaker;
mod budget;
mod canary;
mod freeze;
mod incident;
mod limit;
mod live;
mod minhash;
mod standing;
mod switch;
mod trial;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use apply::{Applied, Step as Settled, apply, contain};
pub use breaker::{Breaker, Evidence, Phase, Step, step};
pub use budget::{Meter, allowed, breach_at, spelled as overflow_word, value};
pub use canary::{Canary, CanaryError, CanaryState, InUse};
pub use freeze::{Freeze, FrozenBy};
pub use incident::{Alarm, Incident, IncidentError, Mark};
pub use limit::{Gcra, tighten};
pub use live::Live;
pub use minhash::{NEAR, Signature};
pub use standing::{Kind, Kinds, Tripping};
pub use switch::{Asked, Killed, Limited, NothingStopped, Paused, Resumption, Switch};
pub use trial::{ALPHA, Move, Standing, Trial};

use crate::domain::ControlScope;

/// The form this program writes.
const FORMAT: u32 = 1;

/// Everything in force. The default is: all on, nothing held.
///
/// What it does not mention is on. So a value that cannot be read in full is an error, never a
/// default: see [`Control::parse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Rises when old programs could not read what is written.
    format: u32,
    /// Scopes in which automation does not simply run.
    pub switches: BTreeMap<ControlScope, Switch>,
    /// Versions in use, by model: what `last-good` goes back to.
    pub versions: BTreeMap<String, InUse>,
    /// Breakers that are not closed.
    pub breakers: Vec<Breaker>,
    /// `[limit.*]` by name: how much errors have tightened them.
    pub tightened: BTreeMap<String, Tightened>,
    /// By model: running, promoted and rolled back.
    pub canaries: BTreeMap<String, Canary>,
    pub freezes: Vec<Freeze>,
}

/// A limit tightened by errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tightened {
    /// Part (0..=1) of its rate that is left.
    pub share: f64,
    /// The figures behind it.
    pub cause: String,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            format: FORMAT,
            switches: BTreeMap::new(),
            versions: BTreeMap::new(),
            breakers: Vec::new(),
            tightened: BTreeMap::new(),
            canaries: BTreeMap::new(),
            freezes: Vec::new(),
        }
    }
}

/// A control state that cannot be used: everything automatic goes to people until it can.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("the control state cannot be read: {0}")]
    Unreadable(serde_json::Error),
    #[error(
        "the control state has form {found}, this program knows {FORMAT}: install a newer overrule"
    )]
    Newer { found: u32 },
    #[error("the control state cannot be written: {0}")]
    Unwritable(serde_json::Error),
}

impl Control {
    /// Read one that [`Control::to_json`] wrote. Anything unknown, missing or beyond is an error.
    pub fn parse(json: &[u8]) -> Result<Self, ControlError> {
        // The form first: an unknown field of a newer one is better named by its form.
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let Form { format } = serde_json::from_slice(json).map_err(ControlError::Unreadable)?;
        if format != FORMAT {
            return Err(ControlError::Newer { found: format });
        }
        serde_json::from_slice(json).map_err(ControlError::Unreadable)
    }

    /// The bytes to store.
    pub fn to_json(&self) -> Result<Vec<u8>, ControlError> {
        serde_json::to_vec(self).map_err(ControlError::Unwritable)
    }

    /// Nothing in it touches any decision.
    pub fn is_clear(&self) -> bool {
        self.switches.is_empty()
            && self.breakers.is_empty()
            && self.canaries.is_empty()
            && self.freezes.is_empty()
    }
}

#[cfg(test)]
mod tests;
