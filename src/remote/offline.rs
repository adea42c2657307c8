//! What can be shown and taken while the desk is out of reach: the items in hand.

use jiff::SignedDuration;
use serde_json::Value;

use crate::domain::{ItemState, Kind, Timestamp};
use crate::protocol::{
    Cursor, Draft, Filter, Header, ItemView, LeaseView, Page, PageAsk, ReviewRequest, Reviewed, Row,
};

/// As far as this side can know, what is in hand stays so: a verdict under a granted lease is
/// stored whenever it comes.
const STAYS: SignedDuration = SignedDuration::from_mins(5);

/// The item's lease as it counts while the desk is away.
pub(super) fn in_hand(lease: &LeaseView, now: Timestamp) -> LeaseView {
    let stays = now.checked_add(STAYS).unwrap_or(now);
    LeaseView { until: lease.until.max(stays), ..lease.clone() }
}

/// The item as it was seen last, with what was typed since.
pub(super) fn item(mut view: ItemView, draft: Option<Draft>, now: Timestamp) -> ItemView {
    view.lease = view.lease.map(|lease| in_hand(&lease, now));
    view.draft = draft.or(view.draft);
    view
}

/// The items in hand that pass the filter, as a page: all there is.
pub(super) fn page(header: Option<&Header>, items: &[ItemView], ask: &PageAsk) -> Page {
    let mut rows: Vec<Row> =
        items.iter().map(|view| row(header, view)).filter(|row| passes(&ask.filter, row)).collect();
    rows.sort_by(|a, b| a.cursor.cmp(&b.cursor));
    let total = rows.len() as u64;
    // Places that the desk named mean nothing here: there is one page of what is in hand.
    let ours = |c: &&Cursor| c.0.contains('/');
    if let Some(after) = ask.after.as_ref().filter(ours) {
        rows.retain(|r| r.cursor > *after);
    }
    if let Some(before) = ask.before.as_ref().filter(ours) {
        rows.retain(|r| r.cursor < *before);
    }
    rows.truncate(ask.limit.max(1));
    Page { items: rows, next: None, total, scanned: 0 }
}

fn passes(filter: &Filter, row: &Row) -> bool {
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
    is(&filter.queue, &row.queue)
        && is(&filter.domain, &row.domain)
        && is(&filter.rule, &row.rule)
        && filter.level.is_none_or(|level| level == row.level)
        && filter.model.as_deref().is_none_or(|m| row.model.starts_with(&m.replace('@', " ")))
        && filter.text.as_deref().is_none_or(|t| row.id.contains(t) || row.reason.contains(t))
}

/// The row of an item, from the item itself.
fn row(header: Option<&Header>, view: &ItemView) -> Row {
    let text = |path: &str| view.record.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let number = |path: &str| view.record.pointer(path).and_then(Value::as_f64);
    let queue = header.and_then(|h| h.queues.iter().find(|q| q.name == view.queue));
    let faulty = view.kind == Kind::Quarantine;
    let action = view.current.as_ref().map(|c| c.action.clone());
    // As in the queue: first due first, what has no clock last.
    let due = view.due_at.map_or(i64::MAX, Timestamp::as_millisecond);
    Row {
        id: view.id.clone(),
        queue: view.queue.clone(),
        state: view.state,
        kind: view.kind,
        due_at: view.due_at,
        level: queue.map_or(1, |q| q.level),
        business_impact: number("/business_impact"),
        confidence: number("/confidence").filter(|_| !view.blind),
        domain: text("/domain").to_owned(),
        action: action.filter(|a| !(view.blind || faulty && a.is_empty())),
        model: format!("{} {}", text("/model/name"), text("/model/version")).trim().to_owned(),
        rule: view.route.rule.clone(),
        reason: view.route.reason.clone(),
        revision: view.revision,
        priority: 0,
        leased_by: view.lease.as_ref().map(|l| l.reviewer.clone()),
        blind: view.blind,
        cursor: Cursor(format!("{:020}/{}", due.max(0), view.id)),
    }
}

/// What is answered to a verdict that waits here.
pub(super) fn unsent(request: &ReviewRequest, view: &ItemView) -> Reviewed {
    let state = ItemState::Decided;
    Reviewed { state, unsent: true, ..taken_back(request, Some(view)) }
}

/// What is answered when a verdict is taken back before it was sent.
pub(super) fn taken_back(request: &ReviewRequest, view: Option<&ItemView>) -> Reviewed {
    Reviewed {
        id: request.item.clone(),
        state: view.map_or(ItemState::Waiting, |v| v.state),
        queue: view.map(|v| v.queue.clone()).unwrap_or_default(),
        revision: request.revision.unwrap_or(0),
        until: None,
        duplicate: false,
        effects: Vec::new(),
        clash: None,
        unsent: false,
    }
}

/// What was said, as a draft: a verdict that the desk did not take is not typed twice.
pub(super) fn draft_of(request: &ReviewRequest) -> Draft {
    let verdict = &request.verdict;
    Draft {
        output: verdict.output.as_ref().map(|o| match o {
            Value::String(text) => text.clone(),
            other => serde_json::to_string_pretty(other).unwrap_or_default(),
        }),
        action: verdict.action.clone().or_else(|| verdict.label.clone()),
        tags: verdict.tags.clone(),
        note: verdict.note.clone(),
        verdict: Some(verdict.verdict.as_str().to_owned()),
        to: verdict.to.clone(),
    }
}
