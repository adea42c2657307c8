//! Small states: replaced whole, each with a version that only rises.

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::{Done, count};
use super::tx::Tx;
use crate::store::StoredState;

/// Replace a state, or drop it (`None`).
pub(super) fn put(tx: &Tx<'_>, key: &str, value: Option<&[u8]>) -> Done<()> {
    tx.conn
        .prepare_cached(
            "INSERT INTO states(key, version, value) VALUES (?1, 1, ?2)
             ON CONFLICT DO UPDATE SET version = version + 1, value = ?2",
        )?
        .execute((key, value))?;
    Ok(())
}

/// The version a key is at; 0: there is nothing.
pub(super) fn version(conn: &Connection, key: &str) -> Done<u64> {
    let found: Option<i64> = conn
        .prepare_cached("SELECT version FROM states WHERE key = ?1 AND value IS NOT NULL")?
        .query_row([key], |r| r.get(0))
        .optional()?;
    Ok(found.map_or(0, count))
}

/// One state.
pub(super) fn read(conn: &Connection, key: &str) -> Done<Option<StoredState>> {
    Ok(conn
        .prepare_cached("SELECT version, value FROM states WHERE key = ?1 AND value IS NOT NULL")?
        .query_row([key], |r| Ok(StoredState { version: count(r.get(0)?), value: r.get(1)? }))
        .optional()?)
}

/// All states whose key begins so, by key: they stand together in the order of bytes.
pub(super) fn all(conn: &Connection, prefix: &str) -> Done<Vec<(String, StoredState)>> {
    let mut statement = conn.prepare_cached(
        "SELECT key, version, value FROM states WHERE key >= ?1 AND value IS NOT NULL ORDER BY key",
    )?;
    let mut rows = statement.query([prefix])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        found.push((key, StoredState { version: count(row.get(1)?), value: row.get(2)? }));
    }
    Ok(found)
}
