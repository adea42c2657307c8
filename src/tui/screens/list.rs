//! The list of what waits: time left, level, confidence, impact, what, why.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{Ui, count, fit, number, probability, selected, two};
use crate::domain::{ItemState, Kind};
use crate::protocol::Row;
use crate::text::{pad, pad_left, time};
use crate::tui::app::Pane;
use crate::tui::keymap::Action;
use crate::tui::theme::Role;

/// Which columns fit.
#[derive(Clone, Copy)]
struct Columns {
    /// Cells of the bar; 0: none.
    bar: usize,
    level: bool,
    impact: bool,
}

impl Columns {
    fn of(cols: usize) -> Self {
        let bar = match cols {
            ..44 => 0,
            44..58 => 6,
            _ => 10,
        };
        Self { bar, level: cols >= 30, impact: cols >= 36 }
    }
}

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let cols = usize::from(area.width);
    let columns = Columns::of(cols);
    let list = &ui.state.list;
    if list.rows.is_empty() {
        ui.painted.list_height = usize::from(area.height.saturating_sub(1));
        return empty(ui, area);
    }
    let rows = if area.height > 3 {
        let heading = heading(ui, columns);
        ui.put(area, 0, &Line::from(fit(heading, cols)));
        Rect { y: area.y + 1, height: area.height - 1, ..area }
    } else {
        area
    };
    let height = usize::from(rows.height);
    ui.painted.list_height = height;
    // The frame may be shorter than the one the list was scrolled for.
    let at = list.index().unwrap_or(list.top);
    let top = list.top.max((at + 1).saturating_sub(height)).min(at);
    for (y, (i, row)) in (0..rows.height).zip(list.rows.iter().enumerate().skip(top)) {
        let here = Some(i) == list.index();
        let line = self::row(ui, row, columns, here, cols);
        ui.put(rows, y, &line);
    }
    let shown = list.rows.len().saturating_sub(top);
    if shown < height {
        let y = u16::try_from(shown).unwrap_or(rows.height);
        let after = if list.at_end() { String::new() } else { scanning(list.scanned) };
        let line = Line::from(ui.span(Role::Dim, format!("   {after}")));
        ui.put(rows, y, &line);
    }
}

fn scanning(scanned: u64) -> String {
    match scanned {
        0 => "…".to_owned(),
        n => format!("looked through {}…", count(n)),
    }
}

fn heading(ui: &Ui<'_, '_>, columns: Columns) -> Vec<Span<'static>> {
    let mut text = String::from("    left ");
    if columns.level {
        text.push_str(" lvl");
    }
    text.push_str("  conf");
    text.push_str(&" ".repeat(columns.bar.max(2)));
    if columns.impact {
        text.push_str(" impact");
    }
    text.push_str("  what");
    vec![ui.span(Role::Dim, text)]
}

fn row(ui: &mut Ui<'_, '_>, row: &Row, columns: Columns, here: bool, cols: usize) -> Line<'static> {
    let state = ui.state;
    let focus = state.pane == Pane::List;
    let marked = state.marks.contains_key(&row.id);
    let skipped = state.skipped.contains(&row.id);
    let other = row.leased_by.as_ref().filter(|by| **by != state.me);
    let unsent = state.unsent_on(&row.id).is_some();
    let quiet = unsent || skipped || other.is_some() || !row.state.is_open() || state.above_me(row);
    let body = if quiet { Role::Dim } else { Role::Text };

    let mut spans = vec![match here {
        true if focus => ui.span(Role::Accent, "▸"),
        true => ui.span(Role::Dim, "▸"),
        false => Span::raw(" "),
    }];
    spans.push(if marked { ui.span(Role::Marked, "•") } else { Span::raw(" ") });
    let due = match row.due_at {
        Some(due) => {
            let span = ui.due(due);
            Span { content: pad_left(&span.content, 6).into(), ..span }
        }
        None => ui.span(Role::Dim, pad_left("–", 6)),
    };
    spans.push(if quiet { ui.span(Role::Dim, due.content) } else { due });
    if columns.level {
        spans.push(ui.span(Role::Dim, format!("  L{}", row.level)));
    }
    spans.push(Span::raw("  "));
    spans.extend(confidence(ui, row, columns.bar, body));
    if columns.impact {
        let impact = row.business_impact.map_or_else(|| "–".to_owned(), number);
        spans.push(ui.span(body, pad_left(&impact, 5)));
    }
    spans.push(Span::raw("  "));
    spans.extend(what(ui, row, body));
    let mut tail = Vec::new();
    if unsent {
        tail.push(ui.span(Role::Warn, "not yet sent"));
    } else if let Some(by) = other {
        tail.push(ui.span(Role::Dim, "· "));
        tail.extend(fit(ui.one(Role::Dim, by), 12));
    } else if row.state == ItemState::AwaitingApproval {
        tail.push(ui.span(Role::Dim, "2nd"));
    } else if !row.state.is_open() {
        tail.push(ui.span(Role::Dim, row.state.as_str()));
    } else if skipped {
        tail.push(ui.span(Role::Dim, "skipped"));
    }
    selected(ui, two(spans, tail, cols), here, cols)
}

