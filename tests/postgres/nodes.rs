//! Several nodes over one database: one is killed in the middle of its work, another goes on.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use overrule::desk::{DatabaseOptions, Local};
use overrule::domain::Role;
use overrule::protocol::{Command, VerifyAsk};
use serde_json::Value;

use crate::node::Node;
use crate::support::{Home, postgres};

const KILLS: usize = 4;
const CLIENTS: usize = 8;
/// How often somebody looks, and for how long at most: a test does not wait for ever.
const LOOK: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn client() -> reqwest::Client {
    // A provider that another test of this process has installed is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(LONG).build().unwrap()
}

/// Wait until `look` has found something.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < LONG, "{what} does not happen");
        std::thread::sleep(LOOK);
    }
}

#[test]
fn a_node_that_is_killed_in_mid_commit_loses_nothing_acknowledged() {
    let name = "a_node_that_is_killed_in_mid_commit_loses_nothing_acknowledged";
    let Some(database) = postgres::database(name) else { return };
    let home = Home::new();
    let acknowledged = Mutex::new(BTreeSet::new());
    let mut asked = 0;
    let stays = Node::start(&home, &database);
    for round in 0..KILLS {
        let dies = Node::start(&home, &database);
        let ids: Vec<String> = (0..800).map(|n| format!("r{round}-{n}")).collect();
        asked += ids.len();
        let enough = round * 150 + 50;
        std::thread::scope(|scope| {
            for ids in ids.chunks(ids.len() / CLIENTS) {
                let (dies, acknowledged) = (&dies, &acknowledged);
                scope.spawn(move || {
                    let client = client();
                    runtime().block_on(async {
                        for ids in ids.chunks(5) {
                            let kept = dies.admit(&client, ids).await;
                            acknowledged.lock().unwrap().extend(kept);
                        }
                    });
                });
            }
            // Killed at another moment of its work each time, while all clients wait for it.
            until("work", || (acknowledged.lock().unwrap().len() >= enough).then_some(()));
            let pid = dies.pid();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        });
        drop(dies);
        let kept: BTreeSet<String> =
            database.psql("SELECT id FROM decisions").lines().map(str::to_owned).collect();
        let told = acknowledged.lock().unwrap().clone();
        let lost: Vec<&String> = told.difference(&kept).collect();
        assert!(lost.is_empty(), "{lost:?}");
        // Whatever was not acknowledged is sent again, to the other: nothing is there twice.
        runtime().block_on(async {
            let client = client();
            for ids in ids.chunks(100) {
                assert_eq!(stays.admit(&client, ids).await, ids);
            }
        });
        acknowledged.lock().unwrap().extend(ids);
    }
    assert_eq!(
        database.psql("SELECT count(*), count(DISTINCT id) FROM decisions"),
        format!("{asked}|{asked}\n")
    );
    stays.end();
    let url = database.url();
    let report = home.json(&["--store", &url, "audit", "verify", "--json"]);
    assert_eq!(
        (&report["ok"], report["faults"].as_array().map(Vec::len)),
        (&Value::Bool(true), Some(0))
    );
}

#[test]
fn another_node_ticks_when_the_one_that_did_is_killed() {
    let name = "another_node_ticks_when_the_one_that_did_is_killed";
    let Some(database) = postgres::database(name) else { return };
    let home = Home::new();
    let holder = || {
        let sql = "SELECT convert_from(value, 'UTF8') FROM states WHERE key = 'ticker'";
        let turn: Value = serde_json::from_str(&database.psql(sql)).ok()?;
        Some((turn["holder"].to_string(), turn["epoch"].as_u64()?))
    };
    let first = Node::start(&home, &database);
    let (one, epoch) = until("a turn", holder);
    let _second = Node::start(&home, &database);
    assert_eq!(holder().unwrap(), (one.clone(), epoch), "the first goes on");
    let since = Instant::now();
    first.kill();
    let (other, later) = until("another turn", || holder().filter(|(who, _)| *who != one));
    println!("the other node ticked after {:?}", since.elapsed());
    assert!(other != one && later == epoch + 1);
}

#[test]
fn nodes_that_meet_a_fresh_database_at_once_make_one_store() {
    const NODES: usize = 8;
    let name = "nodes_that_meet_a_fresh_database_at_once_make_one_store";
    for round in 0..3 {
        let Some(database) = postgres::database(name) else { return };
        let home = Home::new();
        // Each pair is a machine of its own, and each node somebody else's.
        let folders: Vec<_> = (0..NODES).map(|n| home.path(&format!("keys{}", n / 2))).collect();
        let owners: Vec<String> = (0..NODES).map(|n| format!("u{n}")).collect();
        let start = std::sync::Barrier::new(NODES);
        let desks: Vec<Local> = std::thread::scope(|scope| {
            let opening: Vec<_> = folders
                .iter()
                .zip(&owners)
                .map(|(keys, owner)| {
                    std::fs::create_dir_all(keys).unwrap();
                    let options = DatabaseOptions::new(database.url(), owner, keys);
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        Local::open_database(options).unwrap()
                    })
                })
                .collect();
            opening.into_iter().map(|node| node.join().unwrap()).collect()
        });
        // One origin, one first entry, one owner, who is one of them.
        let log = |what: &str| {
            let told = format!("SELECT convert_from(bytes, 'UTF8') FROM log WHERE {what}");
            let told = database.psql(&told);
            told.lines().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<Value>>()
        };
        let [genesis] = &log("bytes LIKE '%\"genesis\"%'::bytea")[..] else {
            panic!("round {round}: {:?}", log("true"))
        };
        let kinds: Vec<Value> = log("true").iter().map(|e| e["t"].clone()).collect();
        assert_eq!(kinds, ["genesis", "reviewer_added"], "round {round}");
        let owner = database.psql("SELECT name FROM reviewers");
        let owner = owner.trim().to_owned();
        assert!(owners.contains(&owner), "round {round}: {owner}");
        // One key: where the store was made, and nowhere else.
        let kept: Vec<_> = folders
            .iter()
            .step_by(2)
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(kept.len(), 1, "round {round}: {kept:?}");
        let mut signers = 0;
        for (n, desk) in desks.iter().enumerate() {
            let same = desk.verifier_key().ok().filter(|key| genesis["d"]["key"] == **key);
            signers += usize::from(same.is_some());
            // Everybody writes to that one log.
            let add = Command::AddReviewer {
                name: format!("person{n}"),
                level: 1,
                roles: vec![Role::Reviewer],
                key: None,
                skills: None,
            };
            desk.execute_blocking(&owner, add).unwrap();
        }
        assert!((1..=2).contains(&signers), "round {round}: {signers} nodes have the key");
        for desk in desks {
            desk.close().unwrap();
        }
        let entries = log("true").len();
        assert_eq!(entries, 2 + NODES, "round {round}");
        let options = DatabaseOptions::new(database.url(), &owner, kept[0].parent().unwrap());
        let desk = Local::open_database(options).unwrap();
        let report = desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
        assert!(report.ok, "round {round}: {report:?}");
        assert_eq!(report.entries, entries as u64);
        desk.close().unwrap();
    }
}
