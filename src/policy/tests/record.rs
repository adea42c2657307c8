//! Faults beyond the shape: ranges, schemas, field types, clock skew.

use serde_json::json;

use super::*;
use crate::domain::{Fault, FaultKind};

fn loan_schemas() -> Schemas {
    let input = json!({
        "type": "object",
        "required": ["income"],
        "properties": {
            "income": {"type": "number", "minimum": 0},
            "ssn": {"type": "string", "pattern": "^[0-9]{3}-[0-9]{2}$"},
            "self": {"type": ["boolean", "null"]},
            "applicant": {"type": "object", "properties": {"age": {"type": "integer"}}},
        },
    });
    let output = json!({"type": "object", "required": ["decision"], "properties": {"decision": {"enum": ["approve", "deny"]}}});
    let loan = DomainSchemas { input: Some(input), output: Some(output) };
    Schemas(BTreeMap::from([("loan".to_owned(), loan)]))
}

const POLICY: &str = r#"
policy = "p"
[control]
max_skew = "10m"
[queues.level1]
[fields]
"input.note" = "string"
"input.lines" = "integer"
"output.score" = "number"
[redact]
paths = ["input.ssn"]
[[route]]
id = "poor"
when = 'has(input.income) && input.income < 1000'
to = "level1"
[[route]]
id = "young"
when = 'has(input.applicant.age) && input.applicant.age < 18'
to = "level1"
[[route]]
id = "own"
when = 'has(input.self) && input.self'
to = "level1"
[default]
to = "auto"
"#;

fn policy() -> Policy {
    Policy::load(POLICY, "p.toml", &loan_schemas()).unwrap_or_else(|d| panic!("{d}"))
}

fn faults(change: Value) -> Vec<(String, FaultKind, String)> {
    let found = policy().check_record(&decision(change), facts().now);
    found.into_iter().map(|Fault { path, kind, message }| (path, kind, message)).collect()
}

fn fault(path: &str, kind: FaultKind, message: &str) -> (String, FaultKind, String) {
    (path.to_owned(), kind, message.to_owned())
}

fn good() -> Value {
    json!({"input": {"income": 5000, "note": "x", "lines": 3, "self": null}, "output": {"decision": "approve", "score": 1}})
}

#[test]
fn a_good_record_has_no_faults() {
    assert_eq!(faults(good()), []);
    assert_eq!(faults(json!({"domain": "chat", "input": {}, "output": "text"})), []);
}

#[test]
fn the_domains_schema_holds() {
    assert_eq!(
        faults(json!({"input": {"income": -1}, "output": {"decision": "maybe"}})),
        [
            fault("input.income", FaultKind::Schema, "-1 is less than the minimum of 0"),
            fault(
                "output.decision",
                FaultKind::Schema,
                "\"maybe\" is not one of \"approve\" or \"deny\""
            ),
        ]
    );
    assert_eq!(
        faults(json!({"input": {}, "output": {"decision": "deny"}})),
        [fault("input", FaultKind::Schema, "\"income\" is a required property")]
    );
    let found = policy().check_output("loan", &json!("approve"));
    assert_eq!(found[0].message, "\"approve\" is not of type \"object\"");
}

#[test]
fn redacted_values_stay_out_of_faults() {
    let found =
        faults(json!({"input": {"income": 1, "ssn": "123-456"}, "output": {"decision": "deny"}}));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "input.ssn");
    assert!(!found[0].2.contains("123"), "{}", found[0].2);
}

#[test]
fn types_that_rules_rely_on_hold_in_every_domain() {
    let other = |input: Value| faults(json!({"domain": "chat", "input": input}));
    assert_eq!(
        other(json!({"note": 5, "lines": 2.5, "income": "many", "applicant": {"age": "old"}})),
        [
            fault("input.applicant.age", FaultKind::WrongType, "is a text, but should be a number"),
            fault("input.income", FaultKind::WrongType, "is a text, but should be a number"),
            fault(
                "input.lines",
                FaultKind::WrongType,
                "is a fraction, but should be a whole number"
            ),
            fault("input.note", FaultKind::WrongType, "is a number, but should be a text"),
        ]
    );
    assert_eq!(
        other(json!({"applicant": [1]})),
        [fault("input.applicant", FaultKind::WrongType, "is a list, but should be an object")]
    );
    // A type that no rule reads is the domain's own business.
    assert_eq!(other(json!({"ssn": 5})), []);
    assert_eq!(
        faults(json!({"domain": "chat", "output": {"score": "high"}})),
        [fault("output.score", FaultKind::WrongType, "is a text, but should be a number")]
    );
}

