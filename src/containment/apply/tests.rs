//! The precedence, rule by rule; and what must hold whatever comes.

use super::super::tests::{decision, scope, t};
use super::*;
use crate::containment::{Evidence, FrozenBy, InUse};
use crate::domain::SampleKind;
use crate::policy::Schemas;
use crate::protocol::KillMode;

const POLICY: &str = r#"
policy = "desk"
[control]
human_queue = "people"
[queues.people]
level = 1
[queues.level1]
level = 1
[queues.level2]
level = 2
[[output_check]]
id = "empty"
when = 'output_chars < 1'
to = "level2"
[[route]]
id = "never"
when = 'confidence < 0.1'
to = "block"
[[route]]
id = "unsure"
when = 'confidence < 0.6'
to = { queue = "level1", priority = 3 }
[default]
to = "auto"
[[require]]
id = "manager"
when = 'business_impact >= 9'
approvals = ["level2"]
[[sample]]
id = "some"
rate = 1.0
to = "level1"
[[allow]]
model = "m"
user_group = "*"
actions = ["approve"]
scopes = ["**"]
[breaker]
override_low = 0.1
"#;

fn policy(more: &str) -> Policy {
    Policy::load(&format!("{POLICY}{more}"), "p.toml", &Schemas::default())
        .unwrap_or_else(|d| panic!("{d}"))
}

struct Run {
    policy: Policy,
    control: Control,
    live: Live,
}

impl Run {
    fn new(more: &str) -> Self {
        let mut control = Control::default();
        let in_use = InUse { current: "2".into(), previous: Some("1".into()) };
        control.versions.insert("m".into(), in_use);
        Self { policy: policy(more), control, live: Live::new(b"key") }
    }

    /// Route, contain, and check that the stored facts give the same again.
    fn route(&mut self, d: &Decision, at: i64) -> Applied {
        let mut facts = Facts::at(t(at), 1);
        let routing = self.policy.route(d, &facts);
        let control = &self.control;
        facts.containment =
            contain(d, Some(&self.policy), &facts, &routing, control, &mut self.live);
        let stored = serde_json::to_vec(&facts).unwrap();
        let facts: Facts = serde_json::from_slice(&stored).unwrap();
        let once = apply(routing.clone(), d, Some(&self.policy), &facts);
        assert_eq!(apply(routing, d, Some(&self.policy), &facts), once);
        once
    }

    fn kill(&mut self, at: &str, mode: KillMode) {
        self.control.kill(&scope(at), &mode, "ann", t(0), "it lies");
    }

    fn freeze(&mut self) {
        let who = FrozenBy { by: "bob", level: 2, reason: "policy_violation" };
        self.control.freeze(&decision("bad", "m@1"), b"key", who, t(0));
    }

    fn trip(&mut self) {
        let evidence = Evidence { overridden: 9, reviewed: 20, ..Evidence::default() };
        let terms = self.policy.breaker().unwrap();
        self.control.step_breaker("loan", ("m", "2"), &evidence, terms, t(0));
    }
}

fn sure() -> Decision {
    decision("a", "m@2")
}

fn unsure() -> Decision {
    Decision { confidence: 0.5, ..sure() }
}

fn good() -> KillMode {
    KillMode::LastGood { version: None }
}

/// Outcome, rule and queue.
fn said(a: &Applied) -> (Outcome, &str, Option<&str>) {
    (a.routing.outcome, &a.routing.rule, a.routing.queue.as_deref())
}

#[test]
fn nothing_contained_costs_nothing_and_changes_nothing() {
    let mut run = Run::new("");
    let d = sure();
    let facts = Facts::at(t(0), 1);
    let routing = run.policy.route(&d, &facts);
    assert_eq!(contain(&d, Some(&run.policy), &facts, &routing, &run.control, &mut run.live), None);
    let applied = run.route(&d, 0);
    assert_eq!((applied.routing, applied.step), (routing, None));
}

