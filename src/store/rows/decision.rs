//! A decision as a lean row: what many share is a shape, what is usual is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{json, time, unjson};
use crate::domain::{Contained, Facts, Fault, Route, Timestamp};
use crate::store::{Columns, StoreError};

/// What is rare: a decision without any of it has NULL in its row.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct Rest {
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(in crate::store) faults: Vec<Fault>,
    /// The route's due time where milliseconds do not tell it exactly.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::store) due: Option<Timestamp>,
    /// The facts' time where the admission's milliseconds do not tell it exactly.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::store) now: Option<Timestamp>,
    /// The facts' generation where it is not the route's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::store) generation: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(in crate::store) unreadable: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::store) seen: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::store) rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::store) age: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::store) contained: Option<Box<Contained>>,
}

impl Rest {
    /// The due time, of which the row's column holds the milliseconds.
    pub(in crate::store) fn due_at(
        &self,
        column: Option<i64>,
    ) -> Result<Option<Timestamp>, StoreError> {
        match (self.due, column) {
            (None, Some(ms)) => time(ms).map(Some),
            (exact, _) => Ok(exact),
        }
    }

    /// The facts of a decision admitted at `at` whose route has this generation.
    pub(in crate::store) fn facts(&self, at: Timestamp, generation: u64) -> Facts {
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

/// Columns of a decision's row that are made, not copied.
pub(in crate::store) struct Lean<'r> {
    pub(in crate::store) due: Option<i64>,
    pub(in crate::store) reason: Option<&'r str>,
    pub(in crate::store) rest: Option<String>,
}

/// What a row holds beside the shape. `at`: the admission's time in milliseconds.
pub(in crate::store) fn lean<'r>(
    route: &'r Route,
    facts: &Facts,
    at: i64,
) -> Result<Lean<'r>, StoreError> {
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
    Ok(Lean {
        due,
        reason: Some(route.reason.as_str()).filter(|r| !r.is_empty()),
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

/// A decision's row with its shape's, as read.
pub(in crate::store) struct Stored {
    pub(in crate::store) n: i64,
    pub(in crate::store) id: String,
    pub(in crate::store) content: [u8; 32],
    pub(in crate::store) at: i64,
    pub(in crate::store) due: Option<i64>,
    pub(in crate::store) reason: Option<String>,
    pub(in crate::store) rest: Option<String>,
    /// Log index of the entry whose first body is the record; `None`: `n`.
    pub(in crate::store) raw: Option<i64>,
    pub(in crate::store) rule: String,
    /// JSON of the shape's route.
    pub(in crate::store) route: String,
    pub(in crate::store) columns: Columns,
}

/// A decision without its raw record and item.
pub(in crate::store) struct Decoded {
    pub(in crate::store) n: i64,
    pub(in crate::store) route: Route,
    pub(in crate::store) facts: Facts,
    pub(in crate::store) columns: Columns,
    pub(in crate::store) content: [u8; 32],
    pub(in crate::store) at: Timestamp,
    /// Log index of the entry whose first body is the raw record.
    pub(in crate::store) raw: i64,
}

impl Stored {
    /// What it means.
    pub(in crate::store) fn decode(self) -> Result<Decoded, StoreError> {
        let at = time(self.at)?;
        let rest: Rest = match self.rest {
            Some(text) => unjson(&text, "a decision")?,
            None => Rest::default(),
        };
        let mut route: Route = unjson(&self.route, "a route")?;
        route.id = self.id;
        route.rule = self.rule;
        route.due_at = rest.due_at(self.due)?;
        route.reason = self.reason.unwrap_or_default();
        let facts = rest.facts(at, route.generation);
        route.faults = rest.faults;
        Ok(Decoded {
            n: self.n,
            route,
            facts,
            columns: self.columns,
            content: self.content,
            at,
            raw: self.raw.unwrap_or(self.n),
        })
    }
}

/// Stored JSON of groups.
pub(in crate::store) fn cohort(
    text: Option<String>,
) -> Result<BTreeMap<String, String>, StoreError> {
    text.map_or(Ok(BTreeMap::new()), |text| unjson(&text, "a cohort"))
}

/// Stored JSON of tags.
pub(in crate::store) fn tags(text: Option<String>) -> Result<Vec<String>, StoreError> {
    text.map_or(Ok(Vec::new()), |text| unjson(&text, "tags"))
}

/// Faults without their messages, which may quote the record.
pub(in crate::store) fn without_messages(rest: &str) -> Result<String, StoreError> {
    let mut rest: Rest = unjson(rest, "a decision")?;
    for fault in &mut rest.faults {
        fault.message.clear();
    }
    json(&rest)
}
