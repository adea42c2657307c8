//! `signals`: what drifts in files and in a store, what is usual, and what an override rate says.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::bench::{Bench, lines, shared};

/// A record of a loan model with a confidence, an income and a group.
fn loan(i: usize, confidence: f64, income: f64, group: &str) -> Value {
    let minute = format!("{:02}:{:02}", i / 60 % 24, i % 60);
    json!({
        "id": format!("l-{i}"), "occurred_at": format!("2026-05-{:02}T{minute}:00Z", 1 + i / 1440),
        "domain": "loan", "model": {"name": "m", "version": "1"}, "cohort": {"race": group},
        "action": "approve", "input": {"income": income, "note": "none"},
        "output": {"decision": "approve"}, "confidence": confidence, "business_impact": 2,
    })
}

/// A spread of numbers in 0..1 without chance.
fn spread(i: usize) -> f64 {
    (i * 37 % 101) as f64 / 101.0
}

fn written(bench: &Bench, name: &str, records: &[Value]) -> String {
    let path: PathBuf = bench.path(name);
    std::fs::write(&path, lines(records)).unwrap();
    path.to_string_lossy().into_owned()
}

fn feature<'v>(found: &'v Value, name: &str) -> &'v Value {
    let list = found["features"].as_array().unwrap();
    list.iter().find(|f| f["feature"] == name).unwrap_or_else(|| panic!("no {name}: {found}"))
}

#[test]
fn two_files_are_compared_without_a_store() {
    let bench = Bench::new();
    let before: Vec<Value> =
        (0..300).map(|i| loan(i, spread(i), 50.0 + 10.0 * spread(i * 3), "a")).collect();
    let after: Vec<Value> =
        (300..600).map(|i| loan(i, spread(i), 58.0 + 10.0 * spread(i * 3), "a")).collect();
    let (before, after) =
        (written(&bench, "before.jsonl", &before), written(&bench, "after.jsonl", &after));
    let found = bench.json(&["signals", "compare", &before, &after]);
    let income = feature(&found, "input.income");
    assert_eq!(
        (&income["verdict"], &income["n_ref"], &income["n_cur"]),
        (&json!("drift"), &json!(300), &json!(300))
    );
    assert!(
        income["psi"].as_f64().unwrap() > 1.0 && income["ks_p"].as_f64().unwrap() < 1e-9,
        "{income}"
    );
    let confidence = feature(&found, "confidence");
    assert_eq!(confidence["verdict"], "stable");
    for field in ["psi", "kl", "js", "ks", "ks_p"] {
        assert!(confidence[field].is_number(), "{field} is there: {confidence}");
    }
    assert_eq!(found["features"][0]["feature"], "input.income", "what moved most comes first");

    let text = bench.run(&["signals", "compare", &before, &after]);
    assert!(text.out.contains("1 of 6 features drift"), "{text:?}");
    assert!(!text.out.contains('\u{1b}'), "no colour in a pipe");
    assert!(!bench.path("desk.db").exists(), "no store was made");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let bench = Bench::new();
    let few: Vec<Value> = (0..120).map(|i| loan(i, 0.5, 1.0, "a")).collect();
    let other: Vec<Value> = (0..120).map(|i| loan(i, 0.9, 2.0, "a")).collect();
    let (few, other) = (written(&bench, "few.jsonl", &few), written(&bench, "other.jsonl", &other));
    let found = bench.json(&["signals", "compare", &few, &other]);
    let list = found["features"].as_array().unwrap();
    assert!(list.iter().all(|f| f["verdict"] == "not_enough_data"), "{found}");
    let empty = written(&bench, "empty.jsonl", &[]);
    assert_eq!(bench.run(&["signals", "compare", &few, &empty]).code, 2);
    assert_eq!(bench.run(&["signals", "compare", &few, "missing.jsonl"]).code, 1);
}

