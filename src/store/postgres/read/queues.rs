//! Counters of queues, who holds what, and the items that time has caught up with.

use std::collections::BTreeMap;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::decisions::{ITEM, ITEM_WIDTH, item};
use super::{get, row, rows, text};
use crate::domain::{Item, Timestamp};
use crate::store::postgres::fault::{Done, count};
use crate::store::postgres::text::T;
use crate::store::rows::lately::SOON;
use crate::store::rows::place::{first_of, minute};
use crate::store::rows::time;
use crate::store::{Lease, QueueCount};

/// Open items of the queue `q` due before `$ms`: whole minutes from the counters, the last by the
/// index between the places `$from` and `$to`.
macro_rules! due_before {
    ($minute:literal, $from:literal, $to:literal, $ms:literal) => {
        concat!(
            "(SELECT coalesce(sum(d.open), 0)::bigint FROM dues d
               WHERE d.queue = q.k AND d.minute < $",
            $minute,
            ") + (SELECT count(*) FROM items i WHERE i.open AND i.queue = q.k AND i.place >= $",
            $from,
            " AND i.place < $",
            $to,
            " AND i.due < $",
            $ms,
            ")"
        )
    };
}

/// Counters of every queue with items that are open or in their grace time.
pub(in crate::store::postgres) async fn queues(
    client: &ClientWrapper,
    now: Timestamp,
    wall: Timestamp,
) -> Done<Vec<QueueCount>> {
    const SQL: &str = concat!(
        "SELECT q.k, q.name, c.open, ",
        due_before!(1, 2, 3, 4),
        ", ",
        due_before!(5, 6, 7, 8),
        " FROM queues q JOIN (SELECT queue, sum(open)::bigint AS open FROM counts GROUP BY queue
             HAVING sum(open) > 0 OR sum(held) > 0) c ON c.queue = q.k",
    );
    let now = now.as_millisecond();
    let soon = now + SOON + 1;
    let part = |ms: i64| (minute(ms), first_of(minute(ms)), first_of(minute(ms) + 1));
    let ((last, from, to), (last_soon, from_soon, to_soon)) = (part(now), part(soon));
    let found =
        rows(client, SQL, &[&last, &from, &to, &now, &last_soon, &from_soon, &to_soon, &soon])
            .await?;
    let mut leased = leased(client, wall).await?;
    let mut queues = Vec::with_capacity(found.len());
    for row in &found {
        let late = count(get(row, 3)?);
        queues.push(QueueCount {
            queue: text(row, 1)?,
            waiting: count(get(row, 2)?),
            leased: leased.remove(&get(row, 0)?).unwrap_or_default(),
            late,
            due_soon: count(get(row, 4)?).saturating_sub(late),
        });
    }
    queues.sort_by(|a, b| a.queue.cmp(&b.queue));
    Ok(queues)
}

/// Live leases on open items, by queue and person.
async fn leased(
    client: &ClientWrapper,
    wall: Timestamp,
) -> Done<BTreeMap<i64, BTreeMap<String, u64>>> {
    let found = rows(
        client,
        "SELECT queue, reviewer, count(*) FROM leases
         WHERE reviewer IS NOT NULL AND until > $1 AND open GROUP BY queue, reviewer",
        &[&wall.as_millisecond()],
    )
    .await?;
    let mut leased: BTreeMap<i64, BTreeMap<String, u64>> = BTreeMap::new();
    for row in &found {
        leased.entry(get(row, 0)?).or_default().insert(text(row, 1)?, count(get(row, 2)?));
    }
    Ok(leased)
}

/// The live lease of an item.
pub(in crate::store::postgres) async fn lease_of(
    client: &ClientWrapper,
    id: &str,
    wall: Timestamp,
) -> Done<Option<Lease>> {
    let found = row(
        client,
        "SELECT l.reviewer, l.until, l.epoch FROM decisions d JOIN leases l ON l.n = d.n
         WHERE d.id = $1 AND l.reviewer IS NOT NULL AND l.until > $2",
        &[&T(id), &wall.as_millisecond()],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(Lease {
        item: id.to_owned(),
        reviewer: text(&row, 0)?,
        until: time(get(&row, 1)?)?,
        epoch: count(get(&row, 2)?),
    }))
}

/// Queues that items which are not settled are in or still need, each with one such item.
pub(in crate::store::postgres) async fn needed(
    client: &ClientWrapper,
) -> Done<BTreeMap<String, String>> {
    let found = rows(
        client,
        r#"WITH live AS (SELECT n, queue, required, goes_to FROM items
                         WHERE open OR grace IS NOT NULL),
                wanted(queue, n) AS (
                    SELECT q.name COLLATE "C", l.n FROM live l JOIN queues q ON q.k = l.queue
                    UNION ALL
                    SELECT r.name COLLATE "C", l.n FROM live l, unnest(l.required) AS r(name)
                    UNION ALL
                    SELECT l.goes_to COLLATE "C", l.n FROM live l)
           SELECT w.queue, d.id FROM
               (SELECT queue, min(n) AS n FROM wanted WHERE queue IS NOT NULL GROUP BY queue) w
               JOIN decisions d ON d.n = w.n"#,
        &[],
    )
    .await?;
    found.iter().map(|row| Ok((text(row, 0)?, text(row, 1)?))).collect()
}

/// Open items past their due time that have not been escalated for it yet, longest due first
/// within a queue.
pub(in crate::store::postgres) async fn overdue(
    client: &ClientWrapper,
    now: Timestamp,
    limit: usize,
) -> Done<Vec<Item>> {
    let now = now.as_millisecond();
    // Only minutes that hold such items are looked into. A place begins with the last five bytes
    // of its minute, counted from before all time (`rows::place`).
    let sql = format!(
        "SELECT {ITEM}, d.id
         FROM (SELECT queue, minute FROM dues WHERE minute <= $1 AND fresh > 0
               ORDER BY minute, queue) m
             CROSS JOIN LATERAL (
                 SELECT * FROM items x WHERE x.open AND x.queue = m.queue AND NOT x.breached
                     AND x.place >= substring(int8send(m.minute + 549755813888) FROM 4)
                     AND x.place < substring(int8send(m.minute + 549755813889) FROM 4)
                     AND x.due < $2
                 ORDER BY x.place LIMIT {limit}) i
             JOIN queues q ON q.k = i.queue JOIN decisions d ON d.n = i.n
         ORDER BY m.minute, m.queue, i.place LIMIT {limit}"
    );
    items(&rows(client, &sql, &[&minute(now), &now]).await?)
}

/// Items whose pending verdict's grace time is over, oldest first.
pub(in crate::store::postgres) async fn graces_over(
    client: &ClientWrapper,
    wall: Timestamp,
    limit: usize,
) -> Done<Vec<Item>> {
    let sql = format!(
        "SELECT {ITEM}, d.id
         FROM items i JOIN queues q ON q.k = i.queue JOIN decisions d ON d.n = i.n
         WHERE i.grace <= $1 ORDER BY i.grace, i.n LIMIT {limit}"
    );
    items(&rows(client, &sql, &[&wall.as_millisecond()]).await?)
}

/// Rows of [`ITEM`] and an id.
fn items(found: &[Row]) -> Done<Vec<Item>> {
    found.iter().map(|row| item(row, 0, &text(row, ITEM_WIDTH)?)).collect()
}
