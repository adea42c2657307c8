//! Every flag by what holds: stops, breakers, canaries, and what cannot be confirmed.

use std::sync::Arc;

use super::*;
use crate::containment::{Breaker, Phase};
use crate::domain::Timestamp;
use crate::policy::Chance;
use crate::protocol::KillMode;

fn known(change: impl FnOnce(&mut Control)) -> Known {
    let mut control = Control::default();
    change(&mut control);
    Known {
        in_force: InForce { control: Some(Arc::new(control)), generation: 7 },
        confirmed: Some(Confirmed {
            generation: 7,
            policy: true,
            chance: Arc::new(Chance::new([1; 32])),
            domains: ["loan".to_owned()].into(),
            models: ["m".to_owned()].into(),
            kinds: Arc::default(),
        }),
    }
}

fn ask(context: Value) -> Asked {
    Asked::read(context.as_object().unwrap().clone()).unwrap()
}

fn said(known: &Known, key: &str, context: Value) -> (Value, &'static str, String) {
    let flag = known.flag(key, &ask(context)).unwrap();
    assert_eq!(flag.metadata["generation"], 7);
    (flag.value, flag.reason, flag.variant)
}

fn stop(scope: &str, mode: KillMode) -> Known {
    known(|c| {
        c.kill(&scope.parse().unwrap(), &mode, "ann", Timestamp::UNIX_EPOCH, "drifts");
    })
}

#[test]
fn a_stop_is_told_where_it_holds() {
    let on = (json!(true), "STATIC", "on".to_owned());
    let off = |variant: &str| (json!(false), "DISABLED", variant.to_owned());
    let all_on = known(|_| ());
    assert_eq!(said(&all_on, "automation", json!({})), on);
    let loans = stop("domain=loan", KillMode::Human);
    assert_eq!(said(&loans, "automation", json!({})), on);
    assert_eq!(said(&loans, "automation", json!({"domain": "loan"})), off("killed"));
    assert_eq!(said(&loans, "automation.loan", json!({})), off("killed"));
    assert_eq!(said(&loans, "automation.care", json!({})), on);
    let all = stop("all", KillMode::Block);
    assert_eq!(said(&all, "automation.care", json!({})), off("blocked"));
    let model = stop("model=m@2", KillMode::Human);
    assert_eq!(said(&model, "automation.loan", json!({"model": "m"})), on);
    let asked = json!({"model": "m", "version": "2"});
    assert_eq!(said(&model, "automation.loan", asked), off("killed"));
    let cohort = stop("cohort=race:black", KillMode::Human);
    let asked = json!({"cohort": {"race": "black"}});
    assert_eq!(said(&cohort, "automation", asked), off("killed"));
    let why = loans.flag("automation.loan", &ask(json!({}))).unwrap().metadata;
    assert_eq!((&why["changed_by"], &why["reason"]), (&json!("ann"), &json!("drifts")));
}

#[test]
fn a_breaker_is_off_until_it_is_closed_and_half_open_by_the_decision_s_id() {
    let tripped = |phase: Phase| {
        known(|c| {
            c.breakers.push(Breaker {
                domain: "loan".into(),
                model: "m".into(),
                version: "1".into(),
                phase,
                since: Timestamp::UNIX_EPOCH,
                trips: 1,
                cause: "5 of 20 overridden".into(),
            });
        })
    };
    let asked = json!({"model": "m", "version": "1", "targetingKey": "d-1"});
    let off = |variant: &str| (json!(false), "DISABLED", variant.to_owned());
    // Its time is over, and nobody has ticked since: everything still goes to people.
    let open = tripped(Phase::Open { until: Timestamp::UNIX_EPOCH });
    assert_eq!(said(&open, "automation.loan", asked.clone()), off("breaker"));
    let other = json!({"model": "m", "version": "2"});
    assert_eq!(said(&open, "automation.loan", other).0, json!(true));
    let half = tripped(Phase::HalfOpen { trickle: 0.1 });
    let nobody = json!({"model": "m", "version": "1"});
    assert_eq!(said(&half, "automation.loan", nobody), off("half-open"));
    let mut automatic = 0;
    for i in 0..1_000 {
        let asked = json!({"model": "m", "version": "1", "targetingKey": format!("d-{i}")});
        let (value, reason, variant) = said(&half, "automation.loan", asked);
        assert_eq!((reason, variant.as_str()), ("SPLIT", "half-open"));
        automatic += u32::from(value == json!(true));
    }
    assert!((70..130).contains(&automatic), "{automatic}");
}

