//! Control as a whole: switches, round trips, what cannot be read.

use super::*;
use crate::domain::{Decision, StopMode, Timestamp};
use crate::protocol::{KillMode, SwitchState};

pub(super) fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

pub(super) fn scope(text: &str) -> ControlScope {
    text.parse().unwrap()
}

/// A decision of domain `loan`, action `approve`, cohort `race:black`.
pub(super) fn decision(id: &str, model: &str) -> Decision {
    let (name, version) = model.split_once('@').unwrap();
    serde_json::from_value(serde_json::json!({
        "id": id, "domain": "loan", "action": "approve",
        "model": {"name": name, "version": version}, "cohort": {"race": "black"},
        "confidence": 0.9, "business_impact": 2, "input": {}, "output": "yes",
    }))
    .unwrap()
}

#[test]
fn the_strictest_of_overlapping_switches_holds_and_is_named() {
    let mut c = Control::default();
    let d = decision("a", "m@2");
    assert_eq!(c.stop_for(&d), None);
    c.kill(&scope("model=m"), &KillMode::Human, "ann", t(0), "drifts");
    c.pause(&scope("domain=loan"), "override-spike", t(1), "override_low 0.2 > 0.1");
    let held = c.stop_for(&d).unwrap();
    assert_eq!((held.scope.to_string().as_str(), held.by.as_str()), ("model=m", "ann"));
    c.kill(&scope("all"), &KillMode::Human, "bob", t(2), "all of it");
    assert_eq!(c.stop_for(&d).unwrap().scope, ControlScope::All);
    let good = KillMode::LastGood { version: Some("1".into()) };
    c.kill(&scope("action=approve"), &good, "cy", t(3), "x");
    let held = c.stop_for(&d).unwrap();
    assert_eq!((held.mode, held.version.as_deref()), (StopMode::LastGood, Some("1")));
    c.kill(&scope("cohort=race:black"), &KillMode::Block, "di", t(4), "y");
    let held = c.stop_for(&d).unwrap();
    assert_eq!((held.mode, held.scope), (StopMode::Block, scope("cohort=race:black")));
    assert_eq!(c.stop_for(&Decision { domain: "x".into(), ..d }).unwrap().mode, StopMode::Block);
}

#[test]
fn a_milder_kill_loosens_nothing() {
    let mut c = Control::default();
    assert!(c.kill(&scope("all"), &KillMode::Block, "ann", t(0), "x"));
    assert!(c.kill(&scope("all"), &KillMode::Human, "bob", t(1), "y"));
    assert!(!c.kill(&scope("all"), &KillMode::Human, "bob", t(1), "y"));
    assert_eq!(c.stop_for(&decision("a", "m@1")).unwrap().mode, StopMode::Block);
    let view = &c.switch_views(2)[0];
    assert_eq!((view.mode.clone(), view.state), (Some(KillMode::Block), SwitchState::Killed));
    assert_eq!(view.by.as_deref(), Some("ann"));
}

#[test]
fn the_version_to_go_back_to_is_not_stopped_and_without_one_people_decide() {
    let mut c = Control::default();
    c.versions.insert("m".into(), InUse { current: "2".into(), previous: Some("1".into()) });
    c.kill(&scope("all"), &KillMode::LastGood { version: None }, "ann", t(0), "x");
    assert_eq!(c.stop_for(&decision("a", "m@2")).unwrap().version.as_deref(), Some("1"));
    assert_eq!(c.stop_for(&decision("a", "m@1")), None);
    let unknown = c.stop_for(&decision("a", "other@7")).unwrap();
    assert_eq!((unknown.mode, unknown.version.as_deref()), (StopMode::LastGood, None));
    // A stop of an old version goes to the one in use.
    let mut c = Control { switches: BTreeMap::new(), ..c };
    c.kill(&scope("model=m@1"), &KillMode::LastGood { version: None }, "ann", t(0), "x");
    assert_eq!(c.stop_for(&decision("a", "m@1")).unwrap().version.as_deref(), Some("2"));
    assert_eq!(c.stop_for(&decision("a", "m@2")), None);
    // Stopped for people too, the good version is not automatic either.
    c.kill(&scope("model=m"), &KillMode::Human, "ann", t(0), "x");
    assert_eq!(c.stop_for(&decision("a", "m@2")).unwrap().mode, StopMode::Human);
}

