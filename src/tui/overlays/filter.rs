//! The filter line at the bottom, and the picker of queues.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::moving::choice;
use super::{fault, field, first_shown, height, input, padded};
use crate::tui::app::filter::FIELDS;
use crate::tui::app::{FilterForm, QueuePicker};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, centred, fit};
use crate::tui::theme::Role;

/// The line itself, with what could be typed above it.
pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &FilterForm) {
    let cols = usize::from(area.width);
    let at = Rect { y: area.bottom().saturating_sub(2), height: 2, ..area };
    ui.clear(at);
    let above = match (&form.fault, form.audit) {
        (Some(text), _) => fault(ui, text),
        (None, true) => Line::from(
            ui.span(Role::InputHint, " the id of a decision; empty shows the whole trail"),
        ),
        (None, false) => {
            let mut spans = vec![ui.span(Role::InputHint, " free text  ")];
            for (field, what) in FIELDS {
                spans.push(ui.span(Role::Key, *field));
                spans.push(ui.span(Role::InputHint, format!(" {what}  ")));
            }
            Line::from(fit(spans, cols))
        }
    };
    ui.put(at, 0, &above);
    let hints = ui.hints(&[(Action::Submit, "apply"), (Action::Back, "back")]);
    let mut line = vec![ui.span(Role::Accent, " / ")];
    let room = cols.saturating_sub(3 + crate::tui::screens::cells(&hints) + 3);
    line.extend(input(ui, &form.input, true, room));
    let mut right = hints;
    right.push(Span::raw(" "));
    let line = crate::tui::screens::two(line, right, cols);
    ui.put(at, 1, &line);
}

/// Which queue to work from.
pub fn queues(ui: &mut Ui<'_, '_>, area: Rect, picker: &QueuePicker) {
    let cols = usize::from(area.width.min(72).saturating_sub(4));
    let matching = picker.matching();
    let room = usize::from(area.height).saturating_sub(6).clamp(1, 12);
    let mut lines = vec![field(ui, "", &picker.input, true, cols)];
    let from = first_shown(picker.selected, room);
    for (n, queue) in matching.iter().enumerate().skip(from).take(room) {
        let here = n == picker.selected;
        lines.push(match queue {
            Some(queue) => choice(ui, queue, here, cols),
            None => {
                let mark = if here { ui.span(Role::Accent, "  ▸ ") } else { Span::raw("    ") };
                let role = if here { Role::Strong } else { Role::Text };
                Line::from(vec![mark, ui.span(role, "all queues")])
            }
        });
    }
    if matching.is_empty() {
        lines.push(Line::from(ui.span(Role::Dim, "    no such queue")));
    }
    lines.push(Line::default());
    lines.push(Line::from(ui.hints(&[(Action::Submit, "work from it"), (Action::Back, "back")])));
    let at = centred(area, 72, height(lines.len()));
    let inside = padded(ui.boxed(at, vec![ui.span(Role::Title, "queue")]));
    ui.put_lines(inside, &lines, 0);
}
