//! Precedence, approvals, samples, reasons: values, rule by rule.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::domain::{Outcome, SampleKind};

const DESK: &str = r#"
policy = "loan-desk"
record = "decision/v1"
[params]
low = 0.60
high = 0.85
impact = 7
[queues.level1]
level = 1
sla = "30m"
hours = "Mon-Fri 08:00-18:00 Europe/Berlin"
[queues.level2]
level = 2
[queues.level3]
level = 3
[[route]]
id = "low-confidence"
when = 'confidence < params.low'
to = "level1"
[[route]]
id = "unsure-high-impact"
when = 'confidence <= params.high && business_impact >= params.impact'
to = { queue = "level1", sla = "10m", priority = 5 }
[[route]]
id = "barred"
when = 'domain == "weapons"'
to = "block"
[default]
to = "auto"
expect = 'confidence >= params.low'
[[require]]
id = "manager"
when = 'confidence < params.low || impact_level == "high"'
approvals = ["level1", "level2"]
[[output_check]]
id = "empty"
when = 'output_chars == 0'
to = "level2"
[[tag]]
id = "odd"
[[effect]]
id = "mark-odd"
on = "decision"
when = '"strange" in tags'
do = ["tag:odd", "incident.open"]
[[effect]]
id = "violation"
on = "review"
when = '"odd" in tags && verdict == "reject" && confidence > 0.5'
do = ["escalate:level3@2h", "freeze.similar"]
"#;

fn route(change: Value) -> Routing {
    load(DESK).route(&decision(change), &facts())
}

#[test]
fn the_first_route_wins_and_all_are_recorded() {
    let r = route(json!({"confidence": 0.5, "business_impact": 8}));
    assert_eq!((r.outcome, r.rule.as_str()), (Outcome::Review, "low-confidence"));
    assert_eq!(r.matched, ["low-confidence", "unsure-high-impact"]);
    assert_eq!(r.approvals, ["level1", "level2"]);
    assert_eq!(r.queue.as_deref(), Some("level1"));
    assert_eq!((r.sla, r.priority), (None, 0));
    assert_eq!(r.reason, "confidence 0.5 < params.low 0.6");
}

#[test]
fn a_reason_names_values_and_parameters() {
    let r = route(json!({"confidence": 0.71, "business_impact": 8}));
    assert_eq!(
        r.reason,
        "confidence 0.71 <= params.high 0.85 and business_impact 8 >= params.impact 7"
    );
    assert_eq!((r.sla, r.priority), (Some(SignedDuration::from_mins(10)), 5));
    let r = route(json!({}));
    assert_eq!(r.reason, "no rule matched: default auto; confidence 0.95 >= params.low 0.6");
    assert_eq!((r.outcome, r.queue, r.rule.as_str()), (Outcome::Auto, None, "default"));
    assert!(r.approvals.is_empty() && r.matched.is_empty());
}

#[test]
fn edges_belong_to_the_side_the_rule_says() {
    assert_eq!(route(json!({"confidence": 0.6, "business_impact": 2})).rule, "default");
    assert_eq!(route(json!({"confidence": 0.85, "business_impact": 7})).rule, "unsure-high-impact");
    assert_eq!(route(json!({"confidence": 0.8500001, "business_impact": 7})).rule, "manager");
}

#[test]
fn a_require_makes_a_review_of_what_would_be_automatic() {
    let r = route(json!({"business_impact": 9}));
    assert_eq!((r.outcome, r.rule.as_str()), (Outcome::Review, "manager"));
    assert_eq!(r.queue.as_deref(), Some("level1"));
    assert_eq!(r.approvals, ["level1", "level2"]);
    assert_eq!(r.reason, "impact_level \"high\" == \"high\"");
    assert!(r.matched.is_empty());
}

#[test]
fn output_checks_go_before_routes_and_blocks_need_no_approval() {
    let r = route(json!({"output": "", "confidence": 0.2, "business_impact": 9}));
    assert_eq!((r.rule.as_str(), r.queue.as_deref()), ("empty", Some("level2")));
    assert_eq!(r.approvals, ["level2", "level1"]);
    assert_eq!(r.matched, ["empty", "low-confidence", "unsure-high-impact"]);
    let r = route(json!({"domain": "weapons", "business_impact": 9}));
    assert_eq!((r.outcome, r.queue, r.approvals.len()), (Outcome::Block, None, 0));
}

