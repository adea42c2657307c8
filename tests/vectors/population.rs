//! PSI, KL, JS over frozen bins: evidently, scipy, nannyml.

use overrule::signals::{Bins, Population, Value};
use serde_json::Value as Json;

use crate::case::{Case, cases, close, counts, numbers, ran};

/// Reference and current values as features have them.
fn values(kind: &str, list: &Json) -> Vec<Option<Json>> {
    assert!(["numeric", "categorical"].contains(&kind));
    list.as_array().unwrap().iter().map(|v| (!v.is_null()).then(|| v.clone())).collect()
}

fn value(v: &Option<Json>) -> Value<'_> {
    match v {
        None => Value::Missing,
        Some(Json::String(level)) => Value::Level(level),
        Some(other) => Value::Number(other.as_f64().unwrap()),
    }
}

fn tallies(case: &Case) -> (Vec<u64>, Vec<u64>) {
    let kind = case.input["kind"].as_str().unwrap();
    if kind == "counts" {
        return (counts(&case.input["ref_counts"]), counts(&case.input["cur_counts"]));
    }
    let reference = values(kind, &case.input["reference"]);
    let current = values(kind, &case.input["current"]);
    let there = reference.iter().map(value);
    let bins = if kind == "numeric" {
        Bins::of_numbers(
            there.filter_map(|v| if let Value::Number(x) = v { Some(x) } else { None }),
        )
    } else {
        Bins::of_levels(there.filter_map(|v| if let Value::Level(l) = v { Some(l) } else { None }))
    }
    .unwrap();
    match &bins {
        Bins::Deciles { edges } => {
            let theirs = numbers(&case.expected["edges"]);
            assert_eq!(edges.len(), theirs.len(), "{}", case.name);
            for (ours, theirs) in edges.iter().zip(theirs) {
                assert_eq!(Some(*ours), theirs, "{}: an edge", case.name);
            }
        }
        Bins::Values { values } => {
            let theirs: Vec<f64> =
                numbers(&case.expected["levels"]).into_iter().flatten().collect();
            assert_eq!(*values, theirs, "{}", case.name);
        }
        Bins::Levels { levels, .. } => {
            let theirs: Vec<String> =
                serde_json::from_value(case.expected["levels"].clone()).unwrap();
            assert_eq!(*levels, theirs, "{}", case.name);
        }
    }
    let (r, c) = (bins.tally(reference.iter().map(value)), bins.tally(current.iter().map(value)));
    // The file leaves out bins that are empty on both sides.
    let (mut r_seen, mut c_seen) = (Vec::new(), Vec::new());
    let mut names = Vec::new();
    for (i, (&r, &c)) in r.iter().zip(&c).enumerate() {
        if r + c > 0 {
            r_seen.push(r);
            c_seen.push(c);
            names.push(if i < bins.regular() { format!("b{i:02}") } else { bins.label(i) });
        }
    }
    assert_eq!(r_seen, counts(&case.expected["ref_counts"]), "{}", case.name);
    assert_eq!(c_seen, counts(&case.expected["cur_counts"]), "{}", case.name);
    assert_eq!(Json::from(names), case.expected["bins"], "{}", case.name);
    (r, c)
}

#[test]
fn population_drift() {
    let Some(list) = cases("population_drift.json") else { return };
    for case in &list {
        let (r, c) = tallies(case);
        let p = Population::compare(&r, &c).unwrap();
        close(case, "psi", p.psi, &case.expected["psi"]);
        close(case, "kl", p.kl, &case.expected["kl_ref_cur"]);
        let back = Population::compare(&c, &r).unwrap();
        close(case, "kl backwards", back.kl, &case.expected["kl_cur_ref"]);
        close(case, "js", p.js, &case.expected["js_distance_base2"]);
        if !case.expected["psi_null_mean"].is_null() {
            close(case, "js squared", p.js * p.js, &case.expected["js_divergence_base2"]);
            close(case, "js in nats", p.js * 2_f64.ln().sqrt(), &case.expected["js_distance_nats"]);
            close(case, "psi without drift", p.psi_null_mean(), &case.expected["psi_null_mean"]);
            close(case, "psi at 95 %", p.psi_critical(0.95), &case.expected["psi_crit_95"]);
        }
    }
    ran("population_drift.json", list.len());
}

/// Evidently's own bins for numbers (Sturges over both samples together) are not the product's;
/// counted in them, the formulas still give evidently's figures.
#[test]
fn population_drift_in_evidentlys_bins() {
    let Some(list) = cases("population_drift_evidently_numeric.json") else { return };
    for case in &list {
        let read =
            |name: &str| -> Vec<f64> { numbers(&case.input[name]).into_iter().flatten().collect() };
        let (reference, current) = (read("reference"), read("current"));
        let all = || reference.iter().chain(&current).copied();
        let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
        let bins = case.expected["n_bins"].as_u64().unwrap();
        let width = (high - low) / bins as f64;
        // numpy: left-closed, the last one closed on both sides; edges as linspace gives them.
        let edges: Vec<f64> = (1..bins).map(|i| i as f64 * width + low).collect();
        let tally = |list: &[f64]| {
            let mut counts = vec![0_u64; edges.len() + 1];
            for x in list {
                counts[edges.iter().filter(|e| x >= e).count()] += 1;
            }
            counts
        };
        let (r, c) = (tally(&reference), tally(&current));
        let p = Population::compare(&r, &c).unwrap();
        close(case, "psi", p.psi, &case.expected["psi"]);
        close(case, "js", p.js * 2_f64.ln().sqrt(), &case.expected["js_distance_nats"]);
        // Evidently also fills bins that are empty on both sides, and makes shares add up after.
        if r.iter().zip(&c).all(|(r, c)| r + c > 0) {
            close(case, "kl", p.kl, &case.expected["kl_ref_cur"]);
        }
    }
    ran("population_drift_evidently_numeric.json", list.len());
}
