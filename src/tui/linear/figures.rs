//! Signals and containment in sentences: every figure with its name, every state with its word.

use super::clean;
use crate::protocol::{ContainmentView, DistributionView, SignalsView, SwitchState};
use crate::text::{humanise_key, time};
use crate::tui::app::signals::{Signals, slice_word};
use crate::tui::app::{State, people};
use crate::tui::screens::{duration, percent, said, standing, statistic};

/// The figures of a window, as `seen` orders them.
pub fn signals(seen: &Signals, view: &SignalsView) -> Vec<String> {
    let mut lines = vec![String::new(), format!("Signals over {}.", view.window)];
    match &view.reference {
        Some(r) => lines.push(format!("Drift is against {}, {} decisions.", r.name, r.decisions)),
        None => lines.push("No reference is set, so drift is not measured.".to_owned()),
    }
    for slice in &view.slices {
        let interval = match slice.override_interval {
            Some([low, high]) => {
                format!(", between {} and {}", percent(Some(low)), percent(Some(high)))
            }
            None => String::new(),
        };
        let baseline =
            slice.baseline.map_or_else(String::new, |b| format!(", baseline {}", percent(Some(b))));
        lines.push(format!(
            "{}: {}. Override rate {}{interval}{baseline}, {} of {} reviewed.",
            slice_word(&slice.slice),
            standing(slice).word,
            percent(slice.override_rate),
            slice.overridden,
            slice.reviewed
        ));
    }
    for (number, drift) in (1..).zip(seen.drift()) {
        lines.push(format!(
            "Bar {number}, {} of {}: {}. PSI {}, {} decisions.",
            humanise_key(drift.feature.strip_prefix("input.").unwrap_or(&drift.feature)),
            slice_word(&drift.slice),
            said(&drift.verdict).word,
            statistic(drift.psi),
            drift.n_cur
        ));
    }
    for model in &view.calibration {
        let was = model
            .ece_before
            .map_or_else(String::new, |e| format!(", it was {}", statistic(Some(e))));
        lines.push(format!(
            "Calibration of {}: {}. ECE {}{was}, {} reviewed.",
            model.model,
            said(&model.verdict).word,
            statistic(model.ece),
            model.n
        ));
    }
    for sla in &view.sla {
        let mut line = match sla.compliance {
            Some(_) => format!("Queue {}: {} in time", sla.queue, percent(sla.compliance)),
            None => format!("Queue {}: no verdicts yet", sla.queue),
        };
        line.push_str(&format!(", {} late, {} at risk", sla.late, sla.at_risk));
        if let Some(ms) = sla.median_ms {
            line.push_str(&format!(", median {}", duration(ms)));
        }
        if let Some(ms) = sla.p95_ms {
            line.push_str(&format!(", 95 percent within {}", duration(ms)));
        }
        lines.push(format!("{line}."));
    }
    let flow = &view.flow;
    let share = view
        .automation_share
        .map_or_else(String::new, |s| format!(" {} of decisions are automatic.", percent(Some(s))));
    lines.push(format!(
        "{} decisions an hour; {} come to people, {} are decided.{share}",
        hourly(flow.decisions_per_hour),
        hourly(flow.arrivals_per_hour),
        hourly(flow.reviews_per_hour)
    ));
    lines.into_iter().map(|line| clean(&line)).collect()
}

/// A bar opened: a table of its bins, a line each, and the decisions behind it.
pub fn distribution(view: &DistributionView, window: &str) -> Vec<String> {
    let feature = view.feature.strip_prefix("input.").unwrap_or(&view.feature);
    let mut lines = vec![
        String::new(),
        format!(
            "{} of {} over {window}: {} decisions in the reference, {} now.",
            humanise_key(feature),
            slice_word(&view.slice),
            view.n_ref,
            view.n_cur
        ),
        "Each line: a range or level, its share in the reference, its share now, the change in \
         points."
            .to_owned(),
    ];
    for (bin, before, now) in &view.bins {
        let (was, is) = (percent(Some(*before)), percent(Some(*now)));
        lines.push(format!("{}: {was}, {is}, {:+.1}", spoken(bin), (now - before) * 100.0));
    }
    lines.push(match view.decisions.len() {
        0 => "No decisions in this time.".to_owned(),
        n => format!(
            "The {n} newest decisions behind it: {}. Say look with one of them to hear it.",
            view.decisions.join(", ")
        ),
    });
    lines.into_iter().map(|line| clean(&line)).collect()
}

