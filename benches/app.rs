//! The real binary in a real terminal, on a million waiting items, against the same on one item.
//!
//! Time to the first useful paint (the queue with its first items), key to paint, memory, and what
//! is written while nobody does anything. The large store is made once and kept under `target/`.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use overrule::desk::Local;
use overrule::protocol::{PageAsk, Query, Reply};
use support::terminal::App;
use support::{Records, Times, desk, goal, head, millis, note};

const ITEMS: usize = 1_000_000;
const STARTS: usize = 20;
const KEYS: usize = 400;
/// The small queue that the large one is compared with.
const FEW: usize = 1_000;

fn main() {
    if !support::asked() {
        return;
    }
    head("the app on 1,000,000 waiting items");
    let folder = support::folder();
    // Enough that no key finds itself at the end, where it would paint nothing.
    let small = made(&folder.path().join("few.db"), FEW);
    let large = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("waiting-{ITEMS}.db"));
    let large = made(&large, ITEMS);

    let mut of_few = Figures::of(&small, folder.path());
    let mut of_all = Figures::of(&large, folder.path());
    let ratio = |a: Duration, b: Duration| format!("{:.1}", a.as_secs_f64() / b.as_secs_f64());
    note("on 1,000 items: first useful paint", of_few.start.show());
    note("on 1,000 items: key to paint", of_few.key.show());
    let p50 = (of_all.start.at(0.5), of_few.start.at(0.5));
    note("times 1,000 items, first paint p50", ratio(p50.0, p50.1));
    let p99 = (of_all.key.at(0.99), of_few.key.at(0.99));
    note("times 1,000 items, key to paint p99", ratio(p99.0, p99.1));
    note("key until all is shown", of_all.settled.show());
    note("memory, on 1,000 items", format!("{} MB", of_few.memory));
    note("CPU while idle, of 5 s", millis(of_all.idle_cpu));
    let start = of_all.start.at(0.5);
    goal("first useful paint", of_all.start.show(), "< 100 ms", start < Duration::from_millis(100));
    goal("key to paint", of_all.key.show(), "p99 < 16 ms", p99.0 < Duration::from_millis(16));
    goal("memory", format!("{} MB", of_all.memory), "< 80 MB", of_all.memory < 80);
    let idle = of_all.idle_bytes;
    goal("written while idle", format!("{idle} bytes in 5 s"), "none", idle == 0);
}

/// A store of so many waiting items, made if it is not there.
fn made(path: &Path, count: usize) -> PathBuf {
    let waits = |local: &Local| match local.ask_blocking(desk::ME, Query::Header).unwrap() {
        Reply::Header(header) => header.queues.iter().map(|q| q.waiting).sum::<u64>(),
        other => unreachable!("{other:?}"),
    };
    if path.exists() {
        let local = desk::open_patient(path);
        if waits(&local) == count as u64 {
            local.close().unwrap();
            return path.to_owned();
        }
        drop(local);
        for end in ["", "-wal", "-shm", ".key", ".want"] {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            let _ = std::fs::remove_file(name);
        }
    }
    let local = desk::open_patient(path);
    let records = Records::find();
    let mut left = count;
    // In parts, so that not all of it is in memory at once.
    let mut part = 0;
    while left > 0 {
        let rows = left.min(100_000);
        let mut named = records.waiting(rows);
        for row in &mut named {
            *row = support::renamed(row, &format!("{}~{part}", row.id));
        }
        desk::ingest(&local, named);
        left -= rows;
        part += 1;
    }
    assert_eq!(waits(&local), count as u64);
    local.close().unwrap();
    path.to_owned()
}

/// What was measured on one store.
struct Figures {
    start: Times,
    /// Until the first bytes after the key.
    key: Times,
    /// Until the last bytes that the key caused (the next item has been read and drawn).
    settled: Times,
    memory: u64,
    idle_bytes: usize,
    idle_cpu: Duration,
}

impl Figures {
    fn of(store: &Path, home: &Path) -> Self {
        let first = first_item(store);
        let mut start = Times::default();
        for _ in 0..STARTS {
            let mut app = App::start(store, home);
            start.push(app.until_shown(&first));
        }
        let mut app = App::start(store, home);
        app.until_shown(&first);
        app.settle();
        let (mut key, mut settled) = (Times::default(), Times::default());
        // To and fro: both directions, over the edge of a page, and the help above it all.
        let keys =
            "jjjjjjjjkkjjjkjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjkkkkkk".chars().cycle();
        for c in keys.take(KEYS) {
            let (painted, done) = app.press(c);
            key.push(painted);
            settled.push(done);
        }
        app.settle();
        std::thread::sleep(Duration::from_secs(2));
        app.settle();
        let memory = app.memory();
        let cpu = app.cpu();
        let idle_bytes = app.bytes_for(Duration::from_secs(5));
        let idle_cpu = app.cpu() - cpu;
        Self { start, key, settled, memory, idle_bytes, idle_cpu }
    }
}

/// The id that stands first in the queue.
fn first_item(store: &Path) -> String {
    let local = desk::open_patient(store);
    let page = PageAsk { limit: 1, ..PageAsk::default() };
    let id = match local.ask_blocking(desk::ME, Query::Page(page)).unwrap() {
        Reply::Page(page) => page.items.first().unwrap().id.clone(),
        other => unreachable!("{other:?}"),
    };
    local.close().unwrap();
    // A narrow column may cut it.
    id.chars().take(8).collect()
}
