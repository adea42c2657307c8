//! Pages: the sorted list, whichever way it is read and whatever changes meanwhile.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::Open;
use super::fixtures::*;
use crate::domain::{Item, ItemState, VerdictKind};
use crate::protocol::{Cursor, Filter};
use crate::store::{Admission, Op, PageQuery, Store, StoreError, StoredPage};

/// Queue order, said once more and differently.
fn sort_key(item: &Item) -> (i64, std::cmp::Reverse<i64>, i64, String) {
    let due = item.due_at.map(crate::domain::Timestamp::as_millisecond);
    (
        due.map_or(i64::MAX, |ms| ms.div_euclid(60_000)),
        std::cmp::Reverse(item.priority),
        due.unwrap_or(i64::MAX),
        item.id.clone(),
    )
}

fn sorted(rows: &[Admission]) -> Vec<String> {
    let mut items: Vec<&Item> = rows.iter().filter_map(|r| r.item.as_ref()).collect();
    items.sort_by_key(|i| sort_key(i));
    items.iter().map(|i| i.id.clone()).collect()
}

/// All pages of `limit` rows, forwards or backwards; `between` runs after each.
fn read(
    store: &dyn Store,
    queue: Option<&str>,
    limit: usize,
    forward: bool,
    mut between: impl FnMut(),
) -> Vec<String> {
    let filter = Filter { queue: queue.map(str::to_owned), ..Filter::default() };
    let mut ask = PageQuery { limit, from_end: !forward, ..ask(filter) };
    let mut found: Vec<String> = Vec::new();
    loop {
        let page = store.page(&ask).unwrap();
        assert!(page.rows.len() <= limit);
        assert!(page.rows.is_sorted_by_key(|r| r.cursor.clone()));
        let ids = page.rows.iter().map(|r| r.item.id.clone());
        match forward {
            true => found.extend(ids),
            false => drop(found.splice(0..0, ids)),
        }
        let Some(next) = page.next else { return found };
        assert_eq!(page.rows.len(), limit, "a page that is not the last is full");
        match forward {
            true => ask.after = Some(next),
            false => ask.before = Some(next),
        }
        between();
    }
}

pub(crate) fn pages_are_the_sorted_list_both_ways(open: Open<'_>) {
    let store = open();
    let row = (0..3usize, prop::option::of(-200i64..200), -2i64..3);
    let rows = prop::collection::vec(row, 1..40);
    let cases = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let outcome = runner.run(&(rows, 1..12usize), |(rows, limit)| {
        let case = cases.replace(cases.get() + 1);
        let queue = |k: usize| format!("case{case}-{k}");
        let rows: Vec<_> = (0..)
            .zip(&rows)
            .map(|(n, (k, due, priority))| {
                waiting(&format!("c{case}-{}-{n}", n * 7 % 5), &queue(*k), *due, *priority)
            })
            .collect();
        admit(&*store, rows.clone());
        for k in 0..3 {
            let q = queue(k);
            let own: Vec<_> = rows
                .iter()
                .filter(|r| r.item.as_ref().is_some_and(|i| i.queue == q))
                .cloned()
                .collect();
            for forward in [true, false] {
                let found = read(&*store, Some(&q), limit, forward, || ());
                prop_assert_eq!(found, sorted(&own));
            }
        }
        // Over all queues, with the items of the other cases gone.
        let all = read(&*store, None, limit, true, || ());
        prop_assert_eq!(&all, &sorted(&rows));
        prop_assert_eq!(read(&*store, None, limit, false, || ()), all);
        // What comes in between pages shifts nothing that is to come.
        let late = std::cell::Cell::new(0);
        let found = read(&*store, None, limit, true, || {
            let n = late.replace(late.get() + 1);
            admit(&*store, vec![waiting(&format!("late{case}-{n}"), &queue(0), Some(-300), 9)]);
        });
        prop_assert_eq!(found, sorted(&rows));
        for item in open_items(&*store) {
            let r = review(&format!("r-{}", item.id), &item, "ann", VerdictKind::Accept);
            let mut settled = decided(&item, &r, 9);
            (settled.state, settled.pending) = (ItemState::Settled, None);
            apply(&*store, vec![put(&settled)]);
        }
        Ok(())
    });
    outcome.unwrap();
}

