//! What lies in a control scope: as a condition, as counters, as the automatic decisions of it.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::decisions;
use super::fault::{Done, count, int};
use crate::domain::ControlScope;
use crate::store::{AutomaticAsk, AutomaticPage, StoreError, Tally};

/// A scope as an SQL condition on `decisions d JOIN shapes s`, with its parameters in order.
pub(super) fn sql(scope: &ControlScope) -> (&'static str, Vec<Sql>) {
    let text = |t: &str| Sql::from(t.to_owned());
    match scope {
        ControlScope::All => ("1", Vec::new()),
        ControlScope::Domain(domain) => ("s.domain = ?", vec![text(domain)]),
        ControlScope::Model { name, version: None } => ("s.model = ?", vec![text(name)]),
        ControlScope::Model { name, version: Some(version) } => {
            ("s.model = ? AND s.version = ?", vec![text(name), text(version)])
        }
        ControlScope::Action(action) => ("s.action = ?", vec![text(action)]),
        ControlScope::Cohort { dimension, group } => (
            "EXISTS (SELECT 1 FROM json_each(d.cohort) c WHERE c.key = ? AND c.value = ?)",
            vec![text(dimension), text(group)],
        ),
    }
}

/// Automatic decisions that nobody has looked at or is to look at. A repaired record that then
/// went through automatically counts: who repaired it judged the record, not the decision.
pub(super) fn automatic(conn: &Connection, ask: &AutomaticAsk) -> Done<AutomaticPage> {
    let size: i64 = conn.prepare_cached("SELECT size FROM state")?.query_row((), |r| r.get(0))?;
    let from = ask.after.map_or(0, |n| n.saturating_add(1));
    let to = from.saturating_add(ask.scan.max(1)).min(count(size));
    let (within, given) = sql(&ask.scope);
    let mut statement = conn.prepare_cached(&format!(
        "SELECT d.n FROM decisions d CROSS JOIN shapes s ON s.k = d.shape
         LEFT JOIN items i ON i.n = d.n
         WHERE d.n >= ? AND d.n < ? AND d.at >= ? AND s.route ->> 'outcome' = 'auto'
             AND (i.n IS NULL OR (i.kind = 'quarantine' AND i.state = 'settled'))
             AND ({within})
         ORDER BY d.n LIMIT ?"
    ))?;
    let mut all =
        vec![Sql::from(int(from)), Sql::from(int(to)), Sql::from(ask.since.as_millisecond())];
    all.extend(given);
    all.push(Sql::from(int(ask.limit as u64)));
    let found: Vec<i64> =
        statement.query_map(params_from_iter(all), |r| r.get(0))?.collect::<Result<_, _>>()?;
    let full = found.len() >= ask.limit;
    let next = match found.last() {
        Some(last) if full => Some(count(*last)),
        _ if to < count(size) => Some(to.saturating_sub(1)),
        _ => None,
    };
    let decisions = found
        .into_iter()
        .map(|n| {
            let decision = decisions::read(conn, "d.n = ?1", n)?;
            Ok(decision.ok_or_else(|| StoreError::Missing(format!("decision number {n}")))?)
        })
        .collect::<Done<_>>()?;
    Ok(AutomaticPage { decisions, next })
}

/// Decisions and open items by what they are about, from counters.
pub(super) fn tally(conn: &Connection) -> Done<Vec<Tally>> {
    let mut statement = conn.prepare_cached(
        "SELECT s.domain, s.action, s.model, s.version, sum(n.decisions),
             sum((SELECT coalesce(sum(c.open), 0) FROM counts c WHERE c.shape = s.k))
         FROM shape_counts n JOIN shapes s ON s.k = n.shape
         GROUP BY s.domain, s.action, s.model, s.version
         ORDER BY s.domain, s.model, s.version, s.action",
    )?;
    let rows = statement.query_map((), |r| {
        Ok(Tally {
            domain: r.get(0)?,
            action: r.get(1)?,
            model: r.get(2)?,
            version: r.get(3)?,
            decisions: count(r.get(4)?),
            open: count(r.get(5)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open items of a cohort group.
pub(super) fn open_in_cohort(conn: &Connection, dimension: &str, group: &str) -> Done<u64> {
    let open: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM items i JOIN decisions d ON d.n = i.n
             WHERE i.open = 1 AND EXISTS
                 (SELECT 1 FROM json_each(d.cohort) c WHERE c.key = ?1 AND c.value = ?2)",
        )?
        .query_row((dimension, group), |r| r.get(0))?;
    Ok(count(open))
}
