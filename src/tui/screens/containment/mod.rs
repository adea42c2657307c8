//! The containment view: everything that contains automation, one cursor, and what can be done
//! where it stands.

mod canaries;
mod rows;

pub use self::rows::{offer, slice as slice_of};

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{Ui, two};
use crate::protocol::SwitchState;
use crate::tui::app::ControlRow;
use crate::tui::theme::Role;

/// From here on switches and what follows from them stand side by side.
const WIDE: u16 = 120;

/// The look and the sign of a switch's state.
pub fn state_look(state: SwitchState) -> (Role, &'static str) {
    match state {
        SwitchState::On => (Role::StateOn, "●"),
        SwitchState::Limited => (Role::StateLimited, "◐"),
        SwitchState::Paused => (Role::StatePaused, "◌"),
        SwitchState::Killed => (Role::StateKilled, "■"),
    }
}

pub fn draw(ui: &mut Ui<'_, '_>, body: Rect) {
    let cols = usize::from(body.width);
    let top = summary(ui, cols);
    ui.put(body, 0, &top);
    let mut room = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    let state = ui.state;
    let seen = &state.containment.seen;
    if let Some(failed) = seen.failed.clone() {
        room = ui.refusal(room, "the switches could not be read", &failed);
    }
    if seen.view.is_none() {
        if seen.failed.is_none() {
            let line = Line::from(ui.span(Role::Dim, "   …"));
            ui.put(room, 1, &line);
        }
        return;
    }
    let rows = state.containment.rows();
    let at = state.containment.selected();
    // What is said of the row under the cursor keeps its place at the foot.
    let detail = rows.get(at).map(|row| rows::detail(ui, row, cols)).unwrap_or_default();
    let wanted = u16::try_from(detail.len()).unwrap_or(0);
    let height = wanted.min(room.height.saturating_sub(3) / 2);
    if height > 0 {
        let foot = Rect { y: room.bottom() - height, height, ..room };
        ui.put_lines(foot, &detail, 0);
        let rule = Line::from(ui.span(Role::Border, "─".repeat(cols)));
        ui.put(Rect { y: foot.y - 1, height: 1, ..room }, 0, &rule);
        room.height -= height + 1;
    }
    if room.width >= WIDE && rows.iter().any(happened) {
        let left = room.width * 57 / 100;
        // Left what is set, right what happened.
        let (second, first): (Vec<usize>, Vec<usize>) =
            (0..rows.len()).partition(|n| rows.get(*n).is_some_and(|r| happened(r)));
        column(ui, Rect { width: left, ..room }, &rows, &first, at);
        let wall = Line::from(ui.span(Role::Border, "│"));
        for y in 0..room.height {
            ui.put(Rect { x: room.x + left, width: 1, ..room }, y, &wall);
        }
        let area = Rect { x: room.x + left + 1, width: room.width - left - 1, ..room };
        column(ui, area, &rows, &second, at);
    } else {
        let all: Vec<usize> = (0..rows.len()).collect();
        column(ui, room, &rows, &all, at);
    }
    ui.painted.room = usize::from(room.height).max(2);
    ui.painted.lines = rows.len();
}

/// Things that happened, other than things that are set.
fn happened(row: &ControlRow<'_>) -> bool {
    matches!(
        row,
        ControlRow::Incident(_)
            | ControlRow::Canary(_)
            | ControlRow::Freeze(_)
            | ControlRow::Outgoing(_)
    )
}

/// Some of the rows under their headings, scrolled so that the cursor's is seen whole.
fn column(ui: &mut Ui<'_, '_>, area: Rect, rows: &[ControlRow<'_>], which: &[usize], at: usize) {
    let cols = usize::from(area.width);
    let room = usize::from(area.height);
    let (mut lines, mut cursor) = (Vec::new(), 0..0);
    let mut kind = None;
    for n in which {
        let Some(row) = rows.get(*n) else { continue };
        if kind != Some(row.kind()) {
            if kind.is_some() && room >= 12 {
                lines.push(Line::default());
            }
            kind = Some(row.kind());
            lines.push(rows::heading(ui, row, cols));
        }
        let block = rows::lines(ui, row, *n, rows, *n == at, cols);
        if *n == at {
            cursor = lines.len()..lines.len() + block.len();
        }
        lines.extend(block);
    }
    let top = match cursor.end > room {
        true => (cursor.end + 1).saturating_sub(room).min(lines.len().saturating_sub(room)),
        false => 0,
    };
    ui.put_lines(area, &lines, top.min(cursor.start));
}

/// Automation in a word, the generation, what is open.
fn summary(ui: &Ui<'_, '_>, cols: usize) -> Line<'static> {
    let state = ui.state;
    let mut left = vec![Span::raw(" ")];
    match (&state.containment.seen.view, &state.header) {
        (Some(view), _) => {
            // Each stop once: not what it makes of the scopes inside of it.
            let set = |state: SwitchState| {
                let own = view.switches.iter().filter(|s| s.under.is_none() && s.state == state);
                own.filter(|s| s.by.as_deref() != Some("breaker")).count()
            };
            let tripped = |state: &str| view.breakers.iter().filter(|b| b.state == state).count();
            let counts = [
                (SwitchState::Killed, set(SwitchState::Killed), "stopped"),
                (SwitchState::Paused, set(SwitchState::Paused) + tripped("open"), "paused"),
                (SwitchState::Limited, set(SwitchState::Limited) + tripped("half_open"), "limited"),
            ];
            let open = view.incidents.iter().filter(|i| i.state == "open").count();
            let said: Vec<_> = counts.into_iter().filter(|(_, n, _)| *n > 0).collect();
            for (n, (standing, many, word)) in said.iter().enumerate() {
                let (role, sign) = state_look(*standing);
                let before = if n == 0 { sign } else { " ·" };
                left.push(ui.span(role, format!("{before} {many} {word}")));
            }
            if said.is_empty() {
                left.push(ui.span(Role::StateOn, "● nothing is stopped"));
            }
            if open > 0 {
                let text = match (open, cols >= 60) {
                    (_, false) => format!("  ▲ {open} open"),
                    (1, true) => "   ▲ 1 open incident".to_owned(),
                    (_, true) => format!("   ▲ {open} open incidents"),
                };
                left.push(ui.span(Role::Danger, text));
            }
            let out = &view.outgoing;
            if out.dead > 0 {
                left.push(ui.span(Role::Warn, format!("   {} undelivered", out.dead)));
            }
            if out.held > 0 && cols >= 60 {
                left.push(ui.span(Role::Dim, format!("   {} held", out.held)));
            }
        }
        (None, Some(header)) => {
            let (role, sign) = super::header::automation_look(&header.automation);
            left.push(ui.span(role, format!("{sign} ")));
            left.extend(ui.one(role, &header.automation));
        }
        (None, None) => left.push(ui.span(Role::Dim, "reading the switches…")),
    }
    let generation = match (&state.containment.seen.view, &state.header) {
        (Some(view), _) => view.generation,
        (None, Some(header)) => header.generation,
        (None, None) => return Line::from(left),
    };
    let taken: usize = left.iter().map(Span::width).sum();
    let text = if cols >= 70 && taken + 26 <= cols { "control generation " } else { "gen " };
    two(left, vec![ui.span(Role::Dim, format!("{text}{generation} "))], cols)
}
