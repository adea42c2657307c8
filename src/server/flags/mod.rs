//! What a flag says, from control as it is known. Pure.
//!
//! A stop makes `automation` false wherever it could concern the decision that is asked about: the
//! more the context says, the narrower it is looked at. What cannot be confirmed, and what no
//! policy is in force for, is false.
//!
//! A version is what admission would answer a decision of the version in use, or of the one drawn:
//! where a stop sends it on to another version, that one.

mod asked;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

pub(super) use asked::Asked;

use crate::containment::{Control, Kind};
use crate::desk::{Confirmed, InForce};
use crate::domain::{ControlScope, StopMode, Stopped, Tripped};
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

impl serde::Serialize for Flag {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        json!({
            "key": self.key, "value": self.value, "reason": self.reason,
            "variant": self.variant, "metadata": self.metadata,
        })
        .serialize(s)
    }
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
        let kinds = confirmed.map(|c| c.kinds.to_string()).unwrap_or_default();
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
