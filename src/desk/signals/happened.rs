//! What an entry of the log means for the windows.
//!
//! A decision's features and its route count in the decision's own minute (when the model decided,
//! as far as it says so and it is not in the future); a verdict counts in the minute it takes
//! effect, which is its `stage`, `settle` or `move` entry; everything else in the entry's minute.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::core::{Core, refuse};
use super::super::settle::decision_of;
use super::fresh::Counted;
use super::frozen;
use crate::audit::{Entry, EntryKind};
use crate::domain::{Decision, Item, Kind, Outcome, Review, Timestamp, VerdictKind};
use crate::protocol::Refused;
use crate::signals::{
    Clock, Count, Counts, Part, Reference, Registry, Slice, SliceId, Sums, Tier, Windows,
};
use crate::store::{Followed, StoredDecision, WindowAsk};

/// The first sight of a model that has no reference yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct First {
    /// Log index, and time, of its first decision.
    pub(super) index: u64,
    pub(super) at: Timestamp,
    /// Decisions so far.
    pub(super) decisions: u64,
}

/// What windows count of an admission.
struct Admitted<'a> {
    index: u64,
    at: Timestamp,
    outcome: Outcome,
    rule: Option<&'a str>,
    /// Where it went to people.
    queue: Option<&'a str>,
    /// `None`: it cannot be read, or waits to be repaired.
    decision: Option<&'a Decision>,
    /// As its row says; asked where the decision says nothing.
    domain: &'a str,
}

/// Follows the log into windows.
pub(super) struct Follower {
    pub(super) windows: Windows,
    pub(super) reference: Arc<Reference>,
    /// Models without a reference.
    pub(super) firsts: BTreeMap<String, First>,
    /// Somebody set another reference.
    pub(super) set_anew: bool,
    /// The windows are those of the store: a bucket is read before it is added to.
    kept: bool,
    ids: Vec<SliceId>,
    watched: Vec<SliceId>,
    places: Vec<u32>,
}

