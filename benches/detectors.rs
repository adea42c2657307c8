//! Change detectors: updates a second on one core, CPU time, with river's settings and with ours.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use std::hint::black_box;

use overrule::signals::adwin::AdwinSettings;
use overrule::signals::detector::{Detector, DetectorSettings};
use support::{each, goal, head, median, note};

const VALUES: usize = 1_000_000;
const ROUNDS: usize = 11;
/// What river 0.26.1 reaches when its Rust class is called without the Python around it.
const RIVER: f64 = 10.7;

fn main() {
    if !support::asked() {
        return;
    }
    head("detectors: updates on one stream, CPU time of one thread");
    note("values", format!("{VALUES} bits at 10 %, and reals around 0.5"));
    let mut state = 7u64;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let bits: Vec<f64> = (0..VALUES).map(|_| f64::from(u8::from(draw() < 0.1))).collect();
    let reals: Vec<f64> = (0..VALUES).map(|_| (draw() + draw() + draw()) / 3.0).collect();
    let rivers = DetectorSettings::Adwin(AdwinSettings::default());
    let speed = |settings, values: &[f64]| {
        let rounds = (0..ROUNDS).map(|_| {
            each(VALUES, || {
                let mut detector = Detector::new(settings);
                let alarms = values.iter().filter(|v| detector.update(Some(**v))).count();
                black_box((alarms, detector));
            })
        });
        1e-6 / median(rounds.collect())
    };
    for (values, list) in [("bits", &bits), ("reals", &reals)] {
        let ours = speed(rivers, list);
        let ratio = ours / RIVER;
        goal(
            &format!("ADWIN, δ 0.002, every 32nd, {values}"),
            format!("{ours:.1} M/s, {ratio:.2} × river's"),
            "≥ 1.0 × river's Rust class (10.7 M/s, another machine)",
            ratio >= 1.0,
        );
    }
    for name in ["adwin", "page_hinkley", "ddm"] {
        let settings = DetectorSettings::named(name).unwrap();
        note(&format!("{name} as shipped, bits"), format!("{:.1} M/s", speed(settings, &bits)));
    }
}
