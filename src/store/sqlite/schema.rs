//! The tables, and how a file becomes a store of this version: numbered steps, never edited.

use rusqlite::{Connection, TransactionBehavior};

use super::fault::Fail;
use crate::audit::Frontier;
use crate::store::StoreError;

/// `ovrl`: lets `file(1)` and SQLite tools tell our files from others.
pub(super) const APPLICATION_ID: i32 = 0x6f76_726c;

/// Step `n` leads from version `n` to `n + 1`. A released step is never changed: add another.
const STEPS: &[&str] =
    &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// The version this program writes.
pub(super) fn version() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// What a fresh store is told once.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// Secret of this store: keys the HMAC over contents. 32 random bytes.
    pub key: [u8; 32],
    /// Name of the log in checkpoints; unique to this store (no spaces, no `+`).
    pub origin: String,
}

/// The version of the file; 0 for an empty one. A file that is something else is refused.
pub(super) fn found(conn: &Connection) -> Result<u32, Fail> {
    let id: i32 = conn.query_row("PRAGMA application_id", (), |r| r.get(0))?;
    let version: u32 = conn.query_row("PRAGMA user_version", (), |r| r.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", (), |r| r.get(0))?;
    if id == APPLICATION_ID || (id == 0 && version == 0 && tables == 0) {
        return Ok(version);
    }
    Err(StoreError::Io {
        doing: "open the file".to_owned(),
        cause: "it is a database of another program".to_owned(),
    }
    .into())
}

/// Bring the file to this program's version; one transaction, safe against other processes.
pub(super) fn migrate(
    conn: &mut Connection,
    fresh: &Fresh,
    record_clock: bool,
) -> Result<(), Fail> {
    migrate_with(conn, STEPS, fresh, record_clock)
}

fn migrate_with(
    conn: &mut Connection,
    steps: &[&str],
    fresh: &Fresh,
    record_clock: bool,
) -> Result<(), Fail> {
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let refuse_newer = |found: u32| match found > known {
        true => Err(StoreError::Newer { found, known }),
        false => Ok(found),
    };
    if refuse_newer(found(conn)?)? == known {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Somebody else may have been faster.
    let from = refuse_newer(found(&tx)?)?;
    for step in steps.iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        tx.execute_batch(step)?;
    }
    if from == 0 {
        tx.execute(
            "INSERT INTO meta(one, key, origin, record_clock) VALUES (0, ?1, ?2, ?3)",
            (fresh.key, &fresh.origin, record_clock),
        )?;
        tx.execute(
            "INSERT INTO frontier(one, bytes) VALUES (0, ?1)",
            [Frontier::new().to_bytes()],
        )?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", known)?;
    tx.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> Fresh {
        Fresh { key: [7; 32], origin: "test.example/log".to_owned() }
    }

    #[test]
    fn a_store_of_version_1_is_brought_to_a_later_version_with_what_it_holds() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate_with(&mut conn, &STEPS[..1], &fresh(), true).unwrap();
        conn.execute("INSERT INTO log(idx, bytes) VALUES (0, x'01')", ()).unwrap();
        let later = [STEPS[0], "ALTER TABLE meta ADD COLUMN extra INTEGER NOT NULL DEFAULT 5;"];
        migrate_with(&mut conn, &later, &Fresh { key: [8; 32], ..fresh() }, false).unwrap();
        assert_eq!(found(&conn).unwrap(), 2);
        let row: (Vec<u8>, bool, i64, i64) = conn
            .query_row(
                "SELECT key, record_clock, extra, (SELECT count(*) FROM log) FROM meta",
                (),
                |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)),
            )
            .unwrap();
        assert_eq!(row, (vec![7; 32], true, 5, 1));
    }

    #[test]
    fn what_a_store_of_version_1_holds_is_counted_and_waits_as_before() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate_with(&mut conn, &STEPS[..1], &fresh(), false).unwrap();
        conn.execute_batch(
            "INSERT INTO decisions(n, id, content, shape, at)
                 VALUES (0, 'a', x'', 7, 0), (1, 'b', x'', 8, 0), (2, 'c', x'', 7, 0);
             INSERT INTO outbox(key, kind, item, payload, at, done)
                 VALUES ('r/a', 'reply', 'a', 'null', 0, 0), ('r/b', 'reply', 'b', 'null', 0, 1);",
        )
        .unwrap();
        migrate(&mut conn, &fresh(), false).unwrap();
        let shapes: String = conn
            .query_row(
                "SELECT group_concat(shape || ':' || decisions ORDER BY shape) FROM shape_counts",
                (),
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(shapes, "7:2,8:1");
        let waits: i64 = conn
            .query_row(
                "SELECT count(*) FROM outbox
                 WHERE done = 0 AND dead = 0 AND held = 0 AND attempts = 0 AND next_at = 0",
                (),
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(waits, 1);
    }

    #[test]
    fn a_newer_store_and_another_programs_file_are_refused() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &fresh(), false).unwrap();
        conn.pragma_update(None, "user_version", version() + 1).unwrap();
        let refused = migrate(&mut conn, &fresh(), false).unwrap_err().told("open");
        assert_eq!(refused, StoreError::Newer { found: version() + 1, known: version() });

        let mut other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE notes(x)").unwrap();
        let refused = migrate(&mut other, &fresh(), false).unwrap_err().told("open").to_string();
        assert!(refused.contains("another program"), "{refused}");
    }

    #[test]
    fn the_log_cannot_be_updated_or_deleted() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &fresh(), false).unwrap();
        conn.execute("INSERT INTO log(idx, bytes) VALUES (0, x'01')", ()).unwrap();
        for sql in ["UPDATE log SET bytes = x'02'", "DELETE FROM log"] {
            let e = conn.execute(sql, ()).unwrap_err().to_string();
            assert!(e.contains("append-only"), "{sql}: {e}");
        }
    }
}
