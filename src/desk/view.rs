//! What a reviewer may see of an item: blind proposals withheld, redacted paths covered.

use super::core::{Core, Sight, no_decision, record_value, refuse};
use super::cover::Cover;
use super::lease::lease_view;
use super::reopen::done;
use crate::audit::{Hash, view_hash};
use crate::domain::{
    Content, DATAOPS, Item, ItemState, Kind, Review, Route, Timestamp, VerdictKind,
};
use crate::protocol::{GuidelineView, ItemView, Refused};
use crate::store::StoredDecision;
use serde_json::Value;

/// Fields that give a proposal away.
const PROPOSAL: [&str; 7] =
    ["action", "output", "confidence", "ensemble", "rationale", "attributions", "logits"];

/// The parts of a view that depend on who looks.
struct Shown {
    blind: bool,
    record: Value,
    current: Option<Content>,
    reviews: Vec<Review>,
    handed_over: Option<Content>,
    route: Route,
}

impl Core {
    /// One item in full, as far as `by` may see it.
    pub(super) fn item(&self, by: &str, id: &str) -> Result<ItemView, Refused> {
        self.actor(by)?;
        let sight = self.sight()?;
        let stored = self.store.decision(id).map_err(refuse)?.ok_or_else(|| no_decision(id))?;
        let item = stored.item.clone().unwrap_or_else(|| settled(&stored));
        self.view_of(&sight, &stored, &item, by)
    }

    /// Is the proposal withheld from `by`?
    pub(super) fn withheld(&self, item: &Item, by: &str) -> Result<bool, Refused> {
        Ok(item.blind
            && item.state != ItemState::Settled
            && self.store.blind_answer(&item.id, by).map_err(refuse)?.is_none())
    }

    /// What `by` may see: redacted paths covered, a blind proposal withheld.
    fn shown(
        &self,
        sight: &Sight,
        stored: &StoredDecision,
        item: &Item,
        by: &str,
    ) -> Result<Shown, Refused> {
        let blind = self.withheld(item, by)?;
        let mut reviews = self.store.reviews(&item.id).map_err(refuse)?;
        let counting = self.counting(&item.id, reviews.clone())?;
        let mut record = record_value(stored.raw.as_deref());
        let cover = sight.cover();
        let mut current = content(cover, &record, item, &counting, stored.facts.now);
        let mut handed_over = handed_over(&counting, current.as_ref());
        let mut route = stored.route.clone();
        cover.record(&mut record);
        for content in [&mut current, &mut handed_over].into_iter().flatten() {
            cover.sent(&mut content.output);
        }
        for review in &mut reviews {
            if let Some(output) = &mut review.verdict.output {
                cover.sent(output);
            }
        }
        if blind {
            withhold(&mut record);
            current = None;
            handed_over = None;
            reviews.clear();
            withhold_route(&mut route);
        }
        Ok(Shown { blind, record, current, reviews, handed_over, route })
    }

    /// The hash of what `by` is shown ([`ItemView::seen`], before hex).
    pub(super) fn view_hash(
        &self,
        sight: &Sight,
        stored: &StoredDecision,
        item: &Item,
        by: &str,
    ) -> Result<Hash, Refused> {
        let shown = self.shown(sight, stored, item, by)?;
        Ok(seen(item, &shown.record, shown.current.as_ref()))
    }

    fn view_of(
        &self,
        sight: &Sight,
        stored: &StoredDecision,
        item: &Item,
        by: &str,
    ) -> Result<ItemView, Refused> {
        let policy = sight.policy.as_deref();
        let Shown { blind, record, current, reviews, handed_over, route } =
            self.shown(sight, stored, item, by)?;
        let erased = stored.raw.is_none();

        let action = current.as_ref().map(|c| c.action.clone()).unwrap_or_default();
        let guideline = policy
            .and_then(|p| p.guideline(&stored.columns.domain, if blind { "" } else { &action }))
            .map(|g| GuidelineView {
                domain: g.domain.clone(),
                action: g.action.clone(),
                text: g.text.clone(),
            });
        let seen = hex::encode(seen(item, &record, current.as_ref()));
        let usual = self.usual(&stored.columns, &record);
        Ok(ItemView {
            id: item.id.clone(),
            record,
            state: item.state,
            kind: item.kind,
            queue: item.queue.clone(),
            entered_at: item.entered_at,
            due_at: item.due_at,
            revision: item.revision,
            approvals_needed: if item.state == ItemState::Settled {
                Vec::new()
            } else {
                item.missing().into_iter().map(str::to_owned).collect()
            },
            current,
            reviews,
            lease: self
                .store
                .lease_of(&item.id, sight.wall)
                .map_err(refuse)?
                .map(|lease| lease_view(lease, by, &sight.snapshot.key)),
            clash: if item.state.is_open() && !blind { self.clash_of(&item.id)? } else { None },
            pending: item.pending.as_ref().map(|p| (p.reviewer.clone(), p.until)),
            faults: if item.kind == Kind::Quarantine { route.faults.clone() } else { Vec::new() },
            route,
            blind,
            sample: item.sample.clone(),
            guideline,
            signed: policy.and_then(|p| p.queue(&item.queue)).is_some_and(|q| q.signed),
            draft: self.draft_of(by, &item.id)?,
            handed_over,
            seen,
            erased,
            usual,
            frozen_by: frozen_by(sight, stored, item),
            covered: sight.cover().why(),
        })
    }
}

