//! The outbox against a simulated wire and a desk that follows the same rules as the real one:
//! every verdict is stored once, takes effect or is kept once, and none is lost.

mod desk;
mod world;

use desk::{Made, time};
use world::{GIVEN, NAMES, PAGES, Rng, heard, live, refusal, request};

use super::*;
use crate::protocol::{Fate, Refused, Why};

const SEEDS: u64 = 1_000;

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
