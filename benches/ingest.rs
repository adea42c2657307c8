//! Durable ingest with trail and routing, against a bare insert of the same bytes.
//!
//! Both write to a new SQLite file on the same disk, WAL with `synchronous=FULL`; the bare one is
//! an id as primary key and the bytes, 1,000 rows a transaction. Rounds alternate.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use support::{Records, desk, goal, head, median, note, rows, wall};

const ROWS: usize = 200_000;
const ROUNDS: usize = 3;

fn main() {
    if !support::asked() {
        return;
    }
    let number = |name: &str, default: usize| {
        std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
    };
    let (count, rounds) = (number("ROWS", ROWS), number("ROUNDS", ROUNDS));
    head("ingest: durable rows a second, trail included");
    let records = Records::find();
    let all = records.repeated(count);
    let bytes: usize = all.iter().map(|r| r.bytes.len()).sum();
    let from = format!("{}, repeated to {count} ({} MB)", records.from, bytes >> 20);
    note("records", from);

    let (mut bare, mut ours, mut bare_cpu, mut ours_cpu) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let folder = support::folder();
        let conn = rows::open(&folder.path().join("bare.db"));
        let cpu = support::process_time();
        let ((), took) = wall(|| rows::insert(&conn, &all, 1_000));
        bare_cpu.push((support::process_time() - cpu).as_secs_f64() / count as f64 * 1e6);
        bare.push(count as f64 / took.as_secs_f64());
        drop((conn, folder));

        let folder = support::folder();
        let local = desk::open(&folder.path().join("desk.db"), false);
        let copy = all.clone();
        let cpu = support::process_time();
        let (summary, took) = wall(|| desk::ingest(&local, copy));
        ours_cpu.push((support::process_time() - cpu).as_secs_f64() / count as f64 * 1e6);
        ours.push(count as f64 / took.as_secs_f64());
        assert_eq!(summary.admitted(), count as u64, "{summary:?}");
        local.close().unwrap();
    }
    note("bare insert, rows/s", format!("{:.0}   {}", median(bare.clone()), list(&bare)));
    note("overrule, rows/s", format!("{:.0}   {}", median(ours.clone()), list(&ours)));
    let cpu = format!("{:.1} bare, {:.1} overrule", median(bare_cpu), median(ours_cpu));
    note("CPU a row, µs, all threads", cpu);
    let pairs = ours.iter().zip(&bare).map(|(a, b)| a / b).collect();
    let share = median(pairs);
    goal("share of the bare insert", format!("{:.0} %", share * 100.0), "≥ 35 %", share >= 0.35);
}

fn list(all: &[f64]) -> String {
    let all: Vec<String> = all.iter().map(|r| format!("{r:.0}")).collect();
    format!("({})", all.join(", "))
}
