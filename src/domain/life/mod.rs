//! The life of an item as a pure state machine: item and event in, next item out.
//!
//! ```text
//! waiting ── verdict ──▶ decided ── grace over ──▶ awaiting_approval (next stage) | settled
//!    ▲                      │                                │
//!    └──────── undo ────────┘        settled ── flag ──▶ waiting (retrospective)
//! ```
//!
//! A verdict changes nothing but `state`, `pending` and `revision` until its grace time is over:
//! undo can therefore put the item back exactly where it was. Who may do what is `authority`'s
//! business; what cannot be, whoever asks, is refused here.

use thiserror::Error;

use super::{Approval, Item, ItemState, Kind, Pending, Timestamp, Verdict, VerdictKind};

/// Why an event does not fit the item's state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LifeError {
    #[error("{id} is {state}, not waiting for a verdict", state = state.as_str())]
    NotOpen { id: String, state: ItemState },
    #[error("{id} has changed: you saw revision {seen}, it is at {now}")]
    Stale { id: String, seen: u64, now: u64 },
    #[error("{id} is a broken record: repair it with an edit, or reject it")]
    Quarantined { id: String },
    #[error(
        "{reviewer} has already approved {id} for {queue}; another person must approve for {here}"
    )]
    CountsOnce { id: String, reviewer: String, queue: String, here: String },
    #[error("an edit of {id} must change the output, the action, or both")]
    EmptyEdit { id: String },
    #[error("escalating {id} needs a queue to go to")]
    NoTarget { id: String },
    #[error("{id} is already in {queue}")]
    SameQueue { id: String, queue: String },
    #[error(
        "there is no verdict on {id} to take back: its grace time is over, or nobody decided it"
    )]
    NothingToUndo { id: String },
    #[error("the last verdict on {id} is {reviewer}'s; only they can take it back")]
    NotYours { id: String, reviewer: String },
    #[error("{id} is {state}; only a settled decision can be flagged", state = state.as_str())]
    NotSettled { id: String, state: ItemState },
}

/// Who acts, as far as the life of an item cares.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    pub name: &'a str,
    pub level: u8,
}

/// What the policy says of a queue an item may enter.
#[derive(Clone, Copy, Debug)]
pub struct QueueTerms {
    pub level: u8,
    /// When an item entering now is due; `None` where the queue has no SLA.
    pub due_at: Option<Timestamp>,
}

/// Which commit a verdict takes effect in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Its own: there is no grace time, and it has raised the revision already.
    Verdicts,
    /// A later one, which raises the revision: an undo that saw the verdict wait comes too late.
    Later,
}

/// What a verdict did when its grace time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Every required level approved the content that stands.
    Released,
    /// Rejected: settled without being done.
    Refused,
    /// Waits for the next required level.
    NextStage,
    /// Moved to another queue.
    Moved,
    /// A repaired record: it goes through the route again.
    Readmit,
}

/// A verdict on `item`: durable, its effects held until wall time `until`.
///
/// `seen` is the revision the reviewer saw.
pub fn decide(
    item: &Item,
    verdict: Verdict,
    by: By<'_>,
    request_id: &str,
    seen: u64,
    at: Timestamp,
    until: Timestamp,
) -> Result<Item, LifeError> {
    let id = || item.id.clone();
    if item.revision != seen {
        return Err(LifeError::Stale { id: id(), seen, now: item.revision });
    }
    if !item.state.is_open() {
        return Err(LifeError::NotOpen { id: id(), state: item.state });
    }
    match verdict.verdict {
        VerdictKind::Accept if item.kind == Kind::Quarantine => {
            return Err(LifeError::Quarantined { id: id() });
        }
        VerdictKind::Accept => {
            if let Some(a) = counted(item, by.name) {
                return Err(LifeError::CountsOnce {
                    id: id(),
                    reviewer: by.name.to_owned(),
                    queue: a.queue.clone(),
                    here: item.queue.clone(),
                });
            }
        }
        VerdictKind::Edit if verdict.output.is_none() && verdict.action.is_none() => {
            return Err(LifeError::EmptyEdit { id: id() });
        }
        VerdictKind::Escalate => match verdict.to.as_deref() {
            None => return Err(LifeError::NoTarget { id: id() }),
            Some(to) if to == item.queue => {
                return Err(LifeError::SameQueue { id: id(), queue: to.to_owned() });
            }
            Some(_) => {}
        },
        VerdictKind::Edit | VerdictKind::Reject => {}
    }
    let mut next = item.clone();
    next.pending = Some(Pending {
        request_id: request_id.to_owned(),
        reviewer: by.name.to_owned(),
        level: by.level,
        verdict,
        at,
        until,
        from: item.state,
    });
    next.state = ItemState::Decided;
    next.revision += 1;
    Ok(next)
}

