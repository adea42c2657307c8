//! The terminal is ours while the app runs, and the shell's again on every way out.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

/// The modes are set: whoever ends the program must unset them.
static OURS: AtomicBool = AtomicBool::new(false);
/// A panic has been reported on the restored screen.
static PANICKED: AtomicBool = AtomicBool::new(false);
/// Clipboards of terminals take about this much; ids are far shorter.
const MOST_COPIED: usize = 8 * 1024;

/// How ratatui ends the cells of a frame; a frame that begins with it changes none.
const NO_CELLS: &[u8] = b"\x1b[39m\x1b[49m\x1b[59m\x1b[0m";

/// Where frames go.
pub trait Surface {
    /// Paints one frame.
    fn paint(&mut self, draw: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<()>;
    /// Columns and rows.
    fn size(&self) -> io::Result<(u16, u16)>;
    /// Gives the screen back to the shell.
    fn leave(&mut self) -> io::Result<()>;
    /// Takes the screen; the next frame paints everything.
    fn enter(&mut self) -> io::Result<()>;
    /// Makes the next frame paint everything.
    fn forget(&mut self) -> io::Result<()>;
    /// Puts a text on the person's clipboard, if the terminal lets us.
    fn copy(&mut self, text: &str) -> io::Result<()>;
    /// Asks the terminal for its background; the answer comes as input, or never.
    fn ask_background(&mut self) -> io::Result<()>;
}

/// The real terminal on standard output.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Held>>,
    held: Held,
    /// What the last frame said of the cursor; `None`: the screen was wiped since.
    cursor: Option<Vec<u8>>,
}

/// Output that waits until it is let go: one frame, one write, and none for a frame that changes
/// nothing. Shared with ratatui's backend, which writes into it.
#[derive(Clone, Debug, Default)]
struct Held(Arc<Mutex<Vec<u8>>>);

impl Held {
    /// What waits, taken out.
    fn take(&self) -> Vec<u8> {
        // Bytes are appended whole; a panic elsewhere leaves nothing half written.
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends what waits.
    fn let_go(&self) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(&self.take())?;
        out.flush()
    }
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// ratatui flushes in the middle of a frame; the frame goes out when it is whole.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    /// Takes the terminal.
    pub fn open() -> io::Result<Self> {
        install_panic_hook();
        let held = Held::default();
        let terminal = Terminal::new(CrosstermBackend::new(held.clone()))?;
        let mut screen = Self { terminal, held, cursor: None };
        screen.enter()?;
        Ok(screen)
    }

    /// Clears the screen and what we remember of it. Not `Terminal::clear`: that asks the terminal
    /// where its cursor is, and one that does not answer would keep us waiting.
    fn wipe(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.cursor = None;
        self.terminal.resize(size.into())?;
        self.held.let_go()
    }
}

impl Surface for Screen {
    fn paint(&mut self, draw: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame))?;
        let frame = self.held.take();
        let cells = frame.windows(NO_CELLS.len()).rposition(|w| w == NO_CELLS);
        let cursor = cells.and_then(|at| frame.get(at + NO_CELLS.len()..));
        if cells == Some(0) && cursor == self.cursor.as_deref() {
            return Ok(());
        }
        self.cursor = cursor.map(<[u8]>::to_vec);
        queue!(self.held, BeginSynchronizedUpdate)?;
        self.held.write_all(&frame)?;
        queue!(self.held, EndSynchronizedUpdate)?;
        self.held.let_go()
    }

    fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    fn leave(&mut self) -> io::Result<()> {
        self.held.let_go()?;
        restore();
        Ok(())
    }

    fn enter(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        OURS.store(true, Ordering::SeqCst);
        let out = self.terminal.backend_mut();
        queue!(out, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        self.wipe()
    }

    fn forget(&mut self) -> io::Result<()> {
        self.wipe()
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        // What cannot be seen has no business on a clipboard that may be pasted into a shell.
        let safe: String = text.chars().filter(|c| !c.is_control()).take(MOST_COPIED).collect();
        queue!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(safe))?;
        self.held.let_go()
    }

    fn ask_background(&mut self) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), Print("\x1b]11;?\x07"))?;
        self.held.let_go()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, once, whoever asks first. Errors have nobody left to be told to.
fn restore() {
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(out, EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    let _ = out.flush();
}

/// A panic is told on the shell's screen, not on ours: restore first, then report.
fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::SeqCst);
            restore();
            report(info);
        }));
    });
}

/// A task of ours panicked: the screen is the shell's again, the app must end.
pub fn panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}
