//! Random days at a real desk over a real file: whatever people do in whatever order, nothing
//! acknowledged is lost, nothing is approved by too few, and the trail verifies afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use overrule::desk::{Local, OpenOptions};
use overrule::domain::{ItemState, Kind, Timestamp, Verdict, VerdictKind};
use overrule::protocol::{
    Admitted, Answer, Command, ItemView, Line, Query, Refused, Reply, ReviewRequest, VerifyAsk, Why,
};
use proptest::prelude::*;
use support::{Home, record};

const POLICY: &str = r#"
policy = "two-stage"
record = "decision/v1"
[control]
grace = "5s"
human_queue = "level1"
[queues.level1]
level = 1
sla = "30m"
[queues.level2]
level = 2
sla = "1h"
[default]
to = "level1"
[[require]]
id = "second"
when = 'business_impact >= 8'
approvals = ["level1", "level2"]
[[tag]]
id = "other"
title = "Other"
key = "x"
"#;

/// A desk whose wall clock the test moves.
struct Day {
    desk: Local,
    clock: Arc<AtomicI64>,
    _home: Home,
}

impl Day {
    fn new(items: usize) -> Self {
        let home = Home::new();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let hands = clock.clone();
        let mut options = OpenOptions::new(home.store(), "root");
        options.wall =
            Arc::new(move || Timestamp::from_millisecond(hands.load(Ordering::SeqCst)).unwrap());
        let desk = Local::open(options).unwrap();
        desk.execute_blocking(
            "root",
            Command::ActivatePolicy {
                name: "two-stage.toml".into(),
                source: POLICY.into(),
                schemas: BTreeMap::new(),
                install: true,
            },
        )
        .unwrap();
        for (name, level) in [("ann", 1), ("ben", 2), ("cho", 2), ("dee", 1)] {
            let add = Command::AddReviewer {
                name: name.into(),
                level,
                roles: vec![],
                key: None,
                skills: None,
            };
            desk.execute_blocking("root", add).unwrap();
        }
        let lines = (0..items)
            .map(|i| Line {
                source: "test".into(),
                line: i as u64 + 1,
                bytes: record(&format!("d{i}")).to_string().into_bytes(),
            })
            .collect();
        let admitted = desk.execute_blocking("root", Command::Admit { lines }).unwrap();
        let Answer::Admitted(routes) = admitted else { panic!("{admitted:?}") };
        assert!(routes.iter().all(|r| matches!(r, Admitted::Route(_))), "{routes:?}");
        Self { desk, clock, _home: home }
    }

    fn pass(&self, millis: i64) {
        self.clock.fetch_add(millis, Ordering::SeqCst);
        self.desk.execute_blocking("root", Command::Tick).unwrap();
    }

