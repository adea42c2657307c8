//! Effects on their way out: tried, held, given up, done; each at most once per key.

use super::fault::Done;
use super::read::{self, Sql};
use super::text::{T, stored};
use super::tx::{Tx, values};
use crate::domain::{ControlScope, Timestamp};
use crate::store::StoreError;

/// The key stays (at most once); what was sent need not be kept.
pub(super) async fn done(tx: &mut Tx<'_>, key: &str) -> Done<()> {
    tx.send(
        "UPDATE outbox SET done = true, payload = 'null', error = NULL WHERE key = $1",
        values![stored(key).into_owned()],
    )
    .await
}

/// It failed: when next, or given up. One that is done stays so.
pub(super) async fn tried(
    tx: &mut Tx<'_>,
    key: &str,
    error: &str,
    next: Option<Timestamp>,
) -> Done<()> {
    tx.send(
        "UPDATE outbox SET attempts = attempts + 1, error = $2, next_at = coalesce($3::bigint, 0),
             dead = $3 IS NULL
         WHERE key = $1 AND NOT done",
        values![
            stored(key).into_owned(),
            stored(error).into_owned(),
            next.map(Timestamp::as_millisecond),
        ],
    )
    .await
}

/// One that was given up is due again, with as many tries as a new one; not a reply that a later
/// one about its item follows.
pub(super) async fn retry(tx: &mut Tx<'_>, key: &str) -> Done<()> {
    let changed = tx
        .changed(
            "UPDATE outbox SET dead = false, next_at = 0, attempts = 0
             WHERE key = $1 AND NOT done AND dead AND NOT EXISTS (
                 SELECT 1 FROM outbox later
                 WHERE outbox.kind = 'reply' AND later.kind = 'reply'
                     AND later.item = outbox.item AND later.number > outbox.number)",
            &[&T(key)],
        )
        .await?;
    match changed {
        0 => Err(StoreError::Missing(format!("undeliverable effect {key}")).into()),
        _ => Ok(()),
    }
}

/// Hold what waits for decisions in a scope, or let it go; says how many they were. A held reply
/// that a later one about its item follows is not let go: it need not go out any more.
pub(super) async fn hold(
    tx: &mut Tx<'_>,
    scope: &ControlScope,
    kind: &str,
    held: bool,
    except: &[ControlScope],
) -> Done<u64> {
    if !held {
        // What was decided before is not said after what was decided since.
        tx.send(
            "UPDATE outbox SET done = true, payload = 'null', error = NULL
             WHERE NOT done AND held AND kind = 'reply' AND EXISTS (
                 SELECT 1 FROM outbox later
                 WHERE later.kind = 'reply' AND later.item = outbox.item
                     AND later.number > outbox.number AND NOT later.held)",
            values![],
        )
        .await?;
    }
    let mut sql = Sql::new(format!(
        "UPDATE outbox SET held = {held} WHERE NOT done AND held <> {held} AND kind = "
    ));
    let kind = sql.value(T(kind));
    sql.push(&kind);
    sql.push(
        " AND EXISTS (SELECT 1 FROM decisions d JOIN shapes s ON s.k = d.shape
             WHERE d.id = outbox.item AND (",
    );
    read::scope(&mut sql, scope);
    sql.push(")");
    for other in except {
        sql.push(" AND NOT (");
        read::scope(&mut sql, other);
        sql.push(")");
    }
    sql.push(")");
    let changed = tx.client.execute(sql.text.as_str(), &sql.values()).await?;
    tx.changes += u64::from(changed > 0);
    Ok(changed)
}
