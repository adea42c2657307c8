//! Erasure: every text and salt of a decision goes, every proof stays.

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::{Done, int};
use super::open::patiently;
use super::tx::Tx;
use super::{dead, items};
use crate::store::StoreError;
use crate::store::rows::SLOTS;
use crate::store::rows::decision::without_messages;

/// Delete what the decision says in entries before `below`, wherever it is kept. The vacuum after the commit removes the
/// copies that SQLite may have left in free space.
pub(super) fn erase(tx: &mut Tx<'_>, id: &str, below: u64) -> Done<()> {
    let n = tx.number(id)?;
    let conn = tx.conn;
    // The texts of its own admission, and of every entry about it.
    let slots = int(SLOTS);
    let mut wipe = conn
        .prepare_cached("UPDATE bodies SET salt = NULL, value = NULL WHERE id >= ?1 AND id < ?2")?;
    wipe.execute((n * slots, (n + 1) * slots))?;
    let mut about = conn.prepare_cached("SELECT idx FROM log WHERE item = ?1 AND idx < ?2")?;
    let mut entries = about.query((n, int(below)))?;
    while let Some(row) = entries.next()? {
        let index: i64 = row.get(0)?;
        wipe.execute((index * slots, (index + 1) * slots))?;
    }
    // A reason quotes values; groups and tags are words of the record.
    let rest: Option<String> = conn
        .prepare_cached("SELECT rest FROM decisions WHERE n = ?1")?
        .query_row([n], |r| r.get(0))
        .optional()?
        .flatten();
    let rest = rest.as_deref().map(without_messages).transpose()?;
    conn.prepare_cached(
        "UPDATE decisions SET reason = NULL, cohort = NULL, tags = NULL, rest = ?2 WHERE n = ?1",
    )?
    .execute((n, rest))?;
    items::erase_texts(conn, n)?;
    conn.prepare_cached("UPDATE reviews SET tags = NULL WHERE item = ?1 AND entry < ?2")?
        .execute((n, int(below)))?;
    conn.prepare_cached("DELETE FROM drafts WHERE item = ?1")?.execute([n])?;
    // The key stays: an effect that was deleted must not be put a second time.
    conn.prepare_cached(
        "UPDATE outbox SET payload = 'null', error = NULL, done = 1 WHERE item = ?1",
    )?
    .execute([id])?;
    dead::erase(tx, id)?;
    tx.erased = true;
    Ok(())
}

/// Rewrite the file without its free space and empty the write-ahead log.
pub(super) fn vacuum(conn: &Connection) -> Done<()> {
    // The copy that this makes of the whole store is not to be in memory.
    patiently(|| {
        Ok(conn.execute_batch("PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY;")?)
    })?;
    let since = std::time::Instant::now();
    loop {
        let busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |r| r.get(0))?;
        if !busy {
            return Ok(());
        }
        if since.elapsed() > super::open::PATIENCE {
            return Err(StoreError::Io {
                doing: "remove the last copies of what was erased".to_owned(),
                cause: "another process keeps reading an old state of the store: close it, then \
                        erase again"
                    .to_owned(),
            }
            .into());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
