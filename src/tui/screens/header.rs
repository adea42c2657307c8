//! The first line: where I am, what waits, how automation is, who I am.

use ratatui::layout::Rect;
use ratatui::text::Span;

use super::containment::state_look;
use super::paint::{Ui, cells, count, fit, two};
use crate::protocol::{Header, SwitchState};
use crate::text::time;
use crate::tui::app::View;
use crate::tui::theme::Role;

/// The name of a view.
fn view_name(view: View) -> &'static str {
    match view {
        View::Queue => "queue",
        View::Signals => "signals",
        View::Containment => "containment",
        View::Audit => "audit",
        View::Learning => "learning",
        View::Policy => "policy",
    }
}

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect) {
    let cols = usize::from(area.width);
    let left = left(ui, cols);
    let mut parts = right(ui, cols);
    // What matters least goes first when the line is short.
    let room = cols.saturating_sub(cells(&left) + 2);
    while parts.iter().map(|(_, p)| cells(p) + 3).sum::<usize>() > room && parts.len() > 1 {
        let lightest = parts.iter().map(|(weight, _)| *weight).min();
        parts.retain(|(weight, _)| Some(*weight) != lightest);
    }
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (_, part) in parts {
        if !spans.is_empty() {
            spans.push(Span::raw("   "));
        }
        spans.extend(part);
    }
    spans.push(Span::raw(" "));
    let line = two(left, fit(spans, room.max(9)), cols);
    ui.put(area, 0, &line);
}

fn left(ui: &Ui<'_, '_>, cols: usize) -> Vec<Span<'static>> {
    let state = ui.state;
    let mut spans = vec![Span::raw(" ")];
    if cols >= 80 {
        spans.push(ui.span(Role::Title, "overrule"));
        spans.push(Span::raw("  "));
    }
    if state.view != View::Queue {
        spans.push(ui.span(Role::Accent, view_name(state.view)));
        return spans;
    }
    let name = state.queue.as_deref().unwrap_or("all queues");
    spans.extend(ui.one(Role::Accent, name));
    spans.push(ui.span(Role::Dim, " ▾"));
    let Some(header) = &state.header else {
        spans.push(ui.span(Role::Dim, "   opening…"));
        return spans;
    };
    let queues: Vec<_> = header
        .queues
        .iter()
        .filter(|q| match &state.queue {
            Some(name) => *name == q.name,
            None => q.level <= header.reviewer.level,
        })
        .collect();
    let sum = |f: fn(&crate::protocol::QueueView) -> u64| queues.iter().map(|q| f(q)).sum::<u64>();
    let (waiting, soon, late) = (sum(|q| q.waiting), sum(|q| q.due_soon), sum(|q| q.late));
    spans.push(ui.span(Role::Strong, format!("  {}", count(waiting))));
    spans.push(ui.span(Role::Dim, " waiting"));
    if soon > 0 && cols >= 60 {
        spans.push(ui.span(Role::DueSoon, format!("  {}", count(soon))));
        spans.push(ui.span(Role::Dim, " due <5m"));
    }
    if late > 0 {
        spans.push(ui.span(Role::DueLate, format!("  {} late", count(late))));
    }
    if cols >= 110 {
        spans.extend(others(ui, &queues));
    }
    let new = state.list.arrived();
    if new > 0 {
        spans.push(ui.span(Role::Accent, format!("  +{} new", count(new))));
    }
    if !state.list.filter_text.is_empty() {
        spans.push(ui.span(Role::Dim, "  /"));
        spans.extend(fit(ui.one(Role::Match, &state.list.filter_text), (cols / 4).max(10)));
        let (found, more) = state.list.matching();
        let sign = if more { "+" } else { "" };
        spans.push(ui.span(Role::Dim, format!(" {}{sign}", count(found))));
    }
    if !state.marks.is_empty() {
        spans.push(ui.span(Role::Marked, format!("  {} marked", state.marks.len())));
    }
    spans
}

/// The look and the sign of automation as the header tells it: its first word is the state.
pub fn automation_look(automation: &str) -> (Role, &'static str) {
    let word = automation.split([' ', ':', ',']).next().unwrap_or_default();
    state_look(match word {
        "on" => SwitchState::On,
        "killed" => SwitchState::Killed,
        "paused" => SwitchState::Paused,
        _ => SwitchState::Limited,
    })
}

