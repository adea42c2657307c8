//! What a flag says, from control as it is known. Pure.
//!
//! A stop makes `automation` false wherever it could concern the decision that is asked about: the
//! more the context says, the narrower it is looked at. What cannot be confirmed, and what no
//! policy is in force for, is false.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::containment::Control;
use crate::desk::{Confirmed, InForce};
use crate::domain::{Decision, StopMode, Stopped};
use crate::protocol::SwitchState;

/// What is known of automation.
pub(super) struct Known {
    pub(super) in_force: InForce,
    /// What the store says; `None`: it could not be asked for too long.
    pub(super) confirmed: Option<Confirmed>,
}

/// A flag as it is answered.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) reason: &'static str,
    pub(super) variant: String,
    pub(super) metadata: Map<String, Value>,
}

/// Why there is no value.
#[derive(Debug)]
pub(super) struct NoFlag {
    pub(super) code: &'static str,
    pub(super) details: String,
}

impl NoFlag {
    pub(super) fn new(code: &'static str, details: impl Into<String>) -> Self {
        Self { code, details: details.into() }
    }
}

/// What the context says of the decision that is asked about.
#[derive(Debug, Default)]
pub(super) struct Asked {
    key: Option<String>,
    domain: Option<String>,
    model: Option<String>,
    version: Option<String>,
    action: Option<String>,
    cohort: BTreeMap<String, String>,
}

impl Asked {
    /// From an evaluation context; what is not known here is left alone.
    pub(super) fn read(context: Map<String, Value>) -> Result<Self, NoFlag> {
        let text = |name: &str| match context.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(NoFlag::new("INVALID_CONTEXT", format!("`{name}` is no text"))),
        };
        let cohort = match context.get("cohort") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(Value::String(group)) => BTreeMap::from([("cohort".to_owned(), group.clone())]),
            Some(Value::Object(groups)) => groups
                .iter()
                .filter_map(|(name, group)| Some((name.clone(), group.as_str()?.to_owned())))
                .collect(),
            Some(_) => {
                return Err(NoFlag::new("INVALID_CONTEXT", "`cohort` is neither text nor object"));
            }
        };
        Ok(Self {
            key: text("targetingKey")?.filter(|key| !key.is_empty()),
            domain: text("domain")?,
            model: text("model")?,
            version: text("version")?,
            action: text("action")?,
            cohort,
        })
    }

    /// A decision with what is said of it and nothing else.
    fn decision(&self, domain: Option<&str>, model: Option<&str>) -> Option<Decision> {
        let domain = domain.or(self.domain.as_deref()).unwrap_or_default();
        let model = model.or(self.model.as_deref()).unwrap_or_default();
        let mut d: Decision = serde_json::from_value(json!({
            "id": self.key.as_deref().unwrap_or_default(), "domain": domain,
            "action": self.action.as_deref().unwrap_or_default(),
            "model": { "name": model, "version": self.version.as_deref().unwrap_or_default() },
            "confidence": 0.0, "business_impact": 0.0, "input": {}, "output": "",
        }))
        .ok()?;
        d.cohort.clone_from(&self.cohort);
        Some(d)
    }
}

impl Known {
    /// What flags depend on, as one word: another word, perhaps other flags.
    pub(super) fn state(&self) -> String {
        let InForce { generation, epoch, control } = &self.in_force;
        let sure = self.confirmed.is_some() && control.is_some();
        let policy = self.confirmed.as_ref().is_some_and(|c| c.policy);
        format!("{generation}-{epoch}-{}{}", u8::from(sure), u8::from(policy))
    }

