//! A verdict, an own answer, an undo, a flag: what reviewers do to an item.

use super::contain::EffectSubject;
use super::core::{Core, Sight, Trouble, draft, json, no_decision, refuse};
use super::settle::{at_once, decision_of, fire, policy_word, release, repaired, reversal, stand};
use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::domain::life::{self, By, Commit};
use crate::domain::{
    Fault, FaultKind, Item, Kind, Review, Reviewer, Timestamp, Verdict, VerdictKind,
};
use crate::policy::{Firing, Policy};
use crate::protocol::{Act, BlindAnswer, Refused, ReviewRequest, Reviewed, Why};
use crate::store::{LeasePremise, Op, StoreError, StoredDecision, Write};
use serde_json::Value;

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

    /// On a blind item nobody decides before having answered; otherwise whether they agreed.
    fn own_answer(&self, item: &Item, by: &str) -> Result<Option<bool>, Trouble> {
        if !item.blind {
            return Ok(None);
        }
        match self.store.blind_answer(&item.id, by)? {
            Some(answer) => Ok(Some(answer.agreed)),
            None => Err(Refused::new(
                Why::Policy,
                format!("{} is a blind item: the proposal is shown after your own answer", item.id),
            )
            .hint("overrule answer ID --action ACTION gives it")
            .into()),
        }
    }

    /// The verdict with what the policy demands of it: known tags, notes, queues, valid outputs.
    fn checked(
        &self,
        sight: &Sight,
        stored: &StoredDecision,
        item: &Item,
        verdict: &Verdict,
    ) -> Result<Verdict, Refused> {
        let verdict = plainly(verdict);
        if verdict.verdict == VerdictKind::Edit
            && verdict.output.as_ref().is_some_and(super::cover::holds_cover)
        {
            // It would stand for the words later, when nobody can tell any more where it came from.
            sight.cover().known("an edit holds what covers it")?;
        }
        let Some(policy) = &sight.policy else { return Ok(verdict) };
        for id in &verdict.tags {
            let tag = policy.tag(id).ok_or_else(|| {
                let known: Vec<&str> = policy.tags().iter().map(|t| t.id.as_str()).collect();
                Refused::new(Why::Invalid, format!("{id} is not a tag of this policy"))
                    .hint(format!("its tags are {}", known.join(", ")))
            })?;
            if tag.require_note && verdict.note.is_none() {
                return Err(Refused::new(Why::Policy, format!("the tag {id} needs a note"))
                    .hint("say in --note what is wrong; your draft is kept"));
            }
        }
        let says_nothing =
            verdict.tags.is_empty() && verdict.note.is_none() && verdict.label.is_none();
        if verdict.verdict == VerdictKind::Reject && says_nothing && !policy.tags().is_empty() {
            return Err(Refused::new(Why::Policy, "a rejection needs a reason")
                .hint("say why: --tag, --note or --label"));
        }
        if let Some(to) = &verdict.to
            && policy.queue(to).is_none()
        {
            let known: Vec<&str> = policy.queues().map(|q| q.name.as_str()).collect();
            return Err(Refused::new(Why::Invalid, format!("there is no queue {to}"))
                .hint(format!("the queues are {}", known.join(", "))));
        }
        if verdict.verdict != VerdictKind::Edit {
            return Ok(verdict);
        }
        if let Some(action) = &verdict.action
            && *action != stored.columns.action
        {
            self.known_action(policy, &stored.columns.domain, action)?;
        }
        let Some(output) = &verdict.output else { return Ok(verdict) };
        if item.kind == Kind::Quarantine {
            let before = super::core::record_value(stored.raw.as_deref());
            let parsed = repaired(sight.cover(), &before, &item.id, output)?.parsed;
            let faults = match &parsed {
                Ok(d) => policy.check_record(d, sight.now),
                Err(faults) => faults.clone(),
            };
            return faulty("the repaired record still has faults", &faults)
                .map_or(Ok(verdict), Err);
        }
        if !(output.is_string() || output.is_object()) {
            return Err(Refused::new(Why::Invalid, "an output is a text or a JSON object"));
        }
        let mut whole = serde_json::json!({ "output": output });
        let before = super::core::record_value(stored.raw.as_deref());
        sight.cover().put_back(&before, &mut whole);
        let output = whole.get("output").unwrap_or(output);
        let faults = policy.check_output(&stored.columns.domain, output);
        faulty("the edited output breaks the domain's schema", &faults).map_or(Ok(verdict), Err)
    }

    /// Whoever waits for the answer acts on the action's word: one that this domain never had, and
    /// that the policy has no guideline for, is a slip.
    fn known_action(&self, policy: &Policy, domain: &str, action: &str) -> Result<(), Refused> {
        if policy.guideline(domain, action).is_some_and(|g| g.action.as_deref() == Some(action)) {
            return Ok(());
        }
        let seen = self.store.seen().map_err(refuse)?;
        let known = seen.actions.get(domain);
        // One action alone says nothing of what else may be done.
        if known.is_none_or(|k| k.len() < 2 || k.contains(action)) {
            return Ok(());
        }
        let known = known.into_iter().flatten().map(String::as_str);
        let refused = super::queue::unknown("action", action, known);
        let more = "a [[guideline]] of the policy for that action names a further one";
        let hint = refused.hint.map_or_else(|| more.to_owned(), |near| format!("{near}; {more}"));
        Err(Refused { kind: Why::Invalid, hint: Some(hint), ..refused })
    }

    /// What is wrong with an output that somebody is typing.
    pub(super) fn check_output(
        &self,
        domain: &str,
        output: &Value,
        repairs: Option<&str>,
    ) -> Result<Vec<Fault>, Refused> {
        let sight = self.sight()?;
        let Some(id) = repairs else {
            return Ok(sight.policy.map_or_else(Vec::new, |p| p.check_output(domain, output)));
        };
        let (stored, _) = self.with_item(id)?;
        let before = super::core::record_value(stored.raw.as_deref());
        Ok(match repaired(sight.cover(), &before, id, output) {
            Ok(record) => match (record.parsed, &sight.policy) {
                (Ok(d), Some(policy)) => policy.check_record(&d, sight.now),
                (Ok(_), None) => Vec::new(),
                (Err(faults), _) => faults,
            },
            Err(refused) => vec![Fault {
                path: String::new(),
                kind: FaultKind::InvalidField,
                message: refused.message,
            }],
        })
    }

    /// A reviewer's own answer to a blind item: stored before the proposal is shown.
    pub(super) fn answer_blind(&self, by: &str, answer: &BlindAnswer) -> Result<Reviewed, Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            let (stored, item) = self.with_item(&answer.item)?;
            let clash = self.clash_of(&item.id)?;
            let about = Subject { clash: clash.as_ref(), ..subject(sight, &item) };
            authority::may(&actor, Act::AnswerBlind, about)?;
            if !item.blind {
                return Err(Refused::new(Why::State, format!("{} is not a blind item", item.id))
                    .hint("decide it: its proposal is shown")
                    .into());
            }
            if let Some(known) = self.store.blind_answer(&item.id, by)? {
                if known.request_id == answer.request_id {
                    return Ok(Reviewed { duplicate: true, ..reviewed(&item) });
                }
                return Err(Refused::new(
                    Why::State,
                    format!("you have answered {} already", item.id),
                )
                .hint("the proposal is shown now: decide it")
                .into());
            }
            let BlindAnswer { request_id, action, .. } = answer;
            let agreed = action.trim() == stored.columns.action;
            let mut entry = Entry::new(EntryKind::ANSWER, by, sight.now, sight.wall);
            stand(&mut entry, &item);
            entry.d.insert("agreed".into(), agreed.to_string());
            entry.req = Some(request_id.clone());
            let mut premises = sight.premises();
            premises.actor = Some((actor.name.clone(), actor.version));
            premises.item = Some((item.id.clone(), item.revision));
            self.commit(Write {
                premises,
                now: sight.now,
                ops: vec![
                    Op::Entry(draft(entry, vec![("answer".into(), json(answer)?)])?),
                    Op::PutAnswer {
                        item: item.id.clone(),
                        reviewer: by.to_owned(),
                        request_id: request_id.clone(),
                        agreed,
                    },
                ],
            })?;
            Ok(reviewed(&item))
        })
    }

    /// Take one's pending verdict back: the item is where it was.
    pub(super) fn undo(&self, by: &str, id: &str) -> Result<Reviewed, Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            let (_, item) = self.with_item(id)?;
            authority::may(&actor, Act::Undo, subject(sight, &item))?;
            let next = life::undo(&item, by, sight.wall)?;
            let request_id = item.pending.as_ref().map(|p| p.request_id.clone());
            let mut entry = Entry::new(EntryKind::UNDO, by, sight.now, sight.wall);
            stand(&mut entry, &next);
            entry.req = request_id.clone();
            let mut premises = sight.premises();
            premises.actor = Some((actor.name.clone(), actor.version));
            premises.item = Some((item.id.clone(), item.revision));
            let mut ops = vec![
                Op::Entry(draft(entry, Vec::new())?),
                Op::PutItem { level: sight.level(&next.queue), item: Box::new(next.clone()) },
            ];
            ops.extend(request_id.map(|request_id| Op::UndoReview { request_id }));
            self.commit(Write { premises, now: sight.now, ops })?;
            Ok(reviewed(&next))
        })
    }

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

/// A verdict without words that are none.
fn plainly(verdict: &Verdict) -> Verdict {
    let mut verdict = verdict.clone();
    verdict.note = verdict.note.filter(|n| !n.trim().is_empty());
    verdict.label = verdict.label.filter(|l| !l.trim().is_empty());
    verdict
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

/// An item for a decision that was settled automatically.
pub(super) fn untouched(stored: &StoredDecision, queue: &str) -> Item {
    done(&stored.route.id, queue, stored.admitted_at)
}

/// An item of a decision that is done without anybody's approval.
pub(super) fn done(id: &str, queue: &str, at: Timestamp) -> Item {
    Item {
        id: id.to_owned(),
        kind: Kind::Retrospective,
        state: crate::domain::ItemState::Settled,
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

/// Faults as a refusal, each at its path.
fn faulty(what: &str, faults: &[crate::domain::Fault]) -> Option<Refused> {
    if faults.is_empty() {
        return None;
    }
    let list: Vec<String> = faults.iter().map(|f| format!("\n  {f}")).collect();
    Some(
        Refused::new(Why::Policy, format!("{what}:{}", list.concat()))
            .hint("mend each at its path; your draft is kept"),
    )
}
