//! A blind item asks for the reviewer's own answer.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{fault, field, height, padded};
use crate::tui::app::BlindForm;
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, centred, fit};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &BlindForm) {
    let cols = usize::from(area.width.min(64).saturating_sub(4));
    let mut lines = vec![
        Line::from(ui.span(Role::Text, "What would you do? The proposal is shown after.")),
        Line::default(),
        field(ui, "action  ", &form.action, !form.in_note, cols),
        field(ui, "note    ", &form.note, form.in_note, cols),
    ];
    if !form.known.is_empty() {
        let mut line = vec![ui.span(Role::InputHint, "  usual here: ")];
        line.extend(ui.one(Role::InputHint, &form.known.join(", ")));
        lines.push(Line::from(fit(line, cols)));
    }
    match &form.fault {
        Some(text) => lines.push(fault(ui, text)),
        None => lines.push(Line::default()),
    }
    let hints = [
        (Action::Submit, "store my answer"),
        (Action::Down, "fill in"),
        (Action::PaneNext, "note"),
        (Action::Back, "back"),
    ];
    lines.push(Line::from(fit(ui.hints(&hints), cols)));
    let mut title = vec![ui.span(Role::Title, "your answer on ")];
    title.extend(ui.one(Role::Title, &form.item));
    let at = centred(area, 64, height(lines.len()));
    let inside = padded(ui.boxed(at, title));
    ui.put_lines(inside, &lines, 0);
}
