//! What effects do: pause and limit a scope, freeze, roll back, open incidents, tell people.

use serde_json::{Value, json};

use super::deeds::{Deeds, short};
use super::incidents::{self, About, Notice};
use crate::audit::EntryKind;
use crate::containment::Alarm;
use crate::desk::core::{Core, refuse};
use crate::desk::settle::spelled;
use crate::domain::ControlScope;
use crate::policy::{EffectAction, Firing};
use crate::protocol::Refused;
use crate::signals::Slice;
use crate::store::{EffectState, Op, OutgoingAsk, StoredEffect};

/// The kind of rows that effects on decisions and reviews leave for the ticker.
const OPEN: &str = "incident.open";

/// Rows taken in one commit.
const BATCH: usize = 100;

/// The scope that a slice of decisions is; `None`: a slice of people or rules is none.
pub(super) fn scope_of(slice: &Slice) -> Option<ControlScope> {
    match slice {
        Slice::Overall => Some(ControlScope::All),
        Slice::Domain(domain) => Some(ControlScope::Domain(domain.clone())),
        Slice::Model { name, version } => Some(ControlScope::Model {
            name: name.clone(),
            version: (!version.is_empty()).then(|| version.clone()),
        }),
        Slice::Cohort { dimension, group } => {
            Some(ControlScope::Cohort { dimension: dimension.clone(), group: group.clone() })
        }
        Slice::Queue(_) | Slice::Reviewer(_) | Slice::Rule(_) => None,
    }
}

/// A slice as incidents name it.
pub(super) fn named(slice: &Slice) -> Value {
    json!({ slice.kind(): slice.value() })
}

/// An effect on a window fired in a slice. The incident it opened, if it did.
pub(super) fn fire(
    core: &Core,
    deeds: &mut Deeds<'_>,
    firing: &Firing,
    slice: &Slice,
    figures: &str,
    runbook: Option<&str>,
) -> Result<Option<String>, Refused> {
    let place = named(slice);
    let cause = format!("{} ({figures})", firing.reason);
    let mut entry = deeds.by_policy(EntryKind::EFFECT);
    let done: Vec<String> = firing.actions.iter().map(spelled).collect();
    entry.d.insert("effect".into(), firing.effect.clone());
    entry.d.insert("do".into(), done.join(" "));
    entry.d.insert("slice".into(), short(&slice.to_string()));
    entry.d.insert("values".into(), short(figures));
    deeds.entry(entry, vec![("reason".into(), firing.reason.clone().into_bytes())])?;
    deeds.say("fired", slice.to_string(), format!("{}: {cause}", firing.effect));
    let notifiers: Vec<String> = firing
        .actions
        .iter()
        .filter_map(|action| match action {
            EffectAction::Notify(to) => Some(to.clone()),
            _ => None,
        })
        .collect();
    let mut incident = None;
    if firing.actions.contains(&EffectAction::IncidentOpen) {
        let alarm = Alarm {
            kind: firing.effect.clone(),
            slice: place.clone(),
            cause: cause.clone(),
            runbook: runbook.map(str::to_owned),
            decision: None,
        };
        incident = Some(incidents::raise(core, deeds, alarm, &notifiers)?);
    }
    let scope = scope_of(slice);
    for action in &firing.actions {
        match (action, &scope) {
            (EffectAction::Pause, Some(scope)) => pause(deeds, scope, &firing.effect, &cause)?,
            (EffectAction::Limit(rate), Some(scope)) => {
                limit(deeds, scope, *rate, &firing.effect, &cause)?;
            }
            (EffectAction::CanaryRollback, _) => {
                let model = match slice {
                    Slice::Model { name, .. } => Some(name.as_str()),
                    _ => None,
                };
                roll_back(deeds, model, &format!("{}: {cause}", firing.effect))?;
            }
            (EffectAction::Notify(to), _) => {
                let notice = Notice {
                    to,
                    event: "trigger",
                    effect: &firing.effect,
                    slice: &place,
                    cause: &cause,
                    incident: incident.as_deref(),
                    about: About::Figures,
                    runbook,
                };
                let once = format!("trigger:{}", deeds.now().as_millisecond());
                deeds.op(notice.row(&once, deeds.now()));
            }
            // The policy does not load with others on a window.
            _ => {}
        }
    }
    Ok(incident)
}

