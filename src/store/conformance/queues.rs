//! Counters and clocks: they equal a recount, whatever happened.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::Open;
use super::fixtures::*;
use crate::domain::life::{Commit, release};
use crate::domain::{Item, ItemState, VerdictKind};
use crate::protocol::Filter;
use crate::store::{PageQuery, QueueCount, Store};

const QUEUES: [&str; 3] = ["level1", "level2", "level3"];

/// The counters, counted.
fn recount(items: &BTreeMap<String, Item>, now: i64) -> Vec<QueueCount> {
    let counts = QUEUES.map(|queue| {
        let here = || items.values().filter(move |i| i.queue == queue);
        let due = |test: &dyn Fn(i64) -> bool| {
            let open = here().filter(|i| i.state.is_open());
            open.filter(|i| i.due_at.is_some_and(|d| test(d.as_second()))).count() as u64
        };
        let any = here().any(|i| i.state != ItemState::Settled);
        any.then(|| QueueCount {
            queue: queue.to_owned(),
            waiting: here().filter(|i| i.state.is_open()).count() as u64,
            leased: Default::default(),
            late: due(&|d| d < now),
            due_soon: due(&|d| d >= now && d <= now + 300),
        })
    });
    counts.into_iter().flatten().collect()
}

fn check(store: &dyn Store, items: &BTreeMap<String, Item>) {
    for now in [-1_000, -61, 0, 17, 60, 299, 300, 900, 5_000] {
        assert_eq!(store.queues(at(now), at(0)).unwrap(), recount(items, now), "at {now}");
        let mut late: Vec<_> = items
            .values()
            .filter(|i| i.state.is_open() && !i.breached)
            .filter(|i| i.due_at.is_some_and(|d| d < at(now)))
            .map(|i| i.id.clone())
            .collect();
        late.sort();
        let mut found: Vec<_> =
            store.overdue(at(now), 999).unwrap().into_iter().map(|i| i.id).collect();
        found.sort();
        assert_eq!(found, late, "overdue at {now}");
    }
    let total = |filter| store.page(&ask(filter)).unwrap().total;
    let open = |test: &dyn Fn(&Item) -> bool| {
        items.values().filter(|i| i.state.is_open() && test(i)).count() as u64
    };
    assert_eq!(total(Filter::default()), open(&|_| true));
    for queue in QUEUES {
        let filter = Filter { queue: Some(queue.to_owned()), ..Filter::default() };
        assert_eq!(total(filter), open(&|i| i.queue == queue));
    }
    let loans = Filter { domain: Some("loan".to_owned()), ..Filter::default() };
    assert_eq!(total(loans), open(&|_| true));
}

pub(crate) fn counters_equal_a_recount(open: Open<'_>) {
    // What happens: admit, or put an item somewhere else. (what, which, queue, due, state)
    let state = prop::sample::select(vec![
        ItemState::Waiting,
        ItemState::Decided,
        ItemState::AwaitingApproval,
        ItemState::Settled,
    ]);
    let due = prop::option::of(-120i64..1_200);
    let step = (any::<bool>(), any::<prop::sample::Index>(), 0..3usize, due, state, any::<bool>());
    let store = open();
    let all: RefCell<BTreeMap<String, Item>> = RefCell::default();
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let outcome = runner.run(&prop::collection::vec(step, 1..30), |steps| {
        let mut items = all.borrow_mut();
        for (fresh, which, queue, due, state, breached) in steps {
            if fresh || items.is_empty() {
                let id = format!("i{}", items.len());
                let row = waiting(&id, QUEUES[queue], due, 0);
                items.extend(row.item.clone().map(|i| (id, i)));
                admit(&*store, vec![row]);
                continue;
            }
            let id = which.get(&items.keys().cloned().collect::<Vec<_>>()).clone();
            let Some(item) = items.get_mut(&id) else { continue };
            item.queue = QUEUES[queue].to_owned();
            item.due_at = due.map(at);
            item.state = state;
            item.breached = breached;
            let ops = vec![put(item)];
            apply(&*store, ops);
        }
        check(&*store, &items);
        Ok(())
    });
    outcome.unwrap();
    store.close().unwrap();
    check(&*open(), &all.borrow());
}

pub(crate) fn late_and_due_soon(open: Open<'_>) {
    let store = open();
    assert_eq!(store.queues(at(0), at(0)).unwrap(), []);
    let rows = [
        ("a", Some(100)),
        ("b", Some(119)),
        ("c", Some(120)),
        ("d", Some(420)),
        ("e", Some(421)),
        ("f", None),
    ];
    admit(&*store, rows.map(|(id, due)| waiting(id, "level1", due, 0)).to_vec());
    let count = |late, due_soon, leased: &[&str]| {
        let leased = leased.iter().map(|name| ((*name).to_owned(), 1)).collect();
        vec![QueueCount { queue: "level1".to_owned(), waiting: 6, leased, late, due_soon }]
    };
    assert_eq!(store.queues(at(120), at(0)).unwrap(), count(2, 2, &[]));
    assert_eq!(store.queues(at(121), at(0)).unwrap(), count(3, 2, &[]));
    store.lease(lease_item("ann", "a", 0)).wait().unwrap();
    store.lease(lease_item("bob", "b", 30)).wait().unwrap();
    assert_eq!(store.queues(at(0), at(59)).unwrap(), count(0, 3, &["ann", "bob"]));
    assert_eq!(store.queues(at(0), at(60)).unwrap(), count(0, 3, &["bob"]));
}

pub(crate) fn graces_over_and_overdue(open: Open<'_>) {
    let store = open();
    let rows = (0..5).map(|n| waiting(&format!("i{n}"), "level1", Some(100 - n), 0));
    admit(&*store, rows.collect());
    for (n, until) in [(0, 30), (1, 10), (2, 20)] {
        let before = item(&*store, &format!("i{n}"));
        let r = review(&format!("r{n}"), &before, "ann", VerdictKind::Accept);
        apply(&*store, [reviewed(&r), vec![put(&decided(&before, &r, until))]].concat());
    }
    let over = |wall, limit| -> Vec<_> {
        store.graces_over(at(wall), limit).unwrap().into_iter().map(|i| i.id).collect()
    };
    assert_eq!(over(9, 9), [""; 0]);
    assert_eq!(over(20, 9), ["i1", "i2"]);
    assert_eq!(over(99, 2), ["i1", "i2"]);
    assert_eq!(store.graces_over(at(99), 1).unwrap(), [item(&*store, "i1")]);
    let terms = |_: &str| crate::domain::life::QueueTerms { level: 1, due_at: None };
    let (done, _) = release(&item(&*store, "i1"), Commit::Later, at(0), terms).unwrap();
    apply(&*store, vec![put(&done)]);
    assert_eq!(over(99, 9), ["i2", "i0"]);

    let late = |now, limit| -> Vec<_> {
        store.overdue(at(now), limit).unwrap().into_iter().map(|i| i.id).collect()
    };
    assert_eq!(late(96, 9), [""; 0]);
    assert_eq!(late(97, 9), ["i4"]);
    assert_eq!(late(200, 9), ["i4", "i3"]);
    assert_eq!(late(200, 1), ["i4"]);
    let mut escalated = item(&*store, "i4");
    escalated.breached = true;
    apply(&*store, vec![put(&escalated)]);
    assert_eq!(late(200, 9), ["i3"]);
    let all = PageQuery { limit: 9, ..ask(Filter::default()) };
    assert_eq!(ids(&*store, &all), ["i4", "i3"]);
}
