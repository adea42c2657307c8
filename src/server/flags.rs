//! What a flag says, from control as it is known. Pure.
//!
//! A stop makes `automation` false wherever it could concern the decision that is asked about: the
//! more the context says, the narrower it is looked at. What cannot be confirmed, and what no
//! policy is in force for, is false.
//!
//! A version is what admission would answer a decision of the version in use, or of the one drawn:
//! where a stop sends it on to another version, that one.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::containment::{Control, Kind};
use crate::desk::{Confirmed, InForce};
use crate::domain::{ControlScope, Decision, StopMode, Stopped, Tripped};
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

    /// Everything that is read of a context, as one word: other words, perhaps other answers.
    pub(super) fn word(&self) -> String {
        let Self { key, domain, model, version, action, cohort } = self;
        json!([key, domain, model, version, action, cohort]).to_string()
    }

    /// A decision with what is said of it and nothing else.
    fn decision(&self, domain: Option<&str>, model: Option<&str>) -> Option<Decision> {
        self.decision_of(domain, model, self.version.as_deref())
    }

    fn decision_of(
        &self,
        domain: Option<&str>,
        model: Option<&str>,
        version: Option<&str>,
    ) -> Option<Decision> {
        let domain = domain.or(self.domain.as_deref()).unwrap_or_default();
        let model = model.or(self.model.as_deref()).unwrap_or_default();
        let mut d: Decision = serde_json::from_value(json!({
            "id": self.key.as_deref().unwrap_or_default(), "domain": domain,
            "action": self.action.as_deref().unwrap_or_default(),
            "model": { "name": model, "version": version.unwrap_or_default() },
            "confidence": 0.0, "business_impact": 0.0, "input": {}, "output": "",
        }))
        .ok()?;
        d.cohort.clone_from(&self.cohort);
        Some(d)
    }
}

impl Known {
    /// What flags depend on beside the context, as one word: another word, perhaps other flags. The
    /// same in every process that knows the same.
    pub(super) fn state(&self) -> String {
        let InForce { generation, control } = &self.in_force;
        let mut hash = Sha256::new();
        // A state that cannot be written is none that was read.
        let control = control.as_ref().and_then(|c| c.to_json().ok());
        hash.update(json!(control.map(|c| Sha256::digest(c).to_vec())).to_string());
        let confirmed = self.confirmed.as_ref();
        hash.update(json!(confirmed.map(|c| (c.policy, &c.domains, &c.models))).to_string());
        let kinds = confirmed.map(|c| c.kinds.word()).unwrap_or_default();
        hash.update(kinds);
        let word: String = URL_SAFE_NO_PAD.encode(hash.finalize()).chars().take(22).collect();
        format!("{generation}-{word}")
    }

    /// Every flag there may be: some of them say that there is nothing to say.
    fn keys(&self) -> Vec<String> {
        let mut keys = vec!["automation".to_owned()];
        let Some(confirmed) = &self.confirmed else { return keys };
        let (mut domains, mut models): (BTreeSet<&str>, BTreeSet<&str>) = (
            confirmed.domains.iter().map(String::as_str).collect(),
            confirmed.models.iter().map(String::as_str).collect(),
        );
        if let Some(control) = &self.in_force.control {
            models.extend(control.versions.keys().map(String::as_str));
            for scope in control.switches.keys() {
                match scope {
                    ControlScope::Domain(domain) => drop(domains.insert(domain)),
                    ControlScope::Model { name, .. } => drop(models.insert(name)),
                    ControlScope::All | ControlScope::Action(_) | ControlScope::Cohort { .. } => {}
                }
            }
        }
        keys.extend(domains.iter().map(|d| format!("automation.{d}")));
        keys.extend(models.iter().map(|m| format!("model.{m}")));
        keys
    }

