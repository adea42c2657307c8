//! A page of the queue: keyset paging both ways, totals from counters, free text by scanning.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::decisions;
use super::fault::{Done, count, damaged};
use super::walk::{Condition, Step, Way, walk};
use super::{items, leases, names};
use crate::domain::Timestamp;
use crate::protocol::Cursor;
use crate::store::rows::needle::Needle;
use crate::store::rows::place;
use crate::store::{PageQuery, StoredPage, StoredRow};

/// A page of open items in queue order, or of items somebody decided.
pub(super) fn page(conn: &Connection, ask: &PageQuery) -> Done<StoredPage> {
    let at = |c: &Option<Cursor>| c.as_ref().map(place::uncursor).transpose();
    let way = match (&ask.before, ask.from_end) {
        (Some(_), _) => Way::Backward(at(&ask.before)?),
        (None, true) => Way::Backward(None),
        (None, false) => Way::Forward(at(&ask.after)?),
    };
    let text = ask.filter.text.as_deref().filter(|t| !t.is_empty()).map(Needle::new);
    let scan = if ask.scan == 0 { usize::MAX } else { ask.scan };
    let (mut found, mut scanned, mut more) = (Vec::new(), 0u64, None);
    let mut last: Option<Step> = None;
    walk(conn, ask, &way, |step| {
        if found.len() >= ask.limit || scanned >= scan as u64 {
            // There is something beyond what was looked at: go on from there.
            more = last.take();
            return Ok(false);
        }
        let hit = match &text {
            None => true,
            Some(needle) => {
                scanned += 1;
                raw(conn, step.n)?.is_some_and(|raw| needle.is_in(&raw))
            }
        };
        if hit {
            found.push(step.clone());
        }
        last = Some(step.clone());
        Ok(true)
    })?;
    let next = more.map(|step| place::cursor(&step.place));
    if matches!(way, Way::Backward(_)) {
        found.reverse();
    }
    let rows = found.iter().map(|step| row(conn, step, ask.wall)).collect::<Done<_>>()?;
    Ok(StoredPage { rows, next, total: total(conn, ask)?, scanned })
}

/// All that match, free text aside.
fn total(conn: &Connection, ask: &PageQuery) -> Done<u64> {
    let condition = Condition::new(ask);
    let queue = match &ask.filter.queue {
        None => None,
        Some(name) => match names::queue(conn, name)? {
            None => return Ok(0),
            some => some,
        },
    };
    let mut sql = match (condition.counted, ask.filter.by_me) {
        (true, _) => {
            let shapes = if condition.needs_shape { "JOIN shapes s ON s.k = i.shape" } else { "" };
            format!("SELECT coalesce(sum(i.open), 0) FROM counts i {shapes} WHERE 1")
        }
        (false, true) => format!("SELECT count(*) FROM {} WHERE 1", condition.tables()),
        (false, false) => format!("SELECT count(*) FROM {} WHERE i.open = 1", condition.tables()),
    };
    sql.push_str(&condition.sql);
    let mut values = condition.values;
    if let Some(queue) = queue {
        sql.push_str(" AND i.queue = ?");
        values.push(Value::Integer(queue));
    }
    let n: i64 = conn.prepare_cached(&sql)?.query_row(params_from_iter(values), |r| r.get(0))?;
    Ok(count(n))
}

fn row(conn: &Connection, step: &Step, wall: Option<Timestamp>) -> Done<StoredRow> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {}, {}, i.level FROM decisions d JOIN shapes s ON s.k = d.shape
             JOIN items i ON i.n = d.n JOIN queues q ON q.k = i.queue WHERE d.n = ?1",
        decisions::COLUMNS,
        items::COLUMNS
    ))?;
    let mut rows = statement.query([step.n])?;
    let row = rows.next()?.ok_or_else(|| damaged("an item's decision"))?;
    let mut d = decisions::decode(row)?;
    let item = items::decode(row, decisions::WIDTH, &d.route.id)?;
    d.columns.level = row.get(decisions::WIDTH + 10)?;
    let lease = match wall {
        Some(wall) => leases::live(conn, step.n, wall)?.map(|held| held.of(&item.id)),
        None => None,
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

fn raw(conn: &Connection, n: i64) -> Done<Option<Vec<u8>>> {
    let raw: Option<i64> = conn
        .prepare_cached("SELECT raw FROM decisions WHERE n = ?1")?
        .query_row([n], |r| r.get(0))?;
    let slots = super::fault::int(crate::store::rows::SLOTS);
    decisions::body(conn, raw.unwrap_or(n).saturating_mul(slots))
}
