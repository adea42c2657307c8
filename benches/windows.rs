//! Windows: decisions a second on one core, 20 slices and 12 features each; and the population
//! stability index of a column of a million numbers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use std::hint::black_box;

use overrule::domain::{Decision, Timestamp};
use overrule::signals::{Bins, Count, ModelReference, Population, Slice, SliceId, Windows};
use serde_json::json;
use support::{each, goal, head, median, note};

const DECISIONS: usize = 200_000;
const ROWS: usize = 1_000_000;
const ROUNDS: usize = 9;
/// What evidently 0.7.23's function reaches at best on a column of numbers, called from Python.
const EVIDENTLY: f64 = 7.2;

fn main() {
    if !support::asked() {
        return;
    }
    let mut state = 7u64;
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    windows(&mut draw);
    population(&mut draw);
}

/// Overall, a domain, a model and 17 cohort dimensions make 20 slices; confidence, impact, length,
/// the mix of six dimensions and three numbers of the input make 12 features.
fn windows(draw: &mut impl FnMut() -> f64) {
    head("windows: a decision in 20 slices × 12 features, CPU time of one thread");
    let decisions: Vec<Decision> = (0..2_000)
        .map(|i| {
            let cohort: serde_json::Map<String, serde_json::Value> = (0..17)
                .map(|d| (format!("dim{d:02}"), json!(format!("g{}", (draw() * 4.0) as u32))))
                .collect();
            let input: serde_json::Map<String, serde_json::Value> =
                (0..3).map(|f| (format!("field{f}"), json!(draw() * 100.0))).collect();
            serde_json::from_value(json!({
                "id": format!("d-{i}"), "domain": "loan", "action": "approve",
                "model": {"name": "m", "version": "1"}, "confidence": draw(),
                "business_impact": (draw() * 10.0).floor(), "cohort": cohort, "input": input,
                "output": "an answer of some length",
            }))
            .unwrap()
        })
        .collect();
    let reference = ModelReference::freeze(1, &decisions).unwrap();
    assert_eq!(reference.features.len(), 12);
    let start = Timestamp::from_second(1_760_000_000).unwrap();
    let minute = |i: usize| start + std::time::Duration::from_secs((i / 500) as u64);

    // What the keeper does with a decision it has parsed: names to numbers, values to bins, add.
    let whole = (0..ROUNDS).map(|_| {
        let mut windows = Windows::default();
        let mut places = Vec::new();
        let mut ids: Vec<SliceId> = Vec::new();
        each(DECISIONS, || {
            for i in 0..DECISIONS {
                let d = &decisions[i % decisions.len()];
                let at = minute(i);
                windows.slices(d, at, &mut ids);
                let model = windows.model("m", &reference);
                reference.place(d, &mut places);
                windows.decision(
                    at,
                    &ids,
                    &[Count::Decisions, Count::Auto],
                    &ids,
                    Some((model, &places)),
                );
            }
            windows.flush();
            black_box(&windows);
        })
    });
    let whole = 1.0 / median(whole.collect());

    // The update alone: slices and bins are numbers already.
    let mut windows = Windows::default();
    let model = windows.model("m", &reference);
    let ready: Vec<(Vec<SliceId>, Vec<u32>)> = decisions
        .iter()
        .map(|d| {
            let ids = Slice::of(d).iter().map(|s| windows.slice(s, start)).collect();
            let mut places = Vec::new();
            reference.place(d, &mut places);
            (ids, places)
        })
        .collect();
    assert!(ready.iter().all(|(ids, places)| ids.len() == 20 && places.len() == 12));
    let update = (0..ROUNDS).map(|_| {
        each(DECISIONS, || {
            for i in 0..DECISIONS {
                let (ids, places) = &ready[i % ready.len()];
                windows.decision(
                    minute(i),
                    ids,
                    &[Count::Decisions, Count::Auto],
                    ids,
                    Some((model, places)),
                );
            }
            windows.flush();
        })
    });
    let update = 1.0 / median(update.collect());
    goal("window update", format!("{:.0} decisions/s", update), "≥ 300,000", update >= 300_000.0);
    note("with finding slices and bins in the record", format!("{whole:.0} decisions/s"));
}

fn population(draw: &mut impl FnMut() -> f64) {
    head("PSI of a column: 1,000,000 numbers against frozen bins, CPU time of one thread");
    let reference: Vec<f64> = (0..ROWS).map(|_| draw() + draw() + draw()).collect();
    let current: Vec<f64> = (0..ROWS).map(|_| draw() + draw() + draw() + 0.1).collect();
    let bins = Bins::of_numbers(reference.iter().copied()).unwrap();
    let before = bins.tally_numbers(&reference);
    let speed = |psi: &dyn Fn() -> f64, rows: usize| {
        let rounds = (0..ROUNDS).map(|_| {
            each(rows, || {
                black_box(psi());
            })
        });
        1e-6 / median(rounds.collect())
    };
    let frozen = || Population::compare(&before, &bins.tally_numbers(&current)).unwrap().psi;
    let both = || {
        let (r, c) = (bins.tally_numbers(&reference), bins.tally_numbers(&current));
        Population::compare(&r, &c).unwrap().psi
    };
    // As libraries do it that freeze nothing: bins of both samples together, both sorted for it.
    let naive = || {
        let mut pooled: Vec<f64> = reference.iter().chain(&current).copied().collect();
        pooled.sort_unstable_by(f64::total_cmp);
        let bins =
            Bins::Deciles { edges: (1..10).map(|k| pooled[k * pooled.len() / 10]).collect() };
        let count = |list: &[f64]| bins.tally_numbers(list);
        Population::compare(&count(&reference), &count(&current)).unwrap().psi
    };
    assert!((frozen() - both()).abs() < 1e-12 && (naive() - both()).abs() < 0.1);
    let (window, pair, naive) =
        (speed(&frozen, ROWS), speed(&both, 2 * ROWS), speed(&naive, 2 * ROWS));
    note("a window against the frozen reference", format!("{window:.0} M rows/s"));
    let times = pair / EVIDENTLY;
    goal(
        "both sides counted",
        format!("{pair:.0} M rows/s, {times:.0} × evidently's function"),
        "≥ 20 × (7.2 M rows/s, another machine)",
        times >= 20.0,
    );
    note(
        "bins made of both samples each time",
        format!("{naive:.1} M rows/s, 1/{:.0}", pair / naive),
    );
}
