//! Containment over a real file: kills, effects that stop and freeze, limits, breakers, budgets,
//! canaries; and that every route of a contained decision is recomputed byte for byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use overrule::desk::{Local, OpenOptions};
use overrule::domain::{ItemState, Outcome, Route, Timestamp, Verdict, VerdictKind};
use overrule::protocol::{
    Admitted, Answer, CanaryAct, CanaryView, Command, ContainmentView, ExplainView, FeedbackKind,
    ItemView, KillMode, LeaseAsk, Line, Query, Refused, Reply, ReviewRequest, Reviewed, VerifyAsk,
    Why,
};
use serde_json::{Value, json};
use support::{Home, record};

const POLICY: &str = r#"
policy = "contained"
[control]
human_queue = "level1"
[queues.level1]
level = 1
sla = "1h"
[queues.level2]
level = 2
[[route]]
id = "unsure"
when = 'confidence < 0.6'
to = "level1"
[default]
to = "auto"
"#;

struct Desk {
    desk: Local,
    clock: Arc<AtomicI64>,
    home: Home,
}

impl Desk {
    fn new(more: &str) -> Self {
        let home = Home::new();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let desk = open(&home, &clock);
        let this = Self { desk, clock, home };
        let schemas = BTreeMap::new();
        let (name, source) = ("test.toml".to_owned(), format!("{POLICY}{more}"));
        let install = true;
        this.tell("root", Command::ActivatePolicy { name, source, schemas, install }).unwrap();
        for (name, level) in [("ann", 1), ("ben", 2)] {
            let add = Command::AddReviewer {
                name: name.into(),
                level,
                roles: vec![],
                key: None,
                skills: None,
            };
            this.tell("root", add).unwrap();
        }
        this
    }

    /// Another process on the same file.
    fn beside(&self) -> Local {
        open(&self.home, &self.clock)
    }

    fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    fn tell(&self, by: &str, command: Command) -> Result<Answer, Refused> {
        self.desk.execute_blocking(by, command)
    }

    fn admit(&self, record: &Value) -> Route {
        admit(&self.desk, std::slice::from_ref(record)).remove(0)
    }

    fn kill(&self, scope: &str, mode: KillMode) {
        let (scope, reason) = (scope.parse().unwrap(), "it lies".to_owned());
        self.tell("root", Command::Kill { scope, mode, reason }).unwrap();
    }

    fn resume(&self, scope: &str) {
        let (scope, reason) = (scope.parse().unwrap(), "mended".to_owned());
        for by in ["root", "oncall"] {
            let command =
                Command::Resume { scope: std::clone::Clone::clone(&scope), reason: reason.clone() };
            self.tell(by, command).unwrap();
        }
    }

    fn say(
        &self,
        by: &str,
        id: &str,
        verdict: Verdict,
        grace_ms: u64,
    ) -> Result<Reviewed, Refused> {
        let request = ReviewRequest {
            request_id: uuid::Uuid::now_v7().to_string(),
            item: id.into(),
            verdict,
            lease: None,
            revision: None,
            seen: None,
            signature: None,
            grace_ms,
            offline: None,
        };
        match self.tell(by, Command::Review(Box::new(request)))? {
            Answer::Reviewed(done) => Ok(done),
            other => panic!("{other:?}"),
        }
    }