#[test]
fn the_precedence_is_the_contracts() {
    use Outcome::{Auto, Block, Fallback, Review};
    let mut run = Run::new("");
    let not_allowed = Decision { action: "pay".into(), ..sure() };
    let empty = Decision { output: "".into(), ..sure() };
    run.freeze();
    run.trip();
    // The breaker is last of these: only what would be automatic meets it.
    assert_eq!(
        said(&run.route(&Decision { cohort: [].into(), ..sure() }, 0)),
        (Review, "breaker", Some("people"))
    );
    // A freeze goes before routes.
    assert_eq!(said(&run.route(&unsure(), 0)), (Review, "freeze", Some("people")));
    // A stop to people goes before a freeze, and a person's before an effect's.
    run.control.pause(&scope("domain=loan"), "spike", t(0), "override_low 0.2 > 0.1");
    let paused = run.route(&sure(), 0);
    assert_eq!(said(&paused), (Review, "paused", Some("people")));
    let why = "automation for domain=loan is paused by spike: override_low 0.2 > 0.1";
    assert_eq!(paused.routing.reason, why);
    run.kill("model=m", KillMode::Human);
    let killed = run.route(&unsure(), 0);
    assert_eq!(said(&killed), (Review, "kill", Some("people")));
    assert_eq!(killed.routing.reason, "automation for model=m is killed to people by ann: it lies");
    // Output checks go before a stop to people, not before the others.
    assert_eq!(said(&run.route(&empty, 0)), (Review, "empty", Some("level2")));
    run.kill("model=m", good());
    let fallback = run.route(&empty, 0);
    assert_eq!(said(&fallback), (Fallback, "kill", None));
    assert_eq!(fallback.fallback.unwrap().version, "1");
    assert_eq!(
        fallback.routing.reason,
        "automation for model=m is killed to last-good by ann: it lies; use 1"
    );
    run.kill("all", KillMode::Block);
    let blocked = run.route(&empty, 0);
    assert_eq!(said(&blocked), (Block, "kill", None));
    assert_eq!(blocked.routing.reason, "automation for all is killed to block by ann: it lies");
    // Scoped policies go before everything.
    assert_eq!(said(&run.route(&not_allowed, 0)), (Block, "allow", None));
    assert_eq!(said(&Run::new("").route(&sure(), 0)), (Auto, "default", Some("level1")));
}

#[test]
fn a_stop_to_people_loosens_nothing_and_keeps_approvals() {
    let mut run = Run::new("");
    run.kill("all", KillMode::Human);
    let never = Decision { confidence: 0.05, ..sure() };
    assert_eq!(said(&run.route(&never, 0)), (Outcome::Block, "never", None));
    let big = Decision { business_impact: 9.0, ..unsure() };
    let applied = run.route(&big, 0);
    assert_eq!(applied.routing.approvals, ["people", "level1", "level2"]);
    assert_eq!((applied.routing.priority, applied.routing.sample), (3, None));
    // A last-good that nobody knows is a stop to people.
    let mut run = Run::new("");
    run.control.versions.clear();
    run.kill("all", good());
    let applied = run.route(&sure(), 0);
    assert_eq!(said(&applied), (Outcome::Review, "kill", Some("people")));
    let why = "automation for all is killed to last-good, of which none is known, so to people, \
               by ann: it lies";
    assert_eq!(applied.routing.reason, why);
}

