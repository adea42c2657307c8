//! A feature's two distributions side by side, and the decisions behind the one of now.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::protocol::DistributionView;
use crate::text::{Clean, humanise_key, pad, pad_left, width};
use crate::tui::app::Opened;
use crate::tui::screens::chart::{eighths, percent};
use crate::tui::screens::paint::{Ui, count, fit, selected, two};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, body: Rect) {
    let Some(opened) = &ui.state.signals.opened else { return };
    let cols = usize::from(body.width);
    let title = title(ui, opened, cols);
    ui.put(body, 0, &title);
    let room = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    if let Some(failed) = opened.seen.failed.clone() {
        ui.refusal(room, "it could not be read", &failed);
        return;
    }
    let Some(view) = opened.seen.view.clone() else {
        let line = Line::from(ui.span(Role::Dim, "   …"));
        ui.put(room, 1, &line);
        return;
    };
    let at = opened.selected;
    if body.width >= 90 {
        let side = 30.min(body.width / 3);
        let left = Rect { width: body.width - side - 1, ..room };
        let right = Rect { x: body.right() - side, width: side, ..room };
        let lines = bins(ui, &view, usize::from(left.width));
        ui.put_lines(left, &lines, 0);
        let wall = Line::from(ui.span(Role::Border, "│"));
        for y in 0..room.height {
            ui.put(Rect { x: right.x - 1, width: 1, ..room }, y, &wall);
        }
        decisions(ui, right, &view, at);
    } else {
        let lines = bins(ui, &view, cols);
        // The list keeps a third of a screen that is too short for both.
        let most = room.height.saturating_sub((room.height / 3).max(3));
        let height = u16::try_from(lines.len()).unwrap_or(most).min(most);
        ui.put_lines(Rect { height, ..room }, &lines, 0);
        let below = Rect { y: room.y + height, height: room.height - height, ..room };
        decisions(ui, below, &view, at);
    }
}

fn title(ui: &Ui<'_, '_>, opened: &Opened, cols: usize) -> Line<'static> {
    let feature = opened.feature.strip_prefix("input.").unwrap_or(&opened.feature);
    let mut left = vec![Span::raw(" ")];
    left.extend(ui.one(Role::Strong, &humanise_key(feature)));
    left.push(ui.span(Role::Dim, " of "));
    left.extend(ui.one(Role::Text, &opened.slice));
    let right = vec![ui.span(Role::Dim, format!("{} ", ui.state.signals.window()))];
    two(left, right, cols)
}

fn bins(ui: &Ui<'_, '_>, view: &DistributionView, cols: usize) -> Vec<Line<'static>> {
    let name = view.bins.iter().map(|(n, _, _)| width(n)).max().unwrap_or(0);
    let name = name.clamp(6, (cols / 4).max(8));
    let numbers = if cols >= 60 { 7 } else { 0 };
    let change = 8;
    let bar = cols.saturating_sub(3 + name + 2 * (numbers + 1) + change + 1) / 2;
    let most = view
        .bins
        .iter()
        .flat_map(|(_, a, b)| [*a, *b])
        .filter(|v| v.is_finite())
        .fold(0.0_f64, f64::max)
        .max(f64::EPSILON);
    let head = format!(
        "  {} {}{}",
        " ".repeat(name),
        pad(&format!("reference, n {}", count(view.n_ref)), bar + numbers + 1),
        pad(&format!("now, n {}", count(view.n_cur)), bar + numbers + 1),
    );
    let mut lines = vec![Line::from(fit(vec![ui.span(Role::Heading, head)], cols))];
    for (label, before, now) in &view.bins {
        let label = Clean::line_first(label, 60);
        let mut line = vec![ui.span(Role::Dim, format!("  {} ", pad(label.as_str(), name)))];
        for (share, role) in [(before, Role::ChartReference), (now, Role::Chart)] {
            line.extend(eighths(ui.theme, share / most, None, bar, role));
            if numbers > 0 {
                line.push(ui.span(Role::Text, pad_left(&percent(Some(*share)), numbers)));
            }
            line.push(Span::raw(" "));
        }
        let moved = (now - before) * 100.0;
        let role = if moved.abs() >= 5.0 { Role::Warn } else { Role::Dim };
        if moved.is_finite() {
            line.push(ui.span(role, pad_left(&format!("{moved:+.1}"), change - 1)));
        }
        lines.push(Line::from(fit(line, cols)));
    }
    lines
}

fn decisions(ui: &mut Ui<'_, '_>, area: Rect, view: &DistributionView, at: usize) {
    let cols = usize::from(area.width);
    let head = Line::from(fit(
        vec![ui.span(Role::Heading, format!(" recent decisions, {}", view.decisions.len()))],
        cols,
    ));
    ui.put(area, 0, &head);
    let list =
        Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area };
    let room = usize::from(list.height).max(1);
    ui.painted.room = room;
    ui.painted.lines = view.decisions.len();
    let top = (at + 1).saturating_sub(room);
    for (y, (n, id)) in (0..list.height).zip(view.decisions.iter().enumerate().skip(top)) {
        let here = n == at;
        let mut line = vec![if here { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") }];
        line.extend(ui.one(if here { Role::Strong } else { Role::Text }, id));
        let line = selected(ui, Line::from(fit(line, cols)), here, cols);
        ui.put(list, y, &line);
    }
    if view.decisions.is_empty() {
        let line = Line::from(ui.span(Role::Dim, "   none in this time"));
        ui.put(list, 0, &line);
    }
}
