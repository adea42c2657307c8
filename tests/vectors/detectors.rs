//! Change detectors against river's indices, and on public streams against the best that open
//! libraries reach there.

use overrule::signals::adwin::{Adwin, AdwinSettings};
use overrule::signals::ddm::{Ddm, DdmLevel, DdmSettings};
use overrule::signals::page_hinkley::{Direction, PageHinkley, PageHinkleySettings};
use serde_json::Value;

use crate::folder::{self, close, number};

fn streams() -> Option<Value> {
    folder::read("vectors/detector_streams.json").map(|all| all["streams"].clone())
}

fn values(streams: &Value, case: &Value) -> Vec<f64> {
    let name = case["input"]["stream"].as_str().expect("stream");
    let values = streams[name].as_array().expect("values");
    values.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn indices(case: &Value) -> Vec<usize> {
    serde_json::from_value(case["expected"]["drift_indices"].clone()).expect("indices")
}

#[test]
fn adwin_finds_rivers_indices_and_ends_with_its_window() {
    let Some(streams) = streams() else { return };
    let cases = folder::cases("adwin");
    for case in &cases {
        let params = &case["input"]["params"];
        let mut adwin = Adwin::new(AdwinSettings {
            delta: number(&params["delta"]),
            clock: u32::try_from(params["clock"].as_u64().expect("clock")).expect("small"),
        });
        let drifts: Vec<usize> = values(&streams, case)
            .into_iter()
            .enumerate()
            .filter_map(|(i, value)| adwin.update(value).then_some(i))
            .collect();
        assert_eq!(drifts, indices(case), "{}", case["name"]);
        let expected = &case["expected"];
        close(case, adwin.width(), number(&expected["final_width"]));
        close(case, adwin.mean(), number(&expected["final_mean"]));
        close(case, adwin.spread(), number(&expected["final_variance"]));
    }
    folder::ran("adwin", cases.len(), 48);
}

#[test]
fn page_hinkley_finds_rivers_indices() {
    let Some(streams) = streams() else { return };
    let cases = folder::cases("page_hinkley");
    for case in &cases {
        let params = &case["input"]["params"];
        let mut detector = PageHinkley::new(PageHinkleySettings {
            min_instances: params["min_instances"].as_u64().expect("count"),
            delta: number(&params["delta"]),
            threshold: number(&params["threshold"]),
            alpha: number(&params["alpha"]),
            direction: match params["mode"].as_str() {
                Some("up") => Direction::Up,
                Some("down") => Direction::Down,
                _ => Direction::Both,
            },
        });
        let drifts: Vec<usize> = values(&streams, case)
            .into_iter()
            .enumerate()
            .filter_map(|(i, value)| detector.update(value).then_some(i))
            .collect();
        assert_eq!(drifts, indices(case), "{}", case["name"]);
    }
    folder::ran("page_hinkley", cases.len(), 48);
}

#[test]
fn ddm_finds_rivers_indices_and_warns_where_it_warns() {
    let Some(streams) = streams() else { return };
    let mut cases = folder::cases("binary_detectors");
    cases.retain(|case| case["input"]["detector"] == "ddm");
    for case in &cases {
        let params = &case["input"]["params"];
        let mut ddm = Ddm::new(DdmSettings {
            warm_start: params["warm_start"].as_u64().expect("count"),
            warning_threshold: number(&params["warning_threshold"]),
            drift_threshold: number(&params["drift_threshold"]),
        });
        let mut drifts = Vec::new();
        let mut runs: Vec<[usize; 2]> = Vec::new();
        for (i, value) in values(&streams, case).into_iter().enumerate() {
            if value.is_nan() {
                ddm.update(value);
                continue;
            }
            match ddm.update(value) {
                DdmLevel::InControl => {}
                DdmLevel::Drift => drifts.push(i),
                DdmLevel::Warning => match runs.last_mut() {
                    Some(run) if run[1] + 1 == i => run[1] = i,
                    _ => runs.push([i, i]),
                },
            }
        }
        assert_eq!(drifts, indices(case), "{}", case["name"]);
        let expected: Vec<[usize; 2]> =
            serde_json::from_value(case["expected"]["warning_runs"].clone()).expect("runs");
        assert_eq!(runs, expected, "{}", case["name"]);
    }
    folder::ran("ddm of binary_detectors", cases.len(), 20);
}
