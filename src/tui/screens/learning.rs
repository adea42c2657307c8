//! The learning view: what people corrected lately, and for which reasons.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::difference::diff_lines;
use super::paint::{Ui, bar, count, fit, selected, two};
use crate::domain::{Correction, VerdictKind};
use crate::text::{Clean, diff, pad, pad_left, time};
use crate::tui::app::show_output;
use crate::tui::app::verdict::past;
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, body: Rect) {
    let learning = &ui.state.learning;
    if let Some(failed) = &learning.failed {
        let mut spans = vec![ui.span(Role::Danger, " ▲ ")];
        spans.extend(ui.one(Role::Danger, &failed.message));
        ui.put(body, 1, &Line::from(spans));
        return;
    }
    if learning.recent.is_empty() {
        let text = if learning.loaded {
            " no corrections yet: an edit or a reject becomes one when its grace time is over"
        } else {
            " reading corrections…"
        };
        let line = Line::from(fit(vec![ui.span(Role::Dim, text)], usize::from(body.width)));
        ui.put(body, 1, &line);
        return;
    }
    let wide = body.width >= 90;
    let right = if wide { (body.width / 3).min(44) } else { 0 };
    let list = Rect { width: body.width - right, ..body };
    let top = if wide { list } else { below_tags(ui, list) };
    entries(ui, top);
    if wide {
        let at = Rect { x: body.right() - right, width: right, ..body };
        let lines = tags(ui, usize::from(right), 40);
        ui.put_lines(at, &lines, 0);
    }
}

/// Tags above the list on a narrow screen; the room that is left.
fn below_tags(ui: &mut Ui<'_, '_>, area: Rect) -> Rect {
    let most = usize::from(area.height / 3).saturating_sub(1);
    let lines = tags(ui, usize::from(area.width), most);
    let height = u16::try_from(lines.len()).unwrap_or(0).min(area.height / 2);
    ui.put_lines(Rect { height, ..area }, &lines, 0);
    Rect { y: area.y + height, height: area.height - height, ..area }
}

fn tags(ui: &Ui<'_, '_>, cols: usize, most: usize) -> Vec<Line<'static>> {
    let learning = &ui.state.learning;
    let verdicts: Vec<String> =
        learning.by_verdict.iter().map(|(v, n)| format!("{v} {}", count(*n))).collect();
    let mut head = vec![ui.span(Role::Heading, " CORRECTIONS ")];
    head.push(ui.span(Role::Strong, count(learning.total)));
    let mut lines = vec![
        Line::from(head),
        Line::from(fit(vec![ui.span(Role::Dim, format!(" {}", verdicts.join(" · ")))], cols)),
        Line::default(),
    ];
    let mut by_tag: Vec<_> = learning.by_tag.iter().collect();
    by_tag.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let top = by_tag.first().map_or(1, |(_, n)| **n).max(1);
    let name = cols.saturating_sub(22).clamp(6, 22);
    for (tag, n) in by_tag.into_iter().take(most.saturating_sub(3).max(1)) {
        let tag = Clean::line_first(tag, 60);
        let mut line = vec![ui.span(Role::Text, format!(" {} ", pad(tag.as_str(), name)))];
        line.extend(bar(ui.theme, *n as f64 / top as f64, 10));
        line.push(ui.span(Role::Text, pad_left(&count(*n), 7)));
        lines.push(Line::from(line));
    }
    lines
}

fn entries(ui: &mut Ui<'_, '_>, area: Rect) {
    let learning = &ui.state.learning;
    let cols = usize::from(area.width);
    let mut room = area;
    if learning.open
        && let Some(correction) = learning.here()
    {
        let lines = unfolded(ui, correction, cols);
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height / 2);
        let at = Rect { y: area.bottom() - height, height, ..area };
        ui.put_lines(at, &lines, 0);
        room.height -= height;
    }
    let height = usize::from(room.height).max(1);
    ui.painted.room = height;
    ui.painted.lines = learning.recent.len();
    let top = (learning.selected + 1).saturating_sub(height);
    let newest_first = learning.recent.iter().rev().enumerate();
    for (y, (i, correction)) in (0..room.height).zip(newest_first.skip(top)) {
        let line = row(ui, correction, i == learning.selected, cols);
        ui.put(room, y, &line);
    }
}

fn row(ui: &Ui<'_, '_>, correction: &Correction, here: bool, cols: usize) -> Line<'static> {
    let role = match correction.verdict {
        VerdictKind::Accept => Role::Accepted,
        VerdictKind::Edit => Role::Edited,
        VerdictKind::Reject => Role::Rejected,
        VerdictKind::Escalate => Role::Escalated,
    };
    let ago = time::ago(ui.state.desk_now().duration_since(correction.at));
    let mut left = vec![
        if here { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") },
        ui.span(Role::Dim, pad(&ago, 9)),
        ui.span(role, pad(past(correction.verdict), 10)),
    ];
    left.extend(ui.one(Role::Dim, &correction.id));
    left.push(Span::raw("  "));
    left.extend(ui.one(Role::Text, &correction.domain));
    left.push(Span::raw(" "));
    left.extend(ui.one(Role::Text, &correction.proposed.action));
    let to = correction.corrected.as_ref().and_then(|c| c.action.as_ref());
    if let Some(to) = to.filter(|to| **to != correction.proposed.action) {
        left.push(ui.span(Role::Dim, " → "));
        left.extend(ui.one(Role::Strong, to));
    }
    if !correction.tags.is_empty() {
        left.push(Span::raw("  "));
        left.extend(ui.one(Role::Dim, &correction.tags.join(", ")));
    }
    let mut right = ui.one(Role::Dim, &correction.by);
    right.push(Span::raw(" "));
    selected(ui, two(left, right, cols), here, cols)
}

/// What was proposed and what people made of it.
fn unfolded(ui: &Ui<'_, '_>, correction: &Correction, cols: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(ui.span(Role::Border, "─".repeat(cols)))];
    if let Some(note) = &correction.note {
        let mut line = vec![ui.span(Role::Heading, "  NOTE  ")];
        line.extend(ui.one(Role::Text, note));
        lines.push(Line::from(fit(line, cols)));
    }
    let old = Clean::first(&show_output(&correction.proposed.output), 8000);
    let new = correction.corrected.as_ref().and_then(|c| c.output.as_ref());
    let new = new.map_or_else(|| old.clone(), |o| Clean::first(&show_output(o), 8000));
    let found = diff(&old, &new);
    for line in diff_lines(ui.theme, &found, cols.saturating_sub(4)) {
        lines.push(Line::from([vec![Span::raw("  ")], line.spans].concat()));
    }
    lines
}
