//! Everything that contains automation, as it is shown.

use super::tree::tree;
use crate::containment::{Control, Phase};
use crate::desk::core::{Core, Sight, refuse};
use crate::domain::ControlScope;
use crate::protocol::{
    BreakerView, ContainmentView, KillMode, LimitView, Outgoing, OutgoingView, Refused,
    SwitchState, SwitchView,
};
use crate::signals::flow;
use crate::store::{Automatic, EffectState, Flowed, OutgoingAsk, StoredEffect, Tally};

/// Effects listed at most, of those held and of those given up.
const LISTED: usize = 50;

impl Core {
    /// Everything that contains automation.
    pub(in crate::desk) fn containment(&self) -> Result<ContainmentView, Refused> {
        let sight = self.sight()?;
        let tally = self.store.tally().map_err(refuse)?;
        let frozen = sight.control.iter().flat_map(|c| &c.freezes).map(|f| f.at).min();
        let flowed = self.store.flowed(sight.now, frozen).map_err(refuse)?;
        let Some(control) = &sight.control else {
            return Ok(ContainmentView {
                generation: sight.snapshot.generation,
                switches: self.counted(
                    tree(
                        &Control::default(),
                        vec![unreadable(self.needed(&sight))],
                        &tally,
                        &flowed,
                    ),
                    &tally,
                    &flowed,
                )?,
                incidents: self.incidents()?,
                outgoing: self.outgoing()?,
                ..ContainmentView::default()
            });
        };
        let held = |id: &str| flowed.held.get(id).copied().unwrap_or(0);
        let needs = self.needed(&sight);
        let mut switches = tree(control, control.switch_views(needs), &tally, &flowed);
        // Breakers are closed by as many people as switches.
        for view in switches.iter_mut().filter(|v| v.own() != SwitchState::On) {
            view.resume_needs = needs;
        }
        Ok(ContainmentView {
            generation: sight.snapshot.generation,
            switches: self.counted(switches, &tally, &flowed)?,
            breakers: breakers(control),
            limits: limits(control, &sight, &flowed),
            budgets: self.budgets(&sight)?,
            canaries: self.canaries(control)?,
            freezes: control.freezes.iter().map(|f| f.view(held(&f.id))).collect(),
            incidents: self.incidents()?,
            outgoing: self.outgoing()?,
        })
    }

    /// What there is to switch, with how much comes and waits there.
    fn counted(
        &self,
        mut views: Vec<SwitchView>,
        tally: &[Tally],
        flowed: &Flowed,
    ) -> Result<Vec<SwitchView>, Refused> {
        for view in &mut views {
            view.per_hour = per_hour(&view.scope, flowed);
            view.in_flight = match &view.scope {
                ControlScope::Cohort { dimension, group } => {
                    self.store.open_in_cohort(dimension, group).map_err(refuse)?
                }
                scope => tally.iter().filter(|t| counts(scope, t)).map(|t| t.open).sum(),
            };
        }
        Ok(views)
    }

    /// What waits to go out, in numbers; the first of what is held and what was given up.
    pub(in crate::desk) fn outgoing(&self) -> Result<Outgoing, Refused> {
        let counts = self.store.outgoing_count().map_err(refuse)?;
        let mut listed = Vec::new();
        for state in [EffectState::Held, EffectState::Dead] {
            let ask = OutgoingAsk { state, limit: LISTED, ..OutgoingAsk::default() };
            listed.extend(self.store.outgoing(&ask).map_err(refuse)?.into_iter().map(effect));
        }
        let (waiting, held, dead) = (counts.waiting, counts.held, counts.dead);
        Ok(Outgoing { waiting, held, dead, listed })
    }
}

/// Are the decisions counted here in this scope? (Cohorts are counted elsewhere.)
fn counts(scope: &ControlScope, t: &Tally) -> bool {
    match scope {
        ControlScope::All => true,
        ControlScope::Domain(domain) => t.domain == *domain,
        ControlScope::Model { name, version } => {
            t.model == *name && version.as_ref().is_none_or(|v| t.version == *v)
        }
        ControlScope::Action(action) => t.action == *action,
        ControlScope::Cohort { .. } => false,
    }
}