#[test]
fn effects_fire_with_their_reasons() {
    let r = route(json!({"tags": ["strange"]}));
    assert_eq!(r.tags, ["odd"]);
    assert_eq!(r.firings.len(), 1);
    assert_eq!(r.firings[0].reason, "\"strange\" in tags");
    let policy = load(DESK);
    let review = ReviewFacts {
        verdict: crate::domain::VerdictKind::Reject,
        tags: vec!["odd".into()],
        level: 1,
        reviewer: "ann".into(),
        reversal: false,
    };
    let fired = policy.on_review(&decision(json!({})), &review);
    let two_hours = Some(SignedDuration::from_hours(2));
    assert_eq!(
        fired[0].actions,
        [
            EffectAction::Escalate { queue: "level3".into(), sla: two_hours },
            EffectAction::FreezeSimilar
        ]
    );
    let accepted = ReviewFacts { verdict: crate::domain::VerdictKind::Accept, ..review };
    assert!(policy.on_review(&decision(json!({})), &accepted).is_empty());
}

#[test]
fn what_is_not_known_is_never_automatic() {
    let policy = load(DESK);
    let blind = Facts { control_readable: false, ..facts() };
    let r = policy.route(&decision(json!({})), &blind);
    assert_eq!((r.outcome, r.rule.as_str()), (Outcome::Review, "control-unreadable"));
    assert_eq!(r.approvals, ["level1"]);
    let r = policy.route(&decision(json!({"confidence": 0.1})), &blind);
    assert_eq!(r.rule, "low-confidence");

    let counted = load(
        "policy = 'p'\n[queues.level1]\n[[route]]\nid = 'new'\nwhen = 'cohort_seen < 50'\nto = 'level1'\n[default]\nto = 'auto'",
    );
    let none = Facts { cohort_seen: None, ..facts() };
    let r = counted.route(&decision(json!({})), &none);
    assert_eq!((r.outcome, r.rule.as_str()), (Outcome::Review, "facts-missing"));
    assert_eq!(r.reason, "cohort_seen was not counted, so nothing is automatic");
    assert_eq!(counted.needs(), Needs { cohort_seen: true, ..Needs::default() });

    let mut nan = decision(json!({}));
    nan.confidence = f64::NAN;
    assert!(!policy.check_record(&nan, facts().now).is_empty());
}

#[test]
fn no_policy_is_a_review() {
    let r = Policy::fail_safe(&decision(json!({})), &facts());
    assert_eq!((r.outcome, r.rule.as_str()), (Outcome::Review, "no-policy"));
    assert_eq!((r.queue.as_deref(), r.approvals.len()), (Some("level1"), 1));
}

#[test]
fn scoped_policies_block_what_none_allows() {
    let p = load(
        r#"
policy = "p"
[queues.level1]
[default]
to = "auto"
[[allow]]
id = "lending"
model = "loan-*"
user_group = "*"
actions = ["approve", "deny"]
scopes = ["lending/**"]
[[allow]]
model = "chat"
"#,
    );
    let ask = |change: Value| p.route(&decision(change), &facts());
    let loan = |action: &str, scope: &str| {
        ask(json!({"model": {"name": "loan-1", "version": "2"}, "action": action, "scope": scope}))
    };
    assert_eq!(loan("approve", "lending/mortgage").outcome, Outcome::Auto);
    assert_eq!(loan("approve", "lending/a/b").outcome, Outcome::Auto);
    let r = loan("delete", "lending/mortgage");
    assert_eq!((r.outcome, r.rule.as_str()), (Outcome::Block, "allow"));
    assert_eq!(
        r.reason,
        "no [[allow]] covers it: [[allow]] lending is nearest and leaves out action \"delete\""
    );
    assert_eq!(loan("approve", "payments/x").outcome, Outcome::Block);
    assert_eq!(ask(json!({"model": {"name": "chat", "version": "1"}})).outcome, Outcome::Auto);
    let r = ask(json!({"model": {"name": "loan-1", "version": "2"}}));
    assert_eq!(
        r.reason,
        "no [[allow]] covers it: [[allow]] lending is nearest and leaves out decisions without scope"
    );
}

