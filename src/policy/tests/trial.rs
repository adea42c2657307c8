//! The runner of `[[test]]`: what it compares, and what it says.

use super::*;

const DESK: &str = r#"
policy = "p"
[queues.level1]
[[route]]
id = "low"
when = 'confidence < 0.6'
to = "level1"
[[route]]
id = "never-tested"
when = 'business_impact > 9'
to = "level1"
[default]
to = "auto"
[[test]]
name = "low goes to people"
given = { confidence = 0.5 }
expect = { outcome = "review", queue = "level1", rule = "low", approvals = ["level1"] }
[[test]]
name = "wrong on purpose"
given = { confidence = 0.7, model.version = "9" }
expect = { outcome = "review", rule = "low", sample = true }
[[test]]
name = "given makes no sense"
given = { review = { verdict = "rejected" } }
expect = { outcome = "auto" }
[[test]]
name = "broken records are quarantined"
given = { confidence = 1.5, cohort = "x" }
expect = { outcome = "quarantine", queue = "dataops", rule = "schema", approvals = ["dataops"] }
"#;

#[test]
fn failures_and_gaps_are_told() {
    let report = load(DESK).run_tests();
    assert_eq!((report.passed(), report.failed()), (2, 2));
    let failed = &report.tests[1];
    assert_eq!((failed.name.as_str(), failed.line), ("wrong on purpose", 18));
    let what: Vec<&str> = failed.mismatches.iter().map(|m| m.what).collect();
    assert_eq!(what, ["outcome", "rule", "sample"]);
    assert_eq!(failed.mismatches[0].got, json!("auto"));
    assert_eq!(report.tests[2].mismatches[0].what, "given");
    let missed: Vec<&str> = report.uncovered().map(|r| r.id.as_str()).collect();
    assert_eq!(missed, ["never-tested"]);
    let text = report.to_string();
    for line in [
        "ok      low goes to people\n",
        "FAILED  wrong on purpose (line 18)\n        outcome: expected \"review\", got \"auto\"\n",
        "2 passed, 2 failed; 2 of 3 rules reached\n        not reached: route never-tested (line 8)\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        json["coverage"][0],
        json!({"kind": "route", "id": "low", "line": 4, "matched": 1, "won": 1})
    );
}

#[test]
fn a_slip_in_a_test_stops_no_policy_that_is_in_force() {
    let source = "policy = 'p'\n[queues.level1]\n[default]\nto = 'auto'\n[[test]]\nname = 't'\n\
                  given = { confidnce = 0.5, input = { incme = 1 } }\nexpect = { outcome = 'auto' }\n\
                  [fields]\n'input.income' = 'number'\n";
    let found = Policy::load(source, "p.toml", &Schemas::default()).unwrap_err();
    assert!(found.has_errors());
    let told: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        told,
        ["no rule reads a field `confidnce`", "no field `input.incme` has a type"],
        "the second is a warning"
    );
    let held = Policy::load_stored(source, "p.toml", &Schemas::default()).unwrap();
    assert_eq!(held.warnings().iter().count(), 2);
}
