//! The signals view: override rates, drift, calibration and service, side by side where there is
//! room, one below the other where there is not.

mod calibration;
mod distribution;
mod drift;
mod overrides;
mod service;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::chart::Said;
use super::paint::{Ui, cells, fit, two};
use crate::tui::app::signals::{Part, WINDOWS};
use crate::tui::theme::Role;

/// From here on parts stand side by side.
const WIDE: u16 = 110;

/// A part of the view: what stands above its rows, the rows, which one has the cursor.
pub struct Section {
    pub part: Part,
    pub head: Vec<Line<'static>>,
    pub rows: Vec<Line<'static>>,
    /// What is said of the row under the cursor, below the rows.
    pub foot: Vec<Line<'static>>,
    pub selected: usize,
}

pub fn draw(ui: &mut Ui<'_, '_>, body: Rect) {
    if ui.state.signals.opened.is_some() {
        return distribution::draw(ui, body);
    }
    let top = chooser(ui, usize::from(body.width));
    ui.put(body, 0, &top);
    let room = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    let room = match ui.state.signals.seen.failed.clone() {
        Some(failed) => {
            let left = ui.refusal(room, "the figures could not be read", &failed);
            if ui.state.signals.seen.view.is_none() {
                return;
            }
            left
        }
        None => room,
    };
    parts(ui, room);
}

fn parts(ui: &mut Ui<'_, '_>, room: Rect) {
    if room.width >= WIDE && room.height >= 16 { side_by_side(ui, room) } else { stacked(ui, room) }
}

/// The window and the dimension, and which others there are.
fn chooser(ui: &Ui<'_, '_>, cols: usize) -> Line<'static> {
    let signals = &ui.state.signals;
    let mut left = vec![Span::raw(" ")];
    for window in WINDOWS {
        if window == signals.window() {
            left.push(ui.span(Role::Accent, format!("[{window}]")));
        } else {
            left.push(ui.span(Role::Dim, format!(" {window} ")));
        }
    }
    if signals.seen.loading()
        && signals.seen.view.as_ref().is_none_or(|v| v.window != signals.window())
    {
        left.push(ui.span(Role::Dim, " reading…"));
    }
    let mut right = match signals.seen.view.as_ref().and_then(|v| v.reference.as_ref()) {
        Some(reference) => {
            let mut spans = vec![ui.span(Role::Dim, "against ")];
            spans.extend(fit(ui.one(Role::Text, &reference.name), 20));
            if cols >= 70 {
                let n = super::count(reference.decisions);
                spans.push(ui.span(Role::Dim, format!(" (v{}, n {n})", reference.version)));
            }
            spans
        }
        None if signals.seen.view.is_some() => vec![ui.span(Role::Warn, "no reference set")],
        None => Vec::new(),
    };
    right.push(Span::raw(" "));
    let right = fit(right, cols.saturating_sub(cells(&left) + 2));
    two(left, right, cols)
}

/// The heading of a part; the one with the cursor stands out.
pub fn heading(
    ui: &Ui<'_, '_>,
    part: Part,
    text: &str,
    right: Vec<Span<'static>>,
    cols: usize,
) -> Line<'static> {
    let here = ui.state.signals.part == part;
    let role = if here { Role::Accent } else { Role::Heading };
    two(vec![ui.span(role, format!(" {text}"))], right, cols)
}

/// The cursor's sign before a row.
pub fn mark(ui: &Ui<'_, '_>, part: Part, here: bool) -> Span<'static> {
    match (here, ui.state.signals.part == part) {
        (true, true) => ui.span(Role::Accent, "▸"),
        (true, false) => ui.span(Role::Dim, "▹"),
        (false, _) => Span::raw(" "),
    }
}

/// A verdict in `cols` cells: sign and word.
pub fn verdict(ui: &Ui<'_, '_>, said: &Said, cols: usize) -> Vec<Span<'static>> {
    let word = if crate::text::width(&said.word) + 2 <= cols { &said.word } else { &said.short };
    vec![ui.span(said.role, crate::text::pad(&format!("{} {word}", said.sign), cols))]
}

/// Shows while the first figures are on their way: where they will stand.
pub fn skeleton(ui: &Ui<'_, '_>) -> Vec<Line<'static>> {
    let read = ui.state.signals.seen.view.is_some();
    let text = if read { "   nothing in this time" } else { "   …" };
    vec![Line::from(ui.span(Role::Dim, text))]
}

