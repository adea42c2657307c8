//! The rules of a desk, in small: what it does when it is told to.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Held, Inside, LEASE, answer};
use crate::domain::life::{self, By, Commit, QueueTerms};
use crate::domain::{Content, Correction, ItemState, Model, Review, RouteRef, Timestamp, Verdict};
use crate::protocol::{Answer, Command, LeaseView, Refused, Reviewed, UnsentView, Why};

impl Inside {
    pub(super) fn log(&mut self, mut entry: Value) {
        entry["by"] = entry.get("by").cloned().unwrap_or_else(|| json!("system"));
        self.log.push(entry);
    }

    pub(super) fn get(&mut self, id: &str) -> Result<&mut Held, Refused> {
        self.items
            .get_mut(id)
            .ok_or_else(|| Refused::new(Why::NotFound, format!("there is no {id}")))
    }

    pub(super) fn lease(&mut self, by: &str, id: &str) -> Result<LeaseView, Refused> {
        let now = self.now;
        let epoch = self.epoch + 1;
        let held = self.get(id)?;
        if let Some(lease) = held.live_lease(now)
            && lease.reviewer != by
        {
            return Err(Refused::new(
                Why::LeaseLost,
                format!("{id} is leased to {}", lease.reviewer),
            ));
        }
        if !held.item.state.is_open() {
            return Err(Refused::new(Why::State, format!("{id} is {}", held.item.state.as_str())));
        }
        let lease = LeaseView { reviewer: by.into(), until: now + LEASE, epoch, grant: None };
        held.lease = Some(lease.clone());
        self.epoch = epoch;
        Ok(lease)
    }

    pub(super) fn review(
        &mut self,
        by: &str,
        request: crate::protocol::ReviewRequest,
    ) -> Result<Answer, Refused> {
        if let Some(refused) = self.refuse.pop_front() {
            return Err(refused);
        }
        if let Some(done) = self.requests.get(&request.request_id) {
            return Ok(answer(Reviewed { duplicate: true, ..done.clone() }));
        }
        let now = self.now;
        if let Some(outbox) = self.outbox.as_mut().filter(|o| o.offline_since.is_some()) {
            outbox.unsent.push(UnsentView {
                item: request.item.clone(),
                verdict: request.verdict.verdict,
                to: request.verdict.to.clone(),
                at: now,
            });
            let held = self.get(&request.item)?;
            return Ok(answer(Reviewed {
                id: request.item.clone(),
                state: ItemState::Decided,
                queue: held.item.queue.clone(),
                revision: held.item.revision,
                until: None,
                duplicate: false,
                effects: Vec::new(),
                clash: None,
                unsent: true,
            }));
        }
        let held = self.get(&request.item)?;
        match (request.lease, held.live_lease(now)) {
            (_, Some(l)) if l.reviewer != by => {
                return Err(Refused::new(
                    Why::LeaseLost,
                    format!("{} is leased to {}", request.item, l.reviewer),
                ));
            }
            (Some(epoch), lease) if lease.as_ref().is_none_or(|l| l.epoch != epoch) => {
                return Err(Refused::new(
                    Why::LeaseLost,
                    format!("your lease on {} ran out", request.item),
                )
                .hint("open it again"));
            }
            _ => {}
        }
        if held.signed && request.signature.is_none() {
            return Err(Refused::new(Why::Policy, "a signature is missing"));
        }
        let grace = SignedDuration::from_millis(i64::try_from(request.grace_ms).unwrap());
        let seen = request.revision.unwrap_or(held.item.revision);
        let next = life::decide(
            &held.item,
            request.verdict.clone(),
            By { name: by, level: 1 },
            &request.request_id,
            seen,
            now,
            now + grace,
        )
        .map_err(|e| match e {
            life::LifeError::Stale { .. } => Refused::new(Why::Stale, e.to_string()),
            _ => Refused::new(Why::State, e.to_string()),
        })?;
        if let Some(output) = &request.verdict.output {
            let action = request.verdict.action.clone().unwrap_or_default();
            held.contents
                .insert(request.request_id.clone(), Content { action, output: output.clone() });
        } else if let Some(action) = &request.verdict.action {
            let output = held.record["output"].clone();
            held.contents
                .insert(request.request_id.clone(), Content { action: action.clone(), output });
        }
        held.item = next;
        held.lease = None;
        held.reviews.push(Review {
            request_id: request.request_id.clone(),
            item: request.item.clone(),
            reviewer: by.into(),
            level: 1,
            queue: held.item.queue.clone(),
            revision: seen,
            verdict: request.verdict.clone(),
            at: now,
            signature: request.signature,
            undone: false,
            reversal: false,
            agreed: None,
        });
        let done = Reviewed {
            id: request.item.clone(),
            state: ItemState::Decided,
            queue: held.item.queue.clone(),
            revision: held.item.revision,
            until: Some(now + grace),
            duplicate: false,
            effects: Vec::new(),
            clash: None,
            unsent: false,
        };
        let kind = request.verdict.verdict.as_str();
        self.log(json!({"t": "verdict", "id": request.item, "verdict": kind, "by": by, "at": now.to_string()}));
        self.requests.insert(request.request_id, done.clone());
        Ok(answer(done))
    }

