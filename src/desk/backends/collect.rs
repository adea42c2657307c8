//! What is new becomes rows of the outbox, for each backend that takes it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{KIND, state_key};
use crate::desk::Local;
use crate::desk::core::{Core, json as bytes, refuse};
use crate::domain::{Item, Kind};
use crate::policy::Backend;
use crate::protocol::Refused;
use crate::store::{Op, Premises, StoreError, Write};

/// Corrections and log entries looked at in one commit.
const CORRECTIONS: usize = 200;
const ENTRIES: usize = 500;

/// How far a backend has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// The number of the last correction looked at.
    corrections: u64,
    /// Log entries looked at for items to push.
    log: u64,
}

impl Local {
    /// Put what is new into the outbox, for every backend of the policy. Any process may, at any
    /// time. How many rows it made.
    pub fn collect(&self) -> Result<u64, Refused> {
        let sight = self.core.sight()?;
        let Some(policy) = &sight.policy else { return Ok(0) };
        let mut made = 0;
        for backend in policy.backends() {
            while let Some(more) = self.core.collect_for(backend)? {
                made += more;
            }
        }
        Ok(made)
    }
}

impl Core {
    /// One step of a backend's cursor; `None`: there is nothing new.
    fn collect_for(&self, backend: &Backend) -> Result<Option<u64>, Refused> {
        let key = state_key(&backend.name, "cursor");
        let (before, version) = self.small::<Cursor>(&key)?;
        let mut cursor = before.clone();
        let mut ops = Vec::new();
        let stored =
            self.store.corrections(None, cursor.corrections, CORRECTIONS).map_err(refuse)?;
        for one in stored {
            cursor.corrections = one.number;
            let (id, columns) = (&one.decision.route.id, &one.decision.columns);
            if one.decision.raw.is_none()
                || !backend.takes(&columns.domain, &one.review.verdict.tags)
            {
                continue;
            }
            ops.push(Op::PutEffect {
                key: format!("sync:{}:c:{}", backend.name, one.number),
                kind: KIND.into(),
                item: id.clone(),
                payload: json!({ "to": backend.name, "id": id, "correction": one.number }),
            });
        }
        if !backend.queues.is_empty() {
            self.collect_items(backend, &mut cursor, &mut ops)?;
        }
        if cursor == before {
            return Ok(None);
        }
        let made = ops.len() as u64;
        ops.push(Op::PutState { key: key.clone(), value: Some(bytes(&cursor)?) });
        let premises = Premises { state: vec![(key, version)], ..Premises::default() };
        let now = self.store.snapshot().map_err(refuse)?.desk_time;
        match self.store.commit(Write { premises, now, ops }).wait() {
            Ok(_) => Ok(Some(made)),
            // Another process collects; it may have left something to do.
            Err(StoreError::Premise(_)) => Ok(Some(0)),
            Err(error) => Err(refuse(error)),
        }
    }

    /// Items that entered a queue whose items are pushed.
    fn collect_items(
        &self,
        backend: &Backend,
        cursor: &mut Cursor,
        ops: &mut Vec<Op>,
    ) -> Result<(), Refused> {
        for one in self.store.follow(cursor.log, ENTRIES).map_err(refuse)? {
            cursor.log = one.index + 1;
            let Some(decision) = one.decision else { continue };
            let Some(item) = decision.item.as_ref().filter(|i| pushed(backend, i)) else {
                continue;
            };
            if decision.raw.is_some() && backend.of_domain(&decision.columns.domain) {
                ops.push(Op::PutEffect {
                    key: format!("sync:{}:i:{}:{}", backend.name, item.id, item.revision),
                    kind: KIND.into(),
                    item: item.id.clone(),
                    payload: json!({ "to": backend.name, "id": item.id }),
                });
            }
        }
        Ok(())
    }
}

/// Is this an item to push? One whose reviewers are to answer before they see the proposal is not:
/// there the proposal stands in the open.
pub(super) fn pushed(backend: &Backend, item: &Item) -> bool {
    item.state.is_open()
        && !item.blind
        && item.kind != Kind::Quarantine
        && backend.queues.contains(&item.queue)
}
