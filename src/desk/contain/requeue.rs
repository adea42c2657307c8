//! What was automatic during a bad time goes before people, after the fact.

use super::reasoned;
use crate::audit::{Entry, EntryKind};
use crate::authority::Subject;
use crate::desk::core::{Core, Sight, Trouble, draft};
use crate::desk::reopen::untouched;
use crate::desk::settle::stand;
use crate::domain::life;
use crate::domain::{ControlScope, Reviewer, Timestamp};
use crate::protocol::{Act, Refused};
use crate::store::{AutomaticAsk, Op, Premises, StoredDecision, Write};

/// Decisions in one commit: short enough for people who wait for the writer.
const BATCH: usize = 100;
/// Decisions looked through in one read.
const SCAN: u64 = 20_000;

impl Core {
    /// Put what was settled automatically in a scope since then before people; how many it were.
    /// What somebody looked at, or is to look at, is left alone, so doing it again does nothing.
    pub(in crate::desk) fn requeue(
        &self,
        by: &str,
        scope: &ControlScope,
        since: Timestamp,
        reason: &str,
    ) -> Result<u64, Refused> {
        let reason = reasoned(reason, "putting decisions before people")?;
        // What is admitted from now on is not part of the bad time.
        let end = self.retry(|sight| {
            let actor = self.allowed(by, Act::Requeue, Subject::default())?;
            let mut entry = Entry::new(EntryKind::REQUEUE, by, sight.now, sight.wall);
            entry.d.insert("scope".into(), scope.to_string());
            entry.d.insert("since".into(), since.to_string());
            entry.d.insert("reason".into(), reason.clone());
            let premises = Premises {
                actor: Some((actor.name.clone(), actor.version)),
                ..Premises::default()
            };
            let ops = vec![Op::Entry(draft(entry, Vec::new())?)];
            Ok(self.commit(Write { premises, now: sight.now, ops })?.head)
        })?;
        let mut ask =
            AutomaticAsk { scope: scope.clone(), since, after: None, limit: BATCH, scan: SCAN };
        let mut put = 0u64;
        loop {
            let (n, next) = self.retry(|sight| {
                let actor = self.allowed(by, Act::Requeue, Subject::default())?;
                let mut page = self.store.automatic(&ask)?;
                page.decisions.retain(|d| d.index < end);
                let n = page.decisions.len() as u64;
                if n > 0 {
                    self.requeue_these(sight, &actor, scope, &page.decisions)?;
                }
                Ok((n, page.next.filter(|next| *next < end)))
            })?;
            put = put.saturating_add(n);
            match next {
                Some(next) => ask.after = Some(next),
                None => return Ok(put),
            }
        }
    }

    fn requeue_these(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        scope: &ControlScope,
        decisions: &[StoredDecision],
    ) -> Result<(), Trouble> {
        let queue = sight
            .policy
            .as_ref()
            .map_or_else(|| "level1".to_owned(), |p| p.control().human_queue.clone());
        let mut ops = Vec::with_capacity(decisions.len().saturating_mul(2));
        let mut items = Vec::with_capacity(decisions.len());
        for stored in decisions {
            let item = stored.item.clone().unwrap_or_else(|| untouched(stored, &queue));
            let next = life::flag(&item, &queue, sight.now, |q| sight.terms(q, sight.now))?;
            let mut entry =
                Entry::new(EntryKind::REQUEUE, actor.name.as_str(), sight.now, sight.wall);
            stand(&mut entry, &next);
            entry.d.insert("scope".into(), scope.to_string());
            items.push((item.id, item.revision));
            ops.push(Op::Entry(draft(entry, Vec::new())?));
            ops.push(Op::PutItem { level: sight.level(&queue), item: Box::new(next) });
        }
        let premises = Premises {
            policy: Some(sight.snapshot.policy.clone()),
            actor: Some((actor.name.clone(), actor.version)),
            items,
            ..Premises::default()
        };
        self.commit(Write { premises, now: sight.now, ops })?;
        Ok(())
    }
}