fn section(ui: &Ui<'_, '_>, part: Part, cols: usize, height: usize) -> Section {
    match part {
        Part::Overrides => overrides::section(ui, cols),
        Part::Drift => drift::section(ui, cols),
        Part::Calibration => calibration::section(ui, cols, height),
        Part::Service => service::section(ui, cols),
    }
}

fn side_by_side(ui: &mut Ui<'_, '_>, body: Rect) {
    let below = (body.height * 2 / 5).clamp(7, 15);
    let above = body.height - below - 1;
    let left = body.width * 54 / 100;
    let areas = [
        (Part::Overrides, Rect { width: left, height: above, ..body }),
        (
            Part::Drift,
            Rect { x: body.x + left + 1, width: body.width - left - 1, height: above, ..body },
        ),
        (Part::Calibration, Rect { y: body.y + above + 1, width: left, height: below, ..body }),
        (
            Part::Service,
            Rect {
                x: body.x + left + 1,
                y: body.y + above + 1,
                width: body.width - left - 1,
                height: below,
            },
        ),
    ];
    for (part, area) in areas {
        let section = section(ui, part, usize::from(area.width), usize::from(area.height));
        place(ui, area, &section);
    }
    let wall = Line::from(ui.span(Role::Border, "│"));
    for y in 0..body.height {
        let at = Rect { x: body.x + left, width: 1, ..body };
        ui.put(at, y, &wall);
    }
    let rule: String = (0..body.width).map(|x| if x == left { '┼' } else { '─' }).collect();
    let rule = Line::from(ui.span(Role::Border, rule));
    ui.put(Rect { y: body.y + above, height: 1, ..body }, 0, &rule);
}

/// A part in its own area: the heading stays, rows scroll so that the cursor's is seen.
fn place(ui: &mut Ui<'_, '_>, area: Rect, section: &Section) {
    let head = section.head.len();
    ui.put_lines(area, &section.head, 0);
    let room = usize::from(area.height).saturating_sub(head);
    let foot = if section.foot.is_empty() || room < section.foot.len() + 3 {
        0
    } else {
        section.foot.len() + 1
    };
    let rows = room - foot;
    let skip = (section.selected + 1).saturating_sub(rows.max(1));
    let at = |lines: usize| area.y.saturating_add(u16::try_from(lines).unwrap_or(u16::MAX));
    let below = |lines: usize| {
        let y = at(lines).min(area.bottom());
        Rect { y, height: area.bottom() - y, ..area }
    };
    let shown = section.rows.len().min(rows);
    let list = Rect { height: u16::try_from(shown).unwrap_or(0), ..below(head) };
    ui.put_lines(list, &section.rows, skip);
    let more = section.rows.len().saturating_sub(skip + rows);
    if more > 0 && shown > 0 {
        let note = Line::from(ui.span(Role::Dim, format!(" {more} more ↓")));
        let width = u16::try_from(cells(&note.spans)).unwrap_or(0);
        let x = area.right().saturating_sub(width + 1).max(area.x);
        // Below the rows where a line is free, else in the heading.
        let y = if foot > 0 { below(head + shown).y } else { area.y };
        ui.put(Rect { x, y, width: area.right() - x, height: 1 }, 0, &note);
    }
    if foot > 0 {
        ui.put_lines(below(head + shown + 1), &section.foot, 0);
    }
    if section.part == ui.state.signals.part {
        ui.painted.room = rows;
        ui.painted.lines = section.rows.len();
    }
}

/// All parts as one page, scrolled to where the cursor is.
fn stacked(ui: &mut Ui<'_, '_>, body: Rect) {
    let cols = usize::from(body.width);
    let room = usize::from(body.height);
    let (mut lines, mut focus, mut cursor) = (Vec::new(), 0..0, 0);
    for part in Part::ALL {
        let section = section(ui, part, cols, room);
        let from = lines.len();
        let here = part == ui.state.signals.part;
        if here {
            cursor = from + section.head.len() + section.selected;
        }
        lines.extend(section.head);
        lines.extend(section.rows);
        if room >= 14 || here {
            lines.extend(section.foot);
        }
        if here {
            focus = from..lines.len();
        }
        lines.push(Line::default());
    }
    lines.pop();
    let last = lines.len().saturating_sub(room);
    let top = if focus.end <= room {
        0
    } else if focus.len() <= room {
        focus.start.min(last)
    } else {
        // Longer than the screen: the cursor's row, with its heading while that fits.
        focus.start.max((cursor + 2).saturating_sub(room)).min(last)
    };
    ui.painted.room = room.saturating_sub(1).max(1);
    ui.painted.lines = lines.len();
    ui.put_lines(body, &lines, top);
}
