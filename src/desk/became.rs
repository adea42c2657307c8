//! What became of a decision, as the workflow that waits for it may know: nothing before its time.

use super::core::{Core, no_decision, record_value, refuse};
use super::eyes::Eyes;
use super::view::{content, proposed, withhold_route};
use crate::domain::{Item, ItemState, Kind, Outcome, Review, Route, VerdictKind};
use crate::protocol::{DecisionView, Refused, ResultView};
use crate::store::StoredDecision;

impl Core {
    /// What became of a decision: in clear for the workflow that acts on it, for people as far as
    /// they may see it.
    pub(super) fn what_became(&self, eyes: Eyes<'_>, id: &str) -> Result<DecisionView, Refused> {
        let stored = self.store.decision(id).map_err(refuse)?.ok_or_else(|| no_decision(id))?;
        let state = told(&stored);
        let settled = state == ItemState::Settled || done_already(&stored);
        let mut result = settled.then(|| self.result(&stored)).transpose()?;
        let mut route = stored.route.clone();
        route.state = state;
        let mut covered = None;
        if !eyes.acts_on_it(&self.actor(eyes.by)?) {
            covered = self.cover(&stored, eyes.by, &mut route, result.as_mut())?;
        }
        Ok(DecisionView { id: id.to_owned(), route, state, settled, result, covered })
    }

    /// Take out what `by` may not see; why that is everything, where it is.
    fn cover(
        &self,
        stored: &StoredDecision,
        by: &str,
        route: &mut Route,
        result: Option<&mut ResultView>,
    ) -> Result<Option<String>, Refused> {
        let blind = match &stored.item {
            Some(item) => self.withheld(item, by)?,
            None => false,
        };
        if blind {
            withhold_route(route);
        }
        let sight = self.sight()?;
        if let Some(result) = result {
            if blind {
                (result.action, result.output) = (None, None);
            }
            if let Some(output) = &mut result.output {
                sight.cover().sent(output);
            }
        }
        Ok(sight.cover().why())
    }

    fn result(&self, stored: &StoredDecision) -> Result<ResultView, Refused> {
        let record = record_value(stored.raw.as_deref());
        let reviewed = stored.item.as_ref().filter(|item| item.state == ItemState::Settled);
        let Some(item) = reviewed else { return Ok(automatic(stored, proposed(&record))) };
        let reviews = self.store.reviews(&item.id).map_err(refuse)?;
        let reviews = self.counting(&item.id, reviews)?;
        let sight = self.sight()?;
        let now = content(sight.cover(), &record, item, &reviews, stored.facts.now);
        Ok(decided(stored, item, &reviews, now))
    }
}

/// A decision that was done before people looked at it, and still stands.
fn done_already(stored: &StoredDecision) -> bool {
    stored.item.as_ref().is_none_or(|item| item.kind == Kind::Retrospective)
}

/// The state as callers are told it: a verdict whose grace time runs has not been given.
fn told(stored: &StoredDecision) -> ItemState {
    let pending = stored.item.as_ref().and_then(|item| item.pending.as_ref());
    pending.map_or_else(|| stored.state(), |pending| pending.from)
}

fn automatic(stored: &StoredDecision, as_proposed: Option<crate::domain::Content>) -> ResultView {
    let outcome = stored.route.outcome;
    let done = as_proposed.filter(|_| outcome == Outcome::Auto);
    let (action, output) = done.map(|c| (c.action, c.output)).unzip();
    ResultView {
        outcome: outcome.as_str().to_owned(),
        reversal: false,
        action,
        output,
        label: None,
        level: None,
    }
}

fn decided(
    stored: &StoredDecision,
    item: &Item,
    reviews: &[Review],
    content: Option<crate::domain::Content>,
) -> ResultView {
    let last = reviews.iter().rfind(|r| !r.undone && r.verdict.verdict != VerdictKind::Escalate);
    let refused = last.is_some_and(|r| r.verdict.verdict == VerdictKind::Reject);
    let after_the_fact = item.kind == Kind::Retrospective;
    let overruled = refused || item.content.is_some();
    // What must not be done is never answered as accepted.
    let may_be_done =
        after_the_fact || !matches!(stored.route.outcome, Outcome::Block | Outcome::Fallback);
    if !may_be_done && !refused {
        return automatic(stored, None);
    }
    let outcome = match (refused, &item.content) {
        (true, _) => "rejected",
        (false, Some(_)) => "edited",
        (false, None) => "accepted",
    };
    let (action, output) = content.filter(|_| !refused).map(|c| (c.action, c.output)).unzip();
    ResultView {
        outcome: outcome.to_owned(),
        reversal: after_the_fact && overruled,
        action,
        output,
        label: last.and_then(|r| r.verdict.label.clone()),
        level: last.map(|r| r.level),
    }
}
