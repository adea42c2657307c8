//! Reading the trail: entries of an item or all, hashes for proofs, and everything for a verifier.

use rusqlite::{Connection, OptionalExtension as _};

use super::derived;
use super::fault::{Done, count, damaged, int};
use super::tx::{read_frontier, tile_id};
use crate::audit::{TILE_WIDTH, tile_path, tile_width};
use crate::store::rows::SLOTS;
use crate::store::rows::item::state_of;
use crate::store::{StoreError, TrailSink};

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
    // A row whose decision or queue is gone is one that makes no sense.
    let mut items = conn.prepare(
        "SELECT d.id, i.state, i.revision, q.name, i.n FROM items i
             LEFT JOIN decisions d ON d.n = i.n LEFT JOIN queues q ON q.k = i.queue ORDER BY i.n",
    )?;
    let mut rows = items.query(())?;
    while let Some(row) = rows.next()? {
        let known: (Option<String>, String, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(3)?);
        match known {
            (Some(id), state, Some(queue)) => {
                sink.item(&id, state_of(&state)?, count(row.get(2)?), &queue);
            }
            _ => sink.broken(Some(count(row.get(4)?)), "its item is of no decision or queue"),
        }
    }
    derived::feed_rest(conn, sink)
}

/// Level-0 tiles, the log, its bodies and rows, side by side: all are in order.
fn feed_entries(conn: &Connection, sink: &mut dyn TrailSink) -> Done<()> {
    let mut tiles = conn.prepare("SELECT id, bytes FROM tiles WHERE id < 1 << 56 ORDER BY id")?;
    let mut log = conn.prepare(
        "SELECT l.idx, l.bytes, d.id FROM log l LEFT JOIN decisions d ON d.n = l.item
             ORDER BY l.idx",
    )?;
    let mut texts = conn.prepare("SELECT id, path, salt, value FROM bodies ORDER BY id")?;
    let (mut tiles, mut log, mut texts) = (tiles.query(())?, log.query(())?, texts.query(())?);
    let mut statements = derived::Statements::new(conn)?;
    let mut beside = statements.begin(conn)?;
    let mut text = texts.next()?;
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
        let about = row.get_ref(2)?.as_str_or_null().map_err(|_| damaged("the trail"))?;
        sink.entry(index, bytes_of(row, 1)?, about);
        while let Some(one) = text {
            let of = count(one.get(0)?) / SLOTS;
            if of > index {
                break;
            }
            // A text whose entry was removed belongs to none: the missing entry is found anyway.
            if of == index {
                feed_body(one, index, sink)?;
            }
            text = texts.next()?;
        }
        beside.feed(index, sink)?;
    }
    beside.feed(u64::MAX, sink)?;
    // Tiles beyond the last entry: entries were removed, and the verifier is to see it.
    while let Some(full) = tile {
        sink.tile(0, count(full.get(0)?), bytes_of(full, 1)?);
        tile = tiles.next()?;
    }
    Ok(())
}

fn feed_body(row: &rusqlite::Row<'_>, index: u64, sink: &mut dyn TrailSink) -> Done<()> {
    let damaged = || damaged("the trail");
    let path = row.get_ref(1)?.as_str_or_null().map_err(|_| damaged())?.unwrap_or("record");
    let salt = row.get_ref(2)?.as_bytes_or_null().map_err(|_| damaged())?;
    let value = row.get_ref(3)?.as_bytes_or_null().map_err(|_| damaged())?;
    // A salt of another length cannot be ours: with no salt the commitment does not open, and
    // with other bytes it does not either.
    let kept = salt.zip(value).map(|(salt, value)| (salt.try_into().unwrap_or([0; 32]), value));
    sink.body(index, path, kept);
    Ok(())
}

fn bytes_of<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Done<&'r [u8]> {
    row.get_ref(column)?.as_bytes().map_err(|_| damaged("the trail").into())
}
