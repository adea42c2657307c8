//! The outbox against a simulated wire and a desk that follows the same rules as the real one:
//! every verdict is stored once, takes effect or is kept once, and none is lost.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use reqwest::StatusCode;

use super::*;
use crate::domain::life::{self, By, QueueTerms};
use crate::domain::{Clash, Item, ItemState, Kind, Verdict, VerdictKind};
use crate::protocol::{Fate, Offline, Refused, Reviewed, Why};
use crate::remote::said::{Trouble, read};

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
    /// A reviewer decides their nth item: it is on disk.
    Give(usize, usize),
    /// And in the outbox of their program, which runs still.
    Put {
        who: usize,
        job: Box<Job>,
        flight: u64,
    },
    /// Somebody else decides ann's nth item online.
    Other(usize),
    /// A copy of a request reaches the desk; `reply`: what the way back does with the answer.
    Arrive {
        who: usize,
        request: Box<ReviewRequest>,
        reply: Way,
        flight: u64,
    },
    /// An answer, or the end of somebody's patience.
    Back {
        who: usize,
        id: String,
        heard: Heard,
        flight: u64,
    },
    Wake(usize),
    /// A program looks what is on disk, and has read it a while later.
    Look(usize),
    Seen {
        who: usize,
        look: Look,
        kept: Vec<Job>,
        flight: u64,
    },
    Crash(usize),
    /// Eve has a token again.
    Token,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Through,
    Lost,
    /// The desk has done it, and this page is answered.
    Page(usize),
    /// A copy: nobody waits for it.
    Nobody,
}

