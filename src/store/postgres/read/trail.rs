//! Reading the trail: entries of an item or all, hashes for proofs, and everything for a verifier.

use std::vec::IntoIter;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Row, Statement};

use super::derived::{self, Beside};
use super::{get, maybe, one, row, rows, small, text};
use crate::audit::{Frontier, TILE_WIDTH, leaf_hash, tile_path, tile_width};
use crate::store::postgres::fault::{Done, count, damaged, int};
use crate::store::postgres::text::T;
use crate::store::rows::item::state_of;
use crate::store::{StoreError, TrailSink};

/// Entries from `from` on (all, or an item's), at most `limit`.
pub(in crate::store::postgres) async fn entries(
    client: &ClientWrapper,
    id: Option<&str>,
    from: u64,
    limit: usize,
) -> Done<Vec<(u64, Vec<u8>)>> {
    let from = int(from);
    let found = match id {
        None => {
            let sql =
                format!("SELECT idx, bytes FROM log WHERE idx >= $1 ORDER BY idx LIMIT {limit}");
            rows(client, &sql, &[&from]).await?
        }
        Some(id) => {
            let number = row(client, "SELECT n FROM decisions WHERE id = $1", &[&T(id)]).await?;
            let number = number.ok_or_else(|| StoreError::Missing(format!("decision {id}")))?;
            let n: i64 = get(&number, 0)?;
            // An admission is the entry with the decision's own number.
            let sql = format!(
                "SELECT idx, bytes FROM log WHERE idx = $2 AND idx >= $1
                 UNION ALL SELECT idx, bytes FROM log WHERE item = $2 AND idx >= $1
                 ORDER BY idx LIMIT {limit}"
            );
            rows(client, &sql, &[&from, &n]).await?
        }
    };
    found.iter().map(|row| Ok((count(get(row, 0)?), get(row, 1)?))).collect()
}

/// The log's frontier now, within one snapshot: the stored one, and the leaves since.
pub(in crate::store::postgres) async fn frontier(client: &ClientWrapper) -> Done<Frontier> {
    let unclear = || damaged("the frontier of the log");
    let found = row(client, "SELECT f.size, f.bytes, s.size FROM frontier f, state s", &[]).await?;
    let found = one(found, "the frontier of the log")?;
    let (since, size): (i64, i64) = (get(&found, 0)?, get(&found, 2)?);
    let mut frontier = Frontier::from_bytes(get(&found, 1)?).map_err(|_| unclear())?;
    if frontier.size() != count(since) {
        return Err(unclear().into());
    }
    let sql = "SELECT bytes FROM log WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    for row in rows(client, sql, &[&since, &size]).await? {
        frontier.push(leaf_hash(get(&row, 0)?), &mut Vec::new());
    }
    match frontier.size() == count(size) {
        true => Ok(frontier),
        false => Err(unclear().into()),
    }
}