impl Follower {
    /// With nothing in its windows yet. `kept`: they are the store's.
    pub(super) fn new(registry: Registry, reference: Arc<Reference>, kept: bool) -> Self {
        Self {
            windows: Windows::new(registry),
            reference,
            firsts: BTreeMap::new(),
            set_anew: false,
            kept,
            ids: Vec::new(),
            watched: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Take an entry in. Entries come in order, each once.
    pub(super) fn take(&mut self, core: &Core, seen: &Followed) -> Result<(), Refused> {
        // What the trail cannot make sense of is for `audit verify` to say; nothing is counted.
        let Ok(entry) = Entry::parse(&seen.entry) else { return Ok(()) };
        if entry.t == EntryKind::REFERENCE && entry.by != frozen::SYSTEM {
            self.set_anew = true;
        }
        let Some(stored) = &seen.decision else { return Ok(()) };
        let is = |kind: EntryKind| entry.t == kind;
        if is(EntryKind::ADMIT) {
            self.told_of(core, &entry, stored, seen.index)
        } else if is(EntryKind::READMIT) {
            self.readmitted(core, &entry, stored)
        } else if is(EntryKind::STAGE) || is(EntryKind::SETTLE) || is(EntryKind::MOVE) {
            match &seen.review {
                Some(review) if entry.verdict.is_some() => {
                    self.verdict(core, &entry, stored, review)
                }
                _ => Ok(()),
            }
        } else if is(EntryKind::UNDO) {
            self.also(core, entry.at, stored, Count::Undone)
        } else if is(EntryKind::FEEDBACK) {
            let what = match entry.d.get("kind").map(String::as_str) {
                Some("reversal") => Count::FeedbackReversal,
                Some("complaint") => Count::FeedbackComplaint,
                Some("error") => Count::FeedbackError,
                Some("confirmed") => Count::FeedbackConfirmed,
                _ => return Ok(()),
            };
            self.also(core, entry.at, stored, what)
        } else {
            Ok(())
        }
    }

    /// One more of these in the slices of a decision.
    fn also(
        &mut self,
        core: &Core,
        at: Timestamp,
        stored: &StoredDecision,
        what: Count,
    ) -> Result<(), Refused> {
        let d = decision_of(stored).ok();
        self.count(core, at, stored, d.as_ref(), &[], |c| c.add(what, 1))
    }

    /// An admission of this process, which it did not have to read back.
    pub(super) fn admission(&mut self, core: &Core, row: &Counted) -> Result<(), Refused> {
        let decision = Some(&*row.decision);
        let Counted { index, at, outcome, ref rule, ref queue, .. } = *row;
        let (rule, queue) = (Some(rule.as_str()), queue.as_deref());
        self.admitted(core, &Admitted { index, at, outcome, rule, queue, decision, domain: "" })
    }

    /// An admission as the log tells it.
    fn told_of(
        &mut self,
        core: &Core,
        entry: &Entry,
        stored: &StoredDecision,
        index: u64,
    ) -> Result<(), Refused> {
        let outcome = entry.outcome.unwrap_or(stored.route.outcome);
        let decision = match outcome {
            // Its features are those of the repaired record, when there is one.
            Outcome::Quarantine => None,
            _ => decision_of(stored).ok(),
        };
        let admitted = Admitted {
            index,
            at: entry.at,
            outcome,
            rule: entry.rule.as_deref(),
            queue: entry.queue.as_deref(),
            decision: decision.as_ref(),
            domain: &stored.columns.domain,
        };
        self.admitted(core, &admitted)
    }

    fn admitted(&mut self, core: &Core, admitted: &Admitted<'_>) -> Result<(), Refused> {
        let Admitted { index, at: now, outcome, rule, queue, decision, domain } = *admitted;
        let mut counts = vec![Count::Decisions];
        counts.extend(match outcome {
            Outcome::Auto => Some(Count::Auto),
            Outcome::Block => Some(Count::Blocked),
            Outcome::Fallback => Some(Count::Fallback),
            Outcome::Quarantine => Some(Count::Quarantined),
            Outcome::Review => None,
        });
        counts.extend(queue.is_some().then_some(Count::ToPeople));
        if let Some(d) = decision
            && !self.reference.models.contains_key(&d.model.name)
            && self.firsts.len() < crate::signals::MODELS
        {
            let first = First { index, at: now, decisions: 0 };
            self.firsts.entry(d.model.name.clone()).or_insert(first).decisions += 1;
        }
        let rule = rule.map(|rule| Slice::Rule(rule.to_owned()));
        let queue = queue.map(|queue| Slice::Queue(queue.to_owned()));
        let more: Vec<Slice> = rule.into_iter().chain(queue).collect();
        self.decision(core, now, domain, decision, &more, &counts)?;
        let Some(d) = decision else { return Ok(()) };
        let at = moment(d, now);
        let overall = self.windows.slice(&Slice::Overall, at);
        if let Some(ms) = d.latency_ms.and_then(whole) {
            let model = self.windows.slice(&model_of(d), at);
            self.windows.took(at, &[overall, model], Clock::Model, ms);
        }
        if let Some(decided) = d.occurred_at {
            self.windows.took(at, &[overall], Clock::Admit, between(decided, now));
        }
        Ok(())
    }

    /// A repaired record: only now is it known what it says.
    fn readmitted(
        &mut self,
        core: &Core,
        entry: &Entry,
        stored: &StoredDecision,
    ) -> Result<(), Refused> {
        let d = decision_of(stored).ok();
        let mut counts = Vec::new();
        counts.extend((stored.route.outcome == Outcome::Auto).then_some(Count::Auto));
        counts.extend(entry.queue.is_some().then_some(Count::ToPeople));
        let more: Vec<Slice> = entry.queue.clone().map(Slice::Queue).into_iter().collect();
        self.decision(core, entry.at, &stored.columns.domain, d.as_ref(), &more, &counts)
    }

    /// Count a decision in its minute, with its features where it can be read.
    fn decision(
        &mut self,
        core: &Core,
        now: Timestamp,
        domain: &str,
        d: Option<&Decision>,
        more: &[Slice],
        counts: &[Count],
    ) -> Result<(), Refused> {
        let at = d.map_or(now, |d| moment(d, now));
        if now.as_second() - at.as_second() > Tier::Day.keep() {
            self.room(core, now)?;
            let overall = self.windows.slice(&Slice::Overall, now);
            self.windows.count(now, &[overall], |c| c.add(Count::TooOld, 1));
            return Ok(());
        }
        self.room(core, at)?;
        self.slices(domain, d, more, at);
        let population = d.and_then(|d| {
            let reference = self.reference.models.get(&d.model.name)?;
            let missing = reference.place(d, &mut self.places);
            Some((self.windows.model(&d.model.name, reference), missing))
        });
        let (ids, watched, places) = (&self.ids, &self.watched, &self.places);
        let cells = population.map(|(model, _)| (model, places.as_slice()));
        self.windows.decision(at, ids, counts, watched, cells);
        if let Some((_, missing)) = population.filter(|(_, missing)| *missing > 0) {
            self.windows.count(at, watched, |c| c.add(Count::Missing, missing));
        }
        Ok(())
    }

    /// Only the features of a decision, in its minute: for windows under a new reference.
    pub(super) fn features(&mut self, core: &Core, seen: &Followed) -> Result<(), Refused> {
        let Ok(entry) = Entry::parse(&seen.entry) else { return Ok(()) };
        let Some(stored) = &seen.decision else { return Ok(()) };
        let admitted = entry.t == EntryKind::ADMIT && entry.outcome != Some(Outcome::Quarantine);
        if !admitted && entry.t != EntryKind::READMIT {
            return Ok(());
        }
        let Ok(d) = decision_of(stored) else { return Ok(()) };
        let at = moment(&d, entry.at);
        let Some(reference) = self.reference.models.get(&d.model.name).cloned() else {
            return Ok(());
        };
        self.room(core, at)?;
        self.slices("", Some(&d), &[], at);
        reference.place(&d, &mut self.places);
        let model = self.windows.model(&d.model.name, &reference);
        self.windows.decision(at, &[], &[], &self.watched, Some((model, &self.places)));
        Ok(())
    }

    fn verdict(
        &mut self,
        core: &Core,
        entry: &Entry,
        stored: &StoredDecision,
        review: &Review,
    ) -> Result<(), Refused> {
        let verdict = review.verdict.verdict;
        let d = decision_of(stored).ok();
        let more = [
            Slice::Rule(stored.route.rule.clone()),
            Slice::Queue(review.queue.clone()),
            Slice::Reviewer(review.reviewer.clone()),
        ];
        // The item is shown as it stands now: it says how this went only if nothing came after.
        let item = stored.item.as_ref().filter(|i| entry.rev == Some(i.revision));
        let settled = entry.t == EntryKind::SETTLE;
        let (entered, due) = match item {
            Some(item) if settled => (Some(item.entered_at), item.due_at),
            _ => (told(entry, "entered"), told(entry, "due")),
        };
        let reviewing = entered.map(|e| between(e, review.at));
        let resolving = item
            .filter(|i| settled && i.kind != Kind::Retrospective)
            .map(|_| between(stored.admitted_at, entry.at));
        // Whoever escalated it moved it out of the queue it was routed to.
        let elsewhere =
            |i: &&Item| settled && stored.route.queue.as_deref() != Some(i.queue.as_str());
        let escalated = if item.filter(elsewhere).is_some() {
            let reviews = core.store.reviews(&review.item).map_err(refuse)?;
            let first = reviews.iter().find(|r| {
                !r.undone && r.verdict.verdict == VerdictKind::Escalate && r.at < review.at
            });
            first.map(|r| between(r.at, entry.at))
        } else {
            None
        };
        let known = item.filter(|_| settled).and_then(|item| outcome(item, review));
        let in_time = due.map(|due| review.at <= due);
        let confidence = d.as_ref().map(|d| d.confidence);
        self.count(core, entry.at, stored, d.as_ref(), &more, |c| {
            c.add(
                match verdict {
                    VerdictKind::Accept => Count::Accepted,
                    VerdictKind::Edit => Count::Edited,
                    VerdictKind::Reject => Count::Rejected,
                    VerdictKind::Escalate => Count::Escalated,
                },
                1,
            );
            if review.reversal {
                c.add(Count::Reversals, 1);
            }
            match in_time {
                Some(true) => c.add(Count::InTime, 1),
                Some(false) => c.add(Count::Late, 1),
                None => {}
            }
            for (ms, sum, times) in [
                (reviewing, Count::ReviewMs, Count::ReviewTimes),
                (resolving, Count::ResolveMs, Count::ResolveTimes),
                (escalated, Count::EscalationMs, Count::EscalationTimes),
            ] {
                if let Some(ms) = ms {
                    c.add(sum, ms);
                    c.add(times, 1);
                }
            }
            if settled {
                c.add(Count::Settled, 1);
            }
            if let (Some((right, probability)), Some(confidence)) = (known, confidence) {
                c.outcome(confidence, right, probability);
                if probability < 1.0 || item.is_some_and(|i| i.sample.is_some()) {
                    c.sampled(!right, probability);
                }
            }
        })?;
        let clocked = [Slice::Overall, Slice::Queue(review.queue.clone())]
            .map(|slice| self.windows.slice(&slice, entry.at));
        for (ms, clock) in [
            (reviewing, Clock::Review),
            (resolving, Clock::Resolve),
            (escalated, Clock::Escalation),
        ] {
            if let Some(ms) = ms {
                self.windows.took(entry.at, &clocked, clock, ms);
            }
        }
        // The next stage, or the queue it was escalated to, has one more arrival.
        if let Some(queue) = entry.queue.clone().filter(|_| !settled) {
            let slices = [Slice::Overall, Slice::Queue(queue)];
            let ids = slices.map(|slice| self.windows.slice(&slice, entry.at));
            self.windows.count(entry.at, &ids, |c| c.add(Count::ToPeople, 1));
        }
        Ok(())
    }

    fn count(
        &mut self,
        core: &Core,
        at: Timestamp,
        stored: &StoredDecision,
        d: Option<&Decision>,
        more: &[Slice],
        change: impl Fn(&mut Counts),
    ) -> Result<(), Refused> {
        self.room(core, at)?;
        self.slices(&stored.columns.domain, d, more, at);
        self.windows.count(at, &self.ids, change);
        Ok(())
    }

    /// The slices of a decision: by what it says itself where it can be read (those are watched),
    /// by its domain otherwise; and these.
    fn slices(&mut self, domain: &str, d: Option<&Decision>, more: &[Slice], at: Timestamp) {
        match d {
            Some(d) => self.windows.slices(d, at, &mut self.ids),
            None => {
                self.ids.clear();
                self.ids.push(self.windows.slice(&Slice::Overall, at));
                if !domain.is_empty() {
                    self.ids.push(self.windows.slice(&Slice::Domain(domain.to_owned()), at));
                }
            }
        }
        self.watched.clear();
        self.watched.extend(&self.ids);
        for slice in more {
            let id = self.windows.slice(slice, at);
            if !self.ids.contains(&id) {
                self.ids.push(id);
            }
        }
    }

    /// Make sure that something can be added at this time.
    fn room(&mut self, core: &Core, at: Timestamp) -> Result<(), Refused> {
        if !self.windows.has_room(at) {
            self.flush(core)?;
        }
        Ok(())
    }

    /// Write open minutes into their buckets, read from the store where they are kept there.
    pub(super) fn flush(&mut self, core: &Core) -> Result<(), Refused> {
        if self.kept {
            for (tier, start) in self.windows.wanted() {
                let rows = read(core, tier, start, start + 1, None, None)?;
                let rows = rows.into_iter().map(|(_, slice, part, sums)| (slice, part, sums));
                self.windows.load(tier, start, rows);
            }
        }
        self.windows.flush();
        Ok(())
    }
}

/// Rows of the store: start (seconds), slice, part, sums; starts in `from..to` seconds. What this
/// version cannot read (a later one wrote it) is left out.
pub(super) fn read(
    core: &Core,
    tier: Tier,
    from: i64,
    to: i64,
    slice: Option<&Slice>,
    part: Option<&str>,
) -> Result<Vec<(i64, Slice, Part, Sums)>, Refused> {
    let time = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    let ask = WindowAsk {
        tier: tier.number(),
        from: time(from),
        to: time(to),
        slice: slice.map(Slice::to_string),
        part: part.map(str::to_owned),
    };
    let rows = core.store.windows(&ask).map_err(refuse)?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let slice = row.slice.parse().ok()?;
            let part = row.part.parse().ok()?;
            Some((row.start.as_second(), slice, part, Sums::from_bytes(row.value).ok()?))
        })
        .collect())
}

