//! What happened to the item: since when it waits, who said what.

use ratatui::text::{Line, Span};

use super::super::paint::{one, span, wrapped};
use super::{Document, LABEL};
use crate::domain::{Review, Timestamp, VerdictKind};
use crate::text::{Clean, time};
use crate::tui::app::verdict::past;
use crate::tui::theme::Role;

impl Document<'_> {
    pub(super) fn history(&mut self, now: Timestamp) {
        self.blank();
        let theme = self.theme;
        let ago = |at: Timestamp| time::ago(now.duration_since(at));
        let mut first = vec![self.heading("HISTORY"), span(theme, Role::Dim, "in ")];
        first.extend(one(theme, Role::Text, &self.view.queue));
        first.push(span(theme, Role::Dim, format!(" since {}", ago(self.view.entered_at))));
        if let Some(due) = self.view.due_at {
            let left = due.duration_since(now);
            // Told by the minute, as long as the document is kept.
            let near = left.as_secs().abs() < 60;
            let (role, text) = match (left.is_negative(), near) {
                (true, true) => (Role::DueLate, "just late".to_owned()),
                (true, false) => (Role::DueLate, time::left(left)),
                (false, true) => (Role::DueSoon, "due within a minute".to_owned()),
                (false, false) => (Role::Dim, format!("due in {}", time::left(left))),
            };
            first.push(span(theme, Role::Dim, " · "));
            first.push(span(theme, role, text));
        }
        self.lines.push(Line::from(first));
        for review in &self.view.reviews {
            let line = self.review(review, &ago(review.at));
            self.lines.extend(line);
        }
    }

    pub(super) fn review(&self, review: &Review, ago: &str) -> Vec<Line<'static>> {
        let theme = self.theme;
        let role = match review.verdict.verdict {
            VerdictKind::Accept => Role::Accepted,
            VerdictKind::Edit => Role::Edited,
            VerdictKind::Reject => Role::Rejected,
            VerdictKind::Escalate => Role::Escalated,
        };
        let mut line = vec![Span::raw(" ".repeat(LABEL))];
        line.extend(one(theme, Role::Text, &review.reviewer));
        line.push(Span::raw(" "));
        line.push(span(theme, role, past(review.verdict.verdict)));
        let mut rest = format!(" {ago} · level {} · {}", review.level, review.queue);
        if review.undone {
            rest.push_str(" · taken back");
        }
        let clashes = |c: &crate::domain::Clash| c.reviews.contains(&review.request_id);
        if self.view.clash.as_ref().is_some_and(clashes) {
            rest.push_str(" · clashes");
        }
        if review.signature.is_some() {
            rest.push_str(" · signed");
        }
        if let Some(agreed) = review.agreed {
            rest.push_str(if agreed {
                " · blind answer agreed"
            } else {
                " · blind answer differed"
            });
        }
        if let Some(to) = &review.verdict.to {
            rest.push_str(&format!(" · to {to}"));
        }
        if !review.verdict.tags.is_empty() {
            rest.push_str(&format!(" · {}", review.verdict.tags.join(", ")));
        }
        line.extend(one(theme, Role::Dim, &rest));
        let mut lines = vec![Line::from(line)];
        if let Some(note) = &review.verdict.note {
            let text = Clean::line_first(note, 2000);
            for spans in
                wrapped(theme, Role::Text, &text, self.cols.saturating_sub(LABEL + 2).max(8))
            {
                let lead = Span::raw(" ".repeat(LABEL + 2));
                lines.push(Line::from([vec![lead], spans].concat()));
            }
        }
        lines
    }
}
