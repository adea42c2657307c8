//! What a lease is in rows: claiming the first free ones, a named one, under a cap; prolonging, freeing.

use std::collections::BTreeMap;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use crate::domain::Timestamp;
use crate::store::postgres::fault::{Done, count, int};
use crate::store::postgres::premises::{Held, lost};
use crate::store::postgres::text::{T, Text};
use crate::store::rows::room::room;
use crate::store::rows::time;
use crate::store::{Lease, StoreError, TakeLease};

/// How often it is looked again when rows seem free but were all being taken.
const LOOKS: usize = 5;

/// Count what the reviewer holds and grant, while no other node does so for the same person.
pub(super) async fn take_capped(
    client: &ClientWrapper,
    ask: &TakeLease,
    again: bool,
) -> Done<Option<Lease>> {
    let lock = client
        .prepare_cached(
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/' || $1, 1870033517))",
        )
        .await?;
    let count_held = client
        .prepare_cached(
            "SELECT q.name, count(*) FROM leases l JOIN queues q ON q.k = l.queue
             WHERE l.reviewer = $1 AND l.until > $2 AND l.open
                 AND l.n IS DISTINCT FROM (SELECT n FROM decisions WHERE id = $3)
             GROUP BY q.name",
        )
        .await?;
    let granted = async {
        client.batch_execute("BEGIN").await?;
        client.query(&lock, &[&T(&ask.reviewer)]).await?;
        // What was granted before the connection was lost is among what is held.
        if again
            && ask.item.is_none()
            && let Some(given) = given_before(client, ask).await?
        {
            return Ok(Some(given));
        }
        let wall = ask.wall.as_millisecond();
        let item = ask.item.as_deref().map(T);
        let mut held = BTreeMap::new();
        for row in client.query(&count_held, &[&T(&ask.reviewer), &wall, &item]).await? {
            held.insert(row.try_get::<_, Text>(0)?.0, count(row.try_get(1)?));
        }
        let (ask, enough) = room(ask, &held);
        match enough {
            Some(enough) if ask.item.is_some() || ask.queues.is_empty() => Err(enough.into()),
            Some(enough) => take(client, &ask, false).await?.map(Some).ok_or_else(|| enough.into()),
            None => take(client, &ask, false).await,
        }
    };
    match granted.await {
        Ok(given) => client.batch_execute("COMMIT").await.map(|()| given).map_err(Into::into),
        Err(e) => {
            // Without a connection there is nothing to end.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(e)
        }
    }
}

/// Free rows of some queues in queue order: free ones, and ones whose lease ran out. `$1` queues,
/// `$2` wall time, `$3` how many, `$4` whose own approvals to step over, `$5` ids to step over.
const FREE: &str = "WITH asked AS (SELECT k FROM queues WHERE name = ANY($1)),
     never AS MATERIALIZED (
         SELECT l.n, l.place FROM asked CROSS JOIN LATERAL (
             SELECT n, place FROM leases
             WHERE open AND reviewer IS NULL AND queue = k
                 AND (NOT approved OR NOT EXISTS (SELECT 1 FROM approvals a WHERE a.item = leases.n
                     AND a.content = leases.content AND a.reviewer = ANY($4)))
                 AND substring(place FROM 16) <> ALL($5)
             ORDER BY place LIMIT $3 FOR UPDATE SKIP LOCKED) l),
     over AS MATERIALIZED (
         SELECT n, place FROM leases
         WHERE reviewer IS NOT NULL AND until <= $2 AND open AND queue IN (SELECT k FROM asked)
             AND (NOT approved OR NOT EXISTS (SELECT 1 FROM approvals a WHERE a.item = leases.n
                 AND a.content = leases.content AND a.reviewer = ANY($4)))
             AND substring(place FROM 16) <> ALL($5)
         ORDER BY place LIMIT $3 FOR UPDATE SKIP LOCKED),
     free AS MATERIALIZED (
         SELECT n, row_number() OVER (ORDER BY place) AS rank
         FROM (SELECT * FROM never UNION ALL SELECT * FROM over) f ORDER BY place LIMIT $3)";