    /// Every flag there is for this context, or why it has no value.
    pub(super) fn flags(&self, asked: &Asked) -> Vec<(String, Result<Flag, NoFlag>)> {
        let all = self.keys().into_iter().map(|key| {
            let flag = self.flag(&key, asked);
            (key, flag)
        });
        all.filter(|(_, flag)| !matches!(flag, Err(no) if no.code == "FLAG_NOT_FOUND")).collect()
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
        // Whoever does not say which model asks about every one that decides there.
        let kinds = confirmed.kinds.inside(control, |k| {
            (d.domain.is_empty() || k.domain == d.domain)
                && (d.model.name.is_empty() || k.model == d.model.name)
                && (d.model.version.is_empty() || k.version == d.model.version)
        });
        let of = |k: &Kind| {
            let mut one = d.clone();
            one.domain.clone_from(&k.domain);
            one.model.name.clone_from(&k.model);
            one.model.version.clone_from(&k.version);
            one
        };
        let tripped: Vec<Tripped> =
            kinds.iter().filter_map(|k| control.breaker_for(&of(k), &confirmed.chance)).collect();
        let stopped = kinds.iter().filter(|k| control.stops(k)).count();
        let automatic = |t: &Tripped| asked.key.is_some() && t.trickles();
        if !tripped.is_empty() && kinds.iter().all(|k| control.stops(k) || control.trips(k)) {
            if stopped == kinds.len() {
                return told(false, "DISABLED", "breaker", None);
            }
            // A share is automatic again, drawn by the decision's id as at admission; whoever names
            // none is told no.
            let half: Vec<&Tripped> = tripped.iter().filter(|t| t.half_open).collect();
            return match asked.key {
                Some(_) => told(half.iter().all(|t| automatic(t)), "SPLIT", "half-open", None),
                None => told(false, "DISABLED", "half-open", None),
            };
        }
        let limited = !tripped.is_empty()
            || control
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
        let (Some(control), Some(confirmed)) = (&self.in_force.control, &self.confirmed) else {
            return Err(NoFlag::new("GENERAL", "control cannot be confirmed"));
        };
        // Where admission would send a decision of this version.
        let answer = |from: &str, reason, variant: &str| match sent_on(control, model, from, asked)
        {
            Some((to, stop)) => told(&to, "DISABLED", "last-good", Some(&stop)),
            None => told(from, reason, variant, None),
        };
        if let Some(canary) = control.running(model) {
            let drawn = |version: &str| {
                let variant = if version == canary.version { "canary" } else { "stable" };
                answer(version, "SPLIT", variant)
            };
            let Some(id) = &asked.key else {
                let (new, old) = (drawn(&canary.version), drawn(&canary.baseline));
                // Where a stop leaves one version, nothing is drawn.
                if new.value == old.value {
                    return Ok(new);
                }
                return Err(NoFlag::new(
                    "TARGETING_KEY_MISSING",
                    format!("{model} has a canary: send the decision's id as targetingKey"),
                ));
            };
            let version = control.version_for(model, id, &confirmed.chance);
            return Ok(drawn(version.unwrap_or(&canary.baseline)));
        }
        if let Some(in_use) = control.versions.get(model) {
            return Ok(answer(&in_use.current, "STATIC", "stable"));
        }
        // Nobody said which one is in use; a stop may say which one to use instead.
        let asked_of = asked.version.as_deref().unwrap_or_default();
        let stopped = sent_on(control, model, asked_of, asked)
            .or_else(|| named_instead(control, model, asked));
        match stopped {
            Some((to, stop)) => Ok(told(&to, "DISABLED", "last-good", Some(&stop))),
            None => Err(NoFlag::new(
                "FLAG_NOT_FOUND",
                format!(
                    "no version of {model} is known to be in use: a canary that was started says so"
                ),
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

/// Where stops send a decision of this version: the last version that they name, and the stop that
/// names it. `None`: nowhere.
fn sent_on(control: &Control, model: &str, from: &str, asked: &Asked) -> Option<(String, Stopped)> {
    let mut at: Option<(String, Stopped)> = None;
    let mut seen = BTreeSet::from([from.to_owned()]);
    loop {
        let version = at.as_ref().map_or(from, |(version, _)| version.as_str());
        let d = asked.decision_of(None, Some(model), Some(version))?;
        let stop = control.stop_for(&d).filter(|s| s.mode == StopMode::LastGood);
        let next = stop.and_then(|s| Some((s.version.clone()?, s)));
        match next {
            // Stops that point at each other end where they began.
            Some((to, stop)) if seen.insert(to.clone()) => at = Some((to, stop)),
            Some(_) | None => return at,
        }
    }
}

/// The version that the newest stop of one version of this model names.
fn named_instead(control: &Control, model: &str, asked: &Asked) -> Option<(String, Stopped)> {
    let versions = control.switches.keys().filter_map(|scope| match scope {
        ControlScope::Model { name, version: Some(version) } if name == model => Some(version),
        _ => None,
    });
    let sent = versions.filter_map(|from| sent_on(control, model, from, asked));
    sent.max_by(|(_, a), (_, b)| a.at.cmp(&b.at))
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
}
