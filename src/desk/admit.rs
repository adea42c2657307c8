//! Admission: a prepared record is checked, routed and made a row of the store.

use std::borrow::Cow;
use std::sync::Arc;

use super::contain::{EffectSubject, Gauges, contained};
use super::core::{Core, Sight, refuse};
use super::prepare::{Prepared, Ready, Shape, columns, prepare};
use super::reopen::done;
use super::routed::routed;
use super::salts::Salts;
use super::settle::fire;
use super::tally::Tally;
use crate::audit::{Entry, EntryKind, RowMark, Salt};
use crate::authority::{self, Subject};
use crate::domain::{Decision, Facts, Item, ItemState, Kind, Outcome, Route, Timestamp};
use crate::policy::{EffectAction, Routing};
use crate::protocol::{Act, Admitted, Line, Refusal, Refused, Why};
use crate::store::{
    Admission, AdmitBatch, AdmitResult, Body, Columns, DeadLetter, EntryDraft, Op, Premises,
    StoreError, Write, form,
};

/// The item a route makes: something for people to look at, or nothing.
pub(super) fn item_of(route: &Route, now: Timestamp, revision: u64) -> Option<Item> {
    let kind = match (route.outcome, &route.sample) {
        (Outcome::Review, _) => Kind::Review,
        (Outcome::Quarantine, _) => Kind::Quarantine,
        (Outcome::Auto, Some(_)) => Kind::Retrospective,
        (Outcome::Auto | Outcome::Block | Outcome::Fallback, _) => return None,
    };
    let queue = route.queue.clone()?;
    Some(Item {
        id: route.id.clone(),
        kind,
        state: ItemState::Waiting,
        required: if route.approvals.is_empty() {
            vec![queue.clone()]
        } else {
            route.approvals.clone()
        },
        queue,
        entered_at: now,
        due_at: route.due_at,
        priority: route.priority,
        revision,
        approvals: Vec::new(),
        content: None,
        pending: None,
        blind: route.blind,
        sample: route.sample.clone(),
        breached: false,
    })
}

/// A routed record as a row of the store, with its trail entry.
pub(super) fn admission(
    core: &Core,
    ready: Ready,
    sight: &Sight,
    (tally, gauges): (&Tally, &mut Gauges),
    by: &str,
    now: Timestamp,
) -> Result<Admission, Refused> {
    let Ready { id, content, before, bodies, shape } = ready;
    let read = match &shape {
        Shape::Whole(d) => Ok(&**d),
        Shape::Broken { faults, .. } => Err(faults.as_slice()),
    };
    let mut facts = tally.facts(sight, read.ok(), now);
    let find = &mut |d: &Decision, facts: &Facts, routing: &Routing| {
        contained(sight, gauges, d, facts, routing)
    };
    let (route, firings) = routed(sight.policy.as_deref(), &id, read, &mut facts, find);
    let mut item = item_of(&route, now, 0);
    let mut then = Vec::new();
    if !firings.is_empty() {
        let escalates = firings
            .iter()
            .any(|f| f.actions.iter().any(|a| matches!(a, EffectAction::Escalate { .. })));
        // An automatic decision that the policy sends to people is reviewed after the fact.
        let at = item.clone().or_else(|| escalates.then(|| done(&id, "", now)));
        let level = at.as_ref().map_or(1, |i| sight.level(&i.queue));
        let about = EffectSubject { id: &id, decision: read.ok(), level };
        let fired = fire(core, sight, &about, at.as_ref(), &firings, "policy", now)?;
        then = fired.ops;
        sight.settings(&mut then)?;
        item = fired.item.or(item);
    }
    let mut entry = Entry::new(EntryKind::ADMIT, by, now, sight.wall);
    describe(&mut entry, &route, item.as_ref());
    let place = item.as_ref().map(|i| i.queue.as_str()).or(route.queue.as_deref());
    let level = place.map_or(0, |q| sight.level(q));
    let columns = match shape {
        Shape::Whole(d) => columns(&d),
        Shape::Broken { columns, .. } => *columns,
    };
    let columns = Columns { level, ..columns };
    let commit = |(body, hash): (Body, _)| {
        entry.commit_to(body.path.as_str(), hash);
        body
    };
    let bodies: Vec<Body> = bodies.into_iter().map(commit).collect();
    entry.row = mark(bodies.first(), &form(&content, &route, &facts, &columns));
    let entry = EntryDraft { item: Some(id), bytes: entry.bytes(), bodies };
    Ok(Admission { content, before, route, facts, columns, item, entry, then })
}