fn open_items(store: &dyn Store) -> Vec<Item> {
    let all = PageQuery { limit: 10_000, ..ask(Filter::default()) };
    store.page(&all).unwrap().rows.into_iter().map(|r| r.item).collect()
}

pub(crate) fn filters_find_what_they_say(open: Open<'_>) {
    let store = open();
    let mut rows = Vec::new();
    for n in 0..24 {
        let queue = ["level1", "level2"][n % 2];
        let mut row = waiting(&format!("i{n:02}"), queue, Some(n as i64), 0);
        row.columns.domain = ["loan", "medical"][n % 2].to_owned();
        row.columns.model = ["lap", "qa"][n / 2 % 2].to_owned();
        row.columns.version = ["1", "2"][n / 4 % 2].to_owned();
        row.columns.level = (n % 2 + 1) as u8;
        row.route.rule = ["low", "high"][n / 8 % 2].to_owned();
        if n % 3 == 0 {
            let group = ["black", "white"][n / 3 % 2];
            row.columns.cohort = BTreeMap::from([("race".to_owned(), group.to_owned())]);
        }
        if n % 5 == 0 {
            row.columns.tags = vec!["vip".to_owned()];
        }
        if n == 1 {
            row.route.tags = vec!["vip".to_owned()];
        }
        rows.push(row);
    }
    admit(&*store, rows.clone());
    admit(&*store, vec![auto("z")]);
    let text = |s: &str| Some(s.to_owned());
    type Holds = fn(usize) -> bool;
    let cases: [(Filter, Holds); 14] = [
        (Filter::default(), |_| true),
        (Filter { queue: text("level2"), ..Filter::default() }, |n| n % 2 == 1),
        (Filter { queue: text("none"), ..Filter::default() }, |_| false),
        (Filter { domain: text("medical"), ..Filter::default() }, |n| n % 2 == 1),
        (Filter { model: text("qa"), ..Filter::default() }, |n| n / 2 % 2 == 1),
        (Filter { model: text("qa@2"), ..Filter::default() }, |n| n / 2 % 2 == 1 && n / 4 % 2 == 1),
        (Filter { model: text("qa@3"), ..Filter::default() }, |_| false),
        (Filter { rule: text("high"), ..Filter::default() }, |n| n / 8 % 2 == 1),
        (Filter { level: Some(1), ..Filter::default() }, |n| n % 2 == 0),
        (Filter { cohort: text("black"), ..Filter::default() }, |n| n % 6 == 0),
        (Filter { cohort: text("race:white"), ..Filter::default() }, |n| n % 6 == 3),
        (Filter { cohort: text("sex:white"), ..Filter::default() }, |_| false),
        (Filter { tag: text("vip"), ..Filter::default() }, |n| n % 5 == 0 || n == 1),
        (
            Filter {
                queue: text("level1"),
                rule: text("low"),
                cohort: text("black"),
                ..Filter::default()
            },
            |n| n % 6 == 0 && n / 8 % 2 == 0,
        ),
    ];
    for (filter, holds) in cases {
        let want: Vec<_> = (0..24).filter(|n| holds(*n)).map(|n| format!("i{n:02}")).collect();
        let mut ask = ask(filter);
        let page = store.page(&ask).unwrap();
        let found: Vec<_> = page.rows.iter().map(|r| r.item.id.clone()).collect();
        assert_eq!(found, want, "{:?}", ask.filter);
        assert_eq!(page.total, want.len() as u64, "{:?}", ask.filter);
        ask.from_end = true;
        assert_eq!(ids(&*store, &ask), want);
        for row in page.rows {
            let admitted = rows.iter().find(|r| r.route.id == row.item.id).unwrap();
            assert_eq!(Some(&row.item), admitted.item.as_ref());
            assert_eq!(row.columns, admitted.columns);
            assert_eq!(
                (row.rule, row.reason),
                (admitted.route.rule.clone(), admitted.route.reason.clone())
            );
            assert_eq!(row.lease, None);
        }
    }
    // Who holds what is shown where it is asked for.
    let lease = store.lease(lease_item("ann", "i03", 0)).wait().unwrap();
    let page = store.page(&PageQuery { wall: Some(at(1)), ..ask(Filter::default()) }).unwrap();
    assert_eq!(page.rows[3].lease, lease);
    assert_eq!(page.rows[4].lease, None);
}

