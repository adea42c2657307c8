//! Stopping and restarting: nothing holds a stop up, and nothing stops by accident.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::domain::ControlScope;
use crate::protocol::{CanaryAct, IncidentAct, KillMode};
use crate::tui::fake::start;
use crate::tui::keymap::Keymap;

/// Commands of containment that the desk was told, in order.
fn told(rig: &Rig) -> Vec<Command> {
    let inside = rig.desk.inside();
    let said = inside.said.iter().filter(|c| {
        matches!(
            c,
            Command::Kill { .. }
                | Command::Resume { .. }
                | Command::Requeue { .. }
                | Command::ReleaseFreeze { .. }
                | Command::Canary(_)
                | Command::Incident { .. }
                | Command::Redeliver { .. }
        )
    });
    said.cloned().collect()
}

fn scope(text: &str) -> ControlScope {
    text.parse().unwrap()
}

#[test]
fn a_stop_is_a_chord_a_look_and_the_scopes_word() {
    let mut rig = Rig::stocked();
    rig.press("Space K");
    assert!(rig.screen().contains("96 decisions/h go to people"), "{}", rig.screen());
    rig.press("Enter").type_text("mortgage-preapproval");
    assert_eq!(told(&rig), []);
    rig.press("Enter");
    let reason = "stopped in the app; no reason was typed".to_owned();
    let scope = scope("model=mortgage-preapproval@3.1");
    assert_eq!(told(&rig), [Command::Kill { scope, mode: KillMode::Human, reason }]);
    assert!(rig.state.overlays.is_empty());
    let toasts = rig.toasts();
    assert!(toasts.contains("generation 5"), "{toasts}");
    assert!(toasts.contains("2 people to restart it"), "{toasts}");
}

#[test]
fn scopes_come_from_what_is_under_the_cursor() {
    let mut rig = Rig::stocked();
    let first = |rig: &mut Rig, keys: &str| {
        rig.press(keys);
        let Some(Overlay::Kill(form)) = rig.state.overlays.last() else { panic!("no form") };
        let choices: Vec<String> = form.choices.iter().map(ToString::to_string).collect();
        rig.press("Esc");
        choices
    };
    assert_eq!(
        first(&mut rig, "Space K")[..6],
        [
            "model=mortgage-preapproval@3.1",
            "model=mortgage-preapproval",
            "domain=loan",
            "action=approve",
            "cohort=race:white",
            "all"
        ]
    );
    assert_eq!(first(&mut rig, "3 j j j K")[..2], ["model=loan-gb", "all"]);
    assert_eq!(first(&mut rig, "2 j K")[..2], ["cohort=race:black", "all"]);
    assert_eq!(
        first(&mut rig, "Tab Space K")[..2],
        ["model=mortgage-preapproval@3.1", "model=mortgage-preapproval"]
    );
    assert_eq!(first(&mut rig, "4 Space K")[..1], ["all"]);
}

#[test]
fn every_field_goes_along() {
    let mut rig = Rig::stocked();
    rig.press("Space K Down Tab Right Right Tab").type_text("3.0");
    rig.press("Tab").type_text("too many refusals");
    rig.press("Tab").type_text("mortgage-preapproval").press("Enter");
    assert_eq!(
        told(&rig),
        [Command::Kill {
            scope: scope("model=mortgage-preapproval"),
            mode: KillMode::LastGood { version: Some("3.0".into()) },
            reason: "too many refusals".into(),
        }]
    );
}

#[test]
fn nothing_but_the_typed_word_stops() {
    let table: &[(&str, &str, &str)] = &[
        ("Space K Enter", "", "not that word"),
        ("Space K Enter", "mortgage", "not that word"),
        ("Space K Enter", "Mortgage-preapproval", "not that word"),
        ("Space K Down Tab m Tab", "", ""),
        ("Space K Down Down Down Tab l Enter", "", "last-good needs a model"),
    ];
    for (keys, text, fault) in table {
        let mut rig = Rig::stocked();
        rig.press(keys).type_text(text);
        rig.press("Enter");
        assert_eq!(told(&rig), [], "{keys} {text}");
        assert!(rig.screen().contains(fault), "{keys}: {}", rig.screen());
    }
    let mut rig = Rig::stocked();
    rig.press("Space K Enter");
    rig.tell(What::Paste("mortgage-preapproval".into()));
    rig.press("Enter");
    assert_eq!(told(&rig), []);
    // Another scope wants its own word.
    let mut rig = Rig::stocked();
    rig.press("Space K Enter").type_text("mortgage-preapproval");
    rig.press("Tab Down Down Enter Enter");
    assert_eq!(told(&rig), []);
    assert!(rig.screen().contains("type loan to stop it"), "{}", rig.screen());
}

