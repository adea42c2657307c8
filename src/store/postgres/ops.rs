//! The parts of a write, one after the other.

use super::fault::{Done, count, int};
use super::text::{T, stored};
use super::tx::{PERSON, Tx, values};
use super::{admit, erase, items, outbox, premises, reviews};
use crate::domain::{Reviewer, Timestamp};
use crate::store::rows::json;
use crate::store::{Committed, EntryDraft, Op, StoredPolicy, WindowRow, Write};

/// All of a write; the caller makes sure that it is all or nothing.
pub(super) async fn write<'a>(tx: &mut Tx<'a>, write: &'a Write) -> Done<Committed> {
    // A request that was stored is answered as such, however much has changed since.
    for op in &write.ops {
        if let Op::PutReview(review) = op {
            reviews::refuse_stored(tx, &review.request_id).await?;
        }
    }
    premises::check(tx, &write.premises).await?;
    for op in &write.ops {
        apply(tx, op, write.now).await?;
    }
    tx.tick(write.now);
    Ok(Committed { head: tx.head.frontier.size(), held: tx.held })
}

/// One part; rows refer to the last entry before it.
pub(super) async fn apply<'a>(tx: &mut Tx<'a>, op: &'a Op, now: Timestamp) -> Done<()> {
    // These look at nothing that may still wait to be sent.
    match op {
        Op::Entry(entry) => return append(tx, entry).await,
        Op::PutEffect { key, kind, item, payload } => {
            tx.changes += 1;
            tx.rows.effect(key, kind, item, &json(payload)?, now.as_millisecond());
            return Ok(());
        }
        Op::PutReviewer(reviewer) => return put_reviewer(tx, reviewer).await,
        Op::PutPolicy(policy) => return put_policy(tx, policy).await,
        Op::BumpGeneration => {
            tx.change().generation += 1;
            return Ok(());
        }
        Op::PutState { key, value } => return put_state(tx, key, value.as_deref()).await,
        Op::PutWindows(rows) => return put_windows(tx, rows).await,
        Op::DropWindows { tier, before } => {
            let sql = "DELETE FROM windows WHERE tier = $1 AND start < $2";
            return tx.send(sql, values![i16::from(*tier), before.as_millisecond()]).await;
        }
        _ => tx.flush().await?,
    }
    match op {
        Op::PutItem { item, level } => {
            let n = tx.number(&item.id).await?;
            let row = tx.row("SELECT shape FROM decisions WHERE n = $1", &[&n]).await?;
            let shape = row.map_or(Ok(0), |row| row.try_get(0))?;
            items::put(tx, n, item, *level, shape, false).await
        }
        Op::Readmit { id, route, facts, columns } => {
            admit::again(tx, id, route, facts, columns).await
        }
        Op::PutReview(review) => reviews::put(tx, review).await,
        Op::UndoReview { request_id } => reviews::undo(tx, request_id).await,
        Op::PutAnswer { item, reviewer, request_id, agreed } => {
            reviews::answer(tx, item, reviewer, request_id, *agreed).await
        }
        Op::PutCorrection { item, request_id, at } => {
            reviews::correct(tx, item, request_id, *at).await
        }
        Op::EndLease { item } => {
            let n = tx.number(item).await?;
            let sql = "UPDATE leases SET reviewer = NULL WHERE n = $1 AND reviewer IS NOT NULL";
            tx.send(sql, values![n]).await
        }
        Op::DropDraft { item, reviewer } => draft(tx, item, reviewer, None).await,
        Op::PutFeedback { item, kind, at } => {
            let n = tx.number(item).await?;
            let entry = tx.entry.map(|e| int(e.index));
            tx.send(
                "INSERT INTO feedback(item, entry, kind, at) VALUES ($1, $2, $3, $4)",
                values![n, entry, stored(kind).into_owned(), at.as_millisecond()],
            )
            .await
        }
        Op::Erase { item, below } => erase::erase(tx, item, *below).await,
        Op::DropDeadLetter { number } => {
            tx.send("DELETE FROM dead_letters WHERE number = $1", values![int(*number)]).await
        }
        Op::EffectDone { key } => outbox::done(tx, key).await,
        Op::EffectTried { key, error, next_at } => outbox::tried(tx, key, error, *next_at).await,
        Op::EffectRetry { key } => outbox::retry(tx, key).await,
        Op::HoldEffects { scope, kind, held, except } => {
            tx.held += outbox::hold(tx, scope, kind, *held, except).await?;
            Ok(())
        }
        // All others are above.
        _ => Ok(()),
    }
}

