//! What happens when a grace time is over: the verdict takes effect, once.

mod effects;
mod readmit;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::admit::short;
use super::contain::{EffectSubject, canary_verdict};
use super::core::{Core, Sight, Trouble, draft, refuse};
use crate::audit::{Entry, EntryKind};
use crate::domain::life::{self, Commit, Effect};
use crate::domain::record::{self, Limits};
use crate::domain::{
    Content, Decision, Fault, Item, ItemState, Kind, Outcome, Pending, Review, Timestamp,
    VerdictKind,
};
use crate::policy::Firing;
use crate::protocol::{Refused, Why};
use crate::store::{Op, StoredDecision, Write};
pub(super) use effects::{at_once, fire, spelled, words};
use readmit::readmit;
pub(super) use readmit::repaired;

/// How many due things one tick does before it looks again.
const BATCH: usize = 256;

/// Where an item stands, in an entry.
pub(super) fn stand(entry: &mut Entry, item: &Item) {
    entry.id = Some(item.id.clone());
    entry.state = Some(item.state);
    entry.rev = Some(item.revision);
    entry.queue = Some(item.queue.clone());
}

/// What a verdict did when its grace time was over: the operations of one write, the item they
/// leave, and what the policy set off, in words.
pub(super) struct Release {
    pub(super) ops: Vec<Op>,
    pub(super) item: Item,
    pub(super) words: Vec<String>,
    /// Small states it was decided on: premises of its write.
    pub(super) state: Vec<(String, u64)>,
}

/// Everything a pending verdict does now that its grace time is over, as operations of one write,
/// its own or another; and the item it leaves.
pub(super) fn release(
    core: &Core,
    sight: &Sight,
    stored: &StoredDecision,
    item: &Item,
    reviews: &[Review],
    (commit, now): (Commit, Timestamp),
) -> Result<Option<Release>, Refused> {
    let Some(pending) = &item.pending else { return Ok(None) };
    let released = life::release(item, commit, now, |q| sight.terms(q, now));
    let Some((mut next, effect)) = released else { return Ok(None) };
    let verdict = &pending.verdict;
    if effect == Effect::Readmit {
        let mut done = readmit(core, sight, stored, item, next, now)?;
        done.ops.extend(core.decided_between(pending, reviews)?);
        return Ok(Some(done));
    }
    let mut entry = Entry::new(
        match effect {
            Effect::Released | Effect::Refused | Effect::Readmit => EntryKind::SETTLE,
            Effect::NextStage => EntryKind::STAGE,
            Effect::Moved => EntryKind::MOVE,
        },
        pending.reviewer.as_str(),
        now,
        sight.wall,
    );
    entry.req = Some(pending.request_id.clone());
    entry.verdict = Some(verdict.verdict);
    stand(&mut entry, &next);
    if next.state != ItemState::Settled {
        // It has left the queue whose clock ran: what follows the log reads the clock here.
        let mut tell = |key: &str, at: Timestamp| {
            entry.d.insert(key.to_owned(), at.as_millisecond().to_string());
        };
        tell("entered", item.entered_at);
        if let Some(due) = item.due_at {
            tell("due", due);
        }
    }
    let example = example(&next, pending, effect, reviews);
    if let Some(request_id) = &example {
        entry.d.insert("example".into(), request_id.clone());
    }
    let mut ops = vec![Op::Entry(draft(entry, Vec::new())?)];
    ops.extend(core.decided_between(pending, reviews)?);
    let (mut words, mut state) = (Vec::new(), Vec::new());
    if let Some(request_id) = example {
        ops.push(Op::PutCorrection { item: next.id.clone(), request_id, at: now });
    }
    if next.state == ItemState::Settled {
        let counting = core.counting(&item.id, reviews.to_vec())?;
        ops.extend(settled(sight, stored, &next, pending, effect, &counting, now));
    }
    if let Ok(d) = decision_of(stored)
        && let Some(policy) = &sight.policy
    {
        let review = crate::policy::ReviewFacts {
            verdict: verdict.verdict,
            tags: verdict.tags.clone(),
            level: pending.level,
            reviewer: pending.reviewer.clone(),
            reversal: reversal(item, verdict.verdict),
        };
        let firings: Vec<Firing> = policy
            .on_review(&d, &review)
            .into_iter()
            .map(|f| Firing {
                actions: f.actions.into_iter().filter(|a| !at_once(a)).collect(),
                ..f
            })
            .filter(|f| !f.actions.is_empty())
            .collect();
        let about = EffectSubject { id: &item.id, decision: Some(&d), level: pending.level };
        let fired = fire(core, sight, &about, Some(&next), &firings, "policy", now)?;
        words = fired.words;
        ops.extend(fired.ops);
        next = fired.item.unwrap_or(next);
        if verdict.verdict != VerdictKind::Escalate
            && let Some((more, premise)) =
                canary_verdict(core, sight, &d, verdict.verdict.overrides(), now)?
        {
            ops.extend(more);
            state.push(premise);
        }
    }
    ops.push(Op::PutItem { level: sight.level(&next.queue), item: Box::new(next.clone()) });
    Ok(Some(Release { ops, item: next, words, state }))
}

