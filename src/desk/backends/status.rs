//! How each backend stands: what waits, what failed, what arrived.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pulled::Pulled;
use super::{KIND, state_key};
use crate::desk::Local;
use crate::desk::core::{Core, Sight, millis, refuse};
use crate::domain::Timestamp;
use crate::policy::{Backend, Policy};
use crate::protocol::{BackendView, Refused};
use crate::store::{EffectState, Op, OutgoingAsk, StoredEffect};

/// How many rows are counted; more are told as that many.
const COUNTED: usize = 1_000;

/// What arrived at a backend so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sent {
    pub sent: u64,
    pub last_at: Option<Timestamp>,
}

impl Local {
    /// These rows arrived at the backend (or need not go there any more).
    pub fn delivered(
        &self,
        backend: &str,
        sent: &[String],
        gone: &[String],
    ) -> Result<(), Refused> {
        let now = millis(self.core.wall_now());
        self.core.change_small::<Sent>(&state_key(backend, "sent"), |state| {
            state.sent += sent.len() as u64;
            if !sent.is_empty() {
                state.last_at = Some(now);
            }
            sent.iter().chain(gone).map(|key| Op::EffectDone { key: key.clone() }).collect()
        })
    }
}

/// Queues of which some items stay here, because the proposal would stand in the open there.
fn blind(policy: &Policy, backend: &Backend) -> Vec<String> {
    let some = |q: &&String| policy.queue(q).is_some_and(|q| q.blind > 0.0);
    backend.queues.iter().filter(some).cloned().collect()
}

impl Core {
    /// Every backend of the policy, and how it stands.
    pub(in crate::desk) fn backend_views(
        &self,
        sight: &Sight,
    ) -> Result<Vec<BackendView>, Refused> {
        let Some(policy) = sight.policy.as_ref().filter(|p| !p.backends().is_empty()) else {
            return Ok(Vec::new());
        };
        let waiting = self.rows_of(EffectState::Waiting)?;
        let dead = self.rows_of(EffectState::Dead)?;
        let mut views = Vec::new();
        for backend in policy.backends() {
            let of = |rows: &BTreeMap<String, Vec<StoredEffect>>| {
                rows.get(&backend.name).cloned().unwrap_or_default()
            };
            let (waiting, dead) = (of(&waiting), of(&dead));
            let (sent, _) = self.small::<Sent>(&state_key(&backend.name, "sent"))?;
            let (pulled, _) = self.small::<Pulled>(&state_key(&backend.name, "pull"))?;
            // The oldest row says how the backend fares: all others wait behind it.
            let head = waiting.first();
            let failing = head.filter(|r| r.attempts > 0);
            let error = failing.or(dead.first()).and_then(|r| r.error.clone());
            let error = error.or_else(|| pulled.error.clone());
            views.push(BackendView {
                name: backend.name.clone(),
                kind: backend.kind.as_str().to_owned(),
                to_send: waiting.len() as u64,
                failing: failing.is_some() || pulled.error.is_some(),
                dead: dead.len() as u64,
                sent: sent.sent,
                last_sent_at: sent.last_at,
                next_at: head.and_then(|r| r.next_at),
                error: error.filter(|e| !e.is_empty()),
                blind: blind(policy, backend),
                taken: pulled.taken,
                unmapped: pulled.unmapped.into_iter().collect(),
                conflicts: pulled.conflicts,
            });
        }
        Ok(views)
    }

    /// Rows that go to backends, by backend, oldest first.
    fn rows_of(&self, state: EffectState) -> Result<BTreeMap<String, Vec<StoredEffect>>, Refused> {
        let ask = OutgoingAsk {
            state,
            kind: Some(KIND.into()),
            limit: COUNTED,
            ..OutgoingAsk::default()
        };
        let mut rows: BTreeMap<String, Vec<StoredEffect>> = BTreeMap::new();
        for row in self.store.outgoing(&ask).map_err(refuse)? {
            let to = row.payload.get("to").and_then(|t| t.as_str()).unwrap_or_default();
            rows.entry(to.to_owned()).or_default().push(row);
        }
        Ok(rows)
    }
}