#[test]
fn a_canary_outside_its_share_is_answered_with_the_baseline() {
    let mut run = Run::new("");
    run.control.start_canary("m", "3", "2", &[0.25], (10, 0.05, 2), "ann", t(0)).unwrap();
    let (mut inside, mut outside) = (0, 0);
    for i in 0..400 {
        let applied = run.route(&decision(&format!("d-{i}"), "m@3"), 0);
        match said(&applied) {
            (Outcome::Auto, "default", Some("level1")) => inside += 1,
            (Outcome::Fallback, "canary", None) => {
                assert_eq!(applied.fallback.unwrap().version, "2");
                let why = "m@3 is a canary and this decision is outside its share of 25 %: use 2";
                assert_eq!(applied.routing.reason, why);
                outside += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((70..=130).contains(&inside), "{inside} inside, {outside} outside");
    assert_eq!(said(&run.route(&sure(), 0)).1, "default", "the baseline goes on");
    run.control.roll_back_canary("m", t(1), "e 130 >= 100").unwrap();
    let applied = run.route(&decision("d-1", "m@3"), 0);
    assert_eq!(applied.routing.reason, "the canary m@3 is rolled back: e 130 >= 100; use 2");
}

#[test]
fn beyond_a_limit_people_decide() {
    let mut run = Run::new("[limit.loan]\ndomain = \"loan\"\nper_minute = 3\n");
    let rules: Vec<String> =
        (0..5).map(|i| run.route(&decision(&format!("d-{i}"), "m@2"), 0).routing.rule).collect();
    assert_eq!(rules, ["default", "default", "default", "limit", "limit"]);
    let applied = run.route(&sure(), 1);
    assert_eq!(applied.routing.reason, "beyond the limit loan of 3 automatic decisions a minute");
    // What people decide anyway does not count.
    for _ in 0..10 {
        assert_eq!(run.route(&unsure(), 1).routing.rule, "unsure");
    }
    assert_eq!(run.route(&sure(), 20).routing.rule, "default");
    let tightened = super::super::Tightened { share: 0.1, cause: "9 of 20".into() };
    run.control.tightened.insert("loan".into(), tightened);
    let applied = run.route(&sure(), 21);
    assert!(applied.routing.reason.ends_with("tightened by errors to 0.30000000000000004"));
    // An effect's limit, in its scope.
    let mut run = Run::new("");
    run.control.limit(&scope("model=m@2"), 1.0, "spike", t(0), "override_low 0.2");
    assert_eq!(run.route(&sure(), 0).routing.rule, "default");
    let applied = run.route(&sure(), 0);
    let why = "beyond the limit model=m@2 of 1 automatic decisions a minute, set by spike: \
               override_low 0.2";
    assert_eq!(applied.routing.reason, why);
}

#[test]
fn what_need_not_be_reviewed_gives_way_by_the_overflow_rule() {
    use Outcome::{Auto, Block, Review};
    for (overflow, wanted) in [
        ("sample", (Auto, "budget", None)),
        ("hold", (Review, "budget", Some("level1"))),
        ("block", (Block, "budget", None)),
        ("auto_flagged", (Auto, "budget", None)),
    ] {
        let budget = format!("[budget.level1]\nper_hour = 2\noverflow = \"{overflow}\"\n");
        let mut run = Run::new(&budget);
        for i in 0..2 {
            let d = Decision { id: format!("d-{i}"), ..unsure() };
            assert_eq!(run.route(&d, i).routing.rule, "unsure");
        }
        let over = run.route(&unsure(), 5);
        assert_eq!(said(&over), wanted, "{overflow}");
        let figures = "level1 has 2 reviews an hour and 3 came; this one is worth 0.30, below 0.30";
        assert!(over.routing.reason.ends_with(figures), "{}", over.routing.reason);
        let flagged = overflow == "auto_flagged";
        assert_eq!(over.routing.tags == ["auto_flagged"], flagged);
        assert_eq!(over.routing.priority, if overflow == "hold" { 3 - HELD } else { 0 });
        // The sample of what is automatic goes first, and the decision stays what it is.
        let sampled = run.route(&sure(), 6);
        assert_eq!((sampled.routing.outcome, sampled.routing.rule.as_str()), (Auto, "default"));
        assert_eq!(sampled.routing.sample.is_some(), overflow == "hold");
        // Mandatory: a high impact, and what containment sends.
        let high = Decision { business_impact: 8.0, ..unsure() };
        assert_eq!(said(&run.route(&high, 7)), (Review, "unsure", Some("level1")));
        run.kill("all", KillMode::Human);
        assert_eq!(said(&run.route(&unsure(), 8)).1, "kill");
    }
}

#[test]
fn what_gives_way_to_automation_passes_breaker_and_limits() {
    let budget = "[budget.level1]\nper_hour = 1\noverflow = \"sample\"\n";
    let mut run = Run::new(&format!("{budget}[limit.all]\nper_minute = 1\n"));
    assert_eq!(run.route(&unsure(), 0).routing.rule, "unsure");
    assert_eq!(said(&run.route(&unsure(), 1)), (Outcome::Auto, "budget", None));
    assert_eq!(said(&run.route(&unsure(), 2)), (Outcome::Review, "unsure", Some("level1")));
    let mut run = Run::new(budget);
    run.trip();
    for i in 0..3 {
        assert_eq!(run.route(&unsure(), i).routing.rule, "unsure");
    }
}

#[test]
fn without_a_policy_stops_hold_too() {
    let mut control = Control::default();
    control.kill(&scope("all"), &KillMode::Block, "ann", t(0), "x");
    let mut live = Live::new(b"key");
    let mut facts = Facts::at(t(0), 1);
    let routing = Policy::fail_safe(&sure(), &facts);
    facts.containment = contain(&sure(), None, &facts, &routing, &control, &mut live);
    assert_eq!(said(&apply(routing, &sure(), None, &facts)), (Outcome::Block, "kill", None));
}

proptest::proptest! {
    /// Whatever else is in force: a stop to people never lets anything be automatic, a stop to
    /// block blocks, and nothing that must be reviewed gives way.
    #[test]
    fn stops_hold_whatever_else_is_in_force(
        seed in 0u32..1000,
        confidence in 0.0f64..1.0,
        impact in 0.0f64..10.0,
        human in proptest::bool::ANY,
        block in proptest::bool::ANY,
        last_good in proptest::bool::ANY,
        paused in proptest::bool::ANY,
        frozen in proptest::bool::ANY,
        tripped in proptest::bool::ANY,
        canary in proptest::bool::ANY,
        where_ in 0usize..4,
        overflow in 0usize..4,
    ) {
        let overflow = ["sample", "hold", "block", "auto_flagged"][overflow];
        let mut run = Run::new(&format!(
            "[budget.level1]\nper_hour = 1\noverflow = \"{overflow}\"\n[limit.x]\nper_minute = 2\n"
        ));
        let at = ["all", "domain=loan", "model=m", "cohort=race:black"][where_];
        if human { run.kill(at, KillMode::Human); }
        if last_good { run.kill(at, good()); }
        if block { run.kill(at, KillMode::Block); }
        if paused { run.control.pause(&scope(at), "e", t(0), "r"); }
        if frozen { run.freeze(); }
        if tripped { run.trip(); }
        if canary {
            run.control.start_canary("m", "3", "2", &[0.5], (1, 0.1, 1), "ann", t(0)).unwrap();
        }
        for i in 0..6 {
            let version = ["1", "2", "3"][(seed as usize + i) % 3];
            let mut d = decision(&format!("{seed}-{i}"), &format!("m@{version}"));
            d.confidence = confidence;
            d.business_impact = impact;
            let applied = run.route(&d, i as i64);
            let outcome = applied.routing.outcome;
            if block {
                assert_eq!(outcome, Outcome::Block);
            } else if human || paused || frozen {
                assert!(outcome != Outcome::Auto, "{applied:?}");
            }
            if last_good && !block && version != "1" {
                assert_eq!(outcome, Outcome::Fallback);
            }
            assert_eq!(applied.fallback.is_some(), outcome == Outcome::Fallback);
            assert_eq!(applied.routing.approvals.is_empty(), outcome != Outcome::Review);
            if impact >= 9.0 {
                assert!(outcome != Outcome::Auto);
            }
            if outcome == Outcome::Auto {
                assert!(!(tripped && version == "2") && applied.routing.sample.as_ref()
                    .is_none_or(|s| s.kind == SampleKind::Random));
            }
        }
        let again = Control::parse(&run.control.to_json().unwrap()).unwrap();
        assert_eq!(again, run.control);
    }
}
