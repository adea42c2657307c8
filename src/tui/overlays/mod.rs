//! What lies over a view, drawn bottom to top; each in a file of its own.

mod blind;
mod bulk;
mod edit;
mod filter;
mod help;
mod incident;
mod kill;
mod look;
mod moving;
mod page;
mod palette;
mod quit;
mod reason;
mod sure;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::app::line::Line as Field;
use super::app::{Overlay, Painted};
use super::screens::{Ui, cells, fit};
use super::theme::Role;
use crate::text::Clean;

/// Draws every overlay that is open; the record of lines is the top one's.
pub fn draw(ui: &mut Ui<'_, '_>, area: Rect) {
    for overlay in &ui.state.overlays {
        ui.painted =
            Painted { overlay_lines: 0, overlay_room: 0, ..std::mem::take(&mut ui.painted) };
        match overlay {
            Overlay::Help(help) => help::draw(ui, area, help),
            Overlay::Palette(palette) => palette::draw(ui, area, palette),
            Overlay::Filter(form) => filter::draw(ui, area, form),
            Overlay::Queues(picker) => filter::queues(ui, area, picker),
            Overlay::Reason(form) => reason::draw(ui, area, form),
            Overlay::Edit(form) => edit::draw(ui, area, form),
            Overlay::Move(form) => moving::draw(ui, area, form),
            Overlay::Bulk(form) => bulk::draw(ui, area, form),
            Overlay::Blind(form) => blind::draw(ui, area, form),
            Overlay::Page(page) => page::draw(ui, area, page),
            Overlay::Kill(form) => kill::draw(ui, area, form),
            Overlay::Sure(form) => sure::draw(ui, area, form),
            Overlay::Look(look) => look::draw(ui, area, look),
            Overlay::Incident(page) => incident::draw(ui, area, page),
            Overlay::Quit => quit::draw(ui, area),
        }
    }
}

/// A field being typed in: label, text, cursor. The text scrolls so that the cursor is in sight.
fn field(ui: &Ui<'_, '_>, label: &str, field: &Field, focus: bool, cols: usize) -> Line<'static> {
    let mark = if focus { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") };
    let role = if focus { Role::Text } else { Role::Dim };
    let mut spans = vec![mark, ui.span(role, label.to_owned())];
    let room = cols.saturating_sub(cells(&spans) + 1);
    spans.extend(input(ui, field, focus, room));
    Line::from(spans)
}

/// The text of a field with its cursor, in at most `room` cells.
fn input(ui: &Ui<'_, '_>, field: &Field, focus: bool, room: usize) -> Vec<Span<'static>> {
    let (before, after) = field.parts();
    let (before, after) = (Clean::line(before), Clean::line(after));
    let before = super::screens::clean(ui.theme, Role::Input, &before);
    let mut spans = tail(before, room.saturating_sub(1));
    if !focus {
        spans.extend(super::screens::clean(ui.theme, Role::Input, &after));
        return fit(spans, room);
    }
    let first = unicode_segmentation::UnicodeSegmentation::graphemes(after.as_str(), true).next();
    let under = first.unwrap_or(" ").to_owned();
    let rest = after.as_str().get(first.map_or(0, str::len)..).unwrap_or_default().to_owned();
    spans.push(ui.span(Role::InputCursor, under));
    spans.push(ui.span(Role::Input, rest));
    fit(spans, room.max(1))
}

/// The last `room` cells of spans.
fn tail(spans: Vec<Span<'static>>, room: usize) -> Vec<Span<'static>> {
    let mut over = cells(&spans).saturating_sub(room);
    if over == 0 {
        return spans;
    }
    let mut out = Vec::new();
    for span in spans {
        let w = crate::text::width(&span.content);
        if over >= w && over > 0 {
            over -= w;
            continue;
        }
        if over == 0 {
            out.push(span);
            continue;
        }
        let mut text = String::new();
        let mut skipped = 0;
        for g in unicode_segmentation::UnicodeSegmentation::graphemes(span.content.as_ref(), true) {
            if skipped < over {
                skipped += crate::text::width(g);
            } else {
                text.push_str(g);
            }
        }
        over = 0;
        out.push(Span::styled(text, span.style));
    }
    out
}

/// What is wrong, as a line.
fn fault(ui: &Ui<'_, '_>, text: &str) -> Line<'static> {
    let mut spans = vec![ui.span(Role::Danger, "▲ ")];
    spans.extend(ui.one(Role::Danger, text));
    Line::from(spans)
}

/// What is wrong, on as many lines as it takes.
fn faults(ui: &Ui<'_, '_>, text: &str, cols: usize) -> Vec<Line<'static>> {
    let text = Clean::line_first(text, 400);
    let mut lead = Some(ui.span(Role::Danger, "▲ "));
    super::screens::wrapped(ui.theme, Role::Danger, &text, cols.saturating_sub(2).max(8))
        .into_iter()
        .map(|spans| {
            let lead = lead.take().unwrap_or_else(|| Span::raw("  "));
            Line::from([vec![lead], spans].concat())
        })
        .collect()
}

/// The area inside a box without its outermost columns.
fn padded(inside: Rect) -> Rect {
    Rect { x: inside.x + 1.min(inside.width), width: inside.width.saturating_sub(2), ..inside }
}

/// A list of choices around the selected one: the first shown.
fn first_shown(selected: usize, room: usize) -> usize {
    (selected + 1).saturating_sub(room.max(1))
}

/// The number of lines as a height, with the border's two.
fn height(lines: usize) -> u16 {
    u16::try_from(lines + 2).unwrap_or(u16::MAX)
}
