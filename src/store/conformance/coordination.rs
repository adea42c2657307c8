//! Leases and drafts: what people hold while they work.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::Open;
use super::fixtures::*;
use crate::domain::{Approval, ItemState, VerdictKind};
use crate::store::{Lease, Op, StoreError, TakeLease};

pub(crate) fn no_item_is_leased_twice(open: Open<'_>) {
    const PEOPLE: usize = 64;
    const ITEMS: usize = 2_000;
    let store = open();
    let rows = (0..ITEMS)
        .map(|n| waiting(&format!("i{n}"), ["level1", "level2"][n % 2], Some(n as i64 % 7), 0));
    admit(&*store, rows.collect());
    let given = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for person in 0..PEOPLE {
            let (store, given) = (&store, &given);
            scope.spawn(move || {
                let name = format!("p{person}");
                let mut mine = Vec::new();
                let ask = next_for(&name, &["level1", "level2"], 0);
                while let Some(lease) = store.lease(ask.clone()).wait().unwrap() {
                    assert_eq!((lease.reviewer.as_str(), lease.epoch), (name.as_str(), 1));
                    mine.push(lease.item);
                }
                given.lock().unwrap().extend(mine);
            });
        }
    });
    let given = given.into_inner().unwrap();
    assert_eq!(given.len(), ITEMS);
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), ITEMS, "an item was given twice");
    let leased: u64 =
        store.queues(at(0), at(0)).unwrap().iter().flat_map(|q| q.leased.values()).sum();
    assert_eq!(leased, ITEMS as u64);
}

pub(crate) fn leases_expire_and_epochs_rise(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0)]);
    let lease = |reviewer: &str, until, epoch| Lease {
        item: "a".to_owned(),
        reviewer: reviewer.to_owned(),
        until: at(until),
        epoch,
    };
    let next = |reviewer: &str, wall| store.lease(next_for(reviewer, &["level1"], wall)).wait();
    assert_eq!(next("ann", 0), Ok(Some(lease("ann", 60, 1))));
    assert_eq!(store.lease_of("a", at(59)).unwrap(), Some(lease("ann", 60, 1)));
    assert_eq!(store.lease_of("a", at(60)).unwrap(), None);
    assert_eq!(next("bob", 59), Ok(None));
    assert_eq!(store.renew("a", "ann", 1, at(100)).wait(), Ok(lease("ann", 100, 1)));
    assert_eq!(next("bob", 99), Ok(None));
    assert_eq!(next("bob", 100), Ok(Some(lease("bob", 160, 2))));
    // Ann is too late: she is told who has it.
    let lost = |holder: Option<&str>, until: Option<i64>| StoreError::LeaseLost {
        item: "a".to_owned(),
        holder: holder.map(str::to_owned),
        until: until.map(at),
    };
    let renewed = store.renew("a", "ann", 1, at(200)).wait();
    assert_eq!(renewed, Err(lost(Some("bob"), Some(160))));
    // Giving back what is not held changes nothing.
    store.release("a", "ann", 1).wait().unwrap();
    store.release("a", "bob", 1).wait().unwrap();
    assert_eq!(store.lease_of("a", at(100)).unwrap(), Some(lease("bob", 160, 2)));
    store.release("a", "bob", 2).wait().unwrap();
    assert_eq!(store.lease_of("a", at(100)).unwrap(), None);
    assert_eq!(store.renew("a", "bob", 2, at(200)).wait(), Err(lost(None, None)));
    assert_eq!(next("ann", 100), Ok(Some(lease("ann", 160, 3))));
    apply(&*store, vec![Op::EndLease { item: "a".to_owned() }]);
    assert_eq!(next("bob", 100), Ok(Some(lease("bob", 160, 4))));
}

