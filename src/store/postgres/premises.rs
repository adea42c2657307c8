//! Premises, compared inside the write transaction: nothing was changed since it was decided.

use super::fault::{Done, Fail, count};
use super::text::{T, Text};
use super::tx::{PERSON, STATE_OF, Tx};
use crate::domain::Timestamp;
use crate::store::rows::time;
use crate::store::{LeasePremise, Premise, Premises, StoreError};

/// A live lease.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) reviewer: String,
    pub(super) until: Timestamp,
    pub(super) epoch: u64,
}

/// Refuses with the first premise that does not hold.
pub(super) async fn check(tx: &mut Tx<'_>, premises: &Premises) -> Done<()> {
    let refuse = |p| Err(StoreError::Premise(p).into());
    let Premises { generation, policy, actor, item, items, lease, state } = premises;
    if generation.is_some_and(|g| g != tx.head.generation) {
        return refuse(Premise::Generation);
    }
    if policy.as_ref().is_some_and(|p| *p != tx.head.policy) {
        return refuse(Premise::Policy);
    }
    if let Some((name, version)) = actor {
        let now = match tx.versions.people.get(name) {
            Some(version) => *version,
            None => version_of(tx, PERSON, name).await?,
        };
        if now != *version {
            return refuse(Premise::Actor(name.clone()));
        }
    }
    if item.is_some() || !items.is_empty() {
        tx.flush().await?;
    }
    for (id, revision) in item.iter().chain(items) {
        let sql = "SELECT i.revision FROM decisions d JOIN items i ON i.n = d.n WHERE d.id = $1";
        let row = tx.row(sql, &[&T(id)]).await?;
        let now: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
        let now = now.map_or(0, count);
        if now != *revision {
            return refuse(Premise::Item { id: id.clone(), revision: now });
        }
    }
    for (key, version) in state {
        let now = match tx.versions.states.get(key) {
            Some(version) => *version,
            None => version_of(tx, STATE_OF, key).await?,
        };
        if now != *version {
            return refuse(Premise::State(key.clone()));
        }
    }
    let item = item.as_ref().map_or("", |(id, _)| id.as_str());
    match lease {
        LeasePremise::Any => Ok(()),
        LeasePremise::Held { reviewer, epoch, wall } => match held(tx, item, *wall).await? {
            Some(h) if h.reviewer == *reviewer && h.epoch == *epoch => Ok(()),
            other => Err(lost(item, other)),
        },
        LeasePremise::FreeFor { reviewer, wall } => match held(tx, item, *wall).await? {
            Some(h) if h.reviewer != *reviewer => Err(lost(item, Some(h))),
            _ => Ok(()),
        },
    }
}

async fn version_of(tx: &Tx<'_>, sql: &'static str, name: &str) -> Done<u64> {
    let row = tx.row(sql, &[&T(name)]).await?;
    let now: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(now.map_or(0, count))
}

/// The live lease of an item. Its row is locked: nobody is given the item until this is committed.
async fn held(tx: &Tx<'_>, item: &str, wall: Timestamp) -> Done<Option<Held>> {
    let row = tx
        .row(
            "SELECT reviewer, until, epoch FROM leases
             WHERE n = (SELECT n FROM decisions WHERE id = $1) FOR NO KEY UPDATE",
            &[&T(item)],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let until: i64 = row.try_get(1)?;
    match row.try_get::<_, Option<Text>>(0)? {
        Some(reviewer) if until > wall.as_millisecond() => Ok(Some(Held {
            reviewer: reviewer.0,
            until: time(until)?,
            epoch: count(row.try_get(2)?),
        })),
        _ => Ok(None),
    }
}

/// The lease is not what was assumed; says who holds it instead, if anybody.
pub(super) fn lost(item: &str, held: Option<Held>) -> Fail {
    let (holder, until) = held.map(|h| (h.reviewer, h.until)).unzip();
    StoreError::LeaseLost { item: item.to_owned(), holder, until }.into()
}