#[test]
fn restarting_takes_different_people_since_the_last_stop() {
    let mut c = Control::default();
    let all = scope("all");
    c.kill(&all, &KillMode::Human, "ann", t(0), "x");
    let waiting = |by: &[&str]| Resumption::Waiting {
        by: by.iter().map(|s| (*s).to_owned()).collect(),
        needs: 2,
    };
    assert_eq!(c.resume(&all, "ann", t(1), "fixed", 2), Ok(waiting(&["ann"])));
    assert_eq!(c.resume(&all, "ann", t(2), "really", 2), Ok(waiting(&["ann"])));
    assert!(c.kill(&all, &KillMode::Human, "cy", t(3), "not fixed"));
    assert_eq!(c.resume(&all, "bob", t(4), "now", 2), Ok(waiting(&["bob"])));
    assert!(c.stop_for(&decision("a", "m@1")).is_some());
    let done = c.resume(&all, "ann", t(5), "now", 2).unwrap();
    assert_eq!(done, Resumption::Running { by: vec!["bob".into(), "ann".into()] });
    assert_eq!(c, Control::default());
    let nothing = c.resume(&all, "ann", t(6), "again", 1).unwrap_err();
    assert_eq!(nothing.to_string(), "automation is not stopped for all; it runs everywhere");
    c.kill(&scope("model=m"), &KillMode::Human, "ann", t(7), "x");
    let nothing = c.resume(&all, "ann", t(8), "again", 1).unwrap_err();
    assert_eq!(nothing.to_string(), "automation is not stopped for all; it is for model=m");
}

#[test]
fn effects_pause_once_and_only_tighten_limits() {
    let mut c = Control::default();
    let s = scope("model=m@1");
    assert!(c.limit(&s, 10.0, "e", t(0), "r"));
    assert_eq!(c.switch_views(1)[0].state, SwitchState::Limited);
    assert!(!c.limit(&s, 20.0, "e", t(1), "r"));
    assert!(c.limit(&s, 5.0, "e", t(2), "r"));
    assert_eq!(c.stop_for(&decision("a", "m@1")), None);
    assert_eq!(c.limits_for(&decision("a", "m@1")).map(|(_, l)| l.per_minute).sum::<f64>(), 5.0);
    assert_eq!(c.limits_for(&decision("a", "m@2")).count(), 0);
    assert!(c.pause(&s, "e", t(3), "first"));
    assert!(!c.pause(&s, "f", t(4), "second"));
    let held = c.stop_for(&decision("a", "m@1")).unwrap();
    assert_eq!((held.paused, held.reason.as_str()), (true, "first"));
}

#[test]
fn what_cannot_be_read_in_full_is_an_error_and_never_all_on() {
    let written = String::from_utf8(Control::default().to_json().unwrap()).unwrap();
    for (broken, why) in [
        (String::new(), "EOF while parsing"),
        ("{}".into(), "missing field `format`"),
        (written.replace("\"freezes\":[]", "\"freezes\":[],\"more\":1"), "unknown field `more`"),
        (written.replace(",\"freezes\":[]", ""), "missing field `freezes`"),
        (written.replace("\"format\":1", "\"format\":2"), "form 2, this program knows 1"),
        (written.replace("\"switches\":{}", "\"switches\":{\"everything\":{}}"), "is not a scope"),
    ] {
        let error = Control::parse(broken.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{broken}: {error}");
    }
}