/// The first `width` hashes of a tile: a full one, or the frontier's unfinished one.
pub(in crate::store::postgres) async fn tile(
    client: &ClientWrapper,
    level: u8,
    index: u64,
    width: u64,
) -> Done<Vec<u8>> {
    let size = super::head(client).await?;
    let there = tile_width(size, level, index);
    if width == 0 || width > there {
        let name = tile_path(level, index, width);
        return Err(StoreError::Missing(format!("{name}: the log has {size} entries")).into());
    }
    let bytes: Option<Vec<u8>> = match there == TILE_WIDTH {
        true => {
            let sql = "SELECT bytes FROM tiles WHERE level = $1 AND idx = $2";
            let found = row(client, sql, &[&i16::from(level), &int(index)]).await?;
            found.map(|row| get(&row, 0)).transpose()?
        }
        false => frontier(client).await?.tail(level).map(|t| t.bytes),
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
pub(in crate::store::postgres) async fn feed(
    client: &ClientWrapper,
    sink: &mut dyn TrailSink,
) -> Done<()> {
    let size = super::head(client).await?;
    // One that does not fit its log is for the verifier to say.
    let stored = match frontier(client).await {
        Ok(frontier) => frontier.to_bytes(),
        Err(_) => match row(client, "SELECT bytes FROM frontier", &[]).await? {
            Some(row) => get(&row, 0)?,
            None => Vec::new(),
        },
    };
    sink.head(size, &stored);
    for row in rows(client, "SELECT note FROM checkpoints ORDER BY number", &[]).await? {
        sink.checkpoint(&text(&row, 0)?);
    }
    feed_entries(client, sink).await?;
    let sql = "SELECT level, idx, bytes FROM tiles WHERE level > 0 ORDER BY level, idx";
    let mut upper = Stream::open(client, "upper", sql, 100).await?;
    while let Some(row) = upper.next().await? {
        sink.tile(small(&row, 0)?, count(get(&row, 1)?), get(&row, 2)?);
    }
    // A row whose decision or queue is gone is one that makes no sense.
    let sql = "SELECT i.n, d.id, i.state, i.revision, q.name FROM items i
             LEFT JOIN decisions d ON d.n = i.n LEFT JOIN queues q ON q.k = i.queue ORDER BY i.n";
    let mut items = Stream::open(client, "items", sql, 1_000).await?;
    while let Some(row) = items.next().await? {
        match (maybe(&row, 1)?, maybe(&row, 4)?) {
            (Some(id), Some(queue)) => {
                sink.item(&id, state_of(get(&row, 2)?)?, count(get(&row, 3)?), &queue);
            }
            _ => sink.broken(Some(count(get(&row, 0)?)), "its item is of no decision or queue"),
        }
    }
    derived::feed_rest(client, sink).await
}

/// Level-0 tiles, the log, its bodies and rows, side by side: all are in order.
async fn feed_entries(client: &ClientWrapper, sink: &mut dyn TrailSink) -> Done<()> {
    let sql = "SELECT idx, bytes FROM tiles WHERE level = 0 ORDER BY idx";
    let mut tiles = Stream::open(client, "tiles", sql, 100).await?;
    let sql = "SELECT l.idx, l.bytes, d.id FROM log l LEFT JOIN decisions d ON d.n = l.item
         ORDER BY l.idx";
    let mut log = Stream::open(client, "log", sql, 1_000).await?;
    let sql = "SELECT entry, path, salt, value FROM bodies ORDER BY entry, slot";
    let mut bodies = Stream::open(client, "bodies", sql, 200).await?;
    let mut beside = Beside::begin(client).await?;
    let mut body = bodies.next().await?;
    let mut tile = tiles.next().await?;
    while let Some(row) = log.next().await? {
        let index = count(get(&row, 0)?);
        while let Some(full) = &tile {
            let of = count(get(full, 0)?);
            if of > index / TILE_WIDTH {
                break;
            }
            sink.tile(0, of, get(full, 1)?);
            tile = tiles.next().await?;
        }
        sink.entry(index, get(&row, 1)?, maybe(&row, 2)?.as_deref());
        while let Some(one) = &body {
            let of = count(get(one, 0)?);
            if of > index {
                break;
            }
            // A text whose entry was removed belongs to none: the missing entry is found anyway.
            if of == index {
                feed_body(one, index, sink)?;
            }
            body = bodies.next().await?;
        }
        beside.feed(index, sink).await?;
    }
    beside.feed(u64::MAX, sink).await?;
    // Tiles beyond the last entry: entries were removed, and the verifier is to see it.
    while let Some(full) = &tile {
        sink.tile(0, count(get(full, 0)?), get(full, 1)?);
        tile = tiles.next().await?;
    }
    Ok(())
}

fn feed_body(row: &Row, index: u64, sink: &mut dyn TrailSink) -> Done<()> {
    let path = maybe(row, 1)?;
    let salt: Option<&[u8]> = get(row, 2)?;
    let value: Option<&[u8]> = get(row, 3)?;
    // A salt of another length cannot be ours: with no salt the commitment does not open, and
    // with other bytes it does not either.
    let kept = salt.zip(value).map(|(salt, value)| (salt.try_into().unwrap_or([0; 32]), value));
    sink.body(index, path.as_deref().unwrap_or("record"), kept);
    Ok(())
}

/// Rows of a statement, some at a time: a cursor of the transaction that is open.
pub(super) struct Stream<'c> {
    client: &'c ClientWrapper,
    fetch: Statement,
    most: usize,
    ready: IntoIter<Row>,
    ended: bool,
}

impl<'c> Stream<'c> {
    /// `name`: no other cursor of this transaction has it. `most`: rows held at once.
    pub(super) async fn open(
        client: &'c ClientWrapper,
        name: &str,
        sql: &str,
        most: usize,
    ) -> Done<Self> {
        client.batch_execute(&format!("DECLARE feed_{name} NO SCROLL CURSOR FOR {sql}")).await?;
        let fetch = client.prepare(&format!("FETCH FORWARD {most} FROM feed_{name}")).await?;
        Ok(Self { client, fetch, most, ready: Vec::new().into_iter(), ended: false })
    }

    pub(super) async fn next(&mut self) -> Done<Option<Row>> {
        if let Some(row) = self.ready.next() {
            return Ok(Some(row));
        }
        if self.ended {
            return Ok(None);
        }
        let more = self.client.query(&self.fetch, &[]).await?;
        self.ended = more.len() < self.most;
        self.ready = more.into_iter();
        Ok(self.ready.next())
    }
}
