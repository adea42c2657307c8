//! What only this store promises; everything else is said for every store, in `conformance`.

use super::conn::Address;
use super::*;
use crate::audit::EntryKind;
use crate::domain::ControlScope;
use crate::protocol::{Cursor, Filter};
use crate::store::conformance::{auto, entry};
use crate::store::{EffectState, Op, Premises, throw_away};

/// Something asked of the database beside the store; the connection lives as long as it does.
struct Beside {
    runtime: tokio::runtime::Runtime,
    client: ClientWrapper,
}

impl Beside {
    fn to(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(Address::parse(url).unwrap().connect()).unwrap();
        Self { runtime, client }
    }

    fn run<T>(&self, what: impl AsyncFnOnce(&ClientWrapper) -> T) -> T {
        self.runtime.block_on(what(&self.client))
    }
}

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

/// A database whose owner wants more than nodes can live with: they say what they need.
#[test]
fn the_isolation_that_a_database_has_by_default_is_not_ours() {
    let name = "the_isolation_that_a_database_has_by_default_is_not_ours";
    for level in ["serializable", "repeatable read"] {
        let Some(database) = throw_away::database(name) else { return };
        database.psql(&format!(
            "ALTER DATABASE {} SET default_transaction_isolation = '{level}'",
            database.name
        ));
        assert_eq!(database.psql("SHOW default_transaction_isolation").trim(), level);
        let nodes = [open(&database.url()), open(&database.url())];
        let unsure = crate::store::conformance::settle_all([&nodes[0], &nodes[1]], 400, |_| ());
        assert!(unsure.is_empty(), "{level}: {unsure:?}");
    }
}

#[test]
fn a_store_of_the_first_version_is_brought_along_and_one_of_a_later_is_refused() {
    let name = "a_store_of_the_first_version_is_brought_along_and_one_of_a_later_is_refused";
    let Some(database) = throw_away::database(name) else { return };
    let beside = Beside::to(&database.url());
    let first = async |client: &ClientWrapper| {
        schema::migrate_with(client, &schema::STEPS[..1], &fresh(), false).await
    };
    beside.run(first).unwrap();
    database.psql("INSERT INTO states(key, version, value) VALUES ('a/1', 3, 'x'), ('b', 1, 'y')");
    let version = || database.psql("SELECT version FROM meta").trim().to_owned();
    let index =
        || database.psql("SELECT count(*) FROM pg_indexes WHERE indexname = 'states_begin'");
    assert_eq!((version().as_str(), index().trim()), ("1", "0"));
    let inspecting = OpenMode { read_only: true, ..OpenMode::default() };
    let older = Postgres::open(&database.url(), inspecting, &fresh()).unwrap_err().to_string();
    assert!(older.contains("schema 1, older than 2: open it for writing"), "{older}");

    // Two at once: one migrates, the other finds it done.
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..2).map(|_| scope.spawn(|| open(&database.url()))).collect();
        for node in opened {
            let store = node.join().unwrap();
            let state = StoredState { version: 3, value: b"x".to_vec() };
            assert_eq!(store.states("a/").unwrap(), [("a/1".to_owned(), state)]);
        }
    });
    assert_eq!((version().as_str(), index().trim()), ("2", "1"));
    let newer = beside.run(first).unwrap_err().told("");
    assert_eq!(newer, StoreError::Newer { found: 2, known: 1 });
}

#[test]
fn states_are_found_by_the_beginning_of_their_key() {
    let name = "states_are_found_by_the_beginning_of_their_key";
    let Some(database) = throw_away::database(name) else { return };
    let store = open(&database.url());
    let long = format!("long/{}", "ü".repeat(300));
    let last = format!("last/{}", char::MAX);
    let odd =
        ["clash/", "clash/b", "clash0", "clash", "nul/\0/1", "nul/\0", &last, &long, "\u{D7FF}x"];
    let put = |key: &&str| Op::PutState { key: (*key).to_owned(), value: Some(b"v".to_vec()) };
    let ops = odd.iter().map(put).collect();
    let now = Timestamp::UNIX_EPOCH;
    store.commit(Write { premises: Premises::default(), now, ops }).wait().unwrap();
    database.psql(
        "INSERT INTO states(key, version, value)
         SELECT 'received/' || i, 1, 'v' FROM generate_series(1, 100000) i; ANALYZE states",
    );
    let keys = |prefix: &str| {
        let found = store.states(prefix).unwrap();
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys("clash/"), ["clash/", "clash/b"]);
    assert_eq!(keys("nul/\0"), ["nul/\0", "nul/\0/1"]);
    assert_eq!(keys("last/\u{10FFFF}"), [last.as_str()]);
    for end in [6, 203, 205, 207, 400, long.len()] {
        let end = long.floor_char_boundary(end);
        assert_eq!(keys(&long[..end]), [long.as_str()]);
    }
    assert_eq!(keys(&format!("{long}ü")), Vec::<String>::new());
    assert_eq!(keys("\u{D7FF}"), ["\u{D7FF}x"]);
    assert_eq!(
        keys("received/9999"),
        (0..=9).map(|n| n.to_string()).fold(vec!["received/9999".to_owned()], |mut all, n| {
            all.push(format!("received/9999{n}"));
            all
        },)
    );
    assert_eq!(keys("").len(), 100_000 + odd.len());

    // And not by looking at each.
    let plan = Beside::to(&database.url()).run(async |client| {
        client.batch_execute("RESET enable_seqscan").await.unwrap();
        let explain = format!("EXPLAIN {}", read::STATES);
        let types = [tokio_postgres::types::Type::TEXT; 2];
        let explain = client.prepare_typed(&explain, &types).await.unwrap();
        let rows = client.query(&explain, &[&"clash/", &read::after("clash/")]).await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
    });
    assert!(plan.contains("states_begin"), "{plan}");
    assert!(!plan.contains("Seq Scan"), "{plan}");
}