#[test]
fn samples_draw_independently_and_say_how_likely_they_were() {
    let p = load(
        r#"
policy = "p"
[queues.level1]
[queues.level2]
[default]
to = "auto"
[[sample]]
id = "random"
rate = 0.02
to = "level1"
[[sample]]
id = "new-cohort"
when = 'cohort_seen < 200'
rate = 0.5
to = "level2"
"#,
    );
    let fresh = Facts { cohort_seen: Some(3), ..facts() };
    let (mut drawn, mut random, mut both) = (0, 0, 0);
    for i in 0..4000 {
        let d = decision(json!({"id": format!("x-{i}")}));
        let r = p.route(&d, &fresh);
        assert_eq!(r.outcome, Outcome::Auto);
        if let Some(s) = r.sample {
            drawn += 1;
            assert!((s.probability - 0.51).abs() < 1e-12);
            match s.kind {
                SampleKind::Random => {
                    random += 1;
                    assert_eq!((s.rule.as_str(), r.queue.as_deref()), ("random", Some("level1")));
                }
                SampleKind::Targeted => {
                    assert_eq!(
                        (s.rule.as_str(), r.queue.as_deref()),
                        ("new-cohort", Some("level2"))
                    );
                }
            }
        }
        let old = p.route(&d, &facts());
        if let Some(s) = &old.sample {
            both += 1;
            assert!((s.probability - 0.02).abs() < 1e-12);
        }
    }
    assert_eq!(both, random, "a rule draws the same ids whatever others do");
    // 2040 and 80 expected; standard deviations 32 and 9.
    assert!((1900..=2180).contains(&drawn) && (45..=120).contains(&random), "{drawn} {random}");
}

#[test]
fn due_times_follow_the_rule_then_the_queue() {
    let p = load(DESK);
    let entered: Timestamp = "2026-11-20T16:55:00Z".parse().unwrap();
    let due = |sla| p.due_at("level1", entered, sla).unwrap().to_string();
    assert_eq!(due(None), "2026-11-23T07:25:00Z");
    assert_eq!(due(Some(SignedDuration::from_mins(5))), "2026-11-20T17:00:00Z");
    assert_eq!(p.due_at("level2", entered, None), None);
    assert_eq!(
        p.due_at("dataops", entered, Some(SignedDuration::from_mins(1))).unwrap().to_string(),
        "2026-11-20T16:56:00Z"
    );
}

#[test]
fn an_effect_that_adds_a_tag_sets_off_those_that_wait_for_it_once() {
    let policy = load(
        r#"
policy = "desk"
[queues.level1]
[default]
to = "level1"
[[tag]]
id = "odd"
[[tag]]
id = "odder"
[[effect]]
id = "waits-longer"
on = "decision"
when = '"odder" in tags'
do = ["escalate:level1"]
[[effect]]
id = "waits"
on = "decision"
when = '"odd" in tags'
do = ["tag:odder"]
[[effect]]
id = "adds"
on = "decision"
when = 'confidence < 0.5'
do = ["tag:odd"]
[[effect]]
id = "after"
on = "review"
when = '"odder" in tags'
do = ["escalate:level1"]
[[effect]]
id = "before"
on = "review"
when = 'verdict == "reject"'
do = ["tag:odder"]
"#,
    );
    let d = decision(json!({"confidence": 0.4}));
    let routing = policy.route(&d, &facts());
    let fired: Vec<&str> = routing.firings.iter().map(|f| f.effect.as_str()).collect();
    assert_eq!(fired, ["adds", "waits"], "once: what the second adds sets off nothing more");
    assert_eq!(routing.tags, ["odd", "odder"]);
    let review = ReviewFacts {
        verdict: crate::domain::VerdictKind::Reject,
        tags: Vec::new(),
        level: 1,
        reviewer: "ann".to_owned(),
        reversal: false,
    };
    let fired: Vec<String> = policy.on_review(&d, &review).into_iter().map(|f| f.effect).collect();
    assert_eq!(fired, ["before", "after"]);
}
