//! Writes: premises, requests, approvals; all of it or nothing.

use super::Open;
use super::fixtures::*;
use super::trail::check;
use crate::audit::EntryKind;
use crate::domain::{Approval, ItemState, Reviewer, Role, VerdictKind};
use crate::store::{
    LeasePremise, Op, Premise, Premises, StoreError, StoredAnswer, StoredPolicy, Write,
};

fn ann() -> Reviewer {
    Reviewer {
        name: "ann".to_owned(),
        level: 1,
        roles: vec![Role::Reviewer],
        key: None,
        skills: Vec::new(),
        disabled: false,
        version: 0,
    }
}

fn log() -> Op {
    Op::Entry(entry(EntryKind::VERDICT, None, &[]))
}

pub(crate) fn every_premise_is_compared_and_nothing_is_written(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0), auto("b")]);
    apply(&*store, vec![Op::PutReviewer(ann()), Op::BumpGeneration]);
    let lease = store.lease(lease_item("ann", "a", 0)).wait().unwrap().unwrap();
    let none = Premises::default;
    let on = |id: &str, revision| Some((id.to_owned(), revision));
    let held = |reviewer: &str, epoch, wall| LeasePremise::Held {
        reviewer: reviewer.to_owned(),
        epoch,
        wall: at(wall),
    };
    let free = |reviewer: &str, wall| LeasePremise::FreeFor {
        reviewer: reviewer.to_owned(),
        wall: at(wall),
    };
    let lease_lost = |by: Option<&str>| StoreError::LeaseLost {
        item: "a".to_owned(),
        holder: by.map(str::to_owned),
        until: by.map(|_| at(60)),
    };
    let moved =
        |id: &str, revision| StoreError::Premise(Premise::Item { id: id.to_owned(), revision });
    let actor = |name: &str| StoreError::Premise(Premise::Actor(name.to_owned()));
    let cases = [
        (Premises { generation: Some(0), ..none() }, StoreError::Premise(Premise::Generation)),
        (
            Premises { policy: Some(Some("x".to_owned())), ..none() },
            StoreError::Premise(Premise::Policy),
        ),
        (Premises { actor: on("ann", 0), ..none() }, actor("ann")),
        (Premises { actor: on("ann", 2), ..none() }, actor("ann")),
        (Premises { actor: on("bob", 1), ..none() }, actor("bob")),
        (Premises { item: on("a", 0), ..none() }, moved("a", 1)),
        (Premises { item: on("a", 2), ..none() }, moved("a", 1)),
        (Premises { item: on("b", 1), ..none() }, moved("b", 0)),
        (
            Premises { items: vec![("b".to_owned(), 0), ("a".to_owned(), 0)], ..none() },
            moved("a", 1),
        ),
        (
            Premises { item: on("a", 1), lease: held("ann", lease.epoch + 1, 0), ..none() },
            lease_lost(Some("ann")),
        ),
        (
            Premises { item: on("a", 1), lease: held("bob", lease.epoch, 0), ..none() },
            lease_lost(Some("ann")),
        ),
        (
            Premises { item: on("a", 1), lease: held("ann", lease.epoch, 60), ..none() },
            lease_lost(None),
        ),
        (Premises { item: on("a", 1), lease: free("bob", 59), ..none() }, lease_lost(Some("ann"))),
    ];
    let before = store.snapshot().unwrap();
    for (premises, refusal) in cases {
        let ops = vec![log(), Op::BumpGeneration, Op::PutReviewer(ann())];
        let refused = store.commit(Write { premises: premises.clone(), now: at(99), ops }).wait();
        assert_eq!(refused, Err(refusal), "{premises:?}");
        assert_eq!(store.snapshot().unwrap(), before);
        assert_eq!(store.reviewer("ann").unwrap().unwrap().version, 1);
    }
    let good = [
        Premises {
            generation: Some(1),
            policy: Some(None),
            actor: on("ann", 1),
            item: on("a", 1),
            items: vec![("b".to_owned(), 0)],
            lease: held("ann", lease.epoch, 59),
            state: vec![("none".to_owned(), 0)],
        },
        Premises { item: on("b", 0), lease: free("bob", 0), actor: on("bob", 0), ..none() },
        Premises { item: on("a", 1), lease: free("bob", 60), ..none() },
        Premises { item: on("a", 1), lease: free("ann", 0), ..none() },
    ];
    for (n, premises) in (1..).zip(good) {
        let done = store.commit(Write { premises, now: at(0), ops: vec![log()] }).wait().unwrap();
        assert_eq!(done.head, before.head + n);
    }
}

