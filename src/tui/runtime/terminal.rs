//! The terminal is ours while the app runs, and the shell's again on every way out.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

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
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes the terminal.
    pub fn open() -> io::Result<Self> {
        install_panic_hook();
        // One frame, one write: large enough for a whole screen of cells with their looks.
        let out = BufWriter::with_capacity(64 * 1024, io::stdout());
        let mut screen = Self { terminal: Terminal::new(CrosstermBackend::new(out))? };
        screen.enter()?;
        Ok(screen)
    }

    /// Clears the screen and what we remember of it. Not `Terminal::clear`: that asks the terminal
    /// where its cursor is, and one that does not answer would keep us waiting.
    fn wipe(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Surface for Screen {
    fn paint(&mut self, draw: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| draw(frame))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    fn leave(&mut self) -> io::Result<()> {
        self.terminal.backend_mut().flush()?;
        restore();
        Ok(())
    }

    fn enter(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        OURS.store(true, Ordering::SeqCst);
        let out = self.terminal.backend_mut();
        execute!(out, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        self.wipe()
    }

    fn forget(&mut self) -> io::Result<()> {
        self.wipe()
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        // What cannot be seen has no business on a clipboard that may be pasted into a shell.
        let safe: String = text.chars().filter(|c| !c.is_control()).take(MOST_COPIED).collect();
        execute!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(safe))
    }

    fn ask_background(&mut self) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), Print("\x1b]11;?\x07"))
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
