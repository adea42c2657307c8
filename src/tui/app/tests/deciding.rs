//! Accept, undo, refusals, bursts: what reaches the desk, and what stands on the screen.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers};

use super::*;

#[test]
fn an_accept_is_durable_at_the_key_press_and_the_next_item_is_there() {
    let mut rig = Rig::stocked();
    assert_eq!(rig.shown(), Some("lap-2001"));
    rig.press("a");
    assert_eq!(rig.desk.verdicts(), [("lap-2001".into(), VerdictKind::Accept, false)]);
    assert_eq!(state_of(&rig, "lap-2001"), ItemState::Decided);
    let request = &reviews(&rig)[0];
    assert_eq!(request.revision, Some(1));
    assert_eq!(request.seen.as_deref(), Some(format!("{:064x}", 1).as_str()));
    assert!(request.lease.is_some());
    assert_eq!(request.grace_ms, 5000);
    assert_eq!(rig.shown(), Some("exq-0114"));
    assert!(rig.screen().contains("accepted lap-2001  5s u"), "{}", rig.screen());
    assert!(rig.screen().contains("What should I do if I think I own a polluted field?"));
    rig.pass(1000);
    assert!(rig.screen().contains("accepted lap-2001  4s u"), "{}", rig.screen());
    rig.pass(5000);
    assert!(!rig.screen().contains("accepted lap-2001"), "{}", rig.screen());
    assert_eq!(state_of(&rig, "lap-2001"), ItemState::Settled);
}

#[test]
fn the_next_item_is_in_the_very_frame_that_answers_the_key() {
    let mut rig = Rig::stocked();
    rig.pass(150);
    rig.hold = true;
    let frames = rig.frames;
    rig.tell(What::Key(KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE)));
    // No answer of the desk has come yet: it was loaded before.
    assert_eq!(rig.frames, frames + 1);
    assert!(rig.screen().contains("What should I do if I think"), "{}", rig.screen());
    assert!(rig.screen().contains("saving lap-2001"), "{}", rig.screen());
    assert!(!rig.screen().contains("accepted"), "not called done before it is");
    rig.let_go();
    assert!(rig.screen().contains("accepted lap-2001"), "{}", rig.screen());
}

#[test]
fn undo_takes_the_newest_back_and_shows_it() {
    let mut rig = Rig::stocked();
    rig.press("a a u");
    let last = rig.desk.verdicts();
    assert_eq!(last.len(), 2);
    assert_eq!(rig.shown(), Some("exq-0114"));
    assert_eq!(state_of(&rig, "exq-0114"), ItemState::Waiting);
    assert_eq!(state_of(&rig, "lap-2001"), ItemState::Decided);
    rig.press("u");
    assert_eq!(state_of(&rig, "lap-2001"), ItemState::Waiting);
    assert_eq!(rig.shown(), Some("lap-2001"));
    rig.press("u");
    assert!(rig.toasts().contains("nothing to take back"), "{}", rig.toasts());
    // Taken back, it can be decided again, at its new revision.
    rig.press("a");
    assert_eq!(reviews(&rig).last().unwrap().revision, Some(3));
    assert_eq!(state_of(&rig, "lap-2001"), ItemState::Decided);
}

#[test]
fn undo_of_a_verdict_on_its_way_comes_after_it() {
    let mut rig = Rig::stocked();
    rig.pass(150);
    rig.hold = true;
    rig.press("a");
    rig.press("u");
    assert_eq!(reviews(&rig).len(), 1);
    rig.let_go();
    assert_eq!(state_of(&rig, "lap-2001"), ItemState::Waiting);
    assert_eq!(rig.desk.verdicts(), [("lap-2001".into(), VerdictKind::Accept, true)]);
}

#[test]
fn a_refused_verdict_comes_back_with_its_reason() {
    let mut rig = Rig::stocked();
    let refused = Refused::new(Why::Stale, "lap-2001 has changed: you saw revision 1, it is at 2")
        .hint("look at it again");
    rig.desk.inside().refuse.push_back(refused);
    rig.press("a");
    assert!(rig.toasts().contains("was not accepted: lap-2001 has changed"), "{}", rig.toasts());
    assert!(rig.screen().contains("look at it again"), "{}", rig.screen());
    assert!(rig.state.list.find("lap-2001").is_some(), "the row is back");
    assert_eq!(rig.shown(), Some("exq-0114"), "the cursor stays where the reviewer is");
    assert!(rig.state.verdicts.pending.is_empty());
}

#[test]
fn only_what_was_painted_at_this_revision_is_decided() {
    let mut rig = Rig::stocked();
    rig.pass(150);
    // The list moves on, no frame yet: the key that follows at once decides nothing.
    let key = |c| What::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
    for what in [key('j'), key('a')] {
        let at = rig.now;
        let effects = rig.state.update(Msg { at, what });
        assert!(effects.iter().all(|e| !matches!(e, Effect::Submit { .. })), "{effects:?}");
    }
    assert!(rig.toasts().contains("has not been shown yet"), "{}", rig.toasts());
    // Shown, but changed since: the frame that is on the screen is of the old revision.
    let mut rig = Rig::stocked();
    rig.desk.inside().items.get_mut("lap-2001").unwrap().item.revision = 5;
    rig.press("a");
    assert_eq!(rig.desk.verdicts(), []);
    assert!(rig.toasts().contains("you saw revision 1, it is at 5"), "{}", rig.toasts());
}