/// The approval by which `reviewer` already counts for the content that stands, if any.
fn counted<'a>(item: &'a Item, reviewer: &str) -> Option<&'a Approval> {
    item.approvals.iter().find(|a| a.reviewer == reviewer && a.content == item.content)
}

/// Take the pending verdict back: the item is where it was, with its old clock.
pub fn undo(item: &Item, by: &str, wall: Timestamp) -> Result<Item, LifeError> {
    let nothing = || LifeError::NothingToUndo { id: item.id.clone() };
    let pending = item.pending.as_ref().ok_or_else(nothing)?;
    if pending.reviewer != by {
        return Err(LifeError::NotYours {
            id: item.id.clone(),
            reviewer: pending.reviewer.clone(),
        });
    }
    if wall >= pending.until {
        return Err(nothing());
    }
    let mut next = item.clone();
    next.state = pending.from;
    next.pending = None;
    next.revision += 1;
    Ok(next)
}

/// The grace time is over: the pending verdict takes effect at desk time `now`.
///
/// `commit` says whether the revision has risen in it already. `terms` answers what the policy says
/// of a queue (its level, and when an item entering now is due). Returns `None` when nothing is pending.
pub fn release(
    item: &Item,
    commit: Commit,
    now: Timestamp,
    terms: impl Fn(&str) -> QueueTerms,
) -> Option<(Item, Effect)> {
    let pending = item.pending.clone()?;
    let mut next = item.clone();
    next.pending = None;
    next.revision += match commit {
        Commit::Verdicts => 0,
        Commit::Later => 1,
    };
    let effect = match pending.verdict.verdict {
        VerdictKind::Reject => {
            next.state = ItemState::Settled;
            Effect::Refused
        }
        VerdictKind::Escalate => {
            let to = pending.verdict.to.clone().unwrap_or_else(|| item.queue.clone());
            next.state = ItemState::Waiting;
            enter(&mut next, &to, now, &terms);
            Effect::Moved
        }
        VerdictKind::Edit if item.kind == Kind::Quarantine => {
            next.state = ItemState::Settled;
            Effect::Readmit
        }
        VerdictKind::Edit => {
            next.content = Some(pending.request_id.clone());
            next.approvals.clear();
            approve(&mut next, &pending.reviewer, now, &terms)
        }
        VerdictKind::Accept => approve(&mut next, &pending.reviewer, now, &terms),
    };
    Some((next, effect))
}

/// Count an approval of the content that stands for the queue the item is in, then go on.
fn approve(
    item: &mut Item,
    reviewer: &str,
    now: Timestamp,
    terms: &impl Fn(&str) -> QueueTerms,
) -> Effect {
    // A level counts once for a content: an item sent back to a level that has approved it already
    // goes on from there.
    let counted = item.approvals.iter().any(|a| a.queue == item.queue && a.content == item.content);
    if item.required.contains(&item.queue) && !counted {
        item.approvals.push(Approval {
            queue: item.queue.clone(),
            reviewer: reviewer.to_owned(),
            content: item.content.clone(),
        });
    }
    match item.missing().first().map(|q| (*q).to_owned()) {
        None => {
            item.state = ItemState::Settled;
            Effect::Released
        }
        Some(stage) => {
            item.state = ItemState::AwaitingApproval;
            place(item, &stage, now, terms);
            Effect::NextStage
        }
    }
}

/// Enter `queue` by escalation: upward adds its level's approval to what is required.
fn enter(item: &mut Item, queue: &str, now: Timestamp, terms: &impl Fn(&str) -> QueueTerms) {
    let up = terms(queue).level > terms(&item.queue).level;
    if up && !item.required.iter().any(|q| q == queue) {
        item.required.push(queue.to_owned());
    }
    place(item, queue, now, terms);
}

