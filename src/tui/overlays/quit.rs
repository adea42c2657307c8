//! Really quit, while verdicts can be taken back?

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{height, padded};
use crate::tui::app::verdict::said;
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, centred};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect) {
    let state = ui.state;
    let mut lines = Vec::new();
    let unsaved = state.verdicts.unanswered().count();
    if unsaved > 0 {
        lines.push(Line::from(
            ui.span(Role::Warn, format!("{unsaved} not saved yet; quitting waits for them")),
        ));
    }
    let live: Vec<_> = state.verdicts.pending.iter().filter(|p| p.until > state.now).collect();
    for pending in live.iter().take(5) {
        let left = ui.until(pending.until);
        let mut line = vec![ui.span(Role::Dim, format!("{left:>4}  "))];
        line.extend(ui.one(Role::Text, &said(&pending.sent)));
        lines.push(Line::from(line));
    }
    if live.len() > 5 {
        lines.push(Line::from(ui.span(Role::Dim, format!("      and {} more", live.len() - 5))));
    }
    lines.push(Line::default());
    lines.push(Line::from(
        ui.span(Role::Text, "They stand when you quit; nobody can take them back after."),
    ));
    lines.push(Line::default());
    lines.push(Line::from(ui.hints(&[(Action::Submit, "quit"), (Action::Back, "stay")])));
    let at = centred(area, 64, height(lines.len()));
    let inside = padded(ui.boxed(at, vec![ui.span(Role::Title, "quit?")]));
    ui.put_lines(inside, &lines, 0);
}
