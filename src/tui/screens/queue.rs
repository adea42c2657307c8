//! The queue view: list and item side by side, stacked where the screen is narrow.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{Ui, cells};
use super::{item, list};
use crate::tui::app::Pane;
use crate::tui::theme::Role;

/// From here on list and item stand side by side.
const WIDE: u16 = 100;

pub fn draw(ui: &mut Ui<'_, '_>, body: Rect) {
    if body.width >= WIDE { side_by_side(ui, body) } else { stacked(ui, body) }
}

fn side_by_side(ui: &mut Ui<'_, '_>, body: Rect) {
    let left = (body.width * 43 / 100).clamp(46, 66);
    let note = item::lease_note(ui);
    rule(ui, Rect { height: 1, ..body }, Some((left, '┬')), note);
    let panes = Rect { y: body.y + 1, height: body.height.saturating_sub(2), ..body };
    list::draw(ui, Rect { width: left.saturating_sub(1), ..panes });
    let border = Line::from(ui.span(Role::Border, "│"));
    let wall = Rect { x: body.x + left, width: 1, ..panes };
    for y in 0..wall.height {
        ui.put(wall, y, &border);
    }
    let right = Rect { x: panes.x + left + 1, width: panes.width - left - 1, ..panes };
    item::draw(ui, right);
    if body.height >= 2 {
        let at = Rect { y: body.bottom() - 1, height: 1, ..body };
        rule(ui, at, Some((left, '┴')), Vec::new());
    }
}

fn stacked(ui: &mut Ui<'_, '_>, body: Rect) {
    // Who reads an item needs room for it; who looks around, for the list.
    let small = if body.height < 14 { 2 } else { 3 };
    let share = if ui.state.pane == Pane::List { body.height * 3 / 10 } else { small };
    let most = body.height.saturating_sub(5).max(2);
    let top = if ui.state.list.rows.is_empty() { 4 } else { share.clamp(2, 12) }.min(most);
    list::draw(ui, Rect { height: top, ..body });
    let note = item::lease_note(ui);
    rule(ui, Rect { y: body.y + top, height: 1, ..body }, None, note);
    let below = Rect { y: body.y + top + 1, height: body.height.saturating_sub(top + 1), ..body };
    item::draw(ui, below);
}

/// A thin rule with a note at its right end.
fn rule(ui: &mut Ui<'_, '_>, area: Rect, cross: Option<(u16, char)>, note: Vec<Span<'static>>) {
    let mut line: String = "─".repeat(usize::from(area.width));
    if let Some((at, sign)) = cross {
        line = (0..area.width).map(|x| if x == at { sign } else { '─' }).collect();
    }
    let line = Line::from(ui.span(Role::Border, line));
    ui.put(area, 0, &line);
    let taken = u16::try_from(cells(&note)).unwrap_or(u16::MAX);
    if taken > 0 && taken + 4 < area.width {
        let at = Rect { x: area.right() - taken - 2, width: taken, ..area };
        ui.put(at, 0, &Line::from(note));
    }
}