/// Whether the desk can be reached, and what waits here.
fn outbox(ui: &Ui<'_, '_>) -> Option<Vec<Span<'static>>> {
    let state = ui.state;
    let since = state.offline_since();
    let mut spans = Vec::new();
    if let Some(since) = since {
        let away = state.now.duration_since(since);
        spans.push(ui.span(Role::Danger, "▲ offline"));
        if away.as_secs() >= 60 {
            spans.push(ui.span(Role::Warn, format!(" {}", time::short(away))));
        }
    }
    let unsent = state.unsent().len();
    if unsent > 0 {
        if since.is_some() {
            spans.push(ui.span(Role::Dim, " · "));
        }
        spans.push(ui.span(Role::Warn, format!("{unsent} not yet sent")));
    }
    (!spans.is_empty()).then_some(spans)
}

/// Who else has an item of these queues in hand, the first by name.
fn others(ui: &Ui<'_, '_>, queues: &[&crate::protocol::QueueView]) -> Vec<Span<'static>> {
    let mut people: Vec<&str> = queues
        .iter()
        .flat_map(|q| &q.people)
        .map(String::as_str)
        .filter(|p| *p != ui.state.me)
        .collect();
    people.sort_unstable();
    people.dedup();
    let Some(first) = people.first() else { return Vec::new() };
    let mut spans = vec![ui.span(Role::Dim, "  with ")];
    spans.extend(fit(ui.one(Role::Text, first), 14));
    if people.len() > 1 {
        spans.push(ui.span(Role::Dim, format!(" +{}", people.len() - 1)));
    }
    spans
}

/// `2 backends · 14 to send · 1 failing`; nothing where no backend is set up.
fn backends(ui: &Ui<'_, '_>, header: &Header) -> Option<(u8, Vec<Span<'static>>)> {
    let unsent = header.unsent?;
    if unsent == 0 && header.failing == 0 {
        return Some((1, vec![ui.span(Role::Dim, "sync "), ui.span(Role::Ok, "✓")]));
    }
    let mut spans = vec![ui.span(
        Role::Dim,
        match header.backends {
            1 => "1 backend".to_owned(),
            n => format!("{n} backends"),
        },
    )];
    if unsent > 0 {
        spans.push(ui.span(Role::Dim, format!(" · {unsent} to send")));
    }
    if header.failing > 0 {
        spans.push(ui.span(Role::Warn, format!(" · {} failing", header.failing)));
    }
    Some((1, spans))
}

/// Parts as they stand, each with its weight: the lightest goes first where the line is short.
fn right(ui: &Ui<'_, '_>, cols: usize) -> Vec<(u8, Vec<Span<'static>>)> {
    let state = ui.state;
    let me = |level: Option<u8>| {
        let mut spans = ui.one(Role::Strong, &state.me);
        if let Some(level) = level.filter(|_| ui.state.size.0 >= 60) {
            spans.push(ui.span(Role::Dim, format!(" · level {level}")));
        }
        spans
    };
    let Some(header) = &state.header else {
        return vec![(3, me(None))];
    };
    let mut parts = vec![(0, ui.one(Role::Dim, &header.store))];
    if let Some(part) = outbox(ui) {
        parts.push((6, part));
    }
    parts.extend(backends(ui, header));
    if let Some(first) = header.drift.first() {
        let mut spans = vec![ui.span(Role::Warn, "drift ▲ ")];
        spans.extend(fit(ui.one(Role::Warn, first), (cols / 6).max(8)));
        if header.drift.len() > 1 {
            spans.push(ui.span(Role::Dim, format!(" +{}", header.drift.len() - 1)));
        }
        parts.push((2, spans));
    }
    let (role, sign) = automation_look(&header.automation);
    // A short line keeps the sign and the state; the word is said by the containment view.
    let mut automation = vec![ui.span(role, format!("{sign} "))];
    if cols >= 100 {
        automation.insert(0, ui.span(Role::Dim, "automation "));
    }
    let word = match header.automation.split_once([' ', ':', ',']) {
        Some((first, _)) if cols < 60 => first,
        _ => &header.automation,
    };
    automation.extend(fit(ui.one(role, word), (cols / 6).max(8)));
    // Whether automation runs is more than who looks: a stop is seen on the narrowest screen.
    parts.push((4, automation));
    match state.header_failed {
        Some(_) => parts.push((5, vec![ui.span(Role::Danger, "▲ store not readable")])),
        None => parts.push((3, me(Some(header.reviewer.level)))),
    }
    parts
}
