//! The editor: text at the left, what changed at the right, faults where they are.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::field;
use crate::text::{Clean, DiffUnit, diff};
use crate::tui::app::{EditField, EditForm};
use crate::tui::keymap::Action;
use crate::tui::screens::cache::DiffKey;
use crate::tui::screens::{Ui, diff_lines, fit, two};
use crate::tui::theme::Role;

/// From here on text and changes stand side by side.
const WIDE: u16 = 90;
/// Characters of a text that are compared.
const MOST: usize = 60_000;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &EditForm) {
    ui.clear(area);
    let cols = usize::from(area.width);
    let mut title =
        vec![Span::raw(" "), ui.span(Role::Title, if form.repair { "repair " } else { "edit " })];
    title.extend(ui.one(Role::Title, &form.target.id));
    let right = vec![ui.span(Role::Dim, if form.json { "JSON " } else { "text " })];
    let head = two(title, right, cols);
    ui.put(area, 0, &head);

    let messages = messages(ui, form, cols);
    let below = 1 + u16::from(!form.repair) + u16::try_from(messages.len()).unwrap_or(0);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + below), ..area };
    let wide = area.width >= WIDE;
    let (text, changes) = if wide {
        let half = body.width / 2;
        let left = Rect { width: half, ..body };
        let right = Rect { x: body.x + half + 1, width: body.width - half - 1, ..body };
        let border = Line::from(ui.span(Role::Border, "│"));
        for y in 0..body.height {
            ui.put(Rect { x: body.x + half, width: 1, ..body }, y, &border);
        }
        (left, Some(right))
    } else if body.height >= 10 {
        let top = body.height * 3 / 5;
        let rule = Line::from(ui.span(Role::Border, "─".repeat(cols)));
        ui.put(body, top, &rule);
        let below = Rect { y: body.y + top + 1, height: body.height - top - 1, ..body };
        (Rect { height: top, ..body }, Some(below))
    } else {
        (body, None)
    };
    let text = Rect { x: text.x + 1, width: text.width.saturating_sub(2), ..text };
    if !text.is_empty() {
        ui.frame.render_widget(&form.area, text);
        faults(ui, form, text);
    }
    if let Some(area) = changes {
        let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        difference(ui, form, area);
    }
    let mut y = area.height.saturating_sub(below);
    for line in messages {
        ui.put(area, y, &line);
        y += 1;
    }
    if !form.repair {
        let line = field(ui, "action  ", &form.action, form.field == EditField::Action, cols);
        ui.put(area, y, &line);
    }
    let hints = [
        (Action::Submit, "send"),
        (Action::PaneNext, if form.field == EditField::Text { "action" } else { "text" }),
        (Action::ExternalEditor, "your editor"),
        (Action::Back, "back, the draft is kept"),
    ];
    let mut foot = vec![Span::raw(" ")];
    foot.extend(ui.hints(&hints));
    ui.put(area, area.height - 1, &Line::from(fit(foot, cols)));
}

fn messages(ui: &Ui<'_, '_>, form: &EditForm, cols: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if form.moved {
        lines.push(vec![ui.span(Role::BannerWarn, " ▲ the item has changed since you opened it; sending will be refused, your text is kept ")]);
    }
    if form.left_out > 0 {
        let plural = if form.left_out == 1 { "" } else { "s" };
        lines.push(vec![ui.span(
            Role::Warn,
            format!(
                " ▲ {} hidden character{plural} left out of this text; sending removes them",
                form.left_out
            ),
        )]);
    }
    if let Some(syntax) = &form.syntax {
        let at = format!(" ▲ line {}, column {}: ", syntax.line + 1, syntax.column + 1);
        let mut line = vec![ui.span(Role::Danger, at)];
        line.extend(ui.one(Role::Danger, &syntax.message));
        lines.push(line);
    }
    for fault in form.current_faults().iter().take(3) {
        let path = if fault.path.is_empty() { "output" } else { &fault.path };
        let mut line = vec![ui.span(Role::Danger, " ▲ ")];
        line.extend(ui.one(Role::InputFault, path));
        line.push(Span::raw("  "));
        line.extend(ui.one(Role::Danger, &fault.message));
        lines.push(line);
    }
    let more = form.current_faults().len().saturating_sub(3);
    if more > 0 {
        lines.push(vec![ui.span(Role::Danger, format!("   and {more} more"))]);
    }
    if let Some(message) = &form.message {
        let mut line = vec![Span::raw(" ")];
        line.extend(ui.one(Role::Accent, message));
        lines.push(line);
    }
    lines.into_iter().map(|spans| Line::from(fit(spans, cols))).collect()
}

