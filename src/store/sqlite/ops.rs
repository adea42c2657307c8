//! The parts of a write, one after the other.

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::{Done, count, int};
use super::tx::Tx;
use super::{admit, dead, erase, items, leases, outbox, premises, reviews, states, windows};
use crate::domain::{Reviewer, Timestamp};
use crate::store::rows::{json, unjson};
use crate::store::{Committed, EntryDraft, Op, StoredPolicy, Write};

/// All of a write; the caller makes sure that it is all or nothing.
pub(super) fn write(tx: &mut Tx<'_>, write: &Write) -> Done<Committed> {
    // A request that was stored is answered as such, however much has changed since.
    for op in &write.ops {
        if let Op::PutReview(review) = op {
            reviews::refuse_stored(tx, &review.request_id)?;
        }
    }
    premises::check(tx, &write.premises)?;
    for op in &write.ops {
        apply(tx, op, write.now)?;
    }
    tx.tick(write.now);
    Ok(Committed { head: tx.head.frontier.size(), held: tx.held })
}

/// One part; rows refer to the last entry before it.
pub(super) fn apply(tx: &mut Tx<'_>, op: &Op, now: Timestamp) -> Done<()> {
    match op {
        Op::Entry(entry) => append(tx, entry),
        Op::PutItem { item, level } => {
            let n = tx.number(&item.id)?;
            let shape = tx
                .conn
                .prepare_cached("SELECT shape FROM decisions WHERE n = ?1")?
                .query_row([n], |r| r.get(0))?;
            items::put(tx, n, item, *level, shape, false)
        }
        Op::Readmit { id, route, facts, columns } => admit::again(tx, id, route, facts, columns),
        Op::PutReview(review) => reviews::put(tx, review),
        Op::UndoReview { request_id } => reviews::undo(tx, request_id),
        Op::PutAnswer { item, reviewer, request_id, agreed } => {
            reviews::answer(tx, item, reviewer, request_id, *agreed)
        }
        Op::PutCorrection { item, request_id, at } => reviews::correct(tx, item, request_id, *at),
        Op::PutEffect { key, kind, item, payload } => {
            outbox::put(tx, key, kind, item, payload, now)
        }
        Op::PutReviewer(reviewer) => put_reviewer(tx, reviewer),
        Op::PutPolicy(policy) => put_policy(tx, policy),
        Op::BumpGeneration => {
            tx.change().generation += 1;
            Ok(())
        }
        Op::EndLease { item } => leases::end(tx, item),
        Op::DropDraft { item, reviewer } => draft(tx, item, reviewer, None),
        Op::PutFeedback { item, kind, at } => {
            let n = tx.number(item)?;
            let entry = tx.entry.map(|e| int(e.index));
            tx.conn
                .prepare_cached(
                    "INSERT INTO feedback(item, entry, kind, at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((n, entry, kind, at.as_millisecond()))?;
            Ok(())
        }
        Op::Erase { item, below } => erase::erase(tx, item, *below),
        Op::DropDeadLetter { number } => dead::forget(tx, *number),
        Op::EffectDone { key } => outbox::done(tx, key),
        Op::EffectTried { key, error, next_at } => outbox::tried(tx, key, error, *next_at),
        Op::EffectRetry { key } => outbox::retry(tx, key),
        Op::HoldEffects { scope, kind, held, except } => {
            tx.held += outbox::hold(tx, scope, kind, *held, except)?;
            Ok(())
        }
        Op::PutState { key, value } => states::put(tx, key, value.as_deref()),
        Op::PutWindows(rows) => windows::put(tx, rows),
        Op::DropWindows { tier, before } => windows::drop_before(tx, *tier, *before),
    }
}

fn append(tx: &mut Tx<'_>, entry: &EntryDraft) -> Done<()> {
    let item = entry.item.as_deref().map(|id| tx.number(id)).transpose()?;
    tx.append(entry, item).map(drop)
}

/// Keep or drop a draft.
pub(super) fn draft(tx: &Tx<'_>, item: &str, reviewer: &str, bytes: Option<&[u8]>) -> Done<()> {
    let n = tx.number(item)?;
    match bytes {
        Some(bytes) => tx
            .conn
            .prepare_cached(
                "INSERT INTO drafts(item, reviewer, bytes) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET bytes = ?3",
            )?
            .execute((n, reviewer, bytes))?,
        None => tx
            .conn
            .prepare_cached("DELETE FROM drafts WHERE item = ?1 AND reviewer = ?2")?
            .execute((n, reviewer))?,
    };
    Ok(())
}

/// Store a reviewer; the version rises with every change, whatever the row says.
fn put_reviewer(tx: &Tx<'_>, reviewer: &Reviewer) -> Done<()> {
    let before: Option<i64> = tx
        .conn
        .prepare_cached("SELECT version FROM reviewers WHERE name = ?1")?
        .query_row([&reviewer.name], |r| r.get(0))
        .optional()?;
    let version = before.map_or(1, |v| count(v) + 1).max(reviewer.version);
    let row = json(&Reviewer { version, ..reviewer.clone() })?;
    tx.conn
        .prepare_cached(
            "INSERT INTO reviewers(name, version, row) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET version = ?2, row = ?3",
        )?
        .execute((&reviewer.name, int(version), row))?;
    Ok(())
}

/// All reviewers, or the one of this name, by name.
pub(super) fn reviewers(conn: &Connection, name: Option<&str>) -> Done<Vec<Reviewer>> {
    let mut statement = conn
        .prepare_cached("SELECT row FROM reviewers WHERE ?1 IS NULL OR name = ?1 ORDER BY name")?;
    let mut rows = statement.query([name])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        found.push(unjson(&text, "a reviewer")?);
    }
    Ok(found)
}

