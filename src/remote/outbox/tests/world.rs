//! Two people, their programs, a wire that loses, doubles and delays, and a desk at its other end.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use reqwest::StatusCode;

use super::super::*;
use super::desk::{Desk, item, time};
use crate::domain::{Verdict, VerdictKind};
use crate::protocol::{Fate, Offline, Refused, Why};
use crate::remote::said::{Trouble, read};

const VERDICTS: usize = 500;
const HOUR: i64 = 3_600_000;
/// How long somebody waits for an answer.
const PATIENCE: i64 = 5_000;
/// How often a desk that is away is looked for.
const PROBE: i64 = 5 * 60_000;

/// splitmix64: small, and the same everywhere.
pub(super) struct Rng(pub(super) u64);

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
pub(super) const PAGES: [(u16, &[u8]); 12] = [
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
pub(super) fn heard(status: u16, body: &[u8]) -> Heard {
    let status = StatusCode::from_u16(status).unwrap();
    Heard::from(read("https://desk.example", status, body).map_err(Trouble::from))
}

/// The desk's own refusal, as it travels.
pub(super) fn refusal(refused: &Refused) -> Heard {
    let body = serde_json::json!({"type": "urn:overrule:problem:refused", "refused": refused});
    heard(409, body.to_string().as_bytes())
}

/// Two people of one machine: ann, and eve, whose token is revoked at first.
pub(super) const NAMES: [&str; 2] = ["ann", "eve"];
pub(super) const GIVEN: [usize; 2] = [VERDICTS, 20];
/// When eve has a token again: long after ann's last verdict has arrived.
const TOKEN: i64 = 60 * HOUR;

fn item_of(who: usize, n: usize) -> String {
    format!("{}-{n:04}", ["i", "e"][who])
}

pub(super) fn request(who: usize, n: usize, rng: &mut Rng) -> ReviewRequest {
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
pub(super) struct Person {
    pub(super) outbox: Outbox,
    /// Answers to an earlier process reach nobody.
    flight: u64,
    /// Nothing came back last time: nothing is sent until the desk is found again.
    away: bool,
    /// It reads the disk: nothing is sent meanwhile.
    looking: bool,
    /// A verdict is under way.
    waits: bool,
}

pub(super) struct World {
    rng: Rng,
    pub(super) desk: Desk,
    pub(super) people: [Person; 2],
    /// Jobs as they are on disk, both people's, and the fates that were told.
    pub(super) disk: VecDeque<Job>,
    pub(super) told: BTreeMap<String, Fate>,
    events: BinaryHeap<Reverse<(i64, u64)>>,
    what: BTreeMap<u64, Event>,
    count: u64,
    outage: (i64, i64),
    pub(super) sends: u64,
    /// How often what was read from disk was older than what waits.
    pub(super) stale: u64,
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

/// Everything that happens from this seed on, to its end.
pub(super) fn live(seed: u64) -> World {
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
