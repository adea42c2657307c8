//! Every shipped policy loads without a finding, passes its own tests, and they reach every rule.

use serde_json::json;

use super::*;
use crate::domain::Outcome;

fn each() -> impl Iterator<Item = (&'static str, Policy)> {
    shipped_names().map(|name| {
        let text = shipped(name).unwrap();
        let policy = Policy::load(text, &format!("{name}.toml"), &Schemas::default());
        (name, policy.unwrap_or_else(|d| panic!("{d}")))
    })
}

#[test]
fn no_findings_all_tests_pass_all_rules_reached() {
    assert_eq!(shipped_names().next(), Some("confidence-gated"));
    for (name, policy) in each() {
        assert!(policy.warnings().is_empty(), "{}", policy.warnings());
        assert_eq!(policy.name(), name);
        let report = policy.run_tests();
        assert_eq!((report.failed(), report.uncovered().count()), (0, 0), "{name}\n{report}");
        assert!(report.passed() >= 10, "{name} has few tests");
    }
}

#[test]
fn queues_tags_and_guidelines_are_the_promised_ones() {
    for (name, policy) in each() {
        for (queue, level) in [("level1", 1), ("level2", 2), ("level3", 3), ("dataops", 1)] {
            let q = policy.queue(queue).unwrap();
            assert_eq!(q.level, level);
            let signed = name == "regulated" && level > 1;
            assert_eq!(q.signed, signed, "{name} {queue}");
            let blind = if name == "sampling" && queue == "level2" { 0.05 } else { 0.0 };
            assert!((q.blind - blind).abs() < 1e-12, "{name} {queue}");
        }
        let tags: Vec<(&str, Option<char>)> =
            policy.tags().iter().map(|t| (t.id.as_str(), t.key)).collect();
        let want = [
            ("factual_error", 'f'),
            ("bias", 'b'),
            ("out_of_distribution", 'o'),
            ("policy_violation", 'p'),
            ("incomplete", 'i'),
            ("tone", 't'),
            ("wrong_action", 'w'),
            ("other", 'x'),
        ];
        assert_eq!(tags, want.map(|(id, key)| (id, Some(key))));
        for (domain, action) in [
            ("support_qa", "send_answer"),
            ("moderation", "remove"),
            ("loan", "approve"),
            ("medical", "refer"),
        ] {
            assert!(policy.guideline(domain, action).is_some(), "{name} {domain}");
        }
    }
}

#[test]
fn nothing_unknown_empty_or_disputed_is_automatic_in_any() {
    for (name, policy) in each() {
        let outcome = |change: serde_json::Value| {
            let mut record = json!({"domain": "support_qa", "action": "send_answer", "scope": "support/assistant", "confidence": 0.9});
            for (k, v) in change.as_object().unwrap() {
                record[k] = v.clone();
            }
            policy.route(&decision(record), &facts()).outcome
        };
        if !name.starts_with("source-") {
            assert_ne!(outcome(json!({"domain": "astrology"})), Outcome::Auto, "{name}");
            assert_ne!(outcome(json!({"output": ""})), Outcome::Auto, "{name}");
        }
        let disputed = json!({"business_impact": 8, "ensemble": [{"name": "a", "score": 0.02}, {"name": "b", "score": 0.99}]});
        assert_ne!(outcome(disputed), Outcome::Auto, "{name}");
        assert_ne!(outcome(json!({"confidence": 0.3})), Outcome::Auto, "{name}");
    }
}

#[test]
fn personal_data_is_redacted_in_the_regulated_policy() {
    let (_, policy) = each().find(|(name, _)| *name == "regulated").unwrap();
    let record = json!({"input": {"ssn": "1", "spouse": {"email": "a@b.c"}, "income": 5}});
    assert_eq!(policy.redact().paths_in(&record), ["input.ssn", "input.spouse.email"]);
}