/// The first free items for these, who ask for the same queues: an answer each, in order.
pub(super) async fn claim(client: &ClientWrapper, asks: &[&TakeLease]) -> Done<Vec<Option<Lease>>> {
    let sql = format!(
        "{FREE} UPDATE leases l SET reviewer = w.reviewer, until = w.until, epoch = l.epoch + 1
         FROM free f JOIN unnest($6::text[], $7::bigint[]) WITH ORDINALITY
             AS w(reviewer, until, rank) ON w.rank = f.rank
         WHERE l.n = f.n
         RETURNING f.rank, substring(l.place FROM 16), l.epoch"
    );
    let claim = client.prepare_cached(&sql).await?;
    let Some(first) = asks.first() else { return Ok(Vec::new()) };
    let queues: Vec<T<'_>> = first.queues.iter().map(|q| T(q)).collect();
    // Nobody is given what somebody's clock here still calls held.
    let wall = asks.iter().map(|ask| ask.wall.as_millisecond()).min().unwrap_or_default();
    let reviewers: Vec<T<'_>> = asks.iter().map(|ask| T(&ask.reviewer)).collect();
    let untils: Vec<i64> = asks.iter().map(|ask| ask.until.as_millisecond()).collect();
    let skip: Vec<&[u8]> = match asks {
        [one] => one.skip.iter().map(String::as_bytes).collect(),
        _ => Vec::new(),
    };
    let many = int(asks.len() as u64);
    let rows = client
        .query(&claim, &[&queues, &wall, &many, &reviewers, &skip, &reviewers, &untils])
        .await?;
    let mut given: Vec<Option<Lease>> = vec![None; asks.len()];
    for row in rows {
        let rank = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or(usize::MAX);
        if let (Some(given), Some(ask)) = (given.get_mut(rank), asks.get(rank)) {
            *given = Some(granted(&row, ask)?);
        }
    }
    Ok(given)
}

/// A lease from the columns rank, id, epoch.
fn granted(row: &Row, ask: &TakeLease) -> Done<Lease> {
    Ok(Lease {
        item: String::from_utf8_lossy(row.try_get(1)?).into_owned(),
        reviewer: ask.reviewer.clone(),
        until: ask.until,
        epoch: count(row.try_get(2)?),
    })
}

