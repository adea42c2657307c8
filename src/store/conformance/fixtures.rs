//! Decisions, items and writes to put a store through.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::audit::{Entry, EntryKind, Salt, commit};
use crate::domain::{
    Facts, Item, ItemState, Kind, Outcome, Pending, Review, Route, Timestamp, Verdict, VerdictKind,
};
use crate::protocol::Filter;
use crate::store::{
    Admission, AdmitBatch, AdmitResult, Body, Columns, EntryDraft, Op, PageQuery, Premises, Store,
    TakeLease, Write,
};

pub(super) const POLICY: &str = "sha256:0000";

/// Desk or wall time, seconds.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// An entry of that kind with one body for each text.
pub(crate) fn entry(kind: EntryKind, item: Option<&str>, texts: &[(&str, &[u8])]) -> EntryDraft {
    let mut e = Entry::new(kind, "system", at(0), at(0));
    e.id = item.map(str::to_owned);
    let mut bodies = Vec::new();
    for (path, value) in texts {
        let salt: [u8; 32] = Sha256::digest([path.as_bytes(), value].concat()).into();
        e.commit_to(*path, commit(&Salt::from_bytes(salt), path, value));
        bodies.push(Body { path: (*path).to_owned(), salt, value: value.to_vec() });
    }
    EntryDraft { item: item.map(str::to_owned), bytes: e.bytes(), bodies }
}

pub(super) fn raw(id: &str) -> Vec<u8> {
    json!({"id": id, "output": format!("secret text of {id}")}).to_string().into_bytes()
}

/// An automatic decision.
pub(crate) fn auto(id: &str) -> Admission {
    Admission {
        before: None,
        content: Sha256::digest(raw(id)).into(),
        route: Route {
            id: id.to_owned(),
            outcome: Outcome::Auto,
            queue: None,
            due_at: None,
            approvals: Vec::new(),
            rule: "default".to_owned(),
            matched: Vec::new(),
            reason: format!("nothing matched {id}"),
            sample: None,
            fallback: None,
            policy: POLICY.to_owned(),
            generation: 0,
            state: ItemState::Settled,
            duplicate: false,
            faults: Vec::new(),
            priority: 0,
            tags: Vec::new(),
            blind: false,
        },
        facts: Facts::at(at(0), 0),
        columns: Columns {
            domain: "loan".to_owned(),
            action: "approve".to_owned(),
            model: "lap".to_owned(),
            version: "1".to_owned(),
            confidence: Some(0.9),
            business_impact: Some(3.0),
            cohort: BTreeMap::new(),
            tags: Vec::new(),
            level: 0,
        },
        item: None,
        entry: entry(EntryKind::ADMIT, Some(id), &[("record", &raw(id))]),
        then: Vec::new(),
    }
}

/// A decision that waits in `queue`.
pub(super) fn waiting(id: &str, queue: &str, due: Option<i64>, priority: i64) -> Admission {
    let mut a = auto(id);
    a.route.outcome = Outcome::Review;
    a.route.queue = Some(queue.to_owned());
    a.route.approvals = vec![queue.to_owned()];
    a.route.due_at = due.map(at);
    a.route.priority = priority;
    a.route.rule = "low-confidence".to_owned();
    a.route.state = ItemState::Waiting;
    a.columns.level = 1;
    a.item = Some(Item {
        id: id.to_owned(),
        kind: Kind::Review,
        state: ItemState::Waiting,
        queue: queue.to_owned(),
        entered_at: at(0),
        due_at: due.map(at),
        priority,
        revision: 1,
        required: vec![queue.to_owned()],
        approvals: Vec::new(),
        content: None,
        pending: None,
        blind: false,
        sample: None,
        breached: false,
    });
    a
}

pub(super) fn batch(rows: Vec<Admission>) -> AdmitBatch {
    AdmitBatch {
        premises: Premises::default(),
        now: at(0),
        rows: rows.into(),
        dead: Vec::new(),
        bulk: false,
    }
}

/// Admit rows that are new.
pub(super) fn admit(store: &dyn Store, rows: Vec<Admission>) {
    let n = rows.len();
    let answers = store.admit(batch(rows)).wait().unwrap();
    assert_eq!(answers.len(), n);
    assert!(answers.iter().all(|a| matches!(a, AdmitResult::New(_))), "{answers:?}");
}

pub(super) fn write(ops: Vec<Op>) -> Write {
    Write { premises: Premises::default(), now: at(0), ops }
}

/// Apply parts that must be accepted.
pub(super) fn apply(store: &dyn Store, ops: Vec<Op>) -> u64 {
    store.commit(write(ops)).wait().unwrap().head
}

pub(super) fn item(store: &dyn Store, id: &str) -> Item {
    store.decision(id).unwrap().unwrap().item.unwrap()
}

pub(super) fn put(item: &Item) -> Op {
    Op::PutItem { item: Box::new(item.clone()), level: 1 }
}

/// A review with all its texts.
pub(super) fn review(request_id: &str, item: &Item, reviewer: &str, kind: VerdictKind) -> Review {
    Review {
        request_id: request_id.to_owned(),
        item: item.id.clone(),
        reviewer: reviewer.to_owned(),
        level: 1,
        queue: item.queue.clone(),
        revision: item.revision,
        verdict: Verdict {
            output: Some(json!({"text": format!("edited by {reviewer}")})),
            action: Some("deny".to_owned()),
            label: None,
            tags: vec!["tone".to_owned()],
            note: Some(format!("note of {reviewer}")),
            to: None,
            ..Verdict::plain(kind)
        },
        at: at(5),
        signature: Some("-----BEGIN SSH SIGNATURE-----".to_owned()),
        undone: false,
        reversal: false,
        agreed: Some(true),
    }
}

/// The entry of a review, and the review.
pub(super) fn reviewed(r: &Review) -> Vec<Op> {
    let text = serde_json::to_vec(&r.verdict).unwrap();
    vec![
        Op::Entry(entry(EntryKind::VERDICT, Some(&r.item), &[("review", &text)])),
        Op::PutReview(Box::new(r.clone())),
    ]
}

/// The item with a verdict in its grace time.
pub(super) fn decided(item: &Item, r: &Review, until: i64) -> Item {
    Item {
        state: ItemState::Decided,
        revision: item.revision + 1,
        pending: Some(Pending {
            request_id: r.request_id.clone(),
            reviewer: r.reviewer.clone(),
            level: r.level,
            verdict: r.verdict.clone(),
            at: r.at,
            until: at(until),
            from: item.state,
        }),
        ..item.clone()
    }
}

/// Whom to give what: the first free item of these queues at wall time `wall`, for 60 s.
pub(super) fn next_for(reviewer: &str, queues: &[&str], wall: i64) -> TakeLease {
    TakeLease {
        reviewer: reviewer.to_owned(),
        item: None,
        queues: queues.iter().map(|q| (*q).to_owned()).collect(),
        most: Vec::new(),
        skip: Vec::new(),
        wall: at(wall),
        until: at(wall + 60),
    }
}

pub(super) fn lease_item(reviewer: &str, id: &str, wall: i64) -> TakeLease {
    TakeLease { item: Some(id.to_owned()), ..next_for(reviewer, &[], wall) }
}

pub(super) fn ask(filter: Filter) -> PageQuery {
    PageQuery { filter, limit: 100, ..PageQuery::default() }
}

/// The ids of a page, in order.
pub(super) fn ids(store: &dyn Store, ask: &PageQuery) -> Vec<String> {
    store.page(ask).unwrap().rows.into_iter().map(|r| r.item.id).collect()
}
