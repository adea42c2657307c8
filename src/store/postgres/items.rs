//! Putting an item where it now stands: its row, its place among the leases, counters, approvals.

use super::fault::{Done, int};
use super::fresh::goes_to;
use super::text::{Text, array, stored};
use super::tx::{Tx, values};
use crate::domain::{Item, Timestamp};
use crate::store::StoreError;
use crate::store::rows::item::{self, Stored, kind_word};
use crate::store::rows::place::place;

/// An item with the level of its queue, by its decision's number.
pub(super) async fn read(tx: &Tx<'_>, n: i64, id: &str) -> Done<Option<(Item, u8)>> {
    let row = tx
        .row(
            "SELECT i.state, i.kind, i.revision, i.entered, i.due, i.priority, i.blind, i.breached,
                 i.rest, q.name, i.level
             FROM items i JOIN queues q ON q.k = i.queue WHERE i.n = $1",
            &[&n],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let stored = Stored {
        state: row.try_get(0)?,
        kind: row.try_get(1)?,
        revision: row.try_get(2)?,
        entered: row.try_get(3)?,
        due: row.try_get(4)?,
        priority: row.try_get(5)?,
        blind: row.try_get(6)?,
        breached: row.try_get(7)?,
        rest: row.try_get::<_, Text>(8)?.0,
        queue: row.try_get::<_, Text>(9)?.0,
    };
    let level = u8::try_from(row.try_get::<_, i16>(10)?).unwrap_or(u8::MAX);
    Ok(Some((stored.decode(id)?, level)))
}

/// Store an item where it now stands; counters follow. `new`: there is no row of it yet.
pub(super) async fn put(
    tx: &mut Tx<'_>,
    n: i64,
    item: &Item,
    level: u8,
    shape: i64,
    new: bool,
) -> Done<()> {
    counts_once(item)?;
    tx.changes += 1;
    let queue = tx.memory.names.queue(tx.client, &item.queue).await?;
    tx.deltas.item(item, queue, level, shape, 1);
    if new && item.approvals.is_empty() {
        return Ok(tx.rows.item(n, item, queue, level)?);
    }
    tx.flush().await?;
    let before = if new { None } else { read(tx, n, &item.id).await? };
    if let Some((old, old_level)) = &before {
        let old_queue = tx.memory.names.queue(tx.client, &old.queue).await?;
        tx.deltas.item(old, old_queue, *old_level, shape, -1);
    }
    let content = item.content.as_deref().map(|c| stored(c).into_owned());
    tx.send(
        "INSERT INTO items(n, queue, level, open, place, state, kind, revision, entered, due,
             priority, blind, breached, grace, content, goes_to, required, rest)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
             $17::text::text[], $18)
         ON CONFLICT (n) DO UPDATE SET queue = $2, level = $3, open = $4, place = $5, state = $6,
             kind = $7, revision = $8, entered = $9, due = $10, priority = $11, blind = $12,
             breached = $13, grace = $14, content = $15, goes_to = $16,
             required = $17::text::text[], rest = $18",
        values![
            n,
            queue,
            i16::from(level),
            item.state.is_open(),
            place(item),
            item.state.as_str(),
            kind_word(item.kind),
            int(item.revision),
            item.entered_at.as_millisecond(),
            item.due_at.map(Timestamp::as_millisecond),
            item.priority,
            item.blind,
            item.breached,
            item.pending.as_ref().map(|p| p.until.as_millisecond()),
            content.clone(),
            goes_to(item),
            array(item.required.iter().map(String::as_str)),
            stored(&item::rest(item)?).into_owned(),
        ],
    )
    .await?;
    tx.send(
        "INSERT INTO leases AS l (n, queue, open, place, content, approved, reviewer, until, epoch)
         VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, 0)
         ON CONFLICT (n) DO UPDATE
         SET queue = $2, open = $3, place = $4, content = $5, approved = $6
         WHERE (l.queue, l.open, l.place, l.content, l.approved)
             IS DISTINCT FROM ($2, $3, $4, $5, $6)",
        values![
            n,
            queue,
            item.state.is_open(),
            place(item),
            content.unwrap_or_default(),
            !item.approvals.is_empty(),
        ],
    )
    .await?;
    if before.is_some_and(|(old, _)| !old.approvals.is_empty()) {
        tx.send("DELETE FROM approvals WHERE item = $1", values![n]).await?;
    }
    for a in &item.approvals {
        tx.send(
            "INSERT INTO approvals(item, content, reviewer, queue) VALUES ($1, $2, $3, $4)",
            values![
                n,
                stored(a.content.as_deref().unwrap_or("")).into_owned(),
                stored(&a.reviewer).into_owned(),
                stored(&a.queue).into_owned(),
            ],
        )
        .await?;
    }
    Ok(())
}

/// For one content a person counts once, and a level does. (The schema says so too.)
fn counts_once(item: &Item) -> Result<(), StoreError> {
    for (i, a) in item.approvals.iter().enumerate() {
        let same = |b: &&crate::domain::Approval| {
            b.content == a.content && (b.reviewer == a.reviewer || b.queue == a.queue)
        };
        if item.approvals.iter().take(i).any(|b| same(&b)) {
            let (item, reviewer) = (item.id.clone(), a.reviewer.clone());
            return Err(StoreError::CountsOnce { item, reviewer });
        }
    }
    Ok(())
}

/// What an item waits for, without the texts of a pending verdict (they are being erased).
pub(super) async fn erase_texts(tx: &mut Tx<'_>, n: i64) -> Done<()> {
    let row = tx.row("SELECT rest FROM items WHERE n = $1", &[&n]).await?;
    let Some(row) = row else { return Ok(()) };
    let rest = item::without_texts(&row.try_get::<_, Text>(0)?.0)?;
    let rest = stored(&rest).into_owned();
    // The queue a pending verdict sends it to is no text of the record.
    tx.send("UPDATE items SET rest = $2 WHERE n = $1", values![n, rest]).await
}
