//! Following the log: each entry with the decision and the review it is about.

use rusqlite::Connection;

use super::decisions::{self, COLUMNS, WIDTH};
use super::fault::{Done, count, int};
use super::items;
use super::reviews;
use crate::store::rows::entry::request;
use crate::store::{Followed, StoredDecision};

/// Entries from `from` on. One statement finds entry, decision, record and item; a review, which
/// few entries have, is looked up by its request.
pub(super) fn read(conn: &Connection, from: u64, limit: usize) -> Done<Vec<Followed>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, b.value, i.n, {}, l.idx, l.bytes
         FROM log l LEFT JOIN decisions d ON d.n = coalesce(l.item, l.idx)
             LEFT JOIN shapes s ON s.k = d.shape
             LEFT JOIN bodies b ON b.id = coalesce(d.raw, d.n) * {}
             LEFT JOIN items i ON i.n = d.n LEFT JOIN queues q ON q.k = i.queue
         WHERE l.idx >= ?1 ORDER BY l.idx LIMIT ?2",
        items::COLUMNS,
        crate::store::rows::SLOTS,
    ))?;
    let mut rows = statement.query((int(from), int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let entry: Vec<u8> = row.get(ENTRY + 1)?;
        let decision = match row.get_ref(0)? {
            rusqlite::types::ValueRef::Null => None,
            _ => {
                let d = decisions::decode(row)?;
                let item = match row.get::<_, Option<i64>>(WIDTH + 1)? {
                    Some(_) => Some(items::decode(row, WIDTH + 2, &d.route.id)?),
                    None => None,
                };
                Some(StoredDecision {
                    content: d.content,
                    raw: row.get(WIDTH)?,
                    route: d.route,
                    facts: d.facts,
                    columns: d.columns,
                    item,
                    index: count(d.n),
                    admitted_at: d.at,
                })
            }
        };
        let review = match request(&entry)? {
            Some(request) => reviews::read(conn, "r.request_id = ?1", request.as_ref())?.pop(),
            None => None,
        };
        found.push(Followed { index: count(row.get(ENTRY)?), entry, decision, review });
    }
    Ok(found)
}

/// Column of the entry's index: after the decision's, the record, the item's number and columns.
const ENTRY: usize = WIDTH + 2 + items::WIDTH;
