//! What there is to switch, as a tree, and how automation stands at every place of it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::containment::{Control, Kind, Kinds};
use crate::desk::flags::kinds;
use crate::domain::ControlScope;
use crate::protocol::{KillMode, SwitchState, SwitchView};
use crate::store::{Flowed, Tally};

/// Who makes it so, where a breaker does.
const BREAKER: &str = "breaker";

/// `all` first, each domain with its models and their versions under it, then models that no
/// decision is known of, then actions and cohorts that are not simply on. `set`: what is set.
pub(super) fn tree(
    control: &Control,
    set: Vec<SwitchView>,
    tally: &[Tally],
    flowed: &Flowed,
) -> Vec<SwitchView> {
    let kinds = kinds(tally, flowed);
    let above = set.clone();
    let mut set: BTreeMap<ControlScope, SwitchView> =
        set.into_iter().map(|view| (view.scope.clone(), view)).collect();
    let mut views = Vec::new();
    for (scope, depth) in places(tally, set.keys()) {
        let mut view = set.remove(&scope).unwrap_or_else(|| SwitchView::on(scope));
        view.depth = depth;
        trip(&mut view, control, &kinds);
        views.push(view);
    }
    for view in &mut views {
        shade(view, &above, control, &kinds);
    }
    views
}

/// Every domain, model and version there are decisions of, and every scope in which something is
/// set, in the order of the tree. A model that decides in several domains stands under the one
/// where it decides most.
fn places<'s>(
    tally: &[Tally],
    set: impl Iterator<Item = &'s ControlScope>,
) -> Vec<(ControlScope, u8)> {
    let mut domains: BTreeSet<&str> = BTreeSet::new();
    // Models by the domains where they decide; those that never did are in none.
    let mut models: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut whole: BTreeSet<&str> = BTreeSet::new();
    let mut others = Vec::new();
    for t in tally.iter().filter(|t| t.decisions > 0 && !t.domain.is_empty()) {
        domains.insert(&t.domain);
        if t.model.is_empty() {
            continue;
        }
        *models.entry(&t.model).or_default().entry(&t.domain).or_default() += t.decisions;
        whole.insert(&t.model);
        if !t.version.is_empty() {
            versions.entry(&t.model).or_default().insert(&t.version);
        }
    }
    for scope in set {
        match scope {
            ControlScope::All => {}
            ControlScope::Domain(domain) => drop(domains.insert(domain)),
            ControlScope::Model { name, version } => {
                models.entry(name).or_default();
                match version {
                    Some(version) => drop(versions.entry(name).or_default().insert(version)),
                    None => drop(whole.insert(name)),
                }
            }
            ControlScope::Action(_) | ControlScope::Cohort { .. } => others.push(scope.clone()),
        }
    }
    let home = |model: &str| -> Option<&str> {
        let of = models.get(model)?;
        of.iter().max_by_key(|(_, n)| **n).map(|(domain, _)| *domain)
    };
    let model = |name: &str, depth: u8, places: &mut Vec<(ControlScope, u8)>| {
        let place = |version: Option<&str>| ControlScope::Model {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        };
        let mut below = depth;
        // A version that nothing is known of but a stop stands for itself.
        if whole.contains(name) {
            places.push((place(None), depth));
            below = depth.saturating_add(1);
        }
        let of = versions.get(name).into_iter().flatten();
        places.extend(of.map(|version| (place(Some(version)), below)));
    };
    let mut places = vec![(ControlScope::All, 0)];
    for domain in domains {
        places.push((ControlScope::Domain(domain.to_owned()), 1));
        for name in models.keys().filter(|m| home(m) == Some(domain)) {
            model(name, 2, &mut places);
        }
    }
    for name in models.keys().filter(|m| home(m).is_none()) {
        model(name, 1, &mut places);
    }
    places.extend(others.into_iter().map(|scope| (scope, 1)));
    places
}

/// What breakers make of a scope, where that is stricter than what is set on it.
fn trip(view: &mut SwitchView, control: &Control, kinds: &Kinds) {
    let Some(tripping) = control.tripping(&view.scope, kinds).filter(|t| t.state > view.state)
    else {
        return;
    };
    let b = tripping.breaker;
    let more = match tripping.breakers {
        0 | 1 => String::new(),
        n => format!(" (+{} more)", n - 1),
    };
    view.state = tripping.state;
    view.mode = (tripping.state == SwitchState::Paused).then_some(KillMode::Human);
    view.by = Some(BREAKER.to_owned());
    view.at = Some(b.since);
    view.reason =
        Some(format!("breaker on {}@{} in {}: {}{more}", b.model, b.version, b.domain, b.cause));
}

/// What is set above a scope holds in it, where that is stricter: of several the strictest, of these
/// the widest. A stop of a domain only limits a model that decides elsewhere, too.
fn shade(view: &mut SwitchView, above: &[SwitchView], control: &Control, kinds: &Kinds) {
    let mut strictest: Option<(SwitchState, &SwitchView)> = None;
    for other in above.iter().filter(|a| a.scope != view.scope) {
        let Some(state) = holds(other, &view.scope, control, kinds) else { continue };
        if state > strictest.map_or(view.state, |(state, _)| state) {
            strictest = Some((state, other));
        }
    }
    let Some((state, other)) = strictest else { return };
    view.own = Some(view.state).filter(|own| *own != SwitchState::On);
    view.state = state;
    view.mode = other.mode.clone().filter(|_| state == other.state);
    view.by.clone_from(&other.by);
    view.at = other.at;
    view.reason.clone_from(&other.reason);
    view.under = Some(other.scope.clone());
}

/// How something that is set on a scope makes another one stand.
fn holds(
    set: &SwitchView,
    on: &ControlScope,
    control: &Control,
    kinds: &Kinds,
) -> Option<SwitchState> {
    if set.state == SwitchState::On {
        return None;
    }
    // What is to be used instead of the others goes on.
    if let ControlScope::Model { name, version: Some(version) } = on
        && set.state > SwitchState::Limited
        && let Some(switch) = control.switches.get(&set.scope)
    {
        let (model, version) = (name.clone(), version.clone());
        if !switch.stops(&Kind { domain: String::new(), model, version }) {
            return None;
        }
    }
    if set.scope.contains(on) {
        return Some(set.state);
    }
    let (ControlScope::Domain(_), ControlScope::Model { .. }) = (&set.scope, on) else {
        return None;
    };
    let of = kinds.inside(control, |k| k.is_inside(on));
    let inside = of.iter().filter(|k| k.is_inside(&set.scope)).count();
    match inside {
        0 => None,
        n if n == of.len() => Some(set.state),
        _ => Some(SwitchState::Limited),
    }
}