#[test]
fn the_planted_shift_of_the_loans_is_found_and_healthy_cells_are_left_alone() {
    let files = ["loan_boston.jsonl", "medical_cytology.jsonl"].map(shared);
    let Some(files) = files.into_iter().collect::<Option<Vec<_>>>() else { return };
    let bench = Bench::new();
    let halves = |file: &PathBuf, at: usize| {
        let text = std::fs::read_to_string(file).unwrap();
        let all: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let (before, after) = all.split_at(at);
        let (before, after) =
            (written(&bench, "before.jsonl", before), written(&bench, "after.jsonl", after));
        bench.json(&["signals", "compare", &before, &after])
    };
    let loans = halves(&files[0], 511);
    for name in ["confidence", "input.loan_to_price", "input.liquid_assets_thousands"] {
        assert_eq!(feature(&loans, name)["verdict"], "drift", "{name}: {loans}");
    }
    assert_eq!(feature(&loans, "business_impact")["verdict"], "stable");
    // The cells have no shift; 143 of them against 142 are not judged, nor are all against half.
    for at in [142, 85] {
        let cells = halves(&files[1], at);
        let drifted: Vec<&Value> = cells["features"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["verdict"] == "drift")
            .collect();
        assert!(drifted.is_empty(), "{drifted:?}");
    }
}

#[test]
fn a_store_shows_its_windows_and_compares_them_with_a_frozen_reference() {
    let bench = Bench::new();
    // Two days by the records' own clock; in the last hours incomes have moved.
    let records: Vec<Value> = (0..2_400)
        .map(|i| {
            let moved = if i < 2_000 { 0.0 } else { 9.0 };
            loan(i, 0.7 + 0.3 * spread(i), 50.0 + moved + 10.0 * spread(i * 3), ["a", "b"][i % 2])
        })
        .collect();
    let file = written(&bench, "loans.jsonl", &records);
    bench.run(&["ingest", &file, "--policy", "policy.toml", "--clock", "record"]);

    let set =
        bench.json(&["signals", "reference", "set", "--from", "2026-05-01", "--to", "2026-05-02"]);
    assert_eq!(
        (&set["version"], &set["decisions"]),
        (&json!(2), &json!(1440)),
        "the first was frozen by itself"
    );

    let shown = bench.json(&["signals", "show", "--window", "1h", "--by", "cohort"]);
    assert_eq!((&shown["window"], &shown["reference"]["version"]), (&json!("1h"), &json!(2)));
    let slices = shown["slices"].as_array().unwrap();
    assert_eq!(
        slices.iter().map(|s| s["slice"]["cohort"].clone()).collect::<Vec<_>>(),
        [json!("race:a"), json!("race:b")]
    );
    // The hour before 15:59 and the minutes of now: 61 decisions.
    assert_eq!(slices.iter().map(|s| s["decisions"].as_u64().unwrap()).sum::<u64>(), 61);
    assert!(
        slices
            .iter()
            .all(|s| s["verdict"] == "not_enough_data" && s["override_rate"] == Value::Null)
    );

    let day = bench.json(&["signals", "show", "--window", "24h"]);
    let of = |name: &str| {
        day["drift"].as_array().unwrap().iter().find(|d| d["feature"] == name).unwrap().clone()
    };
    let income = of("input.income");
    assert_eq!((&income["slice"], &income["verdict"]), (&json!({"model": "m@1"}), &json!("drift")));
    assert_eq!(
        (of("confidence")["verdict"].as_str(), income["n_ref"].as_u64()),
        (Some("stable"), Some(1440))
    );
    // From 15:00 the day before to 15:59: 25 hours, of which 24 hours are in the trail.
    assert_eq!(income["n_cur"], 1500);
    let overall = day["slices"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["slice"] == json!({"overall": "all"}))
        .unwrap()
        .clone();
    assert_eq!(overall["decisions"], 1500);

    // The same again: what was counted and stored is what was shown before it was.
    assert_eq!(bench.json(&["signals", "show", "--window", "24h"]), day);
    let text = bench.run(&["signals", "show"]).out;
    assert!(text.contains("input.income") && text.contains("drift ▲"), "{text}");
}

