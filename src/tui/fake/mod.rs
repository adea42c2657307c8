//! A desk in memory, deterministic, for tests of the app: the same rules in small.

mod contained;
mod measured;
mod poison;
mod records;
mod rules;
mod shown;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use jiff::SignedDuration;
use serde_json::{Value, json};

pub use self::records::{broken, loan, medical, moderation, support, with};
use crate::domain::{Content, Correction, Fault, Item, Kind, Review, Timestamp, VerdictKind};
use crate::protocol::{
    Answer, Change, Command, ContainmentView, Desk, Draft, LeaseView, OutboxView, Query, QueueView,
    Refused, Reply, Reviewed, VerifyAsk, VerifyReport,
};

/// How long a lease lasts here.
pub const LEASE: SignedDuration = SignedDuration::from_mins(5);

/// 2026-01-05T09:00:00Z
pub fn start() -> Timestamp {
    "2026-01-05T09:00:00Z".parse().unwrap()
}

#[derive(Clone, Debug)]
pub struct Held {
    pub item: Item,
    pub record: Value,
    pub reason: String,
    pub rule: String,
    pub reviews: Vec<Review>,
    pub contents: BTreeMap<String, Content>,
    pub lease: Option<LeaseView>,
    pub faults: Vec<Fault>,
    pub signed: bool,
    pub frozen_by: Option<String>,
    pub answered: Vec<String>,
}

#[derive(Debug)]
pub struct Inside {
    pub now: Timestamp,
    pub items: BTreeMap<String, Held>,
    pub drafts: BTreeMap<(String, String), Draft>,
    pub queues: Vec<QueueView>,
    pub log: Vec<Value>,
    pub corrections: Vec<Correction>,
    pub requests: BTreeMap<String, Reviewed>,
    pub said: Vec<Command>,
    pub asked: Vec<Query>,
    /// Refusals to give instead of doing the next reviews.
    pub refuse: VecDeque<Refused>,
    pub epoch: u64,
    pub automation: String,
    pub drift: Vec<String>,
    pub clock: &'static str,
    pub tags: bool,
    pub contained: ContainmentView,
    /// Every text of figures, switches and incidents is this one.
    pub poison: Option<String>,
    /// Refusals to give instead of figures, switches and incidents.
    pub unmeasured: Option<Refused>,
    /// The clock is the real one.
    pub live: bool,
    /// As of a desk that is elsewhere; verdicts wait here while it is offline.
    pub outbox: Option<OutboxView>,
}

/// The desk.
#[derive(Debug)]
pub struct FakeDesk(Mutex<Inside>);

fn queue(name: &str, title: &str, level: u8, up: Option<&str>) -> QueueView {
    QueueView {
        name: name.into(),
        title: title.into(),
        level,
        waiting: 0,
        leased: 0,
        held_by_others: 0,
        late: 0,
        due_soon: 0,
        signed: false,
        escalates_to: up.map(Into::into),
        people: Vec::new(),
        skills: Vec::new(),
        capacity: None,
    }
}

impl FakeDesk {
    pub fn empty() -> Self {
        Self(Mutex::new(Inside {
            now: start(),
            items: BTreeMap::new(),
            drafts: BTreeMap::new(),
            queues: vec![
                queue("level1", "Operational review", 1, Some("level2")),
                queue("level2", "Domain experts", 2, Some("level3")),
                queue("level3", "Compliance", 3, None),
                queue("dataops", "Broken records", 1, None),
            ],
            log: Vec::new(),
            corrections: Vec::new(),
            requests: BTreeMap::new(),
            said: Vec::new(),
            asked: Vec::new(),
            refuse: VecDeque::new(),
            epoch: 0,
            automation: "on".into(),
            drift: Vec::new(),
            clock: "wall",
            tags: true,
            contained: contained::contained(),
            unmeasured: None,
            poison: None,
            live: false,
            outbox: None,
        }))
    }

    /// A dozen items of four domains, one broken, one blind, one that hides characters.
    pub fn stocked() -> Self {
        Self::empty().stock()
    }

    /// The same on the real clock, to be looked at by hand.
    pub fn live() -> Self {
        let desk = Self::empty();
        desk.set_now(Timestamp::now());
        desk.inside().live = true;
        desk.stock()
    }

