//! Explanations: what won, every atom, and what would have changed it.

use serde_json::json;

use super::*;
use crate::domain::Outcome;

fn gated() -> Policy {
    load(shipped("confidence-gated").unwrap())
}

fn change(e: &Explanation, field: &str) -> String {
    e.changes.iter().find(|c| c.field == field).map_or_else(String::new, ToString::to_string)
}

#[test]
fn the_smallest_change_is_named_with_its_distance() {
    let d = decision(json!({"domain": "loan", "confidence": 0.71, "business_impact": 8}));
    let e = gated().explain(&d, &facts());
    assert_eq!(e.routing.rule, "unsure-high-impact");
    let nearest = e.nearest().unwrap();
    assert_eq!(nearest.to_string(), "confidence 0.71 → above 0.85: auto (by default)");
    assert!((nearest.distance - 0.14).abs() < 1e-12);
    assert_eq!(change(&e, "output_chars"), "");
    assert_eq!(
        change(&e, "domain"),
        "domain \"loan\" → anything else: review in level2 (by unknown-domain)"
    );
    assert_eq!(
        change(&e, "tags"),
        "tags [] → with \"policy_violation\": review in level3 (by flagged-violation)"
    );
}

#[test]
fn every_change_named_really_changes_it() {
    let policy = gated();
    let d = decision(json!({"confidence": 0.9, "business_impact": 8, "domain": "loan",
        "ensemble": [{"name": "a", "score": 0.9}, {"name": "b", "score": 0.7}]}));
    let e = policy.explain(&d, &facts());
    assert_eq!(e.routing.outcome, Outcome::Auto);
    assert_eq!(
        change(&e, "confidence"),
        "confidence 0.9 → 0.85: review in level1 (by unsure-high-impact)"
    );
    let lower = Decision { confidence: 0.85, ..d.clone() };
    assert_eq!(policy.route(&lower, &facts()).rule, "unsure-high-impact");
    let spread = change(&e, "ensemble.spread");
    assert!(spread.ends_with("→ above 0.3: review in level2 (by members-disagree)"), "{spread}");
    assert_eq!(
        change(&e, "output_chars"),
        "output_chars 3 → 0: review in level1 (by empty-output)"
    );
}

#[test]
fn atoms_rules_and_facts_are_listed() {
    let policy = load(
        "policy = 'p'\n[queues.level1]\n[[route]]\nid = 'new'\nwhen = '!(cohort_seen >= 50) && confidence < 0.9'\nto = 'level1'\n[default]\nto = 'auto'",
    );
    let few = Facts { cohort_seen: Some(3), ..facts() };
    let e = policy.explain(&decision(json!({"confidence": 0.95})), &few);
    let rule = &e.rules[0];
    assert_eq!((rule.kind, rule.line, rule.holds, rule.won), (RuleKind::Route, 3, false, false));
    assert_eq!(rule.when, "!(cohort_seen >= 50) && confidence < 0.9");
    let atoms: Vec<_> =
        rule.atoms.iter().map(|a| (a.condition.as_str(), a.value.as_str(), a.holds)).collect();
    assert_eq!(atoms, [("cohort_seen < 50", "3", true), ("confidence < 0.9", "0.95", false)]);
    assert!(e.rules[1].won);
    assert_eq!(e.facts, BTreeMap::from([("cohort_seen", json!(3))]));
    let text = e.to_string();
    assert!(
        text.starts_with("auto, by default\n  because no rule matched: default auto\n"),
        "{text}"
    );
    assert!(text.contains("✗ confidence < 0.9    confidence is 0.95"), "{text}");
    assert!(text.contains("confidence 0.95 → below 0.9: review in level1 (by new)"), "{text}");
    let json = serde_json::to_value(&e).unwrap();
    assert_eq!(json["outcome"], "auto");
    assert_eq!(json["rules"][0]["atoms"][1]["holds"], false);
}

#[test]
fn a_block_names_what_would_be_allowed() {
    let policy = load(
        "policy = 'p'\n[queues.level1]\n[default]\nto = 'auto'\n[[allow]]\nactions = ['approve', 'den*']\n",
    );
    let e = policy.explain(&decision(json!({"action": "delete"})), &facts());
    assert_eq!(e.routing.outcome, Outcome::Block);
    assert_eq!(change(&e, "action"), "action \"delete\" → \"approve\": auto (by default)");
}

#[test]
fn redacted_values_are_not_told() {
    let policy = load(
        "policy = 'p'\n[queues.level1]\n[fields]\n\"input.ssn\" = 'string'\n[redact]\npaths = ['input.ssn']\n[[route]]\nid = 'r'\nwhen = 'has(input.ssn) && input.ssn.startsWith(\"9\")'\nto = 'level1'\n[default]\nto = 'auto'",
    );
    let d = decision(json!({"input": {"ssn": "987-65"}}));
    let e = policy.explain(&d, &facts());
    assert_eq!(e.routing.reason, "input.ssn [redacted] starts with \"9\"");
    assert!(!serde_json::to_string(&e).unwrap().contains("987"));
    assert!(!e.to_string().contains("987"));
}
