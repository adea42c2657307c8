//! Everything that contains automation, as it is shown.

use std::collections::{BTreeMap, BTreeSet};

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
                switches: self.tree(vec![unreadable(self.needed(&sight))], &tally, &flowed)?,
                incidents: self.incidents()?,
                outgoing: self.outgoing()?,
                ..ContainmentView::default()
            });
        };
        let held = |id: &str| flowed.held.get(id).copied().unwrap_or(0);
        Ok(ContainmentView {
            generation: sight.snapshot.generation,
            switches: self.tree(control.switch_views(self.needed(&sight)), &tally, &flowed)?,
            breakers: breakers(control),
            limits: limits(control, &sight, &flowed),
            budgets: self.budgets(&sight)?,
            canaries: self.canaries(control)?,
            freezes: control.freezes.iter().map(|f| f.view(held(&f.id))).collect(),
            incidents: self.incidents()?,
            outgoing: self.outgoing()?,
        })
    }

    /// What there is to switch, `all` first, each domain with its models and their versions under
    /// it, then actions and cohorts that are not simply on.
    fn tree(
        &self,
        set: Vec<SwitchView>,
        tally: &[Tally],
        flowed: &Flowed,
    ) -> Result<Vec<SwitchView>, Refused> {
        let mut set: BTreeMap<ControlScope, SwitchView> =
            set.into_iter().map(|view| (view.scope.clone(), view)).collect();
        let mut views = Vec::new();
        for (scope, depth) in places(tally) {
            let mut view = set.remove(&scope).unwrap_or_else(|| on(scope));
            view.depth = depth;
            views.push(view);
        }
        views.extend(set.into_values());
        shade(&mut views);
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

/// Every domain, model and version there are decisions of, in the order of the tree. A model that
/// decides in several domains stands under the one where it decides most.
fn places(tally: &[Tally]) -> Vec<(ControlScope, u8)> {
    let mut domains: BTreeSet<&str> = BTreeSet::new();
    let mut models: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for t in tally.iter().filter(|t| t.decisions > 0 && !t.domain.is_empty()) {
        domains.insert(&t.domain);
        if t.model.is_empty() {
            continue;
        }
        *models.entry(&t.model).or_default().entry(&t.domain).or_default() += t.decisions;
        if !t.version.is_empty() {
            versions.entry(&t.model).or_default().insert(&t.version);
        }
    }
    let home = |model: &str| -> Option<&str> {
        let of = models.get(model)?;
        of.iter().max_by_key(|(_, n)| **n).map(|(domain, _)| *domain)
    };
    let mut places = vec![(ControlScope::All, 0)];
    for domain in domains {
        places.push((ControlScope::Domain(domain.to_owned()), 1));
        for model in models.keys().filter(|m| home(m) == Some(domain)) {
            let name = (*model).to_owned();
            places.push((ControlScope::Model { name: name.clone(), version: None }, 2));
            for version in versions.get(model).into_iter().flatten() {
                let version = Some((*version).to_owned());
                places.push((ControlScope::Model { name: name.clone(), version }, 3));
            }
        }
    }
    places
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

/// What is on by itself says what above it is not; `views` are in the order of the tree.
fn shade(views: &mut [SwitchView]) {
    let mut above: Vec<(u8, ControlScope)> = Vec::new();
    for view in views {
        above.retain(|(depth, _)| *depth < view.depth);
        if view.state != SwitchState::On {
            above.push((view.depth, view.scope.clone()));
        } else {
            view.under = above.last().map(|(_, scope)| scope.clone());
        }
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

/// A scope in which nothing is set.
fn on(scope: ControlScope) -> SwitchView {
    SwitchView {
        scope,
        mode: None,
        state: SwitchState::On,
        by: None,
        at: None,
        reason: None,
        resume_by: Vec::new(),
        resume_needs: 0,
        per_hour: None,
        in_flight: 0,
        depth: 0,
        under: None,
    }
}

/// All there is to say where the control state cannot be read.
fn unreadable(needs: u32) -> SwitchView {
    SwitchView {
        mode: Some(KillMode::Human),
        state: SwitchState::Killed,
        by: Some("system".into()),
        reason: Some("the control state cannot be read: everything goes to people".into()),
        resume_needs: needs,
        ..on(ControlScope::All)
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
        (SwitchState::Limited, format!("breaker on {}@{} in {}", b.model, b.version, b.domain))
    }));
    let strict = |state: SwitchState| match state {
        SwitchState::Killed => 0,
        SwitchState::Paused => 1,
        SwitchState::Limited => 2,
        SwitchState::On => 3,
    };
    set.sort_by_key(|(state, _)| strict(*state));
    match set.split_first() {
        None => "on".into(),
        Some(((state, _), _)) if set.iter().any(|(s, name)| s == state && name == "all") => {
            state.as_str().into()
        }
        Some(((state, name), [])) => format!("{}: {name}", state.as_str()),
        Some(((state, name), more)) => format!("{}: {name} (+{})", state.as_str(), more.len()),
    }
}
