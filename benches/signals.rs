//! The signals view: 30 days of windows in 500 slices with 12 features and more. First the figures
//! alone, from the store; then the first paint, in the real binary in a real terminal: from the key
//! that opens the view until the screen shows them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may stop")]

mod support;

use std::time::Instant;

use overrule::domain::{Decision, Timestamp};
use overrule::protocol::{Command, Line, Query, ReferenceAsk, Reply, SignalsAsk};
use overrule::signals::{Count, ModelReference, Slice, SliceId, Windows};
use overrule::store::{Fresh, Op, OpenMode, Premises, Sqlite, Store as _, WindowRow, Write};
use serde_json::json;
use support::terminal::App;
use support::{Times, desk, goal, head, median, note};

const HOURS: i64 = 30 * 24;
const AN_HOUR: usize = 250;
/// Groups of each of eight dimensions: with overall, a domain and a model 499 slices.
const GROUPS: usize = 62;
const DIMENSIONS: usize = 8;
/// Groups whose names no other text on the screen holds.
const SHOWN: &str = " d0:g";
const ROUNDS: usize = 7;

fn main() {
    if !support::asked() {
        return;
    }
    head("signals view: 499 slices over 30 days");
    let mut state = 7_u64;
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let records: Vec<serde_json::Value> = (0..2_000)
        .map(|i| {
            let group = |d: usize, x: f64| {
                (format!("d{d}"), json!(format!("g{}", (x * GROUPS as f64) as u32)))
            };
            let cohort: serde_json::Map<_, _> = (0..DIMENSIONS).map(|d| group(d, draw())).collect();
            let input: serde_json::Map<_, _> =
                (0..4).map(|f| (format!("field{f}"), json!(draw() * 100.0))).collect();
            json!({
                "id": format!("d-{i}"), "domain": "loan", "action": "approve",
                "model": {"name": "m", "version": "1"}, "confidence": draw(),
                "business_impact": (draw() * 10.0).floor(), "cohort": cohort, "input": input,
                "output": "an answer of some length",
            })
        })
        .collect();
    let decisions: Vec<Decision> =
        records.iter().map(|r| serde_json::from_value(r.clone()).unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("desk.db");
    let local = desk::open(&path, true);
    let lines = records.iter().zip(1..).map(|(r, line)| Line {
        source: "bench".into(),
        line,
        bytes: r.to_string().into_bytes(),
    });
    let ask = ReferenceAsk::Records { name: "bench".into(), lines: lines.collect() };
    local.execute_blocking(desk::ME, Command::SetReference(ask)).unwrap();
    local.close().unwrap();

    let reference = ModelReference::freeze(1, &decisions).unwrap();
    let mut windows = Windows::default();
    let (mut ids, mut places): (Vec<SliceId>, Vec<u32>) = Default::default();
    let now = Timestamp::now().as_second();
    let (mut rows, mut slices) = (Vec::new(), std::collections::BTreeSet::<Slice>::new());
    for i in 0..HOURS * AN_HOUR as i64 {
        let second = now - HOURS * 3_600 + i * 3_600 / AN_HOUR as i64;
        let at = Timestamp::from_second(second).unwrap();
        let d = &decisions[(draw() * 2_000.0) as usize];
        windows.slices(d, at, &mut ids);
        let model = windows.model("m", &reference);
        reference.place(d, &mut places);
        let verdict = [Count::Accepted, Count::Edited][usize::from(draw() < 0.1)];
        windows.decision(at, &ids, &[Count::Decisions, verdict], &ids, Some((model, &places)));
    }
    windows.flush();
    for row in windows.changed() {
        slices.insert(row.slice.clone());
        rows.push(WindowRow {
            tier: row.tier.number(),
            start: Timestamp::from_second(row.start).unwrap(),
            slice: row.slice.to_string(),
            part: row.part.to_string(),
            value: row.sums.as_bytes().to_vec(),
        });
    }
    let mode = OpenMode { create: false, record_clock: false, read_only: false, interactive: true };
    let fresh = Fresh { key: [7; 32], origin: "bench.example/log".to_owned() };
    let store = Sqlite::open(&path, mode, &fresh).unwrap();
    let all = rows.len();
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(20_000));
        let ops = vec![Op::PutWindows(std::mem::replace(&mut rows, rest))];
        let at = Timestamp::from_second(now).unwrap();
        store.commit(Write { premises: Premises::default(), now: at, ops }).wait().unwrap();
    }
    store.close().unwrap();
    note("slices, rows of windows", format!("{}, {all}", slices.len()));

    let local = desk::open(&path, true);
    for window in ["15m", "1h", "24h", "7d", "28d"] {
        let mut took: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                let ask = SignalsAsk { window: window.into(), by: None, slice: None };
                let reply = local.ask_blocking(desk::ME, Query::Signals(ask)).unwrap();
                let Reply::Signals(view) = reply else { return f64::NAN };
                assert!(view.slices.len() > 100, "{}", view.slices.len());
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        let first = took.remove(0);
        let usual = median(took);
        goal(
            &format!("figures of {window}"),
            format!("{first:.0} ms the first time, then {usual:.0} ms"),
            "100 ms",
            first < 100.0,
        );
    }
    local.close().unwrap();
    let mut paints: [Times; 3] = Default::default();
    for _ in 0..ROUNDS {
        let mut app = App::start(&path, folder.path());
        app.until_shown("nothing waits");
        paints[0].push(app.press_until('2', SHOWN));
        for (window, paint) in ["7d", "28d"].iter().zip(&mut paints[1..]) {
            paint.push(app.press_until('w', &format!("override rate, {window}")));
        }
    }
    for (window, mut paint) in ["24h", "7d", "28d"].into_iter().zip(paints) {
        let fast = paint.at(0.5).as_secs_f64() < 0.1;
        goal(&format!("first paint of {window}"), paint.show(), "p50 < 100 ms", fast);
    }
}
