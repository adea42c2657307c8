//! New rows of a transaction, gathered and sent as arrays: one statement a table.

use std::collections::HashMap;

use super::fault::int;
use super::text::{array, stored};
use super::tx::{Value, values};
use crate::audit::{Frontier, Tile};
use crate::domain::{Item, Timestamp};
use crate::store::rows::decision::Lean;
use crate::store::rows::item::{self, kind_word};
use crate::store::rows::place::place;
use crate::store::{Admission, Columns, EntryDraft, StoreError};

const LOG: &str = "INSERT INTO log(idx, item, bytes)
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])";
const BODIES: &str = "INSERT INTO bodies(entry, slot, path, salt, value)
     SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::bytea[], $5::bytea[])";
const TILES: &str = "INSERT INTO tiles(level, idx, bytes)
     SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])";
const FRONTIER: &str = "UPDATE frontier SET size = $1, bytes = $2";
const DECISIONS: &str = "INSERT INTO decisions(n, id, content, shape, at, due, confidence, impact,
         reason, dims, groups, tags, rest)
     SELECT n, id, content, shape, at, due, confidence, impact, reason, dims::text[],
         groups::text[], tags::text[], rest
     FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[],
         $7::float8[], $8::float8[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
     AS d(n, id, content, shape, at, due, confidence, impact, reason, dims, groups, tags, rest)";
/// An item and its place among the leases.
const ITEMS: &str = "WITH fresh AS (
         INSERT INTO items(n, queue, level, open, place, state, kind, revision, entered, due,
             priority, blind, breached, grace, content, goes_to, required, rest)
         SELECT n, queue, level, open, place, state, kind, revision, entered, due, priority, blind,
             breached, grace, content, goes_to, required::text[], rest
         FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::boolean[], $5::bytea[],
             $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
             $12::boolean[], $13::boolean[], $14::bigint[], $15::text[], $16::text[], $17::text[],
             $18::text[])
         AS i(n, queue, level, open, place, state, kind, revision, entered, due, priority, blind,
             breached, grace, content, goes_to, required, rest)
         RETURNING n, queue, open, place, content)
     INSERT INTO leases(n, queue, open, place, content, approved, reviewer, until, epoch)
     SELECT n, queue, open, place, coalesce(content, ''), false, NULL, 0, 0 FROM fresh";
const EFFECTS: &str = "INSERT INTO outbox(key, kind, item, payload, at)
     SELECT key, kind, item, payload, at
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) WITH ORDINALITY
         AS e(key, kind, item, payload, at, place)
     ORDER BY place ON CONFLICT (key) DO NOTHING";

/// New rows that are not sent yet.
#[derive(Default)]
pub(super) struct Rows<'a> {
    log: Log<'a>,
    bodies: Bodies<'a>,
    tiles: Vec<Tile>,
    frontier: Option<(i64, Vec<u8>)>,
    decisions: Decisions<'a>,
    items: Items,
    effects: Effects,
    /// Decisions of this transaction, sent or not: number and content.
    fresh: HashMap<&'a str, (i64, &'a [u8])>,
}

#[derive(Default)]
struct Log<'a> {
    idx: Vec<i64>,
    item: Vec<Option<i64>>,
    bytes: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Bodies<'a> {
    entry: Vec<i64>,
    slot: Vec<i16>,
    path: Vec<Option<String>>,
    salt: Vec<&'a [u8]>,
    value: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Decisions<'a> {
    n: Vec<i64>,
    id: Vec<String>,
    content: Vec<&'a [u8]>,
    shape: Vec<i64>,
    at: Vec<i64>,
    due: Vec<Option<i64>>,
    confidence: Vec<Option<f64>>,
    impact: Vec<Option<f64>>,
    reason: Vec<Option<String>>,
    dims: Vec<Option<String>>,
    groups: Vec<Option<String>>,
    tags: Vec<Option<String>>,
    rest: Vec<Option<String>>,
}