/// What the route of a record would be: nothing is made of it.
pub(super) fn would_route(
    ready: &Ready,
    sight: &Sight,
    tally: &Tally,
    gauges: &mut Gauges,
    now: Timestamp,
) -> Route {
    let read = match &ready.shape {
        Shape::Whole(d) => Ok(&**d),
        Shape::Broken { faults, .. } => Err(faults.as_slice()),
    };
    let mut facts = tally.facts(sight, read.ok(), now);
    let find = &mut |d: &Decision, facts: &Facts, routing: &Routing| {
        contained(sight, gauges, d, facts, routing)
    };
    routed(sight.policy.as_deref(), &ready.id, read, &mut facts, find).0
}

/// What an entry says of the decision's row, under the salt of the record.
pub(super) fn mark(record: Option<&Body>, form: &[u8]) -> Option<RowMark> {
    record.map(|body| RowMark::of(&Salt::from_bytes(body.salt), form))
}

/// What an entry says of a route and of where the item stands.
pub(super) fn describe(entry: &mut Entry, route: &Route, item: Option<&Item>) {
    entry.id = Some(route.id.clone());
    entry.outcome = Some(route.outcome);
    entry.rule = Some(route.rule.clone());
    entry.r#gen = Some(route.generation);
    entry.policy = Some(short(&route.policy));
    entry.state = Some(item.map_or(route.state, |i| i.state));
    entry.rev = item.map(|i| i.revision);
    entry.queue = item.map(|i| i.queue.clone());
}

/// The first 16 hex digits of a policy hash.
pub(super) fn short(hash: &str) -> String {
    hash.trim_start_matches("sha256:").chars().take(16).collect()
}

/// The answer to an admission: its route, or the original one, marked; or that it clashes.
pub(super) fn answer_of(result: AdmitResult, route: &Route) -> Result<Cow<'_, Route>, Refusal> {
    match result {
        AdmitResult::New(_) => Ok(Cow::Borrowed(route)),
        AdmitResult::Duplicate(original) => Ok(Cow::Owned(Route { duplicate: true, ..*original })),
        AdmitResult::Conflict => Err(Refusal {
            reason: "id_conflict".into(),
            message: format!(
                "{} is already admitted with other content; the first stays",
                route.id
            ),
        }),
    }
}

impl Core {
    /// Admit a batch of lines: one request, one commit.
    pub(super) fn admit(&self, by: &str, lines: &[Line]) -> Result<Vec<Admitted>, Refused> {
        self.admit_lines(by, lines)
    }

