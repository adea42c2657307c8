//! Erasure: every text and salt of a decision goes, every proof stays.

use super::fault::{Done, Fail, int};
use super::text::{Text, stored};
use super::tx::{Tx, values};
use super::{conn, items};
use crate::store::rows::dead::carries;
use crate::store::rows::decision::without_messages;

/// Delete what the decision says in entries before `below`, wherever it is kept. The vacuum after the commit takes what was
/// deleted out of the tables' pages.
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

/// Take what was deleted out of the pages of its tables. (Copies in the server's write-ahead log,
/// its replicas and backups go when those are recycled.)
pub(super) async fn vacuum(address: &conn::Address) -> Done<()> {
    let client = address.connect().await?;
    client.batch_execute("SET statement_timeout = 0").await?;
    let tables = ["bodies", "decisions", "items", "reviews", "drafts", "outbox", "dead_letters"];
    for table in tables {
        client.batch_execute(&format!("VACUUM {table}")).await.map_err(Fail::Sql)?;
    }
    Ok(())
}
