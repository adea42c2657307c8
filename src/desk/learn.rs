//! Learning from people: settled overrides and confirmed samples as labelled examples.

use serde_json::{Map, Value};

use super::core::{Core, Sight, record_value, refuse};
use super::settle::decision_of;
use super::view::{content, proposed};
use crate::domain::{Content, Corrected, Correction, Item, RouteRef, Timestamp, VerdictKind};
use crate::protocol::{Refused, Reply};
use crate::store::StoredCorrection;

impl Core {
    /// Corrections after the `after`th, oldest first; those whose text was erased are left out.
    pub(super) fn corrections(
        &self,
        by: &str,
        since: Option<Timestamp>,
        after: u64,
        limit: usize,
    ) -> Result<Reply, Refused> {
        self.actor(by)?;
        let sight = self.sight()?;
        sight.cover().known("no correction leaves")?;
        let limit = limit.clamp(1, 1_000);
        let stored = self.store.corrections(since, after, limit).map_err(refuse)?;
        let next = stored.last().filter(|_| stored.len() == limit).map(|c| c.number);
        let mut corrections = Vec::with_capacity(stored.len());
        for one in stored {
            corrections.extend(self.correction(&sight, one)?);
        }
        Ok(Reply::Corrections { corrections, next })
    }

    pub(super) fn correction(
        &self,
        sight: &Sight,
        stored: StoredCorrection,
    ) -> Result<Option<Correction>, Refused> {
        let StoredCorrection { decision, review, .. } = stored;
        let mut record = record_value(decision.raw.as_deref());
        let (Ok(d), Some(mut proposal)) = (decision_of(&decision), proposed(&record)) else {
            return Ok(None);
        };
        let reviews = self.counting(&d.id, self.store.reviews(&d.id).map_err(refuse)?)?;
        let verdict = &review.verdict;
        // What stood when it was given: the edit itself, or the last one before.
        let stood = |edit: Option<String>| {
            let item = Item { content: edit, ..decision.item.clone()? };
            content(sight.cover(), &record, &item, &reviews, decision.facts.now)
        };
        let whole =
            |Content { action, output }| Corrected { action: Some(action), output: Some(output) };
        let mut corrected = match verdict.verdict {
            VerdictKind::Edit => stood(Some(review.request_id.clone())).map(whole),
            // A reject says what is wrong, and what would have been right only if it names it.
            VerdictKind::Reject | VerdictKind::Escalate => {
                verdict.label.clone().map(|label| Corrected { action: Some(label), output: None })
            }
            VerdictKind::Accept => {
                let edit = reviews
                    .iter()
                    .take_while(|r| r.request_id != review.request_id)
                    .filter(|r| !r.undone && r.verdict.verdict == VerdictKind::Edit)
                    .last();
                stood(edit.map(|r| r.request_id.clone())).map(whole)
            }
        };
        let cover = sight.cover();
        cover.record(&mut record);
        cover.output(&mut proposal.output);
        if let Some(output) = corrected.as_mut().and_then(|c| c.output.as_mut()) {
            cover.output(output);
        }
        let mut cohort = d.cohort;
        cover.cohort(&mut cohort);
        // One that is covered as a whole has no fields left.
        let input = match record.get_mut("input").map(Value::take) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        Ok(Some(Correction {
            id: d.id,
            domain: d.domain,
            model: d.model,
            cohort,
            input,
            proposed: proposal,
            corrected,
            verdict: verdict.verdict,
            tags: verdict.tags.clone(),
            note: verdict.note.clone(),
            by: review.reviewer.clone(),
            level: review.level,
            at: review.at,
            route: RouteRef { rule: decision.route.rule, policy: decision.route.policy },
            sample: decision.route.sample,
        }))
    }
}
