//! A decision as a lean row: what many share is a shape, what is usual is left out.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::{Deserialize, Serialize};

use super::fault::{Done, count, damaged, int};
use super::items;
use super::tx::{SLOTS, Tx};
use crate::domain::{Contained, Facts, Fault, Route, Timestamp};
use crate::store::{Columns, StoreError, StoredDecision};

/// What is rare: a decision without any of it has NULL in its row.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rest {
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) faults: Vec<Fault>,
    /// The route's due time where milliseconds do not tell it exactly.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) due: Option<Timestamp>,
    /// The facts' time where the admission's milliseconds do not tell it exactly.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) now: Option<Timestamp>,
    /// The facts' generation where it is not the route's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) generation: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(super) unreadable: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) seen: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) age: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) contained: Option<Box<Contained>>,
}

impl Rest {
    /// The due time, of which the row's column holds the milliseconds.
    pub(super) fn due_at(&self, column: Option<i64>) -> Done<Option<Timestamp>> {
        match (self.due, column) {
            (None, Some(ms)) => time(ms).map(Some),
            (exact, _) => Ok(exact),
        }
    }

    /// The facts of a decision admitted at `at` whose route has this generation.
    pub(super) fn facts(&self, at: Timestamp, generation: u64) -> Facts {
        Facts {
            now: self.now.unwrap_or(at),
            generation: self.generation.unwrap_or(generation),
            control_readable: !self.unreadable,
            cohort_seen: self.seen,
            arrival_rate_z: self.rate,
            model_age_days: self.age,
            containment: self.contained.clone(),
        }
    }
}

/// The columns of a decision's row beside its key, id and content.
pub(super) struct Encoded<'r> {
    pub(super) shape: i64,
    pub(super) due: Option<i64>,
    pub(super) reason: Option<&'r str>,
    pub(super) cohort: Option<String>,
    pub(super) tags: Option<String>,
    pub(super) rest: Option<String>,
}

/// Split a decision into shape and row. `at`: the admission's time in milliseconds.
pub(super) fn encode<'r>(
    tx: &mut Tx<'_>,
    route: &'r Route,
    facts: &Facts,
    columns: &Columns,
    at: i64,
) -> Done<Encoded<'r>> {
    let shape = tx.memory.names.shape(tx.conn, route, columns)?;
    let due = route.due_at.map(Timestamp::as_millisecond);
    let now = facts.now;
    let plain = route.faults.is_empty()
        && route.due_at.is_none_or(is_whole)
        && is_whole(now)
        && now.as_millisecond() == at
        && *facts == Facts::at(now, route.generation);
    let rest = Rest {
        faults: route.faults.clone(),
        due: route.due_at.filter(|due| !is_whole(*due)),
        now: Some(now).filter(|now| !is_whole(*now) || now.as_millisecond() != at),
        generation: Some(facts.generation).filter(|g| *g != route.generation),
        unreadable: !facts.control_readable,
        seen: facts.cohort_seen,
        rate: facts.arrival_rate_z,
        age: facts.model_age_days,
        contained: facts.containment.clone(),
    };
    Ok(Encoded {
        shape,
        due,
        reason: Some(route.reason.as_str()).filter(|r| !r.is_empty()),
        cohort: match columns.cohort.is_empty() {
            true => None,
            false => Some(json(&columns.cohort)?),
        },
        tags: match columns.tags.is_empty() {
            true => None,
            false => Some(json(&columns.tags)?),
        },
        rest: match plain {
            true => None,
            false => Some(json(&rest)?),
        },
    })
}

/// Does it have no parts under a millisecond?
fn is_whole(t: Timestamp) -> bool {
    t.subsec_nanosecond() % 1_000_000 == 0
}

/// As JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> Done<String> {
    serde_json::to_string(value)
        .map_err(|e| StoreError::Io { doing: "write JSON".to_owned(), cause: e.to_string() }.into())
}

/// Stored JSON text.
pub(super) fn unjson<T: for<'de> Deserialize<'de>>(text: &str, what: &str) -> Done<T> {
    serde_json::from_str(text).map_err(|_| damaged(what).into())
}