    /// All lines, in as few commits as may be: what an effect stops holds for the very next line,
    /// so the line that sets it off is the last of its commit.
    fn admit_lines(&self, by: &str, lines: &[Line]) -> Result<Vec<Admitted>, Refused> {
        let mut answers = Vec::with_capacity(lines.len());
        while let Some(rest) = lines.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            answers.extend(self.admit_some(by, rest)?);
        }
        Ok(answers)
    }

    /// The first of these lines, at least one, in one commit.
    fn admit_some(&self, by: &str, lines: &[Line]) -> Result<Vec<Admitted>, Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            authority::may(&actor, Act::Admit, Subject::default())?;
            let mut tally = Tally::load(self, sight)?;
            let mut salts = Salts::of(lines.len());
            let mut now = sight.now;
            let mut answers: Vec<Admitted> = Vec::with_capacity(lines.len());
            let (mut rows, mut dead) = (Vec::new(), Vec::new());
            let mut places = Vec::new();
            let tells_known = Tally::tells_known(sight);
            for line in lines {
                if sight.is_changed() {
                    break;
                }
                let (key, policy) = (&sight.snapshot.key, sight.policy.as_deref());
                match prepare(line.bytes.clone(), key, policy, &mut salts)? {
                    Prepared::Blank => answers.push(Admitted::Blank),
                    Prepared::Refused(refusal, _) => {
                        dead.push(letter(line, &refusal, sight.wall));
                        answers.push(Admitted::Refused(refusal));
                    }
                    Prepared::Record(ready) => {
                        now = moment(sight, &ready, now);
                        let known = tells_known
                            && self.store.known(&[&ready.id])?.first().is_some_and(|k| *k);
                        let row = self.with_gauges(sight, now, |gauges| {
                            // What is known already is answered as it was and counts no more.
                            let mut aside = known.then(|| gauges.clone());
                            let gauges = aside.as_mut().unwrap_or(gauges);
                            admission(self, *ready, sight, (&tally, gauges), by, now)
                        })??;
                        if !known {
                            tally.count(&row);
                        }
                        places.push((answers.len(), line));
                        answers.push(Admitted::Blank);
                        rows.push(row);
                    }
                }
            }
            let rows = Arc::new(rows);
            let premises =
                Premises { actor: Some((actor.name, actor.version)), ..sight.premises() };
            let batch = AdmitBatch { premises, now, rows: rows.clone(), dead, bulk: false };
            let results = self.store.admit(batch).wait()?;
            self.cooled_by(sight, &rows, Some(&results));
            let mut conflicts = Vec::new();
            for (((place, line), row), result) in places.into_iter().zip(&*rows).zip(results) {
                let answer = match answer_of(result, &row.route) {
                    Ok(route) => Admitted::Route(Box::new(route.into_owned())),
                    Err(refusal) => {
                        conflicts.push(letter(line, &refusal, sight.wall));
                        Admitted::Refused(refusal)
                    }
                };
                if let Some(slot) = answers.get_mut(place) {
                    *slot = answer;
                }
            }
            self.keep_dead(conflicts)?;
            self.grown(self.store.head()?);
            Ok(answers)
        })
    }

    /// Keep lines as dead letters without admitting anything.
    pub(super) fn keep_dead(&self, dead: Vec<DeadLetter>) -> Result<(), StoreError> {
        if dead.is_empty() {
            return Ok(());
        }
        self.store.admit(letters(dead)).wait().map(drop)
    }

    /// Dead letters, tried again: those that are usable now are admitted and leave the list.
    pub(super) fn retry_refused(
        &self,
        by: &str,
        numbers: &[u64],
    ) -> Result<Vec<Admitted>, Refused> {
        authority::may(&self.actor(by)?, Act::RetryRefused, Subject::default())?;
        let mut answers = Vec::with_capacity(numbers.len());
        for number in numbers {
            let found = self.store.dead_letters(number.saturating_sub(1), 1).map_err(refuse)?;
            let Some(stored) = found.into_iter().find(|l| l.number == *number) else {
                return Err(Refused::new(
                    Why::NotFound,
                    format!("there is no dead letter {number}"),
                )
                .hint("overrule ingest --refused lists them"));
            };
            let line = Line {
                source: stored.letter.source.clone(),
                line: stored.letter.line,
                bytes: stored.letter.bytes.clone(),
            };
            let answer = self.admit_lines(by, std::slice::from_ref(&line))?;
            if matches!(answer.first(), Some(Admitted::Route(_))) {
                let sight = self.sight()?;
                self.commit(Write {
                    premises: crate::store::Premises::default(),
                    now: sight.now,
                    ops: vec![Op::DropDeadLetter { number: *number }],
                })
                .map_err(refuse)?;
            }
            answers.extend(answer);
        }
        Ok(answers)
    }
}

/// Desk time of an admission: the wall clock's, or on the record clock the record's own, never
/// running backwards.
pub(super) fn moment(sight: &Sight, ready: &Ready, now: Timestamp) -> Timestamp {
    match ready.occurred_at() {
        Some(at) if sight.snapshot.record_clock && at <= horizon(sight) => {
            super::core::millis(at).max(now)
        }
        _ => now,
    }
}

/// A record clock follows no record beyond the wall clock's tomorrow: one line with a wrong year
/// would put every later due time there.
fn horizon(sight: &Sight) -> Timestamp {
    let day = jiff::SignedDuration::from_hours(24);
    sight.wall.checked_add(day).unwrap_or(Timestamp::MAX)
}

/// A batch of lines that are not usable, and of nothing else.
pub(super) fn letters(dead: Vec<DeadLetter>) -> AdmitBatch {
    AdmitBatch {
        premises: crate::store::Premises::default(),
        // The clock never runs back: this moves nothing.
        now: Timestamp::UNIX_EPOCH,
        rows: Arc::default(),
        dead,
        bulk: false,
    }
}

/// A line that is not usable, as it is kept.
pub(super) fn letter(line: &Line, refusal: &Refusal, at: Timestamp) -> DeadLetter {
    DeadLetter {
        source: line.source.clone(),
        line: line.line,
        reason: refusal.reason.clone(),
        message: refusal.message.clone(),
        bytes: line.bytes.clone(),
        at,
    }
}

/// The record's bytes as they came.
pub(super) fn raw(row: &Admission) -> Vec<u8> {
    row.entry.bodies.first().map(|body| body.value.clone()).unwrap_or_default()
}
