//! Verdicts that were given offline: always stored, then applied, or kept as a clash for a third
//! person.
//!
//! A lease says who works on what now; a verdict from an outbox comes when that is long over. Its
//! grant ([`super::grant`]) proves that it was given by right. If nobody decided meanwhile it takes
//! effect as if it came in time, whoever has the item in hand now. If somebody did, neither verdict
//! counts alone: both are kept (`clash/ID` says which, and is dropped when the third person's takes
//! effect), and what never took effect is remembered (`void/ID`), because the content of an item is
//! what edits that did made of it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::core::{Core, Sight, Trouble, draft, json, refuse};
use super::settle::{reversal, stand};
use crate::audit::{Entry, EntryKind};
use crate::domain::{Clash, Item, Review, Reviewer, Timestamp, VerdictKind, life};
use crate::protocol::{Offline, Refused, ReviewRequest, Reviewed, Why};
use crate::store::{Op, StoredDecision, StoredState, Write};

/// Verdicts that clash, while the item waits for a third person.
const OPEN: &str = "clash/";
/// Request ids of verdicts on an item that never took effect.
const VOID: &str = "void/";
/// Entries of an item read at a time.
const PAGE: usize = 1_000;

fn open_key(id: &str) -> String {
    format!("{OPEN}{id}")
}

fn void_key(id: &str) -> String {
    format!("{VOID}{id}")
}

fn read<T: DeserializeOwned>(state: &StoredState) -> Result<T, Refused> {
    serde_json::from_slice(&state.value).map_err(|e| {
        Refused::new(Why::Damaged, format!("a clash in the store cannot be read: {e}"))
            .hint("keep the store as it is; overrule audit verify says what still holds")
    })
}

/// A list of words for the trail: names may hold commas.
fn as_text(words: &[String]) -> Result<String, Refused> {
    Ok(String::from_utf8_lossy(&json(&words)?).into_owned())
}

fn put<T: Serialize>(key: String, value: &T) -> Result<Op, Refused> {
    Ok(Op::PutState { key, value: Some(json(value)?) })
}

impl Core {
    /// The verdicts on this item that clash, while nobody has decided between them.
    pub(super) fn clash_of(&self, id: &str) -> Result<Option<Clash>, Refused> {
        let state = self.store.state(&open_key(id)).map_err(refuse)?;
        state.as_ref().map(read).transpose()
    }

    /// Items that `by` may not take, because a verdict of theirs is one of those that clash. There
    /// are few of them at any time.
    pub(super) fn clashes_with(&self, by: &str) -> Result<Vec<String>, Refused> {
        let mut items = Vec::new();
        for (key, state) in self.store.states(OPEN).map_err(refuse)? {
            if !read::<Clash>(&state)?.lets(by) {
                items.push(key.strip_prefix(OPEN).unwrap_or(&key).to_owned());
            }
        }
        Ok(items)
    }

    /// Of these reviews of an item, those that count for what it is now: not what was kept without
    /// ever taking effect.
    pub(super) fn counting(
        &self,
        id: &str,
        mut reviews: Vec<Review>,
    ) -> Result<Vec<Review>, Refused> {
        // One verdict alone has nothing to clash with.
        if reviews.len() > 1
            && let Some(state) = self.store.state(&void_key(id)).map_err(refuse)?
        {
            let void: Vec<String> = read(&state)?;
            reviews.retain(|r| !void.contains(&r.request_id));
        }
        Ok(reviews)
    }

    /// A verdict took effect: what clashed before it does no more. `before`: reviews of the item.
    pub(super) fn decided_between(
        &self,
        pending: &crate::domain::Pending,
        before: &[Review],
    ) -> Result<Option<Op>, Refused> {
        // Moving it elsewhere decides nothing; and one verdict alone has nothing to clash with.
        let Some(last) = before.last().filter(|_| before.len() > 1) else { return Ok(None) };
        if pending.verdict.verdict == VerdictKind::Escalate {
            return Ok(None);
        }
        let key = open_key(&last.item);
        let open = self.store.state(&key).map_err(refuse)?;
        Ok(open.map(|_| Op::PutState { key, value: None }))
    }

