//! One case of a file of reference figures, and how near it ours has to be.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// One case of a file.
#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub input: Value,
    pub expected: Value,
    #[serde(default)]
    pub tolerance: f64,
}

/// The cases of a file; `None` (and a word about it) where the folder is absent.
pub fn cases(file: &str) -> Option<Vec<Case>> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Case>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors").join(file);
    let Ok(bytes) = std::fs::read(&path) else {
        println!("{file}: skipped, ../shared/vectors is absent");
        return None;
    };
    Some(serde_json::from_slice::<File>(&bytes).unwrap().cases)
}

/// Say how many cases ran.
pub fn ran(file: &str, cases: usize) {
    println!("{file}: {cases} cases");
    assert!(cases > 0);
}

/// `None` stands for what is missing.
pub fn numbers(value: &Value) -> Vec<Option<f64>> {
    value.as_array().unwrap().iter().map(Value::as_f64).collect()
}

pub fn counts(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

/// Equal within the case's tolerance: absolute, or relative for numbers above 1.
#[track_caller]
pub fn close(case: &Case, what: &str, ours: f64, theirs: &Value) {
    let theirs = theirs.as_f64().unwrap_or_else(|| panic!("{}: {what} is {theirs}", case.name));
    assert!(
        (ours - theirs).abs() <= case.tolerance * theirs.abs().max(1.0),
        "{}: {what} is {ours}, expected {theirs}",
        case.name
    );
}