/// A few an hour with a decimal: over long windows that is what happens.
fn hourly(rate: f64) -> String {
    if rate > 0.0 && rate < 9.95 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

/// A bin's name without signs that a speech synthesiser leaves out.
fn spoken(bin: &str) -> String {
    match bin.split_once(' ') {
        Some(("<=", value)) => format!("up to {value}"),
        Some((">", value)) => format!("above {value}"),
        _ => bin.to_owned(),
    }
}

/// Everything that contains automation.
pub fn containment(state: &State, view: &ContainmentView) -> Vec<String> {
    let ago = |at| time::short(state.desk_now().duration_since(at));
    let mut lines =
        vec![String::new(), format!("Containment, control generation {}.", view.generation)];
    for switch in &view.switches {
        let mut line = format!("{}: {}", switch.scope, switch.state.as_str());
        if let Some(mode) = &switch.mode {
            line.push_str(&format!(" to {}", mode.as_str()));
        }
        if let Some(above) = &switch.under {
            line.push_str(&format!(", by what is set on {above}"));
        } else if let (Some(by), Some(at)) = (&switch.by, switch.at) {
            line.push_str(&format!(", by {by}, {} ago", ago(at)));
        }
        if let Some(rate) = switch.per_hour {
            line.push_str(&format!(", {rate:.0} decisions an hour"));
        }
        line.push_str(&format!(", {} wait", switch.in_flight));
        if let Some(reason) = switch.reason.as_ref().filter(|_| switch.under.is_none()) {
            line.push_str(&format!(": {reason}"));
        }
        if switch.own() != SwitchState::On && switch.resume_needs > 0 {
            line.push_str(&format!(". {} to restart it", people(switch.resume_needs)));
            if !switch.resume_by.is_empty() {
                line.push_str(&format!("; asked so far: {}", switch.resume_by.join(", ")));
            }
        }
        lines.push(format!("{line}."));
    }
    for i in &view.incidents {
        lines.push(format!(
            "Incident {}, {}: {}, opened {} ago. {}.",
            i.id,
            i.state,
            i.kind,
            ago(i.opened_at),
            i.cause
        ));
    }
    for c in &view.canaries {
        lines.push(format!(
            "Canary {} {}, {}: {} of the decisions, step {} of {}. Overridden {} of {}, baseline \
             {} of {}. Evidence {:.1} of {:.0} needed: {}.",
            c.model,
            c.version,
            c.state.replace('_', " "),
            percent(Some(c.share)),
            c.step,
            c.steps.len(),
            c.canary.0,
            c.canary.1,
            c.base.0,
            c.base.1,
            c.e_value,
            c.e_needed,
            said(&c.verdict).word
        ));
    }
    for f in &view.freezes {
        let cohort = f.cohort.as_ref().map_or_else(String::new, |c| format!(", {c}"));
        lines.push(format!(
            "Freeze {}: {} {}{cohort}, like {}, by {}, {} held.",
            f.id, f.domain, f.action, f.like, f.by, f.held
        ));
    }
    for b in &view.breakers {
        let cause = b.cause.as_ref().map_or_else(String::new, |c| format!(": {c}"));
        lines.push(format!(
            "Breaker of {} in {}: {}{cause}.",
            b.model,
            b.domain,
            b.state.replace('_', " ")
        ));
    }
    for l in &view.limits {
        lines.push(format!(
            "Limit {} in {}: {:.0} a minute of {:.0}, {} went to people.",
            l.name, l.scope, l.effective, l.per_minute, l.turned_away
        ));
    }
    for b in &view.budgets {
        let can =
            b.per_hour.map_or_else(|| "not measured".to_owned(), |n| format!("{n:.0} an hour"));
        lines.push(format!(
            "Queue {}: {} an hour arrive, people can do {can}.",
            b.queue, b.arrivals
        ));
    }
    for o in &view.outgoing.listed {
        let why = o.error.as_ref().map_or_else(String::new, |e| format!(": {e}"));
        lines.push(format!("{} {} to {} is {}{why}.", o.kind, o.key, o.to, o.state));
    }
    lines.into_iter().map(|line| clean(&line)).collect()
}

/// What can be said of containment besides the keys.
pub const WORDS: [&str; 8] = [
    "signals, or signals with 15m, 1h, 24h, 7d, 28d or 90d: override rates, drift, calibration, \
     service.",
    "bar, with its number in signals: the distribution then and now, and the decisions behind it.",
    "look, with a decision's id: tells it, whoever decides it.",
    "containment: switches, incidents, canaries, freezes and the rest.",
    "kill, or kill with all, domain=D, model=M, action=A or cohort=DIM:GROUP: stops automation.",
    "resume and requeue, each with a scope: ask to restart it; review again what was automatic.",
    "acknowledge and resolve, each with an incident's id; release with a freeze's id.",
    "promote and rollback, each with a canary's model; redeliver with an effect's key.",
];
