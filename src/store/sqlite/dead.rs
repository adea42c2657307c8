//! Dead letters: lines that are no records, kept byte for byte, each once.

use rusqlite::Connection;

use super::fault::{Done, count, int};
use super::tx::Tx;
use crate::store::rows::dead::{carries, digest};
use crate::store::rows::time;
use crate::store::{DeadLetter, StoredDeadLetter};

/// Keep a line; the same line of the same source with the same bytes is kept once.
pub(super) fn put(tx: &Tx<'_>, letter: &DeadLetter) -> Done<()> {
    tx.conn
        .prepare_cached(
            "INSERT OR IGNORE INTO dead_letters(source, line, digest, reason, message, bytes, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            &letter.source,
            int(letter.line),
            &digest(&tx.memory.key, &letter.bytes)[..],
            &letter.reason,
            &letter.message,
            &letter.bytes,
            letter.at.as_millisecond(),
        ))?;
    Ok(())
}

/// Dead letters with number > `after`.
pub(super) fn read(conn: &Connection, after: u64, limit: usize) -> Done<Vec<StoredDeadLetter>> {
    let mut statement = conn.prepare_cached(
        "SELECT number, source, line, reason, message, bytes, at FROM dead_letters
         WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let mut rows = statement.query((int(after), int(limit as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(StoredDeadLetter {
            number: count(row.get(0)?),
            letter: DeadLetter {
                source: row.get(1)?,
                line: count(row.get(2)?),
                reason: row.get(3)?,
                message: row.get(4)?,
                bytes: row.get(5)?,
                at: time(row.get(6)?)?,
            },
        });
    }
    Ok(found)
}

/// It was admitted after all.
pub(super) fn forget(tx: &Tx<'_>, number: u64) -> Done<()> {
    tx.conn.prepare_cached("DELETE FROM dead_letters WHERE number = ?1")?.execute([int(number)])?;
    Ok(())
}

/// Delete the letters that carry this id: records of it (an envelope's `data` included), and what
/// is no JSON but quotes it.
pub(super) fn erase(tx: &Tx<'_>, id: &str) -> Done<()> {
    let mut statement = tx.conn.prepare_cached("SELECT number, bytes FROM dead_letters")?;
    let mut rows = statement.query(())?;
    let mut doomed = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_bytes().unwrap_or_default();
        if carries(bytes, id) {
            doomed.push(count(row.get(0)?));
        }
    }
    doomed.into_iter().try_for_each(|number| forget(tx, number))
}