/// Give the named item, or the first one in queue order that nobody holds.
pub(super) async fn take(
    client: &ClientWrapper,
    ask: &TakeLease,
    again: bool,
) -> Done<Option<Lease>> {
    if let Some(id) = &ask.item {
        return named(client, ask, id).await;
    }
    if again && let Some(lease) = given_before(client, ask).await? {
        return Ok(Some(lease));
    }
    for look in 1.. {
        if let Some(Some(lease)) = claim(client, &[ask]).await?.pop() {
            return Ok(Some(lease));
        }
        // Rows that others were taking or changing just now may have come free again.
        if look >= LOOKS || !any_free(client, ask).await? {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(None)
}

/// Is there anything for this ask, whoever is at it?
async fn any_free(client: &ClientWrapper, ask: &TakeLease) -> Done<bool> {
    let sql = format!(
        "{} SELECT EXISTS (SELECT 1 FROM free)",
        FREE.replace(" FOR UPDATE SKIP LOCKED", "")
    );
    let look = client.prepare_cached(&sql).await?;
    let queues: Vec<T<'_>> = ask.queues.iter().map(|q| T(q)).collect();
    let skip: Vec<&[u8]> = ask.skip.iter().map(String::as_bytes).collect();
    let (wall, reviewer) = (ask.wall.as_millisecond(), [T(&ask.reviewer)]);
    let row = client.query_one(&look, &[&queues, &wall, &1i64, &&reviewer[..], &skip]).await?;
    Ok(row.try_get(0)?)
}

/// What this very ask was given before the connection was lost: nobody else has its reviewer and
/// its end.
async fn given_before(client: &ClientWrapper, ask: &TakeLease) -> Done<Option<Lease>> {
    let find = client
        .prepare_cached(
            "SELECT 1::bigint, substring(place FROM 16), epoch FROM leases
             WHERE reviewer = $1 AND until = $2 AND open
                 AND queue IN (SELECT k FROM queues WHERE name = ANY($3)) LIMIT 1",
        )
        .await?;
    let queues: Vec<T<'_>> = ask.queues.iter().map(|q| T(q)).collect();
    let until = ask.until.as_millisecond();
    let row = client.query_opt(&find, &[&T(&ask.reviewer), &until, &queues]).await?;
    row.map(|row| granted(&row, ask)).transpose()
}

/// A named item: free, run out, or one's own.
async fn named(client: &ClientWrapper, ask: &TakeLease, id: &str) -> Done<Option<Lease>> {
    let grant = client
        .prepare_cached(
            "UPDATE leases SET reviewer = $2, until = $3, epoch = epoch + 1
             WHERE n = (SELECT n FROM decisions WHERE id = $1) AND open
                 AND (reviewer IS NULL OR until <= $4 OR reviewer = $2)
             RETURNING 1::bigint, substring(place FROM 16), epoch",
        )
        .await?;
    let (until, wall) = (ask.until.as_millisecond(), ask.wall.as_millisecond());
    let row = client.query_opt(&grant, &[&T(id), &T(&ask.reviewer), &until, &wall]).await?;
    if let Some(row) = row {
        return Ok(Some(granted(&row, ask)?));
    }
    match standing(client, id, wall).await? {
        (true, Some(held)) => Err(lost(id, Some(held))),
        _ => Ok(None),
    }
}

/// Is the item open, and who holds it at wall time `wall`? Refused if there is no such decision.
async fn standing(client: &ClientWrapper, id: &str, wall: i64) -> Done<(bool, Option<Held>)> {
    let find = client
        .prepare_cached(
            "SELECT l.open, l.reviewer, l.until, l.epoch
             FROM decisions d LEFT JOIN leases l ON l.n = d.n WHERE d.id = $1",
        )
        .await?;
    let row = client.query_opt(&find, &[&T(id)]).await?;
    let row = row.ok_or_else(|| StoreError::Missing(format!("decision {id}")))?;
    let open = row.try_get::<_, Option<bool>>(0)?.unwrap_or(false);
    let until: Option<i64> = row.try_get(2)?;
    let held = match (row.try_get::<_, Option<Text>>(1)?, until.filter(|until| *until > wall)) {
        (Some(reviewer), Some(until)) => {
            Some(Held { reviewer: reviewer.0, until: time(until)?, epoch: count(row.try_get(3)?) })
        }
        _ => None,
    };
    Ok((open, held))
}

/// Prolong the lease of that epoch. It may have run out, as long as nobody took the item since.
pub(super) async fn renew(client: &ClientWrapper, held: &Lease) -> Done<Lease> {
    let prolong = client
        .prepare_cached(
            "UPDATE leases SET until = $4
             WHERE n = (SELECT n FROM decisions WHERE id = $1) AND reviewer = $2 AND epoch = $3",
        )
        .await?;
    let (epoch, until) = (int(held.epoch), held.until.as_millisecond());
    let changed =
        client.execute(&prolong, &[&T(&held.item), &T(&held.reviewer), &epoch, &until]).await?;
    match changed {
        0 => {
            let ever = Timestamp::MIN.as_millisecond();
            Err(lost(&held.item, standing(client, &held.item, ever).await?.1))
        }
        _ => Ok(held.clone()),
    }
}

/// Give a lease back, if it is still that one.
pub(super) async fn release(
    client: &ClientWrapper,
    item: &str,
    reviewer: &str,
    epoch: u64,
) -> Done<()> {
    let free = client
        .prepare_cached(
            "UPDATE leases SET reviewer = NULL
             WHERE n = (SELECT n FROM decisions WHERE id = $1) AND reviewer = $2 AND epoch = $3",
        )
        .await?;
    client.execute(&free, &[&T(item), &T(reviewer), &int(epoch)]).await?;
    Ok(())
}
