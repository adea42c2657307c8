//! Whole conversations over a desk in memory.

use std::sync::{Mutex, PoisonError};

use super::*;
use crate::domain::VerdictKind;
use crate::tui::app::Start;
use crate::tui::fake::{FakeDesk, start};
use crate::tui::keymap::Keymap;

/// What was said, shared with the test.
#[derive(Clone, Default)]
struct Spoken(Arc<Mutex<Vec<u8>>>);

impl Write for Spoken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Spoken {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn state() -> State {
    State::new(Start {
        now: start(),
        me: "ann".into(),
        keymap: Arc::new(Keymap::load("default", None).0),
        size: (80, 24),
        seed: 3,
        signs: false,
        hint: false,
        problems: Vec::new(),
        zone: jiff::tz::TimeZone::UTC,
    })
}

/// Hears a question, then is gone.
#[derive(Default)]
struct Leaves {
    heard: String,
}

impl Write for Leaves {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.heard.ends_with(": ") {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.heard.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says each line when the last question has been put; what was heard, and the desk.
fn talk(lines: &[&str]) -> (String, Arc<FakeDesk>) {
    let desk = Arc::new(FakeDesk::live());
    let spoken = Spoken::default();
    let mut linear = Linear::new(state(), desk.clone(), None, spoken.clone(), false);
    let (sender, receiver) = unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heard = spoken.clone();
    let lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
    runtime.block_on(async {
        let mouth = async move {
            let mut from = 0;
            for line in lines {
                // A question ends with a colon and a blank, and nothing comes after it.
                for _ in 0..2000 {
                    let text = heard.text();
                    if text.len() > from && text.ends_with(": ") {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                from = heard.text().len();
                let text = line == "." || line.starts_with("text:");
                let _ = sender.send(line.trim_start_matches("text:").to_owned());
                if text {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    from = 0;
                }
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        let app = linear.run(receiver, desk.changes(0));
        let (_, result) = tokio::join!(mouth, app);
        result.unwrap();
    });
    (spoken.text(), desk)
}

#[test]
fn an_item_is_told_and_accepted() {
    let (said, desk) = talk(&["accept", "undo", "a", "quit", "yes"]);
    assert!(
        said.contains("lap-2001. loan, approve. By mortgage-preapproval 3.1. 3m late."),
        "{said}"
    );
    assert!(said.contains("Why here: confidence 0.58"), "{said}");
    assert!(
        said.contains("  loan thousands: 138") || said.contains("loan thousands: 138"),
        "{said}"
    );
    assert!(said.contains("took back: lap-2001 is as it was"), "{said}");
    assert!(said.ends_with("Closed. Everything you sent is stored.\n"), "{said}");
    let verdicts = desk.verdicts();
    assert_eq!(verdicts.len(), 2, "{verdicts:?}");
    assert!(said.is_ascii() || !said.contains('▓'), "no bars: {said}");
    assert!(!said.contains('\u{1b}'), "no escapes");
}

#[test]
fn a_reject_asks_tags_note_and_what_was_right() {
    let (said, desk) = talk(&["reject", "f b", "not verified", "deny", "quit", "yes"]);
    assert!(said.contains("f factual error"), "{said}");
    let inside = desk.inside();
    let review = &inside.items["lap-2001"].reviews[0];
    assert_eq!(review.verdict.tags, ["factual_error", "bias"]);
    assert_eq!(review.verdict.note.as_deref(), Some("not verified"));
    assert_eq!(review.verdict.label.as_deref(), Some("deny"));
}

#[test]
fn a_text_is_edited_line_by_line() {
    let (said, desk) =
        talk(&["skip", "edit", "text:Ask an expert first.", ".", "", "t", "", "quit", "yes"]);
    assert!(said.contains("Added: Ask an expert first"), "{said}");
    let inside = desk.inside();
    let review = &inside.items["exq-0114"].reviews[0];
    assert_eq!(review.verdict.verdict, VerdictKind::Edit);
    assert_eq!(review.verdict.output, Some(serde_json::json!("Ask an expert first.")));
    assert_eq!(review.verdict.tags, ["tone"]);
}

#[test]
fn an_item_moves_with_a_note_and_unknown_words_are_said_to_be() {
    let (said, desk) =
        talk(&["dance", "escalate", "nowhere", "level3", "please look", "quit", "yes"]);
    assert!(said.contains("dance is nothing I know"), "{said}");
    assert!(said.contains("There is no queue of that name."), "{said}");
    let inside = desk.inside();
    let review = &inside.items["lap-2001"].reviews[0];
    assert_eq!(review.verdict.to.as_deref(), Some("level3"));
    assert_eq!(review.verdict.note.as_deref(), Some("please look"));
}

#[test]
fn signals_and_containment_are_told_and_the_item_comes_back() {
    let (heard, _) = talk(&["signals 1h", "containment", "help", "accept", "quit", "yes"]);
    for said in [
        "Signals over 1h.",
        "cohort:race:black: over limit. Override rate 27 %, between",
        "Bar 2, income thousands of model:mortgage-preapproval@3.1: drift. PSI .12, 1204 decisions.",
        "Queue level1: 94 % in time, 1 late, 3 at risk",
        "model=mortgage-preapproval@3.1: killed to human, by ann",
        "2 people to restart it.",
        "Incident 12, open: override-spike",
        "Evidence 3.2 of 20 needed: not enough data.",
        "kill, or kill with all, domain=D",
    ] {
        assert!(heard.contains(said), "{said}\n{heard}");
    }
}

#[test]
fn a_bar_is_opened_to_its_two_distributions_and_the_decisions_behind_it() {
    let (heard, _) =
        talk(&["bar 1", "signals 28d", "bar 99", "bar 2", "look lap-2044", "look nobody", "quit"]);
    for said in [
        "There are no bars yet. Say signals first.",
        "Signals over 28d.",
        "Bars are numbered 1 to ",
        "income thousands of model:mortgage-preapproval@3.1 over 28d: 12040 decisions in the \
         reference, 1204 now.",
        "up to 12.5: 10 %, 2.1 %, -7.9\n",
        "above 47: 9.5 %, 18 %, +8.7\n",
        "missing: 0.5 %, 0.8 %, +0.3\n",
        "newest decisions behind it: lap-0007, lap-1664, lap-2001, lap-2044. Say look",
        "lap-2044. loan. By mortgage-preapproval 3.1.",
        "It is blind: give your own answer first.",
        "there is no nobody",
    ] {
        assert!(heard.contains(said), "{said}\n{heard}");
    }
    assert!(heard.ends_with("Closed. Everything you sent is stored.\n"), "{heard}");
}

#[test]
fn a_stop_is_asked_word_by_word() {
    let (heard, desk) = talk(&[
        "kill domain=moderation",
        "block",
        "toxic answers",
        "moderatio",
        "moderation",
        "resume model=mortgage-preapproval@3.1 checked",
        "acknowledge 12",
        "",
        "redeliver notify-91",
        "yes",
        "quit",
    ]);
    assert!(heard.contains("Type moderation to stop domain=moderation:"), "{heard}");
    assert!(heard.contains("not that word; nothing is stopped"), "{heard}");
    assert!(heard.contains("stopped domain=moderation, generation 5"), "{heard}");
    assert!(heard.contains("1 of 2 so far"), "{heard}");
    assert!(heard.contains("incident 12 acknowledged"), "{heard}");
    let said = desk.inside().said.clone();
    let kills: Vec<_> =
        said.iter().filter(|c| matches!(c, crate::protocol::Command::Kill { .. })).collect();
    assert_eq!(
        kills,
        [&crate::protocol::Command::Kill {
            scope: "domain=moderation".parse().unwrap(),
            mode: crate::protocol::KillMode::Block,
            reason: "toxic answers".into(),
        }]
    );
    assert!(said.contains(&crate::protocol::Command::Redeliver { key: "notify-91".into() }));
}

#[test]
fn who_no_longer_listens_has_left() {
    let desk = Arc::new(FakeDesk::live());
    let mut linear = Linear::new(state(), desk.clone(), None, Leaves::default(), false);
    let (sender, receiver) = unbounded_channel();
    for line in ["accept", "accept", "accept"] {
        sender.send(line.to_owned()).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The lines have not ended: it is the silence that ends it, and that is no failure.
    runtime.block_on(linear.run(receiver, desk.changes(0))).unwrap();
    // What was answered while somebody listened is stored; what was said into nothing is not taken.
    assert_eq!(desk.verdicts().len(), 1);
    assert!(linear.out.heard.contains("lap-2001"), "{}", linear.out.heard);
    drop(sender);
}