    fn stock(self) -> Self {
        let desk = self;
        desk.add(loan("lap-1664", 0.71, 8.0), 9 * 60 + 30);
        desk.add(support("exq-0114", 0.55), 4 * 60);
        desk.add(loan("lap-0007", 0.82, 7.0), 14 * 60);
        desk.add(
            moderation(
                "mod-0861",
                0.63,
                "This guy seems to think that pedantry is better than the facts.",
            ),
            11 * 60,
        );
        desk.add(
            moderation("mod-0900", 0.44, "refund \u{202E}evitisop\u{202C} to\u{200B}day"),
            16 * 60,
        );
        desk.add(loan("lap-2001", 0.58, 9.0), -3 * 60);
        desk.add(medical("hrt-cl007", 0.7427), 42 * 60);
        desk.add(
            Held { answered: Vec::new(), ..with(loan("lap-2044", 0.66, 6.0), |i| i.blind = true) },
            50 * 60,
        );
        desk.add(broken("hp-017"), 3 * 3600);
        for n in 0..4 {
            desk.add(
                support(&format!("exq-02{n:02}"), 0.6 + f64::from(n) / 20.0),
                3600 * 5 + n as i64 * 61,
            );
        }
        desk
    }

    pub fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    /// Adds an item that is due in so many seconds.
    pub fn add(&self, mut held: Held, due: i64) {
        let mut inside = self.inside();
        let now = inside.now;
        held.item.entered_at = now - SignedDuration::from_mins(28);
        held.item.due_at = Some(now + SignedDuration::from_secs(due));
        let id = held.item.id.clone();
        inside
            .log(json!({"t": "admit", "id": id, "at": now.to_string(), "queue": held.item.queue}));
        inside.items.insert(id, held);
    }

    /// Somebody else takes an item.
    pub fn lease_to(&self, id: &str, who: &str) {
        let mut inside = self.inside();
        inside.epoch += 1;
        let (epoch, until) = (inside.epoch, inside.now + LEASE);
        inside.items.get_mut(id).unwrap().lease =
            Some(LeaseView { reviewer: who.into(), until, epoch, grant: None });
    }

    /// Verdicts that were stored, newest last.
    pub fn verdicts(&self) -> Vec<(String, VerdictKind, bool)> {
        let inside = self.inside();
        let mut all: Vec<_> = inside.items.values().flat_map(|h| h.reviews.clone()).collect();
        all.sort_by(|a, b| (a.at, &a.request_id).cmp(&(b.at, &b.request_id)));
        all.into_iter().map(|r| (r.item, r.verdict.verdict, r.undone)).collect()
    }

    pub fn set_now(&self, now: Timestamp) {
        self.inside().now = now;
    }
}

fn answer(o: Reviewed) -> Answer {
    Answer::Reviewed(o)
}

impl Held {
    fn content(&self) -> Option<Content> {
        if self.item.kind == Kind::Quarantine {
            return None;
        }
        if let Some(edit) = &self.item.content {
            return self.contents.get(edit).cloned();
        }
        Some(Content {
            action: self.record["action"].as_str().unwrap_or_default().into(),
            output: self.record["output"].clone(),
        })
    }

    fn blind_to(&self, by: &str) -> bool {
        self.item.blind && !self.answered.iter().any(|a| a == by)
    }

    fn live_lease(&self, now: Timestamp) -> Option<LeaseView> {
        self.lease.clone().filter(|l| l.until > now)
    }
}

impl Desk for FakeDesk {
    fn execute<'a>(
        &'a self,
        by: &'a str,
        command: Command,
    ) -> BoxFuture<'a, Result<Answer, Refused>> {
        let answer = self.inside().execute(by, command);
        async move { answer }.boxed()
    }

    fn ask<'a>(&'a self, by: &'a str, query: Query) -> BoxFuture<'a, Result<Reply, Refused>> {
        let reply = self.inside().ask(by, query);
        async move { reply }.boxed()
    }

    fn changes(&self, _after: u64) -> BoxStream<'static, Change> {
        futures_util::stream::pending().boxed()
    }

    fn verify<'a>(
        &'a self,
        _ask: VerifyAsk,
        progress: Box<dyn Fn(u64, u64) + Send + Sync + 'static>,
    ) -> BoxFuture<'a, Result<VerifyReport, Refused>> {
        let entries = self.inside().log.len() as u64;
        progress(entries / 2, entries);
        async move {
            Ok(VerifyReport {
                ok: true,
                entries,
                root: "root".into(),
                checkpoint: None,
                first_bad: None,
                faults: Vec::new(),
                unanchored: entries,
            })
        }
        .boxed()
    }
}
