//! The reviewer app: queue, item and verdicts in a terminal, over any desk.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use overrule::{protocol::Desk, tui};
//! # async fn f(desk: Arc<dyn Desk>) -> Result<(), tui::RunError> {
//! tui::run(desk, tui::Options::new("ann")).await
//! # }
//! ```
//!
//! `app` is pure (state and messages in, effects out), `screens` and `overlays` draw it, `runtime`
//! gives it a terminal, tasks and time. Keys and looks come from `keymap` and `theme`.

pub mod app;
#[cfg(test)]
mod fake;
pub mod keymap;
mod linear;
mod overlays;
mod problem;
#[cfg(test)]
mod rig;
mod runtime;
mod screens;
pub mod theme;

use std::path::PathBuf;
use std::sync::Arc;

use app::{Start, State};
use keymap::Keymap;
use runtime::input::Input;
use runtime::terminal::{Screen, Surface};
use theme::{Background, Depth, Terminal, Theme};

pub use problem::Problem;
pub use runtime::RunError;
pub use runtime::tasks::Signer;

use crate::protocol::Desk;

/// How the app is started.
pub struct Options {
    /// The reviewer's name.
    pub reviewer: String,
    /// A shipped theme's name, or one of `themes`; `auto` fits the terminal.
    pub theme: String,
    /// The folder of the user's own themes.
    pub themes: Option<PathBuf>,
    /// Colours of the terminal and the background it is taken to have.
    pub terminal: Terminal,
    /// Nobody said which background it is: ask the terminal, after the first frame.
    pub ask_background: bool,
    pub keymap: Keymap,
    /// Faults of the user's files, told as toasts.
    pub problems: Vec<Problem>,
    /// Show the card of the first minute.
    pub hint: bool,
    pub signer: Option<Arc<dyn Signer>>,
    /// No alternate screen, no boxes: one prompt per item.
    pub linear: bool,
}

impl Options {
    /// The defaults for a reviewer: shipped keys, a theme that fits, nothing of the user's own.
    pub fn new(reviewer: impl Into<String>) -> Self {
        Self {
            reviewer: reviewer.into(),
            theme: theme::AUTO.to_owned(),
            themes: None,
            terminal: Terminal { depth: Depth::Ansi16, background: Background::Dark },
            ask_background: false,
            keymap: Keymap::load("default", None).0,
            problems: Vec::new(),
            hint: false,
            signer: None,
            linear: false,
        }
    }
}

/// Opens the app and runs it until it is closed. Everything submitted has been answered then.
///
/// # Errors
///
/// [`RunError`]: the terminal cannot be used, or something could not be delivered.
pub async fn run(desk: Arc<dyn Desk>, options: Options) -> Result<(), RunError> {
    if options.linear {
        return run_linear(desk, options).await;
    }
    let Options { reviewer, theme, themes, terminal, keymap, mut problems, hint, signer, .. } =
        options;
    let (look, faults) = Theme::load(&theme, themes.as_deref(), terminal);
    problems.extend(faults);
    let ask = options.ask_background && terminal.depth != Depth::Mono;
    let retheme = ask.then(|| {
        Box::new(move |background| {
            Theme::load(&theme, themes.as_deref(), Terminal { background, ..terminal }).0
        }) as runtime::Retheme
    });
    let surface = Screen::open()?;
    let size = surface.size()?;
    let state =
        State::new(Start { hint, problems, ..start(reviewer, keymap, size, signer.is_some()) });
    let changes = desk.changes(0);
    let input = Input::terminal();
    let mut app = runtime::Runtime::new(state, surface, input, desk, signer, look, retheme);
    app.run(changes).await
}

/// The app line by line, on standard input and output as they are.
async fn run_linear(desk: Arc<dyn Desk>, options: Options) -> Result<(), RunError> {
    let Options { reviewer, keymap, problems, signer, .. } = options;
    let state =
        State::new(Start { problems, ..start(reviewer, keymap, (80, 24), signer.is_some()) });
    let guard = std::io::IsTerminal::is_terminal(&std::io::stdin());
    let changes = desk.changes(0);
    let mut talk = linear::Linear::new(state, desk, signer, std::io::stdout(), guard);
    talk.run(linear::standard_input(), changes).await
}

/// What every way of running starts with.
fn start(me: String, keymap: Keymap, size: (u16, u16), signs: bool) -> Start {
    Start {
        now: runtime::Clock::new().now(),
        me,
        keymap: Arc::new(keymap),
        size,
        seed: seed(),
        signs,
        hint: false,
        problems: Vec::new(),
        zone: jiff::tz::TimeZone::system(),
    }
}

/// 64 random bits, for request ids.
fn seed() -> u64 {
    // A version 4 UUID holds 122 of them.
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // No randomness: time and process tell apps on one machine apart.
        Err(_) => {
            let now = jiff::Timestamp::now().as_nanosecond().unsigned_abs();
            u64::try_from(now & u128::from(u64::MAX)).unwrap_or(0) ^ u64::from(std::process::id())
        }
    }
}
