//! Decisions with their items: columns, and what a row of them means.

use std::collections::{BTreeMap, HashSet};

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::{get, maybe, row, rows, small, text};
use crate::domain::Item;
use crate::store::postgres::fault::{Done, count, damaged};
use crate::store::postgres::text::{T, Text, strings};
use crate::store::rows::decision::{self, Decoded};
use crate::store::rows::item;
use crate::store::{Columns, StoredDecision};

/// The columns that [`decoded`] reads, of `decisions d JOIN shapes s ON s.k = d.shape`.
pub(super) const COLUMNS: &str = "d.n, d.id, d.content, d.at, d.due, d.confidence, d.impact, \
     d.reason, d.dims, d.groups, d.tags, d.rest, d.raw, s.domain, s.action, s.model, s.version, \
     s.level, s.rule, s.route";
/// How many they are.
pub(super) const WIDTH: usize = 20;

/// The columns that [`item`] reads, of `items i JOIN queues q ON q.k = i.queue`.
pub(super) const ITEM: &str = "i.state, i.kind, q.name, i.revision, i.entered, i.due, i.priority, \
     i.blind, i.breached, i.rest";
/// How many they are.
pub(super) const ITEM_WIDTH: usize = 10;

/// The columns that [`whole`] reads, of [`WHOLE_FROM`].
pub(super) fn whole_columns() -> String {
    format!("{COLUMNS}, {ITEM}, i.n, b.value")
}

/// What hangs on a decision `d`.
pub(super) const WHOLE_FROM: &str = "JOIN shapes s ON s.k = d.shape \
     LEFT JOIN items i ON i.n = d.n LEFT JOIN queues q ON q.k = i.queue \
     LEFT JOIN bodies b ON b.entry = coalesce(d.raw, d.n) AND b.slot = 0";

/// How many columns [`whole`] reads.
pub(super) const WHOLE: usize = WIDTH + ITEM_WIDTH + 2;

/// The cohort of arrays side by side.
pub(super) fn cohort(
    dims: Option<Vec<Text>>,
    groups: Option<Vec<Text>>,
) -> Done<BTreeMap<String, String>> {
    let (dims, groups) = (strings(dims), strings(groups));
    match dims.len() == groups.len() {
        true => Ok(dims.into_iter().zip(groups).collect()),
        false => Err(damaged("a cohort").into()),
    }
}

/// A row of [`COLUMNS`].
pub(super) fn decoded(row: &Row) -> Done<Decoded> {
    let content: &[u8] = get(row, 2)?;
    let stored = decision::Stored {
        n: get(row, 0)?,
        id: text(row, 1)?,
        content: content.try_into().map_err(|_| damaged("a decision's content"))?,
        at: get(row, 3)?,
        due: get(row, 4)?,
        reason: maybe(row, 7)?,
        rest: maybe(row, 11)?,
        raw: get(row, 12)?,
        rule: text(row, 18)?,
        route: text(row, 19)?,
        columns: Columns {
            domain: text(row, 13)?,
            action: text(row, 14)?,
            model: text(row, 15)?,
            version: text(row, 16)?,
            confidence: get(row, 5)?,
            business_impact: get(row, 6)?,
            cohort: cohort(get(row, 8)?, get(row, 9)?)?,
            tags: strings(get(row, 10)?),
            level: small(row, 17)?,
        },
    };
    Ok(stored.decode()?)
}

/// A row of [`ITEM`], which begins at column `from`.
pub(super) fn item(row: &Row, from: usize, id: &str) -> Done<Item> {
    let stored = item::Stored {
        state: get(row, from)?,
        kind: get(row, from + 1)?,
        queue: text(row, from + 2)?,
        revision: get(row, from + 3)?,
        entered: get(row, from + 4)?,
        due: get(row, from + 5)?,
        priority: get(row, from + 6)?,
        blind: get(row, from + 7)?,
        breached: get(row, from + 8)?,
        rest: text(row, from + 9)?,
    };
    Ok(stored.decode(id)?)
}

/// A row of [`whole_columns`].
pub(super) fn whole(row: &Row) -> Done<StoredDecision> {
    let d = decoded(row)?;
    let item = match get::<Option<i64>>(row, WIDTH + ITEM_WIDTH)? {
        Some(_) => Some(item(row, WIDTH, &d.route.id)?),
        None => None,
    };
    Ok(StoredDecision {
        raw: get(row, WIDTH + ITEM_WIDTH + 1)?,
        route: d.route,
        facts: d.facts,
        columns: d.columns,
        item,
        content: d.content,
        index: count(d.n),
        admitted_at: d.at,
    })
}

/// A decision with its item.
pub(in crate::store::postgres) async fn decision(
    client: &ClientWrapper,
    id: &str,
) -> Done<Option<StoredDecision>> {
    let sql = format!("SELECT {} FROM decisions d {WHOLE_FROM} WHERE d.id = $1", whole_columns());
    row(client, &sql, &[&T(id)]).await?.as_ref().map(whole).transpose()
}

/// Which of these ids are known.
pub(in crate::store::postgres) async fn known(
    client: &ClientWrapper,
    ids: &[&str],
) -> Done<Vec<bool>> {
    let asked: Vec<T<'_>> = ids.iter().map(|id| T(id)).collect();
    let found = rows(client, "SELECT id FROM decisions WHERE id = ANY($1)", &[&asked]).await?;
    let found: HashSet<String> = found.iter().map(|row| text(row, 0)).collect::<Done<_>>()?;
    Ok(ids.iter().map(|id| found.contains(*id)).collect())
}
