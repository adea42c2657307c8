//! The outbox against a simulated wire and a desk that follows the same rules as the real one:
//! every verdict is stored once, takes effect or is kept once, and none is lost.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::*;
use crate::domain::life::{self, By, QueueTerms};
use crate::domain::{Clash, Item, ItemState, Kind, Verdict, VerdictKind};
use crate::protocol::{Fate, Offline, Refused, Reviewed, Why};

const SEEDS: u64 = 1_000;
const VERDICTS: usize = 500;
const HOUR: i64 = 3_600_000;
/// How long somebody waits for an answer.
const PATIENCE: i64 = 5_000;
/// How often a desk that is away is looked for.
const PROBE: i64 = 5 * 60_000;

/// splitmix64: small, and the same everywhere.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn ms(&mut self, most: i64) -> i64 {
        self.below(most.unsigned_abs()) as i64
    }
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn item(id: &str) -> Item {
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

fn terms(_: &str) -> QueueTerms {
    QueueTerms { level: 1, due_at: None }
}

/// What the desk made of a request.
#[derive(Clone, Debug, PartialEq)]
enum Made {
    Applied,
    Kept,
}

/// The desk: the pure life of items, requests known by id, late verdicts as `desk/late.rs` has it.
#[derive(Default)]
struct Desk {
    items: BTreeMap<String, Item>,
    /// By item: reviewer, revision seen, request.
    reviews: BTreeMap<String, Vec<(String, u64, String)>>,
    made: BTreeMap<String, Made>,
    clashes: BTreeMap<String, Clash>,
    /// Requests in the order in which they were first heard of.
    order: Vec<String>,
    effects: BTreeMap<String, u32>,
}

impl Desk {
    fn review(&mut self, by: &str, r: &ReviewRequest, now: i64) -> Result<Reviewed, Refused> {
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
            let (next, _) = life::release(&decided, at, terms).unwrap();
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

enum Event {
    /// The reviewer decides their nth item.
    Give(usize),
    /// Somebody else decides it online.
    Other(usize),
    /// A copy of a request reaches the desk; `reply`: what the way back does with the answer.
    Arrive {
        request: Box<ReviewRequest>,
        reply: Way,
        flight: u64,
    },
    /// An answer, or the end of somebody's patience.
    Back {
        id: String,
        heard: Heard,
        flight: u64,
    },
    Wake,
    Crash,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Through,
    Lost,
    /// The desk has done it, and a proxy says 500.
    Broken,
    /// A copy: nobody waits for it.
    Nobody,
}

fn request(n: usize, rng: &mut Rng) -> ReviewRequest {
    let kind = match rng.below(4) {
        0 => VerdictKind::Reject,
        1 => VerdictKind::Edit,
        _ => VerdictKind::Accept,
    };
    let action = (kind == VerdictKind::Edit).then(|| "deny".to_owned());
    ReviewRequest {
        request_id: format!("ann-{n:04}"),
        item: format!("i-{n:04}"),
        verdict: Verdict { action, ..Verdict::plain(kind) },
        lease: Some(1),
        revision: Some(1),
        seen: None,
        signature: None,
        grace_ms: 0,
        offline: Some(Offline { grant: "g".into(), at: time(0) }),
    }
}

struct World {
    rng: Rng,
    desk: Desk,
    outbox: Outbox,
    /// Jobs as they are on disk, and the fates that were told.
    disk: VecDeque<Job>,
    told: BTreeMap<String, Fate>,
    events: BinaryHeap<Reverse<(i64, u64)>>,
    what: BTreeMap<u64, Event>,
    count: u64,
    /// Answers to an earlier process reach nobody.
    flight: u64,
    outage: (i64, i64),
    /// Nothing came back last time: nothing is sent until the desk is found again.
    away: bool,
    sends: u64,
}

impl World {
    fn at(&mut self, when: i64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((when, self.count)));
        self.what.insert(self.count, event);
    }

    fn down(&self, now: i64) -> bool {
        (self.outage.0..self.outage.1).contains(&now)
    }

    /// Sends what is to be sent; the wire decides what becomes of it.
    fn pump(&mut self, now: i64) {
        if self.away {
            if self.down(now) {
                return;
            }
            self.away = false;
            self.outbox.hurry();
        }
        let Some(job) = self.outbox.next("ann", time(now)) else {
            if let Some(at) = self.outbox.wake() {
                self.at(at.as_millisecond().max(now + 1), Event::Wake);
            }
            return;
        };
        // Noted as tried before it goes.
        let on_disk = self.disk.front_mut().unwrap();
        assert_eq!(on_disk.request.request_id, job.request.request_id, "the first goes first");
        on_disk.tried = true;
        self.sends += 1;
        let (id, flight) = (job.request.request_id.clone(), self.flight);
        let there = now + 1 + self.rng.ms(200);
        let luck = self.rng.below(100);
        let reply = match luck {
            _ if self.down(now) => None,
            0..10 => None,
            10..20 => Some(Way::Lost),
            20..25 => Some(Way::Broken),
            _ => Some(Way::Through),
        };
        let request = Box::new(job.request);
        if (25..30).contains(&luck) && !self.down(now) {
            // Refused before anything was done.
            let heard = Heard::Answer(Err(Refused::new(Why::Internal, "500")));
            self.at(there, Event::Back { id, heard, flight });
            return;
        }
        // A copy comes again, perhaps long after others that were sent later.
        if reply.is_some() && self.rng.below(10) == 0 {
            let again = there + self.rng.ms(HOUR);
            let copy = Event::Arrive { request: request.clone(), reply: Way::Nobody, flight };
            self.at(again, copy);
        }
        match reply {
            Some(reply) => {
                if reply == Way::Lost {
                    self.at(now + PATIENCE, Event::Back { id, heard: Heard::Lost, flight });
                }
                self.at(there, Event::Arrive { request, reply, flight });
            }
            None => self.at(now + PATIENCE, Event::Back { id, heard: Heard::Lost, flight }),
        }
    }

    fn step(&mut self, now: i64, event: Event) {
        match event {
            Event::Give(n) => {
                let job = Job {
                    request: request(n, &mut self.rng),
                    by: "ann".into(),
                    at: time(now),
                    tried: false,
                };
                self.disk.push_back(job.clone());
                self.outbox.put(job);
            }
            Event::Other(n) => {
                let id = format!("i-{n:04}");
                let by_ben = ReviewRequest {
                    request_id: format!("ben-{n:04}"),
                    offline: None,
                    revision: Some(self.desk.items[&id].revision),
                    ..request(n, &mut Rng(n as u64))
                };
                if self.desk.items[&id].state.is_open() {
                    self.desk.review("ben", &by_ben, now).unwrap();
                }
            }
            Event::Arrive { request, reply, flight } => {
                let answer = self.desk.review("ann", &request, now);
                let id = request.request_id.clone();
                let back = now + 1 + self.rng.ms(200);
                let heard = match reply {
                    Way::Through => Heard::Answer(answer.map(Box::new)),
                    Way::Broken => Heard::Answer(Err(Refused::new(Why::Internal, "500"))),
                    Way::Lost | Way::Nobody => return,
                };
                self.at(back, Event::Back { id, heard, flight });
            }
            Event::Back { id, heard, flight } if flight == self.flight => {
                if heard == Heard::Lost && self.down(now) {
                    self.away = true;
                    self.at(now + PROBE, Event::Wake);
                }
                let chance = self.rng.below(1000) as f64 / 1000.0;
                if let Some(arrived) = self.outbox.heard(&id, heard, time(now), chance) {
                    assert_eq!(self.disk.pop_front().unwrap().request.request_id, id);
                    assert!(self.told.insert(id, arrived.fate).is_none(), "told once");
                }
            }
            Event::Wake if self.away && self.down(now) => self.at(now + PROBE, Event::Wake),
            Event::Back { .. } | Event::Wake => {}
            Event::Crash => {
                self.flight += 1;
                self.away = false;
                self.outbox = Outbox::new(self.disk.clone());
            }
        }
        self.pump(now);
    }
}

fn live(seed: u64) -> World {
    let mut rng = Rng(seed);
    let begin = rng.ms(20 * HOUR);
    let mut world = World {
        outage: (begin, begin + 24 * HOUR),
        rng,
        desk: Desk::default(),
        outbox: Outbox::default(),
        disk: VecDeque::new(),
        told: BTreeMap::new(),
        events: BinaryHeap::new(),
        what: BTreeMap::new(),
        count: 0,
        flight: 0,
        away: false,
        sends: 0,
    };
    let mut when = 0;
    for n in 0..VERDICTS {
        let id = format!("i-{n:04}");
        world.desk.items.insert(id.clone(), item(&id));
        when += world.rng.ms(HOUR / 10);
        world.at(when, Event::Give(n));
        if world.rng.below(8) == 0 {
            let other = world.rng.ms(50 * HOUR);
            world.at(other, Event::Other(n));
        }
        if world.rng.below(40) == 0 {
            let crash = world.rng.ms(50 * HOUR);
            world.at(crash, Event::Crash);
        }
    }
    while let Some(Reverse((now, number))) = world.events.pop() {
        let event = world.what.remove(&number).unwrap();
        world.step(now, event);
    }
    world
}

#[test]
fn each_is_applied_once_and_none_is_lost_whatever_the_wire_does() {
    let (mut applied, mut kept, mut sends) = (0, 0, 0);
    for seed in 0..SEEDS {
        let world = live(seed);
        let desk = &world.desk;
        assert!(world.outbox.is_empty() && world.disk.is_empty(), "seed {seed}: all were sent");
        let given: Vec<String> = (0..VERDICTS).map(|n| format!("ann-{n:04}")).collect();
        let heard: Vec<&String> = desk.order.iter().filter(|id| id.starts_with("ann")).collect();
        assert!(given.iter().eq(heard), "seed {seed}: each once, in the order given");
        for id in &given {
            let fate = &world.told[id];
            match desk.made[id] {
                Made::Applied => {
                    assert_eq!(desk.effects[id], 1, "seed {seed}: {id} took effect once");
                    assert_eq!(*fate, Fate::Applied, "seed {seed}: {id}");
                    applied += 1;
                }
                Made::Kept => {
                    assert_eq!(desk.effects.get(id), None, "seed {seed}: {id} only is kept");
                    let Fate::Clash(clash) = fate else { panic!("seed {seed}: {id} was {fate:?}") };
                    assert_eq!(clash.people, ["ben", "ann"], "seed {seed}: {id}");
                    assert!(!clash.lets("ann") && !clash.lets("ben") && clash.lets("cid"));
                    let item = &desk.items[&id.replace("ann", "i")];
                    assert!(item.state.is_open(), "seed {seed}: a third person has {id} to decide");
                    kept += 1;
                }
            }
        }
        sends += world.sends;
    }
    assert_eq!(applied + kept, SEEDS * VERDICTS as u64);
    assert!(kept > 5_000, "clashes were met: {kept}");
    assert!(sends > (applied + kept) * 5 / 4, "the wire was bad: {sends} sends");
}

#[test]
fn what_was_never_sent_can_be_taken_back_and_what_was_cannot() {
    let mut rng = Rng(1);
    let job = |n, rng: &mut Rng| Job {
        request: request(n, rng),
        by: "ann".into(),
        at: time(0),
        tried: false,
    };
    let mut outbox = Outbox::new([job(0, &mut rng), job(1, &mut rng), job(2, &mut rng)]);
    assert_eq!(outbox.next("ben", time(0)), None, "in nobody else's name");
    let first = outbox.next("ann", time(0)).unwrap();
    assert_eq!(outbox.next("ann", time(0)), None, "one at a time");
    assert_eq!(outbox.take_back("i-0000"), None);
    assert_eq!(outbox.take_back("i-0001").unwrap().request.request_id, "ann-0001");
    assert_eq!(outbox.heard("ann-0000", Heard::Lost, time(0), 1.0), None);
    assert_eq!(outbox.next("ann", time(999)), None, "a pause");
    assert_eq!(outbox.wake(), Some(time(1_000)));
    assert_eq!(outbox.next("ann", time(1_000)).unwrap().request, first.request);
    let refused = Refused::new(Why::Authority, "no");
    let told = outbox.heard("ann-0000", Heard::Answer(Err(refused.clone())), time(1_000), 0.5);
    assert_eq!(told.unwrap().fate, Fate::Refused(refused));
    let left: Vec<String> = outbox.unsent().into_iter().map(|u| u.item).collect();
    assert_eq!(left, ["i-0002"], "one refusal holds up nothing");
}

#[test]
fn pauses_double_up_to_a_quarter_of_a_minute() {
    let whole: Vec<i64> = (1..8).map(|n| pause(n, 1.0).as_secs()).collect();
    assert_eq!(whole, [1, 2, 4, 8, 15, 15, 15]);
    assert_eq!(pause(u32::MAX, 0.0), SignedDuration::from_millis(7_500));
}
