//! Switches: a person kills a scope, an effect pauses or limits it, people together restart it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Control;
use crate::domain::{ControlScope, Decision, StopMode, Stopped, Timestamp};
use crate::protocol::{KillMode, SwitchState, SwitchView};

/// What stands in the way of automation in one scope. Kills of different modes add up, so that a
/// later, milder one never loosens an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// By mode; never empty together with `paused` and `limited`.
    pub killed: BTreeMap<StopMode, Killed>,
    pub paused: Option<Paused>,
    pub limited: Option<Limited>,
    /// Who has asked to restart it so far: different people, the first first.
    pub asked: Vec<Asked>,
}

/// Stopped by a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Killed {
    /// `last-good`: use this version, whatever the model.
    pub to: Option<String>,
    /// `last-good` without one named: the version to use, by model, as known when it was killed.
    pub good: BTreeMap<String, String>,
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}

/// Stopped by an effect: everything goes to people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paused {
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}

/// Slowed down by an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limited {
    /// Automatic decisions a minute, above 0.
    pub per_minute: f64,
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}

/// Somebody asked to restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}

/// What asking to restart came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// It runs again; these people asked.
    Running { by: Vec<String> },
    /// More people must ask: so many different ones in all.
    Waiting { by: Vec<String>, needs: u32 },
}

/// There is nothing to restart in that scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("automation is not stopped for {scope}{}", others(stopped))]
pub struct NothingStopped {
    pub scope: ControlScope,
    /// Where it is stopped.
    pub stopped: Vec<ControlScope>,
}

fn others(stopped: &[ControlScope]) -> String {
    if stopped.is_empty() {
        return "; it runs everywhere".to_owned();
    }
    let names: Vec<String> = stopped.iter().map(ToString::to_string).collect();
    format!("; it is for {}", names.join(", "))
}

impl Switch {
    /// How it stands: the strictest of what is set.
    pub fn state(&self) -> SwitchState {
        if !self.killed.is_empty() {
            SwitchState::Killed
        } else if self.paused.is_some() {
            SwitchState::Paused
        } else if self.limited.is_some() {
            SwitchState::Limited
        } else {
            SwitchState::On
        }
    }

    /// What it makes of a decision in its scope: its strictest stop that applies.
    fn stop(&self, scope: &ControlScope, d: &Decision) -> Option<Stopped> {
        let killed = self.killed.iter().rev().find_map(|(mode, kill)| {
            let version = match mode {
                StopMode::LastGood => kill.version(&d.model.name),
                StopMode::Human | StopMode::Block => None,
            };
            // What the caller was told to use instead is not stopped.
            if version == Some(d.model.version.as_str()) {
                return None;
            }
            Some(Stopped {
                scope: scope.clone(),
                mode: *mode,
                paused: false,
                version: version.map(str::to_owned),
                by: kill.by.clone(),
                at: kill.at,
                reason: kill.reason.clone(),
            })
        });
        let paused = || {
            let pause = self.paused.as_ref()?;
            Some(Stopped {
                scope: scope.clone(),
                mode: StopMode::Human,
                paused: true,
                version: None,
                by: pause.by.clone(),
                at: pause.at,
                reason: pause.reason.clone(),
            })
        };
        killed.or_else(paused)
    }
}

impl Killed {
    /// The version of a model to use instead; `None`: not known.
    pub(super) fn version(&self, model: &str) -> Option<&str> {
        self.to.as_ref().or_else(|| self.good.get(model)).map(String::as_str)
    }
}

/// How strictly a stop holds: a last-good without a version is a stop to people.
fn severity(stop: &Stopped) -> (StopMode, bool) {
    match (stop.mode, &stop.version) {
        (StopMode::LastGood, None) => (StopMode::Human, true),
        (mode, _) => (mode, !stop.paused),
    }
}

impl Control {
    /// One person stops automation in a scope. Whoever asked to restart it before is forgotten.
    /// `true`: it was running, or another mode, person or reason stopped it.
    pub fn kill(
        &mut self,
        scope: &ControlScope,
        mode: &KillMode,
        by: &str,
        at: Timestamp,
        reason: &str,
    ) -> bool {
        let (stop, to) = match mode {
            KillMode::Human => (StopMode::Human, None),
            KillMode::Block => (StopMode::Block, None),
            KillMode::LastGood { version } => (StopMode::LastGood, version.clone()),
        };
        let good = match (stop, &to) {
            (StopMode::LastGood, None) => self.last_good(scope),
            _ => BTreeMap::new(),
        };
        let kill = Killed { to, good, by: by.to_owned(), at, reason: reason.to_owned() };
        let switch = self.switches.entry(scope.clone()).or_default();
        switch.asked.clear();
        switch.killed.insert(stop, kill.clone()) != Some(kill)
    }

    /// An effect stops automation in a scope. `false`: it had stopped it already, and that stays.
    pub fn pause(&mut self, scope: &ControlScope, by: &str, at: Timestamp, reason: &str) -> bool {
        let switch = self.switches.entry(scope.clone()).or_default();
        if switch.paused.is_some() {
            return false;
        }
        switch.asked.clear();
        switch.paused = Some(Paused { by: by.to_owned(), at, reason: reason.to_owned() });
        true
    }