fn pause(deeds: &mut Deeds<'_>, scope: &ControlScope, by: &str, why: &str) -> Result<(), Refused> {
    let why = short(why);
    if deeds.contain("pause", scope, &why, |control, now| control.pause(scope, by, now, &why))? {
        deeds.say("paused", scope.to_string(), format!("automation is paused: {why}"));
    }
    Ok(())
}

fn limit(
    deeds: &mut Deeds<'_>,
    scope: &ControlScope,
    rate: f64,
    by: &str,
    why: &str,
) -> Result<(), Refused> {
    let why = short(why);
    let changed = deeds
        .contain("limit", scope, &why, |control, now| control.limit(scope, rate, by, now, &why))?;
    if changed {
        deeds.say("limited", scope.to_string(), format!("to {rate} a minute: {why}"));
    }
    Ok(())
}

/// Roll back the running canary of a model; `None`: every running one.
pub(super) fn roll_back(
    deeds: &mut Deeds<'_>,
    model: Option<&str>,
    why: &str,
) -> Result<(), Refused> {
    let Some(control) = deeds.control() else { return Ok(()) };
    let running: Vec<String> = control
        .canaries
        .keys()
        .filter(|name| model.is_none_or(|m| m == *name) && control.running(name).is_some())
        .cloned()
        .collect();
    for name in running {
        let version = control.canaries.get(&name).map(|c| c.version.clone());
        let scope = ControlScope::Model { name: name.clone(), version };
        let why = short(why);
        let done = deeds.contain("canary", &scope, &why, |control, now| {
            control.roll_back_canary(&name, now, &why).is_ok()
        })?;
        if done {
            deeds.say("rolled back", scope.to_string(), why);
        }
    }
    Ok(())
}

/// Open the incidents that effects on decisions and reviews asked for; how many rows they were.
pub(super) fn rows(core: &Core, deeds: &mut Deeds<'_>) -> Result<(), Refused> {
    let ask = OutgoingAsk {
        state: EffectState::Waiting,
        kind: Some(OPEN.to_owned()),
        due_at: None,
        after: 0,
        limit: BATCH,
        bare: false,
    };
    let rows = core.store.outgoing(&ask).map_err(refuse)?;
    for row in rows {
        open(core, deeds, &row)?;
        deeds.op(Op::EffectDone { key: row.key });
    }
    Ok(())
}

fn open(core: &Core, deeds: &mut Deeds<'_>, row: &StoredEffect) -> Result<(), Refused> {
    let text = |name: &str| row.payload.get(name).and_then(Value::as_str).unwrap_or_default();
    let (effect, reason) = (text("effect"), text("reason"));
    let Some(stored) = core.store.decision(&row.item).map_err(refuse)? else { return Ok(()) };
    let (name, version) = (stored.columns.model, stored.columns.version);
    let told: Vec<String> =
        row.payload.get("told").and_then(Value::as_array).map_or_else(Vec::new, |names| {
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        });
    let runbook = deeds.sight.policy.as_ref().and_then(|p| p.runbook(effect)).map(str::to_owned);
    let slice = named(&Slice::Model { name, version });
    let alarm = Alarm {
        kind: effect.to_owned(),
        slice: slice.clone(),
        cause: reason.to_owned(),
        runbook: runbook.clone(),
        decision: Some(row.item.clone()),
    };
    let incident = incidents::raise(core, deeds, alarm, &told)?;
    for to in &told {
        let notice = Notice {
            to,
            event: "trigger",
            effect,
            slice: &slice,
            cause: reason,
            incident: Some(&incident),
            about: About::Decisions(Some(&row.item)),
            runbook: runbook.as_deref(),
        };
        deeds.op(notice.row(&format!("trigger:{}", row.number), deeds.now()));
    }
    Ok(())
}
