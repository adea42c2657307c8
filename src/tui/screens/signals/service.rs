//! Service: the clock of every queue, what is automatic, and what comes against what people do.

use ratatui::text::{Line, Span};

use super::{Section, heading, mark, skeleton};
use crate::protocol::{FlowView, SlaView};
use crate::text::{Clean, pad, width};
use crate::tui::app::signals::Part;
use crate::tui::screens::chart::{duration, eighths, percent, sparkline};
use crate::tui::screens::paint::{Ui, cells, count, fit, selected};
use crate::tui::theme::Role;

pub fn section(ui: &Ui<'_, '_>, cols: usize) -> Section {
    let signals = &ui.state.signals;
    let at = signals.selected(Part::Service);
    let view = signals.seen.view.as_ref();
    let sla = view.map_or(&[][..], |v| &v.sla);
    let name = sla.iter().map(|s| width(&s.queue)).max().unwrap_or(0).clamp(5, 16);
    let rows: Vec<Line<'static>> =
        sla.iter().enumerate().map(|(n, s)| row(ui, s, n == at, name, cols)).collect();
    let mut foot = Vec::new();
    if let Some(view) = view {
        foot = flow(ui, &view.flow, view.automation_share, cols);
        let notes = view
            .missing
            .iter()
            .map(|(feature, n)| format!("{feature} missing {}", count(*n)))
            .chain((!view.capped.is_empty()).then(|| format!("{} under other", view.capped.len())));
        let notes: Vec<String> = notes.collect();
        if !notes.is_empty() {
            let text = Clean::line_first(&format!("   not measured: {}", notes.join(" · ")), 400);
            foot.push(Line::from(fit(vec![ui.span(Role::Dim, text.to_string())], cols)));
        }
    }
    Section {
        part: Part::Service,
        head: vec![heading(ui, Part::Service, "in time, and what people can do", vec![], cols)],
        rows: if rows.is_empty() { skeleton(ui) } else { rows },
        foot,
        selected: at,
    }
}

fn row(ui: &Ui<'_, '_>, sla: &SlaView, here: bool, name: usize, cols: usize) -> Line<'static> {
    let mut line = vec![mark(ui, Part::Service, here)];
    let queue = Clean::line_first(&sla.queue, 60);
    let look = if here { Role::Strong } else { Role::Text };
    line.push(ui.span(look, format!("{}  ", pad(queue.as_str(), name))));
    let role = match sla.compliance {
        Some(share) if share < 0.9 => Role::DueLate,
        Some(share) if share < 0.95 => Role::DueSoon,
        Some(_) => Role::Ok,
        None => Role::Uncertain,
    };
    line.push(match (sla.compliance, cols >= 56) {
        (None, _) => ui.span(role, "no verdicts yet"),
        (share, true) => ui.span(role, format!("{} in time", percent(share))),
        (share, false) => ui.span(role, percent(share)),
    });
    // Whole facts only: half a number misleads.
    if sla.late > 0 {
        add(ui, &mut line, Role::DueLate, &format!(" · {} late", count(sla.late)), cols);
    }
    if sla.at_risk > 0 {
        add(ui, &mut line, Role::DueSoon, &format!(" · {} at risk", count(sla.at_risk)), cols);
    }
    let times = [
        ("median", sla.median_ms),
        ("p95", sla.p95_ms),
        ("settled", sla.resolve_ms),
        ("escalated", sla.escalation_ms),
    ];
    for (what, ms) in times {
        let Some(ms) = ms else { continue };
        add(ui, &mut line, Role::Dim, &format!(" · {what} {}", duration(ms)), cols);
    }
    selected(ui, Line::from(fit(line, cols)), here && ui.state.signals.part == Part::Service, cols)
}

/// A fact, where the line has room for the whole of it.
fn add(
    ui: &Ui<'_, '_>,
    line: &mut Vec<Span<'static>>,
    role: Role,
    text: &str,
    cols: usize,
) -> bool {
    let fits = cells(line) + width(text) <= cols;
    if fits {
        line.push(ui.span(role, text.to_owned()));
    }
    fits
}

fn flow(ui: &Ui<'_, '_>, flow: &FlowView, share: Option<f64>, cols: usize) -> Vec<Line<'static>> {
    let label = |text: &str| ui.span(Role::Dim, format!("   {}", pad(text, 11)));
    let bar = cols.saturating_sub(14 + 24).clamp(4, 20);
    let mut lines = Vec::new();
    if let Some(share) = share {
        let mut line = vec![label("automatic")];
        line.extend(eighths(ui.theme, share, None, bar, Role::Bar));
        line.push(ui.span(Role::Text, format!("  {}", percent(Some(share)))));
        lines.push(line);
    }
    let most = flow.arrivals_per_hour.max(flow.reviews_per_hour).max(1.0);
    let short = flow.arrivals_per_hour - flow.reviews_per_hour;
    let mut line = vec![label("arrive")];
    let limit = (short > 0.0).then(|| flow.reviews_per_hour / most);
    line.extend(eighths(ui.theme, flow.arrivals_per_hour / most, limit, bar, Role::Bar));
    line.push(ui.span(Role::Text, format!("  {}/h", per_hour(flow.arrivals_per_hour))));
    if short >= 1.0 {
        let long = format!("  ▲ {short:.0}/h more than decided");
        if !add(ui, &mut line, Role::Warn, &long, cols) {
            add(ui, &mut line, Role::Warn, &format!("  ▲ +{short:.0}/h"), cols);
        }
    }
    lines.push(line);
    let mut line = vec![label("decided")];
    line.extend(eighths(ui.theme, flow.reviews_per_hour / most, None, bar, Role::Bar));
    line.push(ui.span(Role::Text, format!("  {}/h", per_hour(flow.reviews_per_hour))));
    lines.push(line);
    let history: Vec<Option<f64>> = flow.history.iter().map(|n| Some(*n as f64)).collect();
    let mut line = vec![label("decisions")];
    line.push(ui.span(Role::Chart, pad(&sparkline(&history, bar), bar)));
    line.push(ui.span(Role::Text, format!("  {}/h", per_hour(flow.decisions_per_hour))));
    if let Some(z) = flow.arrival_z.filter(|z| z.is_finite()) {
        let role = if z.abs() >= 3.0 { Role::Warn } else { Role::Dim };
        let sign = if z.abs() >= 3.0 { "  ▲" } else { " " };
        add(ui, &mut line, role, &format!("{sign} {z:+.1} sd from usual"), cols);
    }
    lines.push(line);
    let times = [
        ("model p50", flow.model_p50_ms),
        (" p95", flow.model_p95_ms),
        (" · admission p50", flow.admit_p50_ms),
        (" p95", flow.admit_p95_ms),
    ];
    let mut line = vec![label("latency")];
    let told: Vec<String> = times
        .iter()
        .filter_map(|(what, ms)| Some(format!("{what} {}", duration((*ms)?))))
        .collect();
    for fact in &told {
        if !add(ui, &mut line, Role::Dim, fact, cols) {
            break;
        }
    }
    if line.len() > 1 {
        lines.push(line);
    }
    lines.into_iter().map(|line| Line::from(fit(line, cols))).collect()
}

fn per_hour(n: f64) -> String {
    if n.is_finite() && n < 9.95 { format!("{n:.1}") } else { format!("{n:.0}") }
}
