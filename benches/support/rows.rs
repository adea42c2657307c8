//! The bare store to compare with: a key and bytes, inserted in batches, just as durable.

use std::path::Path;

use rusqlite::Connection;

use super::Row;

/// A table with the id as primary key, in WAL mode, every commit on the disk.
pub fn open(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(())).unwrap();
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS rows(id TEXT PRIMARY KEY, bytes BLOB NOT NULL);",
    )
    .unwrap();
    conn
}

/// Insert all, `batch` rows a transaction.
pub fn insert(conn: &Connection, rows: &[Row], batch: usize) {
    for part in rows.chunks(batch) {
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut insert =
            conn.prepare_cached("INSERT INTO rows(id, bytes) VALUES (?1, ?2)").unwrap();
        for row in part {
            insert.execute((&row.id, &row.bytes)).unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
    }
}
