//! What lies in a control scope, and the words and counts of what decisions are about.

use deadpool_postgres::ClientWrapper;

use super::condition::{Sql, scope};
use super::decisions::{WHOLE_FROM, whole, whole_columns};
use super::{get, row, rows, text};
use crate::store::postgres::fault::{Done, count, int};
use crate::store::postgres::text::T;
use crate::store::{AutomaticAsk, AutomaticPage, Seen, Tally};

/// Automatic decisions that nobody has looked at or is to look at. A repaired record that then
/// went through automatically counts: who repaired it judged the record, not the decision.
pub(in crate::store::postgres) async fn automatic(
    client: &ClientWrapper,
    ask: &AutomaticAsk,
) -> Done<AutomaticPage> {
    let size = super::head(client).await?;
    let from = ask.after.map_or(0, |n| n.saturating_add(1));
    let to = from.saturating_add(ask.scan.max(1)).min(size);
    let mut sql = Sql::new(format!("SELECT {} FROM decisions d {WHOLE_FROM}", whole_columns()));
    let (first, end) = (sql.value(int(from)), sql.value(int(to)));
    let since = sql.value(ask.since.as_millisecond());
    sql.push(&format!(
        " WHERE d.n >= {first} AND d.n < {end} AND d.at >= {since} AND s.outcome = 'auto'
             AND (i.n IS NULL OR (i.kind = 'quarantine' AND i.state = 'settled')) AND ("
    ));
    scope(&mut sql, &ask.scope);
    sql.push(&format!(") ORDER BY d.n LIMIT {}", ask.limit));
    let found = rows(client, &sql.text, &sql.values()).await?;
    let decisions = found.iter().map(whole).collect::<Done<Vec<_>>>()?;
    let next = match decisions.last() {
        Some(last) if decisions.len() >= ask.limit => Some(last.index),
        _ if to < size => Some(to.saturating_sub(1)),
        _ => None,
    };
    Ok(AutomaticPage { decisions, next })
}

/// Decisions and open items by what they are about, from counters.
pub(in crate::store::postgres) async fn tally(client: &ClientWrapper) -> Done<Vec<Tally>> {
    let found = rows(
        client,
        "SELECT s.domain, s.action, s.model, s.version, sum(n.decisions)::bigint,
             coalesce(sum(c.open), 0)::bigint
         FROM shape_counts n JOIN shapes s ON s.k = n.shape
             LEFT JOIN (SELECT shape, sum(open) AS open FROM counts GROUP BY shape) c
                 ON c.shape = s.k
         GROUP BY s.domain, s.action, s.model, s.version",
        &[],
    )
    .await?;
    let mut tally = Vec::with_capacity(found.len());
    for row in &found {
        tally.push(Tally {
            domain: text(row, 0)?,
            action: text(row, 1)?,
            model: text(row, 2)?,
            version: text(row, 3)?,
            decisions: count(get(row, 4)?),
            open: count(get(row, 5)?),
        });
    }
    tally.sort_by(|a, b| {
        (&a.domain, &a.model, &a.version, &a.action)
            .cmp(&(&b.domain, &b.model, &b.version, &b.action))
    });
    Ok(tally)
}

/// Words that decisions have.
pub(in crate::store::postgres) async fn seen(client: &ClientWrapper) -> Done<Seen> {
    let mut seen = Seen::default();
    for row in rows(client, "SELECT DISTINCT domain, action, rule FROM shapes", &[]).await? {
        seen.actions.entry(text(&row, 0)?).or_default().insert(text(&row, 1)?);
        seen.rules.insert(text(&row, 2)?);
    }
    Ok(seen)
}

/// Open items of a cohort group.
pub(in crate::store::postgres) async fn open_in_cohort(
    client: &ClientWrapper,
    dimension: &str,
    group: &str,
) -> Done<u64> {
    let found = row(
        client,
        "SELECT count(*) FROM items i JOIN decisions d ON d.n = i.n
         WHERE i.open AND EXISTS (SELECT 1 FROM unnest(d.dims, d.groups) AS c(dim, grp)
             WHERE c.dim = $1 AND c.grp = $2)",
        &[&T(dimension), &T(group)],
    )
    .await?;
    found.map_or(Ok(0), |row| Ok(count(get(&row, 0)?)))
}