/// The freeze that holds an item, while both are there.
fn frozen_by(sight: &Sight, stored: &StoredDecision, item: &Item) -> Option<String> {
    let found = &stored.facts.containment.as_ref()?.freeze.as_ref()?.id;
    let holds = |c: &crate::containment::Control| c.freezes.iter().any(|f| f.id == *found);
    let in_force = sight.control.as_deref().is_none_or(holds);
    (in_force && item.state.is_open()).then(|| found.clone())
}

/// The reason shown on a blind item: the real one would quote the proposal.
pub(super) const BLIND_REASON: &str = "blind review: answer first, then the proposal is shown";

/// Take the proposal out of a record.
pub(super) fn withhold(record: &mut Value) {
    if let Value::Object(map) = record {
        for field in PROPOSAL {
            map.shift_remove(field);
        }
    }
}

/// Take what quotes the proposal out of a route.
pub(super) fn withhold_route(route: &mut Route) {
    route.reason = BLIND_REASON.into();
    route.matched.clear();
}

/// The content that stands: the model's proposal with the edits that made it what it is.
///
/// `record` is uncovered; `since` is when it went through the route (edits before repaired the
/// record, they did not change a proposal).
pub(super) fn content(
    cover: Cover<'_>,
    record: &Value,
    item: &Item,
    reviews: &[Review],
    since: Timestamp,
) -> Option<Content> {
    let mut content = proposed(record)?;
    let Some(last) = &item.content else { return Some(content) };
    let repairs = |r: &Review| r.at < since || (r.queue == DATAOPS && r.at <= since);
    let upto = reviews.iter().position(|r| r.request_id == *last)?;
    // An edit that changes only one part keeps the other as the edits before it left it.
    for one in reviews.iter().take(upto + 1) {
        if one.verdict.verdict != VerdictKind::Edit || one.undone || repairs(one) {
            continue;
        }
        if let Some(action) = &one.verdict.action {
            content.action.clone_from(action);
        }
        if let Some(output) = &one.verdict.output {
            content.output.clone_from(output);
        }
    }
    let mut edited = serde_json::json!({ "output": content.output });
    cover.put_back(record, &mut edited);
    content.output = edited.get_mut("output").map(Value::take).unwrap_or_default();
    Some(content)
}

/// What the model proposed.
pub(super) fn proposed(record: &Value) -> Option<Content> {
    let action = record.get("action")?.as_str()?.to_owned();
    Some(Content { action, output: record.get("output")?.clone() })
}

/// The draft that came along with the last escalation.
fn handed_over(reviews: &[Review], current: Option<&Content>) -> Option<Content> {
    let last = reviews.iter().rev().find(|r| !r.undone)?;
    let verdict = &last.verdict;
    if verdict.verdict != VerdictKind::Escalate
        || (verdict.output.is_none() && verdict.action.is_none())
    {
        return None;
    }
    Some(Content {
        action: verdict
            .action
            .clone()
            .or_else(|| current.map(|c| c.action.clone()))
            .unwrap_or_default(),
        output: verdict
            .output
            .clone()
            .or_else(|| current.map(|c| c.output.clone()))
            .unwrap_or_default(),
    })
}

/// SHA-256 over what was shown: id, revision, record and content, in RFC 8785 form. A signed
/// verdict names it, so that an approval cannot be moved to other content.
fn seen(item: &Item, record: &Value, current: Option<&Content>) -> Hash {
    let shown = serde_json::json!({
        "current": current,
        "id": item.id,
        "record": record,
        "revision": item.revision,
    });
    view_hash(&serde_json_canonicalizer::to_vec(&shown).unwrap_or_default())
}

/// How a decision looks that nobody ever had in hand.
fn settled(stored: &StoredDecision) -> Item {
    let queue = stored.route.queue.as_deref().unwrap_or_default();
    let done = done(&stored.route.id, queue, stored.admitted_at);
    Item { kind: Kind::Review, state: stored.route.state, ..done }
}
