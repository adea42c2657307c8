//! Verdicts that clash, side by side: what each person made of the same proposal.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::super::difference::diff_lines;
use super::super::paint::{cells, one, span, wrapped};
use super::{Document, MOST};
use crate::domain::{Review, VerdictKind};
use crate::text::{Clean, diff};
use crate::tui::app::verdict::past;
use crate::tui::theme::Role;

/// From here on two verdicts stand beside each other.
const WIDE: usize = 60;
/// Lines of one verdict while the rest of the item is folded.
const FOLDED: usize = 14;

impl Document<'_> {
    pub(super) fn clash(&mut self) {
        let Some(clash) = &self.view.clash else { return };
        let of = |id: &String| self.view.reviews.iter().find(|r| r.request_id == *id);
        let reviews: Vec<&Review> = clash.reviews.iter().filter_map(of).collect();
        if reviews.is_empty() {
            return;
        }
        self.blank();
        let mut heading = vec![self.heading("VERDICTS")];
        let text = match reviews.len() {
            1 => "came late and is kept: what do you say?",
            _ => "given without knowing of each other: what do you say?",
        };
        heading.push(span(self.theme, Role::Warn, text));
        self.lines.push(Line::from(heading));
        for pair in reviews.chunks(2) {
            match pair {
                [left, right] if self.cols >= WIDE => self.beside_each_other(left, right),
                _ => {
                    for review in pair {
                        let lines = self.said(review, self.cols.saturating_sub(2).max(8));
                        self.lines.extend(
                            lines
                                .into_iter()
                                .map(|line| Line::from([vec![Span::raw("  ")], line].concat())),
                        );
                    }
                }
            }
        }
    }

    fn beside_each_other(&mut self, left: &Review, right: &Review) {
        let room = (self.cols.saturating_sub(7) / 2).max(8);
        let (mut left, mut right) =
            (self.said(left, room).into_iter(), self.said(right, room).into_iter());
        loop {
            let (one, two) = (left.next(), right.next());
            if one.is_none() && two.is_none() {
                return;
            }
            let mut line = vec![Span::raw("  ")];
            let one = one.unwrap_or_default();
            let gap = room.saturating_sub(cells(&one));
            line.extend(one);
            line.push(Span::raw(" ".repeat(gap)));
            line.push(span(self.theme, Role::Border, "  │  "));
            line.extend(two.unwrap_or_default());
            self.lines.push(Line::from(line));
        }
    }

    /// One verdict in lines of at most `room` cells: who, what, why, and what it would make of it.
    fn said(&self, review: &Review, room: usize) -> Vec<Vec<Span<'static>>> {
        let theme = self.theme;
        let verdict = &review.verdict;
        let role = match verdict.verdict {
            VerdictKind::Accept => Role::Accepted,
            VerdictKind::Edit => Role::Edited,
            VerdictKind::Reject => Role::Rejected,
            VerdictKind::Escalate => Role::Escalated,
        };
        let mut head = one(theme, Role::Strong, &review.reviewer);
        head.push(Span::raw(" "));
        head.push(span(theme, role, past(verdict.verdict)));
        head.push(span(theme, Role::Dim, format!(" · level {}", review.level)));
        let mut lines = vec![super::super::paint::fit(head, room)];
        let mut say = |role: Role, text: &str| {
            lines.extend(wrapped(theme, role, &Clean::first(text, MOST), room));
        };
        if let Some(action) = &verdict.action {
            say(Role::Strong, &format!("→ {action}"));
        }
        if let Some(label) = &verdict.label {
            say(Role::Strong, &format!("right: {label}"));
        }
        if let Some(to) = &verdict.to {
            say(Role::Text, &format!("to {to}"));
        }
        if !verdict.tags.is_empty() {
            say(Role::Dim, &verdict.tags.join(", "));
        }
        if let Some(note) = &verdict.note {
            say(Role::Text, &format!("“{note}”"));
        }
        if let Some(output) = &verdict.output {
            let old = self.view.current.as_ref().map(|c| shown(&c.output)).unwrap_or_default();
            let (old, new) = (Clean::first(&old, MOST), Clean::first(&shown(output), MOST));
            let changed = diff_lines(theme, &diff(&old, &new), room);
            lines.extend(changed.into_iter().map(|line| line.spans));
        }
        if !self.full && lines.len() > FOLDED {
            let more = lines.len() - FOLDED;
            lines.truncate(FOLDED);
            lines.push(vec![span(theme, Role::Dim, format!("{more} more  (Tab)"))]);
        }
        lines
    }
}

/// An output as it is read: a text as it is, JSON by lines.
fn shown(output: &Value) -> String {
    match output {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
