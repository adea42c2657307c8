//! What `[default]` promises is proved, refuted with a witness, or said to be unproved.

use super::*;

/// What is found when these routes stand before this promise.
fn promise(routes: &[&str], expect: &str, fields: &str) -> Vec<String> {
    let mut file = format!("policy = 'p'\n{fields}\n[queues.level1]\n");
    for (i, when) in routes.iter().enumerate() {
        file.push_str(&format!("[[route]]\nid = 'r{i}'\nwhen = '''{when}'''\nto = 'level1'\n"));
    }
    file.push_str(&format!("[default]\nto = 'auto'\nexpect = '''{expect}'''\n"));
    findings(&file).into_iter().map(|f| f.split_once(": ").unwrap().1.to_owned()).collect()
}

const HELP: &str = "(add a route that catches it, or promise less)";

fn refuted(witness: &str) -> Vec<String> {
    vec![format!("error: `expect` does not hold: with {witness} no rule matches {HELP}")]
}

#[test]
fn what_holds_is_proved() {
    for (routes, expect) in [
        (&["confidence < 0.6"][..], "confidence >= 0.6"),
        (
            &["confidence < 0.6", "confidence <= 0.85 && business_impact >= 7"],
            "confidence > 0.85 || business_impact < 7",
        ),
        (&["!(domain in ['a', 'b'])"], "domain == 'a' || domain == 'b'"),
        (&["impact_level == 'high'"], "business_impact < 7"),
        (&["business_impact >= 4"], "impact_level == 'low'"),
        (&["has(ensemble) && ensemble.spread > 0.3"], "!has(ensemble) || ensemble.spread <= 0.3"),
        (&["has(ensemble)"], "!(has(ensemble) && ensemble.agreement < 0.5)"),
        (
            &["has(source.reliability) && source.reliability < 0.5"],
            "!has(source.reliability) || source.reliability >= 0.5",
        ),
        (&["!has(source)"], "has(source)"),
        (&["output_chars < 1"], "output_chars != 0"),
        (&["output_chars > 0 && output_chars < 2"], "output_chars != 1"),
        (&["domain.startsWith('lo')"], "!(domain.startsWith('loan'))"),
        (&["domain.contains('oa')"], "domain != 'loan'"),
        (&["'a' in tags", "'b' in tags"], "!('a' in tags || 'b' in tags)"),
        (&["confidence < 1", "confidence == 1"], "false"),
        (&["arrival_rate_z > 3"], "!(arrival_rate_z > 3)  || true"),
    ] {
        let found = promise(routes, expect, "");
        let errors: Vec<_> = found.iter().filter(|f| f.starts_with("error")).collect();
        assert!(errors.is_empty(), "{routes:?} {expect}: {errors:?}");
    }
}

#[test]
fn what_does_not_hold_has_a_witness() {
    assert_eq!(promise(&["confidence < 0.6"], "confidence > 0.6", ""), refuted("confidence = 0.6"));
    assert_eq!(
        promise(
            &["confidence < 0.6", "confidence <= 0.85 && business_impact >= 7"],
            "confidence > 0.85",
            ""
        ),
        refuted("confidence = 0.6, business_impact < 7")
    );
    assert_eq!(promise(&[], "confidence >= 0.6", ""), refuted("confidence < 0.6"));
    assert_eq!(
        promise(&["domain in ['a', 'b']"], "domain == 'c'", ""),
        refuted("domain = anything no rule names")
    );
    assert_eq!(
        promise(&["domain == 'loan'"], "!domain.startsWith('lo')", ""),
        refuted("domain that starts with \"lo\"")
    );
    assert_eq!(
        promise(
            &["has(ensemble) && ensemble.spread > 0.3"],
            "has(ensemble) && ensemble.spread <= 0.3",
            ""
        ),
        refuted("ensemble absent")
    );
    assert_eq!(
        promise(&["'a' in tags"], "!('b' in tags)", ""),
        refuted("\"b\" in tags, no such tag in tags")
    );
    assert_eq!(
        promise(&[], "has(input.x) && input.x > 5", "[fields]\n\"input.x\" = \"number\""),
        refuted("input.x < 5")
    );
}

#[test]
fn too_much_to_prove_is_a_warning() {
    let fields: String = (0..9).map(|i| format!("\"input.f{i}\" = \"number\"\n")).collect();
    let routes: Vec<String> = (0..9)
        .map(|i| format!("has(input.f{i}) && (input.f{i} == 1 || input.f{i} == 2)"))
        .collect();
    let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
    let found = promise(&routes, "confidence >= 0", &format!("[fields]\n{fields}"));
    assert!(found.iter().any(|f| f.starts_with("warning: `expect` is unproved")), "{found:?}");
}