    /// Refuses a request from an outbox whose lease was never granted to `by`.
    pub(super) fn granted(
        &self,
        sight: &Sight,
        by: &str,
        item: &Item,
        request: &ReviewRequest,
        offline: &Offline,
    ) -> Result<(), Refused> {
        if let Some(seen) = request.revision.filter(|seen| *seen > item.revision) {
            return Err(Refused::new(
                Why::Invalid,
                format!(
                    "{} is at revision {}: nobody can have seen {seen}",
                    item.id, item.revision
                ),
            )
            .hint("a verdict from an outbox names the revision that the lease was shown with"));
        }
        let key = &sight.snapshot.key;
        let held = request.lease.is_some_and(|epoch| {
            super::grant::holds(key, &request.item, by, epoch, &offline.grant)
        });
        if held && request.revision.is_some() {
            return Ok(());
        }
        Err(Refused::new(
            Why::LeaseLost,
            format!("{} was not leased to {by} as this verdict says", request.item),
        )
        .hint("a verdict from an outbox names the lease it was made under, its grant and the revision seen"))
    }

    /// What others said of the item since the revision that `request` saw. Where a verdict took
    /// effect is what counts, not what its author saw: one from an outbox comes later than that.
    fn since(&self, request: &ReviewRequest) -> Result<Vec<Review>, Refused> {
        let seen = request.revision.unwrap_or(0);
        let mut reviews = self.store.reviews(&request.item).map_err(refuse)?;
        reviews.retain(|r| !r.undone);
        if reviews.is_empty() {
            return Ok(reviews);
        }
        let stood = self.stood(&request.item)?;
        // One that the trail does not place counts.
        reviews.retain(|r| stood.get(&r.request_id).is_none_or(|at| *at >= seen));
        Ok(reviews)
    }

    /// The revision that an item had when each of its verdicts came, by request id, as its entries
    /// tell: they name the one that a verdict left.
    pub(super) fn stood(&self, id: &str) -> Result<BTreeMap<String, u64>, Refused> {
        let (mut stood, mut from) = (BTreeMap::new(), 0);
        loop {
            let page = self.store.entries(Some(id), from, PAGE).map_err(refuse)?;
            let Some((last, _)) = page.last() else { return Ok(stood) };
            from = last + 1;
            for (index, bytes) in &page {
                let entry = Entry::parse(bytes).map_err(|e| {
                    Refused::new(Why::Damaged, format!("entry {index} is damaged: {e}"))
                        .hint("overrule audit verify says what is wrong with the trail")
                })?;
                // What is kept without taking effect moves the item with the clash it makes.
                let moves = entry.t == EntryKind::VERDICT || entry.t == EntryKind::CLASH;
                if let (true, Some(request), Some(left)) = (moves, entry.req, entry.rev) {
                    stood.insert(request, left.saturating_sub(1));
                }
            }
        }
    }

    /// A verdict from an outbox is kept beside others where somebody decided meanwhile. `None`:
    /// nobody did.
    pub(super) fn overtaken(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        (stored, item): (&StoredDecision, &Item),
        request: &ReviewRequest,
        now: Timestamp,
    ) -> Result<Option<Reviewed>, Trouble> {
        let since = self.since(request)?;
        if since.is_empty() {
            return Ok(None);
        }
        self.keep_late(sight, actor, (stored, item), request, &since, "decided meanwhile", now)
            .map(Some)
    }

