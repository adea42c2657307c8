//! A verdict: given on what stands, stored once, and its effects at once where nothing waits.

use super::checked::plainly;
use super::contain::EffectSubject;
use super::core::{Core, Sight, Trouble, draft, json, no_decision, refuse};
use super::settle::{at_once, decision_of, fire, policy_word, release, reversal, stand};
use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::domain::life::{self, By, Commit};
use crate::domain::{Item, Review, Reviewer, Timestamp, VerdictKind};
use crate::policy::Firing;
use crate::protocol::{Act, Refused, ReviewRequest, Reviewed, Why};
use crate::store::{LeasePremise, Op, StoreError, StoredDecision, Write};

/// The longest grace a request may ask for.
const MAX_GRACE_MS: u64 = 3_600_000;

/// The subject of a command on an item.
pub(super) fn subject<'a>(sight: &'a Sight, item: &'a Item) -> Subject<'a> {
    let queue = sight.policy.as_ref().and_then(|p| p.queue(&item.queue));
    Subject {
        skills: queue.map_or(&[], |q| q.skills.as_slice()),
        clash: None,
        item: Some(&item.id),
        state: Some(item.state),
        queue: Some(&item.queue),
        level: sight.level(&item.queue),
        pending_by: item.pending.as_ref().map(|p| p.reviewer.as_str()),
    }
}

impl Core {
    /// The stored decision and its item; refused where people never had it in hand.
    pub(super) fn with_item(&self, id: &str) -> Result<(StoredDecision, Item), Refused> {
        let stored = self.store.decision(id).map_err(refuse)?.ok_or_else(|| no_decision(id))?;
        let item = stored.item.clone().ok_or_else(|| {
            Refused::new(
                Why::State,
                format!("{id} was settled automatically ({})", stored.route.outcome.as_str()),
            )
            .hint("overrule flag ID opens a review of it")
        })?;
        Ok((stored, item))
    }

    /// A verdict. `now` overrides desk time (verdicts replayed on the record clock).
    pub(super) fn review(
        &self,
        by: &str,
        request: &ReviewRequest,
        now: Option<Timestamp>,
    ) -> Result<Reviewed, Refused> {
        if request.request_id.is_empty() {
            return Err(Refused::new(Why::Invalid, "the verdict's `request_id` is empty")
                .hint("make one for each verdict (UUIDv7): the same one again changes nothing"));
        }
        let known = || self.store.review(&request.request_id).map_err(refuse);
        if let Some(stored) = known()? {
            return self.repeated(by, request, &stored);
        }
        let decided = self.retry(|sight| match self.review_once(sight, by, request, now) {
            // The same request arrived twice at once, and the other one was first.
            Err(Trouble::Store(StoreError::RequestExists(_))) => Ok(None),
            other => other.map(Some),
        })?;
        // It is durable: nothing is asked any more that could fail.
        if let Some(done) = decided {
            return Ok(done);
        }
        match known()? {
            Some(stored) => self.repeated(by, request, &stored),
            None => Err(refuse(StoreError::RequestExists(request.request_id.clone()))),
        }
    }

    /// The answer to a request that is stored already: the same again, nothing done.
    fn repeated(
        &self,
        by: &str,
        request: &ReviewRequest,
        stored: &Review,
    ) -> Result<Reviewed, Refused> {
        let other = |what: &str| {
            let id = &request.request_id;
            Refused::new(Why::State, format!("request {id} is already stored {what}"))
                .hint("every request needs an id of its own (UUIDv7)")
        };
        if stored.item != request.item || stored.reviewer != by {
            return Err(other("for something else"));
        }
        let (decision, item) = self.with_item(&request.item)?;
        let erased = decision.raw.is_none();
        if !says_the_same(stored, request, erased) {
            return Err(other("with another verdict"));
        }
        let clash = match &request.offline {
            Some(_) => self.kept_with(request)?,
            None => None,
        };
        Ok(Reviewed {
            duplicate: true,
            until: item.pending.as_ref().map(|p| p.until),
            clash,
            ..reviewed(&item)
        })
    }

