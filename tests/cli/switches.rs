//! `switch list`: one truth about where automation runs, whatever stands in its way.

use serde_json::{Value, json};

use super::bench::{Bench, POLICY, lines, record};

fn of(id: &str, domain: &str, model: &str, confidence: f64) -> Value {
    let mut record = record(id, confidence, 2.0);
    record["domain"] = json!(domain);
    record["model"] = json!({"name": model, "version": "1"});
    record.as_object_mut().unwrap().remove("occurred_at");
    record
}

/// The rows by scope.
fn rows(bench: &Bench) -> Vec<Value> {
    bench.json(&["switch", "list"])["switches"].as_array().unwrap().clone()
}

fn row(bench: &Bench, scope: &str) -> Value {
    let found = rows(bench).into_iter().find(|r| r["scope"] == scope);
    found.unwrap_or_else(|| panic!("no {scope}"))
}

/// `scope state (mode) under` of every row, in order.
fn told(bench: &Bench) -> Vec<String> {
    let word = |v: &Value| v.as_str().unwrap_or("-").to_owned();
    let tell = |r: &Value| {
        let [scope, state, mode, under] = ["scope", "state", "mode", "under"].map(|k| word(&r[k]));
        format!("{scope} {state} {mode} {under}")
    };
    rows(bench).iter().map(tell).collect()
}

#[test]
fn every_row_has_every_field_of_its_shape() {
    let bench = Bench::with(&[of("a", "loan", "pre", 0.95)]);
    for row in rows(&bench) {
        let row = row.as_object().unwrap();
        assert_eq!(row["state"], "on");
        for field in ["mode", "by", "at", "reason"] {
            assert_eq!(row.get(field), Some(&Value::Null), "{field}: {row:?}");
        }
    }
}

#[test]
fn what_is_inside_of_a_stop_is_stopped_and_says_by_what() {
    let bench = Bench::with(&[
        of("a", "loan", "pre", 0.95),
        of("b", "loan", "both", 0.95),
        of("b2", "loan", "both", 0.95),
        of("c", "care", "both", 0.95),
    ]);
    bench.run(&["kill", "--scope", "domain=loan", "--reason", "it approves everybody"]);
    assert_eq!(
        told(&bench),
        [
            "all on - -",
            "domain=care on - -",
            "domain=loan killed human -",
            // What decides elsewhere, too, goes on there.
            "model=both limited - domain=loan",
            "model=both@1 limited - domain=loan",
            "model=pre killed human domain=loan",
            "model=pre@1 killed human domain=loan",
        ]
    );
    let inside = row(&bench, "model=pre@1");
    assert_eq!(inside["reason"], "it approves everybody");
    let text = bench.run(&["switch", "list"]).out;
    let line = |name: &str| text.lines().find(|l| l.trim_start().starts_with(name)).unwrap();
    assert!(line("domain=loan").contains("killed (human)"), "{text}");
    assert!(line("model=pre@1").contains("killed, under domain=loan"), "{text}");
    assert_eq!(text.matches("it approves everybody").count(), 1, "{text}");
    // What is stopped above and by itself keeps being stopped by itself.
    bench.run(&["kill", "--scope", "model=pre", "--mode", "block", "--reason", "x"]);
    bench.run(&["kill", "--scope", "all", "--reason", "everything"]);
    assert_eq!(
        told(&bench)[..4],
        [
            "all killed human -",
            "domain=care killed human all",
            "domain=loan killed human -",
            "model=both killed human all",
        ]
    );
    assert!(told(&bench).contains(&"model=pre killed block -".to_owned()));
}

#[test]
fn the_version_to_use_instead_is_not_stopped() {
    let mut old = of("a", "loan", "pre", 0.95);
    old["model"]["version"] = json!("0");
    let bench = Bench::with(&[old, of("b", "loan", "pre", 0.95)]);
    let kill = ["kill", "--scope", "model=pre", "--mode", "last-good", "--to", "0"];
    bench.run(&[&kill[..], &["--reason", "x"]].concat());
    assert_eq!(
        told(&bench)[2..],
        [
            "model=pre killed last-good -",
            "model=pre@0 on - -",
            "model=pre@1 killed last-good model=pre",
        ]
    );
}

#[test]
fn a_scope_that_nothing_is_known_of_stands_for_itself() {
    let bench = Bench::with(&[of("a", "support", "bot", 0.95)]);
    for scope in ["model=loan-gb@4.0", "model=bot@9", "domain=tax", "action=approve"] {
        bench.run(&["kill", "--scope", scope, "--reason", "x"]);
    }
    let text = bench.run(&["switch", "list"]).out;
    let starts: Vec<&str> = text
        .lines()
        .skip(1)
        .map(|l| l.split_at(l.find("  ").map_or(0, |_| l.trim_end().len())).0)
        .map(|l| {
            let indent = l.len() - l.trim_start().len();
            &l[..indent + l[indent..].find(' ').unwrap()]
        })
        .collect();
    assert_eq!(
        starts,
        [
            "all",
            "  domain=support",
            "    model=bot",
            "      model=bot@1",
            "      model=bot@9",
            "  domain=tax",
            "  model=loan-gb@4.0",
            "  action=approve",
        ]
    );
}

#[test]
fn a_breaker_that_is_open_pauses_what_it_covers() {
    let bench = Bench::new();
    let policy = format!("{POLICY}\n[breaker]\noverride_low = 0.10\nwindow = \"1h\"\n");
    bench.write("policy.toml", &policy);
    let ids: Vec<String> = (0..60).map(|i| format!("d-{i}")).collect();
    bench.admit(&ids.iter().map(|id| of(id, "r", "m", 0.4)).collect::<Vec<_>>());
    let verdicts: Vec<Value> =
        ids.iter().map(|id| json!({"id": id, "verdict": "reject", "note": "no"})).collect();
    let ran = bench.pipe(&["decide", "--from", "-", "--json"], &lines(&verdicts));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(bench.run(&["watch", "--once"]).code, 0);
    let admitted = bench.admit(&[of("sure", "r", "m", 0.99)]);
    assert_eq!(admitted[0]["rule"], "breaker");
    let paused = |scope: &str| format!("{scope} paused human -");
    let scopes = ["all", "domain=r", "model=m", "model=m@1"];
    assert_eq!(told(&bench), scopes.map(paused));
    let all = row(&bench, "all");
    assert_eq!((&all["by"], &all["at"].is_string()), (&json!("breaker"), &true));
    let reason = all["reason"].as_str().unwrap();
    assert!(reason.starts_with("breaker on m@1 in r: 60 of 60 overridden"), "{reason}");
    let metrics = bench.run(&["signals", "metrics"]).out;
    for line in [
        r#"overrule_automation_state{scope="all",state="paused"} 1"#,
        r#"overrule_automation_state{scope="all",state="on"} 0"#,
        r#"overrule_automation_state{scope="domain=r",state="paused"} 1"#,
        "overrule_automation_running 0",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}: {metrics}");
    }
    // Another model of the domain decides on: the domain is limited, the model stays paused.
    assert_eq!(bench.admit(&[of("other", "r", "n", 0.99)])[0]["outcome"], "auto");
    let states: Vec<String> = told(&bench);
    assert_eq!(
        states,
        [
            "all limited - -",
            "domain=r limited - -",
            "model=m paused human -",
            "model=m@1 paused human -",
            "model=n on - -",
            "model=n@1 on - -",
        ]
    );
}
