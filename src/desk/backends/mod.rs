//! Backends of corrections as the desk keeps them: what goes to each, how far each has come.
//!
//! A correction becomes a row of the outbox for each backend that takes it, in the commit that
//! moves the backend's cursor over the corrections: so it is there once, whoever collects, and
//! whatever stops half way. The row names the correction and holds no text of it; what it says is
//! read, with everything redacted, when it is sent. So what is erased never leaves.

mod cargo;
mod collect;
mod pulled;
mod received;
mod status;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Local;
use super::core::{Core, json, refuse};
use crate::policy::{Backend, Tag};
use crate::protocol::Refused;
use crate::store::{Op, Premises, StoreError, Write};

pub use cargo::{Cargo, ItemCargo};
pub use pulled::{Annotated, Taken};
pub use status::Sent;

/// The kind of the outbox rows that go to backends.
pub const KIND: &str = "sync";

impl Local {
    /// The backends of the policy in force.
    pub fn backends(&self) -> Result<Vec<Backend>, Refused> {
        let sight = self.core.sight()?;
        Ok(sight.policy.map(|p| p.backends().to_vec()).unwrap_or_default())
    }

    /// The correction taxonomy of the policy in force.
    pub fn tags(&self) -> Result<Vec<Tag>, Refused> {
        let sight = self.core.sight()?;
        Ok(sight.policy.map(|p| p.tags().to_vec()).unwrap_or_default())
    }
}

impl Core {
    /// A small state and its version; what cannot be read is as if it were not there.
    fn small<T: DeserializeOwned + Default>(&self, key: &str) -> Result<(T, u64), Refused> {
        let state = self.store.state(key).map_err(refuse)?;
        let version = state.as_ref().map_or(0, |s| s.version);
        let value = state.and_then(|s| serde_json::from_slice(&s.value).ok()).unwrap_or_default();
        Ok((value, version))
    }

    /// Change a small state, alone or with `more`; again when somebody else was faster.
    fn change_small<T: DeserializeOwned + Default + Serialize>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut T) -> Vec<Op>,
    ) -> Result<(), Refused> {
        const ATTEMPTS: usize = 16;
        for _ in 0..ATTEMPTS {
            let (mut value, version) = self.small::<T>(key)?;
            let mut ops = change(&mut value);
            ops.push(Op::PutState { key: key.to_owned(), value: Some(json(&value)?) });
            let premises =
                Premises { state: vec![(key.to_owned(), version)], ..Premises::default() };
            let now = self.store.snapshot().map_err(refuse)?.desk_time;
            match self.store.commit(Write { premises, now, ops }).wait() {
                Ok(_) => return Ok(()),
                Err(StoreError::Premise(_)) => {}
                Err(error) => return Err(refuse(error)),
            }
        }
        Err(Refused::new(
            crate::protocol::Why::Unavailable,
            format!("the state {key} keeps changing under this write"),
        )
        .hint("try again in a moment"))
    }
}

/// The key of a backend's small state.
fn state_key(backend: &str, what: &str) -> String {
    format!("sync/{backend}/{what}")
}
