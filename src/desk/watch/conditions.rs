//! `[[effect]]` on `window`: figures of each slice, the rule, and whether it fires now.
//!
//! Figures are those that everybody sees, so they are the same whichever process ticks. At one look
//! the distributions of all live slices and features are one family of tests, and so are the override
//! rates of all live slices: `drift` and `override_worse` are the verdict on the slice and a place
//! among the discoveries ([`fdr`]), at a rate that goes with the window's length and holds however
//! often one looks.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::acts;
use super::deeds::Deeds;
use super::incidents;
use super::latch::{Latch, quiet};
use crate::desk::core::Core;
use crate::desk::signals::{Detail, Figure, Seen, kind};
use crate::policy::{WindowEffect, WindowFacts};
use crate::protocol::Refused;
use crate::signals::{Window, fdr};

/// Where the latches are kept.
const KEY: &str = "watch/latches";

impl Core {
    /// Look at every condition on windows.
    pub(super) fn conditions(&self, deeds: &mut Deeds<'_>) -> Result<(), Refused> {
        let Some(policy) = deeds.sight.policy.clone() else { return Ok(()) };
        let now = deeds.now();
        let kept = deeds.state::<BTreeMap<String, Latch>>(KEY)?;
        let mut latches = kept.value.clone();
        let mut looks: BTreeMap<Window, Seen> = BTreeMap::new();
        let mut watched = Vec::new();
        for effect in policy.window_effects() {
            let window = Window::at_least(effect.window.as_secs());
            let seen = match looks.entry(window) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let same =
                        |e: &WindowEffect<'_>| Window::at_least(e.window.as_secs()) == window;
                    let kinds: Vec<&'static str> =
                        policy.window_effects().filter(same).map(|e| kind(e.each)).collect();
                    place.insert(self.look(deeds.sight, window, Detail::of(&kinds), false)?)
                }
            };
            for figure in controlled(seen.figures(effect.each), window) {
                let (slice, facts) = (&figure.slice, &figure.facts);
                let key = format!("{} {slice}", effect.id);
                let latch = latches.entry(key.clone()).or_default();
                let firing = policy.on_window(effect.id, facts);
                let fires = latch.look(firing.is_some(), now, effect.cooldown);
                watched.push(key);
                if let (true, Some(firing)) = (fires, firing) {
                    let figures = spelled(window, &figure);
                    let opened = acts::fire(self, deeds, &firing, slice, &figures, effect.runbook)?;
                    latch.incident = opened.or_else(|| latch.incident.take());
                }
            }
        }
        for (key, latch) in &mut latches {
            // A slice without figures, or an effect that is gone: the condition does not hold.
            if !watched.contains(key) {
                latch.look(false, now, None);
            }
            let window = policy.window_effects().find(|e| key.split(' ').next() == Some(e.id));
            let window = window.map_or(Window::Quarter, |e| Window::at_least(e.window.as_secs()));
            if let Some(id) = latch.incident.clone()
                && latch.is_over(now, quiet(window))
            {
                let since = latch.clear_since.unwrap_or(now);
                incidents::settle(
                    deeds,
                    &id,
                    &format!("the condition has been clear since {since}"),
                )?;
                latch.incident = None;
            }
        }
        let cooldown = |key: &str| key.split(' ').next().and_then(|id| policy.cooldown(id));
        latches.retain(|key, latch| !latch.is_idle(now, cooldown(key)));
        if latches != kept.value {
            deeds.put(KEY, kept.version, &latches)?;
        }
        Ok(())
    }
}

/// Figures of slices looked at together: `drift` and `override_worse` stay only where they count among
/// so many tests, looked at so often.
pub(super) fn controlled(mut figures: Vec<Figure>, window: Window) -> Vec<Figure> {
    let rate = fdr::rate(window);
    let p_values: Vec<f64> =
        figures.iter().flat_map(|f| f.features.iter().map(|(_, _, p, _)| *p)).collect();
    let mut found = fdr::discoveries(&p_values, rate).into_iter();
    for figure in &mut figures {
        let mut drifted = false;
        for (_, _, _, alarm) in &mut figure.features {
            *alarm = found.next().unwrap_or_default() && *alarm;
            drifted |= *alarm;
        }
        figure.facts.drift = figure.facts.drift.map(|_| drifted);
    }
    let scanned = |f: &Figure| f.p_worse.map_or(f64::NAN, fdr::scanned_normal);
    let p_values: Vec<f64> = figures.iter().map(scanned).collect();
    for (figure, found) in figures.iter_mut().zip(fdr::discoveries(&p_values, rate)) {
        figure.facts.override_worse = figure.facts.override_worse.map(|worse| worse && found);
    }
    figures
}

/// The figures that fired an effect, for the trail and for people.
fn spelled(window: Window, figure: &Figure) -> String {
    let facts: &WindowFacts = &figure.facts;
    let mut parts = vec![format!("{window}: {} reviewed", facts.reviewed)];
    if let (Some(rate), Some(low), Some(high)) =
        (facts.override_rate, facts.override_low, facts.override_high)
    {
        parts.push(format!("overridden {rate:.3} [{low:.3}, {high:.3}]"));
    }
    let more = [
        ("before", facts.override_baseline),
        ("psi", facts.psi),
        ("kl", facts.kl),
        ("ece", facts.ece),
        ("in time", facts.sla_compliance),
    ];
    parts.extend(more.iter().filter_map(|(name, value)| Some(format!("{name} {:.3}", (*value)?))));
    let drifted = figure.features.iter().filter(|(_, _, _, alarm)| *alarm);
    parts.extend(drifted.take(3).map(|(name, psi, _, _)| format!("drift of {name}: psi {psi:.3}")));
    parts.join(", ")
}
