//! The rules of a desk, in small.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Held, Inside, LEASE, answer};
use crate::domain::life::{self, By, QueueTerms};
use crate::domain::record;
use crate::domain::{
    Content, Correction, Fault, FaultKind, ItemState, Kind, Model, Outcome, Review, Reviewer, Role,
    Route, RouteRef, Timestamp, Verdict,
};
use crate::protocol::{
    Answer, Command, Cursor, EntryView, GuidelineView, Header, ItemView, LeaseView, Page, PageAsk,
    PolicyView, Query, Refused, Reply, Reviewed, Row, TagView, UnsentView, Why,
};

impl Inside {
    pub(super) fn log(&mut self, mut entry: Value) {
        entry["by"] = entry.get("by").cloned().unwrap_or_else(|| json!("system"));
        self.log.push(entry);
    }

    pub(super) fn level(&self, queue: &str) -> u8 {
        self.queues.iter().find(|q| q.name == queue).map_or(1, |q| q.level)
    }

    pub(super) fn cursor(held: &Held) -> Cursor {
        let due = held.item.due_at.map_or(i64::MAX / 2, |d| d.as_millisecond());
        let minute = due.div_euclid(60_000);
        Cursor(format!("{minute:014}|{:04}|{due:017}|{}", 5000 - held.item.priority, held.item.id))
    }

    pub(super) fn view(&self, held: &Held, by: &str) -> ItemView {
        let item = &held.item;
        let blind = held.blind_to(by);
        let mut record = held.record.clone();
        if blind {
            for field in ["action", "output", "confidence", "ensemble", "rationale"] {
                record.as_object_mut().unwrap().remove(field);
            }
        }
        ItemView {
            id: item.id.clone(),
            route: self.route(held),
            state: item.state,
            kind: item.kind,
            queue: item.queue.clone(),
            entered_at: item.entered_at,
            due_at: item.due_at,
            revision: item.revision,
            approvals_needed: item.missing().into_iter().map(str::to_owned).collect(),
            current: if blind { None } else { held.content() },
            reviews: held.reviews.clone(),
            lease: held.live_lease(self.now),
            pending: item.pending.as_ref().map(|p| (p.reviewer.clone(), p.until)),
            faults: held.faults.clone(),
            blind,
            sample: item.sample.clone(),
            guideline: (held.record["domain"] == "loan").then(|| GuidelineView {
                domain: "loan".into(),
                action: Some("approve".into()),
                text: "Income verified? Obligations under 40 %? Loan to price under 0.95?".into(),
            }),
            signed: held.signed,
            draft: self.drafts.get(&(item.id.clone(), by.to_owned())).cloned(),
            handed_over: None,
            seen: format!("{:064x}", item.revision),
            erased: false,
            usual: match held.record["domain"] == "loan" && !blind {
                true => self.poison(super::measured::usual()),
                false => Vec::new(),
            },
            frozen_by: held.frozen_by.clone(),
            record,
            clash: None,
            covered: None,
        }
    }

    pub(super) fn route(&self, held: &Held) -> Route {
        Route {
            id: held.item.id.clone(),
            outcome: if held.item.kind == Kind::Quarantine {
                Outcome::Quarantine
            } else {
                Outcome::Review
            },
            queue: Some(held.item.queue.clone()),
            due_at: held.item.due_at,
            approvals: held.item.required.clone(),
            rule: held.rule.clone(),
            matched: vec![held.rule.clone()],
            reason: held.reason.clone(),
            sample: None,
            fallback: None,
            policy: "sha256:fake".into(),
            generation: 1,
            state: held.item.state,
            duplicate: false,
            faults: held.faults.clone(),
            priority: 0,
            tags: Vec::new(),
            blind: held.item.blind,
        }
    }

    pub(super) fn row(&self, held: &Held, by: &str) -> Row {
        let item = &held.item;
        let blind = held.blind_to(by);
        let text = |k: &str| held.record[k].as_str().unwrap_or_default().to_owned();
        Row {
            id: item.id.clone(),
            queue: item.queue.clone(),
            state: item.state,
            kind: item.kind,
            due_at: item.due_at,
            level: self.level(&item.queue),
            business_impact: held.record["business_impact"].as_f64(),
            confidence: (!blind).then(|| held.record["confidence"].as_f64()).flatten(),
            domain: text("domain"),
            action: (!blind).then(|| text("action")),
            model: held.record["model"]["name"].as_str().unwrap_or_default().into(),
            rule: held.rule.clone(),
            reason: held.reason.clone(),
            revision: item.revision,
            priority: 0,
            leased_by: held.live_lease(self.now).map(|l| l.reviewer),
            blind,
            cursor: Self::cursor(held),
        }
    }