/// A stored time.
pub(super) fn time(ms: i64) -> Done<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|_| damaged("a time").into())
}

/// The columns that [`decode`] reads, of `decisions d JOIN shapes s ON s.k = d.shape`.
pub(super) const COLUMNS: &str = "d.n, d.id, d.at, d.due, d.confidence, d.impact, d.reason, \
     d.cohort, d.tags, d.rest, d.raw, s.domain, s.action, s.model, s.version, s.level, s.rule, \
     s.route, d.content";
/// How many they are.
pub(super) const WIDTH: usize = 19;

/// A decision without its raw record and item.
pub(super) struct Decoded {
    pub(super) n: i64,
    pub(super) route: Route,
    pub(super) facts: Facts,
    pub(super) columns: Columns,
    pub(super) content: [u8; 32],
    pub(super) at: Timestamp,
    /// Row of the raw record in `bodies`.
    pub(super) raw: i64,
}

/// A row of [`COLUMNS`].
pub(super) fn decode(row: &Row<'_>) -> Done<Decoded> {
    let n: i64 = row.get(0)?;
    let at = time(row.get(2)?)?;
    let rest: Option<String> = row.get(9)?;
    let rest: Rest = match rest {
        Some(text) => unjson(&text, "a decision")?,
        None => Rest::default(),
    };
    let shared: String = row.get(17)?;
    let mut route: Route = unjson(&shared, "a route")?;
    route.id = row.get(1)?;
    route.rule = row.get(16)?;
    route.due_at = rest.due_at(row.get(3)?)?;
    route.reason = row.get::<_, Option<String>>(6)?.unwrap_or_default();
    let facts = rest.facts(at, route.generation);
    route.faults = rest.faults;
    let cohort: Option<String> = row.get(7)?;
    let tags: Option<String> = row.get(8)?;
    let columns = Columns {
        domain: row.get(11)?,
        action: row.get(12)?,
        model: row.get(13)?,
        version: row.get(14)?,
        confidence: row.get(4)?,
        business_impact: row.get(5)?,
        cohort: match cohort {
            Some(text) => unjson(&text, "a cohort")?,
            None => BTreeMap::new(),
        },
        tags: match tags {
            Some(text) => unjson(&text, "tags")?,
            None => Vec::new(),
        },
        level: row.get(15)?,
    };
    let raw = row.get::<_, Option<i64>>(10)?.unwrap_or(n).saturating_mul(int(SLOTS));
    let content = row.get(18)?;
    Ok(Decoded { n, route, facts, columns, content, at, raw })
}

/// A decision with its item, by the SQL condition `which` with one parameter.
pub(super) fn read<P: rusqlite::ToSql>(
    conn: &Connection,
    which: &str,
    parameter: P,
) -> Done<Option<StoredDecision>> {
    let sql =
        format!("SELECT {COLUMNS} FROM decisions d JOIN shapes s ON s.k = d.shape WHERE {which}");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([parameter])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let d = decode(row)?;
    let item = items::read(conn, d.n, &d.route.id)?.map(|(item, _)| item);
    Ok(Some(StoredDecision {
        raw: body(conn, d.raw)?,
        route: d.route,
        facts: d.facts,
        columns: d.columns,
        item,
        content: d.content,
        index: count(d.n),
        admitted_at: d.at,
    }))
}

/// A text by its row; `None`: erased, or never there.
pub(super) fn body(conn: &Connection, id: i64) -> Done<Option<Vec<u8>>> {
    Ok(conn
        .prepare_cached("SELECT value FROM bodies WHERE id = ?1")?
        .query_row([id], |r| r.get::<_, Option<Vec<u8>>>(0))
        .optional()?
        .flatten())
}

/// Faults without their messages, which may quote the record; `None` where nothing is left.
pub(super) fn without_messages(rest: &str) -> Done<Option<String>> {
    let mut rest: Rest = unjson(rest, "a decision")?;
    for fault in &mut rest.faults {
        fault.message.clear();
    }
    Ok(Some(json(&rest)?))
}