pub(crate) fn a_request_is_stored_once(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0)]);
    let a = item(&*store, "a");
    let r = review("r1", &a, "ann", VerdictKind::Edit);
    let once = || Write {
        premises: Premises { item: Some(("a".to_owned(), a.revision)), ..Premises::default() },
        now: at(0),
        ops: [reviewed(&r), vec![put(&decided(&a, &r, 10))]].concat(),
    };
    let head = store.commit(once()).wait().unwrap().head;
    assert_eq!(head, 2);
    // Sent again after the answer was lost: told so, although the item has moved on.
    assert_eq!(store.commit(once()).wait(), Err(StoreError::RequestExists("r1".to_owned())));
    assert_eq!(store.head().unwrap(), head);
    assert_eq!(store.review("r1").unwrap(), Some(r.clone()));
    assert_eq!(store.reviews("a").unwrap(), [r]);
    assert_eq!(store.review("r2").unwrap(), None);
}

pub(crate) fn nobody_counts_twice(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0)]);
    let a = item(&*store, "a");
    let by = |queue: &str, reviewer: &str, content: Option<&str>| Approval {
        queue: queue.to_owned(),
        reviewer: reviewer.to_owned(),
        content: content.map(str::to_owned),
    };
    let with = |approvals: Vec<Approval>| {
        let mut next = a.clone();
        next.approvals = approvals;
        store.commit(write(vec![log(), put(&next)])).wait().map(|c| c.head)
    };
    let twice = |name: &str| {
        Err(StoreError::CountsOnce { item: "a".to_owned(), reviewer: name.to_owned() })
    };
    assert_eq!(with(vec![by("level1", "ann", None)]), Ok(2));
    assert_eq!(with(vec![by("level1", "ann", None), by("level2", "ann", None)]), twice("ann"));
    assert_eq!(with(vec![by("level1", "ann", None), by("level1", "bob", None)]), twice("bob"));
    assert_eq!(item(&*store, "a").approvals, [by("level1", "ann", None)]);
    assert_eq!(with(vec![by("level1", "ann", None), by("level2", "bob", None)]), Ok(3));
    // Another content is approved anew; a new round starts from nothing.
    assert_eq!(with(vec![by("level1", "ann", Some("r1"))]), Ok(4));
    assert_eq!(with(Vec::new()), Ok(5));
    assert_eq!(with(vec![by("level1", "ann", None)]), Ok(6));
}

pub(crate) fn a_verdict_and_its_undo(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", Some(60), 3), waiting("b", "level1", None, 0)]);
    let before = item(&*store, "a");
    let r = review("r1", &before, "ann", VerdictKind::Accept);
    let given = decided(&before, &r, 10);
    apply(&*store, [reviewed(&r), vec![put(&given)]].concat());
    assert_eq!(item(&*store, "a"), given);
    assert_eq!(ids(&*store, &ask(crate::protocol::Filter::default())), ["b"]);

    let back = crate::domain::life::undo(&given, "ann", at(9)).unwrap();
    let undo = Op::UndoReview { request_id: "r1".to_owned() };
    apply(&*store, vec![log(), put(&back), undo]);
    assert_eq!(item(&*store, "a").state, ItemState::Waiting);
    assert_eq!(ids(&*store, &ask(crate::protocol::Filter::default())), ["a", "b"]);
    assert!(store.review("r1").unwrap().unwrap().undone);
    let unknown = Op::UndoReview { request_id: "r9".to_owned() };
    assert!(matches!(store.commit(write(vec![unknown])).wait(), Err(StoreError::Missing(_))));
}

