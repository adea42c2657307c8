//! Drift: a bar for every feature, longest first, with how it grew and what is said of it.

use ratatui::text::{Line, Span};

use super::{Section, heading, mark, skeleton, verdict};
use crate::protocol::DriftView;
use crate::text::{Clean, humanise_key, pad, pad_left, width};
use crate::tui::app::signals::Part;
use crate::tui::screens::chart::{eighths, said, sparkline, statistic};
use crate::tui::screens::paint::{Ui, count, fit, selected};
use crate::tui::theme::Role;

/// PSI from which on a feature may be called drifted (the other half of the rule is its null).
pub const LIMIT: f64 = 0.1;

pub fn section(ui: &Ui<'_, '_>, cols: usize) -> Section {
    let signals = &ui.state.signals;
    let drift = signals.drift();
    let at = signals.selected(Part::Drift);
    let title = match &signals.slice {
        Some(slice) => format!("drift of {}", Clean::line_first(slice, 40)),
        None => "drift of every model".to_owned(),
    };
    let widths = Widths::new(&drift, cols);
    let mut columns = Vec::new();
    if !drift.is_empty() {
        let mut text = format!("{}{}", pad_left("PSI", 6), " ".repeat(widths.history));
        text.push_str(&pad_left(if widths.n > 0 { "n" } else { "" }, widths.n));
        text.push_str(&" ".repeat(widths.verdict + 2));
        columns.push(ui.span(Role::Dim, text));
    }
    let end = drift.iter().filter_map(|d| d.psi).filter(|p| p.is_finite()).fold(0.2, f64::max);
    let mut rows: Vec<Line<'static>> = drift
        .iter()
        .enumerate()
        .map(|(n, d)| row(ui, d, n == at, end, &name(d, &drift), &widths, cols))
        .collect();
    if rows.is_empty() {
        let view = signals.seen.view.as_ref();
        rows =
            match view {
                Some(v) if v.reference.is_none() => vec![Line::from(fit(
                    vec![ui.span(
                        Role::Dim,
                        "   nothing to compare with: overrule signals reference set",
                    )],
                    cols,
                ))],
                _ => skeleton(ui),
            };
    }
    Section {
        part: Part::Drift,
        head: vec![heading(ui, Part::Drift, &title, columns, cols)],
        rows,
        foot: drift.get(at).map(|d| particulars(ui, d, cols)).unwrap_or_default(),
        selected: at,
    }
}

struct Widths {
    name: usize,
    bar: usize,
    history: usize,
    n: usize,
    verdict: usize,
}

impl Widths {
    fn new(drift: &[&DriftView], cols: usize) -> Self {
        let longest = drift.iter().map(|d| width(&name(d, drift))).max().unwrap_or(0);
        let verdict = if cols >= 74 { 17 } else { 9 };
        let n = if cols >= 52 { 7 } else { 0 };
        let history = match cols {
            ..56 => 0,
            56..84 => 8,
            _ => 13,
        };
        let name = longest.clamp(6, (cols * 34 / 100).max(14));
        let taken = 2 + name + 1 + 6 + history + n + 2 + verdict;
        Self { name, bar: cols.saturating_sub(taken).min(40), history, n, verdict }
    }
}

/// The model where it is named, else the slice.
fn whose(drift: &DriftView) -> &str {
    let named = drift.slice.get("model").or_else(|| drift.slice.values().next());
    named.map_or("all decisions", String::as_str)
}

/// The feature; with its slice where it would be taken for another one's.
fn name(drift: &DriftView, all: &[&DriftView]) -> String {
    let feature = drift.feature.strip_prefix("input.").unwrap_or(&drift.feature);
    let twice = all.iter().filter(|d| d.feature == drift.feature).count() > 1;
    let text = match twice {
        false => humanise_key(feature),
        true => {
            format!("{} · {}", humanise_key(feature), whose(drift))
        }
    };
    Clean::line_first(&text, 80).to_string()
}

fn row(
    ui: &Ui<'_, '_>,
    drift: &DriftView,
    here: bool,
    end: f64,
    name: &str,
    widths: &Widths,
    cols: usize,
) -> Line<'static> {
    let said = said(&drift.verdict);
    let mut line = vec![mark(ui, Part::Drift, here)];
    let look = if here { Role::Strong } else { Role::Text };
    line.push(ui.span(look, format!("{} ", pad(name, widths.name))));
    let role = if said.role == Role::Uncertain { Role::Uncertain } else { Role::Bar };
    let share = drift.psi.unwrap_or(0.0) / end;
    line.extend(eighths(ui.theme, share, Some(LIMIT / end), widths.bar, role));
    line.push(ui.span(Role::Text, pad_left(&statistic(drift.psi), 6)));
    if widths.history > 0 {
        let history = sparkline(&drift.history, widths.history - 1);
        line.push(ui.span(Role::Chart, pad_left(&history, widths.history)));
    }
    if widths.n > 0 {
        line.push(ui.span(Role::Dim, pad_left(&count(drift.n_cur), widths.n)));
    }
    line.push(Span::raw("  "));
    line.extend(verdict(ui, &said, widths.verdict));
    selected(ui, Line::from(fit(line, cols)), here && ui.state.signals.part == Part::Drift, cols)
}

fn particulars(ui: &Ui<'_, '_>, drift: &DriftView, cols: usize) -> Vec<Line<'static>> {
    let mut facts = vec![Clean::line_first(whose(drift), 60).to_string()];
    for (name, value) in [("KL", drift.kl), ("JS", drift.js), ("KS", drift.ks), ("χ²", drift.chi2)]
    {
        if value.is_some() {
            facts.push(format!("{name} {}", statistic(value)));
        }
    }
    for (name, p) in [("KS", drift.ks_p), ("χ²", drift.chi2_p)] {
        if let Some(p) = p.filter(|p| p.is_finite()) {
            facts.push(if p < 0.001 {
                format!("{name} p < .001")
            } else {
                format!("{name} p {p:.3}")
            });
        }
    }
    facts.push(format!("reference n {}", count(drift.n_ref)));
    let text = format!("   {}", facts.join(" · "));
    vec![Line::from(fit(vec![ui.span(Role::Dim, text)], cols))]
}