/// What the edit changes so far.
fn difference(ui: &mut Ui<'_, '_>, form: &EditForm, area: Rect) {
    if area.is_empty() {
        return;
    }
    let cols = usize::from(area.width);
    let theme = ui.theme;
    let key = DiffKey { id: form.target.id.clone(), version: form.compared, cols };
    let lines = ui.cache.diff(key, || {
        let text = form.text();
        let found = diff(&Clean::first(&form.original, MOST), &Clean::first(&text, MOST));
        if found.is_same() {
            let note = "nothing is changed yet";
            return vec![Line::from(crate::tui::screens::span(theme, Role::Dim, note))];
        }
        let mut lines = diff_lines(theme, &found, cols);
        if found.unit != DiffUnit::Words {
            let note = "long text: compared by lines";
            lines.push(Line::from(crate::tui::screens::span(theme, Role::Dim, note)));
        }
        lines
    });
    // The change nearest the cursor is in sight: the same share of the way down.
    let room = usize::from(area.height);
    let row = form.area.cursor().0;
    let all = form.area.lines().len().max(1);
    let skip =
        (lines.len() * row / all).saturating_sub(room / 2).min(lines.len().saturating_sub(room));
    let part: Vec<Line<'static>> = lines.iter().skip(skip).take(room).cloned().collect();
    ui.put_lines(area, &part, 0);
}

/// Underlines what is wrong, where it is: the place JSON breaks, the lines the schema refuses.
fn faults(ui: &mut Ui<'_, '_>, form: &EditForm, area: Rect) {
    let mut places: Vec<(usize, usize)> = Vec::new();
    if let Some(syntax) = &form.syntax {
        places.push((syntax.line, syntax.column.saturating_sub(1)));
    } else {
        let text = form.text();
        let lines = form.area.lines();
        for fault in form.current_faults() {
            if let Some(line) = line_of(&text, lines, &fault.path) {
                let indent = lines.get(line).map_or(0, |l| l.len() - l.trim_start().len());
                places.push((line, indent));
            }
        }
    }
    if places.is_empty() {
        return;
    }
    let style = ui.theme.style(Role::InputFault);
    let (top, left) = form.area.scroll_offset();
    for y in 0..area.height {
        for x in 0..area.width {
            let at = form.area.screen_to_data(usize::from(top + y), usize::from(left + x));
            let line = form.area.lines().get(at.0).map_or(0, |l| l.chars().count());
            let hit = places.iter().any(|(row, col)| at.0 == *row && at.1 >= *col);
            // Beyond the end of a line the position stays at its end: one cell there is enough.
            let end = at.1 >= line && x > 0;
            let past = end && {
                let before =
                    form.area.screen_to_data(usize::from(top + y), usize::from(left + x - 1));
                before.1 >= line
            };
            if hit
                && !past
                && let Some(cell) = ui.frame.buffer_mut().cell_mut((area.x + x, area.y + y))
            {
                cell.set_style(style);
            }
        }
    }
}

/// The line of pretty JSON on which the value at a dotted path begins.
fn line_of(text: &str, lines: &[String], path: &str) -> Option<usize> {
    // Walk down the path: each part must stand after its parent.
    let value: Value = serde_json::from_str(text).ok()?;
    let (mut at, mut here) = (0, &value);
    for part in path.split('.').filter(|p| !p.is_empty()) {
        match here {
            Value::Object(fields) => {
                let Some(next) = fields.get(part) else { break };
                let key = format!("{}:", Value::String(part.to_owned()));
                at = (at..lines.len())
                    .find(|i| lines.get(*i).is_some_and(|l| l.trim_start().starts_with(&key)))?;
                here = next;
            }
            Value::Array(items) => {
                let Some(next) = part.parse::<usize>().ok().and_then(|i| items.get(i)) else {
                    break;
                };
                here = next;
            }
            _ => break,
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_line() {
        let text = "{\n  \"a\": 1,\n  \"b\": {\n    \"a\": 2\n  }\n}";
        let lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        assert_eq!(line_of(text, &lines, "a"), Some(1));
        assert_eq!(line_of(text, &lines, "b.a"), Some(3));
        assert_eq!(line_of(text, &lines, ""), Some(0));
        assert_eq!(line_of(text, &lines, "b.missing"), Some(2));
        assert_eq!(line_of("{", &lines, "a"), None);
    }
}
