//! Dead letters: lines that are no records, kept byte for byte, each once.

use hmac::{Hmac, Mac as _};
use rusqlite::Connection;
use sha2::Sha256;

use super::decisions::time;
use super::fault::{Done, count, int};
use super::tx::Tx;
use crate::store::{DeadLetter, StoredDeadLetter};

/// Keep a line; the same line of the same source with the same bytes is kept once.
pub(super) fn put(tx: &Tx<'_>, letter: &DeadLetter) -> Done<()> {
    // Keyed, so that the digest of a short secret cannot be guessed after it was erased.
    let mut block = [0; 64];
    block.iter_mut().zip(tx.memory.key).for_each(|(to, from)| *to = from);
    let mut digest = Hmac::<Sha256>::new(&block.into());
    digest.update(&letter.bytes);
    tx.conn
        .prepare_cached(
            "INSERT OR IGNORE INTO dead_letters(source, line, digest, reason, message, bytes, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            &letter.source,
            int(letter.line),
            &digest.finalize().into_bytes()[..],
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
    let quoted = serde_json::Value::from(id).to_string();
    let mut statement = tx.conn.prepare_cached("SELECT number, bytes FROM dead_letters")?;
    let mut rows = statement.query(())?;
    let mut doomed = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_bytes().unwrap_or_default();
        if carries(bytes, id, quoted.as_bytes()) {
            doomed.push(count(row.get(0)?));
        }
    }
    doomed.into_iter().try_for_each(|number| forget(tx, number))
}

fn carries(bytes: &[u8], id: &str, quoted: &[u8]) -> bool {
    let has = |v: &serde_json::Value| v.get("id").and_then(|v| v.as_str()) == Some(id);
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(record) => has(&record) || record.get("data").is_some_and(has),
        Err(_) => bytes.windows(quoted.len()).any(|w| w == quoted),
    }
}

#[cfg(test)]
mod tests {
    use super::carries;

    #[test]
    fn a_letter_carries_an_id_in_its_record_or_in_its_wreck() {
        for (bytes, yes) in [
            (r#"{"id":"a-1"}"#, true),
            (r#"{"id":"ce","data":{"id":"a-1"}}"#, true),
            (r#"{"id":"a-12"}"#, false),
            (r#"{"id":"b","note":"a-1"}"#, false),
            (r#"{"id":"a-1","confidence":NaN}"#, true),
            (r#"{"id":"a-12","confidence":NaN}"#, false),
        ] {
            assert_eq!(carries(bytes.as_bytes(), "a-1", b"\"a-1\""), yes, "{bytes}");
        }
    }
}
