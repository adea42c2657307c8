//! What the desk in small answers to questions.

use super::{Held, Inside};
use crate::domain::record;
use crate::domain::{Fault, FaultKind, Kind, Outcome, Reviewer, Role, Route, Timestamp};
use crate::protocol::{
    Cursor, EntryView, GuidelineView, Header, ItemView, Page, PageAsk, PolicyView, Query, Refused,
    Reply, Row, TagView, Why,
};

impl Inside {
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
