//! Following the log, and looking back at what was automatic.

use std::collections::BTreeMap;

use super::Open;
use super::fixtures::*;
use crate::audit::{Entry, EntryKind};
use crate::domain::{
    Contained, ControlScope, Frozen, Item, ItemState, Kind, TurnedAway, VerdictKind,
};
use crate::protocol::Filter;
use crate::store::{
    Admission, Automatic, AutomaticAsk, EntryDraft, Flowed, Lately, Op, Store, Tally,
};

pub(crate) fn following_names_what_each_entry_is_about(open: Open<'_>) {
    let store = open();
    let bare = |kind| Op::Entry(entry(kind, None, &[]));
    apply(&*store, vec![bare(EntryKind::GENESIS)]);
    admit(&*store, vec![waiting("a", "level1", None, 0), auto("b")]);
    let a = item(&*store, "a");
    let r = review("r1", &a, "ann", VerdictKind::Edit);
    apply(&*store, vec![bare(EntryKind::SWITCH)]);
    // The verdict, and the settlement that names the verdict's request.
    let named = |kind, review: &crate::domain::Review| {
        let mut e = Entry::new(kind, "ann", at(5), at(5));
        e.id = Some(review.item.clone());
        e.req = Some(review.request_id.clone());
        EntryDraft { item: Some(review.item.clone()), bytes: e.bytes(), bodies: Vec::new() }
    };
    apply(&*store, [reviewed(&r), vec![put(&decided(&a, &r, 10))]].concat());
    apply(&*store, vec![Op::Entry(named(EntryKind::SETTLE, &r))]);

    let all = store.follow(0, 99).unwrap();
    assert_eq!((0..).zip(&all).find(|(n, f)| *n != f.index), None);
    let entries = store.entries(None, 0, 99).unwrap();
    let as_entries: Vec<_> = all.iter().map(|f| (f.index, f.entry.clone())).collect();
    assert_eq!(as_entries, entries);
    let (stored_a, stored_b) = (store.decision("a").unwrap(), store.decision("b").unwrap());
    let about: Vec<_> = all.iter().map(|f| f.decision.clone()).collect();
    let expected = [None, stored_a.clone(), stored_b, None, stored_a.clone(), stored_a].to_vec();
    assert_eq!(about, expected);
    assert_eq!(about[1].as_ref().unwrap().raw, Some(raw("a")));
    let reviews: Vec<_> = all.iter().map(|f| f.review.clone()).collect();
    assert_eq!(reviews, [None, None, None, None, None, Some(r)]);
    assert_eq!(store.follow(2, 3).unwrap(), all[2..5]);
    assert_eq!(store.follow(6, 3).unwrap(), []);
}

/// All pages of one ask, with few rows and a short scan a page.
fn automatic(store: &dyn Store, scope: &str, since: i64) -> Vec<String> {
    let mut ask = AutomaticAsk {
        scope: scope.parse().unwrap(),
        since: at(since),
        after: None,
        limit: 2,
        scan: 3,
    };
    let mut found = Vec::new();
    loop {
        let page = store.automatic(&ask).unwrap();
        assert!(page.decisions.len() <= 2);
        for d in &page.decisions {
            assert_eq!(store.decision(&d.route.id).unwrap().as_ref(), Some(d));
        }
        found.extend(page.decisions.into_iter().map(|d| d.route.id));
        match page.next {
            Some(next) => ask.after = Some(next),
            None => return found,
        }
    }
}