#[test]
fn a_scope_can_be_typed_and_a_wrong_one_is_explained() {
    let mut rig = Rig::stocked();
    rig.press("Space K Ctrl-u").type_text("domain=moderation");
    rig.press("Enter").type_text("moderation").press("Enter");
    assert!(
        matches!(&told(&rig)[..], [Command::Kill { scope, .. }] if *scope == self::scope("domain=moderation"))
    );
    rig.press("Space K Ctrl-u").type_text("everything");
    rig.press("Enter");
    assert!(rig.screen().contains("`everything` is not a scope: write all"), "{}", rig.screen());
}

#[test]
fn a_stop_goes_out_while_nothing_else_answers() {
    // Not even the queue has been read.
    let mut state = State::new(Start {
        now: start(),
        me: "ann".into(),
        keymap: Arc::new(Keymap::load("default", None).0),
        size: (80, 24),
        seed: 7,
        signs: false,
        hint: false,
        problems: Vec::new(),
        zone: jiff::tz::TimeZone::UTC,
    });
    let mut at = start();
    let mut press = |state: &mut State, code| {
        at += jiff::SignedDuration::from_millis(90);
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        state.update(Msg { at, what: What::Key(key) })
    };
    state.update(Msg { at: start(), what: What::Started });
    let mut effects = Vec::new();
    for code in [KeyCode::Char(' '), KeyCode::Char('K'), KeyCode::Enter] {
        effects.extend(press(&mut state, code));
    }
    for c in "all".chars() {
        effects.extend(press(&mut state, KeyCode::Char(c)));
    }
    effects.extend(press(&mut state, KeyCode::Enter));
    let sent: Vec<_> = effects
        .iter()
        .filter_map(|e| match e {
            Effect::Submit { command: Command::Kill { scope, .. }, .. } => Some(scope.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [ControlScope::All]);
    assert_eq!(state.control.ordered.len(), 1);
}

#[test]
fn a_stop_is_shown_until_it_is_answered_and_seen_through_at_the_end() {
    let mut rig = Rig::stocked();
    rig.hold = true;
    rig.press("Space K Enter").type_text("mortgage-preapproval").press("Enter");
    rig.pass(4200);
    assert!(rig.screen().contains("stopping model=mortgage-preapproval@3.1, no answer for 4s"));
    rig.press("q");
    assert!(!rig.effects.contains(&Effect::Quit));
    rig.let_go();
    assert!(rig.effects.contains(&Effect::Quit));
}

#[test]
fn a_refused_stop_comes_back_with_why() {
    let mut rig = Rig::stocked();
    let refused = Refused::new(Why::Unavailable, "the disk is full").hint("overrule kill");
    rig.desk.inside().refuse.push_back(refused);
    rig.press("Space K Enter").type_text("mortgage-preapproval").press("Enter");
    assert!(rig.toasts().contains("the disk is full"), "{}", rig.toasts());
    let Some(Overlay::Kill(form)) = rig.state.overlays.last() else { panic!("no form") };
    assert_eq!(form.word.text(), "mortgage-preapproval");
    rig.press("Enter");
    assert!(rig.toasts().contains("generation 5"), "{}", rig.toasts());
}

#[test]
fn a_restart_is_asked_for_without_typing_and_says_who_is_missing() {
    let mut rig = Rig::stocked();
    rig.press("3 j j R");
    assert!(rig.screen().contains("It takes 2 people."), "{}", rig.screen());
    rig.press("Enter");
    let reason = "asked in the app; no reason was typed".to_owned();
    let scope = scope("model=mortgage-preapproval@3.1");
    assert_eq!(told(&rig), [Command::Resume { scope: scope.clone(), reason }]);
    assert!(rig.toasts().contains("1 of 2 so far"), "{}", rig.toasts());
    rig.desk.inside().contained.switches[2].resume_by = vec!["bob".into()];
    rig.press("R Enter");
    assert!(rig.toasts().contains("automation runs again"), "{}", rig.toasts());
}

#[test]
fn what_the_keys_of_the_rows_send() {
    let table: Vec<(&str, &str, &str, Option<Command>)> = vec![
        (
            "3 Tab a",
            "",
            "Enter",
            Some(Command::Incident { id: "12".into(), act: IncidentAct::Acknowledge, note: None }),
        ),
        ("3 Tab r", "", "Enter", None),
        (
            "3 Tab r",
            "a bad release",
            "Enter",
            Some(Command::Incident {
                id: "12".into(),
                act: IncidentAct::Resolve,
                note: Some("a bad release".into()),
            }),
        ),
        (
            "3 Tab Tab B",
            "worse",
            "Enter",
            Some(Command::Canary(CanaryAct::Rollback {
                model: "loan-gb".into(),
                reason: "worse".into(),
            })),
        ),
        (
            "3 Tab Tab P",
            "good",
            "Enter",
            Some(Command::Canary(CanaryAct::Promote {
                model: "loan-gb".into(),
                reason: "good".into(),
            })),
        ),
        (
            "3 Tab Tab Tab f",
            "checked",
            "Enter",
            Some(Command::ReleaseFreeze { id: "f-7".into(), reason: "checked".into() }),
        ),
        ("3 G d", "", "Enter", Some(Command::Redeliver { key: "reply-208".into() })),
        ("3 Tab a", "", "Esc", None),
        ("3 a", "", "Enter", None),
        ("3 Tab f", "x", "Enter", None),
    ];
    for (keys, text, last, wanted) in table {
        let mut rig = Rig::stocked();
        rig.press(keys).type_text(text);
        rig.press(last);
        assert_eq!(told(&rig).pop(), wanted, "{keys}");
    }
}

#[test]
fn what_was_automatic_goes_before_people_since_when_it_is_said() {
    let mut rig = Rig::stocked();
    rig.press("3 j j Q Ctrl-u").type_text("soon").press("Tab").type_text("all of it");
    rig.press("Enter");
    assert!(rig.screen().contains("how long ago"), "{}", rig.screen());
    rig.press("Ctrl-u").type_text("2h").press("Enter");
    let now = rig.now;
    let Some(Command::Requeue { since, reason, .. }) = told(&rig).pop() else { panic!("not sent") };
    assert_eq!(reason, "all of it");
    assert_eq!(now.duration_since(since).as_secs() / 60, 120);
    assert!(rig.toasts().contains("17 decisions go before people again"), "{}", rig.toasts());
}

#[test]
fn an_incident_opens_to_its_timeline_and_its_decisions() {
    let mut rig = Rig::stocked();
    rig.press("3 Tab Enter");
    assert!(rig.screen().contains("TIMELINE"), "{}", rig.screen());
    rig.press("a Enter");
    assert!(rig.screen().contains("ann is on it"), "{}", rig.screen());
    rig.press("G Enter");
    assert!(rig.screen().contains("decision lap-0007"), "{}", rig.screen());
    rig.press("Esc Esc");
    assert!(rig.state.overlays.is_empty());
    assert_eq!(rig.state.view, View::Containment);
}

#[test]
fn the_cursor_goes_to_what_took_the_place_of_a_row() {
    let mut rig = Rig::stocked();
    rig.press("3 G k d Enter");
    rig.pass(4000);
    assert_eq!(rig.state.containment.here().map(|r| r.name()), Some("outgoing reply-208".into()));
}

#[test]
fn a_refusal_keeps_the_switches_in_sight() {
    let mut rig = Rig::stocked();
    rig.press("3 Tab Tab P").type_text("good").press("Enter");
    let toasts = rig.toasts();
    assert!(toasts.contains("promoting loan-gb takes level 3; ann has 1"), "{toasts}");
    assert!(rig.screen().contains("AUTOMATION"), "{}", rig.screen());
}

#[test]
fn a_reject_says_why_where_the_policy_names_reasons() {
    let mut rig = Rig::stocked();
    rig.press("r Enter");
    assert_eq!(reviews(&rig), []);
    assert!(rig.screen().contains("say why: a tag, or a note"), "{}", rig.screen());
    rig.press("f Enter");
    assert_eq!(reviews(&rig)[0].verdict.tags, ["factual_error"]);
    let desk = FakeDesk::stocked();
    desk.inside().tags = false;
    let mut rig = Rig::new(desk, 100, 30);
    rig.press("r Enter");
    assert_eq!(reviews(&rig).len(), 1, "a policy without reasons asks for none");
}
