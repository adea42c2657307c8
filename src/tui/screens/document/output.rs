//! What is proposed: a text, a readable tree, what an edit made of it, what came along.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::super::difference::diff_lines;
use super::super::paint::{bar, cells, clean, one, probability, span, two, wrapped};
use super::{Document, MOST};
use crate::domain::{Kind, VerdictKind};
use crate::text::{Clean, DiffUnit, Folds, NodeKind, Tree, diff, pad, tree};
use crate::tui::theme::Role;

impl Document<'_> {
    pub(super) fn proposal(&mut self) {
        if self.view.kind == Kind::Quarantine {
            return self.broken();
        }
        let Some(current) = &self.view.current else { return };
        self.blank();
        let theme = self.theme;
        let proposed = self.view.record.get("output");
        let edited = proposed.is_some_and(|p| *p != current.output)
            || self.view.record.get("action").and_then(Value::as_str) != Some(&current.action);
        let by = self
            .view
            .reviews
            .iter()
            .rev()
            .find(|r| r.verdict.verdict == VerdictKind::Edit && !r.undone);
        let mut heading = vec![self.heading("PROPOSAL")];
        if edited && let Some(by) = by {
            heading.push(span(theme, Role::Edited, "as edited by "));
            heading.extend(one(theme, Role::Edited, &by.reviewer));
        }
        let confidence = self.view.record.get("confidence").and_then(Value::as_f64);
        let right = confidence
            .map(|p| {
                let mut spans = vec![span(theme, Role::Dim, "confidence ")];
                spans.extend(bar(theme, p, 10));
                spans.push(Span::raw(format!(" {}", probability(p))));
                spans
            })
            .unwrap_or_default();
        self.lines.push(two(heading, right, self.cols));
        match &current.output {
            Value::String(text) => {
                let mut action = vec![Span::raw("  ")];
                action.extend(one(theme, Role::Strong, &current.action));
                self.lines.push(Line::from(action));
                match proposed.and_then(Value::as_str).filter(|old| edited && *old != text) {
                    Some(old) => self.difference(old, text),
                    None => self.under(Role::Text, text),
                }
            }
            object => self.tree(&current.action, object),
        }
    }

    /// What an edit changed, word by word.
    pub(super) fn difference(&mut self, old: &str, new: &str) {
        let (old, new) = (Clean::first(old, MOST), Clean::first(new, MOST));
        let found = diff(&old, &new);
        self.lines.extend(
            diff_lines(self.theme, &found, self.cols.saturating_sub(2))
                .into_iter()
                .map(|l| Line::from([vec![Span::raw("  ")], l.spans].concat())),
        );
        if found.unit != DiffUnit::Words {
            self.lines.push(Line::from(span(
                self.theme,
                Role::Dim,
                "  compared by lines, the text is long",
            )));
        }
    }

    /// A JSON output: the action and small values on one line where they fit, else a tree.
    pub(super) fn tree(&mut self, action: &str, output: &Value) {
        let theme = self.theme;
        let rows = tree(output, &Folds::default(), if self.full { 400 } else { 24 });
        let mut line = vec![Span::raw("  ")];
        line.extend(one(theme, Role::Strong, action));
        let short =
            rows.nodes.len() <= 4 && rows.nodes.iter().all(|n| n.depth == 0 && n.folded.is_none());
        if short {
            let mut inline = Vec::new();
            for node in &rows.nodes {
                // The action said twice is noise.
                if node.value.as_str() == action {
                    continue;
                }
                inline.push(Span::raw("    "));
                inline.extend(clean(theme, Role::Dim, &node.key));
                inline.push(Span::raw(" "));
                inline.extend(clean(theme, Role::Text, &node.value));
            }
            if cells(&line) + cells(&inline) <= self.cols {
                line.extend(inline);
                self.lines.push(Line::from(line));
                return;
            }
        }
        self.lines.push(Line::from(line));
        self.tree_rows(&rows);
    }

    pub(super) fn tree_rows(&mut self, rows: &Tree) {
        let theme = self.theme;
        let key = |depth: usize, k: &str| depth * 2 + crate::text::width(k);
        let widest = rows.nodes.iter().map(|n| key(n.depth, n.key.as_str())).max().unwrap_or(0);
        let indent = widest.min(self.cols / 2).min(28);
        for node in &rows.nodes {
            let name = format!("{}{}", "  ".repeat(node.depth), node.key);
            let role = match node.kind {
                NodeKind::Null => Role::Dim,
                _ if node.folded.is_some() => Role::Dim,
                _ => Role::Text,
            };
            let room = self.cols.saturating_sub(indent + 4).max(8);
            let mut lead = Some(span(theme, Role::Dim, format!("  {}  ", pad(&name, indent))));
            for spans in wrapped(theme, role, &node.value, room) {
                let lead = lead.take().unwrap_or_else(|| Span::raw(" ".repeat(indent + 4)));
                self.lines.push(Line::from([vec![lead], spans].concat()));
            }
            if let Some(lead) = lead {
                self.lines.push(Line::from(lead));
            }
        }
        if rows.more > 0 {
            self.lines.push(Line::from(span(
                theme,
                Role::Dim,
                format!("  {} more  (Tab)", rows.more),
            )));
        }
    }

    /// A broken record is shown as it is: whatever there is of it.
    pub(super) fn broken(&mut self) {
        self.blank();
        self.lines.push(Line::from(self.heading("RECORD")));
        let rows = tree(&self.view.record, &Folds::default(), if self.full { 400 } else { 30 });
        self.tree_rows(&rows);
    }

    pub(super) fn handed_over(&mut self) {
        let Some(content) = &self.view.handed_over else { return };
        self.blank();
        self.lines.push(Line::from(vec![
            self.heading("HANDED OVER"),
            span(self.theme, Role::Escalated, "a draft came with the escalation"),
        ]));
        let text = crate::tui::app::show_output(&content.output);
        let mut action = vec![Span::raw("  ")];
        action.extend(one(self.theme, Role::Strong, &content.action));
        self.lines.push(Line::from(action));
        self.under(Role::Text, &text);
    }
}
