//! The folder of reference vectors beside the repository, where there is one.

use std::path::PathBuf;

use serde_json::Value;

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name)
}

pub fn read(name: &str) -> Option<Value> {
    let Ok(text) = std::fs::read_to_string(path(name)) else {
        println!("no {name} beside the repository: nothing compared");
        return None;
    };
    Some(serde_json::from_str(&text).expect("a vector file is JSON"))
}

pub fn cases(name: &str) -> Vec<Value> {
    let all = read(&format!("vectors/{name}.json")).unwrap_or_default();
    all["cases"].as_array().cloned().unwrap_or_default()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

pub fn close(case: &Value, got: f64, expected: f64) {
    let tolerance = case["tolerance"].as_f64().unwrap_or(1e-9);
    let allowed = tolerance * expected.abs().max(1.0);
    assert!((got - expected).abs() <= allowed, "{}: {got} instead of {expected}", case["name"]);
}

pub fn ran(name: &str, cases: usize, known: usize) {
    println!("{name}: {cases} cases");
    assert!(cases == 0 || cases >= known, "{name}: {cases} of {known}");
}
