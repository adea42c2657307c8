//! What the benchmarks share: records, clocks, percentiles, and one way to print a figure.
//!
//! Every benchmark is a plain program. It prints its figure, what it is compared with, the ratio
//! and the goal; nothing here fails because a machine is slow.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "each benchmark uses its own part, and one that cannot go on says so and stops"
)]

pub mod desk;
pub mod other;
pub mod rows;
pub mod terminal;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use overrule::domain::Timestamp;
use overrule::simulate::{Scenario, Simulator, Sort};

/// The binary's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Was this started by `cargo bench`? `cargo test --all-targets` starts it too, and only wants to
/// know that it starts.
pub fn asked() -> bool {
    let asked = std::env::args().any(|a| a == "--bench");
    if !asked {
        println!("a benchmark: run it with `cargo bench --bench NAME`");
    }
    asked
}

/// A record with its id.
#[derive(Clone)]
pub struct Row {
    pub id: String,
    pub bytes: Vec<u8>,
}

/// Records to measure with.
pub struct Records {
    pub rows: Vec<Row>,
    /// Where they are from, in words.
    pub from: String,
}

impl Records {
    /// The real ones of `../shared/data` where that is there, else simulated ones.
    pub fn find() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .map(|dir| dir.filter_map(|e| e.ok().map(|e| e.path())).collect())
            .unwrap_or_default();
        files.retain(|p| {
            let name = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let other = [".truth.", ".expected.", "hostile"].iter().any(|o| name.contains(o));
            name.ends_with(".jsonl") && !other
        });
        files.sort();
        let mut rows = Vec::new();
        for file in &files {
            let bytes = std::fs::read(file).expect("the data can be read");
            rows.extend(bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(row));
        }
        if rows.is_empty() {
            return Self::simulated(4_000);
        }
        let from = format!("{} real records of ../shared/data", rows.len());
        Self { rows, from }
    }

    /// This many of the simulator's.
    pub fn simulated(count: usize) -> Self {
        let start = Timestamp::now() - Duration::from_secs(86_400);
        let scenario = Scenario { start, broken: 0.0, duplicates: 0.0, ..Scenario::default() };
        let stream = Simulator::new(7, scenario).filter(|a| a.sort == Sort::Record);
        let rows: Vec<Row> =
            stream.take(count).map(|a| Row { id: a.id, bytes: a.line.into_bytes() }).collect();
        let from = format!("{count} simulated records (../shared/data is not here)");
        Self { rows, from }
    }

    /// Over and over until there are `count`, each under an id of its own.
    pub fn repeated(&self, count: usize) -> Vec<Row> {
        (0..count)
            .map(|n| {
                let row = &self.rows[n % self.rows.len()];
                renamed(row, &format!("{}~{}", row.id, n / self.rows.len()))
            })
            .collect()
    }

    /// The first record made to wait: no rule of the shipped default lets it through.
    pub fn waiting(&self, count: usize) -> Vec<Row> {
        let all: Vec<Row> = self
            .rows
            .iter()
            .map(|row| {
                let mut value: serde_json::Value = serde_json::from_slice(&row.bytes).unwrap();
                value["confidence"] = serde_json::json!(0.7);
                let bytes = serde_json::to_vec(&value).unwrap();
                Row { id: row.id.clone(), bytes }
            })
            .collect();
        Self { rows: all, from: self.from.clone() }.repeated(count)
    }
}

fn row(line: &[u8]) -> Row {
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    let Id { id } = serde_json::from_slice(line).expect("a record with an id");
    Row { id, bytes: line.to_vec() }
}

/// The same record under another id; no other byte changes.
pub fn renamed(row: &Row, id: &str) -> Row {
    let old = format!("\"id\":{}", serde_json::json!(row.id));
    let new = format!("\"id\":{}", serde_json::json!(id));
    let at = row
        .bytes
        .windows(old.len())
        .position(|w| w == old.as_bytes())
        .expect("the id stands in the record");
    let mut bytes = Vec::with_capacity(row.bytes.len() + 8);
    bytes.extend_from_slice(&row.bytes[..at]);
    bytes.extend_from_slice(new.as_bytes());
    bytes.extend_from_slice(&row.bytes[at + old.len()..]);
    Row { id: id.to_owned(), bytes }
}

/// A folder on the build's own disk that goes away with the guard.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder under target/")
}

/// CPU time of this thread: what a busy machine does not change much.
pub fn thread_time() -> Duration {
    clock(rustix::time::ClockId::ThreadCPUTime)
}

/// CPU time of this process, all threads.
pub fn process_time() -> Duration {
    clock(rustix::time::ClockId::ProcessCPUTime)
}

fn clock(id: rustix::time::ClockId) -> Duration {
    let t = rustix::time::clock_gettime(id);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// CPU time of `work` on this thread, divided by `count`.
pub fn each(count: usize, work: impl FnOnce()) -> f64 {
    let before = thread_time();
    work();
    (thread_time() - before).as_secs_f64() / count as f64
}

/// Wall time of `work`.
pub fn wall<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let since = Instant::now();
    let answer = work();
    (answer, since.elapsed())
}

/// The middle one.
pub fn median(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    list[list.len() / 2]
}

/// Latencies.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The value that `share` (0..=1) of all do not exceed.
    pub fn at(&mut self, share: f64) -> Duration {
        self.0.sort();
        let last = self.0.len().saturating_sub(1);
        self.0[(last as f64 * share).ceil() as usize]
    }

    pub fn show(&mut self) -> String {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|s| millis(self.at(s)));
        format!("p50 {p50}  p99 {p99}  max {max}  ({} times)", self.0.len())
    }
}

pub fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// A line about the machine, for whoever reads the figures later.
pub fn head(what: &str) {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split(':').nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    println!("\n== {what}");
    println!("   {cores} × {}, load {load}", model.unwrap_or(" unknown processor").trim());
}

/// Any line beside the figures.
pub fn note(what: &str, text: impl std::fmt::Display) {
    println!("   {what:<34} {text}");
}

/// A figure with its goal.
pub fn goal(what: &str, figure: impl std::fmt::Display, goal: &str, reached: bool) {
    let word = if reached { "reached" } else { "MISSED" };
    println!(" > {what:<34} {figure}   goal {goal}: {word}");
}