    fn item(&self, id: &str) -> ItemView {
        match self.desk.ask_blocking("root", Query::Item { id: id.into() }).unwrap() {
            Reply::Item(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn say(&self, by: &str, request: ReviewRequest) -> Result<Answer, Refused> {
        self.desk.execute_blocking(by, Command::Review(Box::new(request)))
    }

    fn verified(&self) {
        let report = self.desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
        assert!(report.ok, "{:?}", report.faults);
    }
}

fn request(id: &str, item: &str, kind: VerdictKind, revision: Option<u64>) -> ReviewRequest {
    let mut verdict = Verdict::plain(kind);
    match kind {
        VerdictKind::Edit => verdict.action = Some("deny".into()),
        VerdictKind::Escalate => verdict.to = Some("level2".into()),
        VerdictKind::Reject => verdict.label = Some("deny".into()),
        VerdictKind::Accept => {}
    }
    ReviewRequest {
        request_id: id.into(),
        item: item.into(),
        verdict,
        lease: None,
        revision,
        seen: None,
        signature: None,
        grace_ms: 5_000,
        offline: None,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Verdict { who: usize, item: usize, kind: VerdictKind, stale: bool, again: bool },
    Undo { who: usize, item: usize },
    Pass(i64),
    Disable(usize),
    Enable(usize),
    Flag(usize),
}

const PEOPLE: [(&str, u8); 4] = [("ann", 1), ("ben", 2), ("cho", 2), ("dee", 1)];

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        5 => Just(VerdictKind::Accept),
        2 => Just(VerdictKind::Edit),
        1 => Just(VerdictKind::Reject),
        1 => Just(VerdictKind::Escalate),
    ];
    prop_oneof![
        10 => (0..4_usize, 0..3_usize, kind, prop::bool::weighted(0.1), prop::bool::weighted(0.2))
            .prop_map(|(who, item, kind, stale, again)| Step::Verdict { who, item, kind, stale, again }),
        2 => (0..4_usize, 0..3_usize).prop_map(|(who, item)| Step::Undo { who, item }),
        4 => (0..8_000_i64).prop_map(Step::Pass),
        1 => (0..4_usize).prop_map(Step::Disable),
        1 => (0..4_usize).prop_map(Step::Enable),
        1 => (0..3_usize).prop_map(Step::Flag),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost(steps in prop::collection::vec(step(), 10..50)) {
        let day = Day::new(3);
        let mut disabled = [false; 4];
        // Acknowledged verdicts by request, `true` once taken back.
        let mut given: HashMap<String, (String, bool)> = HashMap::new();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Verdict { who, item, kind, stale, again } => {
                    let id = format!("d{item}");
                    let before = day.item(&id);
                    let revision = if stale { before.revision.wrapping_sub(1) } else { before.revision };
                    let name = PEOPLE[who].0;
                    let said = request(&format!("q{n}"), &id, kind, Some(revision));
                    match day.say(name, said.clone()) {
                        Ok(Answer::Reviewed(_)) => {
                            prop_assert!(!stale, "a stale verdict was taken");
                            prop_assert!(!disabled[who], "a disabled reviewer decided");
                            prop_assert!(before.state.is_open());
                            given.insert(format!("q{n}"), (id.clone(), false));
                            if again {
                                let Ok(Answer::Reviewed(twice)) = day.say(name, said) else { panic!("no answer") };
                                prop_assert!(twice.duplicate);
                            }
                        }
                        Ok(other) => panic!("{other:?}"),
                        Err(refused) => prop_assert!(
                            matches!(refused.kind, Why::Authority | Why::State | Why::Stale | Why::Policy | Why::Invalid),
                            "{refused:?}"
                        ),
                    }
                }
                Step::Undo { who, item } => {
                    let id = format!("d{item}");
                    let pending = day.item(&id).pending;
                    let undo = Command::Undo { item: id.clone() };
                    if day.desk.execute_blocking(PEOPLE[who].0, undo).is_ok() {
                        prop_assert_eq!(pending.unwrap().0, PEOPLE[who].0);
                        let view = day.item(&id);
                        let undone = view.reviews.iter().filter(|r| r.undone).map(|r| r.request_id.clone());
                        for request in undone {
                            given.get_mut(&request).unwrap().1 = true;
                        }
                    }
                }
                Step::Pass(millis) => day.pass(millis),
                Step::Disable(who) => {
                    let name = PEOPLE[who].0.to_owned();
                    day.desk.execute_blocking("root", Command::DisableReviewer { name }).unwrap();
                    disabled[who] = true;
                }
                Step::Enable(who) => {
                    let (name, level) = PEOPLE[who];
                    let add = Command::AddReviewer { name: name.into(), level, roles: vec![], key: None, skills: None };
                    day.desk.execute_blocking("root", add).unwrap();
                    disabled[who] = false;
                }
                Step::Flag(item) => {
                    let flag = Command::Flag { item: format!("d{item}"), tags: vec![], note: Some("look".into()) };
                    let _ = day.desk.execute_blocking("root", flag);
                }
            }
        }
        day.pass(10_000);
        for i in 0..3 {
            let view = day.item(&format!("d{i}"));
            let mine: Vec<_> = given.iter().filter(|(_, (item, _))| *item == view.id).collect();
            prop_assert_eq!(view.reviews.len(), mine.len(), "{:?}", view.reviews);
            for (request, (_, undone)) in mine {
                let stored = view.reviews.iter().find(|r| r.request_id == **request);
                prop_assert_eq!(stored.map(|r| r.undone), Some(*undone), "{}", request);
            }
            prop_assert_ne!(view.state, ItemState::Decided, "every grace time is over");
            // A flag opens a review of one level; before it, both levels approved.
            if view.state == ItemState::Settled && view.kind == Kind::Review {
                let last = view.reviews.iter().rfind(|r| !r.undone).unwrap();
                if last.verdict.verdict != VerdictKind::Reject {
                    let approvals = view.reviews.iter().filter(|r| !r.undone);
                    let mut people: Vec<_> = approvals
                        .filter(|r| matches!(r.verdict.verdict, VerdictKind::Accept | VerdictKind::Edit))
                        .map(|r| r.reviewer.as_str())
                        .collect();
                    people.sort_unstable();
                    people.dedup();
                    prop_assert!(people.len() >= 2, "{:?}", view.reviews);
                }
            }
        }
        day.verified();
    }
}