    pub(super) fn page(&self, by: &str, ask: PageAsk) -> Page {
        let f = &ask.filter;
        let text = f.text.as_ref().map(|t| t.to_lowercase());
        let mut rows: Vec<Row> = self
            .items
            .values()
            .filter(|h| {
                let mine = h.reviews.iter().any(|r| r.reviewer == by && !r.undone);
                (if f.by_me { mine } else { h.item.state.is_open() })
                    && f.queue.as_ref().is_none_or(|q| *q == h.item.queue)
                    && f.domain.as_ref().is_none_or(|d| h.record["domain"] == d.as_str())
                    && f.rule.as_ref().is_none_or(|r| *r == h.rule)
                    && f.level.is_none_or(|l| l == self.level(&h.item.queue))
                    && text.as_ref().is_none_or(|t| h.record.to_string().to_lowercase().contains(t))
            })
            .map(|h| self.row(h, by))
            .collect();
        rows.sort_by(|a, b| a.cursor.cmp(&b.cursor));
        let total = rows.len() as u64;
        rows.retain(|r| ask.after.as_ref().is_none_or(|c| r.cursor > *c));
        rows.retain(|r| ask.before.as_ref().is_none_or(|c| r.cursor < *c));
        let limit = ask.limit.max(1);
        let mut next = None;
        if ask.from_end || ask.before.is_some() {
            let cut = rows.len().saturating_sub(limit);
            rows.drain(..cut);
        } else if rows.len() > limit {
            rows.truncate(limit);
            next = rows.last().map(|r| r.cursor.clone());
        }
        Page { items: rows, next, total, scanned: if f.text.is_some() { total } else { 0 } }
    }

    pub(super) fn header(&self, by: &str) -> Header {
        let mut queues = self.queues.clone();
        for q in &mut queues {
            let open: Vec<_> = self
                .items
                .values()
                .filter(|h| h.item.state.is_open() && h.item.queue == q.name)
                .collect();
            let left =
                |h: &Held| h.item.due_at.map_or(i64::MAX, |d| d.duration_since(self.now).as_secs());
            q.waiting = open.len() as u64;
            q.leased = open.iter().filter(|h| h.live_lease(self.now).is_some()).count() as u64;
            q.held_by_others = open
                .iter()
                .filter_map(|h| h.live_lease(self.now))
                .filter(|l| l.reviewer != "ann")
                .count() as u64;
            q.late = open.iter().filter(|h| left(h) < 0).count() as u64;
            q.due_soon = open.iter().filter(|h| (0..300).contains(&left(h))).count() as u64;
        }
        Header {
            reviewer: Reviewer {
                name: by.into(),
                level: 1,
                roles: vec![Role::Reviewer],
                key: None,
                skills: Vec::new(),
                disabled: false,
                version: 1,
            },
            store: "demo".into(),
            now: self.now,
            clock: self.clock.into(),
            queues,
            automation: self.automation.clone(),
            generation: 1,
            policy: Some("sha256:fake".into()),
            unsent: Some(0),
            backends: 1,
            failing: 0,
            head: self.log.len() as u64,
            drift: self.drift.clone(),
            decisions: 1204,
            automatic: 988,
            outbox: self.outbox.clone(),
        }
    }

