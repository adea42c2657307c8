//! A flag: a settled decision comes before people again, also one that nobody ever looked at.

use super::core::{Core, draft, json, no_decision};
use super::review::{reviewed, subject};
use super::settle::stand;
use crate::audit::{Entry, EntryKind};
use crate::authority;
use crate::domain::{Item, ItemState, Kind, Timestamp, Verdict, VerdictKind, life};
use crate::protocol::{Act, Refused, Reviewed};
use crate::store::{Op, StoredDecision, Write};

impl Core {
    /// Open a new, retrospective review of a settled decision.
    pub(super) fn flag(
        &self,
        by: &str,
        id: &str,
        tags: Vec<String>,
        note: Option<String>,
    ) -> Result<Reviewed, Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            let stored = self.store.decision(id)?.ok_or_else(|| no_decision(id))?;
            let queue = stored
                .item
                .as_ref()
                .map(|i| i.queue.clone())
                .filter(|q| sight.policy.as_ref().is_none_or(|p| p.queue(q).is_some()))
                .or_else(|| sight.policy.as_ref().map(|p| p.control().human_queue.clone()))
                .unwrap_or_else(|| "level1".into());
            // A decision that nobody ever looked at gets its first item here.
            let item = stored.item.clone().unwrap_or_else(|| untouched(&stored, &queue));
            authority::may(&actor, Act::Flag, subject(sight, &item))?;
            let verdict = Verdict {
                tags: tags.clone(),
                note: note.clone(),
                ..Verdict::plain(VerdictKind::Escalate)
            };
            let verdict = self.checked(sight, &stored, &item, &verdict)?;
            let next = life::flag(&item, &queue, sight.now, |q| sight.terms(q, sight.now))?;
            let mut entry = Entry::new(EntryKind::FLAG, by, sight.now, sight.wall);
            stand(&mut entry, &next);
            let text = json(&serde_json::json!({ "tags": verdict.tags, "note": verdict.note }))?;
            let mut premises = sight.premises();
            premises.actor = Some((actor.name.clone(), actor.version));
            premises.item = Some((id.to_owned(), item.revision));
            self.commit(Write {
                premises,
                now: sight.now,
                ops: vec![
                    Op::Entry(draft(entry, vec![("flag".into(), text)])?),
                    Op::PutItem { level: sight.level(&queue), item: Box::new(next.clone()) },
                ],
            })?;
            Ok(reviewed(&next))
        })
    }
}

/// An item for a decision that was settled automatically.
pub(super) fn untouched(stored: &StoredDecision, queue: &str) -> Item {
    done(&stored.route.id, queue, stored.admitted_at)
}

/// An item of a decision that is done without anybody's approval.
pub(super) fn done(id: &str, queue: &str, at: Timestamp) -> Item {
    Item {
        id: id.to_owned(),
        kind: Kind::Retrospective,
        state: ItemState::Settled,
        queue: queue.to_owned(),
        entered_at: at,
        due_at: None,
        priority: 0,
        revision: 0,
        required: Vec::new(),
        approvals: Vec::new(),
        content: None,
        pending: None,
        blind: false,
        sample: None,
        breached: false,
    }
}
