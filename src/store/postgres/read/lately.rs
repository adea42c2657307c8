//! What happened lately, among the newest: what limiters and budgets begin with.

use std::collections::BTreeMap;

use deadpool_postgres::ClientWrapper;

use super::{get, maybe, rows, text};
use crate::domain::Timestamp;
use crate::store::postgres::fault::{Done, count};
use crate::store::rows::decision::Rest;
use crate::store::rows::lately::{
    self as rows_of, DAY, HOUR, Hours, Kinds, MINUTE, REVIEWS, SCAN, by_kind,
};
use crate::store::rows::unjson;
use crate::store::{Flowed, Lately};

/// The newest decisions, but none admitted before `$1`. Desk time never runs backwards, so that
/// the search stops at the first that is older.
fn newest() -> String {
    format!(
        "newest AS (
             SELECT d.n, d.at, d.shape, d.rest FROM decisions d
             WHERE d.n > coalesce((SELECT x.n FROM
                 (SELECT n, at FROM decisions ORDER BY n DESC LIMIT {SCAN}) x
                 WHERE x.at < $1 ORDER BY x.n DESC LIMIT 1), -1)
             ORDER BY d.n DESC LIMIT {SCAN})"
    )
}

/// Decisions of the last minute and hour, reviews of the last day, at desk time `now`.
pub(in crate::store::postgres) async fn lately(
    client: &ClientWrapper,
    now: Timestamp,
) -> Done<Lately> {
    let now = now.as_millisecond();
    let sql = format!(
        "WITH {} SELECT s.domain, s.action, s.model, s.version, q.name,
             count(*) FILTER (WHERE d.at > $2 AND s.outcome = 'auto'), count(*)
         FROM newest d JOIN shapes s ON s.k = d.shape
             LEFT JOIN items i ON i.n = d.n LEFT JOIN queues q ON q.k = i.queue
         GROUP BY s.domain, s.action, s.model, s.version, q.name",
        newest()
    );
    let mut lately = Lately::default();
    let mut kinds = Kinds::new();
    for row in rows(client, &sql, &[&(now - HOUR + 1), &(now - MINUTE)]).await? {
        let automatic = count(get(&row, 5)?);
        if automatic > 0 {
            let kind = (text(&row, 0)?, text(&row, 1)?, text(&row, 2)?, text(&row, 3)?);
            *kinds.entry(kind).or_default() += automatic;
        }
        if let Some(queue) = maybe(&row, 4)? {
            *lately.arrivals.entry(queue).or_default() += count(get(&row, 6)?);
        }
    }
    lately.automatic = by_kind(kinds);
    lately.per_hour = throughput(client, now).await?;
    Ok(lately)
}

/// Decisions of the last hour, and what limits turned away then; what freezes held from `since` on.
pub(in crate::store::postgres) async fn flowed(
    client: &ClientWrapper,
    now: Timestamp,
    since: Option<Timestamp>,
) -> Done<Flowed> {
    let hour = now.as_millisecond() - HOUR;
    let since = since.map_or(hour, |since| since.as_millisecond().min(hour));
    // Few decisions are contained: what they say of it is read from their rows, the others are
    // only counted. One statement, so that both are of one moment.
    let sql = format!(
        "WITH {} SELECT s.domain, s.action, s.model, s.version, d.at > $2, d.rest, count(*)
         FROM newest d JOIN shapes s ON s.k = d.shape
         GROUP BY s.domain, s.action, s.model, s.version, d.at > $2, d.rest",
        newest()
    );
    let mut flowed = Flowed::default();
    let mut kinds = Kinds::new();
    for row in rows(client, &sql, &[&since, &hour]).await? {
        let decisions = count(get(&row, 6)?);
        let rest = maybe(&row, 5)?;
        let rest: Rest = match &rest {
            Some(text) => unjson(text, "a decision")?,
            None => Rest::default(),
        };
        let (limit, freeze) =
            rest.contained.map_or((None, None), |contained| (contained.limit, contained.freeze));
        if let Some(freeze) = freeze {
            *flowed.held.entry(freeze.id).or_default() += decisions;
        }
        if get(&row, 4)? {
            let kind = (text(&row, 0)?, text(&row, 1)?, text(&row, 2)?, text(&row, 3)?);
            *kinds.entry(kind).or_default() += decisions;
            if let Some(limit) = limit {
                *flowed.turned_away.entry(limit.name).or_default() += decisions;
            }
        }
    }
    flowed.decisions = by_kind(kinds);
    Ok(flowed)
}

/// Verdicts an hour by queue, over the hours of the last day in which there was one.
async fn throughput(client: &ClientWrapper, now: i64) -> Done<BTreeMap<String, f64>> {
    // Hours before now, the one that is running included.
    let sql = format!(
        "SELECT r.queue, greatest($1 - r.at, 0) / {HOUR}, count(*) FROM
             (SELECT at, queue FROM reviews WHERE NOT undone ORDER BY number DESC LIMIT {REVIEWS}) r
         WHERE r.at > $2 GROUP BY 1, 2"
    );
    let mut hours = Hours::new();
    for row in rows(client, &sql, &[&now, &(now - DAY)]).await? {
        let hour: i64 = get(&row, 1)?;
        hours.entry(text(&row, 0)?).or_default().insert(hour, count(get(&row, 2)?));
    }
    Ok(rows_of::throughput(hours))
}
