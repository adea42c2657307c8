//! What the policy demands of a verdict: tags it knows, notes, queues there are, valid outputs.

use serde_json::Value;

use super::core::{Core, Sight, record_value, refuse};
use super::settle::repaired;
use crate::domain::{Fault, FaultKind, Item, Kind, Verdict, VerdictKind};
use crate::policy::Policy;
use crate::protocol::{Refused, Why};
use crate::store::StoredDecision;

impl Core {
    /// The verdict with what the policy demands of it: known tags, notes, queues, valid outputs.
    pub(super) fn checked(
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
            let before = record_value(stored.raw.as_deref());
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
        let before = record_value(stored.raw.as_deref());
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
        let before = record_value(stored.raw.as_deref());
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
}

/// A verdict without words that are none.
pub(super) fn plainly(verdict: &Verdict) -> Verdict {
    let mut verdict = verdict.clone();
    verdict.note = verdict.note.filter(|n| !n.trim().is_empty());
    verdict.label = verdict.label.filter(|l| !l.trim().is_empty());
    verdict
}

/// Faults as a refusal, each at its path.
fn faulty(what: &str, faults: &[Fault]) -> Option<Refused> {
    if faults.is_empty() {
        return None;
    }
    let list: Vec<String> = faults.iter().map(|f| format!("\n  {f}")).collect();
    Some(
        Refused::new(Why::Policy, format!("{what}:{}", list.concat()))
            .hint("mend each at its path; your draft is kept"),
    )
}
