//! The signals view: what is asked and when, whose answers count, what Enter opens.

use super::*;
use crate::protocol::SignalsAsk;

fn asked(rig: &Rig) -> Vec<SignalsAsk> {
    let inside = rig.desk.inside();
    let asks = inside.asked.iter().filter_map(|q| match q {
        Query::Signals(ask) => Some(ask.clone()),
        _ => None,
    });
    asks.collect()
}

fn ask(window: &str, by: &str, slice: Option<&str>) -> SignalsAsk {
    SignalsAsk { window: window.into(), by: Some(by.into()), slice: slice.map(str::to_owned) }
}

#[test]
fn figures_are_read_on_entry_and_then_every_few_seconds_of_change() {
    let mut rig = Rig::stocked();
    assert_eq!(asked(&rig), []);
    rig.press("2");
    assert_eq!(asked(&rig), [ask("24h", "cohort", None)]);
    // Ten changes in two seconds are read once, when three seconds are over.
    for _ in 0..10 {
        rig.change();
    }
    assert_eq!(asked(&rig).len(), 2);
    rig.pass(10_000);
    assert_eq!(asked(&rig).len(), 2, "no change, no question");
    rig.press("1");
    for _ in 0..10 {
        rig.change();
        rig.pass(1000);
    }
    assert_eq!(asked(&rig).len(), 2, "nobody looks");
}

#[test]
fn figures_that_did_not_change_paint_nothing() {
    let mut rig = Rig::stocked();
    rig.press("2");
    rig.change();
    rig.pass(4000);
    let frames = rig.frames;
    for _ in 0..3 {
        rig.change();
        rig.pass(4000);
    }
    assert_eq!(rig.frames, frames);
    assert_eq!(asked(&rig).len(), 5);
}

#[test]
fn window_and_dimension_turn_and_an_old_answer_is_dropped() {
    let mut rig = Rig::stocked();
    rig.hold = true;
    rig.press("2 w w w w s");
    let cancelled = rig.effects.iter().filter(|e| matches!(e, Effect::Cancel { .. })).count();
    assert_eq!(cancelled, 5);
    assert!(rig.screen().contains("[15m]"), "{}", rig.screen());
    assert!(rig.screen().contains("reading…"), "{}", rig.screen());
    rig.let_go();
    let view = rig.state.signals.seen.view.clone().unwrap();
    assert_eq!(view.window, "15m");
    assert!(view.slices.iter().all(|s| s.slice.contains_key("model")), "{:?}", view.slices);
    rig.press("W S S S");
    assert_eq!(asked(&rig).pop(), Some(ask("90d", "rule", None)));
}

#[test]
fn a_slice_opens_its_drift_and_a_feature_its_distribution_and_decisions() {
    let mut rig = Rig::stocked();
    rig.press("2 j Enter");
    assert_eq!(asked(&rig).pop(), Some(ask("24h", "cohort", Some("cohort:race:black"))));
    assert!(rig.screen().contains("drift of cohort:race:black"), "{}", rig.screen());
    rig.press("Esc");
    assert_eq!(asked(&rig).pop(), Some(ask("24h", "cohort", None)));
    rig.press("j Enter");
    let opened = rig.desk.inside().asked.iter().rev().find_map(|q| match q {
        Query::Distribution { slice, feature, window } => {
            Some((slice.clone(), feature.clone(), window.clone()))
        }
        _ => None,
    });
    let wanted = ("model:mortgage-preapproval@3.1", "input.income_thousands", "24h");
    assert_eq!(opened, Some((wanted.0.into(), wanted.1.into(), wanted.2.into())));
    rig.press("j Enter");
    assert!(rig.screen().contains("decision lap-1664"), "{}", rig.screen());
    assert!(rig.screen().contains("decide it in the queue"), "{}", rig.screen());
    rig.press("Esc Esc");
    assert!(rig.state.signals.opened.is_none() && rig.state.overlays.is_empty());
    assert_eq!(rig.state.view, View::Signals);
}

#[test]
fn a_decision_that_is_read_is_not_decided() {
    let mut rig = Rig::stocked();
    rig.press("2 Tab Enter Enter a r e");
    assert_eq!(reviews(&rig), []);
}

#[test]
fn the_cursor_stays_on_its_row_when_others_come() {
    let mut rig = Rig::stocked();
    rig.press("2 j j");
    let here = |rig: &Rig| {
        rig.state.signals.slices()[rig.state.signals.selected(signals::Part::Overrides)]
            .slice
            .clone()
    };
    let before = here(&rig);
    let mut view = (*rig.state.signals.seen.view.clone().unwrap()).clone();
    view.slices.remove(0);
    rig.state.signals.seen.view = Some(std::sync::Arc::new(view));
    assert_eq!(here(&rig), before);
}

#[test]
fn the_same_feature_of_two_models_is_two_rows() {
    let mut rig = Rig::stocked();
    rig.press("2 Tab");
    let mut view = (*rig.state.signals.seen.view.clone().unwrap()).clone();
    view.drift.truncate(1);
    view.drift[0].slice =
        [("cohort".into(), "race:black".into()), ("model".into(), "m@1".into())].into();
    let mut other = view.drift[0].clone();
    other.slice.insert("model".into(), "m@2".into());
    other.psi = Some(0.01);
    view.drift.push(other);
    rig.state.signals.seen.view = Some(std::sync::Arc::new(view));
    rig.press("j");
    assert_eq!(rig.state.signals.selected(signals::Part::Drift), 1);
    assert!(rig.screen().contains("m@2 · KL"), "{}", rig.screen());
}

#[test]
fn a_refusal_is_said_and_old_figures_stay() {
    let mut rig = Rig::stocked();
    rig.press("2");
    let refused = Refused::new(Why::Unavailable, "the store is busy").hint("it is tried again");
    rig.desk.inside().unmeasured = Some(refused);
    rig.change();
    rig.pass(4000);
    let screen = rig.screen();
    assert!(screen.contains("▲ the figures could not be read: the store is busy · it is tried"));
    assert!(screen.contains("race:black"), "{screen}");
    rig.desk.inside().unmeasured = None;
    rig.press("Ctrl-r");
    assert!(!rig.screen().contains("could not be read"), "{}", rig.screen());
}

#[test]
fn a_queue_s_clock_leads_to_the_queue() {
    let mut rig = Rig::stocked();
    rig.press("2 Tab Tab Tab j Enter");
    assert_eq!((rig.state.view, rig.state.queue.as_deref()), (View::Queue, Some("level2")));
}
