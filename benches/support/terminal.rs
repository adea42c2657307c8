//! The real binary in a real terminal: its keyboard, and what is on its screen when.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::desk;

const COLUMNS: u16 = 140;
const ROWS: u16 = 40;
/// Output this long after the last means that nothing more belongs to it.
const QUIET: Duration = Duration::from_millis(60);

/// The binary in a terminal.
pub struct App {
    since: Instant,
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn std::io::Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    /// Keeps the terminal open.
    _master: Box<dyn MasterPty + Send>,
}

impl App {
    pub fn start(store: &Path, home: &Path) -> Self {
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
    pub fn until_shown(&mut self, text: &str) -> Duration {
        let patience = Duration::from_secs(20);
        while let Ok((at, bytes)) = self.output.recv_timeout(patience) {
            self.screen.process(&bytes);
            if self.screen.screen().contents().contains(text) {
                return at - self.since;
            }
        }
        panic!("{text} was never shown:\n{}", self.screen.screen().contents());
    }

    /// Press a key: time until the screen shows `text`, which it must not show before.
    pub fn press_until(&mut self, key: char, text: &str) -> Duration {
        self.settle();
        assert!(!self.screen.screen().contents().contains(text), "{text} is shown already");
        self.since = Instant::now();
        write!(self.keyboard, "{key}").unwrap();
        self.keyboard.flush().unwrap();
        self.until_shown(text)
    }

    /// Wait until nothing more comes.
    pub fn settle(&mut self) {
        while let Ok((_, bytes)) = self.output.recv_timeout(Duration::from_millis(500)) {
            self.screen.process(&bytes);
        }
    }

    /// Press a key: time to the first bytes of the answer, and to the last.
    pub fn press(&mut self, key: char) -> (Duration, Duration) {
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

    pub fn bytes_for(&mut self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let mut bytes = 0;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            bytes += self.output.recv_timeout(left).map_or(0, |(_, b)| b.len());
        }
        bytes
    }

    /// Resident memory, MB.
    pub fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) >> 10
    }

    /// CPU time of the process so far, as far as the system's hundredths of a second tell.
    pub fn cpu(&self) -> Duration {
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