pub(crate) fn a_refused_operation_leaves_its_neighbours_alone(open: Open<'_>) {
    let store = open();
    // Queued together, so that they may share a commit.
    let mut tickets = Vec::new();
    for n in 0..300 {
        let mut w = write(vec![log(), Op::BumpGeneration]);
        if n % 3 == 1 {
            w.premises.generation = Some(u64::MAX);
        }
        if n % 3 == 2 {
            let item = "nobody".to_owned();
            w.ops.push(Op::EndLease { item });
        }
        tickets.push(store.commit(w));
    }
    for (n, ticket) in tickets.into_iter().enumerate() {
        match (n % 3, ticket.wait()) {
            (0, Ok(done)) => assert_eq!(done.head, n as u64 / 3 + 1),
            (1, Err(e)) => assert_eq!(e, StoreError::Premise(Premise::Generation)),
            (2, Err(e)) => assert_eq!(e, StoreError::Missing("decision nobody".to_owned())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.snapshot().unwrap().generation, 100);
    check(&*store);
}

pub(crate) fn rows_refer_to_the_entry_before_them(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0), waiting("b", "level1", None, 0)]);
    let (a, b) = (item(&*store, "a"), item(&*store, "b"));
    let (ra, rb) =
        (review("r1", &a, "ann", VerdictKind::Edit), review("r2", &b, "bob", VerdictKind::Reject));
    apply(&*store, [reviewed(&ra), reviewed(&rb)].concat());
    assert_eq!(store.reviews("a").unwrap(), [ra]);
    assert_eq!(store.reviews("b").unwrap(), std::slice::from_ref(&rb));
    // A review whose text would be nowhere is refused.
    let lost = crate::domain::Review { request_id: "r3".to_owned(), ..rb };
    for ops in [vec![], vec![log()]] {
        let ops = [ops, vec![Op::PutReview(Box::new(lost.clone()))]].concat();
        assert!(matches!(store.commit(write(ops)).wait(), Err(StoreError::Missing(_))));
    }
    // An entry about nothing that is stored, too.
    let about = Op::Entry(entry(EntryKind::VERDICT, Some("x"), &[]));
    assert_eq!(
        store.commit(write(vec![about])).wait(),
        Err(StoreError::Missing("decision x".to_owned()))
    );
    assert_eq!(store.head().unwrap(), 4);
}

pub(crate) fn corrections_join_what_was_decided(open: Open<'_>) {
    let store = open();
    let mut ops = Vec::new();
    let mut reviews = Vec::new();
    for n in 0..4 {
        let id = format!("i{n}");
        admit(&*store, vec![waiting(&id, "level1", None, 0)]);
        let r = review(&format!("r{n}"), &item(&*store, &id), "ann", VerdictKind::Edit);
        let at = at(10 * n);
        ops.extend(reviewed(&r));
        for _ in 0..2 {
            let request_id = r.request_id.clone();
            ops.push(Op::PutCorrection { item: id.clone(), request_id, at });
        }
        reviews.push(r);
    }
    apply(&*store, ops);
    let all = store.corrections(None, 0, 99).unwrap();
    let of = |list: &[crate::store::StoredCorrection]| -> Vec<_> {
        list.iter().map(|c| c.review.clone()).collect()
    };
    assert_eq!(of(&all), reviews);
    assert_eq!(all[2].decision, store.decision("i2").unwrap().unwrap());
    assert_eq!(of(&store.corrections(Some(at(20)), 0, 99).unwrap()), reviews[2..]);
    assert_eq!(of(&store.corrections(None, all[0].number, 2).unwrap()), reviews[1..3]);
}

