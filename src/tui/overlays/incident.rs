//! An incident: what opened it, what happened since, which decisions belong to it.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::padded;
use crate::text::{Clean, pad, time};
use crate::tui::app::{IncidentLine, IncidentPage};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, fit, selected, slice_of, two, wrapped};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, page: &IncidentPage) {
    let lines = page.lines();
    let wanted = u16::try_from(lines.len() + 5).unwrap_or(u16::MAX).max(8);
    let at =
        crate::tui::screens::centred(area, 96, wanted.min(area.height.saturating_sub(2).max(3)));
    let view = page.view();
    let mut title = vec![ui.span(Role::Title, "incident ")];
    title.extend(ui.one(Role::Title, &format!("{} · {}", view.id, view.kind.replace('-', " "))));
    let inside = padded(ui.boxed(at, title));
    if inside.height < 3 {
        return;
    }
    let cols = usize::from(inside.width);
    let head = head(ui, page, cols);
    ui.put(inside, 0, &head);
    let body = Rect { y: inside.y + 1, height: inside.height - 2, ..inside };
    let room = usize::from(body.height);
    let here = page.at.min(lines.len().saturating_sub(1));
    let (mut drawn, mut cursor) = (Vec::new(), 0..0);
    for (n, line) in lines.iter().enumerate() {
        let from = drawn.len();
        drawn.extend(self::line(ui, line, n == here, cols));
        if n == here {
            cursor = from..drawn.len();
        }
    }
    let top = cursor.end.saturating_sub(room).min(cursor.start);
    ui.painted.overlay_lines = lines.len();
    ui.painted.overlay_room = room;
    ui.put_lines(body, &drawn, top);
    let open = view.state != "resolved";
    let mut hints = vec![(Action::Back, "back")];
    if matches!(lines.get(here), Some(IncidentLine::Decision(_))) {
        hints.insert(0, (Action::Open, "open"));
    }
    if open {
        hints.insert(0, (Action::Resolve, "resolve"));
    }
    if view.state == "open" {
        hints.insert(0, (Action::Acknowledge, "acknowledge"));
    }
    let more = drawn.len().saturating_sub(top + room);
    let note = if more > 0 { format!("{more} more") } else { String::new() };
    let hints = ui.hints_in(&hints, cols.saturating_sub(note.len() + 1));
    let foot = two(hints, vec![ui.span(Role::Dim, note)], cols);
    ui.put(inside, inside.height - 1, &foot);
}

fn head(ui: &Ui<'_, '_>, page: &IncidentPage, cols: usize) -> Line<'static> {
    let view = page.view();
    let ago = |at| time::short(ui.state.desk_now().duration_since(at));
    let (role, sign) = match view.state.as_str() {
        "open" => (Role::Danger, "▲"),
        "acknowledged" => (Role::Warn, "◐"),
        _ => (Role::Dim, "✓"),
    };
    let mut left = vec![ui.span(role, format!("{sign} "))];
    left.extend(ui.one(role, &view.state));
    left.push(ui.span(Role::Dim, format!(", opened {} ago  ", ago(view.opened_at))));
    left.extend(ui.one(Role::Text, &slice_of(&view.slice)));
    let who = match (&view.resolved_by, &view.acknowledged_by) {
        (Some(by), _) => ui.one(Role::Dim, &format!("resolved by {by}")),
        (None, Some(by)) => ui.one(Role::Dim, &format!("{by} is on it")),
        (None, None) => vec![ui.span(Role::Warn, "nobody is on it")],
    };
    let failed = page.seen.failed.is_some();
    let right = if failed { vec![ui.span(Role::Danger, "▲ not read anew")] } else { who };
    two(left, right, cols)
}

fn line(ui: &Ui<'_, '_>, line: &IncidentLine<'_>, here: bool, cols: usize) -> Vec<Line<'static>> {
    let mark = if here { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") };
    let (lead, text, role) = match line {
        IncidentLine::Fact(name, text) => (pad(name, 9), text.as_str(), Role::Text),
        IncidentLine::Heading(text) => (String::new(), *text, Role::Heading),
        IncidentLine::Happened(event) => {
            let at = event.at.to_zoned(ui.state.zone.clone());
            let by = Clean::line_first(&event.by, 40);
            let by = pad(by.as_str(), if cols < 50 { 7 } else { 10 });
            (format!("{}  {by} ", at.strftime("%m-%d %H:%M")), event.what.as_str(), Role::Text)
        }
        IncidentLine::Decision(id) => (String::new(), *id, Role::Strong),
        IncidentLine::Blank => return vec![Line::default()],
    };
    let indent = crate::text::width(&lead);
    let text = Clean::line_first(text, 600);
    let room = cols.saturating_sub(indent + 2).max(8);
    let mut first = Some(vec![mark, ui.span(Role::Dim, lead)]);
    wrapped(ui.theme, role, &text, room)
        .into_iter()
        .map(|spans| {
            let lead = first.take().unwrap_or_else(|| vec![Span::raw(" ".repeat(indent + 2))]);
            let line = Line::from(fit([lead, spans].concat(), cols));
            selected(ui, line, here, cols)
        })
        .collect()
}