/// A verdict that overrules a decision which is done already.
pub(super) fn reversal(item: &Item, verdict: VerdictKind) -> bool {
    item.kind == Kind::Retrospective && verdict.overrides()
}

/// The review that a settled item leaves behind as a labelled example, if any. An approval after a
/// rejection is one: it takes the rejection back, which is an example already.
fn example(next: &Item, pending: &Pending, effect: Effect, reviews: &[Review]) -> Option<String> {
    let rejected_before = reviews.iter().any(|r| {
        !r.undone && r.request_id != pending.request_id && r.verdict.verdict == VerdictKind::Reject
    });
    match (effect, &next.content) {
        _ if next.state != ItemState::Settled || next.kind == Kind::Quarantine => None,
        (Effect::Refused, _) => Some(pending.request_id.clone()),
        _ if rejected_before => Some(pending.request_id.clone()),
        (_, Some(edit)) => Some(edit.clone()),
        (_, None) if next.sample.is_some() && next.kind == Kind::Retrospective => {
            Some(pending.request_id.clone())
        }
        (_, None) => None,
    }
}

/// What a settled item leaves behind: word to the waiting caller.
fn settled(
    sight: &Sight,
    stored: &StoredDecision,
    next: &Item,
    pending: &Pending,
    effect: Effect,
    reviews: &[Review],
    now: Timestamp,
) -> Vec<Op> {
    let mut ops = Vec::new();
    let rejected_before = reviews
        .iter()
        .rfind(|r| !r.undone && r.request_id != pending.request_id)
        .is_some_and(|r| r.verdict.verdict == VerdictKind::Reject);
    let outcome = match (effect, &next.content) {
        (Effect::Refused, _) => "rejected",
        (_, Some(_)) => "edited",
        (_, None) => "accepted",
    };
    let after_the_fact = next.kind == Kind::Retrospective;
    let reversal = after_the_fact && (pending.verdict.verdict.overrides() || rejected_before);
    // The caller knows already what was done; a review that confirms it is no news. What must not
    // be done is never answered as accepted.
    let news = !after_the_fact || reversal;
    let may_be_done = !matches!(stored.route.outcome, Outcome::Block | Outcome::Fallback);
    if news && (may_be_done || effect == Effect::Refused) {
        let record = super::core::record_value(stored.raw.as_deref());
        let content = super::view::content(sight.cover(), &record, next, reviews, stored.facts.now);
        ops.extend(reply(&record, next, outcome, content, reversal, Some(pending), now));
    }
    ops
}

