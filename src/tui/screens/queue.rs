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
    let panes = Rect { y: body.y + 1, height: body.height.saturating_sub(2), ..body };
    list::draw(ui, Rect { width: left.saturating_sub(1), ..panes });
    let border = Line::from(ui.span(Role::Border, "│"));
    let wall = Rect { x: body.x + left, width: 1, ..panes };
    for y in 0..wall.height {
        ui.put(wall, y, &border);
    }
    let right = Rect { x: panes.x + left + 1, width: panes.width - left - 1, ..panes };
    item::draw(ui, right);
    let lease = item::lease_note(ui);
    rule(ui, Rect { height: 1, ..body }, Some((left, '┬')), Vec::new(), lease);
    if body.height >= 2 {
        let at = Rect { y: body.bottom() - 1, height: 1, ..body };
        let more = item::more_note(ui);
        rule(ui, at, Some((left, '┴')), Vec::new(), more);
    }
}

fn stacked(ui: &mut Ui<'_, '_>, body: Rect) {
    // Who reads an item needs room for it; who looks around, for the list.
    let small = if body.height < 14 { 2 } else { 3 };
    let share = if ui.state.pane == Pane::List { body.height * 3 / 10 } else { small };
    let most = body.height.saturating_sub(5).max(2);
    let top = if ui.state.list.rows.is_empty() { 4 } else { share.clamp(2, 12) }.min(most);
    list::draw(ui, Rect { height: top, ..body });
    let below = Rect { y: body.y + top + 1, height: body.height.saturating_sub(top + 1), ..body };
    item::draw(ui, below);
    let (more, lease) = (item::more_note(ui), item::lease_note(ui));
    rule(ui, Rect { y: body.y + top, height: 1, ..body }, None, more, lease);
}

/// A thin rule with a note at its left and one at its right end; the left one gives way.
fn rule(
    ui: &mut Ui<'_, '_>,
    area: Rect,
    cross: Option<(u16, char)>,
    left: Vec<Span<'static>>,
    right: Vec<Span<'static>>,
) {
    let line: String = (0..area.width)
        .map(|x| cross.filter(|(at, _)| *at == x).map_or('─', |(_, sign)| sign))
        .collect();
    let line = Line::from(ui.span(Role::Border, line));
    ui.put(area, 0, &line);
    let taken = |note: &[Span<'static>]| u16::try_from(cells(note)).unwrap_or(u16::MAX);
    let (wide, other) = (taken(&right), taken(&left));
    if wide > 0 && wide.saturating_add(4) < area.width {
        let at = Rect { x: area.right() - wide - 2, width: wide, ..area };
        ui.put(at, 0, &Line::from(right));
    }
    if other > 0 && wide.saturating_add(other).saturating_add(6) < area.width {
        let at = Rect { x: area.x + 2, width: other, ..area };
        ui.put(at, 0, &Line::from(left));
    }
}
