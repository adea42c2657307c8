//! Reading the trail: entries of an item or all, hashes for proofs, and everything for a verifier.

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::{Done, count, damaged, int};
use super::items::state_of;
use super::tx::{SLOTS, read_frontier, tile_id};
use crate::audit::{TILE_WIDTH, tile_path, tile_width};
use crate::store::{StoreError, TrailSink};

/// A text with its salt; `None`: erased.
type Kept = (String, Option<([u8; 32], Vec<u8>)>);

/// Entries from `from` on (all, or an item's), at most `limit`.
pub(super) fn entries(
    conn: &Connection,
    id: Option<&str>,
    from: u64,
    limit: usize,
) -> Done<Vec<(u64, Vec<u8>)>> {
    let all = "SELECT idx, bytes FROM log WHERE idx >= ?1 ORDER BY idx LIMIT ?2";
    // An admission is the entry with the decision's own number.
    let of_one = "SELECT idx, bytes FROM log WHERE idx = ?3 AND idx >= ?1
         UNION ALL SELECT idx, bytes FROM log WHERE item = ?3 AND idx >= ?1
         ORDER BY idx LIMIT ?2";
    let read = |row: &rusqlite::Row<'_>| Ok((count(row.get(0)?), row.get(1)?));
    let (from, limit) = (int(from), int(limit as u64));
    let rows = match id {
        None => conn.prepare_cached(all)?.query_map((from, limit), read)?.collect(),
        Some(id) => {
            let n: Option<i64> = conn
                .prepare_cached("SELECT n FROM decisions WHERE id = ?1")?
                .query_row([id], |r| r.get(0))
                .optional()?;
            let n = n.ok_or_else(|| StoreError::Missing(format!("decision {id}")))?;
            conn.prepare_cached(of_one)?.query_map((from, limit, n), read)?.collect()
        }
    };
    let rows: Result<Vec<_>, rusqlite::Error> = rows;
    Ok(rows?)
}

/// The first `width` hashes of a tile: a full one, or the frontier's unfinished one.
pub(super) fn tile(conn: &Connection, level: u8, index: u64, width: u64) -> Done<Vec<u8>> {
    let size: i64 = conn.prepare_cached("SELECT size FROM state")?.query_row((), |r| r.get(0))?;
    let size = count(size);
    let there = tile_width(size, level, index);
    if width == 0 || width > there {
        let name = tile_path(level, index, width);
        return Err(StoreError::Missing(format!("{name}: the log has {size} entries")).into());
    }
    let bytes: Option<Vec<u8>> = match there == TILE_WIDTH {
        true => conn
            .prepare_cached("SELECT bytes FROM tiles WHERE id = ?1")?
            .query_row([tile_id(level, index)], |r| r.get(0))
            .optional()?,
        false => read_frontier(conn, size)?.tail(level).map(|t| t.bytes),
    };
    let wanted = usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(32);
    let mut bytes = bytes.unwrap_or_default();
    if bytes.len() < wanted {
        return Err(damaged(&tile_path(level, index, width)).into());
    }
    bytes.truncate(wanted);
    Ok(bytes)
}

/// Everything, from the snapshot that the caller has begun; the order is the trait's.
pub(super) fn feed(conn: &Connection, sink: &mut dyn TrailSink) -> Done<()> {
    let (size, frontier): (i64, Vec<u8>) =
        conn.query_row("SELECT size, bytes FROM state, frontier", (), |r| {
            Ok((r.get(0)?, r.get(1)?))
        })?;
    sink.head(count(size), &frontier);
    let mut notes = conn.prepare("SELECT note FROM checkpoints ORDER BY number")?;
    let mut rows = notes.query(())?;
    while let Some(row) = rows.next()? {
        let note: String = row.get(0)?;
        sink.checkpoint(&note);
    }
    feed_entries(conn, sink)?;
    let mut upper = conn.prepare("SELECT id, bytes FROM tiles WHERE id >= 1 << 56 ORDER BY id")?;
    let mut rows = upper.query(())?;
    while let Some(row) = rows.next()? {
        let id = count(row.get(0)?);
        let level = u8::try_from(id >> 56).unwrap_or(u8::MAX);
        sink.tile(level, id & ((1 << 56) - 1), bytes_of(row, 1)?);
    }
    let mut items = conn.prepare(
        "SELECT d.id, i.state, i.revision, q.name FROM items i JOIN decisions d ON d.n = i.n
             JOIN queues q ON q.k = i.queue ORDER BY i.n",
    )?;
    let mut rows = items.query(())?;
    while let Some(row) = rows.next()? {
        let (id, state, queue): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(3)?);
        sink.item(&id, state_of(&state)?, count(row.get(2)?), &queue);
    }
    Ok(())
}

/// Level-0 tiles, the log, and its bodies, side by side: all are in order.
fn feed_entries(conn: &Connection, sink: &mut dyn TrailSink) -> Done<()> {
    let mut tiles = conn.prepare("SELECT id, bytes FROM tiles WHERE id < 1 << 56 ORDER BY id")?;
    let mut log = conn.prepare("SELECT idx, bytes FROM log ORDER BY idx")?;
    let mut texts = conn.prepare("SELECT id, path, salt, value FROM bodies ORDER BY id")?;
    let (mut tiles, mut log, mut texts) = (tiles.query(())?, log.query(())?, texts.query(())?);
    let mut ahead = next_text(&mut texts)?;
    let mut tile = tiles.next()?;
    while let Some(row) = log.next()? {
        let index = count(row.get(0)?);
        while let Some(full) = tile {
            let of = count(full.get(0)?);
            if of > index / TILE_WIDTH {
                break;
            }
            sink.tile(0, of, bytes_of(full, 1)?);
            tile = tiles.next()?;
        }
        let mut own: Vec<Kept> = Vec::new();
        while let Some((of, text)) = ahead.take() {
            if of > index {
                ahead = Some((of, text));
                break;
            }
            // A text whose entry was removed belongs to none: the missing entry is found anyway.
            if of == index {
                own.push(text);
            }
            ahead = next_text(&mut texts)?;
        }
        let bodies: Vec<_> = own
            .iter()
            .map(|(path, kept)| (path.as_str(), kept.as_ref().map(|(s, v)| (*s, v.as_slice()))))
            .collect();
        sink.entry(index, bytes_of(row, 1)?, &bodies);
    }
    // Tiles beyond the last entry: entries were removed, and the verifier is to see it.
    while let Some(full) = tile {
        sink.tile(0, count(full.get(0)?), bytes_of(full, 1)?);
        tile = tiles.next()?;
    }
    Ok(())
}

/// The next text with the index of its entry.
fn next_text(rows: &mut rusqlite::Rows<'_>) -> Done<Option<(u64, Kept)>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    let path: Option<String> = row.get(1)?;
    let salt: Option<Vec<u8>> = row.get(2)?;
    let value: Option<Vec<u8>> = row.get(3)?;
    // A salt of another length cannot be ours: with no salt the commitment does not open, and
    // with other bytes it does not either.
    let kept = salt.zip(value).map(|(salt, value)| (salt.try_into().unwrap_or([0; 32]), value));
    let path = path.unwrap_or_else(|| "record".to_owned());
    Ok(Some((count(row.get(0)?) / SLOTS, (path, kept))))
}

fn bytes_of<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Done<&'r [u8]> {
    row.get_ref(column)?.as_bytes().map_err(|_| damaged("the trail").into())
}