/// Whatever was taken, prolonged, given back, ended, run out or decided: the next item is the
/// first open one that nobody holds, and whoever asks for one gets it or hears who has it.
pub(crate) fn the_next_item_is_the_first_that_nobody_holds(open: Open<'_>) {
    const ITEMS: usize = 12;
    const PEOPLE: usize = 4;
    #[derive(Clone)]
    struct Held {
        /// Who took it last, unless it was given back.
        by: Option<usize>,
        until: i64,
        epoch: u64,
        open: bool,
    }
    let store = open();
    let id = |n: usize| format!("i{n:02}");
    admit(&*store, (0..ITEMS).map(|n| waiting(&id(n), "level1", Some(60), 0)).collect());
    let free = Held { by: None, until: 0, epoch: 0, open: true };
    let (mut held, mut wall, mut seed) = (vec![free; ITEMS], 0_i64, 9_u64);
    for step in 0..600 {
        // SplitMix64, Steele et al. 2014.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut roll = |most: usize| {
            z = z.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (z >> 33) as usize % most
        };
        let (what, who, n) = (roll(20), roll(PEOPLE), roll(ITEMS));
        let name = format!("p{who}");
        let until = wall + 10 + roll(60) as i64;
        match what {
            0..8 => {
                let ask = TakeLease { until: at(until), ..next_for(&name, &["level1"], wall) };
                let given = store.lease(ask).wait().unwrap();
                let first = held.iter().position(|h| h.open && (h.by.is_none() || h.until <= wall));
                assert_eq!(given.as_ref().map(|l| l.item.clone()), first.map(id), "step {step}");
                if let (Some(n), Some(lease)) = (first, given) {
                    let epoch = held[n].epoch + 1;
                    held[n] = Held { by: Some(who), until, epoch, open: true };
                    assert_eq!(lease.epoch, epoch, "step {step}");
                }
            }
            8..13 => {
                let h = &mut held[n];
                let renewed = store.renew(&id(n), &name, h.epoch, at(until)).wait();
                assert_eq!(renewed.is_ok(), h.by == Some(who), "step {step}: {renewed:?}");
                if renewed.is_ok() {
                    h.until = until;
                }
            }
            13..16 => {
                store.release(&id(n), &name, held[n].epoch).wait().unwrap();
                held[n].by = held[n].by.filter(|by| *by != who);
            }
            16 => {
                apply(&*store, vec![Op::EndLease { item: id(n) }]);
                held[n].by = None;
            }
            // An item comes and goes: decided, taken back.
            17 => {
                let mut now = item(&*store, &id(n));
                held[n].open = !held[n].open;
                now.state = if held[n].open { ItemState::Waiting } else { ItemState::Settled };
                apply(&*store, vec![put(&now)]);
            }
            // Time goes on, and now and then back a little, as clocks of machines do.
            18 => wall += roll(40) as i64,
            _ => wall = (wall - roll(5) as i64).max(0),
        }
    }
}

pub(crate) fn named_leases_and_those_stepped_over(open: Open<'_>) {
    let store = open();
    let rows = ["a", "b", "c", "d"].iter().zip(1..).map(|(id, due)| {
        let queue = if *id == "b" { "level2" } else { "level1" };
        waiting(id, queue, Some(60 * due), 0)
    });
    admit(&*store, rows.collect());
    admit(&*store, vec![auto("z")]);
    let given = |ask: TakeLease| store.lease(ask).wait().map(|l| l.map(|l| (l.item, l.epoch)));
    let some = |id: &str, epoch| Ok(Some((id.to_owned(), epoch)));
    assert_eq!(given(lease_item("ann", "c", 0)), some("c", 1));
    // In order over both queues; what is held or to be stepped over is not given.
    let next = |queues: &[&str], skip: &[&str]| TakeLease {
        skip: skip.iter().map(|s| (*s).to_owned()).collect(),
        ..next_for("ann", queues, 0)
    };
    assert_eq!(given(next(&["level2", "level1"], &["a"])), some("b", 1));
    assert_eq!(given(next(&["level1", "none"], &[])), some("a", 1));
    assert_eq!(given(next(&["level2"], &[])), Ok(None));
    assert_eq!(given(next(&[], &[])), Ok(None));
    // One's own again: a new grant, and the old epoch is worth nothing.
    assert_eq!(given(lease_item("ann", "c", 0)), some("c", 2));
    assert!(matches!(store.renew("c", "ann", 1, at(9)).wait(), Err(StoreError::LeaseLost { .. })));
    let held = StoreError::LeaseLost {
        item: "c".to_owned(),
        holder: Some("ann".to_owned()),
        until: Some(at(60)),
    };
    assert_eq!(given(lease_item("bob", "c", 0)), Err(held));
    assert_eq!(given(lease_item("bob", "z", 0)), Ok(None), "an automatic decision is not open");
    assert_eq!(given(lease_item("bob", "x", 0)), Err(StoreError::Missing("decision x".to_owned())));
    let d = item(&*store, "d");
    let r = review("r1", &d, "ann", VerdictKind::Accept);
    apply(&*store, [reviewed(&r), vec![put(&decided(&d, &r, 9))]].concat());
    assert_eq!(given(lease_item("bob", "d", 0)), Ok(None));
    assert_eq!(given(next(&["level1"], &[])), Ok(None));
}

