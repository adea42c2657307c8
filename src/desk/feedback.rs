//! What the world says after a decision was acted on, and what the policy does about it.

use super::contain::EffectSubject;
use super::core::{Core, Sight, draft, no_decision};
use super::reopen::untouched;
use super::settle::{decision_of, fire, stand};
use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::policy::Firing;
use crate::protocol::{Act, FeedbackKind, Refused};
use crate::store::{Op, StoredDecision, Write};

impl Core {
    /// What the world said after the decision was acted on.
    pub(super) fn feedback(
        &self,
        by: &str,
        id: &str,
        kind: FeedbackKind,
        note: Option<String>,
    ) -> Result<(), Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            authority::may(&actor, Act::Feedback, Subject::default())?;
            let stored = self.store.decision(id)?.ok_or_else(|| no_decision(id))?;
            let word = serde_json::to_value(kind)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default();
            let mut entry = Entry::new(EntryKind::FEEDBACK, by, sight.now, sight.wall);
            entry.id = Some(id.to_owned());
            entry.d.insert("kind".into(), word.clone());
            if let Some(item) = &stored.item {
                stand(&mut entry, item);
            }
            let bodies = note.iter().map(|n| ("note".to_owned(), n.clone().into_bytes())).collect();
            let mut ops = vec![
                Op::Entry(draft(entry, bodies)?),
                Op::PutFeedback { item: id.to_owned(), kind: word.clone(), at: sight.now },
            ];
            let mut premises = crate::store::Premises {
                actor: Some((actor.name.clone(), actor.version)),
                ..Default::default()
            };
            if let (Some(policy), Ok(d)) = (&sight.policy, decision_of(&stored)) {
                let firings = policy.on_feedback(&d, &word);
                if !firings.is_empty() {
                    ops.extend(self.heard(sight, &stored, &d, actor.level, &firings)?);
                    premises = crate::store::Premises { actor: premises.actor, ..sight.premises() };
                    premises.item =
                        Some((id.to_owned(), stored.item.as_ref().map_or(0, |i| i.revision)));
                }
            }
            self.commit(Write { premises, now: sight.now, ops })?;
            Ok(())
        })
    }

    /// What the policy sets off when it hears of a decision that was acted on.
    fn heard(
        &self,
        sight: &Sight,
        stored: &StoredDecision,
        d: &crate::domain::Decision,
        level: u8,
        firings: &[Firing],
    ) -> Result<Vec<Op>, Refused> {
        let escalates = firings
            .iter()
            .flat_map(|f| &f.actions)
            .any(|a| matches!(a, crate::policy::EffectAction::Escalate { .. }));
        // One that nobody had in hand comes before people now, after the fact.
        let at = stored.item.clone().or_else(|| escalates.then(|| untouched(stored, "")));
        let about = EffectSubject { id: &d.id, decision: Some(d), level };
        let fired = fire(self, sight, &about, at.as_ref(), firings, "policy", sight.now)?;
        let mut ops = fired.ops;
        if let Some(item) = fired.item.filter(|i| Some(i) != stored.item.as_ref() && escalates) {
            ops.push(Op::PutItem { level: sight.level(&item.queue), item: Box::new(item) });
        }
        sight.settings(&mut ops)?;
        Ok(ops)
    }
}