#[test]
fn verdicts_count_in_every_slice_they_belong_to() {
    let bench = Bench::new();
    let records: Vec<Value> =
        (0..40).map(|i| loan(i, 0.5, 50.0, if i < 20 { "a" } else { "b" })).collect();
    let file = written(&bench, "loans.jsonl", &records);
    let verdicts: Vec<Value> = (0..40)
        .map(|i| {
            let verdict = if i % 4 == 0 && i < 20 { "reject" } else { "accept" };
            // In time: what is late goes up a level and needs a second person.
            let at = format!("2026-05-01T{:02}:{:02}:00Z", (i + 25) / 60, (i + 25) % 60);
            json!({"id": format!("l-{i}"), "verdict": verdict, "at": at, "tags": ["factual_error"]})
        })
        .collect();
    let verdicts = written(&bench, "verdicts.jsonl", &verdicts);
    let ran = bench.run(&[
        "ingest",
        &file,
        "--policy",
        "policy.toml",
        "--clock",
        "record",
        "--verdicts",
        &verdicts,
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let shown = bench.json(&["signals", "show", "--window", "24h"]);
    let slice = |kind: &str, value: &str| {
        let list = shown["slices"].as_array().unwrap();
        list.iter()
            .find(|s| s["slice"][kind] == value)
            .unwrap_or_else(|| panic!("{kind} {value}: {shown}"))
            .clone()
    };
    let counts = |s: &Value| (s["reviewed"].as_u64().unwrap(), s["overridden"].as_u64().unwrap());
    assert_eq!(counts(&slice("overall", "all")), (40, 5));
    assert_eq!(counts(&slice("cohort", "race:a")), (20, 5));
    assert_eq!(counts(&slice("cohort", "race:b")), (20, 0));
    assert_eq!(counts(&slice("model", "m@1")), (40, 5));
    assert_eq!(counts(&slice("queue", "level1")), (40, 5));
    let a = slice("cohort", "race:a");
    assert_eq!(a["override_rate"], 0.25);
    let interval: Vec<f64> =
        a["override_interval"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert!(
        (interval[0] - 0.111_862).abs() < 1e-5 && (interval[1] - 0.468_705).abs() < 1e-5,
        "{interval:?}"
    );
    let calibration = &shown["calibration"][0];
    assert_eq!((&calibration["model"], &calibration["n"]), (&json!("m@1"), &json!(40)));
    // Confidence 0.5 throughout, right in 35 of 40.
    assert!((calibration["ece"].as_f64().unwrap() - 0.375).abs() < 1e-6, "{calibration}");
    let clock = &shown["sla"][0];
    assert_eq!((&clock["queue"], &clock["decided"]), (&json!("level1"), &json!(40)));
}

#[test]
fn an_item_stands_against_what_is_usual_for_its_cohort() {
    let bench = Bench::new();
    let usual: Vec<Value> =
        (0..400).map(|i| loan(i, 0.9, 50.0 + 10.0 * spread(i), ["a", "b"][i % 2])).collect();
    let file = written(&bench, "june.jsonl", &usual);
    bench.admit(&[loan(1_000, 0.5, 90.0, "a"), loan(1_001, 0.5, 55.0, "c")]);
    let set = bench.json(&["signals", "reference", "set", "--file", &file]);
    assert_eq!(
        (&set["version"], &set["decisions"], &set["name"]),
        (&json!(1), &json!(400), &json!(file))
    );
    let usual = |id: &str| {
        let item = bench.json(&["show", id]);
        let list = item["usual"].as_array().unwrap().clone();
        list.into_iter().find(|u| u["field"] == "input.income").unwrap_or_else(|| panic!("{item}"))
    };
    let high = usual("l-1000");
    assert_eq!(
        (&high["value"], &high["unusual"], &high["rank"]),
        (&json!(90.0), &json!("high"), &json!(1.0))
    );
    assert_eq!(
        (&high["against"], &high["n"], &high["bin"]),
        (&json!("cohort race:a · m@1"), &json!(200), &json!(15))
    );
    let shares: Vec<f64> = serde_json::from_value(high["shares"].clone()).unwrap();
    assert!(shares.len() == 16 && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
    let middle = usual("l-1001");
    assert_eq!(
        (&middle["against"], &middle["n"], &middle["unusual"]),
        (&json!("m@1"), &json!(400), &Value::Null)
    );
    assert!((middle["rank"].as_f64().unwrap() - 0.5).abs() < 0.05, "{middle}");

    let shown = bench.json(&["signals", "show"]);
    assert_eq!(shown["reference"]["name"], json!(file));
    let compared = shown["drift"].as_array().unwrap();
    assert!(compared.iter().all(|d| d["verdict"] == "not_enough_data"), "{compared:?}");

    let empty = written(&bench, "empty.jsonl", &[]);
    assert_ne!(bench.run(&["signals", "reference", "set", "--file", &empty]).code, 0);
    assert_eq!(bench.run(&["signals", "reference", "set"]).code, 2);
}
