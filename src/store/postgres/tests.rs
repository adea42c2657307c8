//! What only this store promises; everything else is said for every store, in `conformance`.

use super::*;
use crate::domain::ControlScope;
use crate::protocol::{Cursor, Filter};
use crate::store::{EffectState, throw_away};

fn fresh() -> Fresh {
    Fresh { key: [7; 32], origin: "test.example/log".to_owned() }
}

fn open(url: &str) -> Postgres {
    let mode = OpenMode { create: true, ..OpenMode::default() };
    Postgres::open(url, mode, &fresh()).unwrap()
}

crate::store::conformance::suite!(|case: &str| {
    let database = throw_away::database(case)?;
    Some(crate::store::conformance::place(move || open(&database.url())))
});

/// A power cut of the server's machine, in the middle of the work of 64 people at two nodes.
#[test]
fn a_server_that_goes_down_under_load_loses_nothing_acknowledged() {
    let name = "a_server_that_goes_down_under_load_loses_nothing_acknowledged";
    let Some(cluster) = throw_away::own_cluster(name) else { return };
    let cluster = std::sync::Arc::new(cluster);
    let database = cluster.database();
    let nodes = [open(&database.url()), open(&database.url())];
    let unsure = crate::store::conformance::settle_all([&nodes[0], &nodes[1]], 1_000, |done| {
        for (mode, after) in [("immediate", 200), ("fast", 400), ("immediate", 600)] {
            while done.settled() < after {
                std::thread::yield_now();
            }
            cluster.stop(mode);
            assert!(cluster.restart());
        }
    });
    println!("{} answers were lost with the connection", unsure.len());
}

/// Every statement of every read is one that the server takes, with every part a filter can have.
#[test]
fn every_read_of_a_fresh_store_finds_nothing() {
    let Some(database) = throw_away::database("every_read_of_a_fresh_store_finds_nothing") else {
        return;
    };
    let store = open(&database.url());
    let at = Timestamp::UNIX_EPOCH;
    let s = store.snapshot().unwrap();
    assert_eq!((s.head, s.generation, s.policy, s.decisions), (0, 0, None, 0));
    assert_eq!((s.key, s.origin.as_str(), s.record_clock), ([7; 32], "test.example/log", false));
    assert_eq!(store.head().unwrap(), 0);
    assert_eq!(store.decision("a").unwrap(), None);
    assert_eq!(store.known(&["a", "b"]).unwrap(), [false, false]);
    assert!(store.known(&[]).unwrap().is_empty());
    assert!(store.reviews("a").unwrap().is_empty());
    assert_eq!(store.review("a").unwrap(), None);
    assert_eq!(store.lease_of("a", at).unwrap(), None);
    assert_eq!(store.blind_answer("a", "b").unwrap(), None);
    assert!(store.queues(at, at).unwrap().is_empty());
    assert!(store.needed().unwrap().is_empty());
    assert_eq!(store.seen().unwrap(), Seen::default());
    assert!(store.graces_over(at, 9).unwrap().is_empty());
    assert!(store.overdue(at, 9).unwrap().is_empty());
    assert!(store.reviewers().unwrap().is_empty());
    assert_eq!(store.reviewer("a").unwrap(), None);
    assert_eq!(store.policy(None).unwrap(), None);
    assert_eq!(store.policy(Some("a")).unwrap(), None);
    assert_eq!(store.counts().unwrap(), Counts::default());
    assert!(store.entries(None, 0, 9).unwrap().is_empty());
    assert_eq!(store.entries(Some("a"), 0, 9), Err(StoreError::Missing("decision a".to_owned())));
    assert!(store.corrections(None, 0, 9).unwrap().is_empty());
    assert!(store.corrections(Some(at), 0, 9).unwrap().is_empty());
    assert!(store.dead_letters(0, 9).unwrap().is_empty());
    assert_eq!(store.draft("a", "b").unwrap(), None);
    for state in [EffectState::Waiting, EffectState::Held, EffectState::Dead] {
        for kind in [None, Some("reply".to_owned())] {
            let ask = OutgoingAsk { state, kind, limit: 9, ..OutgoingAsk::default() };
            assert!(store.outgoing(&ask).unwrap().is_empty());
        }
    }
    assert_eq!(store.outgoing_count().unwrap(), OutgoingCount::default());
    assert_eq!(store.state("a").unwrap(), None);
    assert!(store.states("a").unwrap().is_empty());
    for slice in [None, Some("a".to_owned())] {
        for part in [None, Some(String::new()), Some("b".to_owned())] {
            let ask = WindowAsk { tier: 0, from: at, to: at, slice: slice.clone(), part };
            assert!(store.windows(&ask).unwrap().is_empty());
        }
    }
    assert!(store.follow(0, 9).unwrap().is_empty());
    let scopes = [
        ControlScope::All,
        ControlScope::Domain("a".to_owned()),
        ControlScope::Model { name: "a".to_owned(), version: None },
        ControlScope::Model { name: "a".to_owned(), version: Some("1".to_owned()) },
        ControlScope::Action("a".to_owned()),
        ControlScope::Cohort { dimension: "a".to_owned(), group: "b".to_owned() },
    ];
    for scope in scopes {
        let ask = AutomaticAsk { scope, since: at, after: None, limit: 9, scan: 99 };
        assert_eq!(store.automatic(&ask).unwrap(), AutomaticPage::default());
    }
    assert!(store.tally().unwrap().is_empty());
    assert_eq!(store.lately(at).unwrap(), Lately::default());
    assert_eq!(store.flowed(at, Some(at)).unwrap(), Flowed::default());
    assert_eq!(store.open_in_cohort("a", "b").unwrap(), 0);
    assert_eq!(store.last_checkpoint().unwrap(), None);
    assert!(matches!(store.tile(0, 0, 1), Err(StoreError::Missing(_))));
    // Each part of a filter alone, and all at once, every way.
    let text = || Some("a".to_owned());
    let each = [
        Filter::default(),
        Filter { queue: text(), ..Filter::default() },
        Filter { domain: text(), ..Filter::default() },
        Filter { model: text(), ..Filter::default() },
        Filter { rule: text(), ..Filter::default() },
        Filter { cohort: text(), ..Filter::default() },
        Filter { tag: text(), ..Filter::default() },
        Filter { level: Some(1), ..Filter::default() },
        Filter { text: text(), ..Filter::default() },
        Filter { by_me: true, ..Filter::default() },
        Filter {
            queue: text(),
            domain: text(),
            model: text(),
            rule: text(),
            cohort: text(),
            tag: text(),
            level: Some(1),
            text: text(),
            by_me: true,
            ..Filter::default()
        },
    ];
    let cursor = Some(Cursor("0".repeat(30)));
    for filter in each {
        let first = PageQuery { filter, limit: 9, up_to: Some(3), ..PageQuery::default() };
        for ask in [
            PageQuery { after: cursor.clone(), wall: Some(at), ..first.clone() },
            PageQuery { before: cursor.clone(), scan: 9, ..first.clone() },
            PageQuery { from_end: true, up_to: None, ..first.clone() },
            first,
        ] {
            assert_eq!(store.page(&ask).unwrap(), StoredPage::default(), "{ask:?}");
        }
    }
    store.close().unwrap();
    assert_eq!(store.head(), Err(StoreError::Closed));
}
