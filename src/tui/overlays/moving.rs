//! Escalate or send back: which queue, and a note.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{fault, field, first_shown, height, padded};
use crate::protocol::QueueView;
use crate::text::{Clean, pad, pad_left};
use crate::tui::app::{MoveField, MoveForm};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, centred, count, fit};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &MoveForm) {
    let cols = usize::from(area.width.min(72).saturating_sub(4));
    let matching = form.matching();
    let room = usize::from(area.height).saturating_sub(8).clamp(1, 8);
    let mut lines = vec![field(ui, "to    ", &form.search, form.field == MoveField::Queue, cols)];
    let from = first_shown(form.selected, room);
    for (n, queue) in matching.iter().enumerate().skip(from).take(room) {
        lines.push(choice(ui, queue, n == form.selected, cols));
    }
    if matching.is_empty() {
        lines.push(Line::from(ui.span(Role::Dim, "    no such queue")));
    }
    lines.push(field(ui, "note  ", &form.note, form.field == MoveField::Note, cols));
    if form.draft.is_some() {
        lines.push(Line::from(ui.span(Role::Escalated, "  your draft travels along")));
    }
    match &form.fault {
        Some(text) => lines.push(fault(ui, text)),
        None => lines.push(Line::default()),
    }
    let hints =
        [(Action::Submit, "move"), (Action::PaneNext, "note / queue"), (Action::Back, "back")];
    lines.push(Line::from(ui.hints_in(&hints, cols)));
    let mut title = vec![ui.span(Role::Title, "move ")];
    match form.item() {
        Some(id) => title.extend(ui.one(Role::Title, id)),
        None => title.push(ui.span(
            Role::Title,
            crate::text::many(ui.state.marks.len(), "marked item", "marked items"),
        )),
    }
    if !form.from.is_empty() {
        title.push(ui.span(Role::Dim, " out of "));
        title.extend(ui.one(Role::Dim, &form.from));
    }
    let at = centred(area, 72, height(lines.len()));
    let inside = padded(ui.boxed(at, title));
    ui.put_lines(inside, &lines, 0);
}

/// A queue to choose: name, level, what waits, title.
pub fn choice(ui: &Ui<'_, '_>, queue: &QueueView, here: bool, cols: usize) -> Line<'static> {
    let name = Clean::line_first(&queue.name, 60);
    let mark = if here { ui.span(Role::Accent, "  ▸ ") } else { Span::raw("    ") };
    let role = if here { Role::Strong } else { Role::Text };
    let mut line = vec![
        mark,
        ui.span(role, pad(name.as_str(), 14)),
        ui.span(Role::Dim, format!("  L{}", queue.level)),
        ui.span(Role::Text, pad_left(&count(queue.waiting), 8)),
        ui.span(Role::Dim, " waiting  "),
    ];
    line.extend(ui.one(Role::Dim, &queue.title));
    if queue.signed {
        line.push(ui.span(Role::Dim, " · signed"));
    }
    if !queue.skills.is_empty() {
        line.push(ui.span(Role::Dim, " · for "));
        line.extend(ui.one(Role::Dim, &queue.skills.join(", ")));
    }
    if !queue.people.is_empty() {
        line.push(ui.span(Role::Dim, " · "));
        line.extend(ui.one(Role::Text, &queue.people.join(", ")));
    }
    Line::from(fit(line, cols))
}
