//! The tables, and how a schema becomes a store of this version: numbered steps, never edited.

use deadpool_postgres::ClientWrapper;

use super::conn::LOCK;
use super::fault::Done;
use crate::audit::Frontier;
use crate::store::{Fresh, StoreError};

/// Step `n` leads from version `n` to `n + 1`. A released step is never changed: add another.
pub(super) const STEPS: &[&str] = &[include_str!("1.sql"), include_str!("2.sql")];

/// The version this program writes.
pub(super) fn version() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// The version of the connection's schema; 0 for an empty one. One that holds something else is
/// refused.
pub(super) async fn found(client: &ClientWrapper) -> Done<u32> {
    let row = client
        .query_one(
            "SELECT current_schema(),
                 EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = s.oid AND relkind IN ('r', 'p')),
                 EXISTS (SELECT 1 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                     WHERE c.relnamespace = s.oid AND c.relname = 'meta'
                         AND a.attname = 'application')
             FROM pg_namespace s WHERE s.nspname = current_schema()",
            &[],
        )
        .await?;
    let (schema, any, ours): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
    if ours {
        let version: i32 = client.query_one("SELECT version FROM meta", &[]).await?.get(0);
        return Ok(u32::try_from(version).unwrap_or(u32::MAX));
    }
    match any {
        false => Ok(0),
        true => Err(StoreError::Io {
            doing: "open the database".to_owned(),
            cause: format!(
                "its schema {schema} holds tables of another program: give overrule a database \
                 (or, with ?options=-csearch_path=NAME, a schema) of its own"
            ),
        }
        .into()),
    }
}

/// Bring the schema to this program's version; one transaction, one node at a time.
pub(super) async fn migrate(client: &ClientWrapper, fresh: &Fresh, clock: bool) -> Done<()> {
    migrate_with(client, STEPS, fresh, clock).await
}

pub(super) async fn migrate_with(
    client: &ClientWrapper,
    steps: &[&str],
    fresh: &Fresh,
    record_clock: bool,
) -> Done<()> {
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let refuse_newer = |found: u32| match found > known {
        true => Err(StoreError::Newer { found, known }),
        false => Ok(found),
    };
    if refuse_newer(found(client).await?)? == known {
        return Ok(());
    }
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let steps = async {
        // However much there is to bring along.
        client.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
        // Somebody else may be faster: then nothing is left to do.
        client.execute(LOCK, &[]).await?;
        let from = refuse_newer(found(client).await?)?;
        for step in steps.iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
            client.batch_execute(step).await?;
        }
        let now = i32::try_from(known).unwrap_or(i32::MAX);
        if from == 0 {
            let (key, origin) = (&fresh.key[..], &fresh.origin);
            let meta = "INSERT INTO meta(one, application, version, key, origin, record_clock)
                 VALUES (0, 'overrule', $1, $2, $3, $4)";
            client.execute(meta, &[&now, &key, origin, &record_clock]).await?;
            let empty = Frontier::new().to_bytes();
            client
                .execute("INSERT INTO frontier(one, size, bytes) VALUES (0, 0, $1)", &[&empty])
                .await?;
        }
        client.execute("UPDATE meta SET version = $1", &[&now]).await?;
        Ok(())
    };
    let done = steps.await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    client.batch_execute(end).await?;
    done
}
