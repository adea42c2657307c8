//! Every action that works here, found by name, with its key.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{field, first_shown, height, padded};
use crate::text::pad;
use crate::tui::app::Palette;
use crate::tui::keymap::Danger;
use crate::tui::screens::{Ui, centred, two, wrapped_ours};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, palette: &Palette) {
    let width = area.width.min(88);
    let cols = usize::from(width.saturating_sub(4));
    let room = usize::from(area.height).saturating_sub(6).clamp(1, 16);
    let mut lines = vec![field(ui, "", &palette.input, true, cols)];
    let from = first_shown(palette.selected, room);
    for (n, (action, keys)) in palette.matching.iter().enumerate().skip(from).take(room) {
        let here = n == palette.selected;
        let mark = if here { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") };
        let role = match (action.danger(), here) {
            (Danger::Destructive, _) => Role::Danger,
            (_, true) => Role::Strong,
            _ => Role::Text,
        };
        let left =
            vec![mark, ui.span(role, pad(action.title(), 18)), ui.span(Role::Dim, action.help())];
        let right = vec![ui.span(Role::Key, keys.first().cloned().unwrap_or_default())];
        lines.push(two(left, right, cols));
    }
    if palette.matching.is_empty() {
        lines.push(Line::from(ui.span(Role::Dim, "  no action is called that")));
    }
    // What was cut of the sentence under the cursor is told in full.
    let sentence = palette.matching.get(palette.selected).map(|(action, _)| action.help());
    let cut = sentence.is_some_and(|s| crate::text::width(s) + 25 > cols);
    if let Some(sentence) = sentence.filter(|_| cut && area.height >= 10) {
        while lines.len() < room {
            lines.push(Line::default());
        }
        lines.truncate(room.max(2));
        let told = wrapped_ours(ui.theme, Role::Dim, sentence, cols.saturating_sub(2), "  ");
        lines.truncate((room + 1).saturating_sub(told.len()).max(2));
        lines.extend(told);
    }
    // The box keeps its size while the list gets shorter: nothing jumps.
    let rows = height(room + 1).min(area.height.saturating_sub(2));
    let at = centred(area, width, rows);
    let inside = padded(ui.boxed(at, vec![ui.span(Role::Title, "do")]));
    ui.put_lines(inside, &lines, 0);
}
