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

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use overrule::desk::Local;
use overrule::protocol::{PageAsk, Query, Reply};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use support::{Records, Times, desk, goal, head, millis, note};

const ITEMS: usize = 1_000_000;
const STARTS: usize = 20;
const KEYS: usize = 400;
const COLUMNS: u16 = 140;
const ROWS: u16 = 40;
/// The small queue that the large one is compared with.
const FEW: usize = 1_000;
/// Output this long after the last means that nothing more belongs to it.
const QUIET: Duration = Duration::from_millis(60);

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

/// The binary in a terminal.
struct App {
    since: Instant,
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn std::io::Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    /// Keeps the terminal open.
    _master: Box<dyn MasterPty + Send>,
}

impl App {
    fn start(store: &Path, home: &Path) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_overrule"));
        command.env_clear();
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"]
        {
            command.env(name, home);
        }
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env("LANG", "C.UTF-8");
        command.args(["--as", desk::ME, "--store"]);
        command.arg(store);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keyboard = pair.master.take_writer().unwrap();
        let (to, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || to.send((Instant::now(), buffer[..n].to_vec())).is_err() {
                    break;
                }
            }
        });
        let since = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let cells = |n| std::num::NonZero::new(n).unwrap();
        let screen = vt100::Parser::new(cells(ROWS), cells(COLUMNS), 0);
        Self { since, child, keyboard, output, screen, _master: pair.master }
    }

    /// Until the screen shows `text`; time since the start of the program.
    fn until_shown(&mut self, text: &str) -> Duration {
        let patience = Duration::from_secs(20);
        while let Ok((at, bytes)) = self.output.recv_timeout(patience) {
            self.screen.process(&bytes);
            if self.screen.screen().contents().contains(text) {
                return at - self.since;
            }
        }
        panic!("{text} was never shown:\n{}", self.screen.screen().contents());
    }

    /// Wait until nothing more comes.
    fn settle(&mut self) {
        while self.output.recv_timeout(Duration::from_millis(500)).is_ok() {}
    }

    /// Press a key: time to the first bytes of the answer, and to the last.
    fn press(&mut self, key: char) -> (Duration, Duration) {
        while self.output.try_recv().is_ok() {}
        let since = Instant::now();
        write!(self.keyboard, "{key}").unwrap();
        self.keyboard.flush().unwrap();
        let (first, _) = self.output.recv_timeout(Duration::from_secs(20)).unwrap();
        let mut last = first;
        while let Ok((at, _)) = self.output.recv_timeout(QUIET) {
            last = at;
        }
        (first - since, last - since)
    }

    fn bytes_for(&mut self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let mut bytes = 0;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            bytes += self.output.recv_timeout(left).map_or(0, |(_, b)| b.len());
        }
        bytes
    }

    /// Resident memory, MB.
    fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) >> 10
    }

    /// CPU time of the process so far, as far as the system's hundredths of a second tell.
    fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let after = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = after.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    fn proc(&self, file: &str) -> String {
        let pid = self.child.process_id().unwrap_or_default();
        std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
