//! The policy in force: its name, hash, queues and source.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::cards::{page, queues};
use super::paint::{Ui, clean_part};
use crate::text::{Clean, pad, wrap};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, body: Rect) {
    let Some(policy) = ui.state.policy.clone() else {
        let line = Line::from(ui.span(Role::Dim, " reading the policy…"));
        ui.put(body, 1, &line);
        return;
    };
    let cols = usize::from(body.width);
    let mut lines = vec![Line::default()];
    for (label, text) in [(" POLICY", &policy.name), (" HASH", &policy.hash)] {
        let mut line = vec![ui.span(Role::Heading, pad(label, 12))];
        line.extend(ui.one(Role::Text, text));
        lines.push(Line::from(line));
    }
    let grace = format!("{} s to take a verdict back", policy.grace_ms as f64 / 1000.0);
    lines.push(Line::from(vec![
        ui.span(Role::Heading, pad(" GRACE", 12)),
        ui.span(Role::Text, grace),
    ]));
    lines.push(Line::default());
    let counted = ui.state.header.as_ref().map_or(&policy.queues, |h| &h.queues);
    lines.extend(queues(ui, counted));
    lines.push(Line::default());
    let theme = ui.theme;
    let source = ui.cache.page(format!("policy {}", policy.hash), cols, || {
        let text = Clean::new(&policy.source);
        let numbers = policy.source.lines().count().max(1).to_string().len();
        let mut lines = Vec::new();
        let mut at = 0;
        for (n, raw) in text.as_str().split('\n').enumerate() {
            let range = at..at + raw.len();
            at = range.end + 1;
            let comment = raw.trim_start().starts_with('#');
            let header = raw.trim_start().starts_with('[');
            let role = match (comment, header) {
                (true, _) => Role::Dim,
                (_, true) => Role::Accent,
                _ => Role::Text,
            };
            let mut lead = Some(format!(" {:>numbers$}  ", n + 1));
            let blank = " ".repeat(numbers + 3);
            for part in wrap(raw, cols.saturating_sub(numbers + 4).max(8)) {
                let lead = lead.take().unwrap_or_else(|| blank.clone());
                let mut spans = vec![super::paint::span(theme, Role::Dim, lead)];
                let part = range.start + part.start..range.start + part.end;
                spans.extend(clean_part(theme, role, &text, part));
                lines.push(Line::from(spans));
            }
            if let Some(lead) = lead {
                lines.push(Line::from(super::paint::span(theme, Role::Dim, lead)));
            }
        }
        lines
    });
    lines.push(Line::from(Span::styled(" SOURCE", theme.style(Role::Heading))));
    lines.extend_from_slice(source);
    page(ui, body, lines);
}
