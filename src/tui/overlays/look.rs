//! A decision to read, over the view it was found in.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::padded;
use crate::protocol::ItemView;
use crate::text::Clean;
use crate::tui::app::Look;
use crate::tui::keymap::Action;
use crate::tui::screens::{ItemKey, Ui, document, fit, two, wrapped};
use crate::tui::theme::{Role, Theme};

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, look: &Look) {
    let at = Rect {
        x: area.x + area.width.saturating_sub(104) / 2,
        y: area.y + 1,
        width: area.width.min(104),
        height: area.height.saturating_sub(2),
    };
    let mut title = vec![ui.span(Role::Title, "decision ")];
    title.extend(ui.one(Role::Title, &look.id));
    let inside = padded(ui.boxed(at, title));
    if inside.height < 2 {
        return;
    }
    let cols = usize::from(inside.width);
    let body = Rect { height: inside.height - 1, ..inside };
    let room = usize::from(body.height);
    let mut lines: Vec<Line<'static>> = Vec::new();
    match (&look.seen.view, &look.seen.failed) {
        (Some(view), _) => {
            let (theme, now) = (ui.theme, ui.state.desk_now());
            let key = ItemKey {
                id: view.id.clone(),
                version: look.version,
                cols,
                full: true,
                minute: now.as_second().div_euclid(60),
            };
            lines.push(document::title(theme, view, cols));
            let made = ui.cache.item(key, || {
                let mut made = document::lines(theme, view, cols, true, now);
                made.splice(0..0, state(theme, view, cols));
                made
            });
            lines.extend_from_slice(made);
        }
        (None, Some(failed)) => {
            let mut line = vec![ui.span(Role::Danger, "▲ ")];
            line.extend(ui.one(Role::Danger, &failed.message));
            lines.push(Line::from(fit(line, cols)));
            if let Some(hint) = &failed.hint {
                lines.push(Line::from(fit(ui.one(Role::Dim, hint), cols)));
            }
        }
        (None, None) => lines.push(Line::from(ui.span(Role::Dim, "…"))),
    }
    let skip = look.scroll.min(lines.len().saturating_sub(room));
    ui.put_lines(body, &lines, skip);
    ui.painted.overlay_lines = lines.len();
    ui.painted.overlay_room = room;
    let more = lines.len().saturating_sub(skip + room);
    let note = if more > 0 { format!("{more} more") } else { String::new() };
    let hints = ui.hints(&[(Action::Down, "down"), (Action::Up, "up"), (Action::Back, "back")]);
    let foot = two(fit(hints, cols), vec![ui.span(Role::Dim, note)], cols);
    ui.put(inside, inside.height - 1, &foot);
}

/// Where the decision stands: nothing is decided from here.
fn state(theme: &Theme, view: &ItemView, cols: usize) -> Vec<Line<'static>> {
    let mut text = view.state.as_str().replace('_', " ");
    if view.state.is_open() {
        text.push_str(&format!(" in {}: decide it in the queue", view.queue));
    }
    let text = Clean::line_first(&text, 200);
    wrapped(theme, Role::Dim, &text, cols).into_iter().map(Line::from).collect()
}