#[derive(Default)]
struct Items {
    n: Vec<i64>,
    queue: Vec<i64>,
    level: Vec<i16>,
    open: Vec<bool>,
    place: Vec<Vec<u8>>,
    state: Vec<&'static str>,
    kind: Vec<&'static str>,
    revision: Vec<i64>,
    entered: Vec<i64>,
    due: Vec<Option<i64>>,
    priority: Vec<i64>,
    blind: Vec<bool>,
    breached: Vec<bool>,
    grace: Vec<Option<i64>>,
    content: Vec<Option<String>>,
    goes_to: Vec<Option<String>>,
    required: Vec<String>,
    rest: Vec<String>,
}

#[derive(Default)]
struct Effects {
    key: Vec<String>,
    kind: Vec<String>,
    item: Vec<String>,
    payload: Vec<String>,
    at: Vec<i64>,
}

impl<'a> Rows<'a> {
    pub(super) fn entry(&mut self, index: i64, item: Option<i64>, entry: &'a EntryDraft) {
        self.log.idx.push(index);
        self.log.item.push(item);
        self.log.bytes.push(&entry.bytes);
        for (slot, body) in (0..).zip(&entry.bodies) {
            self.bodies.entry.push(index);
            self.bodies.slot.push(slot);
            let path = (body.path != "record").then(|| stored(&body.path).into_owned());
            self.bodies.path.push(path);
            self.bodies.salt.push(&body.salt);
            self.bodies.value.push(&body.value);
        }
    }

    /// Tiles that became full with the last entry, which led to this frontier.
    pub(super) fn tiles(&mut self, full: Vec<Tile>, frontier: &Frontier) {
        self.tiles.extend(full);
        self.frontier = Some((int(frontier.size()), frontier.to_bytes()));
    }

    pub(super) fn decision(
        &mut self,
        n: i64,
        row: &'a Admission,
        shape: i64,
        at: i64,
        lean: Lean<'_>,
    ) {
        let d = &mut self.decisions;
        d.n.push(n);
        d.id.push(stored(&row.route.id).into_owned());
        d.content.push(&row.content);
        d.shape.push(shape);
        d.at.push(at);
        d.due.push(lean.due);
        d.confidence.push(row.columns.confidence);
        d.impact.push(row.columns.business_impact);
        d.reason.push(lean.reason.map(|r| stored(r).into_owned()));
        let [dims, groups, tags] = words(&row.columns);
        d.dims.push(dims);
        d.groups.push(groups);
        d.tags.push(tags);
        d.rest.push(lean.rest.map(|r| stored(&r).into_owned()));
        self.fresh.insert(&row.route.id, (n, &row.content));
    }

    /// An item that has no approvals.
    pub(super) fn item(
        &mut self,
        n: i64,
        item: &Item,
        queue: i64,
        level: u8,
    ) -> Result<(), StoreError> {
        let i = &mut self.items;
        i.n.push(n);
        i.queue.push(queue);
        i.level.push(level.into());
        i.open.push(item.state.is_open());
        i.place.push(place(item));
        i.state.push(item.state.as_str());
        i.kind.push(kind_word(item.kind));
        i.revision.push(int(item.revision));
        i.entered.push(item.entered_at.as_millisecond());
        i.due.push(item.due_at.map(Timestamp::as_millisecond));
        i.priority.push(item.priority);
        i.blind.push(item.blind);
        i.breached.push(item.breached);
        i.grace.push(item.pending.as_ref().map(|p| p.until.as_millisecond()));
        i.content.push(item.content.as_deref().map(|c| stored(c).into_owned()));
        i.goes_to.push(goes_to(item));
        i.required.push(array(item.required.iter().map(String::as_str)));
        i.rest.push(stored(&item::rest(item)?).into_owned());
        Ok(())
    }