    fn review_once(
        &self,
        sight: &Sight,
        by: &str,
        request: &ReviewRequest,
        now: Option<Timestamp>,
    ) -> Result<Reviewed, Trouble> {
        let actor = self.actor(by)?;
        let (stored, item) = self.with_item(&request.item)?;
        let at = now.unwrap_or(sight.now).max(sight.now);
        let Some(offline) = &request.offline else {
            return self.give(sight, &actor, (&stored, &item), request, at);
        };
        authority::may_ask(&actor)?;
        self.granted(sight, by, &item, request, offline)?;
        if let Some(kept) = self.overtaken(sight, &actor, (&stored, &item), request, at)? {
            return Ok(kept);
        }
        match self.give(sight, &actor, (&stored, &item), request, at) {
            // What was given under a lease is stored, even if no rule lets it take effect now.
            Err(Trouble::Refused(why)) if a_rule(why.kind) => {
                self.keep_late(sight, &actor, (&stored, &item), request, &[], &why.message, at)
            }
            other => other,
        }
    }

    /// Give a verdict on an item as it stands.
    fn give(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        (stored, item): (&StoredDecision, &Item),
        request: &ReviewRequest,
        at: Timestamp,
    ) -> Result<Reviewed, Trouble> {
        let by = actor.name.as_str();
        let clash = self.clash_of(&item.id)?;
        authority::may(
            actor,
            Act::Review,
            Subject { clash: clash.as_ref(), ..subject(sight, item) },
        )?;
        let answer = self.own_answer(item, by)?;
        let verdict = self.checked(sight, stored, item, &request.verdict)?;
        let seen = request.revision.unwrap_or(item.revision);
        self.signed(sight, actor, stored, item, request, seen)?;
        // From an outbox: nobody decided since, so what was seen is what stands.
        let stands = if request.offline.is_some() { item.revision } else { seen };

        let grace = i64::try_from(request.grace_ms.min(MAX_GRACE_MS)).unwrap_or(0);
        let until = sight.wall + jiff::SignedDuration::from_millis(grace);
        let who = By { name: by, level: actor.level };

        let mut review = Review {
            request_id: request.request_id.clone(),
            item: item.id.clone(),
            reviewer: by.to_owned(),
            level: actor.level,
            queue: item.queue.clone(),
            revision: seen,
            verdict: verdict.clone(),
            at,
            signature: request.signature.clone(),
            undone: false,
            reversal: reversal(item, verdict.verdict),
            agreed: answer,
        };
        let firings = firings_of(sight, stored, &mut review);
        let said = review.verdict.clone();
        let next = life::decide(item, said, who, &request.request_id, stands, at, until)?;

        let mut entry = Entry::new(EntryKind::VERDICT, by, at, sight.wall);
        stand(&mut entry, &next);
        entry.req = Some(request.request_id.clone());
        entry.verdict = Some(verdict.verdict);
        entry.policy = policy_word(sight);
        entry.r#gen = Some(sight.snapshot.generation);
        if let Some(offline) = &request.offline {
            entry.d.insert("offline".into(), super::core::millis(offline.at).to_string());
        }
        let mut ops = vec![
            Op::Entry(draft(entry, vec![("review".into(), json(&review)?)])?),
            Op::PutReview(Box::new(review.clone())),
            Op::EndLease { item: item.id.clone() },
            Op::DropDraft { item: item.id.clone(), reviewer: by.to_owned() },
        ];
        // Freezes and stops act at once; the rest waits out the grace time.
        let decision = decision_of(stored).ok();
        let level = actor.level;
        let about = EffectSubject { id: &item.id, decision: decision.as_ref(), level };
        let fired = fire(self, sight, &about, None, &firings, "policy", at)?;
        let mut effects = fired.words;
        ops.extend(fired.ops);
        let mut state = Vec::new();
        let (mut result, given) = (next, review);
        if grace == 0 {
            let mut reviews = self.store.reviews(&item.id)?;
            reviews.push(given);
            ops.push(Op::PutItem {
                level: sight.level(&result.queue),
                item: Box::new(result.clone()),
            });
            let when = (Commit::Verdicts, at);
            if let Some(done) = release(self, sight, stored, &result, &reviews, when)? {
                ops.extend(done.ops);
                state = done.state;
                effects.extend(done.words);
                result = done.item;
            }
        } else {
            ops.push(Op::PutItem {
                level: sight.level(&result.queue),
                item: Box::new(result.clone()),
            });
        }
        sight.settings(&mut ops)?;
        let mut premises = sight.premises();
        premises.state = state;
        premises.actor = Some((actor.name.clone(), actor.version));
        premises.item = Some((item.id.clone(), item.revision));
        premises.lease = match request.lease {
            _ if request.offline.is_some() => LeasePremise::Any,
            Some(epoch) => LeasePremise::Held { reviewer: by.to_owned(), epoch, wall: sight.wall },
            None => LeasePremise::FreeFor { reviewer: by.to_owned(), wall: sight.wall },
        };
        self.commit(Write { premises, now: at, ops }).map_err(|error| match error {
            // A named revision that moved is the reviewer's to look at again, not ours to retry.
            StoreError::Premise(crate::store::Premise::Item { .. })
                if request.revision.is_some() && request.offline.is_none() =>
            {
                Trouble::Refused(refuse(error))
            }
            other => Trouble::Store(other),
        })?;
        // The verdict is durable: what cannot be read for a hint takes nothing back.
        match self.used_up(sight, actor, item, &result) {
            Ok(hint) => effects.extend(hint),
            Err(refused) => tracing::warn!(why = refused.message, "no word of later stages"),
        }
        Ok(Reviewed {
            until: result.pending.as_ref().map(|p| p.until),
            effects,
            ..reviewed(&result)
        })
    }

