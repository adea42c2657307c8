//! Erasure: every text and salt of a decision goes, every proof stays.

use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio::time::Instant;

use super::conn::PATIENCE;
use super::fault::{Done, int};
use super::text::{Text, stored};
use super::tx::{Tx, values};
use super::{conn, items};
use crate::store::StoreError;
use crate::store::rows::dead::carries;
use crate::store::rows::decision::without_messages;

/// Delete what the decision says in entries before `below`, wherever it is kept. The vacuum after
/// the commit takes what was deleted out of the tables.
pub(super) async fn erase(tx: &mut Tx<'_>, id: &str, below: u64) -> Done<()> {
    let n = tx.number(id).await?;
    // The texts of its own admission, and of every entry about it.
    tx.send(
        "UPDATE bodies SET salt = NULL, value = NULL
         WHERE entry = $1 OR entry IN (SELECT idx FROM log WHERE item = $1 AND idx < $2)",
        values![n, int(below)],
    )
    .await?;
    // A reason quotes values; groups and tags are words of the record.
    let row = tx.row("SELECT rest FROM decisions WHERE n = $1", &[&n]).await?;
    let rest: Option<Text> = row.map(|row| row.try_get(0)).transpose()?.flatten();
    let rest = rest.map(|rest| without_messages(&rest.0)).transpose()?;
    let rest = rest.map(|rest| stored(&rest).into_owned());
    tx.send(
        "UPDATE decisions SET reason = NULL, dims = NULL, groups = NULL, tags = NULL, rest = $2
         WHERE n = $1",
        values![n, rest],
    )
    .await?;
    items::erase_texts(tx, n).await?;
    let sql = "UPDATE reviews SET tags = NULL WHERE item = $1 AND entry < $2";
    tx.send(sql, values![n, int(below)]).await?;
    tx.send("DELETE FROM drafts WHERE item = $1", values![n]).await?;
    // The key stays: an effect that was deleted must not be put a second time.
    tx.send(
        "UPDATE outbox SET payload = 'null', error = NULL, done = true WHERE item = $1",
        values![stored(id).into_owned()],
    )
    .await?;
    dead_letters(tx, id).await?;
    tx.erased = true;
    Ok(())
}

/// Delete the letters that carry this id.
async fn dead_letters(tx: &mut Tx<'_>, id: &str) -> Done<()> {
    /// Letters looked at in one go: they may be large.
    const PAGE: i64 = 500;
    let mut after = 0i64;
    loop {
        let page = "SELECT number, bytes FROM dead_letters WHERE number > $1
             ORDER BY number LIMIT $2";
        let page = tx.client.prepare_cached(page).await?;
        let rows = tx.client.query(&page, &[&after, &PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get(0)?;
        for row in &rows {
            if carries(row.try_get(1)?, id) {
                let number: i64 = row.try_get(0)?;
                let sql = "DELETE FROM dead_letters WHERE number = $1";
                tx.send(sql, values![number]).await?;
            }
        }
    }
}

/// Tables that hold texts of decisions.
const TABLES: [&str; 7] =
    ["bodies", "decisions", "items", "reviews", "drafts", "outbox", "dead_letters"];

/// Take what the transaction `xid` deleted out of all that a statement can read: out of the tables,
/// once nobody sees the state before it any more, and out of what the planner noted of them. What
/// is left then is for the operator ([`remains`]).
pub(super) async fn vacuum(address: &conn::Address, xid: &str) -> Done<()> {
    let client = address.connect().await?;
    client.batch_execute("SET statement_timeout = 0").await?;
    unseen(&client, xid).await?;
    for table in TABLES {
        client.batch_execute(&format!("VACUUM (ANALYZE) {table}")).await?;
    }
    Ok(())
}

/// Wait, for as long as anybody waits, until nothing sees the state before `xid`.
async fn unseen(client: &ClientWrapper, xid: &str) -> Done<()> {
    let since = Instant::now();
    loop {
        // Cleaning a table whose one row never changes moves its age to the oldest state that is
        // still needed: by any transaction, prepared or on a replica, by any slot, and whether
        // our role may look at them or not.
        client.batch_execute("VACUUM (FREEZE) meta").await?;
        let row = client
            .query_one(
                "SELECT age(relfrozenxid) < age($1::text::xid8::xid) FROM pg_class
                 WHERE oid = 'meta'::regclass",
                &[&xid],
            )
            .await?;
        if row.try_get(0)? {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err(StoreError::Io {
                doing: "remove the last copies of what was erased".to_owned(),
                cause: "a transaction, a replica or a replication slot elsewhere still sees the \
                        old state of the database (pg_stat_activity, pg_prepared_xacts and \
                        pg_replication_slots say which, by xmin): end it, then erase again"
                    .to_owned(),
            }
            .into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is left after that, and what to do about it.
pub(super) async fn remains(client: &ClientWrapper) -> Done<String> {
    let sql =
        "SELECT string_agg(format('%I.%I', current_schema(), t), ', ') FROM unnest($1::text[]) t";
    let tables: String = client.query_one(sql, &[&&TABLES[..]]).await?.try_get(0)?;
    Ok(format!(
        "this store is PostgreSQL: no statement can read the text any more, but the server may keep \
         bytes of it: old page versions, in unused parts of its files, until something else is \
         written there, unless the tables' owner runs `VACUUM FULL {tables}` (which locks them \
         while they are copied); and its write-ahead log, archived WAL, replicas, base backups and \
         dumps for as long as those are kept"
    ))
}
