//! The keys that work where help was asked for, read back from the tables that bind them.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{input, padded};
use crate::text::{pad, wrap};
use crate::tui::app::Help;
use crate::tui::keymap::{Action, Context, Danger};
use crate::tui::screens::{Ui, fit, two};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, help: &Help) {
    let at = Rect {
        x: area.x + area.width.saturating_sub(96) / 2,
        width: area.width.min(96),
        y: area.y + 1,
        height: area.height.saturating_sub(2),
    };
    let title = format!("keys in the {}", place(help.of));
    let inside = padded(ui.boxed(at, vec![ui.span(Role::Title, title)]));
    if inside.height < 2 {
        return;
    }
    let cols = usize::from(inside.width);
    let lines = lines(ui, help, cols);
    let room = usize::from(inside.height - 1);
    let skip = help.scroll.min(lines.len().saturating_sub(room));
    let body = Rect { height: inside.height - 1, ..inside };
    ui.put_lines(body, &lines, skip);
    ui.painted.overlay_lines = lines.len();
    ui.painted.overlay_room = room;
    let foot = if help.typing {
        let mut spans = vec![ui.span(Role::Accent, "/ ")];
        spans.extend(input(ui, &help.input, true, cols.saturating_sub(24)));
        two(spans, ui.hints(&[(Action::Submit, "keep"), (Action::Back, "all")]), cols)
    } else {
        let more = lines.len().saturating_sub(skip + room);
        let note = if more > 0 { format!("{more} more") } else { String::new() };
        let hints = [
            (Action::Filter, "filter"),
            (Action::Down, "down"),
            (Action::Up, "up"),
            (Action::Back, "close"),
        ];
        two(
            ui.hints_in(&hints, cols.saturating_sub(note.len() + 1)),
            vec![ui.span(Role::Dim, note)],
            cols,
        )
    };
    ui.put(inside, inside.height - 1, &foot);
}

fn place(context: Context) -> &'static str {
    match context {
        Context::Tags => "reason sheet",
        Context::Prompt => "field",
        Context::Filter => "filter line",
        Context::Modal => "question",
        Context::Help => "page",
        other => other.id(),
    }
}

fn lines(ui: &Ui<'_, '_>, help: &Help, cols: usize) -> Vec<Line<'static>> {
    let wanted = help.input.text().to_lowercase();
    let mut entries = ui.state.keys.map.actions(help.of);
    entries.sort_by_key(|(action, _)| Action::ALL.iter().position(|a| a == action));
    let found: Vec<(Action, String)> = entries
        .into_iter()
        .map(|(action, keys)| (action, keys.join("  ")))
        .filter(|(action, keys)| {
            let text = format!("{} {} {} {keys}", action.title(), action.help(), action.id());
            text.to_lowercase().contains(&wanted)
        })
        .collect();
    let keys = found.iter().map(|(_, k)| k.chars().count()).max().unwrap_or(0).min(cols / 3).max(8);
    let mut lines = Vec::new();
    for (action, shown) in found {
        let role = match action.danger() {
            Danger::Destructive => Role::Danger,
            Danger::Decides => Role::Strong,
            Danger::Plain => Role::Text,
        };
        let head = vec![
            ui.span(Role::Key, pad(&shown, keys)),
            Span::raw("  "),
            ui.span(role, pad(action.title(), 17)),
        ];
        // Beside the title where there is room for a sentence, else under it.
        let beside = cols.saturating_sub(keys + 19);
        let (indent, room) = if beside >= 30 { (keys + 19, beside) } else { (2, cols - 2) };
        let mut parts = wrap(action.help(), room.max(8))
            .map(|range| ui.span(Role::Dim, action.help().get(range).unwrap_or_default()));
        let first = if beside >= 30 { parts.next() } else { None };
        lines.push(Line::from(fit(head.into_iter().chain(first).collect(), cols)));
        for part in parts {
            lines.push(Line::from(vec![Span::raw(" ".repeat(indent)), part]));
        }
    }
    if lines.is_empty() {
        lines.push(Line::from(ui.span(Role::Dim, "no key does that here")));
    }
    lines
}
