//! A new version on trial: started, promoted and rolled back by people, stepped by verdicts.

use super::{Change, reasoned};
use crate::audit::{Entry, EntryKind};
use crate::authority::Subject;
use crate::containment::{CanaryError, CanaryState, Control, Move, Trial};
use crate::desk::core::{Core, Sight, draft, json, lock, refuse};
use crate::domain::{Decision, Timestamp};
use crate::protocol::{Act, CanaryAct, CanaryView, Refused, Why};
use crate::store::Op;

/// Where a canary's evidence is kept.
fn key(model: &str) -> String {
    format!("canary/{model}")
}

impl Core {
    /// Start, promote or roll back a canary.
    pub(in crate::desk) fn canary(&self, by: &str, ask: &CanaryAct) -> Result<(), Refused> {
        match ask {
            CanaryAct::Start { .. } => self.start_canary(by, ask),
            CanaryAct::Promote { model, reason } => {
                let reason = reasoned(reason, "a promotion")?;
                self.retry(|sight| {
                    let known = self.known_control(sight.snapshot.generation).control;
                    let level =
                        known.and_then(|c| c.running(model).map(|c| c.promote_level)).unwrap_or(0);
                    let subject = Subject { level, ..Subject::default() };
                    let actor = self.allowed(by, Act::PromoteCanary, subject)?;
                    self.contain(sight, &actor, |mut control| {
                        let mut entry = entry(sight, by, "promote", model);
                        name(&mut entry, &control, model);
                        control.promote_canary(model, sight.now, &reason).map_err(not_so)?;
                        entry.d.insert("reason".into(), reason.clone());
                        Ok(Change { entry, control, ops: Vec::new() })
                    })?;
                    Ok(())
                })
            }
            CanaryAct::Rollback { model, reason } => {
                let reason = reasoned(reason, "a rollback")?;
                self.retry(|sight| {
                    let actor = self.allowed(by, Act::RollBackCanary, Subject::default())?;
                    self.contain(sight, &actor, |mut control| {
                        let mut entry = entry(sight, by, "rollback", model);
                        name(&mut entry, &control, model);
                        let why = format!("{by}: {reason}");
                        control.roll_back_canary(model, sight.now, &why).map_err(not_so)?;
                        entry.d.insert("reason".into(), reason.clone());
                        Ok(Change { entry, control, ops: Vec::new() })
                    })?;
                    Ok(())
                })
            }
        }
    }

    fn start_canary(&self, by: &str, ask: &CanaryAct) -> Result<(), Refused> {
        let CanaryAct::Start {
            model,
            version,
            baseline,
            steps,
            min_reviewed,
            tolerance,
            promote_level,
        } = ask
        else {
            return Ok(());
        };
        self.retry(|sight| {
            let actor = self.allowed(by, Act::StartCanary, Subject::default())?;
            self.contain(sight, &actor, |mut control| {
                let how = (*min_reviewed, *tolerance, *promote_level);
                control
                    .start_canary(model, version, baseline, steps, how, by, sight.now)
                    .map_err(not_so)?;
                let mut entry = entry(sight, by, "start", model);
                name(&mut entry, &control, model);
                entry.d.insert("steps".into(), format!("{steps:?}"));
                // Evidence of an earlier one says nothing of this one.
                let value = Some(json(&Trial::default())?);
                let ops = vec![Op::PutState { key: key(model), value }];
                Ok(Change { entry, control, ops })
            })?;
            Ok(())
        })
    }

    /// A model's evidence, with its version in the store.
    fn trial(&self, model: &str) -> Result<(Trial, u64), Refused> {
        let Some(stored) = self.store.state(&key(model)).map_err(refuse)? else {
            return Ok((Trial::default(), 0));
        };
        let trial = serde_json::from_slice(&stored.value).map_err(|e| {
            Refused::new(
                Why::Damaged,
                format!("the evidence of the canary of {model} cannot be read: {e}"),
            )
            .hint("overrule canary rollback --model … ends it; start it again afterwards")
        })?;
        Ok((trial, stored.version))
    }

