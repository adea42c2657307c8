//! The sheet that asks why: tags by letter, a note, what would have been right.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{fault, field, height, padded};
use crate::protocol::TagView;
use crate::text::{Clean, width};
use crate::tui::app::{Field, ReasonFor, ReasonForm};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, cells, centred, fit, wrapped};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &ReasonForm) {
    let cols = area.width.min(76).saturating_sub(4);
    let cols = usize::from(cols);
    let mut lines = Vec::new();
    if !form.tags.is_empty() {
        let mark = match form.field {
            Field::Tags => ui.span(Role::Accent, "▸ "),
            Field::Note | Field::Label => Span::raw("  "),
        };
        let mut chosen = vec![mark];
        if form.chosen.is_empty() {
            chosen.push(ui.span(Role::InputHint, "no tag yet: press its letter"));
        }
        for (n, id) in form.chosen.iter().enumerate() {
            if n > 0 {
                chosen.push(ui.span(Role::Dim, ", "));
            }
            chosen.extend(ui.one(Role::Marked, id));
        }
        lines.push(Line::from(fit(chosen, cols)));
    }
    lines.push(field(ui, "note   ", &form.note, form.field == Field::Note, cols));
    if form.has_label() {
        lines.push(field(ui, "right  ", &form.label, form.field == Field::Label, cols));
    }
    let back = match form.about {
        ReasonFor::Edit { .. } => "back to the text",
        ReasonFor::Reject(_) => "back, the draft is kept",
        ReasonFor::Flag(_) | ReasonFor::Bulk(_) => "back",
    };
    let send = if matches!(form.about, ReasonFor::Bulk(_)) { "go on" } else { "send" };
    let hints = [
        (Action::Submit, send),
        (Action::PaneNext, "next field"),
        (Action::RepeatReason, "last reason"),
        (Action::Back, back),
    ];
    let hints = Line::from(ui.hints_in(&hints, cols));
    let mut tags = tags(ui, form, cols, false);
    // A short screen keeps the letters, what is typed, what is wrong and the keys; air, the field
    // that is empty and the tags' consequences give way.
    let room = usize::from(area.height.saturating_sub(2));
    let mut below = match &form.fault {
        Some(text) => vec![fault(ui, text), hints],
        None => vec![Line::default(), hints],
    };
    let short = |tags: usize, lines: usize, below: usize| tags + lines + below > room;
    if short(tags.len(), lines.len(), below.len()) && form.fault.is_none() {
        below.remove(0);
    }
    let idle = form.has_label() && form.field != Field::Label && form.label.said().is_none();
    if idle && short(tags.len(), lines.len(), below.len()) {
        lines.pop();
    }
    if short(tags.len(), lines.len(), below.len()) {
        tags = self::tags(ui, form, cols, true);
    }
    while short(tags.len(), lines.len(), below.len()) && tags.len() > 1 {
        tags.remove(0);
    }
    let lines: Vec<Line<'static>> = tags.into_iter().chain(lines).chain(below).collect();
    let mut title = vec![ui.span(
        Role::Title,
        match form.about {
            ReasonFor::Reject(_) => "reject ".to_owned(),
            ReasonFor::Edit { .. } => "why was it edited? ".to_owned(),
            ReasonFor::Flag(_) => "flag for a new review ".to_owned(),
            ReasonFor::Bulk(n) => {
                format!("reject {}", crate::text::many(n, "marked item", "marked items"))
            }
        },
    )];
    if let Some(id) = form.item() {
        title.extend(ui.one(Role::Title, id));
    }
    let at = centred(area, 76, height(lines.len()));
    let inside = padded(ui.boxed(at, title));
    let skip = lines.len().saturating_sub(usize::from(inside.height));
    ui.put_lines(inside, &lines, skip);
}

/// Every tag with its letter, side by side where they fit; those with a consequence alone. `tight`:
/// of a consequence only its sign, and its words once the tag is chosen.
fn tags(ui: &Ui<'_, '_>, form: &ReasonForm, cols: usize, tight: bool) -> Vec<Line<'static>> {
    let (mut lines, mut line): (Vec<Line<'static>>, Vec<Span<'static>>) = (Vec::new(), Vec::new());
    let widest = form.tags.iter().map(|(_, t)| width(&name(t))).max().unwrap_or(0).min(30) + 4;
    for (key, tag) in &form.tags {
        let role = if form.chosen.contains(&tag.id) { Role::Marked } else { Role::Text };
        let mut entry = vec![ui.span(Role::Key, format!("{key} "))];
        entry.extend(ui.one(role, &name(tag)));
        let chosen = form.chosen.contains(&tag.id);
        if let Some(what) = tag.consequence.as_ref().filter(|_| !tight || chosen) {
            if !line.is_empty() {
                lines.push(Line::from(std::mem::take(&mut line)));
            }
            let what = Clean::line_first(&format!("▲ {what}"), 300);
            let beside = cells(&entry) + 1 + width(what.as_str()) <= cols;
            if beside {
                entry.push(Span::raw(" "));
                entry.extend(ui.one(Role::Warn, what.as_str()));
            }
            lines.push(Line::from(fit(entry, cols)));
            if !beside {
                let parts = wrapped(ui.theme, Role::Warn, &what, cols.saturating_sub(2).max(8));
                lines.extend(
                    parts.into_iter().map(|p| Line::from([vec![Span::raw("  ")], p].concat())),
                );
            }
            continue;
        }
        if tag.consequence.is_some() {
            entry.push(ui.span(Role::Warn, " ▲"));
        }
        // In columns where there is room for them, one after another where there is not.
        let wide = if cols >= 60 { widest } else { cells(&entry) + 2 };
        let used = cells(&line);
        if used > 0 && used + wide > cols {
            lines.push(Line::from(std::mem::take(&mut line)));
        }
        let gap = wide.saturating_sub(cells(&entry));
        line.extend(fit(entry, wide.min(cols)));
        line.push(Span::raw(" ".repeat(gap)));
    }
    if !line.is_empty() {
        lines.push(Line::from(line));
    }
    lines
}

/// The id as people read it; a title may be long and stands in help.
fn name(tag: &TagView) -> String {
    let star = if tag.require_note { "*" } else { "" };
    format!("{}{star}", Clean::line_first(&tag.id.replace('_', " "), 28))
}