#[test]
fn what_cannot_be_confirmed_is_off() {
    let mut stale = known(|_| ());
    stale.confirmed = None;
    let off = |variant: &str| (json!(false), "DISABLED", variant.to_owned());
    assert_eq!(said(&stale, "automation", json!({})), off("unconfirmed"));
    assert_eq!(stale.flag("model.m", &ask(json!({}))).unwrap_err().code, "GENERAL");
    let mut unreadable = known(|_| ());
    unreadable.in_force.control = None;
    assert_eq!(said(&unreadable, "automation.loan", json!({})), off("unconfirmed"));
    let mut bare = known(|_| ());
    bare.confirmed.as_mut().unwrap().policy = false;
    assert_eq!(said(&bare, "automation", json!({})), off("no-policy"));
    assert_ne!(stale.state(), known(|_| ()).state());
}

#[test]
fn a_canary_splits_by_the_decision_s_id_as_admission_does() {
    let canary = known(|c| {
        c.start_canary("m", "2", "1", &[0.3, 1.0], (10, 0.05, 2), "ann", Timestamp::UNIX_EPOCH)
            .unwrap();
    });
    let missing = canary.flag("model.m", &ask(json!({}))).unwrap_err();
    assert_eq!(missing.code, "TARGETING_KEY_MISSING");
    let mut on_trial = 0;
    for i in 0..1_000 {
        let id = format!("d-{i}");
        let (value, reason, variant) = said(&canary, "model.m", json!({"targetingKey": id}));
        assert_eq!(reason, "SPLIT");
        assert_eq!(variant == "canary", value == json!("2"));
        on_trial += u32::from(value == json!("2"));
        let control = canary.in_force.control.as_ref().unwrap();
        let chance = &canary.confirmed.as_ref().unwrap().chance;
        assert_eq!(control.version_for("m", &id, chance).unwrap(), value);
    }
    assert!((250..350).contains(&on_trial), "{on_trial}");
    let keys: Vec<String> = canary.flags(&ask(json!({}))).into_iter().map(|f| f.0).collect();
    assert_eq!(keys, ["automation", "automation.loan", "model.m"]);
}

#[test]
fn a_kill_to_last_good_names_the_version_that_goes_on() {
    let mode = KillMode::LastGood { version: Some("1".into()) };
    let killed = stop("model=m", mode);
    let told = said(&killed, "model.m", json!({}));
    assert_eq!(told, (json!("1"), "DISABLED", "last-good".to_owned()));
    let new = json!({"model": "m", "version": "2"});
    assert_eq!(said(&killed, "automation.loan", new).2, "last-good");
    let good = json!({"model": "m", "version": "1"});
    assert_eq!(said(&killed, "automation.loan", good).0, json!(true));
    assert_eq!(
        known(|_| ()).flag("model.other", &ask(json!({}))).unwrap_err().code,
        "FLAG_NOT_FOUND"
    );
}

#[test]
fn a_context_of_another_kind_is_refused() {
    let context = json!({"domain": 7});
    let refused = Asked::read(context.as_object().unwrap().clone()).unwrap_err();
    assert_eq!(
        (refused.code, refused.details.as_str()),
        ("INVALID_CONTEXT", "`domain` is no text")
    );
}