#[test]
fn schema_types_are_known_to_rules() {
    let p = policy();
    let route = |input: Value| p.route(&decision(json!({"input": input})), &facts()).rule;
    assert_eq!(route(json!({"income": 10})), "poor");
    assert_eq!(route(json!({"applicant": {"age": 17}})), "young");
    assert_eq!(route(json!({"self": true})), "own");
    assert_eq!(route(json!({"self": null, "income": null})), "default");
}

#[test]
fn the_future_is_bounded() {
    let now = facts().now;
    let at = |minutes| json!({"domain": "chat", "occurred_at": (now + SignedDuration::from_mins(minutes)).to_string()});
    assert_eq!(faults(at(10)), []);
    assert_eq!(faults(at(-100_000)), []);
    assert_eq!(
        faults(at(11)),
        [fault(
            "occurred_at",
            FaultKind::ClockSkew,
            "2026-11-20T09:11:00Z is more than 10m after now (2026-11-20T09:00:00Z)"
        )]
    );
}

#[test]
fn numbers_out_of_range_are_faults_whoever_made_the_record() {
    let mut d = decision(json!({"domain": "chat", "ensemble": [{"name": "a", "score": 0.5}]}));
    d.confidence = f64::NAN;
    d.business_impact = 10.5;
    d.ensemble[0].score = -0.1;
    let found = policy().check_record(&d, facts().now);
    let paths: Vec<&str> = found.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["confidence", "business_impact", "ensemble.0.score"]);
    assert!(found.iter().all(|f| f.kind == FaultKind::OutOfRange));
}

#[test]
fn schemas_are_part_of_the_policy() {
    let with = policy();
    assert!(with.hash().starts_with("sha256:") && with.hash().len() == 7 + 64);
    let mut other = loan_schemas();
    if let Some(loan) = other.0.get_mut("loan") {
        loan.output = None;
    }
    let without = Policy::load(POLICY, "p.toml", &other).unwrap();
    assert_ne!(with.hash(), without.hash());
    // The order of keys in a schema, and the file's name, change nothing.
    let again: Schemas =
        serde_json::from_value(serde_json::to_value(loan_schemas()).unwrap()).unwrap();
    assert_eq!(Policy::load(POLICY, "other.toml", &again).unwrap().hash(), with.hash());
}

#[test]
fn bad_schemas_name_their_file() {
    let broken = DomainSchemas { input: Some(json!({"type": "objekt"})), output: None };
    let schemas = Schemas(BTreeMap::from([("loan".to_owned(), broken)]));
    let found =
        Policy::load("policy = 'p'\n[default]\nto = 'auto'", "p.toml", &schemas).unwrap_err();
    let first = found.iter().next().unwrap();
    assert_eq!(first.file, "schemas/loan.input.json");
    assert!(first.message.starts_with("not a usable JSON Schema"), "{}", first.message);
    assert!(found.render(false).contains("schemas/loan.input.json"));
    let remote =
        DomainSchemas { input: Some(json!({"$ref": "https://example.com/x.json"})), output: None };
    let schemas = Schemas(BTreeMap::from([("loan".to_owned(), remote)]));
    assert!(Policy::load("policy = 'p'\n[default]\nto = 'auto'", "p.toml", &schemas).is_err());
}

#[test]
fn schemas_that_disagree_need_a_word_in_fields() {
    let of = |t: &str| DomainSchemas {
        input: Some(json!({"properties": {"x": {"type": t}}})),
        output: None,
    };
    let schemas =
        Schemas(BTreeMap::from([("a".to_owned(), of("string")), ("b".to_owned(), of("number"))]));
    let rule = "[queues.level1]\n[[route]]\nid = 'r'\nwhen = 'has(input.x) && input.x > 1'\nto = 'level1'\n[default]\nto = 'auto'\n";
    let found = Policy::load(&format!("policy = 'p'\n{rule}"), "p.toml", &schemas).unwrap_err();
    assert_eq!(
        found.iter().next().unwrap().message,
        "the domains' schemas give input.x different types"
    );
    let settled = format!("policy = 'p'\n[fields]\n'input.x' = 'number'\n{rule}");
    assert!(Policy::load(&settled, "p.toml", &schemas).is_ok());
}