    /// An effect slows automation in a scope. The lowest rate stays; `false`: nothing changed.
    pub fn limit(
        &mut self,
        scope: &ControlScope,
        per_minute: f64,
        by: &str,
        at: Timestamp,
        reason: &str,
    ) -> bool {
        let switch = self.switches.entry(scope.clone()).or_default();
        if switch.limited.as_ref().is_some_and(|l| l.per_minute <= per_minute) {
            return false;
        }
        switch.asked.clear();
        let (by, reason) = (by.to_owned(), reason.to_owned());
        switch.limited = Some(Limited { per_minute, by, at, reason });
        true
    }

    /// Somebody asks to restart automation in a scope: what stopped or slowed it, and the breakers
    /// that opened in it. It restarts when `needed` (at least 1) different people have asked since
    /// it was stopped last.
    pub fn resume(
        &mut self,
        scope: &ControlScope,
        by: &str,
        at: Timestamp,
        reason: &str,
        needed: u32,
    ) -> Result<Resumption, NothingStopped> {
        let inside = |b: &super::Breaker| b.is_inside(scope);
        if !self.switches.contains_key(scope) && !self.breakers.iter().any(inside) {
            let stopped = self.switches.keys().cloned();
            let tripped = self.breakers.iter().map(super::Breaker::scope);
            return Err(NothingStopped {
                scope: scope.clone(),
                stopped: stopped.chain(tripped).collect(),
            });
        }
        // A scope with nothing but tripped breakers in it collects who asked like any other.
        let switch = self.switches.entry(scope.clone()).or_default();
        if !switch.asked.iter().any(|a| a.by == by) {
            let (by, reason) = (by.to_owned(), reason.to_owned());
            switch.asked.push(Asked { by, at, reason });
        }
        let people: Vec<String> = switch.asked.iter().map(|a| a.by.clone()).collect();
        if u32::try_from(people.len()).unwrap_or(u32::MAX) < needed {
            return Ok(Resumption::Waiting { by: people, needs: needed });
        }
        self.switches.remove(scope);
        self.breakers.retain(|b| !inside(b));
        Ok(Resumption::Running { by: people })
    }

    /// Drop switches in which nothing stands any more: those that only collected who asked to
    /// restart what has closed by itself.
    pub(super) fn forget_idle(&mut self) {
        let breakers = &self.breakers;
        self.switches.retain(|scope, switch| {
            switch.state() != SwitchState::On || breakers.iter().any(|b| b.is_inside(scope))
        });
    }

    /// Of all stops that cover a decision, the one that holds: block before last-good before
    /// human, a kill before a pause, then the widest scope.
    pub fn stop_for(&self, d: &Decision) -> Option<Stopped> {
        let covering = self.switches.iter().filter(|(scope, _)| scope.covers(d));
        let stops = covering.filter_map(|(scope, switch)| switch.stop(scope, d));
        // The first of the strictest: scopes are in order, `all` first.
        stops.reduce(|held, next| if severity(&next) > severity(&held) { next } else { held })
    }

    /// Limits that effects set and that cover a decision.
    pub fn limits_for<'c>(
        &'c self,
        d: &'c Decision,
    ) -> impl Iterator<Item = (&'c ControlScope, &'c Limited)> {
        let covering = self.switches.iter().filter(|(scope, _)| scope.covers(d));
        covering.filter_map(|(scope, switch)| Some((scope, switch.limited.as_ref()?)))
    }

    /// Has an effect limited anything?
    pub fn has_limits(&self) -> bool {
        self.switches.values().any(|s| s.limited.is_some())
    }

    /// Every switch that is not simply on, `all` first. `needs`: people it takes to restart.
    pub fn switch_views(&self, needs: u32) -> Vec<SwitchView> {
        self.switches.iter().map(|(scope, switch)| view(scope, switch, needs)).collect()
    }
}

fn view(scope: &ControlScope, switch: &Switch, needs: u32) -> SwitchView {
    let killed = switch.killed.last_key_value();
    let mode = match killed {
        Some((StopMode::Human, _)) => Some(KillMode::Human),
        Some((StopMode::LastGood, kill)) => {
            let model = match scope {
                ControlScope::Model { name, .. } => kill.good.get(name),
                _ => None,
            };
            Some(KillMode::LastGood { version: kill.to.as_ref().or(model).cloned() })
        }
        Some((StopMode::Block, _)) => Some(KillMode::Block),
        None => switch.paused.as_ref().map(|_| KillMode::Human),
    };
    let killed = killed.map(|(_, k)| (&k.by, k.at, &k.reason));
    let paused = || switch.paused.as_ref().map(|p| (&p.by, p.at, &p.reason));
    let limited = || switch.limited.as_ref().map(|l| (&l.by, l.at, &l.reason));
    let set = killed.or_else(paused).or_else(limited);
    SwitchView {
        mode,
        state: switch.state(),
        by: set.map(|(by, ..)| by.clone()),
        at: set.map(|(_, at, _)| at),
        reason: set.map(|(.., reason)| reason.clone()),
        resume_by: switch.asked.iter().map(|a| a.by.clone()).collect(),
        resume_needs: needs,
        ..SwitchView::on(scope.clone())
    }
}