    /// Every flag there is.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = vec!["automation".to_owned()];
        if let Some(confirmed) = &self.confirmed {
            keys.extend(confirmed.domains.iter().map(|d| format!("automation.{d}")));
            let control = self.in_force.control.as_deref();
            let known = |model: &&String| {
                control.is_some_and(|c| c.versions.contains_key(*model))
                    || control.is_some_and(|c| c.running(model).is_some())
            };
            keys.extend(confirmed.models.iter().filter(known).map(|m| format!("model.{m}")));
        }
        keys
    }

    /// One flag.
    pub(super) fn flag(&self, key: &str, asked: &Asked) -> Result<Flag, NoFlag> {
        if key == "automation" {
            return Ok(self.automation(key, None, asked));
        }
        if let Some(domain) = key.strip_prefix("automation.").filter(|d| !d.is_empty()) {
            return Ok(self.automation(key, Some(domain), asked));
        }
        if let Some(model) = key.strip_prefix("model.").filter(|m| !m.is_empty()) {
            return self.version(key, model, asked);
        }
        Err(NoFlag::new(
            "FLAG_NOT_FOUND",
            format!("there is no flag {key}: automation, automation.<domain>, model.<name>"),
        ))
    }

    fn automation(&self, key: &str, domain: Option<&str>, asked: &Asked) -> Flag {
        let told = |value: bool, reason, variant: &str, why: Option<&Stopped>| Flag {
            key: key.to_owned(),
            value: value.into(),
            reason,
            variant: variant.to_owned(),
            metadata: self.metadata(why),
        };
        let (Some(control), Some(confirmed)) = (&self.in_force.control, &self.confirmed) else {
            return told(false, "DISABLED", "unconfirmed", None);
        };
        if !confirmed.policy {
            return told(false, "DISABLED", "no-policy", None);
        }
        let Some(d) = asked.decision(domain, None) else {
            return told(false, "DISABLED", "unconfirmed", None);
        };
        if let Some(stop) = control.stop_for(&d) {
            let variant = match (stop.paused, stop.mode) {
                (true, _) => "paused",
                (false, StopMode::Human) => "killed",
                (false, StopMode::Block) => "blocked",
                (false, StopMode::LastGood) => "last-good",
            };
            return told(false, "DISABLED", variant, Some(&stop));
        }
        if let Some(tripped) = control.breaker_for(&d, &confirmed.chance) {
            if !tripped.half_open {
                return told(false, "DISABLED", "breaker", None);
            }
            // A share is automatic again, drawn by the decision's id as at admission; whoever names
            // none is told no.
            return match asked.key {
                Some(_) => told(tripped.trickles(), "SPLIT", "half-open", None),
                None => told(false, "DISABLED", "half-open", None),
            };
        }
        let limited = control
            .switches
            .iter()
            .any(|(scope, s)| scope.covers(&d) && s.state() == SwitchState::Limited);
        told(true, "STATIC", if limited { "limited" } else { "on" }, None)
    }

    fn version(&self, key: &str, model: &str, asked: &Asked) -> Result<Flag, NoFlag> {
        let told = |version: &str, reason, variant: &str, why: Option<&Stopped>| Flag {
            key: key.to_owned(),
            value: version.into(),
            reason,
            variant: variant.to_owned(),
            metadata: self.metadata(why),
        };
        let unknown = |why: String| Err(NoFlag::new("FLAG_NOT_FOUND", why));
        let (Some(control), Some(confirmed)) = (&self.in_force.control, &self.confirmed) else {
            return Err(NoFlag::new("GENERAL", "control cannot be confirmed"));
        };
        let stop = asked.decision(None, Some(model)).and_then(|d| control.stop_for(&d));
        if let Some(stop) = stop.filter(|s| s.mode == StopMode::LastGood)
            && let Some(version) = &stop.version
        {
            return Ok(told(version, "DISABLED", "last-good", Some(&stop)));
        }
        if let Some(canary) = control.running(model) {
            let Some(id) = &asked.key else {
                return Err(NoFlag::new(
                    "TARGETING_KEY_MISSING",
                    format!("{model} has a canary: send the decision's id as targetingKey"),
                ));
            };
            let drawn = control.version_for(model, id, &confirmed.chance);
            let version = drawn.unwrap_or(&canary.baseline);
            let variant = if version == canary.version { "canary" } else { "stable" };
            return Ok(told(version, "SPLIT", variant, None));
        }
        match in_use(control, model) {
            Some(version) => Ok(told(version, "STATIC", "stable", None)),
            None => unknown(format!(
                "no version of {model} is known to be in use: a canary that was started says so"
            )),
        }
    }

    /// Flat, and the same in every evaluation while nothing changes.
    fn metadata(&self, why: Option<&Stopped>) -> Map<String, Value> {
        let mut metadata = Map::new();
        metadata.insert("generation".into(), self.in_force.generation.into());
        if let Some(stop) = why {
            metadata.insert("scope".into(), stop.scope.to_string().into());
            metadata.insert("changed_by".into(), stop.by.clone().into());
            metadata.insert("changed_at".into(), stop.at.to_string().into());
            metadata.insert("reason".into(), stop.reason.clone().into());
        }
        metadata
    }
}

fn in_use<'c>(control: &'c Control, model: &str) -> Option<&'c str> {
    control.versions.get(model).map(|v| v.current.as_str())
}

#[cfg(test)]
mod tests {
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
            in_force: InForce { control: Some(Arc::new(control)), generation: 7, epoch: 0 },
            confirmed: Some(Confirmed {
                generation: 7,
                policy: true,
                chance: Arc::new(Chance::new([1; 32])),
                domains: ["loan".to_owned()].into(),
                models: ["m".to_owned()].into(),
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
        assert_eq!(canary.keys(), ["automation", "automation.loan", "model.m"]);
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
}
