//! What became of a transaction whose answer was lost: the server is asked by its number.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::conn::Shared;
use super::fault::{Done, int};
use crate::audit::{Hash, leaf_hash};

/// How long the server is asked what became of a transaction before that counts as unknown.
const ASKED: Duration = Duration::from_secs(30);

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// Nothing of it is there.
    Gone,
    Unknown,
}

/// By what the server can be asked about a transaction.
pub(super) struct Known {
    pub(super) xid: String,
    /// The last entry that it appended, by its leaf hash.
    pub(super) last: Option<(u64, Hash)>,
}

/// What became of a transaction of ours; asked until the server knows.
pub(super) async fn fate_of(address: &Shared, known: &Known) -> Fate {
    let since = Instant::now();
    while since.elapsed() < ASKED {
        match ask(address, known).await {
            Ok(Some(fate)) => return fate,
            // Still at it, or not there: a moment later.
            Ok(None) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    Fate::Unknown
}

async fn ask(address: &Shared, known: &Known) -> Done<Option<Fate>> {
    let client = address.connect().await?;
    let row = client.query_one("SELECT pg_xact_status($1::text::xid8)", &[&known.xid]).await;
    let row = match row {
        // It lies ahead of all the server has begun: that lost everything since, by a crash, by
        // restoring an older state or by promoting a replica that was behind.
        Err(e) if e.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => {
            return Ok(Some(Fate::Gone));
        }
        row => row?,
    };
    match row.try_get::<_, Option<&str>>(0)? {
        Some("committed") => {}
        Some("aborted") => return Ok(Some(Fate::Gone)),
        // One that is being committed still counts as in progress.
        _ => return Ok(None),
    }
    // What was lost so may have left its number to another's transaction: then the entry that
    // stands there is not ours.
    let Some((index, hash)) = known.last else { return Ok(Some(Fate::Committed)) };
    let sql = "SELECT bytes FROM log WHERE idx = $1";
    let ours = match client.query_opt(sql, &[&int(index)]).await? {
        Some(row) => leaf_hash(row.try_get(0)?) == hash,
        None => false,
    };
    Ok(Some(if ours { Fate::Committed } else { Fate::Gone }))
}
