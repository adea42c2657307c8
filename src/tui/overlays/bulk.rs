//! Many at once: what, how many of which, who is left out, and the count to type.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{fault, height, input, padded};
use crate::text::pad_left;
use crate::tui::app::{BulkForm, BulkVerdict};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, centred, fit};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &BulkForm) {
    let cols = usize::from(area.width.min(70).saturating_sub(4));
    let room = usize::from(area.height).saturating_sub(10).clamp(1, 8);
    let mut lines = Vec::new();
    let summary = form.summary();
    for (what, n) in summary.iter().take(room) {
        let mut line = vec![ui.span(Role::Strong, pad_left(&n.to_string(), 5)), Span::raw("  ")];
        line.extend(ui.one(Role::Text, what));
        lines.push(Line::from(fit(line, cols)));
    }
    if summary.len() > room {
        lines.push(Line::from(
            ui.span(Role::Dim, format!("       and {} kinds more", summary.len() - room)),
        ));
    }
    let with = match &form.verdict {
        BulkVerdict::Accept => None,
        BulkVerdict::Reject { tags, note, .. } => {
            let mut text = tags.join(", ");
            if let Some(note) = note {
                text = format!("{text}  “{note}”");
            }
            Some(text)
        }
        BulkVerdict::Move { to, note } => Some(format!(
            "to {to}{}",
            note.as_ref().map_or_else(String::new, |n| format!("  “{n}”"))
        )),
    };
    if let Some(text) = with.filter(|t| !t.trim().is_empty()) {
        let mut line = vec![ui.span(Role::Dim, " with  ")];
        line.extend(ui.one(Role::Text, &text));
        lines.push(Line::from(fit(line, cols)));
    }
    for (id, why) in form.left_out.iter().take(3) {
        let mut line = vec![ui.span(Role::Warn, "  left out  ")];
        line.extend(ui.one(Role::Dim, id));
        line.push(ui.span(Role::Dim, ": "));
        line.extend(ui.one(Role::Dim, why));
        lines.push(Line::from(fit(line, cols)));
    }
    if form.left_out.len() > 3 {
        lines.push(Line::from(
            ui.span(Role::Warn, format!("  and {} more left out", form.left_out.len() - 3)),
        ));
    }
    lines.push(Line::default());
    let mut ask = vec![ui.span(
        Role::Text,
        format!("type {} to {} them all: ", form.rows.len(), form.verdict.verb()),
    )];
    ask.extend(input(ui, &form.typed, true, 8));
    lines.push(Line::from(fit(ask, cols)));
    match &form.fault {
        Some(text) => lines.push(fault(ui, text)),
        None => {
            lines.push(Line::from(ui.span(Role::Dim, "one review each; u takes all of them back")))
        }
    }
    lines.push(Line::from(ui.hints(&[(Action::Submit, "do it"), (Action::Back, "back")])));
    let rows = crate::text::many(form.rows.len(), "marked item", "marked items");
    let title = format!("{} {rows}", form.verdict.verb());
    let at = centred(area, 70, height(lines.len()));
    let inside = padded(ui.boxed(at, vec![ui.span(Role::Title, title)]));
    let skip = lines.len().saturating_sub(usize::from(inside.height));
    ui.put_lines(inside, &lines, skip);
}
