//! Reviews, blind answers and corrections: the words in a row, the text in a body of the trail.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::decisions;
use super::fault::{Done, Fail, count, damaged, int, is_constraint};
use super::tx::{Appended, Tx};
use crate::domain::{Review, Timestamp};
use crate::store::rows::review::{Stored, text_is_kept};
use crate::store::rows::{SLOTS, json};
use crate::store::{StoreError, StoredAnswer, StoredCorrection};

/// The entry that a row is about to refer to.
fn entry(tx: &Tx<'_>, what: &str) -> Done<Appended> {
    tx.entry.ok_or_else(|| StoreError::Missing(format!("entry of {what}")).into())
}

/// Store a review; its request id is stored once.
pub(super) fn put(tx: &Tx<'_>, r: &Review) -> Done<()> {
    let n = tx.number(&r.item)?;
    let entry = entry(tx, &format!("review {}", r.request_id))?;
    text_is_kept(r, entry.bodies)?;
    let tags = match r.verdict.tags.is_empty() {
        true => None,
        false => Some(json(&r.verdict.tags)?),
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO reviews(request_id, item, entry, reviewer, level, queue, revision,
                 verdict, tags, at, signature, undone, reversal, agreed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            r.request_id,
            n,
            int(entry.index),
            r.reviewer,
            r.level,
            r.queue,
            int(r.revision),
            r.verdict.verdict.as_str(),
            tags,
            r.at.as_millisecond(),
            r.signature,
            r.undone,
            r.reversal,
            r.agreed,
        ])
        .map_err(|e| once(e, &r.request_id))?;
    Ok(())
}

/// A request id that is stored already is refused.
pub(super) fn refuse_stored(tx: &Tx<'_>, request_id: &str) -> Done<()> {
    let stored = tx
        .conn
        .prepare_cached("SELECT 1 FROM reviews WHERE request_id = ?1")?
        .exists([request_id])?;
    match stored {
        true => Err(StoreError::RequestExists(request_id.to_owned()).into()),
        false => Ok(()),
    }
}

/// A constraint on a request id: it is stored already.
fn once(e: rusqlite::Error, request_id: &str) -> Fail {
    match is_constraint(&e) {
        true => StoreError::RequestExists(request_id.to_owned()).into(),
        false => e.into(),
    }
}

/// Mark a review undone.
pub(super) fn undo(tx: &Tx<'_>, request_id: &str) -> Done<()> {
    let changed = tx
        .conn
        .prepare_cached("UPDATE reviews SET undone = 1 WHERE request_id = ?1")?
        .execute([request_id])?;
    match changed {
        0 => Err(StoreError::Missing(format!("review {request_id}")).into()),
        _ => Ok(()),
    }
}

/// Reviews by the SQL condition `which`, oldest first.
pub(super) fn read<P: rusqlite::ToSql>(
    conn: &Connection,
    which: &str,
    parameter: P,
) -> Done<Vec<Review>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT r.request_id, d.id, r.reviewer, r.level, r.queue, r.revision, r.verdict, r.at,
             r.signature, r.undone, r.reversal, r.agreed, b.value
         FROM reviews r JOIN decisions d ON d.n = r.item
             LEFT JOIN bodies b ON b.id = r.entry * {SLOTS}
         WHERE {which} ORDER BY r.entry, r.rowid"
    ))?;
    let mut rows = statement.query([parameter])?;
    let mut reviews = Vec::new();
    while let Some(row) = rows.next()? {
        reviews.push(decode(row)?);
    }
    Ok(reviews)
}

fn decode(row: &Row<'_>) -> Done<Review> {
    let stored = Stored {
        request_id: row.get(0)?,
        item: row.get(1)?,
        reviewer: row.get(2)?,
        level: row.get(3)?,
        queue: row.get(4)?,
        revision: row.get(5)?,
        verdict: row.get(6)?,
        at: row.get(7)?,
        signature: row.get(8)?,
        undone: row.get(9)?,
        reversal: row.get(10)?,
        agreed: row.get(11)?,
        body: row.get(12)?,
    };
    Ok(stored.decode()?)
}

/// Store a reviewer's own answer to a blind item; each answers once.
pub(super) fn answer(
    tx: &Tx<'_>,
    item: &str,
    reviewer: &str,
    request_id: &str,
    agreed: bool,
) -> Done<()> {
    let n = tx.number(item)?;
    let entry = entry(tx, &format!("answer {request_id}"))?;
    if let Some(before) = blind_answer(tx.conn, n, reviewer)? {
        return Err(StoreError::RequestExists(before.request_id).into());
    }
    tx.conn
        .prepare_cached(
            "INSERT INTO answers(item, reviewer, request_id, entry, agreed)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((n, reviewer, request_id, int(entry.index), agreed))
        .map_err(|e| once(e, request_id))?;
    Ok(())
}

/// A reviewer's own answer, by the decision's number.
pub(super) fn blind_answer(
    conn: &Connection,
    n: i64,
    reviewer: &str,
) -> Done<Option<StoredAnswer>> {
    Ok(conn
        .prepare_cached("SELECT request_id, agreed FROM answers WHERE item = ?1 AND reviewer = ?2")?
        .query_row((n, reviewer), |r| Ok(StoredAnswer { request_id: r.get(0)?, agreed: r.get(1)? }))
        .optional()?)
}

/// A settled review becomes a labelled example, once.
pub(super) fn correct(tx: &Tx<'_>, item: &str, request_id: &str, at: Timestamp) -> Done<()> {
    let n = tx.number(item)?;
    tx.conn
        .prepare_cached(
            "INSERT OR IGNORE INTO corrections(item, request_id, at) VALUES (?1, ?2, ?3)",
        )?
        .execute((n, request_id, at.as_millisecond()))?;
    Ok(())
}

/// Corrections after the `after`th, oldest first.
pub(super) fn corrections(
    conn: &Connection,
    since: Option<Timestamp>,
    after: u64,
    limit: usize,
) -> Done<Vec<StoredCorrection>> {
    let mut statement = conn.prepare_cached(
        "SELECT number, item, request_id FROM corrections
         WHERE number > ?1 AND at >= ?2 ORDER BY number LIMIT ?3",
    )?;
    let since = since.map_or(i64::MIN, Timestamp::as_millisecond);
    let mut rows = statement.query((int(after), since, int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let request_id: String = row.get(2)?;
        let missing = || damaged(&format!("the correction of request {request_id}"));
        let decision = decisions::read(conn, "d.n = ?1", row.get::<_, i64>(1)?)?;
        let review = read(conn, "r.request_id = ?1", &request_id)?.pop();
        found.push(StoredCorrection {
            number: count(row.get(0)?),
            decision: decision.ok_or_else(missing)?,
            review: review.ok_or_else(missing)?,
        });
    }
    Ok(found)
}