pub(crate) fn automatic_decisions_of_a_scope(open: Open<'_>) {
    let store = open();
    assert_eq!(automatic(&*store, "all", 0), Vec::<String>::new());
    let mut rows = Vec::new();
    for n in 0..12i64 {
        let mut a = auto(&format!("i{n}"));
        a.facts.now = at(n);
        a.columns.domain = if n % 2 == 0 { "loan" } else { "moderation" }.to_owned();
        a.columns.version = (n % 3).to_string();
        a.columns.action = if n < 6 { "approve" } else { "deny" }.to_owned();
        if n % 4 == 0 {
            a.columns.cohort.insert("sex".to_owned(), "f".to_owned());
        }
        rows.push(a);
    }
    rows.push(waiting("w", "level1", None, 0));
    // Sampled: people look at it anyway.
    let mut sampled = waiting("s", "level1", None, 0);
    sampled.route = crate::domain::Route { id: "s".to_owned(), ..auto("s").route };
    sampled.item.as_mut().unwrap().kind = Kind::Retrospective;
    rows.push(sampled);
    admit(&*store, rows);
    let ids = |which: &dyn Fn(i64) -> bool| -> Vec<_> {
        (0..12).filter(|n| which(*n)).map(|n| format!("i{n}")).collect()
    };
    assert_eq!(automatic(&*store, "all", 0), ids(&|_| true));
    assert_eq!(automatic(&*store, "all", 7), ids(&|n| n >= 7));
    assert_eq!(automatic(&*store, "all", 99), ids(&|_| false));
    assert_eq!(automatic(&*store, "domain=loan", 3), ids(&|n| n % 2 == 0 && n >= 3));
    assert_eq!(automatic(&*store, "model=lap", 0), ids(&|_| true));
    assert_eq!(automatic(&*store, "model=lap@1", 0), ids(&|n| n % 3 == 1));
    assert_eq!(automatic(&*store, "action=deny", 0), ids(&|n| n >= 6));
    assert_eq!(automatic(&*store, "cohort=sex:f", 0), ids(&|n| n % 4 == 0));
    assert_eq!(automatic(&*store, "cohort=sex:m", 0), ids(&|_| false));
    // What was put before people is not found again, also when they are done with it.
    let before = |id: &str, state| {
        let item = Item {
            id: id.to_owned(),
            kind: Kind::Retrospective,
            state,
            ..waiting(id, "level1", None, 0).item.unwrap()
        };
        put(&item)
    };
    let ops = vec![before("i1", ItemState::Waiting), before("i2", ItemState::Settled)];
    apply(&*store, ops);
    assert_eq!(automatic(&*store, "all", 0), ids(&|n| n != 1 && n != 2));
}

pub(crate) fn tallies_equal_a_recount(open: Open<'_>) {
    let store = open();
    let mut rows = Vec::new();
    for n in 0..20i64 {
        let id = format!("i{n}");
        let mut a = if n % 3 == 0 { waiting(&id, "level1", None, n % 2) } else { auto(&id) };
        a.columns.domain = if n % 2 == 0 { "loan" } else { "moderation" }.to_owned();
        a.columns.version = (n % 4).to_string();
        if n % 6 == 0 {
            a.columns.cohort.insert("sex".to_owned(), "f".to_owned());
        }
        rows.push(a);
    }
    admit(&*store, rows.clone());
    // Twice is once; a decided item waits no more; a repaired record is counted where it is now.
    store.admit(batch(rows.clone())).wait().unwrap();
    let i0 = item(&*store, "i0");
    let r = review("r1", &i0, "ann", VerdictKind::Accept);
    apply(&*store, [reviewed(&r), vec![put(&decided(&i0, &r, 10))]].concat());
    let mut repaired = rows[3].clone();
    repaired.columns.domain = "medical".to_owned();
    let body = raw("i3");
    apply(
        &*store,
        vec![
            Op::Entry(entry(EntryKind::READMIT, Some("i3"), &[("record", &body)])),
            Op::Readmit {
                id: "i3".to_owned(),
                route: Box::new(repaired.route.clone()),
                facts: Box::new(repaired.facts.clone()),
                columns: repaired.columns.clone(),
            },
        ],
    );
    rows[3] = repaired;
    let recount = |open_only: bool| {
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for row in &rows {
            let decision = store.decision(&row.route.id).unwrap().unwrap();
            let open = decision.item.is_some_and(|i| i.state.is_open());
            if open || !open_only {
                let c = &row.columns;
                let key = (c.domain.clone(), c.model.clone(), c.version.clone(), c.action.clone());
                *counts.entry(key).or_default() += 1;
            }
        }
        counts
    };
    let tally = store.tally().unwrap();
    let by = |count: &dyn Fn(&Tally) -> u64| -> BTreeMap<_, u64> {
        let key =
            |t: &Tally| (t.domain.clone(), t.model.clone(), t.version.clone(), t.action.clone());
        tally.iter().filter(|t| count(t) > 0).map(|t| (key(t), count(t))).collect()
    };
    assert_eq!(by(&|t| t.decisions), recount(false));
    assert_eq!(by(&|t| t.open), recount(true));
    let of = |text: &str| match text.parse().unwrap() {
        ControlScope::Cohort { dimension, group } => {
            store.open_in_cohort(&dimension, &group).unwrap()
        }
        other => panic!("{other}"),
    };
    // i0 is decided; i6, i12, i18 wait.
    assert_eq!((of("cohort=sex:f"), of("cohort=sex:m"), of("cohort=age:f")), (3, 0, 0));
    let filter = Filter { cohort: Some("sex:f".to_owned()), ..Filter::default() };
    assert_eq!(store.page(&ask(filter)).unwrap().total, 3);
}

