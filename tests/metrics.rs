//! The figures as Prometheus reads them: exact lines, the conventions that `promtool` checks, the
//! alert rules with their own tests, and a dashboard that asks for nothing that is not there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use overrule::desk::metrics::exposition;
use overrule::protocol::{ContainmentView, Header, SignalsView};
use serde_json::{Value, json};
use support::{Home, lines, record};

fn assets(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

fn header() -> Header {
    serde_json::from_value(json!({
        "reviewer": {"name": "ann", "level": 3, "roles": ["admin"], "disabled": false, "key": null, "version": 1},
        "store": "desk", "now": "2026-11-22T12:00:00Z", "clock": "wall",
        "queues": [
            {"name": "level1", "title": "One", "level": 1, "waiting": 12, "leased": 2, "late": 3,
             "due_soon": 1, "signed": false, "escalates_to": null},
            {"name": "q\"\\\n", "title": "Odd", "level": 1, "waiting": 1, "leased": 0, "late": 0,
             "due_soon": 0, "signed": false, "escalates_to": null},
        ],
        "automation": "limited: domain=loan", "generation": 12, "policy": "sha256:ab", "unsent": null,
        "head": 9001, "decisions": 500, "automatic": 420,
    }))
    .unwrap()
}

fn signals() -> SignalsView {
    serde_json::from_value(json!({
        "window": "24h", "now": "2026-11-22T12:00:00Z", "reference": null,
        "slices": [
            {"slice": {"model": "m@1"}, "decisions": 100, "auto": 80, "reviewed": 20,
             "overridden": 5, "override_rate": 0.25, "override_interval": [0.1, 0.45],
             "baseline": 0.05, "verdict": "over", "reversals": 1,
             "auto_error": {"value": 0.03, "low": 0.01, "high": 0.06, "n": 40}},
            {"slice": {"cohort": "race:black"}, "decisions": 10, "auto": 10, "reviewed": 0,
             "overridden": 0, "override_rate": null, "override_interval": null, "baseline": null,
             "verdict": "not_enough_data", "reversals": 0, "auto_error": null},
            {"slice": {"reviewer": "ann"}, "decisions": 9, "auto": 0, "reviewed": 9,
             "overridden": 1, "override_rate": 0.11, "override_interval": [0.0, 0.4],
             "baseline": null, "verdict": "stable", "reversals": 0, "auto_error": null},
        ],
        "drift": [
            {"slice": {"model": "m@1"}, "feature": "confidence", "n_ref": 900, "n_cur": 300,
             "psi": 0.31, "kl": 0.2, "js": 0.15, "ks": 0.22, "ks_p": 0.001, "chi2": null,
             "chi2_p": null, "verdict": "drift"},
            {"slice": {"model": "m@1"}, "feature": "input.age", "n_ref": 900, "n_cur": 3,
             "psi": null, "kl": null, "js": null, "ks": null, "ks_p": null, "chi2": null,
             "chi2_p": null, "verdict": "not_enough_data"},
        ],
        "calibration": [{"model": "m@1", "n": 60, "ece": 0.07, "ece_before": 0.02, "mce": 0.2,
                         "brier": 0.11, "bins": [], "verdict": "stable"}],
        "sla": [{"queue": "level1", "decided": 40, "in_time": 38, "compliance": 0.95, "late": 3,
                 "at_risk": 2, "mean_ms": 90000.0, "median_ms": 60000.0, "p95_ms": 300000.0,
                 "resolve_ms": 120000.0, "escalation_ms": 600000.0}],
        "automation_share": 0.84,
        "flow": {"decisions_per_hour": 3600.0, "arrivals_per_hour": 36.0, "reviews_per_hour": 18.0,
                 "arrival_z": 1.5, "model_p50_ms": 120.0, "model_p95_ms": 800.0,
                 "admit_p50_ms": 0.5, "admit_p95_ms": 2.0},
        "missing": {"input.age": 4},
    }))
    .unwrap()
}

fn containment() -> ContainmentView {
    serde_json::from_value(json!({
        "generation": 12,
        "switches": [
            {"scope": "all", "state": "on", "by": null, "at": null, "reason": null},
            {"scope": "model=m@1", "mode": "human", "state": "killed", "by": "ann",
             "at": "2026-11-22T11:00:00Z", "reason": "bad"},
        ],
        "breakers": [{"domain": "loan", "model": "m@1", "state": "open",
                      "since": "2026-11-22T11:00:00Z", "cause": null, "retry_at": null}],
        "limits": [{"name": "loan", "scope": "domain=loan", "per_minute": 600.0,
                    "effective": 300.0, "turned_away": 7}],
        "budgets": [{"queue": "level1", "per_hour": 36.0, "arrivals": 50, "overflow": "sample",
                     "gave_way": 4, "breach_at": "2026-11-22T13:00:00Z"}],
        "canaries": [{"model": "m", "version": "2", "baseline": "1", "state": "running", "step": 1,
                      "steps": [0.1, 1.0], "share": 0.1, "since": "2026-11-22T11:00:00Z",
                      "canary": [1, 20], "base": [2, 200], "e_value": 3.5, "e_needed": 100.0,
                      "history": [], "difference": null, "verdict": "not_enough_data",
                      "promote_level": 2, "reason": null}],
        "freezes": [{"id": "f1", "like": "x", "domain": "loan", "action": "approve", "cohort": null,
                     "by": "ann", "level": 2, "at": "2026-11-22T11:00:00Z", "held": 6,
                     "reason": "r"}],
        "incidents": [
            {"id": "i1", "state": "open", "kind": "k", "slice": {}, "opened_at": "2026-11-22T11:30:00Z",
             "acknowledged_at": null, "acknowledged_by": null, "resolved_at": null,
             "resolved_by": null, "cause": "c", "fired": 1, "runbook": null},
            {"id": "i2", "state": "resolved", "kind": "k", "slice": {},
             "opened_at": "2026-11-20T11:30:00Z", "acknowledged_at": null, "acknowledged_by": null,
             "resolved_at": "2026-11-20T11:40:00Z", "resolved_by": "ann", "cause": "c", "fired": 1,
             "runbook": null},
        ],
        "outgoing": {"waiting": 2, "held": 1, "dead": 3, "listed": []},
    }))
    .unwrap()
}

fn text() -> String {
    let week = SignalsView { window: "7d".to_owned(), ..signals() };
    exposition(&header(), &[signals(), week], &containment()).unwrap()
}

#[test]
fn every_figure_stands_there_once_in_base_units() {
    let text = text();
    for line in [
        "# TYPE overrule_decisions_total counter",
        r#"overrule_decisions_total{outcome="auto"} 420"#,
        r#"overrule_decisions_total{outcome="people"} 80"#,
        "overrule_log_entries_total 9001",
        r#"overrule_policy_info{policy="sha256:ab"} 1"#,
        "overrule_automation_running 0",
        r#"overrule_queue_items{queue="level1"} 12"#,
        r#"overrule_queue_items{queue="q\"\\\n"} 1"#,
        r#"overrule_queue_late_items{queue="level1"} 3"#,
        r#"overrule_override_ratio{dimension="model",slice="m@1",window="24h"} 0.25"#,
        r#"overrule_override_low_ratio{dimension="model",slice="m@1",window="24h"} 0.1"#,
        r#"overrule_window_decisions{dimension="cohort",outcome="auto",slice="race:black",window="24h"} 10"#,
        r#"overrule_window_reviews{dimension="model",outcome="accepted",slice="m@1",window="24h"} 15"#,
        r#"overrule_drift_psi{dimension="model",feature="confidence",slice="m@1",window="24h"} 0.31"#,
        r#"overrule_drift_psi{dimension="model",feature="confidence",slice="m@1",window="7d"} 0.31"#,
        r#"overrule_drift_alarm{dimension="model",feature="confidence",slice="m@1",window="24h"} 1"#,
        r#"overrule_calibration_error_ratio{model="m@1",window="24h"} 0.07"#,
        r#"overrule_sla_compliance_ratio{queue="level1",window="24h"} 0.95"#,
        r#"overrule_sla_verdicts{in_time="false",queue="level1",window="24h"} 2"#,
        r#"overrule_review_p95_seconds{queue="level1",window="24h"} 300"#,
        r#"overrule_automation_ratio{window="24h"} 0.84"#,
        r#"overrule_decisions_per_second{window="24h"} 1"#,
        r#"overrule_model_latency_p95_seconds{window="24h"} 0.8"#,
        r#"overrule_automation_state{scope="all",state="on"} 1"#,
        r#"overrule_automation_state{scope="model=m@1",state="killed"} 1"#,
        r#"overrule_automation_state{scope="model=m@1",state="on"} 0"#,
        r#"overrule_breaker_state{domain="loan",model="m@1",state="open"} 1"#,
        r#"overrule_limit_decisions_per_second{bound="effective",limit="loan"} 5"#,
        r#"overrule_budget_reviews_per_second{queue="level1"} 0.01"#,
        r#"overrule_budget_breach_timestamp_seconds{queue="level1"} 1795352400"#,
        r#"overrule_canary_e_value{model="m",version="2"} 3.5"#,
        "overrule_freeze_held_decisions 6",
        r#"overrule_incidents{state="open"} 1"#,
        "overrule_incident_unacknowledged_seconds 1800",
        r#"overrule_outbox_items{state="dead"} 3"#,
    ] {
        let times = text.lines().filter(|l| *l == line).count();
        assert_eq!(times, 1, "{line}\n{text}");
    }
}

#[test]
fn what_is_not_known_is_absent_and_people_are_no_labels() {
    let text = text();
    assert!(!text.contains(r#"overrule_override_ratio{dimension="cohort""#));
    assert!(!text.contains(r#"feature="input.age",slice="m@1""#), "no verdict without data");
    assert!(!text.contains("\"ann\""), "no reviewer is a label");
    let none =
        exposition(&header(), &[SignalsView::default()], &ContainmentView::default()).unwrap();
    assert!(!none.contains("NaN") && !none.contains("overrule_override_ratio"));
    assert!(none.contains("overrule_incidents{state=\"open\"} 0\n"));
}

/// The names that stand in the text with everything in it.
fn names() -> BTreeSet<String> {
    let text = text();
    let types = text.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    types.map(|l| l.split(' ').next().unwrap().to_owned()).collect()
}

/// Names of ours in an expression.
fn asked(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|w| w.starts_with("overrule_")).map(str::to_owned).collect()
}

#[test]
fn the_rules_and_the_dashboard_ask_only_for_figures_that_are_there() {
    let names = names();
    let rules = std::fs::read_to_string(assets("prometheus/overrule.rules.yml")).unwrap();
    let rules: String = rules.lines().filter(|l| !l.trim().starts_with(['#', '-'])).collect();
    let dashboard = std::fs::read_to_string(assets("grafana/overrule.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut asked_for: Vec<String> = asked(&rules);
    assert!(asked_for.len() >= 12, "{asked_for:?}");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut places = Vec::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "panel ids are unique");
        let at = |k: &str| panel["gridPos"][k].as_u64().unwrap();
        let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
        assert!(x + w <= 24, "{}", panel["title"]);
        for (a, b, c, d) in &places {
            let apart = x + w <= *a || a + c <= x || y + h <= *b || b + d <= y;
            assert!(apart, "{} lies over another panel", panel["title"]);
        }
        places.push((x, y, w, h));
        if panel["type"] == "row" {
            continue;
        }
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            let found = asked(target["expr"].as_str().unwrap());
            assert!(!found.is_empty(), "{target}");
            asked_for.extend(found);
        }
    }
    for name in asked_for {
        assert!(names.contains(&name), "{name} is asked for, and nobody gives it");
    }
}

/// Run promtool where it is installed.
fn promtool(args: &[&str], input: Option<&str>) -> Option<(bool, String)> {
    let started = Command::new("promtool")
        .args(args)
        .current_dir(assets("prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("skipped: promtool is not installed (Debian: prometheus)");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    Some((out.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn promtool_finds_nothing_to_say_about_the_figures() {
    let Some((fine, said)) = promtool(&["check", "metrics"], Some(&text())) else { return };
    assert!(fine && said.is_empty(), "{said}");
    // It would have: a name without help, in milliseconds.
    let (fine, _) = promtool(&["check", "metrics"], Some("overrule_x_milliseconds 1\n")).unwrap();
    assert!(!fine);
}

#[test]
fn the_alert_rules_pass_their_own_tests() {
    let Some((fine, said)) = promtool(&["check", "rules", "overrule.rules.yml"], None) else {
        return;
    };
    assert!(fine && said.contains("13 rules found"), "{said}");
    let (fine, said) = promtool(&["test", "rules", "overrule.rules.test.yml"], None).unwrap();
    assert!(fine, "{said}");
}

#[test]
fn a_desk_at_work_prints_its_figures() {
    let home = Home::new();
    let mut sure = record("sure");
    sure["confidence"] = json!(0.97);
    sure["business_impact"] = json!(2);
    let input = home.write("in.jsonl", &lines(&[record("a"), record("b"), sure]));
    home.ok(&["ingest", "--policy", policy(&home).to_str().unwrap(), input.to_str().unwrap()]);
    home.ok(&["decide", "a", "reject"]);
    let text = home.ok(&["signals", "metrics"]);
    for line in [
        r#"overrule_decisions_total{outcome="auto"} 1"#,
        r#"overrule_decisions_total{outcome="people"} 2"#,
        r#"overrule_queue_items{queue="level1"} 1"#,
        r#"overrule_automation_running 1"#,
        r#"overrule_automation_state{scope="all",state="on"} 1"#,
        r#"overrule_outbox_items{state="dead"} 0"#,
    ] {
        assert_eq!(text.lines().filter(|l| *l == line).count(), 1, "{line}\n{text}");
    }
    for window in ["15m", "1h", "24h", "7d"] {
        assert!(text.contains(&format!("window=\"{window}\"")), "{window}\n{text}");
    }
    assert_eq!(home.ok(&["signals", "metrics"]), text, "a desk at rest prints the same again");
    home.exits(&["signals", "metrics", "--window", "2h"], 2);
    let Some((fine, said)) = promtool(&["check", "metrics"], Some(&text)) else { return };
    assert!(fine && said.is_empty(), "{said}");
}

/// What is unsure or weighty goes to level 1.
fn policy(home: &Home) -> PathBuf {
    home.write(
        "policy.toml",
        r#"
policy = "figures"
[queues.level1]
level = 1
sla = "30m"
[[route]]
id = "unsure"
when = 'confidence < 0.9'
to = "level1"
[default]
to = "auto"
"#,
    )
}