/// Word to the workflow that waits, if the record names one.
fn reply(
    record: &Value,
    item: &Item,
    outcome: &str,
    content: Option<Content>,
    reversal: bool,
    pending: Option<&Pending>,
    now: Timestamp,
) -> Option<Op> {
    let to = record.get("reply").filter(|r| !r.is_null())?;
    let (action, output) = content.map(|c| (c.action, c.output)).unzip();
    // Whose approval it has is told by level and queue: names are nobody's business outside.
    let approvals: Vec<&str> = item
        .approvals
        .iter()
        .filter(|a| a.content == item.content)
        .map(|a| a.queue.as_str())
        .collect();
    Some(Op::PutEffect {
        key: format!("reply:{}:{}", item.id, item.revision),
        kind: "reply".into(),
        item: item.id.clone(),
        payload: json!({
            "reply": to,
            "id": item.id,
            "outcome": outcome,
            "reversal": reversal,
            "action": action,
            "output": output,
            "label": pending.and_then(|p| p.verdict.label.clone()),
            "level": pending.map(|p| p.level),
            "approvals": approvals,
            "at": now,
        }),
    })
}

/// The decision in a stored record; its faults where it has any.
pub(super) fn decision_of(stored: &StoredDecision) -> Result<Decision, Vec<Fault>> {
    let raw = stored.raw.as_deref().unwrap_or_default();
    let limits = Limits::default();
    let of_reply = |f: &Fault| f.path.starts_with("reply.") || f.path == "reply";
    match record::decision(raw, &limits) {
        // It was taken when nobody looked at replies, and is what it was.
        Err(faults) if stored.route.faults.is_empty() && faults.iter().all(of_reply) => {
            record::decision_whatever_its_reply(raw, &limits)
        }
        found => found,
    }
}

impl Core {
    /// Let what is due happen: grace times, whoever ticks, and what one process at a time does
    /// ([`super::watch`]). Returns how much happened.
    pub(super) fn tick(&self) -> Result<u64, Refused> {
        let settled = self.graces();
        // Verdicts that cannot take effect hold up nothing else that is due.
        let happened = self.watch()?;
        Ok(settled? + happened.len() as u64)
    }

    /// Let verdicts whose grace time is over take effect. Any process may call it at any time: each
    /// item's release is one commit with the item's revision as a premise, so it happens once.
    /// Returns how many did.
    pub(super) fn graces(&self) -> Result<u64, Refused> {
        let mut done = 0;
        // Those that did not go on, this time: they are looked past.
        let mut stuck: BTreeSet<String> = BTreeSet::new();
        loop {
            let sight = self.sight()?;
            let most = BATCH + stuck.len();
            let due = self.store.graces_over(sight.wall, most).map_err(refuse)?;
            let full = due.len() == most;
            for item in due {
                if stuck.contains(&item.id) {
                    continue;
                }
                match self.release_one(&item) {
                    Ok(true) => done += 1,
                    Ok(false) => drop(stuck.insert(item.id)),
                    // One item that cannot go on holds up no other.
                    Err(refused) if refused.kind == Why::Unavailable => return Err(refused),
                    Err(refused) => {
                        tracing::error!(item = item.id, why = refused.message, "cannot release");
                        stuck.insert(item.id);
                    }
                }
            }
            if !full {
                break;
            }
        }
        let head = self.store.head().map_err(refuse)?;
        self.keys.checkpoint_if_due(&self.store, head, self.wall_now());
        Ok(done)
    }

    /// Release one pending verdict; `false` when somebody else already did.
    fn release_one(&self, item: &Item) -> Result<bool, Refused> {
        self.retry(|sight| {
            let Some(stored) = self.store.decision(&item.id)? else { return Ok(false) };
            let Some(now) = &stored.item else { return Ok(false) };
            if now.revision != item.revision {
                return Ok(false);
            }
            let reviews = self.store.reviews(&item.id)?;
            let at = sight.now;
            let done = release(self, sight, &stored, now, &reviews, (Commit::Later, at))?;
            let Some(Release { mut ops, state, .. }) = done else { return Ok(false) };
            sight.settings(&mut ops)?;
            let mut premises = sight.premises();
            premises.state = state;
            premises.item = Some((item.id.clone(), item.revision));
            self.commit(Write { premises, now: at, ops }).map_err(Trouble::from)?;
            Ok(true)
        })
    }
}

/// What a policy hash looks like in an entry.
pub(super) fn policy_word(sight: &Sight) -> Option<String> {
    sight.snapshot.policy.as_deref().map(short)
}