pub(crate) fn reviewers_and_policies(open: Open<'_>) {
    let store = open();
    let bob = Reviewer { name: "bob".to_owned(), level: 3, version: 7, ..ann() };
    apply(&*store, vec![Op::PutReviewer(bob.clone()), Op::PutReviewer(ann())]);
    assert_eq!(store.reviewers().unwrap(), [Reviewer { version: 1, ..ann() }, bob.clone()]);
    let off = Reviewer { disabled: true, version: 1, ..ann() };
    apply(&*store, vec![Op::PutReviewer(off.clone())]);
    assert_eq!(store.reviewer("ann").unwrap(), Some(Reviewer { version: 2, ..off }));
    assert_eq!(store.reviewer("eve").unwrap(), None);

    assert_eq!(store.policy(None).unwrap(), None);
    let policy = |hash: &str| StoredPolicy {
        hash: hash.to_owned(),
        name: "loan-desk".to_owned(),
        source: format!("policy = \"{hash}\""),
        schemas: [("loan.input".to_owned(), serde_json::json!({"type": "object"}))].into(),
    };
    for hash in ["p1", "p2", "p1"] {
        apply(&*store, vec![Op::PutPolicy(policy(hash))]);
        assert_eq!(store.policy(None).unwrap(), Some(policy(hash)));
        assert_eq!(store.snapshot().unwrap().policy.as_deref(), Some(hash));
    }
    assert_eq!(store.policy(Some("p2")).unwrap(), Some(policy("p2")));
    // Put there again, what was damaged meanwhile is whole.
    let damaged = StoredPolicy { source: "?".to_owned(), ..policy("p2") };
    for (put, kept) in [(damaged.clone(), damaged), (policy("p2"), policy("p2"))] {
        apply(&*store, vec![Op::PutPolicy(put)]);
        assert_eq!(store.policy(None).unwrap(), Some(kept));
    }
    assert_eq!(store.policy(Some("p3")).unwrap(), None);
}

pub(crate) fn blind_answers_are_given_once(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0)]);
    let answer = |request: &str, reviewer: &str, agreed| {
        let text = entry(EntryKind::VERDICT, Some("a"), &[("answer", b"own words")]);
        let op = Op::PutAnswer {
            item: "a".to_owned(),
            reviewer: reviewer.to_owned(),
            request_id: request.to_owned(),
            agreed,
        };
        store.commit(write(vec![Op::Entry(text), op])).wait().map(|_| ())
    };
    assert_eq!(store.blind_answer("a", "ann").unwrap(), None);
    assert_eq!(answer("r1", "ann", true), Ok(()));
    assert_eq!(answer("r2", "ann", false), Err(StoreError::RequestExists("r1".to_owned())));
    assert_eq!(answer("r3", "bob", false), Ok(()));
    let stored =
        |request: &str, agreed| Some(StoredAnswer { request_id: request.to_owned(), agreed });
    assert_eq!(store.blind_answer("a", "ann").unwrap(), stored("r1", true));
    assert_eq!(store.blind_answer("a", "bob").unwrap(), stored("r3", false));
}

pub(crate) fn desk_time_never_runs_backwards(open: Open<'_>) {
    let store = open();
    let mut latest = 0;
    for seconds in [10, 5, 20, 19, 20, 21] {
        latest = latest.max(seconds);
        store.commit(Write { now: at(seconds), ..write(vec![]) }).wait().unwrap();
        assert_eq!(store.snapshot().unwrap().desk_time, at(latest));
        let b = crate::store::AdmitBatch { now: at(seconds - 1), ..batch(vec![]) };
        store.admit(b).wait().unwrap();
        assert_eq!(store.snapshot().unwrap().desk_time, at(latest));
    }
}
