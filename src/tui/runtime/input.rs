//! What the person types, and the terminal's own answers sorted out of it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyModifiers};
use futures_util::StreamExt;

use crate::tui::theme::Background;

/// Where input comes from.
pub enum Input {
    /// The terminal; `None` while it belongs to somebody else.
    Terminal(Option<EventStream>),
    /// A script; the app's own tests type with it.
    #[cfg(test)]
    Script(tokio::sync::mpsc::UnboundedReceiver<Event>),
}

impl Input {
    /// Reads the terminal from now on.
    pub fn terminal() -> Self {
        Self::Terminal(Some(EventStream::new()))
    }

    /// Stops reading: another program is about to.
    pub fn pause(&mut self) {
        match self {
            Self::Terminal(stream) => *stream = None,
            #[cfg(test)]
            Self::Script(_) => {}
        }
    }

    /// Reads again.
    pub fn resume(&mut self) {
        match self {
            Self::Terminal(stream) => {
                stream.get_or_insert_with(EventStream::new);
            }
            #[cfg(test)]
            Self::Script(_) => {}
        }
    }

    /// The next event; waits forever while paused. `None`: input has ended.
    pub async fn next(&mut self) -> Option<io::Result<Event>> {
        match self {
            Self::Terminal(Some(stream)) => stream.next().await,
            Self::Terminal(None) => std::future::pending().await,
            #[cfg(test)]
            Self::Script(events) => events.recv().await.map(Ok),
        }
    }

    /// The next event if it is there already. Asked with the task's own waker: the terminal's
    /// stream keeps the first waker it is shown, and an idle one would never wake us again.
    pub async fn ready(&mut self) -> Option<io::Result<Event>> {
        let mut next = pin!(self.next());
        poll_fn(|cx| match next.as_mut().poll(cx) {
            Poll::Ready(event) => Poll::Ready(event),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

/// Sorts the answer to "what is your background?" out of the keys it arrives as.
///
/// The answer is `ESC ] 11 ; rgb:… BEL`; the reader of keys gives `Alt-]`, then characters, then
/// `Ctrl-g` (or `Alt-\`). Nothing waits for it, and keys typed meanwhile go through.
#[derive(Debug, Default)]
pub struct Answers {
    /// Answers are expected until then.
    until: Option<Instant>,
    /// What came since `Alt-]`.
    held: Vec<KeyEvent>,
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub enum Sorted {
    /// These are for the app.
    Pass(Vec<Event>),
    /// Part of an answer, or of what may become one.
    Held,
    /// The terminal's background.
    Background(Background),
}

impl Answers {
    /// An answer may come from now on.
    pub fn expect(&mut self) {
        // Slow lines take a second; a person who types Alt-] then loses nothing but time.
        self.until = Some(Instant::now() + Duration::from_secs(3));
    }

    /// Sorts one event.
    pub fn sort(&mut self, event: Event) -> Sorted {
        let Event::Key(key) = event else { return Sorted::Pass(vec![event]) };
        if self.held.is_empty() {
            let expected = self.until.is_some_and(|until| Instant::now() < until);
            let begins = key.code == KeyCode::Char(']') && key.modifiers == KeyModifiers::ALT;
            if !(expected && begins) {
                return Sorted::Pass(vec![event]);
            }
            self.held.push(key);
            return Sorted::Held;
        }
        self.held.push(key);
        let text = self.text();
        let ended = text.ends_with('\x07') || text.ends_with("\x1b\\");
        if ended {
            self.held.clear();
            self.until = None;
            return match Background::from_osc11(text.as_bytes()) {
                Some(background) => Sorted::Background(background),
                None => Sorted::Held,
            };
        }
        let like = "\x1b]11;";
        let may = if text.len() <= like.len() {
            like.starts_with(&text)
        } else {
            text.starts_with(like) && text.len() < 64
        };
        if may {
            return Sorted::Held;
        }
        Sorted::Pass(self.held.drain(..).map(Event::Key).collect())
    }

    /// The keys held, as the bytes they came from.
    fn text(&self) -> String {
        let mut text = String::new();
        for key in &self.held {
            match (key.code, key.modifiers) {
                (KeyCode::Char(c), KeyModifiers::ALT) => {
                    text.push('\x1b');
                    text.push(c);
                }
                (KeyCode::Char('g'), KeyModifiers::CONTROL) => text.push('\x07'),
                (KeyCode::Char(c), _) => text.push(c),
                _ => text.push('\0'),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(c: char, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers))
    }

    fn feed(answers: &mut Answers, text: &str) -> Vec<Sorted> {
        text.chars().map(|c| answers.sort(key(c, KeyModifiers::NONE))).collect()
    }

    #[test]
    fn the_answer_is_taken_out_of_the_keys() {
        let mut answers = Answers::default();
        answers.expect();
        assert_eq!(answers.sort(key(']', KeyModifiers::ALT)), Sorted::Held);
        assert!(feed(&mut answers, "11;rgb:ffff/ffff/f0f0").iter().all(|s| *s == Sorted::Held));
        assert_eq!(
            answers.sort(key('g', KeyModifiers::CONTROL)),
            Sorted::Background(Background::Light)
        );
        let a = key('a', KeyModifiers::NONE);
        assert_eq!(answers.sort(a.clone()), Sorted::Pass(vec![a]));
    }

    #[test]
    fn a_person_who_types_the_same_beginning_gets_the_keys_back() {
        let mut answers = Answers::default();
        answers.expect();
        let alt = key(']', KeyModifiers::ALT);
        assert_eq!(answers.sort(alt.clone()), Sorted::Held);
        let a = key('a', KeyModifiers::NONE);
        assert_eq!(answers.sort(a.clone()), Sorted::Pass(vec![alt.clone(), a]));
        // Nobody asked: nothing is held.
        let mut answers = Answers::default();
        assert_eq!(answers.sort(alt.clone()), Sorted::Pass(vec![alt]));
    }
}