    pub(super) fn policy(&self) -> PolicyView {
        let tag = |id: &str, key, note, consequence: Option<&str>| TagView {
            id: id.into(),
            title: id.replace('_', " "),
            key,
            severity: 5,
            require_note: note,
            consequence: consequence.map(Into::into),
        };
        PolicyView {
            name: "loan-desk".into(),
            hash: "sha256:fake".into(),
            source: "policy = \"loan-desk\"\nrecord = \"decision/v1\"\n\n[params]                      # every threshold is written once\nlow = 0.60\nhigh = 0.85\n\n[[route]]\nid = \"low-confidence\"\nwhen = 'confidence < params.low'\nto = \"level1\"\n".into(),
            grace_ms: 5000,
            resume: 2,
            tags: if self.tags {
                vec![
                    tag("factual_error", Some('f'), false, None),
                    tag("bias", Some('b'), false, None),
                    tag("out_of_distribution", Some('o'), false, None),
                    tag("policy_violation", Some('p'), true, Some("freezes similar, goes to level3")),
                    tag("incomplete", Some('i'), false, None),
                    tag("tone", Some('t'), false, None),
                    tag("wrong_action", Some('w'), false, None),
                    tag("other", Some('x'), false, None),
                ]
            } else {
                Vec::new()
            },
            queues: self.queues.clone(),
            required: Vec::new(),
        }
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
            if let Some((next, _)) = life::release(&held.item, now, terms) {
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

    fn poison<T: serde::Serialize + serde::de::DeserializeOwned>(&self, view: T) -> T {
        super::poison::poisoned(view, self.poison.as_deref())
    }

    pub(super) fn ask(&mut self, by: &str, query: Query) -> Result<Reply, Refused> {
        self.asked.push(query.clone());
        if self.live {
            self.now = Timestamp::now();
        }
        Ok(match query {
            Query::Header => Reply::Header(Box::new(self.header(by))),
            Query::Page(ask) => Reply::Page(self.page(by, ask)),
            Query::Item { id } => {
                let held = self.get(&id)?.clone();
                Reply::Item(Box::new(self.view(&held, by)))
            }
            Query::Draft { id } => Reply::Draft(self.drafts.get(&(id, by.into())).cloned()),
            Query::Policy => Reply::Policy(Box::new(self.policy())),
            Query::CheckOutput { output, repairs: Some(_), .. } => {
                let text = output.to_string();
                match record::parse(text.as_bytes(), &record::Limits::default()) {
                    record::Intake::Broken(broken) => Reply::Faults(broken.faults),
                    _ => Reply::Faults(Vec::new()),
                }
            }
            Query::CheckOutput { output, .. } => {
                let known = ["approve", "deny", "allow", "remove", "refer", "discharge"];
                let ok = output["decision"].as_str().is_some_and(|d| known.contains(&d));
                Reply::Faults(if ok {
                    Vec::new()
                } else {
                    vec![Fault {
                        path: "decision".into(),
                        kind: FaultKind::Schema,
                        message: format!(
                            "{} is not one of {}",
                            output["decision"],
                            known.join(", ")
                        ),
                    }]
                })
            }
            Query::Entries { item, from, limit } => {
                let all: Vec<EntryView> = self
                    .log
                    .iter()
                    .enumerate()
                    .filter(|(_, e)| item.as_ref().is_none_or(|i| e["id"] == i.as_str()))
                    .map(|(i, e)| EntryView { index: i as u64, entry: e.clone() })
                    .collect();
                let total = all.len() as u64;
                let mut entries: Vec<_> = all.into_iter().filter(|e| e.index >= from).collect();
                let more = entries.len() > limit;
                entries.truncate(limit);
                let next = entries.last().filter(|_| more).map(|e| e.index + 1);
                Reply::Entries { entries, next, total }
            }
            Query::Corrections { after, limit, .. } => {
                let rest: Vec<_> = self.corrections.iter().skip(after as usize).cloned().collect();
                let more = rest.len() > limit;
                let corrections: Vec<_> = rest.into_iter().take(limit).collect();
                let next = more.then(|| after + corrections.len() as u64);
                Reply::Corrections { corrections, next }
            }
            Query::Signals(_)
            | Query::Distribution { .. }
            | Query::Containment
            | Query::Incident { .. }
                if self.unmeasured.is_some() =>
            {
                return Err(self.unmeasured.clone().unwrap());
            }
            Query::Signals(ask) => Reply::Signals(Box::new(self.poison(self.signals(&ask)))),
            Query::Distribution { slice, feature, .. } => {
                Reply::Distribution(Box::new(self.poison(self.distribution(&slice, &feature))))
            }
            Query::Containment => Reply::Containment(Box::new(self.poison(self.contained.clone()))),
            Query::Incident { id } => Reply::Incident(Box::new(match self.poison.is_some() {
                true => self.poison(self.contained.incidents[0].clone()),
                false => self.incident(&id)?,
            })),
            other => return Err(Refused::new(Why::Invalid, format!("not here: {other:?}"))),
        })
    }
}