pub(crate) fn free_text_is_scanned_in_steps(open: Open<'_>) {
    let store = open();
    let mut rows: Vec<_> =
        (0..50).map(|n| waiting(&format!("i{n:02}"), "level1", Some(n), 0)).collect();
    for n in [7, 8, 33] {
        rows[n].entry.bodies[0].value = br#"{"output":"Caf\u00e9 ZURICH"}"#.to_vec();
    }
    admit(&*store, rows);
    let filter = Filter { text: Some("café zürich".replace('ü', "u")), ..Filter::default() };
    let mut ask = PageQuery { limit: 2, scan: 10, ..ask(filter) };
    let mut steps = Vec::new();
    loop {
        let StoredPage { rows, next, total, scanned } = store.page(&ask).unwrap();
        assert_eq!(total, 50);
        assert!(scanned <= 10);
        steps.push((rows.into_iter().map(|r| r.item.id).collect::<Vec<_>>(), scanned));
        match next {
            Some(next) => ask.after = Some(next),
            None => break,
        }
    }
    let found = |list: &[&str], n| (list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), n);
    assert_eq!(
        steps,
        [
            found(&["i07", "i08"], 9),
            found(&[], 10),
            found(&[], 10),
            found(&["i33"], 10),
            found(&[], 10),
            found(&[], 1),
        ]
    );
    // Backwards too.
    let mut back = PageQuery { after: None, from_end: true, scan: 20, ..ask };
    let page = store.page(&back).unwrap();
    assert_eq!(page.rows.iter().map(|r| r.item.id.as_str()).collect::<Vec<_>>(), ["i33"]);
    back.before = page.next;
    let page = store.page(&back).unwrap();
    assert!(page.rows.is_empty(), "i29 down to i10");
    back.before = page.next;
    let page = store.page(&back).unwrap();
    assert_eq!(page.rows.iter().map(|r| r.item.id.as_str()).collect::<Vec<_>>(), ["i07", "i08"]);
}

pub(crate) fn items_i_decided(open: Open<'_>) {
    let store = open();
    let rows = (0..6).map(|n| waiting(&format!("i{n}"), "level1", Some(60 * (9 - n)), 0));
    admit(&*store, rows.collect());
    for (n, who) in [(0, "ann"), (1, "bob"), (2, "ann"), (3, "ann")] {
        let before = item(&*store, &format!("i{n}"));
        let r = review(&format!("r{n}"), &before, who, VerdictKind::Reject);
        let mut after = decided(&before, &r, 9);
        if n == 0 {
            (after.state, after.pending) = (ItemState::Settled, None);
        }
        apply(&*store, [reviewed(&r), vec![put(&after)]].concat());
    }
    apply(&*store, vec![Op::UndoReview { request_id: "r3".to_owned() }]);
    let mine = |filter| PageQuery { by: "ann".to_owned(), ..ask(Filter { by_me: true, ..filter }) };
    assert_eq!(ids(&*store, &mine(Filter::default())), ["i2", "i0"]);
    let page = store.page(&PageQuery { limit: 1, ..mine(Filter::default()) }).unwrap();
    assert_eq!((page.rows[0].item.id.as_str(), page.total), ("i2", 2));
    let rest = PageQuery { after: page.next, ..mine(Filter::default()) };
    assert_eq!(ids(&*store, &rest), ["i0"]);
    // The reviewer's own tags count as the item's.
    let tag = |tag: &str| Filter { tag: Some(tag.to_owned()), ..Filter::default() };
    assert_eq!(ids(&*store, &mine(tag("tone"))), ["i2", "i0"]);
    assert_eq!(ids(&*store, &mine(tag("bias"))), [""; 0]);
    let queue = |q: &str| Filter { queue: Some(q.to_owned()), ..Filter::default() };
    assert_eq!(ids(&*store, &mine(queue("level1"))), ["i2", "i0"]);
    assert_eq!(ids(&*store, &mine(queue("level9"))), [""; 0]);
}

pub(crate) fn cursors_of_no_page_are_refused(open: Open<'_>) {
    let store = open();
    let bad = PageQuery { after: Some(Cursor("page 2".to_owned())), ..ask(Filter::default()) };
    assert!(matches!(store.page(&bad), Err(StoreError::Missing(_))));
}
