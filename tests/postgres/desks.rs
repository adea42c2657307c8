//! Two desks over one database, whose clocks differ: people at both get different work, and each
//! item is decided once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use overrule::desk::{DatabaseOptions, Local};
use overrule::domain::{Timestamp, Verdict, VerdictKind};
use overrule::protocol::{Answer, Command, LeaseAsk, Line, Query, Reply, ReviewRequest, VerifyAsk};

use crate::support::{Home, postgres, record};

const ITEMS: usize = 240;
const PEOPLE: usize = 12;

#[test]
fn two_desks_with_different_clocks_share_the_work() {
    let Some(database) = postgres::database("two_desks_with_different_clocks_share_the_work")
    else {
        return;
    };
    let home = Home::new();
    // One is ten minutes behind, the other twenty ahead: more than any lease lasts.
    let desk = |minutes: i64| {
        let off = SignedDuration::from_mins(minutes);
        let wall = move || Timestamp::now().checked_add(off).unwrap();
        let options = DatabaseOptions {
            wall: Arc::new(wall),
            ..DatabaseOptions::new(database.url(), "root", home.dir.path())
        };
        Local::open_database(options).unwrap()
    };
    let desks = [desk(-10), desk(20)];
    for n in 0..PEOPLE {
        let add = Command::AddReviewer {
            name: format!("p{n}"),
            level: 1,
            roles: vec![],
            key: None,
            skills: None,
        };
        desks[n % 2].execute_blocking("root", add).unwrap();
    }
    let lines = (0..ITEMS).map(|n| Line {
        source: "test".into(),
        line: n as u64 + 1,
        bytes: record(&format!("d{n}")).to_string().into_bytes(),
    });
    desks[1].execute_blocking("root", Command::Admit { lines: lines.collect() }).unwrap();

    // Everybody takes and decides until nothing is left; nobody is told that a lease is lost,
    // which would mean that somebody else was given what they hold.
    let decided = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for n in 0..PEOPLE {
            let (desk, decided) = (&desks[n % 2], &decided);
            scope.spawn(move || {
                let me = format!("p{n}");
                loop {
                    let took = desk.execute_blocking(&me, Command::Lease(LeaseAsk::default()));
                    let Answer::Leased(view) = took.unwrap() else { panic!("no lease") };
                    let Some(view) = view else { return };
                    let held = view.lease.as_ref().unwrap();
                    assert_eq!(held.reviewer, me);
                    let request = ReviewRequest {
                        request_id: uuid::Uuid::now_v7().to_string(),
                        item: view.id.clone(),
                        verdict: Verdict::plain(VerdictKind::Accept),
                        lease: Some(held.epoch),
                        revision: Some(view.revision),
                        seen: None,
                        signature: None,
                        grace_ms: 0,
                        offline: None,
                    };
                    desk.execute_blocking(&me, Command::Review(Box::new(request))).unwrap();
                    let twice = decided.lock().unwrap().insert(view.id.clone(), me.clone());
                    assert_eq!(twice, None, "{} was given twice", view.id);
                }
            });
        }
    });
    let decided = decided.into_inner().unwrap();
    assert_eq!(decided.len(), ITEMS);
    for (n, (id, who)) in decided.iter().enumerate() {
        let query = Query::Item { id: id.clone() };
        let Reply::Item(view) = desks[n % 2].ask_blocking("root", query).unwrap() else {
            panic!("no item")
        };
        assert_eq!(view.reviews.len(), 1, "{id}");
        assert_eq!(&view.reviews[0].reviewer, who);
    }
    // What one did the other knows, and both tell one time.
    let times: Vec<i64> = database
        .psql("SELECT DISTINCT at FROM reviews")
        .lines()
        .map(|at| at.parse().unwrap())
        .collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(last - first < 5 * 60_000, "times are {} ms apart", last - first);
    let report = desks[0].verify_blocking(&VerifyAsk::default(), &|_, _| ()).unwrap();
    assert!(report.ok, "{:?}", report.faults);
    for desk in &desks {
        desk.close().unwrap();
    }
}