    pub(super) fn tick(&mut self) -> u64 {
        let now = self.now;
        let levels: BTreeMap<String, u8> =
            self.queues.iter().map(|q| (q.name.clone(), q.level)).collect();
        let terms = |q: &str| QueueTerms {
            level: levels.get(q).copied().unwrap_or(1),
            due_at: Some(now + SignedDuration::from_mins(30)),
        };
        let due: Vec<String> = self
            .items
            .iter()
            .filter(|(_, h)| h.item.pending.as_ref().is_some_and(|p| p.until <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &due {
            let held = self.items.get_mut(id).unwrap();
            let pending = held.item.pending.clone().unwrap();
            if let Some((next, _)) = life::release(&held.item, Commit::Later, now, terms) {
                held.item = next;
            }
            let Verdict { verdict, tags, note, output, action, .. } = pending.verdict;
            if verdict.overrides() {
                let correction = Correction {
                    id: id.clone(),
                    domain: held.record["domain"].as_str().unwrap_or_default().into(),
                    model: Model { name: "m".into(), version: "1".into() },
                    cohort: BTreeMap::new(),
                    input: serde_json::Map::new(),
                    proposed: Content {
                        action: held.record["action"].as_str().unwrap_or_default().into(),
                        output: held.record["output"].clone(),
                    },
                    corrected: Some(crate::domain::Corrected { action, output }),
                    verdict,
                    tags,
                    note,
                    by: pending.reviewer,
                    level: 1,
                    at: now,
                    route: RouteRef { rule: held.rule.clone(), policy: "sha256:fake".into() },
                    sample: None,
                };
                self.corrections.push(correction);
            }
            self.log(json!({"t": "settle", "id": id, "at": now.to_string()}));
        }
        due.len() as u64
    }

    pub(super) fn execute(&mut self, by: &str, command: Command) -> Result<Answer, Refused> {
        self.said.push(command.clone());
        if self.live {
            self.now = Timestamp::now();
        }
        match command {
            Command::Lease(ask) => {
                let Some(id) = ask.item else { return Ok(Answer::Leased(None)) };
                self.lease(by, &id)?;
                let view = self.view(&self.items[&id], by);
                Ok(Answer::Leased(Some(Box::new(view))))
            }
            Command::Renew { item, epoch } => {
                let until = self.now + LEASE;
                let now = self.now;
                let held = self.get(&item)?;
                match held.live_lease(now) {
                    Some(l) if l.epoch == epoch => {
                        let lease = LeaseView { until, ..l };
                        held.lease = Some(lease.clone());
                        Ok(Answer::Renewed(lease))
                    }
                    Some(l) => Err(Refused::new(
                        Why::LeaseLost,
                        format!("{item} is leased to {}", l.reviewer),
                    )),
                    None => Err(Refused::new(
                        Why::LeaseLost,
                        format!("your lease on {item} was taken back"),
                    )),
                }
            }
            Command::Release { item, epoch } => {
                let held = self.get(&item)?;
                if held.lease.as_ref().is_some_and(|l| l.epoch == epoch) {
                    held.lease = None;
                }
                Ok(Answer::Done)
            }
            Command::SaveDraft { item, draft } => {
                self.drafts.insert((item, by.into()), draft);
                Ok(Answer::Done)
            }
            Command::DropDraft { item } => {
                self.drafts.remove(&(item, by.into()));
                Ok(Answer::Done)
            }
            Command::Review(request) => self.review(by, *request),
            Command::AnswerBlind(blind) => {
                let held = self.get(&blind.item)?;
                held.answered.push(by.into());
                Ok(Answer::Done)
            }
            Command::Undo { item } => {
                let now = self.now;
                let held = self.get(&item)?;
                held.item = life::undo(&held.item, by, now)
                    .map_err(|e| Refused::new(Why::LateUndo, e.to_string()))?;
                if let Some(review) = held.reviews.last_mut() {
                    review.undone = true;
                }
                let done = Reviewed {
                    id: item.clone(),
                    state: held.item.state,
                    queue: held.item.queue.clone(),
                    revision: held.item.revision,
                    until: None,
                    duplicate: false,
                    effects: Vec::new(),
                    clash: None,
                    unsent: false,
                };
                self.log(json!({"t": "undo", "id": item, "by": by, "at": now.to_string()}));
                Ok(answer(done))
            }
            Command::Tick => Ok(Answer::Ticked(self.tick())),
            Command::Flag { item, .. } => {
                let now = self.now;
                let held = self.get(&item)?;
                let terms = |_: &str| QueueTerms { level: 1, due_at: None };
                held.item = life::flag(&held.item, "level1", now, terms)
                    .map_err(|e| Refused::new(Why::State, e.to_string()))?;
                Ok(Answer::Done)
            }
            other => self
                .contain(by, &other)
                .unwrap_or_else(|| Err(Refused::new(Why::Invalid, format!("not here: {other:?}")))),
        }
    }
}
