//! A page of the queue: keyset paging both ways, totals from counters, free text by scanning.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::condition::{Needs, Sql, filter};
use super::decisions::{COLUMNS, ITEM, ITEM_WIDTH, WIDTH, decoded, item};
use super::{get, row, rows, small, text};
use crate::domain::Timestamp;
use crate::protocol::Cursor;
use crate::store::postgres::fault::{Done, count, damaged};
use crate::store::postgres::text::T;
use crate::store::rows::needle::Needle;
use crate::store::rows::{place, time};
use crate::store::{Lease, PageQuery, StoredPage, StoredRow};

/// Records are read this many at a time where free text is looked for.
const PORTION: usize = 500;

/// Which way, and from where (exclusive).
struct Way {
    forward: bool,
    from: Option<Vec<u8>>,
}

/// An item met on the way.
struct Step {
    place: Vec<u8>,
    n: i64,
}

/// A page of open items in queue order, or of items somebody decided.
pub(in crate::store::postgres) async fn page(
    client: &ClientWrapper,
    ask: &PageQuery,
) -> Done<StoredPage> {
    let at = |c: &Option<Cursor>| c.as_ref().map(place::uncursor).transpose();
    let way = match (&ask.before, ask.from_end) {
        (Some(_), _) => Way { forward: false, from: at(&ask.before)? },
        (None, true) => Way { forward: false, from: None },
        (None, false) => Way { forward: true, from: at(&ask.after)? },
    };
    let forward = way.forward;
    let sought = ask.filter.text.as_deref().filter(|t| !t.is_empty()).map(Needle::new);
    let (mut found, next, scanned) = match sought {
        None => plain(client, ask, way).await?,
        Some(needle) => scan(client, ask, way, &needle).await?,
    };
    if !forward {
        found.reverse();
    }
    let rows = details(client, &found, ask.wall).await?;
    Ok(StoredPage { rows, next, total: total(client, ask).await?, scanned })
}

type Met = (Vec<Step>, Option<Cursor>, u64);

/// Without free text: one more than the page holds tells whether there is more.
async fn plain(client: &ClientWrapper, ask: &PageQuery, way: Way) -> Done<Met> {
    if ask.limit == 0 {
        return Ok((Vec::new(), None, 0));
    }
    let met = walk(client, ask, &way, ask.limit.saturating_add(1), false).await?;
    let mut found = met.iter().map(step).collect::<Done<Vec<_>>>()?;
    let more = found.len() > ask.limit;
    found.truncate(ask.limit);
    let next = found.last().filter(|_| more).map(|step| place::cursor(&step.place));
    Ok((found, next, 0))
}

/// With free text: portions of records, until the page is full or enough was looked at.
async fn scan(client: &ClientWrapper, ask: &PageQuery, mut way: Way, needle: &Needle) -> Done<Met> {
    let scan = if ask.scan == 0 { u64::MAX } else { ask.scan as u64 };
    let (mut found, mut scanned, mut last) = (Vec::new(), 0, None);
    loop {
        let portion = walk(client, ask, &way, PORTION, true).await?;
        for row in &portion {
            if found.len() >= ask.limit || scanned >= scan {
                // There is something beyond what was looked at: go on from there.
                return Ok((found, last.map(|place: Vec<u8>| place::cursor(&place)), scanned));
            }
            let met = step(row)?;
            last = Some(met.place.clone());
            scanned += 1;
            if get::<Option<&[u8]>>(row, 2)?.is_some_and(|raw| needle.is_in(raw)) {
                found.push(met);
            }
        }
        if portion.len() < PORTION {
            return Ok((found, None, scanned));
        }
        way.from.clone_from(&last);
    }
}

fn step(row: &Row) -> Done<Step> {
    Ok(Step { place: get(row, 0)?, n: get(row, 1)? })
}

