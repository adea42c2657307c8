//! Reads: what is stored, as rows say it.
//!
//! Each runs on one of the pool's read-only connections; what needs several statements runs in one
//! snapshot ([`super::Postgres::snapshot_read`]). Limits are written into statements, so that a
//! plan is made for them, not for any. Text is sorted here where its order means something: as it
//! is stored, a zero byte sorts last.

mod condition;
mod decisions;
mod derived;
mod follow;
mod lately;
mod outbox;
mod page;
mod queues;
mod reviews;
mod scopes;
mod standing;
mod trail;
mod windows;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};

use super::fault::{Done, damaged};
use super::text::Text;

pub(super) use self::condition::{Sql, scope};
pub(super) use self::decisions::{decision, known};
pub(super) use self::follow::follow;
pub(super) use self::lately::{flowed, lately};
pub(super) use self::outbox::{dead_letters, outgoing, outgoing_count};
pub(super) use self::page::page;
pub(super) use self::queues::{graces_over, lease_of, needed, overdue, queues};
pub(super) use self::reviews::{blind_answer, corrections, review, reviews};
pub(super) use self::scopes::{automatic, open_in_cohort, seen, tally};
#[cfg(test)]
pub(super) use self::standing::{STATES, after};
pub(super) use self::standing::{
    counts, draft, head, last_checkpoint, policy, reviewer, reviewers, snapshot, state, states,
};
pub(super) use self::trail::{entries, feed, frontier, tile};
pub(super) use self::windows::windows;

/// A value on its way into a condition.
type Value<'a> = dyn ToSql + Sync + 'a;

/// All rows of a statement, which is prepared once a connection.
async fn rows(client: &ClientWrapper, sql: &str, values: &[&Value<'_>]) -> Done<Vec<Row>> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, values).await?)
}

/// The row of a statement that finds one at most.
async fn row(client: &ClientWrapper, sql: &str, values: &[&Value<'_>]) -> Done<Option<Row>> {
    Ok(rows(client, sql, values).await?.pop())
}

/// A column of a row.
fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Done<T> {
    Ok(row.try_get(column)?)
}

/// A column of text from outside.
fn text(row: &Row, column: usize) -> Done<String> {
    Ok(get::<Text>(row, column)?.0)
}

/// One that may be missing.
fn maybe(row: &Row, column: usize) -> Done<Option<String>> {
    Ok(get::<Option<Text>>(row, column)?.map(|t| t.0))
}

/// A small number, such as a level.
fn small(row: &Row, column: usize) -> Done<u8> {
    u8::try_from(get::<i16>(row, column)?).map_err(|_| damaged("a small number").into())
}

/// The only row there has to be.
fn one(row: Option<Row>, what: &str) -> Done<Row> {
    row.ok_or_else(|| damaged(what).into())
}
