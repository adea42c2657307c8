//! The audit view: the trail, entry by entry, and whether it verifies.

use jiff::Timestamp;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::paint::{Ui, bar, cells, clean, count, fit, selected, two};
use crate::protocol::EntryView;
use crate::text::{Clean, Folds, pad, pad_left, tree};
use crate::tui::app::Verify;
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, body: Rect) {
    let cols = usize::from(body.width);
    let line = summary(ui, cols);
    ui.put(body, 0, &line);
    let rule = Line::from(ui.span(Role::Border, "─".repeat(cols)));
    ui.put(body, 1, &rule);
    let mut room = Rect { y: body.y + 2, height: body.height.saturating_sub(2), ..body };
    let audit = &ui.state.audit;
    if let Some(failed) = &audit.failed {
        let mut spans = vec![ui.span(Role::Danger, " ▲ ")];
        spans.extend(ui.one(Role::Danger, &failed.message));
        ui.put(room, 0, &Line::from(spans));
        return;
    }
    if audit.entries.is_empty() {
        let text = if audit.loading { " reading the trail…" } else { " no entries" };
        let line = Line::from(ui.span(Role::Dim, text));
        ui.put(room, 0, &line);
        return;
    }
    let here = audit.here();
    if audit.open
        && let Some(entry) = here
    {
        let lines = unfolded(ui, entry);
        let most = room.height / 2;
        let height = u16::try_from(lines.len() + 1).unwrap_or(most).min(most);
        let at = Rect { y: room.bottom() - height, height, ..room };
        ui.put(at, 0, &rule);
        let below = Rect { y: at.y + 1, height: at.height.saturating_sub(1), ..at };
        ui.put_lines(below, &lines, 0);
        room.height -= height;
    }
    let height = usize::from(room.height).max(1);
    ui.painted.room = height;
    ui.painted.lines = audit.entries.len();
    let top = audit.selected.saturating_sub(height - 1).max(
        audit.selected.saturating_sub(height / 2).min(audit.entries.len().saturating_sub(height)),
    );
    for (y, (i, entry)) in (0..room.height).zip(audit.entries.iter().enumerate().skip(top)) {
        let line = row(ui, entry, i == audit.selected, cols);
        ui.put(room, y, &line);
    }
}

fn summary(ui: &mut Ui<'_, '_>, cols: usize) -> Line<'static> {
    let audit = &ui.state.audit;
    let mut left = vec![Span::raw(" ")];
    match &audit.item {
        Some(id) => {
            left.push(ui.span(Role::Dim, "entries of "));
            left.extend(ui.one(Role::Strong, id));
        }
        None => left.push(ui.span(Role::Dim, "all entries")),
    }
    left.push(ui.span(Role::Dim, format!("  {}", count(audit.total))));
    let mut right = match &audit.verify {
        Verify::Never => ui.hint(crate::tui::keymap::Action::VerifyAudit, "verifies the trail"),
        Verify::Running { done, all, .. } => {
            let share = if *all == 0 { 0.0 } else { *done as f64 / *all as f64 };
            let mut spans = vec![ui.span(Role::Dim, "verifying ")];
            spans.extend(bar(ui.theme, share, 20));
            spans.push(ui.span(Role::Dim, format!(" {} of {}", count(*done), count(*all))));
            spans
        }
        Verify::Done(report) if report.ok => {
            let mut spans =
                vec![ui.span(Role::Ok, format!("✓ {} entries verify", count(report.entries)))];
            if report.unanchored > 0 {
                spans.push(ui.span(
                    Role::Dim,
                    format!(" · {} not under an outside checkpoint", count(report.unanchored)),
                ));
            }
            spans
        }
        Verify::Done(report) => {
            let at = report.first_bad.map_or_else(String::new, |i| format!(" at entry {i}"));
            let mut spans = vec![ui.span(Role::BannerDanger, format!(" ▲ does not verify{at} "))];
            if let Some(fault) = report.faults.first() {
                spans.push(Span::raw(" "));
                spans.extend(ui.one(Role::Danger, fault));
            }
            spans
        }
        Verify::Failed(refused) => ui.one(Role::Danger, &refused.message),
    };
    right.push(Span::raw(" "));
    let right = fit(right, cols.saturating_sub(cells(&left).min(cols / 3) + 2));
    two(left, right, cols)
}

/// A word of an entry.
fn word<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    entry.get(name)?.as_str()
}

fn row(ui: &Ui<'_, '_>, view: &EntryView, here: bool, cols: usize) -> Line<'static> {
    let entry = &view.entry;
    let mut left = vec![
        if here { ui.span(Role::Accent, "▸") } else { Span::raw(" ") },
        ui.span(Role::Dim, pad_left(&count(view.index), 8)),
        Span::raw("  "),
    ];
    if let Some(at) = word(entry, "at").and_then(|t| t.parse::<Timestamp>().ok()) {
        let there = at.to_zoned(ui.state.zone.clone());
        let form = if cols < 60 { "%H:%M:%S" } else { "%m-%d %H:%M:%S" };
        left.push(ui.span(Role::Dim, there.strftime(form).to_string()));
        left.push(Span::raw("  "));
    }
    let kind = Clean::line_first(word(entry, "t").unwrap_or("entry"), 60);
    left.push(ui.span(kind_role(kind.as_str()), pad(&kind.as_str().replace('_', " "), 10)));
    left.push(Span::raw("  "));
    if let Some(id) = word(entry, "id") {
        left.extend(ui.one(Role::Strong, id));
        left.push(Span::raw("  "));
    }
    for name in ["verdict", "outcome", "queue", "rule", "state"] {
        if let Some(value) = word(entry, name) {
            let role = if name == "verdict" { verdict_role(value) } else { Role::Dim };
            left.extend(ui.one(role, &value.replace('_', " ")));
            left.push(Span::raw("  "));
        }
    }
    if let Some(Value::Object(details)) = entry.get("d") {
        for (name, value) in details {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            left.extend(ui.one(Role::Dim, &format!("{name} {value}  ")));
        }
    }
    let mut right = word(entry, "by").map(|by| ui.one(Role::Dim, by)).unwrap_or_default();
    right.push(Span::raw(" "));
    selected(ui, two(left, right, cols), here, cols)
}

fn kind_role(kind: &str) -> Role {
    match kind {
        "denied" | "erase" | "refuse" | "switch" => Role::Warn,
        _ => Role::Text,
    }
}

fn verdict_role(verdict: &str) -> Role {
    match verdict {
        "accept" => Role::Accepted,
        "edit" => Role::Edited,
        "reject" => Role::Rejected,
        _ => Role::Escalated,
    }
}

fn unfolded(ui: &Ui<'_, '_>, view: &EntryView) -> Vec<Line<'static>> {
    let rows = tree(&view.entry, &Folds::default(), 60);
    rows.nodes
        .iter()
        .map(|node| {
            let name = format!("{}{}", "  ".repeat(node.depth), node.key);
            let mut line = vec![ui.span(Role::Dim, format!("   {}  ", pad(&name, 22)))];
            line.extend(clean(ui.theme, Role::Text, &node.value));
            Line::from(line)
        })
        .collect()
}