async fn append<'a>(tx: &mut Tx<'a>, entry: &'a EntryDraft) -> Done<()> {
    let item = match entry.item.as_deref() {
        Some(id) => Some(tx.number(id).await?),
        None => None,
    };
    tx.append(entry, item).map(drop)
}

/// Keep or drop a draft.
pub(super) async fn draft<'a>(
    tx: &mut Tx<'a>,
    item: &str,
    reviewer: &str,
    bytes: Option<&'a [u8]>,
) -> Done<()> {
    let n = tx.number(item).await?;
    let reviewer = stored(reviewer).into_owned();
    match bytes {
        Some(bytes) => {
            tx.flush().await?;
            tx.send(
                "INSERT INTO drafts(item, reviewer, bytes) VALUES ($1, $2, $3)
                 ON CONFLICT (item, reviewer) DO UPDATE SET bytes = $3",
                values![n, reviewer, bytes],
            )
            .await
        }
        None => {
            let sql = "DELETE FROM drafts WHERE item = $1 AND reviewer = $2";
            tx.send(sql, values![n, reviewer]).await
        }
    }
}

/// Store a reviewer; the version rises with every change, whatever the row says.
async fn put_reviewer(tx: &mut Tx<'_>, reviewer: &Reviewer) -> Done<()> {
    tx.versions.people.remove(&reviewer.name);
    let before = tx.row(PERSON, &[&T(&reviewer.name)]).await?;
    let before: Option<i64> = before.map(|row| row.try_get(0)).transpose()?;
    let version = before.map_or(1, |v| count(v) + 1).max(reviewer.version);
    let row = json(&Reviewer { version, ..reviewer.clone() })?;
    tx.send(
        "INSERT INTO reviewers(name, version, row) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET version = $2, row = $3",
        values![stored(&reviewer.name).into_owned(), int(version), stored(&row).into_owned()],
    )
    .await
}

/// Store a policy and put it in force. The hash is of source and schemas: one that is there already
/// changes only where it was damaged.
async fn put_policy(tx: &mut Tx<'_>, policy: &StoredPolicy) -> Done<()> {
    let StoredPolicy { hash, name, source, schemas } = policy;
    let [hash, name, source] = [hash, name, source].map(|text| stored(text).into_owned());
    tx.send(
        "INSERT INTO policies(hash, name, source, schemas) VALUES ($1, $2, $3, $4)
         ON CONFLICT (hash) DO UPDATE SET source = $3, schemas = $4",
        values![hash, name, source, stored(&json(schemas)?).into_owned()],
    )
    .await?;
    tx.change().policy = Some(policy.hash.clone());
    Ok(())
}

/// Replace a state, or drop it (`None`).
async fn put_state<'a>(tx: &mut Tx<'a>, key: &str, value: Option<&'a [u8]>) -> Done<()> {
    tx.versions.states.remove(key);
    tx.send(
        "INSERT INTO states AS s (key, version, value) VALUES ($1, 1, $2)
         ON CONFLICT (md5(key)) DO UPDATE SET version = s.version + 1, value = $2",
        values![stored(key).into_owned(), value],
    )
    .await
}

/// Write windows; what stood there is replaced. The last of a place in `rows` counts.
async fn put_windows<'a>(tx: &mut Tx<'a>, rows: &'a [WindowRow]) -> Done<()> {
    let mut places = std::collections::BTreeMap::new();
    for row in rows {
        places.insert((row.tier, row.start, &row.slice, &row.part), &row.value[..]);
    }
    let (mut tier, mut start, mut slice) = (Vec::new(), Vec::new(), Vec::new());
    let (mut part, mut value) = (Vec::new(), Vec::new());
    for ((t, at, s, p), v) in places {
        tier.push(i16::from(t));
        start.push(at.as_millisecond());
        slice.push(stored(s).into_owned());
        part.push(stored(p).into_owned());
        value.push(v);
    }
    tx.send(
        "INSERT INTO windows(tier, start, slice, part, value)
         SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[])
         ON CONFLICT (tier, start, md5(slice), md5(part)) DO UPDATE SET value = excluded.value",
        values![tier, start, slice, part, value],
    )
    .await
}
