//! The policy from check to activation, and why a decision went where it went.

use serde_json::json;

use super::bench::{Bench, POLICY, record};

#[test]
fn check_names_place_and_remedy_and_exits_1() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["policy", "check", "policy.toml"]).code, 0);
    bench.write("bad.toml", &POLICY.replace("when = 'confidence <", "when = 'confidense <"));
    let ran = bench.run(&["policy", "check", "bad.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("confidense") && ran.out.contains("^"), "underlined: {}", ran.out);
    let ran = bench.run(&["policy", "check", "bad.toml", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["ok"], false);
    let finding = &report["findings"][0];
    assert!(finding["line"].as_u64().unwrap() > 1 && finding["column"].as_u64().unwrap() >= 1);
    assert!(finding["suggestion"].as_str().unwrap().contains("confidence"), "{finding}");
    assert!(!bench.store().exists(), "checking needs no store");
}

#[test]
fn tests_run_with_coverage_and_a_failing_one_exits_4() {
    let bench = Bench::new();
    for shipped in ["confidence-gated", "sampling", "regulated", "source-rules", "source-article"] {
        let text = bench.run(&["policy", "show", "--shipped", shipped]).out;
        bench.write("shipped.toml", &text);
        let report = bench.json(&["policy", "test", "shipped.toml"]);
        assert_eq!((&report["ok"], &report["failed"]), (&json!(true), &json!(0)), "{shipped}");
        assert!(report["passed"].as_u64().unwrap() > 0, "{shipped}");
    }
    let test = |queue: &str| {
        format!(
            "{POLICY}\n[[test]]\nname = 'unsure'\ngiven = {{ confidence = 0.5 }}\n\
             expect = {{ outcome = 'review', queue = '{queue}' }}\n"
        )
    };
    bench.write("good.toml", &test("level1"));
    let ran = bench.run(&["policy", "test", "good.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("not reached: require second-pair-of-eyes"), "{}", ran.out);
    bench.write("failing.toml", &test("level2"));
    let ran = bench.run(&["policy", "test", "failing.toml", "--json"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(ran.error()["kind"], "verification");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let mismatch = &report["tests"][0]["mismatches"][0];
    assert_eq!(
        (&mismatch["what"], &mismatch["expected"], &mismatch["got"]),
        (&json!("queue"), &json!("level2"), &json!("level1"))
    );
}

#[test]
fn another_policy_is_refused_until_it_is_activated() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let other = bench.write("other.toml", &POLICY.replace("low = 0.60", "low = 0.40"));
    let other = other.to_str().unwrap();
    assert_eq!(bench.run(&["queue", "list", "--policy", "policy.toml"]).code, 0, "the same again");
    let refused = bench.error(3, &["queue", "list", "--policy", other]);
    assert_eq!(refused["kind"], "policy");
    assert!(refused["hint"].as_str().unwrap().contains("policy activate"), "{refused}");

    let before = bench.json(&["policy", "show"])["hash"].clone();
    let active = bench.json(&["policy", "activate", other]);
    assert_ne!(active["policy"], before);
    assert_eq!(bench.json(&["policy", "show"])["hash"], active["policy"]);
    assert_eq!(
        bench.run(&["policy", "show"]).out.trim(),
        std::fs::read_to_string(other).unwrap().trim()
    );
    let ran = bench.pipe(&["ingest", "-", "--json"], &format!("{}\n", record("a-2", 0.5, 2.0)));
    assert_eq!(ran.lines()[0]["outcome"], "auto", "the new threshold holds");
    let log = bench.json(&["audit", "log"]).to_string();
    assert!(log.contains("policy_activated"), "{log}");
}

#[test]
fn a_policy_that_fails_the_check_or_drops_a_queue_in_use_is_never_activated() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let before = bench.json(&["policy", "show"])["hash"].clone();
    bench.write("bad.toml", &POLICY.replace("confidence < params.low", "confidence < params.lo"));
    let ran = bench.run(&["policy", "activate", "bad.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("params.lo"), "{}", ran.err);

    let dropped = POLICY.replace("level1", "first").replace("level2", "second");
    bench.write("dropped.toml", &dropped);
    let refused = bench.error(3, &["policy", "activate", "dropped.toml"]);
    assert!(refused["message"].as_str().unwrap().contains("level1"), "{refused}");
    assert_eq!(bench.json(&["policy", "show"])["hash"], before);
}

#[test]
fn schemas_beside_the_policy_count() {
    let bench = Bench::new();
    bench.write(
        "schemas/loan.input.json",
        r#"{"type": "object", "required": ["income_thousands"]}"#,
    );
    let mut poor = record("a-1", 0.9, 2.0);
    poor["input"] = json!({"applicant": "Ada"});
    let routes = bench.admit(&[poor, record("a-2", 0.9, 2.0)]);
    assert_eq!(routes[0]["outcome"], "quarantine");
    assert!(routes[0]["faults"].to_string().contains("schema"), "{}", routes[0]);
    assert_eq!(routes[1]["outcome"], "auto");
}

#[test]
fn explain_recomputes_the_route() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let view = bench.json(&["policy", "explain", "a-1"]);
    assert_eq!(view["reproduced"], true);
    assert_eq!(view["route"]["rule"], "unsure");
    assert!(view["facts"]["now"].is_string());
    let text = bench.run(&["policy", "explain", "a-1"]).out;
    assert!(text.contains("unsure") && text.contains("0.5"), "{text}");
    // The policy may move on: old decisions are explained by the one they were taken under.
    bench.write("policy.toml", &POLICY.replace("low = 0.60", "low = 0.40"));
    bench.json(&["policy", "activate", "policy.toml"]);
    assert_eq!(bench.json(&["policy", "explain", "a-1"])["reproduced"], true);
}

#[test]
fn a_policy_changed_behind_the_desk_s_back_sends_everything_to_people() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let file = bench.store();
    let mut bytes = std::fs::read(&file).unwrap();
    let needle = b"low = 0.60";
    let mut changed = 0;
    for at in 0..bytes.len() - needle.len() {
        if &bytes[at..at + needle.len()] == needle {
            bytes[at + 8] = b'1';
            changed += 1;
        }
    }
    assert!(changed > 0);
    std::fs::write(&file, bytes).unwrap();
    let ran = bench.pipe(&["ingest", "-", "--json"], &format!("{}\n", record("a-2", 0.99, 2.0)));
    assert_eq!(ran.code, 0, "{ran:?}");
    let route: serde_json::Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!((&route["outcome"], &route["rule"]), (&"review".into(), &"no-policy".into()));
    assert_eq!(bench.run(&["audit", "verify"]).code, 4);
}

#[test]
fn a_test_that_gives_what_no_rule_reads_is_a_mistake() {
    let bench = Bench::new();
    let test = |given: &str| {
        let test =
            format!("[[test]]\nname = 't'\ngiven = {given}\nexpect = {{ outcome = 'auto' }}\n");
        bench.write("slip.toml", &format!("{}\n{test}", super::bench::POLICY));
    };
    for (given, name, near) in [
        ("{ confidnce = 0.85 }", "no rule reads a field `confidnce`", "did you mean `confidence`?"),
        ("{ model = { nam = 'x' } }", "no rule reads `model.nam`", "did you mean `name`?"),
        ("{ customer = 'x' }", "no rule reads a field `customer`", "give it below `input`"),
    ] {
        test(given);
        for command in ["check", "test"] {
            let ran = bench.run(&["policy", command, "slip.toml"]);
            let all = format!("{}{}", ran.out, ran.err);
            assert_eq!(ran.code, 1, "{all}");
            assert!(
                all.contains(name) && all.contains(near) && all.contains("slip.toml:"),
                "{all}"
            );
        }
    }
    // What is below `input` is the caller's own.
    test("{ input = { anything = 1 } }");
    assert_eq!(bench.run(&["policy", "test", "slip.toml"]).code, 0);
}
