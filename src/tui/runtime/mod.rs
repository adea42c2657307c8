//! The loop: one task owns the state. Drain what happened, update, paint once if a frame is owed.

pub mod editor;
pub mod input;
mod signals;
pub mod tasks;
pub mod terminal;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::Event;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::input::{Answers, Input, Sorted};
use self::signals::{Signals, Told};
use self::tasks::{Signer, Tasks};
use self::terminal::Surface;
use super::app::{Effect, Msg, State, What};
use super::screens::{self, Cache};
use super::theme::{Background, Theme};
use crate::domain::Timestamp;
use crate::protocol::{Change, Desk};

/// Frames are at least this far apart.
const FRAME: Duration = Duration::from_millis(8);
/// Messages taken at one go before a frame is owed its turn.
const AT_ONCE: usize = 256;
/// A signal waits this long for what was submitted.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the app ended other than by being closed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the terminal cannot be used: {0}; run it in a terminal, or use --linear")]
    Terminal(#[from] io::Error),
    #[error("a part of the app failed; what was acknowledged is stored")]
    Panicked,
    #[error(
        "the desk did not answer in time; the last {0} of your verdicts and stops may not be stored"
    )]
    Undelivered(usize),
}

/// Wall time that never runs backwards.
#[derive(Debug)]
pub struct Clock(Timestamp);

impl Clock {
    pub fn new() -> Self {
        Self(Timestamp::now())
    }

    pub fn now(&mut self) -> Timestamp {
        self.0 = self.0.max(Timestamp::now());
        self.0
    }
}

/// A text and a file's suffix in; the new text, `None` for the same, or what failed.
type EditWith = fn(&str, &str) -> Result<Option<String>, String>;

/// Makes the theme for a background, once the terminal has told it.
pub type Retheme = Box<dyn Fn(Background) -> Theme + Send>;

/// The running app.
pub struct Runtime<S> {
    pub state: State,
    surface: S,
    input: Input,
    answers: Answers,
    theme: Theme,
    retheme: Option<Retheme>,
    cache: Cache,
    tasks: Tasks,
    back: UnboundedSender<What>,
    results: UnboundedReceiver<What>,
    clock: Clock,
    painted: Option<Instant>,
    /// The screen is somebody else's (the person's editor).
    away: bool,
    /// Edits a text in the person's own editor; blocks until it is closed.
    editor: EditWith,
    ended: bool,
    stopping: Option<Instant>,
    /// Frames painted, for tests of calm.
    pub frames: u64,
}

/// What woke the loop.
enum Wake {
    Signal(Told),
    Input(Option<io::Result<Event>>),
    Result(What),
    Changed(Change),
    Timer,
}

impl<S: Surface> Runtime<S> {
    pub fn new(
        state: State,
        surface: S,
        input: Input,
        desk: Arc<dyn Desk>,
        signer: Option<Arc<dyn Signer>>,
        theme: Theme,
        retheme: Option<Retheme>,
    ) -> Self {
        let (back, results) = unbounded_channel();
        let tasks = Tasks::new(desk, &state.me, signer, back.clone());
        Self {
            state,
            surface,
            input,
            answers: Answers::default(),
            theme,
            retheme,
            cache: Cache::default(),
            tasks,
            back,
            results,
            clock: Clock::new(),
            painted: None,
            away: false,
            editor: editor::edit,
            ended: false,
            stopping: None,
            frames: 0,
        }
    }

    /// Runs until the app is closed.
    pub async fn run(&mut self, mut changes: BoxStream<'static, Change>) -> Result<(), RunError> {
        let mut signals = Signals::new()?;
        self.tell(What::Started)?;
        self.paint()?;
        if self.retheme.is_some() {
            self.answers.expect();
            self.surface.ask_background()?;
        }
        let mut listening = true;
        while !self.ended {
            let timer = self.timer();
            let wake = tokio::select! {
                biased;
                told = signals.next() => Wake::Signal(told),
                event = self.input.next(), if !self.away => Wake::Input(event),
                Some(what) = self.results.recv() => Wake::Result(what),
                change = changes.next(), if listening => match change {
                    Some(change) => Wake::Changed(change),
                    None => { listening = false; continue }
                },
                () = sleep(timer) => Wake::Timer,
            };
            if terminal::panicked() {
                return Err(RunError::Panicked);
            }
            self.take(wake)?;
            self.drain().await?;
            if let Some(since) = self.stopping
                && since.elapsed() > PATIENCE
            {
                let verdicts = self.state.verdicts.unanswered().count();
                return Err(RunError::Undelivered(verdicts + self.state.control.ordered.len()));
            }
            self.paint()?;
        }
        Ok(())
    }