fn confidence(ui: &Ui<'_, '_>, row: &Row, bar: usize, body: Role) -> Vec<Span<'static>> {
    let cols = if bar == 0 { 6 } else { bar + 4 };
    let word = match (row.kind, row.blind, row.confidence) {
        (Kind::Quarantine, _, _) => ui.span(Role::Warn, "broken"),
        (_, true, _) => ui.span(Role::Accent, "blind"),
        (_, _, None) => ui.span(Role::Dim, "–"),
        (_, _, Some(p)) => {
            let text = pad_left(&probability(p), cols - bar);
            // Quiet in the list: one colour says "here", and a column of bars is not here.
            let mut spans = super::paint::bar(ui.theme, p, bar);
            if let Some(full) = spans.first_mut() {
                full.style = ui.theme.style(Role::Dim);
            }
            spans.push(ui.span(body, text));
            return spans;
        }
    };
    vec![Span { content: pad(&word.content, cols).into(), ..word }]
}

fn what(ui: &Ui<'_, '_>, row: &Row, role: Role) -> Vec<Span<'static>> {
    let mut spans = ui.one(role, &row.domain);
    if let Some(action) = &row.action {
        spans.push(Span::raw(" "));
        spans.extend(ui.one(role, action));
    }
    if row.domain.is_empty() && row.action.is_none() {
        spans.extend(ui.one(Role::Dim, &row.id));
    }
    if !row.rule.is_empty() {
        spans.push(Span::raw("  "));
        spans.extend(ui.one(Role::Dim, &row.rule));
    }
    spans
}

/// Nothing to show: says what is happening and what to do.
fn empty(ui: &mut Ui<'_, '_>, area: Rect) {
    let state = ui.state;
    let list = &state.list;
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    let queues = state.header.iter().flat_map(|h| &h.queues);
    let leased: u64 = queues
        .filter(|q| state.queue.as_ref().is_none_or(|n| *n == q.name))
        .map(|q| q.held_by_others)
        .sum();
    if let Some(failed) = &list.failed {
        let mut line = vec![ui.span(Role::Danger, "▲ ")];
        line.extend(ui.one(Role::Danger, &failed.message));
        lines.push(line);
        if let Some(hint) = &failed.hint {
            lines.push(ui.one(Role::Dim, hint));
        }
        lines.push(ui.hints(&[(Action::Refresh, "tries again")]));
    } else if !list.loaded || !list.at_end() {
        let text =
            if list.scanned > 0 { scanning(list.scanned) } else { "reading the queue…".into() };
        lines.push(vec![ui.span(Role::Dim, text)]);
    } else if !list.filter_text.is_empty() {
        let mut line = vec![ui.span(Role::Text, "nothing matches ")];
        line.extend(ui.one(Role::Match, &list.filter_text));
        lines.push(line);
        lines
            .push(ui.hints(&[(Action::Filter, "changes the filter"), (Action::Back, "clears it")]));
    } else if leased > 0 {
        lines.push(vec![
            ui.span(Role::Text, format!("nothing free; {leased} are leased to others")),
        ]);
        lines.push(vec![ui.span(Role::Dim, format!("next check {}", next_check(ui)))]);
    } else {
        lines.push(vec![ui.span(Role::Text, "nothing waits here")]);
        let mut hints =
            ui.hints(&[(Action::PickQueue, "other queues"), (Action::ViewAudit, "audit")]);
        if !hints.is_empty() {
            hints.push(ui.span(Role::KeyLabel, "; new items appear by themselves"));
        }
        lines.push(hints);
    }
    let cols = usize::from(area.width).saturating_sub(4);
    let from = area.height.saturating_sub(1).min(1);
    for (y, line) in (from..area.height).zip(lines) {
        let mut spans = vec![Span::raw("   ")];
        spans.extend(fit(line, cols));
        ui.put(area, y, &Line::from(spans));
    }
}

/// The clock time of the next look, as the reviewer's wall clock shows it.
fn next_check(ui: &Ui<'_, '_>) -> String {
    let at = ui.state.next_look();
    let there = at.to_zoned(ui.state.zone.clone()).strftime("%H:%M").to_string();
    let wait = at.duration_since(ui.state.now);
    if wait.as_secs() < 60 { format!("{there} (in {})", time::short(wait)) } else { there }
}
