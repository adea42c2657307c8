//! Line by line, for screen readers: the same app, state and rules, spoken and answered in lines.
//!
//! No alternate screen, no boxes, nothing redrawn, no meaning in colour or position. An item is
//! told in sentences, then a question; the answer is a word (`accept`) or the key (`a`).

mod answer;
mod ask;
mod figures;
#[cfg(test)]
mod tests;
mod told;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::ask::Ask;
use super::app::item::Hold;
use super::app::{Effect, Msg, Overlay, Painted, State, View, What};
use super::keymap::{Action, Context};
use super::runtime::tasks::{Signer, Tasks};
use super::runtime::{Clock, RunError, editor};
use crate::protocol::{Change, Desk, Refused};
use crate::text::Clean;

/// Lines that come faster than this after one another were pasted.
const PASTED: Duration = Duration::from_millis(30);

/// The running conversation.
pub struct Linear<W> {
    pub state: State,
    tasks: Tasks,
    back: UnboundedSender<What>,
    results: UnboundedReceiver<What>,
    clock: Clock,
    out: W,
    /// The item told last, and at which revision; blind or not.
    told: Option<(String, u64, bool)>,
    /// News told already.
    news: Vec<String>,
    /// What the next line answers.
    ask: Ask,
    /// The question was put and not answered.
    asked: bool,
    /// Why nothing is shown, told last.
    idle: String,
    /// Several lines at once are taken for a paste.
    guard: bool,
    /// Whoever read this went away: nothing more is said, and what was sent is waited for.
    unheard: bool,
    ended: bool,
}

impl<W: Write> Linear<W> {
    pub fn new(
        state: State,
        desk: Arc<dyn Desk>,
        signer: Option<Arc<dyn Signer>>,
        out: W,
        guard: bool,
    ) -> Self {
        let (back, results) = unbounded_channel();
        let tasks = Tasks::new(desk, &state.me, signer, back.clone());
        Self {
            state,
            tasks,
            back,
            results,
            clock: Clock::new(),
            out,
            told: None,
            news: Vec::new(),
            ask: Ask::Command,
            asked: false,
            idle: String::new(),
            guard,
            unheard: false,
            ended: false,
        }
    }

    /// Talks until the reviewer leaves or the lines end.
    pub async fn run(
        &mut self,
        mut lines: UnboundedReceiver<String>,
        mut changes: BoxStream<'static, Change>,
    ) -> Result<(), RunError> {
        let mut term = signal(SignalKind::terminate())?;
        let mut hup = signal(SignalKind::hangup())?;
        let mut int = signal(SignalKind::interrupt())?;
        self.line("overrule, line by line. ? lists what you can say.")?;
        if !self.ended {
            self.tell(What::Started);
        }
        let mut listening = true;
        while !self.ended {
            self.speak()?;
            let now = self.clock.now();
            let wait = self.state.wake().map(|at| {
                Duration::try_from(at.duration_since(now)).unwrap_or_default()
                    + Duration::from_millis(1)
            });
            tokio::select! {
                biased;
                _ = term.recv() => self.tell(What::Stop),
                _ = hup.recv() => self.tell(What::Stop),
                _ = int.recv() => self.tell(What::Stop),
                Some(what) = self.results.recv() => self.tell(what),
                // What is piped in waits for its question; a person may interrupt at any time.
                line = lines.recv(), if (self.asked || self.guard) && !self.unheard => match line {
                    Some(line) => self.heard(line, &mut lines).await?,
                    None => self.tell(What::Stop),
                },
                change = changes.next(), if listening => match change {
                    Some(change) => self.tell(What::Changed(change)),
                    None => listening = false,
                },
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {
                    self.tell(What::Woke);
                }
            }
        }
        self.line("Closed. Everything you sent is stored.")
    }

    fn line(&mut self, text: &str) -> Result<(), RunError> {
        self.say(text, "\n")
    }

