//! Reviews, own answers to blind items, and corrections.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::decisions::{WHOLE_FROM, whole, whole_columns};
use super::{Value, get, maybe, row, rows, small, text};
use crate::domain::{Review, Timestamp};
use crate::store::postgres::fault::{Done, count, damaged, int};
use crate::store::postgres::text::T;
use crate::store::rows::review;
use crate::store::{StoredAnswer, StoredCorrection, StoredDecision};

/// Reviews by the SQL condition `which` with one value, oldest first.
pub(super) async fn find(
    client: &ClientWrapper,
    which: &str,
    value: &Value<'_>,
) -> Done<Vec<Review>> {
    let sql = format!(
        "SELECT r.request_id, d.id, r.reviewer, r.level, r.queue, r.revision, r.verdict, r.at,
             r.signature, r.undone, r.reversal, r.agreed, b.value
         FROM reviews r JOIN decisions d ON d.n = r.item
             LEFT JOIN bodies b ON b.entry = r.entry AND b.slot = 0
         WHERE {which} ORDER BY r.entry, r.number"
    );
    rows(client, &sql, &[value]).await?.iter().map(decoded).collect()
}

/// Reviews of these requests, by request.
pub(super) async fn of_requests(
    client: &ClientWrapper,
    requests: &[&str],
) -> Done<HashMap<String, Review>> {
    if requests.is_empty() {
        return Ok(HashMap::new());
    }
    let asked: Vec<T<'_>> = requests.iter().map(|r| T(r)).collect();
    let found = find(client, "r.request_id = ANY($1)", &asked).await?;
    Ok(found.into_iter().map(|r| (r.request_id.clone(), r)).collect())
}

fn decoded(row: &Row) -> Done<Review> {
    let stored = review::Stored {
        request_id: text(row, 0)?,
        item: text(row, 1)?,
        reviewer: text(row, 2)?,
        level: small(row, 3)?,
        queue: text(row, 4)?,
        revision: get(row, 5)?,
        verdict: get(row, 6)?,
        at: get(row, 7)?,
        signature: maybe(row, 8)?,
        undone: get(row, 9)?,
        reversal: get(row, 10)?,
        agreed: get(row, 11)?,
        body: get(row, 12)?,
    };
    Ok(stored.decode()?)
}

/// Reviews of an item, oldest first.
pub(in crate::store::postgres) async fn reviews(
    client: &ClientWrapper,
    id: &str,
) -> Done<Vec<Review>> {
    find(client, "d.id = $1", &T(id)).await
}

/// A review by its request.
pub(in crate::store::postgres) async fn review(
    client: &ClientWrapper,
    request_id: &str,
) -> Done<Option<Review>> {
    Ok(find(client, "r.request_id = $1", &T(request_id)).await?.pop())
}

/// A reviewer's own answer.
pub(in crate::store::postgres) async fn blind_answer(
    client: &ClientWrapper,
    id: &str,
    reviewer: &str,
) -> Done<Option<StoredAnswer>> {
    let found = row(
        client,
        "SELECT a.request_id, a.agreed FROM answers a JOIN decisions d ON d.n = a.item
         WHERE d.id = $1 AND a.reviewer = $2",
        &[&T(id), &T(reviewer)],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(StoredAnswer { request_id: text(&row, 0)?, agreed: get(&row, 1)? }))
}

/// Corrections after the `after`th, oldest first.
pub(in crate::store::postgres) async fn corrections(
    client: &ClientWrapper,
    since: Option<Timestamp>,
    after: u64,
    limit: usize,
) -> Done<Vec<StoredCorrection>> {
    let sql = format!(
        "SELECT number, item, request_id FROM corrections
         WHERE number > $1 AND at >= $2 ORDER BY number LIMIT {limit}"
    );
    let since = since.map_or(i64::MIN, Timestamp::as_millisecond);
    let mut listed = Vec::new();
    for row in rows(client, &sql, &[&int(after), &since]).await? {
        listed.push((get::<i64>(&row, 0)?, get::<i64>(&row, 1)?, text(&row, 2)?));
    }
    let items: Vec<i64> = listed.iter().map(|(_, n, _)| *n).collect();
    let requests: Vec<&str> = listed.iter().map(|(_, _, r)| r.as_str()).collect();
    let mut reviews = of_requests(client, &requests).await?;
    let decisions = by_number(client, &items).await?;
    let mut found = Vec::with_capacity(listed.len());
    for (number, n, request) in listed {
        let missing = || damaged(&format!("the correction of request {request}"));
        found.push(StoredCorrection {
            number: count(number),
            decision: decisions.get(&n).cloned().ok_or_else(missing)?,
            review: reviews.remove(&request).ok_or_else(missing)?,
        });
    }
    Ok(found)
}

async fn by_number(client: &ClientWrapper, numbers: &[i64]) -> Done<HashMap<i64, StoredDecision>> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let sql =
        format!("SELECT {} FROM decisions d {WHOLE_FROM} WHERE d.n = ANY($1)", whole_columns());
    let found = rows(client, &sql, &[&numbers]).await?;
    found.iter().map(|row| Ok((get(row, 0)?, whole(row)?))).collect()
}
