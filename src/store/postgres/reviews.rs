//! Reviews, blind answers and corrections: the words in a row, the text in a body of the trail.

use super::fault::{Done, Fail, int, is_constraint};
use super::text::{T, Text, stored};
use super::tx::{Appended, Tx, values};
use crate::domain::{Review, Timestamp};
use crate::store::StoreError;
use crate::store::rows::review::text_is_kept;

/// The entry that a row is about to refer to.
fn entry(tx: &Tx<'_>, what: &str) -> Done<Appended> {
    tx.entry.ok_or_else(|| StoreError::Missing(format!("entry of {what}")).into())
}

/// Store a review; its request id is stored once.
pub(super) async fn put(tx: &mut Tx<'_>, r: &Review) -> Done<()> {
    let n = tx.number(&r.item).await?;
    let entry = entry(tx, &format!("review {}", r.request_id))?;
    text_is_kept(r, entry.bodies)?;
    let tags: Vec<_> = r.verdict.tags.iter().map(|tag| stored(tag).into_owned()).collect();
    let sent = tx
        .send(
            "INSERT INTO reviews(request_id, item, entry, reviewer, level, queue, revision,
                 verdict, tags, at, signature, undone, reversal, agreed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            values![
                stored(&r.request_id).into_owned(),
                n,
                int(entry.index),
                stored(&r.reviewer).into_owned(),
                i16::from(r.level),
                stored(&r.queue).into_owned(),
                int(r.revision),
                r.verdict.verdict.as_str(),
                (!tags.is_empty()).then_some(tags),
                r.at.as_millisecond(),
                r.signature.as_deref().map(|s| stored(s).into_owned()),
                r.undone,
                r.reversal,
                r.agreed,
            ],
        )
        .await;
    sent.map_err(|e| once(e, &r.request_id))
}

/// A request id that is stored already is refused.
pub(super) async fn refuse_stored(tx: &Tx<'_>, request_id: &str) -> Done<()> {
    let sql = "SELECT 1 FROM reviews WHERE request_id = $1";
    match tx.row(sql, &[&T(request_id)]).await? {
        Some(_) => Err(StoreError::RequestExists(request_id.to_owned()).into()),
        None => Ok(()),
    }
}

/// A constraint on a request id: it is stored already.
fn once(e: Fail, request_id: &str) -> Fail {
    match e {
        Fail::Sql(e) if is_constraint(&e) => {
            StoreError::RequestExists(request_id.to_owned()).into()
        }
        other => other,
    }
}

/// Mark a review undone.
pub(super) async fn undo(tx: &mut Tx<'_>, request_id: &str) -> Done<()> {
    let sql = "UPDATE reviews SET undone = true WHERE request_id = $1";
    match tx.changed(sql, &[&T(request_id)]).await? {
        0 => Err(StoreError::Missing(format!("review {request_id}")).into()),
        _ => Ok(()),
    }
}

/// Store a reviewer's own answer to a blind item; each answers once.
pub(super) async fn answer(
    tx: &mut Tx<'_>,
    item: &str,
    reviewer: &str,
    request_id: &str,
    agreed: bool,
) -> Done<()> {
    let n = tx.number(item).await?;
    let entry = entry(tx, &format!("answer {request_id}"))?;
    let find = "SELECT request_id FROM answers WHERE item = $1 AND reviewer = $2";
    if let Some(before) = tx.row(find, &[&n, &T(reviewer)]).await? {
        return Err(StoreError::RequestExists(before.try_get::<_, Text>(0)?.0).into());
    }
    let sent = tx
        .send(
            "INSERT INTO answers(item, reviewer, request_id, entry, agreed)
             VALUES ($1, $2, $3, $4, $5)",
            values![
                n,
                stored(reviewer).into_owned(),
                stored(request_id).into_owned(),
                int(entry.index),
                agreed,
            ],
        )
        .await;
    sent.map_err(|e| once(e, request_id))
}

/// A settled review becomes a labelled example, once.
pub(super) async fn correct(
    tx: &mut Tx<'_>,
    item: &str,
    request_id: &str,
    at: Timestamp,
) -> Done<()> {
    let n = tx.number(item).await?;
    tx.send(
        "INSERT INTO corrections(item, request_id, at) VALUES ($1, $2, $3)
         ON CONFLICT (request_id) DO NOTHING",
        values![n, stored(request_id).into_owned(), at.as_millisecond()],
    )
    .await
}