pub(crate) fn what_happened_lately_is_counted_by_kind_and_queue(open: Open<'_>) {
    let store = open();
    assert_eq!(store.lately(at(0)).unwrap(), Lately::default());
    let (minute, hour) = (60, 3600);
    let mut rows = Vec::new();
    // Long ago, within the hour, within the minute.
    for (n, seconds) in
        [10, 5 * hour, 5 * hour + 30 * minute, 6 * hour - 20, 6 * hour - 5].into_iter().enumerate()
    {
        let mut a = auto(&format!("a{n}"));
        a.facts.now = at(seconds);
        rows.push(a);
        let mut w = waiting(&format!("w{n}"), "level1", None, seconds);
        w.facts.now = at(seconds);
        rows.push(w);
    }
    admit(&*store, rows);
    // Verdicts in three hours of the last day: one, two and one; and one that was taken back.
    for (n, seconds) in
        [hour, 2 * hour + 1, 2 * hour + 2, 6 * hour - 4, 6 * hour - 3].into_iter().enumerate()
    {
        let w = item(&*store, &format!("w{n}"));
        let mut r = review(&format!("r{n}"), &w, "ann", VerdictKind::Accept);
        r.at = at(seconds);
        r.queue = "level1".to_owned();
        apply(&*store, reviewed(&r));
    }
    apply(&*store, vec![Op::UndoReview { request_id: "r4".to_owned() }]);
    let lately = store.lately(at(6 * hour)).unwrap();
    let kind = Automatic {
        domain: "loan".to_owned(),
        action: "approve".to_owned(),
        model: "lap".to_owned(),
        version: "1".to_owned(),
        decisions: 2,
    };
    assert_eq!(lately.automatic, [kind]);
    assert_eq!(lately.arrivals, BTreeMap::from([("level1".to_owned(), 3)]));
    assert_eq!(lately.per_hour, BTreeMap::from([("level1".to_owned(), 4.0 / 3.0)]));
}

pub(crate) fn what_flowed_is_counted_by_kind_limit_and_freeze(open: Open<'_>) {
    let store = open();
    let hour = 3600;
    assert_eq!(store.flowed(at(0), None).unwrap(), Flowed::default());
    let contained = |mut a: Admission, seconds, by: Contained| {
        a.facts.now = at(seconds);
        a.facts.containment = (!by.is_clear()).then(|| Box::new(by));
        a
    };
    let limit = |name: &str| Contained {
        limit: Some(TurnedAway {
            name: name.to_owned(),
            per_minute: 60.0,
            effective: 30.0,
            by: None,
        }),
        ..Contained::default()
    };
    let freeze = |id: &str| Contained {
        freeze: Some(Frozen {
            id: id.to_owned(),
            like: "z".to_owned(),
            similarity: None,
            by: "ann".to_owned(),
            reason: "bias".to_owned(),
        }),
        ..Contained::default()
    };
    let mut rows = Vec::new();
    // Long ago, just an hour ago (that hour is over), and twice within it.
    for (n, seconds) in [10, 5 * hour, 5 * hour + 1, 6 * hour - 5].into_iter().enumerate() {
        rows.push(contained(auto(&format!("a{n}")), seconds, Contained::default()));
        let mut newer = auto(&format!("b{n}"));
        newer.columns.version = "2".to_owned();
        rows.push(contained(newer, seconds, limit("fast")));
        rows.push(contained(waiting(&format!("w{n}"), "level1", None, 0), seconds, freeze("f1")));
    }
    rows.push(contained(auto("a9"), 6 * hour - 5, limit("slow")));
    rows.push(contained(waiting("w9", "level1", None, 0), 6 * hour - 5, freeze("f2")));
    admit(&*store, rows);
    let kind = |version: &str, decisions| Automatic {
        domain: "loan".to_owned(),
        action: "approve".to_owned(),
        model: "lap".to_owned(),
        version: version.to_owned(),
        decisions,
    };
    let named = |pairs: [(&str, u64); 2]| -> BTreeMap<String, u64> {
        pairs.into_iter().map(|(name, n)| (name.to_owned(), n)).collect()
    };
    let now = at(6 * hour);
    let mut flowed = store.flowed(now, None).unwrap();
    flowed.decisions.sort_by(|a, b| a.version.cmp(&b.version));
    assert_eq!(flowed.decisions, [kind("1", 6), kind("2", 2)]);
    assert_eq!(flowed.turned_away, named([("fast", 2), ("slow", 1)]));
    assert_eq!(flowed.held, named([("f1", 3), ("f2", 1)]));
    // Freezes may be older than the hour; what else is counted is not.
    for (since, held) in [(10, 4), (11, 3), (6 * hour - 1, 3)] {
        let seen = store.flowed(now, Some(at(since))).unwrap();
        assert_eq!(seen.held, named([("f1", held), ("f2", 1)]), "since {since}");
        assert_eq!(seen.turned_away, flowed.turned_away, "since {since}");
    }
}