/// Was the model right, and with which probability was this looked at? `None`: a review nobody can
/// generalise from (a flag, an appeal), or one of a broken record.
fn outcome(item: &Item, review: &Review) -> Option<(bool, f64)> {
    let right = review.verdict.verdict == VerdictKind::Accept && item.content.is_none();
    match (item.kind, &item.sample) {
        (Kind::Review, _) => Some((right, 1.0)),
        (Kind::Retrospective, Some(sample)) => Some((right, sample.probability)),
        (Kind::Retrospective, None) | (Kind::Quarantine, _) => None,
    }
}

/// When a decision counts: when the model decided, not later than now.
fn moment(d: &Decision, now: Timestamp) -> Timestamp {
    d.occurred_at.map_or(now, |at| at.min(now))
}

fn model_of(d: &Decision) -> Slice {
    Slice::Model { name: d.model.name.clone(), version: d.model.version.clone() }
}

/// A time an entry tells, in milliseconds.
fn told(entry: &Entry, key: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(entry.d.get(key)?.parse().ok()?).ok()
}

/// Milliseconds from one to the other; 0 when the clocks disagree.
fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "finite and not negative; `as` saturates"
)]
fn whole(ms: f64) -> Option<u64> {
    (ms.is_finite() && ms >= 0.0).then(|| ms.round() as u64)
}