/// What is erased is gone when it is said to be: nobody reads it any more, in whatever state of the
/// database; and after what the operator is told to do, no file of the tables holds it.
#[test]
fn what_was_erased_is_in_no_state_and_at_last_in_no_file() {
    let name = "what_was_erased_is_in_no_state_and_at_last_in_no_file";
    let Some(database) = throw_away::database(name) else { return };
    let store = open(&database.url());
    let now = Timestamp::UNIX_EPOCH;
    let write = |ops| Write { premises: Premises::default(), now, ops };
    let rows: Vec<_> = ["a", "b", "c"].into_iter().map(auto).collect();
    let dead = Vec::new();
    let batch =
        AdmitBatch { premises: Premises::default(), now, rows: rows.into(), dead, bulk: false };
    store.admit(batch).wait().unwrap();
    // One that is kept apart from its row.
    let note = format!("Winterbottom {}", "x".repeat(9_000));
    let note = entry(EntryKind::FEEDBACK, Some("a"), &[("note", note.as_bytes())]);
    store.commit(write(vec![Op::Entry(note)])).wait().unwrap();
    database.psql("ANALYZE");
    let texts = ["secret text of a", "Winterbottom"];
    // Files of tables, of what is kept apart from them and of indexes that hold it; and whether
    // the planner knows it.
    let kept = |text: &str| {
        database.psql("CHECKPOINT");
        let found = database.psql(&format!(
            "SELECT count(*) FROM pg_class c
             LEFT JOIN pg_class t ON t.reltoastrelid = c.oid,
             LATERAL pg_read_binary_file(pg_relation_filepath(c.oid)) file
             WHERE c.relkind IN ('r', 't', 'i') AND position('{text}'::bytea IN file) > 0
                 AND 'public'::regnamespace IN (c.relnamespace, t.relnamespace)
             UNION ALL SELECT count(*) FROM pg_stats WHERE schemaname = 'public'
                 AND histogram_bounds::text LIKE '%' || encode('{text}', 'hex') || '%'"
        ));
        found.split_whitespace().map(|n| n.parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(texts.map(kept), [[1, 1], [1, 0]], "the search would find it");

    let beside = Beside::to(&database.url());
    let sees = async |client: &ClientWrapper| {
        let sql = "SELECT count(value) FROM bodies WHERE entry IN (0, 3)";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    let says = |sql| beside.run(async |client| client.batch_execute(sql).await.unwrap());
    says("SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(beside.run(sees), 2);
    let erase = || {
        let erase = Op::Erase { item: "a".to_owned(), below: u64::MAX };
        store.commit(write(vec![erase])).wait().map(|done| done.head)
    };
    let refused = erase().unwrap_err().to_string();
    assert!(
        refused.starts_with("the store cannot remove the last copies of what was erased: ")
            && refused.ends_with("end it, then erase again"),
        "{refused}"
    );
    assert_eq!(store.decision("a").unwrap().unwrap().raw, None);
    assert_eq!(beside.run(sees), 2, "which is why");
    says("COMMIT");
    assert_eq!(beside.run(sees), 0);
    assert_eq!(erase(), Ok(4));

    let left = store.remains().unwrap().unwrap();
    let advice = left.split('`').nth(1).unwrap();
    assert!(advice.starts_with("VACUUM FULL public.bodies, public.decisions, "), "{left}");
    database.psql(advice);
    assert_eq!(texts.map(kept), [[0, 0], [0, 0]]);
    assert_eq!(kept("secret text of b")[0], 1);
    assert_eq!(
        store.decision("b").unwrap().unwrap().raw,
        Some(br#"{"id":"b","output":"secret text of b"}"#.to_vec())
    );
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