/// Decisions of the last hour in a scope; `None` for cohorts, which are not counted so.
fn per_hour(scope: &ControlScope, flowed: &Flowed) -> Option<f64> {
    if matches!(scope, ControlScope::Cohort { .. }) {
        return None;
    }
    let inside = |a: &&Automatic| match scope {
        ControlScope::All => true,
        ControlScope::Domain(domain) => a.domain == *domain,
        ControlScope::Model { name, version } => {
            a.model == *name && version.as_ref().is_none_or(|v| a.version == *v)
        }
        ControlScope::Action(action) => a.action == *action,
        ControlScope::Cohort { .. } => false,
    };
    let count: u64 = flowed.decisions.iter().filter(inside).map(|a| a.decisions).sum();
    Some(flow::per_hour(count, 60.0))
}

/// All there is to say where the control state cannot be read.
fn unreadable(needs: u32) -> SwitchView {
    SwitchView {
        mode: Some(KillMode::Human),
        state: SwitchState::Killed,
        by: Some("system".into()),
        reason: Some("the control state cannot be read: everything goes to people".into()),
        resume_needs: needs,
        ..SwitchView::on(ControlScope::All)
    }
}

fn breakers(control: &Control) -> Vec<BreakerView> {
    let view = |b: &crate::containment::Breaker| {
        let (state, retry_at) = match b.phase {
            Phase::Open { until } => ("open", Some(until)),
            Phase::HalfOpen { .. } => ("half_open", None),
        };
        BreakerView {
            domain: b.domain.clone(),
            model: format!("{}@{}", b.model, b.version),
            state: state.into(),
            since: b.since,
            cause: Some(b.cause.clone()),
            retry_at,
        }
    };
    control.breakers.iter().map(view).collect()
}

/// Limits of the policy as errors have tightened them, then those that effects set.
fn limits(control: &Control, sight: &Sight, flowed: &Flowed) -> Vec<LimitView> {
    let turned_away = |name: &str| flowed.turned_away.get(name).copied().unwrap_or(0);
    let of_policy = sight.policy.iter().flat_map(|p| p.limits()).map(|limit| {
        let share = control.tightened.get(&limit.name).map_or(1.0, |t| t.share);
        LimitView {
            name: limit.name.clone(),
            scope: limit.domain.clone().map_or(ControlScope::All, ControlScope::Domain),
            per_minute: limit.per_minute,
            effective: limit.per_minute * share,
            turned_away: turned_away(&limit.name),
        }
    });
    let of_effects = control.switches.iter().filter_map(|(scope, switch)| {
        let limited = switch.limited.as_ref()?;
        Some(LimitView {
            name: scope.to_string(),
            scope: scope.clone(),
            per_minute: limited.per_minute,
            effective: limited.per_minute,
            turned_away: turned_away(&scope.to_string()),
        })
    });
    of_policy.chain(of_effects).collect()
}

/// An effect as it is shown.
pub(in crate::desk) fn effect(e: StoredEffect) -> OutgoingView {
    let text = |path: &str| e.payload.pointer(path).and_then(|v| v.as_str()).map(str::to_owned);
    // A reply names the kind of its workflow, a notification whom it goes to.
    let to = text("/reply/kind").or_else(|| text("/to")).or_else(|| text("/action"));
    OutgoingView {
        to: to.unwrap_or_default(),
        state: e.state.as_str().to_owned(),
        key: e.key,
        kind: e.kind,
        item: e.item,
        attempts: e.attempts,
        next_at: e.next_at,
        error: e.error.filter(|why| !why.is_empty()),
    }
}

/// The word in the header: `on`, or what stands in the way, the strictest first.
pub(in crate::desk) fn automation(control: Option<&Control>) -> String {
    let Some(control) = control else { return "killed: the control state cannot be read".into() };
    let mut set: Vec<(SwitchState, String)> =
        control.switches.iter().map(|(scope, s)| (s.state(), scope.to_string())).collect();
    set.retain(|(state, _)| *state != SwitchState::On);
    set.extend(control.breakers.iter().map(|b| {
        let state = match b.phase {
            Phase::Open { .. } => SwitchState::Paused,
            Phase::HalfOpen { .. } => SwitchState::Limited,
        };
        (state, format!("breaker on {}@{} in {}", b.model, b.version, b.domain))
    }));
    set.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
    match set.split_first() {
        None => "on".into(),
        Some(((state, _), _)) if set.iter().any(|(s, name)| s == state && name == "all") => {
            state.as_str().into()
        }
        Some(((state, name), [])) => format!("{}: {name}", state.as_str()),
        Some(((state, name), more)) => format!("{}: {name} (+{})", state.as_str(), more.len()),
    }
}
