//! What `[default]` promises is proved, refuted with a witness, or said to be unproved.

use serde_json::json;

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

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn rule(&mut self, depth: u64) -> String {
        const ATOMS: [&str; 18] = [
            "confidence < 0.6",
            "confidence <= 0.85",
            "confidence == 0.6",
            "confidence in [0.6, 0.85]",
            "business_impact >= 7",
            "business_impact < 4",
            "impact_level == \"high\"",
            "impact_level != \"low\"",
            "domain == \"loan\"",
            "domain.startsWith(\"lo\")",
            "domain.endsWith(\"an\")",
            "domain in [\"loan\", \"chat\"]",
            "\"a\" in tags",
            "\"b\" in tags",
            "has(scope)",
            "(has(scope) && scope == \"x\")",
            "has(ensemble)",
            "(has(ensemble) && ensemble.spread > 0.3)",
        ];
        if depth == 0 || self.below(4) == 0 {
            let i = usize::try_from(self.below(ATOMS.len() as u64)).unwrap();
            return ATOMS[i].to_owned();
        }
        if self.below(5) == 0 {
            return format!("!({})", self.rule(depth - 1));
        }
        let op = if self.below(2) == 0 { "&&" } else { "||" };
        format!("({} {op} {})", self.rule(depth - 1), self.rule(depth - 1))
    }
}

/// One record for each combination the atoms above can tell apart, and then some.
fn everything() -> Vec<Decision> {
    let mut out = Vec::new();
    for confidence in [0.0, 0.5, 0.6, 0.7, 0.85, 1.0] {
        for impact in [0, 4, 5, 7, 10] {
            for domain in ["loan", "chat", "log", "ban", "loran", "x"] {
                for tags in [vec![], vec!["a"], vec!["b"], vec!["a", "b"]] {
                    for scope in [None, Some("x"), Some("y")] {
                        for spread in [None, Some(0.1), Some(0.3), Some(0.4)] {
                            let ensemble = spread.map_or_else(Vec::new, |s| {
                                vec![
                                    json!({"name": "p", "score": 0.0}),
                                    json!({"name": "q", "score": s}),
                                ]
                            });
                            out.push(decision(json!({
                                "confidence": confidence, "business_impact": impact, "domain": domain,
                                "tags": tags, "ensemble": ensemble,
                            })));
                            if let Some(d) = out.last_mut() {
                                d.scope = scope.map(str::to_owned);
                            }
                        }
                    }
                }
            }
        }
    }
    out
}

#[test]
fn the_proof_agrees_with_trying_everything() {
    let mut random = Random(7);
    let records = everything();
    let (mut proved, mut refuted) = (0, 0);
    for _ in 0..120 {
        let routes: Vec<String> = (0..1 + random.below(4)).map(|_| random.rule(2)).collect();
        let mut promise = random.rule(2);
        if random.below(2) == 0 {
            // A promise that has a chance: something a route already catches, or more.
            promise = format!("(!({}) || {promise})", routes[0]);
        }
        let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
        let found = super::expect::promise(&routes, &promise, "");
        let said = found.iter().any(|f| f.contains("does not hold"));
        // The same rules without the promise load in any case; the promise stands as a route.
        let mut file = "policy = 'p'\n[queues.level1]\n".to_owned();
        for (i, when) in routes.iter().chain([&promise.as_str()]).enumerate() {
            file.push_str(&format!("[[route]]\nid = 'r{i}'\nwhen = '''{when}'''\nto = 'level1'\n"));
        }
        let policy = load(&(file + "[default]\nto = 'auto'\n"));
        let broken = records.iter().any(|d| policy.winner(d, &facts()).is_none());
        assert_eq!(said, broken, "{routes:?} {promise}\n{found:?}");
        if broken { refuted += 1 } else { proved += 1 }
    }
    assert!(proved > 20 && refuted > 20, "{proved} {refuted}");
}