    /// Where nobody hears it any more, it ends as if the lines had.
    fn say(&mut self, text: &str, end: &str) -> Result<(), RunError> {
        if self.unheard {
            return Ok(());
        }
        match write!(self.out, "{text}{end}").and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.unheard = true;
                self.tell(What::Stop);
                Ok(())
            }
            said => Ok(said?),
        }
    }

    fn tell(&mut self, what: What) {
        let at = self.clock.now();
        let effects = self.state.update(Msg { at, what });
        for effect in effects {
            match effect {
                Effect::Ask { ticket, query } => self.tasks.ask(ticket, query),
                Effect::Tell { ticket, command } => self.tasks.tell(ticket, command),
                Effect::Submit { ticket, command, sign } => {
                    self.tasks.submit(ticket, command, sign);
                }
                Effect::Shown(numbers) => self.tasks.shown(numbers),
                Effect::Cancel { ticket } => self.tasks.cancel(ticket),
                Effect::Verify { ticket, ask } => self.tasks.verify(ticket, ask),
                Effect::Edit { text, suffix } => {
                    let back = self.back.clone();
                    tokio::task::spawn_blocking(move || {
                        let _ = back.send(What::Edited(editor::edit(&text, suffix)));
                    });
                }
                // There is no screen to give back or to paint, and ids can be read aloud.
                Effect::Copy(_) | Effect::Suspend | Effect::Redraw => {}
                Effect::Quit => self.ended = true,
            }
        }
    }

    fn act(&mut self, action: Action) {
        self.tell(What::Chosen(action));
    }

    /// Puts `text` into the field that has the keys, in the place of what was there.
    fn fill(&mut self, text: &str) {
        let key = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
        self.tell(What::Key(key));
        self.tell(What::Paste(text.to_owned()));
    }

    /// Says what is new, then asks what is to be asked.
    fn speak(&mut self) -> Result<(), RunError> {
        if self.ended || self.state.outside {
            return Ok(());
        }
        let news: Vec<String> = self
            .state
            .toasts
            .iter()
            .map(|t| match &t.hint {
                Some(hint) => format!("{}. Next: {hint}.", t.text),
                None => format!("{}.", t.text),
            })
            .collect();
        for text in &news {
            if !self.news.contains(text) {
                self.line(&clean(text))?;
                self.asked = false;
            }
        }
        self.news = news;
        let ask = ask::wanted(&self.state, &self.ask);
        if ask != self.ask {
            self.ask = ask;
            self.asked = false;
        }
        if self.ask == Ask::Command
            && (!self.speak_look()? || !self.speak_figures()? || !self.speak_item()?)
        {
            return Ok(());
        }
        if !self.asked {
            self.asked = true;
            let question = ask::question(&self.state, &self.ask);
            self.say(&question, " ")?;
        }
        Ok(())
    }

    /// Tells the decision that was asked for; `false` while it is on its way.
    fn speak_look(&mut self) -> Result<bool, RunError> {
        let Some(Overlay::Look(look)) = self.state.overlays.last() else { return Ok(true) };
        let lines = match look.seen.ready() {
            None => return Ok(false),
            Some(Ok(view)) => told::item(&self.state, None, &view),
            Some(Err(refused)) => refusal(&refused),
        };
        for line in lines {
            self.line(&line)?;
        }
        self.act(Action::Back);
        self.asked = false;
        Ok(true)
    }

    /// Tells the figures that were asked for and goes back to the queue; `false` while they are
    /// on their way.
    fn speak_figures(&mut self) -> Result<bool, RunError> {
        let lines = match (self.state.view, &self.state.signals.opened) {
            (View::Signals, Some(opened)) => match opened.seen.ready() {
                None => return Ok(false),
                Some(Ok(view)) => figures::distribution(&view, self.state.signals.window()),
                Some(Err(refused)) => refusal(&refused),
            },
            (View::Signals, None) => match self.state.signals_ready() {
                None => return Ok(false),
                Some(Ok(view)) => figures::signals(&self.state.signals, &view),
                Some(Err(refused)) => refusal(&refused),
            },
            (View::Containment, _) => match self.state.containment_ready() {
                None => return Ok(false),
                Some(Ok(view)) => figures::containment(&self.state, &view),
                Some(Err(refused)) => refusal(&refused),
            },
            _ => return Ok(true),
        };
        for line in lines {
            self.line(&line)?;
        }
        // The first takes news away that is told already.
        for _ in 0..2 {
            if self.state.signals.opened.is_some() {
                self.act(Action::Back);
            }
        }
        self.act(Action::ViewQueue);
        self.asked = false;
        Ok(true)
    }

    /// Tells the item on show, if it was not told yet; `false` while there is nothing to ask.
    fn speak_item(&mut self) -> Result<bool, RunError> {
        let Some(shown) = &self.state.shown else {
            let why = told::nothing(&self.state);
            if why != self.idle {
                self.idle.clone_from(&why);
                self.line(&why)?;
                self.asked = false;
            }
            return Ok(self.state.list.loaded);
        };
        let Some(view) = shown.view.clone() else {
            if let Some(failed) = &shown.failed {
                let why = clean(&failed.message);
                if why != self.idle {
                    self.idle.clone_from(&why);
                    self.line(&why)?;
                    self.asked = false;
                }
                return Ok(true);
            }
            return Ok(false);
        };
        // The item is told when it is known whether it can be decided.
        if matches!(shown.hold, Hold::Wanted(_) | Hold::Asking(_)) && self.told.is_some() {
            return Ok(false);
        }
        self.idle.clear();
        let key = (view.id.clone(), view.revision, view.blind);
        if self.told.as_ref() != Some(&key) {
            for line in told::item(&self.state, Some(shown), &view) {
                self.line(&line)?;
            }
            self.told = Some(key);
            self.asked = false;
        }
        let item = Some((view.id.clone(), view.revision));
        self.tell(What::Painted(Painted { item, list_height: 20, ..Painted::default() }));
        Ok(true)
    }

    /// A line was typed.
    async fn heard(
        &mut self,
        line: String,
        more: &mut UnboundedReceiver<String>,
    ) -> Result<(), RunError> {
        self.asked = false;
        let pasted = self.guard
            && self.ask == Ask::Command
            && tokio::time::timeout(PASTED, more.recv()).await.is_ok();
        if pasted {
            while more.try_recv().is_ok() {}
            return self.line("Several lines at once are taken for a paste. Nothing was done.");
        }
        match self.ask.clone() {
            Ask::Command => self.command(line.trim()),
            other => self.answer(&other, &line),
        }
    }
}

/// A refusal in lines.
fn refusal(refused: &Refused) -> Vec<String> {
    let mut lines = vec![clean(&refused.message)];
    lines.extend(refused.hint.as_ref().map(|hint| format!("Next: {}.", clean(hint))));
    lines
}

/// Foreign text for one line.
fn clean(text: &str) -> String {
    Clean::line_first(text, 2000).to_string()
}

/// Reads lines of standard input on a thread of its own, until it ends.
pub fn standard_input() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// The place whose keys and words count between sheets.
const PLACE: Context = Context::Queue;
