//! What effects do to control: pauses, limits, freezes and rollbacks, in the commit of what set
//! them off.

use crate::containment::{Control, FrozenBy};
use crate::desk::core::{Sight, lock};
use crate::domain::{ControlScope, Decision, Timestamp};
use crate::policy::{EffectAction, Firing};
use crate::protocol::Refused;
use crate::store::Op;

use super::put;

/// What an effect is about.
#[derive(Clone, Copy)]
pub(in crate::desk) struct Subject<'a> {
    /// The decision's id; names what set a cool-down going.
    pub(in crate::desk) id: &'a str,
    /// The decision, as far as it can be read.
    pub(in crate::desk) decision: Option<&'a Decision>,
    /// The level of whoever's word set it off: that level releases what it freezes.
    pub(in crate::desk) level: u8,
}

impl Subject<'_> {
    /// What a pause or a limit covers: the model version that decided.
    pub(super) fn scope(&self) -> Option<ControlScope> {
        let model = &self.decision?.model;
        Some(ControlScope::Model { name: model.name.clone(), version: Some(model.version.clone()) })
    }
}

/// Carry out an action on the control state, in a scope. `None`: it changes nothing, because it is
/// so already; else what it did, in a few words.
pub(in crate::desk) fn act(
    control: &mut Control,
    action: &EffectAction,
    firing: &Firing,
    scope: &ControlScope,
    now: Timestamp,
) -> Option<String> {
    let (by, reason) = (firing.effect.as_str(), firing.reason.as_str());
    match action {
        EffectAction::Pause => {
            control.pause(scope, by, now, reason).then(|| format!("paused {scope}"))
        }
        EffectAction::Limit(per_minute) => control
            .limit(scope, *per_minute, by, now, reason)
            .then(|| format!("limited {scope} to {per_minute} a minute")),
        EffectAction::CanaryRollback => {
            let ControlScope::Model { name, version } = scope else { return None };
            let running = control.running(name)?;
            // What the baseline does wrong is not the canary's fault.
            if version.as_ref().is_some_and(|v| *v != running.version) {
                return None;
            }
            let which = format!("{name}@{}", running.version);
            let why = format!("{by}: {reason}");
            control.roll_back_canary(name, now, &why).ok()?;
            Some(format!("rolled back {which}"))
        }
        EffectAction::FreezeSimilar
        | EffectAction::IncidentOpen
        | EffectAction::Escalate { .. }
        | EffectAction::Notify(_)
        | EffectAction::Tag(_) => None,
    }
}

impl Sight {
    /// Carry out an action of a firing on the control state, as part of the write that is being
    /// made. `None`: nothing changed. What cannot be read is not changed: everything goes to people
    /// then.
    pub(in crate::desk) fn set(
        &self,
        action: &EffectAction,
        firing: &Firing,
        about: &Subject<'_>,
        now: Timestamp,
    ) -> Option<String> {
        let mut slot = lock(&self.changed);
        let mut control = match slot.as_ref() {
            Some(changed) => changed.clone(),
            None => Control::clone(self.stored.as_deref()?),
        };
        let done = match (action, about.decision) {
            (EffectAction::FreezeSimilar, Some(d)) => {
                let who =
                    FrozenBy { by: &firing.effect, level: about.level, reason: &firing.reason };
                let id = control.freeze(d, &self.snapshot.key, who, now)?;
                format!("froze {id}")
            }
            _ => act(&mut control, action, firing, &about.scope()?, now)?,
        };
        *slot = Some(control);
        Some(done)
    }

    /// The control state changed by effects of the write that `ops` are, added to it: last, and
    /// once.
    pub(in crate::desk) fn settings(&self, ops: &mut Vec<Op>) -> Result<(), Refused> {
        match &*lock(&self.changed) {
            Some(control) => put(self.snapshot.generation, control, ops),
            None => Ok(()),
        }
    }

    /// The control state as effects of a write that is on its way have changed it; the next write
    /// begins without.
    pub(in crate::desk) fn take_changed(&self) -> Option<Control> {
        lock(&self.changed).take()
    }

    /// Have effects of this write changed the control state?
    pub(in crate::desk) fn is_changed(&self) -> bool {
        lock(&self.changed).is_some()
    }
}

/// Actions that a cool-down silences. The others are about the item itself.
pub(in crate::desk) fn cools(action: &EffectAction) -> bool {
    !matches!(action, EffectAction::Escalate { .. } | EffectAction::Tag(_))
}