    /// Who approves a stage below their own level cannot approve the later one too: said at once,
    /// and more plainly where nobody else is left who could.
    fn used_up(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        before: &Item,
        after: &Item,
    ) -> Result<Option<String>, Refused> {
        let pending = after.pending.as_ref().map(|p| p.verdict.verdict);
        let approves = match pending {
            Some(kind) => kind == VerdictKind::Accept,
            None => after.approvals.len() > before.approvals.len(),
        };
        let own = sight.level(&before.queue);
        let later = after.required.iter().find(|queue| {
            let level = sight.level(queue);
            **queue != before.queue
                && level > own
                && level <= actor.level
                && !after.approvals.iter().any(|a| a.queue == **queue)
        });
        let Some(queue) = later.filter(|_| approves) else { return Ok(None) };
        let level = sight.level(queue);
        let people = self.store.reviewers().map_err(refuse)?;
        let others = people
            .iter()
            .filter(|p| p.name != actor.name && !p.disabled && p.level >= level)
            .filter(|p| !after.approvals.iter().any(|a| a.reviewer == p.name))
            .count();
        Ok(Some(match others {
            0 => format!(
                "you cannot approve it in {queue} too, and nobody else of level {level} is left: \
                 undo it, or add somebody"
            ),
            _ => format!("somebody else must approve it in {queue}: you have approved it here"),
        }))
    }
}

/// Is this request the one that is stored? Its words are compared as they are kept (the policy may
/// have added tags behind those given), as far as they are not erased.
fn says_the_same(stored: &Review, request: &ReviewRequest, erased: bool) -> bool {
    if request.revision.is_some_and(|seen| seen != stored.revision) {
        return false;
    }
    if erased {
        return stored.verdict.verdict == request.verdict.verdict;
    }
    let (mut kept, said) = (plainly(&stored.verdict), plainly(&request.verdict));
    if !kept.tags.starts_with(&said.tags) {
        return false;
    }
    kept.tags.truncate(said.tags.len());
    kept == said
}

/// What policy fires on this verdict at once; tags it adds become part of the review.
fn firings_of(sight: &Sight, stored: &StoredDecision, review: &mut Review) -> Vec<Firing> {
    let (Some(policy), Ok(d)) = (&sight.policy, decision_of(stored)) else { return Vec::new() };
    let facts = crate::policy::ReviewFacts {
        verdict: review.verdict.verdict,
        tags: review.verdict.tags.clone(),
        level: review.level,
        reviewer: review.reviewer.clone(),
        reversal: review.reversal,
    };
    let mut now = Vec::new();
    for firing in policy.on_review(&d, &facts) {
        for action in &firing.actions {
            if let crate::policy::EffectAction::Tag(tag) = action
                && !review.verdict.tags.contains(tag)
            {
                review.verdict.tags.push(tag.clone());
            }
        }
        let actions: Vec<_> = firing.actions.iter().filter(|a| at_once(a)).cloned().collect();
        if !actions.is_empty() {
            now.push(Firing { actions, ..firing });
        }
    }
    now
}

/// A rule speaks against it, not a state of the machine that will pass.
fn a_rule(why: Why) -> bool {
    matches!(
        why,
        Why::Authority | Why::Policy | Why::State | Why::Stale | Why::Invalid | Why::LeaseLost
    )
}

pub(super) fn reviewed(item: &Item) -> Reviewed {
    Reviewed {
        id: item.id.clone(),
        state: item.state,
        queue: item.queue.clone(),
        revision: item.revision,
        until: None,
        duplicate: false,
        effects: Vec::new(),
        clash: None,
        unsent: false,
    }
}