/// Store a policy and put it in force. The hash is of source and schemas: one that is there already
/// changes only where it was damaged.
fn put_policy(tx: &mut Tx<'_>, policy: &StoredPolicy) -> Done<()> {
    tx.conn
        .prepare_cached(
            "INSERT INTO policies(hash, name, source, schemas) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (hash) DO UPDATE SET source = ?3, schemas = ?4",
        )?
        .execute((&policy.hash, &policy.name, &policy.source, json(&policy.schemas)?))?;
    tx.change().policy = Some(policy.hash.clone());
    Ok(())
}

/// A policy by its hash; `None`: the one in force.
pub(super) fn policy(conn: &Connection, hash: Option<&str>) -> Done<Option<StoredPolicy>> {
    let found: Option<(String, String, String, String)> = conn
        .prepare_cached(
            "SELECT hash, name, source, schemas FROM policies
             WHERE hash = coalesce(?1, (SELECT policy FROM state))",
        )?
        .query_row([hash], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
        .optional()?;
    found
        .map(|(hash, name, source, schemas)| {
            Ok(StoredPolicy {
                hash,
                name,
                source,
                schemas: unjson(&schemas, "a policy's schemas")?,
            })
        })
        .transpose()
}

/// Sign a checkpoint if entries were added since the last one.
pub(super) fn checkpoint(tx: &Tx<'_>, sign: crate::store::SignCheckpoint) -> Done<Option<String>> {
    let size = tx.head.frontier.size();
    let last: Option<i64> =
        tx.conn.prepare_cached("SELECT max(size) FROM checkpoints")?.query_row((), |r| r.get(0))?;
    if size == 0 || last.is_some_and(|last| count(last) >= size) {
        return Ok(None);
    }
    let note = sign(size, tx.head.frontier.root());
    tx.conn
        .prepare_cached("INSERT INTO checkpoints(size, note) VALUES (?1, ?2)")?
        .execute((int(size), &note))?;
    Ok(Some(note))
}