    /// Store a verdict that cannot take effect, and put the item before somebody else.
    #[allow(clippy::too_many_arguments, reason = "the parts of one write")]
    pub(super) fn keep_late(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        (stored, item): (&StoredDecision, &Item),
        request: &ReviewRequest,
        since: &[Review],
        why: &str,
        now: Timestamp,
    ) -> Result<Reviewed, Trouble> {
        let by = actor.name.as_str();
        let id = item.id.as_str();
        let queue = self.given_in(request, item)?;
        // A policy that no longer names the queue has no place for it there.
        let known = sight.policy.as_ref().is_none_or(|p| p.queue(&queue).is_some());
        let queue = if known { queue } else { item.queue.clone() };
        let signed = self.signed_late(sight, actor, stored, item, request)?;
        let next = life::contest(item, &queue, now, |q| sight.terms(q, now));
        let review = Review {
            request_id: request.request_id.clone(),
            item: id.to_owned(),
            reviewer: by.to_owned(),
            level: actor.level,
            queue,
            revision: request.revision.unwrap_or(0),
            verdict: request.verdict.clone(),
            at: now,
            signature: request.signature.clone().filter(|_| signed),
            undone: false,
            reversal: reversal(item, request.verdict.verdict),
            agreed: None,
        };
        let open = self.store.state(&open_key(id))?;
        let voided = self.store.state(&void_key(id))?;
        let mut clash: Clash = open.as_ref().map(read).transpose()?.unwrap_or_default();
        let mut void: Vec<String> = voided.as_ref().map(read).transpose()?.unwrap_or_default();
        for other in since {
            clash.add(&other.request_id, &other.reviewer);
        }
        clash.add(&review.request_id, by);
        void.extend(item.pending.as_ref().map(|p| p.request_id.clone()));
        void.push(review.request_id.clone());

        let mut verdict = Entry::new(EntryKind::VERDICT, by, now, sight.wall);
        verdict.id = Some(id.to_owned());
        verdict.req = Some(review.request_id.clone());
        verdict.verdict = Some(review.verdict.verdict);
        if let Some(offline) = &request.offline {
            verdict.d.insert("offline".into(), super::core::millis(offline.at).to_string());
        }
        verdict.d.insert("kept".into(), why.to_owned());
        let mut bodies = vec![("review".to_owned(), json(&review)?)];
        // What was sent as a signature is kept as what it is.
        if let Some(sent) = request.signature.as_ref().filter(|_| !signed) {
            verdict.d.insert("signature".into(), "does not hold".into());
            bodies.push(("signature".to_owned(), sent.clone().into_bytes()));
        }
        let mut contested = Entry::new(EntryKind::CLASH, "system", now, sight.wall);
        stand(&mut contested, &next);
        contested.req = Some(review.request_id.clone());
        contested.d.insert("people".into(), as_text(&clash.people)?);
        contested.d.insert("reviews".into(), as_text(&clash.reviews)?);

        let mut premises = sight.premises();
        premises.actor = Some((actor.name.clone(), actor.version));
        premises.item = Some((id.to_owned(), item.revision));
        premises.state = vec![
            (open_key(id), open.map_or(0, |s| s.version)),
            (void_key(id), voided.map_or(0, |s| s.version)),
        ];
        let ops = vec![
            Op::Entry(draft(verdict, bodies)?),
            Op::PutReview(Box::new(review)),
            Op::Entry(draft(contested, Vec::new())?),
            Op::EndLease { item: id.to_owned() },
            Op::DropDraft { item: id.to_owned(), reviewer: by.to_owned() },
            Op::PutItem { level: sight.level(&next.queue), item: Box::new(next.clone()) },
            put(open_key(id), &clash)?,
            put(void_key(id), &void)?,
        ];
        self.commit(Write { premises, now, ops })?;
        Ok(Reviewed {
            effects: vec![told(&clash, by, since, why)],
            clash: Some(clash),
            ..super::review::reviewed(&next)
        })
    }

    /// The queue in which the verdict was given: where the item stood at the revision seen.
    fn given_in(&self, request: &ReviewRequest, item: &Item) -> Result<String, Refused> {
        let since = self.since(request)?;
        Ok(since.first().map_or_else(|| item.queue.clone(), |r| r.queue.clone()))
    }

    /// The clash that a verdict which is stored already is part of: it may be told again.
    pub(super) fn kept_with(&self, request: &ReviewRequest) -> Result<Option<Clash>, Refused> {
        let void = self.store.state(&void_key(&request.item)).map_err(refuse)?;
        let void: Vec<String> = void.as_ref().map(read).transpose()?.unwrap_or_default();
        if !void.contains(&request.request_id) {
            return Ok(None);
        }
        if let Some(open) = self.clash_of(&request.item)? {
            return Ok(Some(open));
        }
        let mut clash = Clash::default();
        for other in self.since(request)? {
            clash.add(&other.request_id, &other.reviewer);
        }
        Ok(Some(clash))
    }
}

/// What became of it, for whoever gave the verdict.
fn told(clash: &Clash, by: &str, since: &[Review], why: &str) -> String {
    let others: Vec<String> = since
        .iter()
        .filter(|r| r.reviewer != by)
        .map(|r| format!("{} said {} meanwhile", r.reviewer, r.verdict.verdict.as_str()))
        .collect();
    match (others.is_empty(), clash.people.len() > 1) {
        (false, _) => {
            format!("{}: both verdicts are kept, and a third person decides", others.join(" and "))
        }
        (true, true) => "it is kept beside the others, and another person decides".to_owned(),
        (true, false) => format!("it is kept, and another person decides: {why}"),
    }
}
