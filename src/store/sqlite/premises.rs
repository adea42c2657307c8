//! Premises, compared inside the write transaction: nothing was changed since it was decided.

use rusqlite::OptionalExtension as _;

use super::fault::{Done, count};
use super::items;
use super::leases::{self, Held};
use super::states;
use super::tx::Tx;
use crate::domain::Timestamp;
use crate::store::{LeasePremise, Premise, Premises, StoreError};

/// Refuses with the first premise that does not hold.
pub(super) fn check(tx: &Tx<'_>, premises: &Premises) -> Done<()> {
    let refuse = |p| Err(StoreError::Premise(p).into());
    if premises.generation.is_some_and(|g| g != tx.head.generation) {
        return refuse(Premise::Generation);
    }
    if premises.policy.as_ref().is_some_and(|p| *p != tx.head.policy) {
        return refuse(Premise::Policy);
    }
    if let Some((name, version)) = &premises.actor {
        let now: Option<i64> = tx
            .conn
            .prepare_cached("SELECT version FROM reviewers WHERE name = ?1")?
            .query_row([name], |r| r.get(0))
            .optional()?;
        if now.map_or(0, count) != *version {
            return refuse(Premise::Actor(name.clone()));
        }
    }
    for (id, revision) in premises.item.iter().chain(&premises.items) {
        let now = items::revision(tx.conn, id)?;
        if now != *revision {
            return refuse(Premise::Item { id: id.clone(), revision: now });
        }
    }
    for (key, version) in &premises.state {
        if states::version(tx.conn, key)? != *version {
            return refuse(Premise::State(key.clone()));
        }
    }
    let item = premises.item.as_ref().map_or("", |(id, _)| id.as_str());
    match &premises.lease {
        LeasePremise::Any => Ok(()),
        LeasePremise::Held { reviewer, epoch, wall } => match held(tx, item, *wall)? {
            Some(h) if h.reviewer == *reviewer && h.epoch == *epoch => Ok(()),
            other => Err(lost(item, other)),
        },
        LeasePremise::FreeFor { reviewer, wall } => match held(tx, item, *wall)? {
            Some(h) if h.reviewer != *reviewer => Err(lost(item, Some(h))),
            _ => Ok(()),
        },
    }
}

fn held(tx: &Tx<'_>, item: &str, wall: Timestamp) -> Done<Option<Held>> {
    match tx.find(item)? {
        Some(n) => leases::live(tx.conn, n, wall),
        None => Ok(None),
    }
}

/// The lease is not what was assumed; says who holds it instead, if anybody.
pub(super) fn lost(item: &str, held: Option<Held>) -> super::fault::Fail {
    let (holder, until) = held.map(|h| (h.reviewer, h.until)).unzip();
    StoreError::LeaseLost { item: item.to_owned(), holder, until }.into()
}