/// Every entry into a queue starts that queue's clock.
fn place(item: &mut Item, queue: &str, now: Timestamp, terms: &impl Fn(&str) -> QueueTerms) {
    item.queue = queue.to_owned();
    item.entered_at = now;
    item.due_at = terms(queue).due_at;
    item.breached = false;
}

/// Move an open item without a verdict (an SLA escalation, a policy effect). `due_at` overrides
/// the queue's own clock where the effect names one.
pub fn move_to(
    item: &Item,
    queue: &str,
    now: Timestamp,
    due_at: Option<Timestamp>,
    terms: impl Fn(&str) -> QueueTerms,
) -> Result<Item, LifeError> {
    if item.queue == queue {
        return Err(LifeError::SameQueue { id: item.id.clone(), queue: queue.to_owned() });
    }
    let mut next = item.clone();
    match item.state {
        ItemState::Waiting | ItemState::AwaitingApproval => {}
        // A settled decision that an effect sends on is reviewed again, after the fact.
        ItemState::Settled => {
            next.kind = Kind::Retrospective;
            next.state = ItemState::Waiting;
            next.approvals.clear();
            next.required = vec![queue.to_owned()];
        }
        ItemState::Decided => {
            return Err(LifeError::NotOpen { id: item.id.clone(), state: item.state });
        }
    }
    enter(&mut next, queue, now, &terms);
    if due_at.is_some() {
        next.due_at = due_at;
    }
    next.revision += 1;
    Ok(next)
}

/// Open a new, retrospective review of a settled decision in `queue`.
pub fn flag(
    item: &Item,
    queue: &str,
    now: Timestamp,
    terms: impl Fn(&str) -> QueueTerms,
) -> Result<Item, LifeError> {
    if item.state != ItemState::Settled {
        return Err(LifeError::NotSettled { id: item.id.clone(), state: item.state });
    }
    let mut next = item.clone();
    // Levels that never approved it (it was rejected) stay required: a flag is no way around them.
    if item.missing().is_empty() {
        next.required = vec![queue.to_owned()];
    } else if !next.required.iter().any(|q| q == queue) {
        next.required.push(queue.to_owned());
    }
    next.kind = Kind::Retrospective;
    next.state = ItemState::Waiting;
    next.approvals.clear();
    next.blind = false;
    place(&mut next, queue, now, &terms);
    next.revision += 1;
    Ok(next)
}

/// A verdict given offline comes when it cannot take effect any more: it is kept beside what others
/// said, and the item waits for somebody who said nothing of it yet.
///
/// A verdict that is pending takes no effect either. `queue` is where the late one was given: an
/// item that went on to its next stage comes back there (the approval that took it on is in
/// question), and a settled one is opened again, after the fact; any other stays where it is.
pub fn contest(
    item: &Item,
    queue: &str,
    now: Timestamp,
    terms: impl Fn(&str) -> QueueTerms,
) -> Item {
    let mut next = item.clone();
    let here = item.queue.clone();
    let at = match (item.state, &item.pending) {
        (ItemState::Settled, _) => {
            if item.kind != Kind::Quarantine {
                next.kind = Kind::Retrospective;
            }
            if item.missing().is_empty() {
                next.required = vec![queue.to_owned()];
            } else if !next.required.iter().any(|q| q == queue) {
                next.required.push(queue.to_owned());
            }
            next.approvals.clear();
            next.state = ItemState::Waiting;
            queue
        }
        (ItemState::AwaitingApproval, _) => {
            next.approvals.retain(|a| a.queue != queue);
            next.state = ItemState::Waiting;
            queue
        }
        (ItemState::Decided, Some(pending)) => {
            next.state = pending.from;
            &here
        }
        (ItemState::Decided | ItemState::Waiting, _) => {
            next.state = ItemState::Waiting;
            &here
        }
    };
    next.pending = None;
    // The proposal is before everybody by now.
    next.blind = false;
    place(&mut next, at, now, &terms);
    next.revision += 1;
    next
}

#[cfg(test)]
mod tests;
