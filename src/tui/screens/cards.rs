//! Calm cards: too small a screen, the first minute; pages and the table of queues.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::SMALLEST;
use super::paint::{Ui, centred, count, fit};
use crate::protocol::QueueView;
use crate::text::{pad, pad_left};
use crate::tui::keymap::{Action, Context};
use crate::tui::theme::Role;

/// A screen too small to work on: says so, and how much is needed.
pub fn too_small(ui: &mut Ui<'_, '_>, area: Rect) {
    let lines = [
        "overrule".to_owned(),
        format!("{}×{} is too small", area.width, area.height),
        format!("{}×{} will do", SMALLEST.0, SMALLEST.1),
    ];
    let from = area.height.saturating_sub(3) / 2;
    for (y, (n, text)) in (from..area.height).zip(lines.iter().enumerate()) {
        let role = if n == 0 { Role::Title } else { Role::Dim };
        let spans = fit(vec![ui.span(role, text.clone())], usize::from(area.width));
        let taken = u16::try_from(super::paint::cells(&spans)).unwrap_or(0);
        let at = Rect { x: area.x + area.width.saturating_sub(taken) / 2, ..area };
        let at = Rect { width: area.right().saturating_sub(at.x), ..at };
        ui.put(at, y, &Line::from(spans));
    }
}

/// The card over the first screen of a newcomer; the first key takes it away.
pub fn first_minute(ui: &mut Ui<'_, '_>, body: Rect) {
    let keys = &ui.state.keys.map;
    let key = |a| keys.keys_for(Context::Queue, a).into_iter().next().unwrap_or_default();
    let rows = [
        (key(Action::Accept), "accept what the model proposes"),
        (key(Action::Edit), "correct it first"),
        (key(Action::Reject), "reject it, and say why"),
        (key(Action::Escalate), "pass it to other people"),
        (key(Action::Undo), "take it back, for a few seconds"),
        (key(Action::Help), "every key, wherever you are"),
    ];
    // Low, so that the item it speaks of can be read above it.
    let area = centred(body, 50, 12);
    let area = Rect { y: body.bottom().saturating_sub(area.height + 1).max(body.y), ..area };
    let inside = ui.boxed(area, vec![ui.span(Role::Title, "these are real keys")]);
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    let text = [
        "Models made these decisions; people have the",
        "last word. Everything you press is kept.",
    ];
    for (y, line) in (0_u16..).zip(text) {
        let line = Line::from(ui.span(Role::Text, line));
        ui.put(inside, y, &line);
    }
    for (y, (key, what)) in (3_u16..).zip(rows) {
        let line = Line::from(vec![
            ui.span(Role::Key, pad_left(&key, 3)),
            ui.span(Role::Text, format!("  {what}")),
        ]);
        ui.put(inside, y, &line);
    }
}

/// The queues with their clocks, numbers right-aligned.
pub fn queues(ui: &Ui<'_, '_>, queues: &[QueueView]) -> Vec<Line<'static>> {
    let widest = queues.iter().map(|q| crate::text::width(&q.name)).max().unwrap_or(0).clamp(5, 20);
    let head = format!(" {}  lvl  waiting  leased  due <5m  late", pad("QUEUE", widest));
    let mut lines = vec![Line::from(ui.span(Role::Heading, head))];
    for queue in queues {
        let name = crate::text::Clean::line_first(&queue.name, 60);
        let late = if queue.late > 0 { Role::DueLate } else { Role::Dim };
        let soon = if queue.due_soon > 0 { Role::DueSoon } else { Role::Dim };
        let mut line = vec![
            ui.span(Role::Text, format!(" {}", pad(name.as_str(), widest))),
            ui.span(Role::Dim, format!("   L{}", queue.level)),
            ui.span(Role::Strong, pad_left(&count(queue.waiting), 9)),
            ui.span(Role::Dim, pad_left(&count(queue.leased), 8)),
            ui.span(soon, pad_left(&count(queue.due_soon), 9)),
            ui.span(late, pad_left(&count(queue.late), 6)),
            Span::raw("   "),
        ];
        line.extend(ui.one(Role::Dim, &queue.title));
        if queue.signed {
            line.push(ui.span(Role::Dim, " · signed"));
        }
        if let Some(up) = &queue.escalates_to {
            line.push(ui.span(Role::Dim, " · escalates to "));
            line.extend(ui.one(Role::Dim, up));
        }
        lines.push(Line::from(line));
    }
    lines
}

/// Lines as a page that scrolls.
pub fn page(ui: &mut Ui<'_, '_>, body: Rect, lines: Vec<Line<'static>>) {
    let room = usize::from(body.height);
    let skip = ui.state.page_scroll.min(lines.len().saturating_sub(room));
    ui.painted.lines = lines.len();
    ui.painted.room = room;
    ui.put_lines(body, &lines, skip);
}
