//! A canary: its share, how it stands against the baseline, and how much evidence there is.

use ratatui::text::Line;

use super::rows::{mark, since};
use crate::protocol::CanaryView;
use crate::tui::screens::chart::{eighths, percent, said, sparkline};
use crate::tui::screens::paint::{Ui, cells, count, fit, two};
use crate::tui::theme::Role;

pub fn lines(ui: &Ui<'_, '_>, canary: &CanaryView, here: bool, cols: usize) -> Vec<Line<'static>> {
    let mut left = vec![mark(ui, here)];
    left.extend(ui.one(Role::Strong, &format!("{} {}", canary.model, canary.version)));
    let running = canary.state == "running";
    if running {
        let bar = if cols >= 60 { 12 } else { 6 };
        left.push(ui.span(Role::Text, format!("  {} ", percent(Some(canary.share)))));
        left.push(ui.span(Role::Border, "▕"));
        left.extend(eighths(ui.theme, canary.share, None, bar, Role::Bar));
        left.push(ui.span(Role::Border, "▏"));
    } else {
        let (role, sign) = match canary.state.as_str() {
            "promoted" => (Role::Ok, "✓"),
            _ => (Role::Warn, "■"),
        };
        left.push(ui.span(role, format!("  {sign} ")));
        left.extend(ui.one(role, &canary.state.replace('_', " ")));
    }
    let mut right = match running {
        true => vec![ui.span(Role::Dim, format!("step {}/{}  ", canary.step, canary.steps.len()))],
        false => Vec::new(),
    };
    right.push(ui.span(Role::Dim, format!("{} ", since(ui, canary.since))));
    let mut lines = vec![two(left, right, cols)];
    if !running {
        return lines;
    }
    let rate = |(k, n): (u64, u64)| (n > 0).then(|| k as f64 / n as f64);
    let counts = |(k, n): (u64, u64)| format!(" ({}/{})", count(k), count(n));
    let mut line = vec![
        ui.span(Role::Dim, "    override "),
        ui.span(Role::Text, percent(rate(canary.canary))),
        ui.span(Role::Dim, counts(canary.canary)),
        ui.span(Role::Dim, " vs "),
        ui.span(Role::Text, percent(rate(canary.base))),
        ui.span(Role::Dim, counts(canary.base)),
    ];
    if cells(&line) > cols {
        line.retain(|s| !s.content.starts_with(" ("));
    }
    lines.push(Line::from(fit(line, cols)));
    let said = said(&canary.verdict);
    let mut line = vec![
        ui.span(Role::Dim, "    evidence "),
        ui.span(Role::Text, evidence(canary.e_value)),
        ui.span(Role::Dim, format!(" of {} needed ", evidence(canary.e_needed))),
    ];
    let word = if cols >= 60 { &said.word } else { &said.short };
    let verdict = ui.span(said.role, format!(" {} {word}", said.sign));
    let room = cols.saturating_sub(cells(&line) + crate::text::width(&verdict.content) + 1);
    let history: Vec<Option<f64>> = canary.history.iter().map(|e| Some(log(*e))).collect();
    line.push(ui.span(Role::Chart, sparkline(&history, room.min(24))));
    line.push(verdict);
    lines.push(Line::from(fit(line, cols)));
    lines
}

/// Evidence multiplies: what is drawn is its logarithm, nothing below nothing.
fn log(e: f64) -> f64 {
    if e.is_finite() { e.max(1.0).ln() } else { 0.0 }
}

fn evidence(e: f64) -> String {
    match e {
        _ if !e.is_finite() => "–".to_owned(),
        _ if e < 9.95 && e.fract() != 0.0 => format!("{e:.1}"),
        _ => format!("{e:.0}"),
    }
}

/// What is said of it at the foot.
pub fn detail(canary: &CanaryView) -> String {
    let mut parts = vec![format!("against {}", canary.baseline)];
    if let Some((low, high)) = canary.difference {
        parts.push(format!(
            "difference {:+.1} to {:+.1} points, at any time",
            low * 100.0,
            high * 100.0
        ));
    }
    if canary.state == "running" {
        parts.push(format!("promotion takes level {}", canary.promote_level));
    }
    if let Some(reason) = &canary.reason {
        parts.push(reason.clone());
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_told_with_the_digits_it_deserves() {
        assert_eq!(
            [1.0, 3.24, 20.0, 1234.5, f64::INFINITY].map(evidence),
            ["1", "3.2", "20", "1234", "–"]
        );
        assert_eq!(log(0.2), 0.0);
        assert_eq!(log(f64::NAN), 0.0);
    }
}
