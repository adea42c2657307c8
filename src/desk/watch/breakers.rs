//! Breakers and limits as the verdicts on each model version move them.

use jiff::SignedDuration;

use super::conditions::controlled;
use super::deeds::{Deeds, short};
use super::follow::{JUDGED, Judged};
use crate::containment::{Evidence, Step, Tightened, tighten};
use crate::desk::core::{Core, refuse};
use crate::desk::signals::{Detail, Figure};
use crate::domain::ControlScope;
use crate::policy::Each;
use crate::protocol::{Refused, Why};
use crate::signals::flow::UNUSUAL;
use crate::signals::{Slice, Window};

/// Reports of errors within a breaker's window that open it.
const REPORTS: u64 = 5;

/// The features of a model version that have drifted, in words.
fn drift(figures: &[Figure], judged: &Judged) -> Option<String> {
    let (name, version) = (judged.model.clone(), judged.version.clone());
    let slice = Slice::Model { name, version };
    let figure = figures.iter().find(|f| f.slice == slice)?;
    let (name, psi, _, _) = figure.features.iter().find(|(_, _, _, alarm)| *alarm)?;
    Some(format!("{name} has drifted: psi {psi:.3}"))
}

/// A flood of decisions in a domain, in words. A silence leaves nothing to contain.
fn anomaly(z: f64) -> Option<String> {
    (z > UNUSUAL).then(|| format!("arrivals of the last hour are far above those before: z {z:.1}"))
}

impl Core {
    /// Let evidence and time act on every breaker, and tighten or relax limits.
    pub(super) fn breakers(&self, deeds: &mut Deeds<'_>) -> Result<(), Refused> {
        let Some(policy) = deeds.sight.policy.clone() else { return Ok(()) };
        if policy.breaker().is_none() && policy.limits().is_empty() {
            return Ok(());
        }
        let mut all: Vec<Judged> = Vec::new();
        for (key, state) in self.store.states(JUDGED).map_err(refuse)? {
            all.push(serde_json::from_slice(&state.value).map_err(|e| {
                Refused::new(Why::Damaged, format!("{key} cannot be read: {e}"))
                    .hint("it was written by a newer overrule, or by other means")
            })?);
        }
        let now = deeds.now();
        let hour = SignedDuration::from_hours(1);
        let window = policy.breaker().map_or(hour, |b| b.window);
        let since = now.checked_sub(window).unwrap_or(now);
        if let Some(terms) = policy.breaker() {
            let window = Window::at_least(terms.window.as_secs());
            let seen = self.look(deeds.sight, window, Detail::of(&["model"]), false)?;
            let drifts = controlled(seen.figures(Each::Model), window);
            let arrivals = self.how_it_stands(now)?.arrivals;
            for judged in &all {
                let Some(control) = deeds.control() else { return Ok(()) };
                let model = (judged.model.as_str(), judged.version.as_str());
                let from = control
                    .breaker(&judged.domain, model)
                    .and_then(|b| b.judged_since())
                    .unwrap_or(since);
                let (overridden, reviewed, reports) = judged.since(from);
                let change = judged.change.as_ref().filter(|(at, _)| *at >= from);
                let evidence = Evidence {
                    overridden,
                    reviewed,
                    drift: change.map(|(_, what)| what.clone()).or_else(|| drift(&drifts, judged)),
                    anomaly: arrivals.get(&judged.domain).and_then(|z| anomaly(*z)),
                    errors: (reports >= REPORTS)
                        .then(|| format!("{reports} reports of errors after the fact")),
                };
                let before = crate::containment::step(
                    control.breaker(&judged.domain, model),
                    &judged.domain,
                    model,
                    &evidence,
                    terms,
                    now,
                );
                let (word, why) = match &before {
                    Step::Same => continue,
                    Step::Opened(b) => ("breaker.open", b.cause.clone()),
                    Step::HalfOpened(b) => ("breaker.half_open", b.cause.clone()),
                    Step::Closed(why) => ("breaker.close", why.clone()),
                };
                let scope = ControlScope::Model {
                    name: judged.model.clone(),
                    version: Some(judged.version.clone()),
                };
                let why = short(&format!("in {}: {why}", judged.domain));
                deeds.contain(word, &scope, &why, |control, now| {
                    control.step_breaker(&judged.domain, model, &evidence, terms, now) != Step::Same
                })?;
                deeds.say("breaker", scope.to_string(), format!("{word}: {why}"));
            }
        }
        for limit in policy.limits() {
            let Some(control) = deeds.control() else { return Ok(()) };
            let covered =
                all.iter().filter(|j| limit.domain.as_ref().is_none_or(|d| *d == j.domain));
            let (overridden, reviewed) = covered.fold((0, 0), |sum, judged| {
                let (k, n, _) = judged.since(since);
                (sum.0 + k, sum.1 + n)
            });
            let share = tighten(overridden, reviewed, policy.breaker());
            let standing = control.tightened.get(&limit.name).map_or(1.0, |t| t.share);
            if (share - standing).abs() < 1e-9 {
                continue;
            }
            let scope = limit.domain.clone().map_or(ControlScope::All, ControlScope::Domain);
            let cause = format!("{overridden} of {reviewed} overridden");
            let why = format!("limit {} to {share:.1} of its rate: {cause}", limit.name);
            deeds.contain("tighten", &scope, &why, |control, _| {
                if share < 1.0 {
                    let tightened = Tightened { share, cause: cause.clone() };
                    control.tightened.insert(limit.name.clone(), tightened);
                } else {
                    control.tightened.remove(&limit.name);
                }
                true
            })?;
            deeds.say("limit", limit.name.clone(), why);
        }
        Ok(())
    }
}