    fn item(&self, id: &str) -> ItemView {
        match self.desk.ask_blocking("ann", Query::Item { id: id.into() }).unwrap() {
            Reply::Item(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn containment(&self) -> ContainmentView {
        match self.desk.ask_blocking("ann", Query::Containment).unwrap() {
            Reply::Containment(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn canary(&self) -> CanaryView {
        self.containment().canaries.remove(0)
    }

    /// The explanation of a decision, which must reproduce its route.
    fn explain(&self, id: &str) -> ExplainView {
        match self.desk.ask_blocking("ann", Query::Explain { id: id.into() }).unwrap() {
            Reply::Explain(view) => {
                assert!(view.reproduced, "{id}: {view:?}");
                *view
            }
            other => panic!("{other:?}"),
        }
    }

    fn verified(&self) {
        let report = self.desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
        assert!(report.ok, "{:?}", report.faults);
    }
}

fn open(home: &Home, clock: &Arc<AtomicI64>) -> Local {
    let hands = clock.clone();
    let mut options = OpenOptions::new(home.store(), "root");
    options.wall =
        Arc::new(move || Timestamp::from_millisecond(hands.load(Ordering::SeqCst)).unwrap());
    Local::open(options).unwrap()
}

/// Admit in one request.
fn admit(desk: &Local, records: &[Value]) -> Vec<Route> {
    let line = |(n, r): (usize, &Value)| Line {
        source: "test".into(),
        line: n as u64,
        bytes: r.to_string().into_bytes(),
    };
    let lines = records.iter().enumerate().map(line).collect();
    match desk.execute_blocking("root", Command::Admit { lines }).unwrap() {
        Answer::Admitted(all) => all
            .into_iter()
            .map(|a| match a {
                Admitted::Route(route) => *route,
                other => panic!("{other:?}"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// A sure decision of model `m`.
fn sure(id: &str) -> Value {
    version(id, "1")
}

fn version(id: &str, version: &str) -> Value {
    let mut r = record(id);
    r["domain"] = json!("loan");
    r["model"] = json!({"name": "m", "version": version});
    r["confidence"] = json!(0.95);
    r["business_impact"] = json!(2);
    r
}

fn unsure(id: &str) -> Value {
    let mut r = sure(id);
    r["confidence"] = json!(0.4);
    r
}

fn said(route: &Route) -> (Outcome, &str, Option<&str>) {
    (route.outcome, route.rule.as_str(), route.queue.as_deref())
}

#[test]
fn a_kill_holds_for_the_very_next_admission_in_every_process() {
    let desk = Desk::new("");
    let beside = desk.beside();
    assert_eq!(said(&desk.admit(&sure("a"))), (Outcome::Auto, "default", None));
    assert_eq!(said(&admit(&beside, &[sure("b")])[0]), (Outcome::Auto, "default", None));
    desk.kill("model=m", KillMode::Human);
    let killed = (Outcome::Review, "kill", Some("level1"));
    let here = desk.admit(&sure("c"));
    assert_eq!(said(&here), killed);
    assert_eq!(here.reason, "automation for model=m is killed to people by root: it lies");
    assert_eq!((here.state, here.generation), (ItemState::Waiting, 1));
    assert_eq!(said(&admit(&beside, &[sure("d")])[0]), killed);
    desk.kill("domain=loan", KillMode::Block);
    assert_eq!(said(&admit(&beside, &[sure("e")])[0]), (Outcome::Block, "kill", None));
    desk.kill("all", KillMode::LastGood { version: Some("0.9".into()) });
    let mut other = sure("f");
    other["domain"] = json!("support");
    let fallback = desk.admit(&other);
    assert_eq!(said(&fallback), (Outcome::Fallback, "kill", None));
    assert_eq!(fallback.fallback.as_ref().unwrap().version, "0.9");
    other["id"] = json!("g");
    other["model"]["version"] = json!("0.9");
    assert_eq!(said(&desk.admit(&other)), (Outcome::Review, "kill", Some("level1")));
    for id in ["a", "b", "c", "d", "e", "f", "g"] {
        desk.explain(id);
    }
    let text = desk.explain("f").text;
    assert!(text.starts_with("fallback, by kill\n  because automation for all"), "{text}");
    assert!(text.contains("by the policy alone\nauto, by default"), "{text}");
    assert_eq!(desk.explain("f").explanation["containment"]["stop"]["version"], "0.9");
    desk.verified();
}

#[test]
fn a_stop_waits_for_no_signature_while_others_write_and_theirs_is_over_it() {
    let signed = |desk: &Local| {
        let report = desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
        assert!(report.ok, "{:?}", report.faults);
        let size: u64 = report.checkpoint.unwrap().lines().nth(1).unwrap().parse().unwrap();
        (size, report.entries)
    };
    let kill = |desk: &Local, reason: &str| {
        let (scope, mode) = ("model=m".parse().unwrap(), KillMode::Human);
        let command = Command::Kill { scope, mode, reason: reason.into() };
        desk.execute_blocking("root", command).unwrap();
    };
    let desk = Desk::new("");
    let alone = desk.beside();
    kill(&alone, "nobody else writes");
    alone.leave();
    let (size, entries) = signed(&desk.desk);
    assert_eq!(size, entries, "it signs what it did itself");
    let brief = desk.beside();
    let many: Vec<Value> = (0..20).map(|n| sure(&format!("b{n}"))).collect();
    admit(&desk.desk, &many);
    kill(&brief, "they write");
    brief.leave();
    assert_eq!(said(&desk.admit(&sure("c"))), (Outcome::Review, "kill", Some("level1")));
    desk.desk.close().unwrap();
    let (size, entries) = signed(&desk.beside());
    assert_eq!(size, entries, "whoever wrote signs for both");
}

#[test]
fn a_violation_freezes_what_is_like_it_at_once_and_until_it_is_released() {
    let desk = Desk::new(
        r#"
[[tag]]
id = "policy_violation"
[[effect]]
id = "violation"
on = "review"
when = '"policy_violation" in tags'
do = ["freeze.similar", "escalate:level2"]
"#,
    );
    desk.admit(&unsure("bad"));
    let verdict =
        Verdict { tags: vec!["policy_violation".into()], ..Verdict::plain(VerdictKind::Reject) };
    // The verdict itself waits out a grace time; the freeze does not.
    let done = desk.say("ann", "bad", verdict, 60_000).unwrap();
    assert_eq!(
        (done.state, done.effects.as_slice()),
        (ItemState::Decided, &["freezes similar".to_owned()][..])
    );
    let held = desk.admit(&sure("next"));
    assert_eq!(said(&held), (Outcome::Review, "freeze", Some("level1")));
    assert!(
        held.reason.starts_with("like bad (same domain, action and cohort), frozen by violation")
    );
    assert_eq!(said(&admit(&desk.beside(), &[sure("there")])[0]).1, "freeze");
    let mut other = sure("other");
    other["action"] = json!("deny");
    assert_eq!(said(&desk.admit(&other)).1, "default");
    let view = desk.item("next");
    let shown = desk.containment();
    assert_eq!(shown.freezes[0].held, 2, "next and there");
    let all = shown.switches.iter().find(|s| s.scope.to_string() == "all").unwrap();
    assert_eq!(all.per_hour, Some(4.0));
    let id = desk.containment().freezes[0].id.clone();
    assert_eq!(view.frozen_by, Some(id.clone()));
    // Who froze has level 1: that level releases it.
    let release = Command::ReleaseFreeze { id, reason: "one case".into() };
    desk.tell("ann", release).unwrap();
    assert_eq!(said(&desk.admit(&sure("after"))).1, "default");
    assert_eq!(desk.item("next").frozen_by, None);
    for id in ["next", "there", "other", "after"] {
        desk.explain(id);
    }
    desk.verified();
}

#[test]
fn an_effect_that_pauses_holds_for_the_next_line_of_the_same_request() {
    let desk = Desk::new(
        r#"
[[effect]]
id = "outlier"
on = "decision"
when = 'business_impact > 9'
do = ["automation.pause", "notify:ops"]
cooldown = "1h"
[notify.ops]
kind = "webhook"
secret_env = "OVERRULE_WEBHOOK_KEY"
url = "https://example.org/hook"
"#,
    );
    let mut odd = sure("odd");
    odd["business_impact"] = json!(9.5);
    let routes = admit(&desk.desk, &[sure("a"), odd, sure("b"), version("c", "2")]);
    let rules: Vec<&str> = routes.iter().map(|r| r.rule.as_str()).collect();
    assert_eq!(rules, ["default", "default", "paused", "default"]);
    assert_eq!(
        routes[2].reason,
        "automation for model=m@1 is paused by outlier: business_impact 9.5 > 9"
    );
    assert_eq!((routes[1].generation, routes[2].generation), (0, 1));
    let switch = desk.containment().switches.into_iter().find(|s| s.by.is_some()).unwrap();
    assert_eq!(switch.scope.to_string(), "model=m@1");
    assert_eq!(desk.containment().outgoing.waiting, 1);
    // Restarted, and set off again within its cool-down: nothing happens, and the trail says so.
    let add = Command::AddReviewer {
        name: "oncall".into(),
        level: 1,
        roles: vec![overrule::domain::Role::OnCall],
        key: None,
        skills: None,
    };
    desk.tell("root", add).unwrap();
    desk.resume("model=m@1");
    let mut again = sure("again");
    again["business_impact"] = json!(9.9);
    desk.admit(&again);
    assert_eq!(desk.admit(&sure("d")).rule, "default");
    assert_eq!(desk.containment().outgoing.waiting, 1);
    desk.later(3601);
    again["id"] = json!("once more");
    desk.admit(&again);
    assert_eq!(desk.admit(&sure("e")).rule, "paused");
    assert_eq!(desk.containment().outgoing.waiting, 2);
    for id in ["a", "odd", "b", "c", "again", "e"] {
        desk.explain(id);
    }
    desk.verified();
}

#[test]
fn feedback_can_limit_automation() {
    let desk = Desk::new(
        r#"
[[effect]]
id = "errors"
on = "feedback"
when = 'feedback == "error"'
do = ["automation.limit:2"]
"#,
    );
    for n in 0..5 {
        assert_eq!(desk.admit(&sure(&format!("a{n}"))).outcome, Outcome::Auto);
    }
    desk.later(120);
    let feedback = |kind| Command::Feedback { item: "a0".into(), kind, note: None };
    desk.tell("ann", feedback(FeedbackKind::Confirmed)).unwrap();
    assert_eq!(desk.admit(&sure("b")).rule, "default");
    desk.tell("ann", feedback(FeedbackKind::Error)).unwrap();
    // One of this minute counts already.
    let rules: Vec<String> = (0..3).map(|n| desk.admit(&sure(&format!("c{n}"))).rule).collect();
    assert_eq!(rules, ["default", "limit", "limit"]);
    assert_eq!(desk.containment().limits[0].name, "model=m@1");
    let reason = desk.explain("c2").route.reason;
    assert!(
        reason.starts_with(
            "beyond the limit model=m@1 of 2 automatic decisions a minute, set by errors"
        ),
        "{reason}"
    );
    desk.verified();
}

#[test]
fn a_limit_is_kept_by_a_process_that_starts_anew() {
    let desk = Desk::new("[limit.loan]\ndomain = \"loan\"\nper_minute = 4\n");
    let ids: Vec<Value> = (0..3).map(|n| sure(&format!("a{n}"))).collect();
    assert!(admit(&desk.desk, &ids).iter().all(|r| r.outcome == Outcome::Auto));
    // The same again is answered as it was, and uses nothing up.
    assert!(admit(&desk.desk, &ids).iter().all(|r| r.duplicate));
    let routes = admit(&desk.beside(), &[sure("b0"), sure("b1")]);
    assert_eq!(routes.iter().map(|r| r.rule.as_str()).collect::<Vec<_>>(), ["default", "limit"]);
    assert_eq!(routes[1].reason, "beyond the limit loan of 4 automatic decisions a minute");
    assert_eq!(said(&routes[1]), (Outcome::Review, "limit", Some("level1")));
    assert_eq!(desk.containment().limits[0].turned_away, 1);
    desk.later(15);
    assert_eq!(desk.admit(&sure("c")).rule, "default");
    for id in ["a0", "b0", "b1", "c"] {
        desk.explain(id);
    }
    desk.verified();
}

#[test]
fn beyond_a_budget_reviews_give_way_and_what_must_be_seen_does_not() {
    use Outcome::{Auto, Review};
    let desk = Desk::new("[budget.level1]\nper_hour = 3\noverflow = \"auto_flagged\"\n");
    let ids: Vec<Value> = (0..5).map(|n| unsure(&format!("a{n}"))).collect();
    let routes = admit(&desk.desk, &ids);
    let outcomes: Vec<Outcome> = routes.iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, [Review, Review, Review, Auto, Auto]);
    assert_eq!(
        (routes[3].rule.as_str(), routes[3].tags.as_slice()),
        ("budget", &["auto_flagged".to_owned()][..])
    );
    let figures = "level1 has 3 reviews an hour and 4 came";
    assert!(routes[3].reason.contains(figures), "{}", routes[3].reason);
    let budget = &desk.containment().budgets[0];
    assert_eq!((budget.queue.as_str(), budget.per_hour), ("level1", Some(3.0)));
    assert_eq!(
        (budget.arrivals, budget.gave_way, budget.overflow.as_str()),
        (5, 2, "auto_flagged")
    );
    // An hour's clock is as long as the three that wait take.
    assert_eq!(budget.breach_at, None);
    let mut grave = unsure("grave");
    grave["business_impact"] = json!(8);
    assert_eq!(said(&desk.admit(&grave)), (Review, "unsure", Some("level1")));
    desk.kill("all", KillMode::Human);
    assert_eq!(said(&desk.admit(&unsure("killed"))), (Review, "kill", Some("level1")));
    for id in ["a0", "a3", "a4", "grave", "killed"] {
        desk.explain(id);
    }
    desk.verified();
}

#[test]
fn a_measured_budget_is_what_people_did() {
    let desk = Desk::new("[budget.level1]\nper_hour = \"measured\"\noverflow = \"block\"\n");
    // Nobody has worked yet: nothing gives way.
    for n in 0..6 {
        assert_eq!(desk.admit(&unsure(&format!("a{n}"))).rule, "unsure");
    }
    for n in 0..2 {
        let accept = Verdict::plain(VerdictKind::Accept);
        desk.say("ann", &format!("a{n}"), accept, 0).unwrap();
    }
    desk.later(61);
    // Two an hour, and six came in this one.
    let blocked = desk.admit(&unsure("b"));
    assert_eq!(said(&blocked), (Outcome::Block, "budget", None));
    assert!(
        blocked.reason.starts_with("blocked: level1 has 2 reviews an hour and 7 came"),
        "{}",
        blocked.reason
    );
    desk.explain("b");
    desk.verified();
}

fn start(steps: &[f64], min_reviewed: u64) -> Command {
    Command::Canary(CanaryAct::Start {
        model: "m".into(),
        version: "2".into(),
        baseline: "1".into(),
        steps: steps.to_vec(),
        min_reviewed,
        tolerance: 0.3,
        promote_level: 2,
    })
}

#[test]
fn a_canary_takes_its_share_and_rolls_back_by_itself() {
    let desk = Desk::new(
        r#"
[[sample]]
id = "all"
rate = 1.0
to = "level1"
"#,
    );
    desk.tell("root", start(&[0.3, 1.0], 1000)).unwrap();
    let ids: Vec<Value> = (0..100).map(|n| version(&format!("n{n}"), "2")).collect();
    let routes = admit(&desk.desk, &ids);
    let inside: Vec<&Route> = routes.iter().filter(|r| r.outcome == Outcome::Auto).collect();
    // 30 expected, standard deviation 4.6.
    assert!((15..=45).contains(&inside.len()), "{}", inside.len());
    let outside = routes.iter().find(|r| r.outcome != Outcome::Auto).unwrap();
    assert_eq!(said(outside), (Outcome::Fallback, "canary", None));
    assert_eq!(outside.fallback.as_ref().unwrap().version, "1");
    desk.explain(&outside.id);
    let olds: Vec<Value> = (0..40).map(|n| sure(&format!("o{n}"))).collect();
    assert!(admit(&desk.desk, &olds).iter().all(|r| r.rule == "default"));
    // People overrule the new version, and never the old one.
    let mut verdicts = 0;
    for (n, new) in inside.iter().enumerate() {
        desk.say("ann", &format!("o{n}"), Verdict::plain(VerdictKind::Accept), 0).unwrap();
        if desk.canary().state != "running" {
            break;
        }
        desk.say("ann", &new.id, Verdict::plain(VerdictKind::Reject), 0).unwrap();
        verdicts += 1;
    }
    let canary = desk.canary();
    assert_eq!(canary.state, "rolled_back", "{canary:?}");
    assert_eq!((canary.share, canary.canary.0, canary.base.0), (0.0, canary.canary.1, 0));
    assert!(verdicts <= 12 && canary.e_value >= canary.e_needed, "{canary:?}");
    let reason = desk.admit(&version("late", "2")).reason;
    assert!(reason.starts_with("the canary m@2 is rolled back: overridden "), "{reason}");
    assert_eq!(desk.explain("late").route.outcome, Outcome::Fallback);
    desk.verified();
}

#[test]
fn a_good_canary_advances_by_itself_and_a_person_promotes_it() {
    let desk = Desk::new("[[sample]]\nid = \"all\"\nrate = 1.0\nto = \"level1\"\n");
    desk.tell("root", start(&[0.5, 1.0], 20)).unwrap();
    let ids: Vec<Value> = (0..260).map(|n| version(&format!("n{n}"), "2")).collect();
    let routes = admit(&desk.desk, &ids);
    for (n, new) in routes.iter().filter(|r| r.outcome == Outcome::Auto).enumerate() {
        desk.admit(&sure(&format!("o{n}")));
        desk.say("ann", &format!("o{n}"), Verdict::plain(VerdictKind::Accept), 0).unwrap();
        desk.say("ann", &new.id, Verdict::plain(VerdictKind::Accept), 0).unwrap();
        if desk.canary().step == 2 {
            break;
        }
    }
    let canary = desk.canary();
    assert_eq!((canary.step, canary.share, canary.verdict.as_str()), (2, 1.0, "no_worse"));
    assert_eq!(desk.admit(&version("whole", "2")).outcome, Outcome::Auto);
    let promote =
        || Command::Canary(CanaryAct::Promote { model: "m".into(), reason: "good".into() });
    assert_eq!(desk.tell("ann", promote()).unwrap_err().kind, Why::Authority);
    desk.tell("root", promote()).unwrap();
    assert_eq!(desk.canary().state, "promoted");
    assert_eq!(desk.tell("root", promote()).unwrap_err().kind, Why::State);
    // What was in use before is what a kill falls back to.
    desk.kill("model=m", KillMode::LastGood { version: None });
    let route = desk.admit(&version("bad", "2"));
    assert_eq!(route.fallback.unwrap().version, "1");
    assert_eq!(desk.admit(&version("old", "1")).outcome, Outcome::Auto);
    desk.verified();
}

#[test]
fn an_effect_rolls_a_canary_back_for_what_it_did_itself() {
    let desk = Desk::new(
        r#"
[[tag]]
id = "bias"
[[effect]]
id = "biased"
on = "review"
when = '"bias" in tags'
do = ["canary.rollback"]
[[sample]]
id = "all"
rate = 1.0
to = "level1"
"#,
    );
    desk.tell("root", start(&[1.0], 1000)).unwrap();
    admit(&desk.desk, &[sure("old"), version("new", "2")]);
    let biased = || Verdict { tags: vec!["bias".into()], ..Verdict::plain(VerdictKind::Reject) };
    desk.say("ann", "old", biased(), 0).unwrap();
    assert_eq!(desk.canary().state, "running");
    desk.say("ann", "new", biased(), 0).unwrap();
    let canary = desk.canary();
    assert_eq!(canary.state, "rolled_back");
    assert_eq!(canary.canary, (1, 1), "its verdict counts all the same");
    desk.verified();
}

#[test]
fn what_was_refused_starts_no_cool_down() {
    let desk = Desk::new(
        r#"
[[tag]]
id = "harm"
title = "Harmful"
[[effect]]
id = "outlier"
on = "decision"
when = 'business_impact > 9'
do = ["automation.pause"]
cooldown = "1h"
[[effect]]
id = "harm"
on = "review"
when = '"harm" in tags'
do = ["automation.pause"]
cooldown = "1h"
"#,
    );
    // The id is taken, so nothing is admitted and nothing paused; the next one that is odd pauses.
    desk.admit(&sure("a"));
    let mut odd = sure("a");
    odd["business_impact"] = json!(9.5);
    let line = Line { source: "t".into(), line: 1, bytes: odd.to_string().into_bytes() };
    match desk.tell("root", Command::Admit { lines: vec![line] }).unwrap() {
        Answer::Admitted(all) => assert!(matches!(all[0], Admitted::Refused(_)), "{all:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(desk.admit(&sure("b")).rule, "default");
    odd["id"] = json!("odd");
    desk.admit(&odd);
    assert_eq!(desk.admit(&sure("c")).rule, "paused");

    // A verdict without the lease that somebody else has is refused; the next one pauses.
    let mut harmful = version("d", "2");
    harmful["confidence"] = json!(0.4);
    desk.admit(&harmful);
    harmful["id"] = json!("e");
    desk.admit(&harmful);
    let take = LeaseAsk { item: Some("d".into()), ..LeaseAsk::default() };
    desk.tell("ben", Command::Lease(take)).unwrap();
    let said = || Verdict { tags: vec!["harm".into()], ..Verdict::plain(VerdictKind::Reject) };
    assert_eq!(desk.say("ann", "d", said(), 0).unwrap_err().kind, Why::LeaseLost);
    assert_eq!(desk.admit(&version("f", "2")).rule, "default");
    desk.say("ann", "e", said(), 0).unwrap();
    assert_eq!(desk.admit(&version("g", "2")).rule, "paused");
    desk.verified();
}

#[test]
fn of_two_processes_the_later_cool_down_holds() {
    let desk = Desk::new(
        r#"
[[effect]]
id = "outlier"
on = "decision"
when = 'business_impact > 9'
do = ["incident.open"]
cooldown = "1h"
"#,
    );
    let other = desk.beside();
    let odd = |id: &str| {
        let mut odd = sure(id);
        odd["business_impact"] = json!(9.5);
        odd
    };
    let opened = || desk.containment().outgoing.waiting;
    desk.admit(&odd("a"));
    assert_eq!(opened(), 1);
    desk.later(3_601);
    admit(&other, &[odd("b")]);
    assert_eq!(opened(), 2);
    // This process remembers the first alone, which is over.
    desk.later(60);
    desk.admit(&odd("c"));
    assert_eq!(opened(), 2, "quiet since the second");
    desk.later(3_601);
    desk.admit(&odd("d"));
    assert_eq!(opened(), 3);
    desk.verified();
}