pub(crate) fn nobody_holds_more_than_the_most(open: Open<'_>) {
    let store = open();
    let rows = ["a", "b", "c", "d", "e"].iter().zip(1..).map(|(id, due)| {
        let queue = if *id == "e" { "level2" } else { "level1" };
        waiting(id, queue, Some(60 * due), 0)
    });
    admit(&*store, rows.collect());
    let given = |ask: TakeLease| store.lease(ask).wait().map(|l| l.map(|l| (l.item, l.epoch)));
    let some = |id: &str, epoch| Ok(Some((id.to_owned(), epoch)));
    let most = vec![("level1".to_owned(), 2)];
    let next = |who: &str, queues: &[&str], wall| TakeLease {
        most: most.clone(),
        ..next_for(who, queues, wall)
    };
    let named = |who: &str, id: &str, wall| TakeLease {
        queues: vec!["level1".to_owned()],
        most: most.clone(),
        ..lease_item(who, id, wall)
    };
    let enough = |who: &str| {
        Err(StoreError::HoldsEnough {
            reviewer: who.to_owned(),
            queue: "level1".to_owned(),
            held: 2,
            most: 2,
        })
    };
    assert_eq!(given(next("ann", &["level1"], 0)), some("a", 1));
    assert_eq!(given(named("ann", "c", 0)), some("c", 1));
    assert_eq!(given(next("ann", &["level1"], 0)), enough("ann"));
    assert_eq!(given(named("ann", "b", 0)), enough("ann"));
    // What is one's own is no further one; other people and other queues have room.
    assert_eq!(given(named("ann", "c", 0)), some("c", 2));
    assert_eq!(given(next("bob", &["level1"], 0)), some("b", 1));
    assert_eq!(given(next("ann", &["level1", "level2"], 0)), some("e", 1));
    assert_eq!(given(next("ann", &["level1", "level2"], 0)), enough("ann"), "nothing else is free");
    // What ran out, was given back or decided makes room again.
    store.release("a", "ann", 1).wait().unwrap();
    assert_eq!(given(next("ann", &["level1"], 0)), some("a", 2));
    assert_eq!(given(next("ann", &["level1"], 59)), enough("ann"));
    assert_eq!(given(next("ann", &["level1"], 60)), some("a", 3));
    let a = item(&*store, "a");
    let r = review("r1", &a, "ann", VerdictKind::Accept);
    apply(&*store, [reviewed(&r), vec![put(&decided(&a, &r, 99))]].concat());
    assert_eq!(given(next("ann", &["level1"], 60)), some("b", 2));
    assert_eq!(given(next("ann", &["level1"], 60)), some("c", 3));
    assert_eq!(given(next("ann", &["level1"], 60)), enough("ann"));
}

pub(crate) fn the_most_holds_at_two_nodes_at_once(open: Open<'_>) {
    const PEOPLE: usize = 4;
    const EACH: usize = 8;
    let nodes = [open(), open()];
    let rows = (0..200).map(|n| waiting(&format!("i{n:03}"), "level1", Some(60), 0));
    admit(&*nodes[0], rows.collect());
    for round in 0..5 {
        let wall = i64::from(round) * 100;
        let start = std::sync::Barrier::new(PEOPLE * EACH);
        let given: Vec<(usize, bool)> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..PEOPLE * EACH)
                .map(|n| {
                    let (node, start) = (&nodes[n / PEOPLE % 2], &start);
                    scope.spawn(move || {
                        let who = n % PEOPLE;
                        let ask = TakeLease {
                            most: vec![("level1".to_owned(), 3)],
                            ..next_for(&format!("p{who}"), &["level1"], wall)
                        };
                        start.wait();
                        match node.lease(ask).wait() {
                            Ok(Some(_)) => (who, true),
                            Err(StoreError::HoldsEnough { held: 3, most: 3, .. }) => (who, false),
                            other => panic!("{other:?}"),
                        }
                    })
                })
                .collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        for who in 0..PEOPLE {
            let got = given.iter().filter(|(p, given)| *p == who && *given).count();
            assert_eq!(got, 3, "round {round}: p{who} of {EACH} asks at two nodes");
        }
    }
}

pub(crate) fn who_approved_is_not_asked_again(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", Some(60), 0), waiting("b", "level1", Some(120), 0)]);
    let mut a = item(&*store, "a");
    a.state = ItemState::AwaitingApproval;
    a.approvals.push(Approval {
        queue: "level2".to_owned(),
        reviewer: "ann".to_owned(),
        content: None,
    });
    apply(&*store, vec![put(&a)]);
    let next = |name: &str, wall| {
        let lease = store.lease(next_for(name, &["level1"], wall)).wait().unwrap().unwrap();
        lease.item
    };
    assert_eq!(next("ann", 0), "b");
    assert_eq!(next("bob", 0), "a");
    // The content was edited since: she may look at it again.
    a.content = Some("r1".to_owned());
    apply(&*store, vec![put(&a)]);
    assert_eq!(next("ann", 100), "a");
}

pub(crate) fn drafts_are_kept_and_dropped(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0)]);
    let keep =
        |who: &str, text: Option<&[u8]>| store.put_draft("a", who, text.map(<[u8]>::to_vec)).wait();
    keep("ann", Some(b"one")).unwrap();
    keep("bob", Some(b"two")).unwrap();
    keep("ann", Some(b"three")).unwrap();
    assert_eq!(store.draft("a", "ann").unwrap().as_deref(), Some(b"three".as_slice()));
    keep("ann", None).unwrap();
    assert_eq!(store.draft("a", "ann").unwrap(), None);
    let drop = Op::DropDraft { item: "a".to_owned(), reviewer: "bob".to_owned() };
    apply(&*store, vec![drop]);
    assert_eq!(store.draft("a", "bob").unwrap(), None);
    let missing = store.put_draft("x", "ann", Some(Vec::new())).wait();
    assert_eq!(missing, Err(StoreError::Missing("decision x".to_owned())));
}