    /// All canaries, as they are shown.
    pub(super) fn canaries(&self, control: &Control) -> Result<Vec<CanaryView>, Refused> {
        control
            .canaries
            .iter()
            .map(|(model, canary)| {
                let (trial, _) = self.trial(model)?;
                let (new, old) = (trial.canary(), trial.baseline());
                Ok(CanaryView {
                    model: model.clone(),
                    version: canary.version.clone(),
                    baseline: canary.baseline.clone(),
                    state: canary.state.as_str().to_owned(),
                    step: canary.step + 1,
                    steps: canary.steps.clone(),
                    share: canary.share(),
                    since: canary.since,
                    canary: (new.k, new.n),
                    base: (old.k, old.n),
                    e_value: trial.e_value(),
                    e_needed: Trial::e_needed(),
                    history: trial.history().to_vec(),
                    difference: trial.difference().map(|d| (d.low, d.high)),
                    verdict: trial.standing(canary.tolerance).as_str().to_owned(),
                    promote_level: canary.promote_level,
                    reason: canary.reason.clone(),
                })
            })
            .collect()
    }
}

/// Operations of a verdict's own write, and the small state they were decided on.
type Stepped = (Vec<Op>, (String, u64));

/// What a verdict on a decision of a canary, or of its baseline, makes of it: operations of the
/// verdict's own write, and the premise they need.
pub(in crate::desk) fn verdict(
    core: &Core,
    sight: &Sight,
    d: &Decision,
    overridden: bool,
    now: Timestamp,
) -> Result<Option<Stepped>, Refused> {
    let model = &d.model.name;
    let Some(control) = sight.stored.as_deref() else { return Ok(None) };
    let Some(canary) = control.running(model) else { return Ok(None) };
    let new = canary.version == d.model.version;
    if !new && canary.baseline != d.model.version {
        return Ok(None);
    }
    let (mut trial, version) = core.trial(model)?;
    trial.observe(new, overridden);
    let mut ops = Vec::new();
    let next = trial.next(canary);
    if matches!(next, Move::Advance | Move::RollBack(_)) {
        let mut slot = lock(&sight.changed);
        let mut changed = slot.clone().unwrap_or_else(|| control.clone());
        let what = match &next {
            Move::RollBack(_) => "rollback",
            _ => "advance",
        };
        let mut entry = entry(sight, "policy", what, model);
        name(&mut entry, control, model);
        entry.r#gen = Some(sight.snapshot.generation.saturating_add(1));
        let moved = match &next {
            Move::RollBack(why) => {
                entry.d.insert("reason".into(), why.clone());
                changed.roll_back_canary(model, now, why)
            }
            _ => {
                trial.begin_step();
                changed.advance_canary(model, now).map(drop)
            }
        };
        // An effect of the same verdict may have rolled it back already.
        if moved.is_ok() {
            *slot = Some(changed);
            ops.push(Op::Entry(draft(entry, Vec::new())?));
        }
    }
    ops.push(Op::PutState { key: key(model), value: Some(json(&trial)?) });
    Ok(Some((ops, (key(model), version))))
}

fn entry(sight: &Sight, by: &str, act: &str, model: &str) -> Entry {
    let mut entry = Entry::new(EntryKind::CANARY, by, sight.now, sight.wall);
    entry.d.insert("act".into(), act.to_owned());
    entry.d.insert("model".into(), model.to_owned());
    entry
}

/// The versions and the share it is about.
fn name(entry: &mut Entry, control: &Control, model: &str) {
    let Some(canary) = control.canaries.get(model).filter(|c| c.state == CanaryState::Running)
    else {
        return;
    };
    entry.d.insert("version".into(), canary.version.clone());
    entry.d.insert("baseline".into(), canary.baseline.clone());
    entry.d.insert("share".into(), canary.share().to_string());
}

fn not_so(error: CanaryError) -> Refused {
    let kind = match &error {
        CanaryError::Running { .. } | CanaryError::NoneRunning { .. } => Why::State,
        CanaryError::SameVersion(_) | CanaryError::Steps(_) | CanaryError::Tolerance(_) => {
            Why::Invalid
        }
    };
    Refused::new(kind, error.to_string()).hint("overrule canary status shows what is running")
}