/// The next items that match, `bodies` with their records.
async fn walk(
    client: &ClientWrapper,
    ask: &PageQuery,
    way: &Way,
    limit: usize,
    bodies: bool,
) -> Done<Vec<Row>> {
    let (compare, order) = if way.forward { (">", "ASC") } else { ("<", "DESC") };
    let mine = ask.filter.by_me;
    let mut inner = Sql::new(format!("SELECT i.place, i.n FROM {} WHERE ", tables(ask)));
    // Items that somebody decided are few: one sorted list, over all queues, closed ones too.
    // Open ones are read by the indexes of their queues, side by side.
    inner.push(if mine { "true" } else { "i.open AND i.queue = q.k" });
    filter(&mut inner, ask);
    let queue = ask.filter.queue.as_deref().map(|name| inner.value(T(name)));
    if let (true, Some(name)) = (mine, &queue) {
        inner.push(&format!(" AND i.queue = (SELECT k FROM queues WHERE name = {name})"));
    }
    if let Some(from) = &way.from {
        let from = inner.value(from.as_slice());
        inner.push(&format!(" AND i.place {compare} {from}"));
    }
    inner.push(&format!(" ORDER BY i.place {order} LIMIT {limit}"));
    let met = match mine {
        true => inner.text.clone(),
        false => {
            let named = queue.map_or(String::new(), |name| format!("WHERE q.name = {name}"));
            format!(
                "SELECT x.place, x.n FROM queues q CROSS JOIN LATERAL ({}) x {named}
                 ORDER BY x.place {order} LIMIT {limit}",
                inner.text
            )
        }
    };
    let sql = match bodies {
        false => met,
        true => format!(
            "SELECT m.place, m.n, b.value FROM ({met}) m JOIN decisions d ON d.n = m.n
                 LEFT JOIN bodies b ON b.entry = coalesce(d.raw, d.n) AND b.slot = 0
             ORDER BY m.place {order}"
        ),
    };
    rows(client, &sql, &inner.values()).await
}

/// The tables that a filter looks at.
fn tables(ask: &PageQuery) -> &'static str {
    match Needs::of(ask).shape {
        true => "items i JOIN decisions d ON d.n = i.n JOIN shapes s ON s.k = d.shape",
        false => "items i",
    }
}

/// All that match, free text aside.
async fn total(client: &ClientWrapper, ask: &PageQuery) -> Done<u64> {
    let needs = Needs::of(ask);
    let mut sql = match (needs.counted, ask.filter.by_me) {
        (true, _) => {
            let shapes = if needs.shape { "JOIN shapes s ON s.k = i.shape" } else { "" };
            Sql::new(format!(
                "SELECT coalesce(sum(i.open), 0)::bigint FROM counts i {shapes} WHERE true"
            ))
        }
        (false, true) => Sql::new(format!("SELECT count(*) FROM {} WHERE true", tables(ask))),
        (false, false) => Sql::new(format!("SELECT count(*) FROM {} WHERE i.open", tables(ask))),
    };
    filter(&mut sql, ask);
    if let Some(name) = &ask.filter.queue {
        let name = sql.value(T(name));
        sql.push(&format!(" AND i.queue = (SELECT k FROM queues WHERE name = {name})"));
    }
    let found = row(client, &sql.text, &sql.values()).await?;
    found.map_or(Ok(0), |row| Ok(count(get(&row, 0)?)))
}

/// The rows of these items, in their order.
async fn details(
    client: &ClientWrapper,
    steps: &[Step],
    wall: Option<Timestamp>,
) -> Done<Vec<StoredRow>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i64> = steps.iter().map(|s| s.n).collect();
    let sql = format!(
        "SELECT {COLUMNS}, {ITEM}, i.level, l.reviewer, l.until, l.epoch
         FROM items i JOIN queues q ON q.k = i.queue JOIN decisions d ON d.n = i.n
             JOIN shapes s ON s.k = d.shape
             LEFT JOIN leases l ON l.n = i.n AND l.reviewer IS NOT NULL AND l.until > $2
         WHERE i.n = ANY($1)"
    );
    // At no time at all, no lease lives.
    let wall = wall.map_or(i64::MAX, Timestamp::as_millisecond);
    let found = rows(client, &sql, &[&numbers, &wall]).await?;
    let mut by_number = HashMap::with_capacity(found.len());
    for row in &found {
        by_number.insert(get::<i64>(row, 0)?, row);
    }
    steps
        .iter()
        .map(|step| {
            let row = by_number.get(&step.n).ok_or_else(|| damaged("an item's decision"))?;
            detail(row, step)
        })
        .collect()
}

fn detail(row: &Row, step: &Step) -> Done<StoredRow> {
    const AFTER: usize = WIDTH + ITEM_WIDTH;
    let mut d = decoded(row)?;
    let item = item(row, WIDTH, &d.route.id)?;
    d.columns.level = small(row, AFTER)?;
    let lease = match get::<Option<i64>>(row, AFTER + 2)? {
        None => None,
        Some(until) => Some(Lease {
            item: item.id.clone(),
            reviewer: text(row, AFTER + 1)?,
            until: time(until)?,
            epoch: count(get(row, AFTER + 3)?),
        }),
    };
    Ok(StoredRow {
        item,
        columns: d.columns,
        rule: d.route.rule,
        reason: d.route.reason,
        lease,
        cursor: place::cursor(&step.place),
    })
}