/// What stands between this machine and a desk answers such things.
const PAGES: [(u16, &[u8]); 12] = [
    (404, b"<html>default backend - 404</html>"),
    (302, b""),
    (200, b"<html>Please log in</html>"),
    (200, b"{}"),
    (200, b""),
    (401, b"<html>Single sign-on</html>"),
    (403, b"<html>Request blocked</html>"),
    (413, b"<html>Too large</html>"),
    (429, b"slow down"),
    (500, b"<html>"),
    (502, br#"{"type": "about:blank", "title": "Bad Gateway", "status": 502}"#),
    (400, br#"{"detail": "unknown host", "status": 400}"#),
];

/// What becomes of an answer on its way through this program.
fn heard(status: u16, body: &[u8]) -> Heard {
    let status = StatusCode::from_u16(status).unwrap();
    Heard::from(read("https://desk.example", status, body).map_err(Trouble::from))
}

/// The desk's own refusal, as it travels.
fn refusal(refused: &Refused) -> Heard {
    let body = serde_json::json!({"type": "urn:overrule:problem:refused", "refused": refused});
    heard(409, body.to_string().as_bytes())
}

/// Two people of one machine: ann, and eve, whose token is revoked at first.
const NAMES: [&str; 2] = ["ann", "eve"];
const GIVEN: [usize; 2] = [VERDICTS, 20];
/// When eve has a token again: long after ann's last verdict has arrived.
const TOKEN: i64 = 60 * HOUR;

fn item_of(who: usize, n: usize) -> String {
    format!("{}-{n:04}", ["i", "e"][who])
}

fn request(who: usize, n: usize, rng: &mut Rng) -> ReviewRequest {
    let kind = match rng.below(4) {
        0 => VerdictKind::Reject,
        1 => VerdictKind::Edit,
        _ => VerdictKind::Accept,
    };
    let action = (kind == VerdictKind::Edit).then(|| "deny".to_owned());
    ReviewRequest {
        request_id: format!("{}-{n:04}", NAMES[who]),
        item: item_of(who, n),
        verdict: Verdict { action, ..Verdict::plain(kind) },
        lease: Some(1),
        revision: Some(1),
        seen: None,
        signature: None,
        grace_ms: 0,
        offline: Some(Offline { grant: "g".into(), at: time(0) }),
    }
}

/// Somebody's program.
struct Person {
    outbox: Outbox,
    /// Answers to an earlier process reach nobody.
    flight: u64,
    /// Nothing came back last time: nothing is sent until the desk is found again.
    away: bool,
    /// It reads the disk: nothing is sent meanwhile.
    looking: bool,
    /// A verdict is under way.
    waits: bool,
}

struct World {
    rng: Rng,
    desk: Desk,
    people: [Person; 2],
    /// Jobs as they are on disk, both people's, and the fates that were told.
    disk: VecDeque<Job>,
    told: BTreeMap<String, Fate>,
    events: BinaryHeap<Reverse<(i64, u64)>>,
    what: BTreeMap<u64, Event>,
    count: u64,
    outage: (i64, i64),
    sends: u64,
    /// How often what was read from disk was older than what waits.
    stale: u64,
}

impl World {
    fn at(&mut self, when: i64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((when, self.count)));
        self.what.insert(self.count, event);
    }

    fn down(&self, who: usize, now: i64) -> bool {
        (self.outage.0..self.outage.1).contains(&now) || who == 1 && now < TOKEN
    }

    /// Where this person's first verdict is on disk.
    fn first(&self, who: usize) -> usize {
        self.disk.iter().position(|job| job.by == NAMES[who]).unwrap()
    }

    /// Sends what is to be sent; the wire decides what becomes of it.
    fn pump(&mut self, who: usize, now: i64) {
        let down = self.down(who, now);
        let person = &mut self.people[who];
        if person.looking {
            return;
        }
        if person.away {
            if down {
                return;
            }
            person.away = false;
            person.outbox.hurry();
        }
        let Some(job) = person.outbox.next(time(now)) else {
            if let Some(at) = person.outbox.wake() {
                self.at(at.as_millisecond().max(now + 1), Event::Wake(who));
            }
            return;
        };
        person.waits = true;
        assert_eq!(job.by, NAMES[who], "in nobody else's name");
        let flight = person.flight;
        // Noted as tried before it goes.
        let first = self.first(who);
        let on_disk = &mut self.disk[first];
        assert_eq!(on_disk.request.request_id, job.request.request_id, "the first goes first");
        on_disk.tried = true;
        self.sends += 1;
        let id = job.request.request_id.clone();
        let there = now + 1 + self.rng.ms(200);
        let luck = self.rng.below(100);
        let page = self.rng.below(PAGES.len() as u64) as usize;
        let nothing = |heard| Event::Back { who, id: id.clone(), heard, flight };
        let reply = match luck {
            _ if who == 1 && now < TOKEN => {
                let body = br#"{"type": "urn:overrule:problem:unauthenticated", "detail": "it was revoked"}"#;
                return self.at(there, nothing(heard(401, body)));
            }
            _ if down => None,
            0..10 => None,
            10..20 => Some(Way::Lost),
            20..26 => Some(Way::Page(page)),
            // Answered before anything was done: by somebody else, or by a desk that cannot.
            26..32 => return self.at(there, nothing(heard(PAGES[page].0, PAGES[page].1))),
            32..35 => {
                let why = [Why::Internal, Why::Unavailable, Why::Damaged][luck as usize - 32];
                return self.at(there, nothing(refusal(&Refused::new(why, "not now"))));
            }
            _ => Some(Way::Through),
        };
        let request = Box::new(job.request);
        // A copy comes again, perhaps long after others that were sent later.
        if reply.is_some() && self.rng.below(10) == 0 {
            let again = there + self.rng.ms(HOUR);
            let copy = Event::Arrive { who, request: request.clone(), reply: Way::Nobody, flight };
            self.at(again, copy);
        }
        if matches!(reply, None | Some(Way::Lost)) {
            self.at(now + PATIENCE, nothing(Heard::Lost));
        }
        if let Some(reply) = reply {
            self.at(there, Event::Arrive { who, request, reply, flight });
        }
    }

    /// What happens, to whom.
    fn step(&mut self, now: i64, event: Event) -> Option<usize> {
        match event {
            Event::Give(who, n) => {
                let job = Job {
                    request: request(who, n, &mut self.rng),
                    by: NAMES[who].into(),
                    at: time(now),
                    tried: false,
                };
                self.disk.push_back(job.clone());
                let flight = self.people[who].flight;
                self.at(now + 20, Event::Put { who, job: Box::new(job), flight });
                None
            }
            Event::Put { who, job, flight } => {
                let person = &mut self.people[who];
                if flight == person.flight {
                    person.outbox.put(*job);
                }
                Some(who)
            }
            Event::Other(n) => {
                let id = item_of(0, n);
                let by_ben = ReviewRequest {
                    request_id: format!("ben-{n:04}"),
                    offline: None,
                    revision: Some(self.desk.items[&id].revision),
                    ..request(0, n, &mut Rng(n as u64))
                };
                if self.desk.items[&id].state.is_open() {
                    self.desk.review("ben", &by_ben, now).unwrap();
                }
                None
            }
            Event::Arrive { who, request, reply, flight } => {
                let answer = self.desk.review(NAMES[who], &request, now);
                let id = request.request_id.clone();
                let back = now + 1 + self.rng.ms(200);
                let heard = match (reply, answer) {
                    (Way::Through, Ok(reviewed)) => Heard::Answer(Ok(Box::new(reviewed))),
                    (Way::Through, Err(refused)) => refusal(&refused),
                    (Way::Page(n), _) => heard(PAGES[n].0, PAGES[n].1),
                    (Way::Lost | Way::Nobody, _) => return None,
                };
                self.at(back, Event::Back { who, id, heard, flight });
                None
            }
            Event::Back { who, id, heard, flight } => {
                if flight != self.people[who].flight {
                    return None;
                }
                let down = self.down(who, now);
                let chance = self.rng.below(1000) as f64 / 1000.0;
                let lost = heard == Heard::Lost;
                let person = &mut self.people[who];
                person.waits = false;
                if let Some(arrived) = person.outbox.heard(&id, heard, time(now), chance) {
                    let first = self.first(who);
                    let job = self.disk.remove(first).unwrap();
                    assert_eq!(job.request.request_id, id);
                    assert!(self.told.insert(id, arrived.fate).is_none(), "told once");
                } else if lost && down {
                    person.away = true;
                    self.at(now + PROBE, Event::Wake(who));
                }
                Some(who)
            }
            Event::Wake(who) if self.people[who].away && self.down(who, now) => {
                self.at(now + PROBE, Event::Wake(who));
                None
            }
            Event::Wake(who) => Some(who),
            Event::Look(who) => {
                let kept = self.disk.iter().cloned().collect();
                let person = &mut self.people[who];
                if !(person.waits || person.looking) {
                    person.looking = true;
                    let (look, flight) = (person.outbox.look(), person.flight);
                    let when = now + self.rng.ms(HOUR / 20);
                    self.at(when, Event::Seen { who, look, kept, flight });
                }
                None
            }
            Event::Seen { who, look, kept, flight } => {
                let person = &mut self.people[who];
                if flight != person.flight {
                    return None;
                }
                person.looking = false;
                if person.outbox.seen(look, kept) {
                    return Some(who);
                }
                self.stale += 1;
                self.step(now, Event::Look(who))
            }
            Event::Crash(who) => {
                let person = &mut self.people[who];
                person.flight += 1;
                (person.away, person.looking, person.waits) = (false, false, false);
                person.outbox = Outbox::new(NAMES[who], self.disk.clone());
                Some(who)
            }
            Event::Token => {
                let anns = self.disk.iter().filter(|job| job.by == "ann").count();
                let eves = self.people[1].outbox.unsent();
                assert_eq!(anns, 0, "what waits for eve's token holds up nothing of ann's");
                assert!(eves.iter().all(|u| u.item.starts_with("e-")), "{eves:?}");
                assert_eq!(eves.len(), GIVEN[1], "none was given up");
                Some(1)
            }
        }
    }
}

fn live(seed: u64) -> World {
    let mut rng = Rng(seed);
    let begin = rng.ms(20 * HOUR);
    let person = |name| Person {
        outbox: Outbox::new(name, []),
        flight: 0,
        away: false,
        looking: false,
        waits: false,
    };
    let mut world = World {
        outage: (begin, begin + 24 * HOUR),
        rng,
        desk: Desk::default(),
        people: NAMES.map(person),
        disk: VecDeque::new(),
        told: BTreeMap::new(),
        events: BinaryHeap::new(),
        what: BTreeMap::new(),
        count: 0,
        sends: 0,
        stale: 0,
    };
    for (who, given) in GIVEN.into_iter().enumerate() {
        let mut when = 0;
        for n in 0..given {
            let id = item_of(who, n);
            world.desk.items.insert(id.clone(), item(&id));
            when += 20 + world.rng.ms(HOUR / 10);
            world.at(when, Event::Give(who, n));
            if who == 0 && world.rng.below(8) == 0 {
                let other = world.rng.ms(50 * HOUR);
                world.at(other, Event::Other(n));
            }
            if world.rng.below(40) == 0 {
                let crash = world.rng.ms(50 * HOUR);
                world.at(crash, Event::Crash(who));
            }
            if world.rng.below(8) == 0 {
                let look = when + world.rng.ms(HOUR / 10);
                world.at(look, Event::Look(who));
            }
        }
    }
    world.at(TOKEN, Event::Token);
    while let Some(Reverse((now, number))) = world.events.pop() {
        let event = world.what.remove(&number).unwrap();
        if let Some(who) = world.step(now, event) {
            world.pump(who, now);
        }
    }
    world
}

#[test]
fn each_is_applied_once_and_none_is_lost_whatever_the_wire_does() {
    let (mut applied, mut kept, mut sends, mut stale) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        let world = live(seed);
        let desk = &world.desk;
        assert!(world.people.iter().all(|p| p.outbox.is_empty()), "seed {seed}: all were sent");
        assert!(world.disk.is_empty(), "seed {seed}: all were sent");
        let given: [Vec<String>; 2] =
            [0, 1].map(|who| (0..GIVEN[who]).map(|n| format!("{}-{n:04}", NAMES[who])).collect());
        for (name, given) in NAMES.iter().zip(&given) {
            let heard: Vec<&String> = desk.order.iter().filter(|id| id.starts_with(name)).collect();
            assert!(given.iter().eq(heard), "seed {seed}: {name}'s each once, in the order given");
        }
        for id in given.iter().flatten() {
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
        stale += world.stale;
    }
    assert_eq!(applied + kept, SEEDS * GIVEN.iter().sum::<usize>() as u64);
    assert!(kept > 5_000, "clashes were met: {kept}");
    assert!(stale > 1_000, "verdicts were given while the disk was read: {stale}");
    assert!(sends > (applied + kept) * 5 / 4, "the wire was bad: {sends} sends");
}

#[test]
fn what_others_answer_is_no_fate_and_what_the_desk_answers_is() {
    for (status, body) in PAGES {
        assert_eq!(heard(status, body), Heard::Lost, "{status}");
    }
    for (why, told) in [
        (Why::Policy, true),
        (Why::Authority, true),
        (Why::Invalid, true),
        (Why::Unavailable, false),
        (Why::Internal, false),
        (Why::Damaged, false),
    ] {
        let refused = Refused::new(why, "no");
        let expected = told.then(|| Fate::Refused(refused.clone()));
        assert_eq!(fate(refusal(&refused)), expected, "{why:?}");
    }
}

#[test]
fn what_is_read_from_disk_never_takes_the_place_of_what_is_newer() {
    let job = |n: usize, by: &str| Job {
        request: ReviewRequest { item: format!("i-{n}"), ..request(0, n, &mut Rng(1)) },
        by: by.into(),
        at: time(0),
        tried: false,
    };
    let mut outbox = Outbox::new("ann", [job(0, "ann"), job(1, "ben")]);
    let items = |o: &Outbox| o.unsent().into_iter().map(|u| u.item).collect::<Vec<_>>();
    assert_eq!(items(&outbox), ["i-0"], "nobody else's");
    assert!(outbox.of("i-1").is_none());
    // The disk is read, a verdict is given, and then what was read arrives.
    let look = outbox.look();
    outbox.put(job(2, "ann"));
    assert!(!outbox.seen(look, [job(0, "ann")]));
    assert_eq!(items(&outbox), ["i-0", "i-2"]);
    // As is one that was taken back meanwhile.
    let look = outbox.look();
    outbox.take_back("i-0").unwrap();
    assert!(!outbox.seen(look, [job(0, "ann"), job(2, "ann")]));
    assert_eq!(items(&outbox), ["i-2"]);
    // On disk before it is here: it waits once.
    let look = outbox.look();
    assert!(outbox.seen(look, [job(2, "ann"), job(3, "ann"), job(4, "ben")]));
    outbox.put(job(3, "ann"));
    outbox.put(job(5, "ben"));
    assert_eq!(items(&outbox), ["i-2", "i-3"]);
}

#[test]
fn what_was_never_sent_can_be_taken_back_and_what_was_cannot() {
    let mut rng = Rng(1);
    let job = |n, rng: &mut Rng| Job {
        request: request(0, n, rng),
        by: "ann".into(),
        at: time(0),
        tried: false,
    };
    let jobs = [job(0, &mut rng), job(1, &mut rng), job(2, &mut rng)];
    assert_eq!(Outbox::new("ben", jobs.clone()).next(time(0)), None, "in nobody else's name");
    let mut outbox = Outbox::new("ann", jobs);
    let first = outbox.next(time(0)).unwrap();
    assert_eq!(outbox.next(time(0)), None, "one at a time");
    assert_eq!(outbox.take_back("i-0000"), None);
    assert_eq!(outbox.take_back("i-0001").unwrap().request.request_id, "ann-0001");
    assert_eq!(outbox.heard("ann-0000", Heard::Lost, time(0), 1.0), None);
    assert_eq!(outbox.next(time(999)), None, "a pause");
    assert_eq!(outbox.wake(), Some(time(1_000)));
    assert_eq!(outbox.next(time(1_000)).unwrap().request, first.request);
    let refused = Refused::new(Why::Authority, "no");
    let told = outbox.heard("ann-0000", refusal(&refused), time(1_000), 0.5);
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
