//! Calibration: how often a model was right for how sure it was, and the one number for it.

use ratatui::text::{Line, Span};

use super::{Section, heading, mark, skeleton, verdict};
use crate::protocol::CalibrationView;
use crate::text::{Clean, pad, pad_left, width};
use crate::tui::app::signals::Part;
use crate::tui::screens::chart::{Dot, dot, level, percent, said, statistic};
use crate::tui::screens::paint::{Ui, count, fit, probability, selected};
use crate::tui::theme::Role;

pub fn section(ui: &Ui<'_, '_>, cols: usize, height: usize) -> Section {
    let signals = &ui.state.signals;
    let at = signals.selected(Part::Calibration);
    let models = signals.seen.view.as_ref().map_or(&[][..], |v| &v.calibration);
    let widest = models.iter().map(|m| width(&m.model)).max().unwrap_or(0);
    let name = widest.clamp(6, (cols * 3 / 10).max(10));
    let rows: Vec<Line<'static>> =
        models.iter().enumerate().map(|(n, model)| row(ui, model, n == at, name, cols)).collect();
    let here = signals.part == Part::Calibration;
    // The diagram needs room: on a small screen it is there when the cursor is.
    let foot = models
        .get(at)
        .filter(|_| here || height.saturating_sub(rows.len()) >= 7)
        .map(|m| diagram(ui, m, cols))
        .unwrap_or_default();
    Section {
        part: Part::Calibration,
        head: vec![heading(
            ui,
            Part::Calibration,
            "calibration, on what people looked at",
            vec![],
            cols,
        )],
        rows: if rows.is_empty() { skeleton(ui) } else { rows },
        foot,
        selected: at,
    }
}

fn row(
    ui: &Ui<'_, '_>,
    model: &CalibrationView,
    here: bool,
    name: usize,
    cols: usize,
) -> Line<'static> {
    let said = said(&model.verdict);
    let room = cols.saturating_sub(name);
    let mut line = vec![mark(ui, Part::Calibration, here)];
    let look = if here { Role::Strong } else { Role::Text };
    let text = Clean::line_first(&model.model, 80);
    line.push(ui.span(look, format!("{}  ", pad(text.as_str(), name))));
    line.push(ui.span(Role::Dim, "ECE "));
    let role = if said.role == Role::Ok { Role::Text } else { said.role };
    line.push(ui.span(role, statistic(model.ece)));
    if model.ece_before.is_some() && room >= 30 {
        line.push(ui.span(Role::Dim, format!(" (was {})", statistic(model.ece_before))));
    }
    if room >= 70 {
        line.push(ui.span(Role::Dim, "  right "));
        line.push(ui.span(Role::Chart, shape(model, |b| b.right)));
        line.push(ui.span(Role::Dim, " sure "));
        line.push(ui.span(Role::ChartReference, shape(model, |b| b.confidence)));
    }
    if room >= 48 {
        line.push(ui.span(Role::Dim, format!("  n {}", count(model.n))));
    }
    line.push(Span::raw("  "));
    line.extend(verdict(ui, &said, if room >= 56 { 17 } else { 9 }));
    selected(
        ui,
        Line::from(fit(line, cols)),
        here && ui.state.signals.part == Part::Calibration,
        cols,
    )
}

fn shape(model: &CalibrationView, of: impl Fn(&crate::protocol::CalibrationBin) -> f64) -> String {
    model.bins.iter().filter(|b| b.n > 0).map(|b| level(of(b), 1.0)).collect()
}

/// The reliability diagram, a line a bin: how sure the model was (`┊`), how often it was right.
fn diagram(ui: &Ui<'_, '_>, model: &CalibrationView, cols: usize) -> Vec<Line<'static>> {
    let bins: Vec<_> = model.bins.iter().filter(|b| b.n > 0).collect();
    if bins.is_empty() {
        return Vec::new();
    }
    let chart = cols.saturating_sub(12 + 7 + 9 + 2).clamp(8, 60);
    let mut head = vec![ui.span(Role::Dim, pad("   sure", 12))];
    head.push(ui.span(Role::Dim, pad("● right, ┊ as sure as it was", chart)));
    head.push(ui.span(Role::Dim, pad_left("right", 7)));
    let mut lines = vec![Line::from(fit(head, cols))];
    for bin in bins {
        // As sure as the interval allows is well calibrated.
        let [low, high] = bin.interval;
        let off = bin.confidence < low || bin.confidence > high;
        let role = if off { Role::Warn } else { Role::Chart };
        let sure = format!("   {}–{}", probability(bin.low), probability(bin.high));
        let mut line = vec![ui.span(Role::Dim, pad(&sure, 12))];
        let point = Dot {
            value: Some(bin.right),
            interval: Some(bin.interval),
            reference: Some(bin.confidence),
        };
        line.extend(dot(ui.theme, point, 1.0, chart, role));
        line.push(ui.span(role, pad_left(&percent(Some(bin.right)), 7)));
        line.push(ui.span(Role::Dim, pad_left(&format!("n {}", count(bin.n)), 9)));
        lines.push(Line::from(fit(line, cols)));
    }
    let text = format!("   MCE {} · Brier {}", statistic(model.mce), statistic(model.brier));
    lines.push(Line::from(ui.span(Role::Dim, text)));
    lines
}