#[test]
fn a_key_held_down_decides_once() {
    let mut rig = Rig::stocked();
    rig.press("a");
    for _ in 0..30 {
        rig.pass(33);
        rig.tell(What::Key(KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE)));
    }
    assert_eq!(rig.desk.verdicts().len(), 1);
    // Terminals that tell repeats apart.
    rig.pass(500);
    rig.tell(What::Key(KeyEvent {
        code: KeyCode::Char('a'),
        modifiers: KeyModifiers::NONE,
        kind: KeyEventKind::Repeat,
        state: KeyEventState::NONE,
    }));
    assert_eq!(rig.desk.verdicts().len(), 1);
    rig.press("a");
    assert_eq!(rig.desk.verdicts().len(), 2);
}

#[test]
fn a_burst_of_decision_keys_decides_nothing() {
    let mut rig = Rig::stocked();
    rig.pass(200);
    for c in ['a', 's', 'a', 'x'] {
        rig.pass(3);
        rig.tell(What::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
    }
    rig.pass(20);
    assert!(rig.desk.verdicts().iter().all(|(_, _, undone)| *undone), "{:?}", rig.desk.verdicts());
    assert_eq!(state_of(&rig, "lap-2001"), ItemState::Waiting);
    assert!(rig.toasts().contains("taken for a paste"), "{}", rig.toasts());
    assert!(rig.state.overlays.is_empty());
}

#[test]
fn paste_never_decides() {
    let mut rig = Rig::stocked();
    rig.tell(What::Paste("a\nr\nEnter y".into()));
    assert_eq!(reviews(&rig), []);
    assert!(rig.toasts().contains("pasted text decides nothing"));
    assert_eq!(rig.shown(), Some("lap-2001"));
}

#[test]
fn a_broken_record_is_not_accepted() {
    let mut rig = Rig::stocked();
    rig.state.list.select("hp-017");
    rig.press("j k");
    rig.pass(300);
    assert_eq!(rig.shown(), Some("hp-017"));
    let screen = rig.screen();
    assert!(screen.contains("a broken record"), "{screen}");
    assert!(screen.contains("confidence  out_of_range"), "{screen}");
    assert!(!screen.contains("a accept"), "not offered: {screen}");
    rig.press("a");
    assert_eq!(reviews(&rig), []);
    assert!(rig.toasts().contains("cannot be accepted"), "{}", rig.toasts());
}

#[test]
fn skip_gives_back_and_steps_over() {
    let mut rig = Rig::stocked();
    rig.press("s");
    assert_eq!(rig.shown(), Some("exq-0114"));
    assert!(rig.desk.inside().items["lap-2001"].lease.is_none());
    assert!(rig.state.list.find("lap-2001").is_some(), "it stays in the queue");
    assert!(rig.screen().contains("skipped"), "{}", rig.screen());
    rig.press("a");
    assert_eq!(rig.shown(), Some("lap-1664"), "the skipped one is stepped over");
}

#[test]
fn stale_answers_change_nothing() {
    let mut rig = Rig::stocked();
    rig.press("a");
    let before = format!("{:?}", rig.state.list);
    let screen = rig.screen();
    for ticket in 0..200 {
        let refused = || Refused::new(Why::Internal, "old");
        rig.tell(What::Answered(ticket, Err(refused())));
        rig.tell(What::Replied(ticket, Err(refused())));
        rig.tell(What::Verified(ticket, Err(refused())));
    }
    assert_eq!(format!("{:?}", rig.state.list), before);
    assert_eq!(rig.screen(), screen);
}

#[test]
fn a_signed_queue_without_a_key_says_so_and_with_one_signs() {
    let signed = || {
        let desk = FakeDesk::stocked();
        desk.inside().items.get_mut("lap-2001").unwrap().signed = true;
        desk
    };
    let mut rig = Rig::new(signed(), 120, 36);
    rig.press("a");
    assert_eq!(reviews(&rig), []);
    assert!(rig.toasts().contains("must be signed"), "{}", rig.toasts());
    let mut rig = Rig::with(signed(), 120, 36, |s| s.signs = true);
    rig.pass(150);
    let at = rig.now;
    let a = What::Key(KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE));
    let effects = rig.state.update(Msg { at, what: a });
    assert!(effects.iter().any(|e| matches!(e, Effect::Submit { sign: true, .. })), "{effects:?}");
}

#[test]
fn quitting_waits_for_verdicts_and_gives_the_lease_back() {
    let mut rig = Rig::stocked();
    rig.press("q");
    assert_eq!(rig.effects.last(), Some(&Effect::Quit));
    assert!(rig.desk.inside().items["lap-2001"].lease.is_none());

    let mut rig = Rig::stocked();
    rig.press("a q");
    assert!(rig.screen().contains("quit?"), "{}", rig.screen());
    assert_eq!(rig.effects, []);
    rig.press("Esc");
    assert!(!rig.screen().contains("quit?"));
    rig.press("q Enter");
    assert_eq!(rig.effects.last(), Some(&Effect::Quit));

    // A verdict still on its way: the end comes after its answer.
    let mut rig = Rig::stocked();
    rig.pass(200);
    rig.hold = true;
    rig.press("a");
    rig.tell(What::Stop);
    assert!(!rig.effects.contains(&Effect::Quit));
    rig.let_go();
    assert_eq!(rig.effects.last(), Some(&Effect::Quit));
    assert_eq!(rig.desk.verdicts().len(), 1);
}
