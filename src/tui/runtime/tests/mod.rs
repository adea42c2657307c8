//! The real loop without a terminal: scripted keys, a desk in memory, frames counted.

use std::io;
use std::sync::{Arc, Mutex};

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::sync::mpsc::UnboundedSender;

use super::*;
use crate::domain::VerdictKind;
use crate::tui::app::Start;
use crate::tui::fake::FakeDesk;
use crate::tui::keymap::Keymap;
use crate::tui::rig::theme;
use crate::tui::theme::Depth;

/// What happened to the screen, shared with the test.
#[derive(Debug, Default)]
struct Seen {
    screen: String,
    frames: u64,
    copied: Vec<String>,
    left: u64,
    entered: u64,
    background_asked_after: Option<u64>,
}

struct Paper {
    terminal: Terminal<TestBackend>,
    seen: Arc<Mutex<Seen>>,
}

impl Surface for Paper {
    fn paint(&mut self, draw: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame)).map_err(io::Error::other)?;
        let buffer = self.terminal.backend().buffer();
        let mut seen = self.seen.lock().unwrap();
        seen.frames += 1;
        seen.screen = buffer.content.iter().map(|cell| cell.symbol()).collect();
        Ok(())
    }

    fn size(&self) -> io::Result<(u16, u16)> {
        Ok((120, 36))
    }

    fn leave(&mut self) -> io::Result<()> {
        self.seen.lock().unwrap().left += 1;
        Ok(())
    }

    fn enter(&mut self) -> io::Result<()> {
        self.seen.lock().unwrap().entered += 1;
        Ok(())
    }

    fn forget(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.seen.lock().unwrap().copied.push(text.to_owned());
        Ok(())
    }

    fn ask_background(&mut self) -> io::Result<()> {
        let mut seen = self.seen.lock().unwrap();
        seen.background_asked_after = Some(seen.frames);
        Ok(())
    }
}

/// A hand on the keyboard.
struct Hand {
    keys: UnboundedSender<Event>,
    seen: Arc<Mutex<Seen>>,
    desk: Arc<FakeDesk>,
}

impl Hand {
    fn key(&self, code: KeyCode, modifiers: KeyModifiers) {
        let _ = self.keys.send(Event::Key(crossterm::event::KeyEvent::new(code, modifiers)));
    }

    fn press(&self, c: char) {
        self.key(KeyCode::Char(c), KeyModifiers::NONE);
    }

