//! A desk of tests that follows the same rules as the real one.

use std::collections::BTreeMap;

use super::super::*;
use crate::domain::life::{self, By, Commit, QueueTerms};
use crate::domain::{Clash, Item, ItemState, Kind};
use crate::protocol::{Refused, Reviewed, Why};

pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

pub(super) fn item(id: &str) -> Item {
    Item {
        id: id.into(),
        kind: Kind::Review,
        state: ItemState::Waiting,
        queue: "level1".into(),
        entered_at: time(0),
        due_at: None,
        priority: 0,
        revision: 1,
        required: vec!["level1".into()],
        approvals: Vec::new(),
        content: None,
        pending: None,
        blind: false,
        sample: None,
        breached: false,
    }
}

pub(super) fn terms(_: &str) -> QueueTerms {
    QueueTerms { level: 1, due_at: None }
}

/// What the desk made of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Made {
    Applied,
    Kept,
}

/// The desk: the pure life of items, requests known by id, late verdicts as `desk/late.rs` has it.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) items: BTreeMap<String, Item>,
    /// By item: reviewer, revision seen, request.
    pub(super) reviews: BTreeMap<String, Vec<(String, u64, String)>>,
    pub(super) made: BTreeMap<String, Made>,
    pub(super) clashes: BTreeMap<String, Clash>,
    /// Requests in the order in which they were first heard of.
    pub(super) order: Vec<String>,
    pub(super) effects: BTreeMap<String, u32>,
}

impl Desk {
    pub(super) fn review(
        &mut self,
        by: &str,
        r: &ReviewRequest,
        now: i64,
    ) -> Result<Reviewed, Refused> {
        let answer = |item: &Item, clash, duplicate| Reviewed {
            id: item.id.clone(),
            state: item.state,
            queue: item.queue.clone(),
            revision: item.revision,
            until: None,
            duplicate,
            effects: Vec::new(),
            clash,
            unsent: false,
        };
        let item = self.items[&r.item].clone();
        if let Some(made) = self.made.get(&r.request_id) {
            let clash = (*made == Made::Kept).then(|| self.clashes[&r.item].clone());
            return Ok(answer(&item, clash, true));
        }
        let seen = r.revision.unwrap();
        let said = self.reviews.entry(r.item.clone()).or_default();
        let since: Vec<_> = said.iter().filter(|(_, rev, _)| *rev >= seen).cloned().collect();
        said.push((by.into(), seen, r.request_id.clone()));
        let who = By { name: by, level: 1 };
        let at = time(now);
        let (next, made) = if since.is_empty() {
            let verdict = r.verdict.clone();
            let decided = life::decide(&item, verdict, who, &r.request_id, item.revision, at, at)
                .map_err(|e| Refused::new(Why::State, e.to_string()))?;
            let (next, _) = life::release(&decided, Commit::Verdicts, at, terms).unwrap();
            *self.effects.entry(r.request_id.clone()).or_default() += 1;
            (next, Made::Applied)
        } else {
            let clash = self.clashes.entry(r.item.clone()).or_default();
            for (by, _, id) in since {
                clash.add(&id, &by);
            }
            clash.add(&r.request_id, by);
            (life::contest(&item, "level1", at, terms), Made::Kept)
        };
        self.order.push(r.request_id.clone());
        self.made.insert(r.request_id.clone(), made.clone());
        let clash = (made == Made::Kept).then(|| self.clashes[&r.item].clone());
        let reply = answer(&next, clash, false);
        self.items.insert(r.item.clone(), next);
        Ok(reply)
    }
}
