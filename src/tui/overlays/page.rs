//! A page to read: the guideline, or texts code point by code point.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::padded;
use crate::text::{Clean, code_points, pad};
use crate::tui::app::{Page, PageKind};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, clean, fit, two, wrapped};
use crate::tui::theme::Role;

/// Code points listed of one text.
const MOST: usize = 4000;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, page: &Page) {
    let width = area.width.min(90);
    let cols = usize::from(width.saturating_sub(4));
    let (title, lines) = match &page.kind {
        PageKind::Guideline { about, text } => {
            let mut title = vec![ui.span(Role::Title, "what to check: ")];
            title.extend(ui.one(Role::Title, about));
            let text = Clean::first(text, 40_000);
            (
                title,
                wrapped(ui.theme, Role::Text, &text, cols).into_iter().map(Line::from).collect(),
            )
        }
        PageKind::CodePoints { item, texts } => {
            let mut title = vec![ui.span(Role::Title, "code points of ")];
            title.extend(ui.one(Role::Title, item));
            (title, points(ui, item, texts, cols))
        }
    };
    let most = area.height.saturating_sub(4).max(3);
    let height = u16::try_from(lines.len() + 3).unwrap_or(most).clamp(3, most);
    let at = crate::tui::screens::centred(area, width, height);
    let inside = padded(ui.boxed(at, title));
    let room = usize::from(inside.height.saturating_sub(1));
    let skip = page.scroll.min(lines.len().saturating_sub(room));
    let body = Rect { height: inside.height.saturating_sub(1), ..inside };
    ui.put_lines(body, &lines, skip);
    ui.painted.overlay_lines = lines.len();
    ui.painted.overlay_room = room;
    let more = lines.len().saturating_sub(skip + room);
    let note = if more > 0 { format!("{more} more") } else { String::new() };
    let hints = ui.hints(&[(Action::Down, "down"), (Action::Up, "up"), (Action::Back, "close")]);
    let foot = two(fit(hints, cols), vec![ui.span(Role::Dim, note)], cols);
    if inside.height > 0 {
        ui.put(inside, inside.height - 1, &foot);
    }
}

/// Texts that hide something first, each character that hides on a line of its own; the others
/// in runs.
fn points(
    ui: &mut Ui<'_, '_>,
    item: &str,
    texts: &[(String, String)],
    cols: usize,
) -> Vec<Line<'static>> {
    let theme = ui.theme;
    let name = format!("points {item} {}", texts.iter().map(|(_, t)| t.len()).sum::<usize>());
    let make = || {
        let mut texts: Vec<_> = texts
            .iter()
            .map(|(path, text)| (Clean::new(text).hidden(), path, code_points(text, MOST)))
            .collect();
        texts.sort_by_key(|(hidden, _, _)| std::cmp::Reverse(*hidden));
        let mut lines = Vec::new();
        for (hidden, path, points) in texts {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            let mut head = clean(theme, Role::Strong, &Clean::line(path));
            let role = if hidden > 0 { Role::Warn } else { Role::Dim };
            head.push(crate::tui::screens::span(theme, role, format!("   {hidden} hidden")));
            lines.push(Line::from(head));
            for point in &points.rows {
                let role = if point.hidden { Role::Hidden } else { Role::Text };
                lines.push(Line::from(vec![
                    crate::tui::screens::span(
                        theme,
                        Role::Dim,
                        format!("{:>6}  {}  ", point.offset, pad(&point.code(), 8)),
                    ),
                    crate::tui::screens::span(theme, role, point.shown.clone()),
                    crate::tui::screens::span(theme, Role::Dim, format!("   {}", point.what)),
                ]));
            }
            if points.more > 0 {
                lines.push(Line::from(Span::styled(
                    format!("        {} more", points.more),
                    theme.style(Role::Dim),
                )));
            }
        }
        lines
    };
    ui.cache.page(name, cols, make).to_vec()
}