    /// Waits until the screen shows this.
    async fn until(&self, text: &str) {
        for _ in 0..3000 {
            if self.seen.lock().unwrap().screen.contains(text) {
                // As long as a person needs at least.
                tokio::time::sleep(Duration::from_millis(100)).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("never shown: {text}\n{}", self.seen.lock().unwrap().screen);
    }
}

/// Runs the app while `play` plays; the result of the app and what was seen.
fn run<F>(play: impl FnOnce(Hand) -> F) -> (Result<(), RunError>, Seen, Arc<FakeDesk>)
where
    F: Future<Output = ()>,
{
    let desk = Arc::new(FakeDesk::live());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (keys, script) = unbounded_channel();
    let surface =
        Paper { terminal: Terminal::new(TestBackend::new(120, 36)).unwrap(), seen: seen.clone() };
    let state = State::new(Start {
        now: Timestamp::now(),
        me: "ann".into(),
        keymap: Arc::new(Keymap::load("default", None).0),
        size: (120, 36),
        seed: 11,
        signs: false,
        hint: false,
        problems: Vec::new(),
        zone: jiff::tz::TimeZone::UTC,
    });
    let retheme: Retheme = Box::new(|_| theme(Depth::Mono));
    let mut app = Runtime::new(
        state,
        surface,
        Input::Script(script),
        desk.clone(),
        None,
        theme(Depth::True),
        Some(retheme),
    );
    app.editor = |text, _| Ok(Some(text.replace("approve", "deny")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hand = Hand { keys, seen: seen.clone(), desk: desk.clone() };
    let changes = desk.changes(0);
    let result = runtime.block_on(async {
        let (result, ()) = tokio::join!(app.run(changes), play(hand));
        result
    });
    drop(app);
    (result, Arc::try_unwrap(seen).unwrap().into_inner().unwrap(), desk)
}

#[test]
fn keys_reach_the_desk_and_the_app_ends_clean() {
    let (result, seen, desk) = run(|hand| async move {
        hand.until("lap-2001").await;
        hand.press('a');
        hand.until("accepted lap-2001").await;
        hand.press('y');
        hand.until("copied exq-0114").await;
        hand.press('q');
        hand.until("quit?").await;
        hand.key(KeyCode::Enter, KeyModifiers::NONE);
    });
    result.unwrap();
    assert_eq!(desk.verdicts(), [("lap-2001".into(), VerdictKind::Accept, false)]);
    assert_eq!(seen.copied, ["exq-0114"]);
    assert_eq!(seen.background_asked_after, Some(1), "the first frame waits for nothing");
    assert!(desk.inside().items.values().all(|h| h.lease.is_none()), "leases are given back");
}

#[test]
fn input_that_ends_ends_the_app_and_keeps_what_was_typed() {
    let (result, _, desk) = run(|hand| async move {
        hand.until("lap-2001").await;
        hand.press('s');
        hand.until("polluted").await;
        hand.press('e');
        hand.until("edit exq-0114").await;
        for c in "Kept. ".chars() {
            hand.press(c);
        }
        hand.until("Kept. If you").await;
        // The terminal goes away.
    });
    result.unwrap();
    let draft = desk.inside().drafts[&("exq-0114".into(), "ann".into())].clone();
    assert!(draft.output.unwrap().starts_with("Kept. If you"));
}

#[test]
fn an_idle_app_paints_nothing() {
    let (result, seen, _) = run(|hand| async move {
        hand.until("lap-2001").await;
        hand.press('2');
        hand.until("race:hispanic").await;
        let before = hand.seen.lock().unwrap().frames;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(hand.seen.lock().unwrap().frames, before);
        hand.press('q');
        hand.until("WHY HERE").await;
        hand.press('q');
    });
    result.unwrap();
    assert!(seen.frames < 20, "{}", seen.frames);
}

#[test]
fn a_burst_of_keys_is_one_frame() {
    let (result, seen, _) = run(|hand| async move {
        hand.until("lap-2001").await;
        let before = hand.seen.lock().unwrap().frames;
        for _ in 0..200 {
            hand.press('j');
            hand.press('k');
        }
        hand.press('6');
        hand.until("loan-desk").await;
        let painted = hand.seen.lock().unwrap().frames - before;
        assert!(painted < 40, "{painted}");
        hand.press('q');
        hand.until("WHY HERE").await;
        hand.press('q');
    });
    result.unwrap();
    assert!(seen.screen.contains("lap-2001") || seen.screen.contains("exq"), "{}", seen.screen);
}

#[test]
fn the_terminals_answer_changes_the_look_and_types_nothing() {
    let (result, _, desk) = run(|hand| async move {
        hand.until("lap-2001").await;
        hand.key(KeyCode::Char(']'), KeyModifiers::ALT);
        for c in "11;rgb:ffff/ffff/ffff".chars() {
            hand.press(c);
        }
        hand.key(KeyCode::Char('g'), KeyModifiers::CONTROL);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(hand.seen.lock().unwrap().screen.contains("WHY HERE"), "no view was switched");
        assert!(hand.desk.verdicts().is_empty());
        hand.press('q');
    });
    result.unwrap();
    assert!(desk.verdicts().is_empty());
}

#[test]
fn the_persons_editor_has_the_screen_meanwhile() {
    let (result, seen, _) = run(|hand| async move {
        hand.until("lap-2001").await;
        hand.press('E');
        hand.until("deny").await;
        hand.key(KeyCode::Esc, KeyModifiers::NONE);
        hand.until("WHY HERE").await;
        hand.press('q');
    });
    result.unwrap();
    assert_eq!((seen.left, seen.entered), (1, 1));
}