    fn take(&mut self, wake: Wake) -> Result<(), RunError> {
        match wake {
            Wake::Signal(Told::End) => {
                self.stopping.get_or_insert_with(Instant::now);
                self.tell(What::Stop)
            }
            // Ctrl-C in the person's editor is the editor's.
            Wake::Signal(Told::Interrupt) if self.away => Ok(()),
            Wake::Signal(Told::Interrupt) => {
                self.stopping.get_or_insert_with(Instant::now);
                self.tell(What::Stop)
            }
            Wake::Signal(Told::Stop) if self.away => Ok(()),
            Wake::Signal(Told::Stop) => self.suspend(),
            Wake::Signal(Told::Continue) if self.away => Ok(()),
            // Stopped by the strong signal and let go again: the modes may be anybody's.
            Wake::Signal(Told::Continue) => {
                self.surface.enter()?;
                self.tell(What::Resumed)
            }
            Wake::Input(Some(Ok(event))) => self.event(event),
            // The terminal is gone: nobody can decide anything more.
            Wake::Input(Some(Err(_)) | None) => {
                self.input.pause();
                self.away = true;
                self.stopping.get_or_insert_with(Instant::now);
                self.tell(What::Stop)
            }
            Wake::Result(what) => self.result(what),
            Wake::Changed(change) => self.tell(What::Changed(change)),
            Wake::Timer => {
                let now = self.clock.now();
                if self.state.wake().is_some_and(|at| at <= now) {
                    self.tell(What::Woke)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Takes what else is there, so that one frame shows it all.
    async fn drain(&mut self) -> Result<(), RunError> {
        for _ in 0..AT_ONCE {
            if self.ended {
                return Ok(());
            }
            if !self.away
                && let Some(Ok(event)) = self.input.ready().await
            {
                self.event(event)?;
                continue;
            }
            match self.results.try_recv() {
                Ok(what) => self.result(what)?,
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn result(&mut self, what: What) -> Result<(), RunError> {
        if matches!(what, What::Edited(_)) {
            self.away = false;
            self.surface.enter()?;
            self.input.resume();
        }
        self.tell(what)
    }

    fn event(&mut self, event: Event) -> Result<(), RunError> {
        match self.answers.sort(event) {
            Sorted::Held => Ok(()),
            Sorted::Background(background) => {
                if let Some(retheme) = &self.retheme {
                    self.theme = retheme(background);
                    self.cache = Cache::default();
                    self.state.dirty = true;
                }
                Ok(())
            }
            Sorted::Pass(events) => {
                for event in events {
                    match event {
                        Event::Key(key) => self.tell(What::Key(key))?,
                        Event::Paste(text) => self.tell(What::Paste(text))?,
                        Event::Resize(columns, rows) => self.tell(What::Resized(columns, rows))?,
                        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => {}
                    }
                }
                Ok(())
            }
        }
    }

    /// Tells the app what happened and does what it wants.
    fn tell(&mut self, what: What) -> Result<(), RunError> {
        let at = self.clock.now();
        let effects = self.state.update(Msg { at, what });
        for effect in effects {
            self.act(effect)?;
        }
        Ok(())
    }

    fn act(&mut self, effect: Effect) -> Result<(), RunError> {
        match effect {
            Effect::Ask { ticket, query } => self.tasks.ask(ticket, query),
            Effect::Tell { ticket, command } => self.tasks.tell(ticket, command),
            Effect::Submit { ticket, command, sign } => self.tasks.submit(ticket, command, sign),
            Effect::Shown(numbers) => self.tasks.shown(numbers),
            Effect::Cancel { ticket } => self.tasks.cancel(ticket),
            Effect::Verify { ticket, ask } => self.tasks.verify(ticket, ask),
            Effect::Copy(text) => self.surface.copy(&text)?,
            Effect::Edit { text, suffix } => self.hand_over(text, suffix)?,
            Effect::Suspend => self.suspend()?,
            Effect::Redraw => {
                self.surface.forget()?;
                self.state.dirty = true;
            }
            Effect::Quit => self.ended = true,
        }
        Ok(())
    }

    /// The person's editor has the terminal; the desk's answers and the heartbeat go on.
    fn hand_over(&mut self, text: String, suffix: &'static str) -> Result<(), RunError> {
        self.input.pause();
        self.surface.leave()?;
        self.away = true;
        let (back, edit) = (self.back.clone(), self.editor);
        tokio::task::spawn_blocking(move || {
            let _ = back.send(What::Edited(edit(&text, suffix)));
        });
        Ok(())
    }

    /// Back to the shell until `fg`. The gentle stop signal is lost in an orphaned group; the
    /// strong one always works.
    fn suspend(&mut self) -> Result<(), RunError> {
        self.input.pause();
        self.surface.leave()?;
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)
            .map_err(io::Error::from)?;
        self.surface.enter()?;
        self.input.resume();
        let (columns, rows) = self.surface.size()?;
        self.tell(What::Resized(columns, rows))?;
        self.tell(What::Resumed)
    }

    /// When something is due: what the app waits for, or the frame that was too early.
    fn timer(&mut self) -> Option<Duration> {
        let frame = match (self.state.dirty && !self.away, self.painted) {
            (true, Some(at)) => Some(FRAME.saturating_sub(at.elapsed())),
            (true, None) => Some(Duration::ZERO),
            _ => None,
        };
        let now = self.clock.now();
        let wake = self.state.wake().map(|at| {
            let wait = at.duration_since(now);
            // Never early: a timer that rings before its time would ring again and again.
            Duration::try_from(wait).map_or(Duration::ZERO, |d| d + Duration::from_millis(1))
        });
        let stop = self.stopping.map(|since| PATIENCE.saturating_sub(since.elapsed()) + FRAME);
        [frame, wake, stop].into_iter().flatten().min()
    }

    fn paint(&mut self) -> Result<(), RunError> {
        let early = self.painted.is_some_and(|at| at.elapsed() < FRAME);
        if !self.state.dirty || self.away || early || self.ended {
            return Ok(());
        }
        self.state.dirty = false;
        let (state, theme, cache) = (&self.state, &self.theme, &mut self.cache);
        let mut painted = None;
        self.surface.paint(&mut |frame| {
            painted = Some(screens::draw(frame, state, theme, cache));
        })?;
        self.painted = Some(Instant::now());
        self.frames += 1;
        match painted {
            Some(painted) => self.tell(What::Painted(painted)),
            None => Ok(()),
        }
    }
}

/// Waits that long; forever where nothing is due.
async fn sleep(timer: Option<Duration>) {
    match timer {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