    pub(super) fn effect(&mut self, key: &str, kind: &str, item: &str, payload: &str, at: i64) {
        let e = &mut self.effects;
        e.key.push(stored(key).into_owned());
        e.kind.push(stored(kind).into_owned());
        e.item.push(stored(item).into_owned());
        e.payload.push(stored(payload).into_owned());
        e.at.push(at);
    }

    /// The number of a decision of this transaction.
    pub(super) fn number(&self, id: &str) -> Option<i64> {
        self.fresh.get(id).map(|(n, _)| *n)
    }

    /// The content of a decision of this transaction.
    pub(super) fn content(&self, id: &str) -> Option<&'a [u8]> {
        self.fresh.get(id).map(|(_, content)| *content)
    }

    /// What is to be sent now; what is known of decisions stays.
    pub(super) fn take(&mut self) -> Self {
        let fresh = std::mem::take(&mut self.fresh);
        let rows = std::mem::take(self);
        self.fresh = fresh;
        rows
    }

    /// Everything from the entry `size` on was rolled back, and nothing waits.
    pub(super) fn forget(&mut self, size: i64) {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.retain(|_, (n, _)| *n < size);
        *self = Self { fresh, ..Self::default() };
    }

    /// As statements, in the order in which they must be run.
    pub(super) fn statements(self) -> Vec<(&'static str, Vec<Value<'a>>)> {
        let Self { log, bodies, tiles, frontier, decisions: d, items: i, effects: e, fresh: _ } =
            self;
        let mut all: Vec<(&'static str, Vec<Value<'a>>)> = Vec::new();
        if !log.idx.is_empty() {
            all.push((LOG, values![log.idx, log.item, log.bytes]));
        }
        if !bodies.entry.is_empty() {
            let Bodies { entry, slot, path, salt, value } = bodies;
            all.push((BODIES, values![entry, slot, path, salt, value]));
        }
        if !tiles.is_empty() {
            let (mut level, mut idx, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
            for tile in tiles {
                level.push(i16::from(tile.level));
                idx.push(int(tile.index));
                bytes.push(tile.bytes);
            }
            all.push((TILES, values![level, idx, bytes]));
        }
        if let Some((size, bytes)) = frontier {
            all.push((FRONTIER, values![size, bytes]));
        }
        if !d.n.is_empty() {
            all.push((
                DECISIONS,
                values![
                    d.n,
                    d.id,
                    d.content,
                    d.shape,
                    d.at,
                    d.due,
                    d.confidence,
                    d.impact,
                    d.reason,
                    d.dims,
                    d.groups,
                    d.tags,
                    d.rest,
                ],
            ));
        }
        if !i.n.is_empty() {
            all.push((
                ITEMS,
                values![
                    i.n, i.queue, i.level, i.open, i.place, i.state, i.kind, i.revision, i.entered,
                    i.due, i.priority, i.blind, i.breached, i.grace, i.content, i.goes_to,
                    i.required, i.rest,
                ],
            ));
        }
        if !e.key.is_empty() {
            all.push((EFFECTS, values![e.key, e.kind, e.item, e.payload, e.at]));
        }
        all
    }
}

/// Dimensions, groups and tags of a record as arrays; `None`: there are none.
pub(super) fn words(columns: &Columns) -> [Option<String>; 3] {
    let (cohort, tags) = (&columns.cohort, &columns.tags);
    let grouped = !cohort.is_empty();
    [
        grouped.then(|| array(cohort.keys().map(String::as_str))),
        grouped.then(|| array(cohort.values().map(String::as_str))),
        (!tags.is_empty()).then(|| array(tags.iter().map(String::as_str))),
    ]
}

/// The queue that a pending verdict sends the item to.
pub(super) fn goes_to(item: &Item) -> Option<String> {
    let to = item.pending.as_ref().and_then(|p| p.verdict.to.as_deref());
    to.map(|to| stored(to).into_owned())
}
