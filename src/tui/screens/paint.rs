//! The pen: roles and clean text become spans, spans become lines that fit.

use std::ops::Range;

use jiff::SignedDuration;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use super::cache::Cache;
use crate::domain::Timestamp;
use crate::protocol::Refused;
use crate::text::{Clean, SegmentKind, time, truncate, width, wrap};
use crate::tui::app::{Painted, State};
use crate::tui::keymap::Action;
use crate::tui::theme::{Role, Theme};

/// Everything a screen draws with, and the record of what it drew.
pub struct Ui<'a, 'f> {
    pub frame: &'a mut Frame<'f>,
    pub state: &'a State,
    pub theme: &'a Theme,
    pub cache: &'a mut Cache,
    pub painted: Painted,
    /// Lines of the item below the last one shown.
    pub below: usize,
}

/// Our own words in a role. For foreign text use [`clean`].
pub fn span(theme: &Theme, role: Role, text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), theme.style(role))
}

/// Foreign text in a role; what it hid stands out.
pub fn clean(theme: &Theme, role: Role, text: &Clean) -> Vec<Span<'static>> {
    clean_part(theme, role, text, 0..text.as_str().len())
}

/// A byte range of foreign text.
pub fn clean_part(
    theme: &Theme,
    role: Role,
    text: &Clean,
    range: Range<usize>,
) -> Vec<Span<'static>> {
    text.segments_in(range)
        .map(|(kind, piece)| {
            let role = match kind {
                SegmentKind::Text => role,
                SegmentKind::Hidden => Role::Hidden,
                SegmentKind::Notice => Role::Dim,
            };
            Span::styled(piece.to_owned(), theme.style(role))
        })
        .collect()
}

/// Foreign text for one line.
pub fn one(theme: &Theme, role: Role, raw: &str) -> Vec<Span<'static>> {
    clean(theme, role, &Clean::line_first(raw, 400))
}

/// Foreign text wrapped to `cols`.
pub fn wrapped(theme: &Theme, role: Role, text: &Clean, cols: usize) -> Vec<Vec<Span<'static>>> {
    wrap(text.as_str(), cols).map(|range| clean_part(theme, role, text, range)).collect()
}

/// Our own words wrapped to `cols`, each line led by `lead`.
pub fn wrapped_ours(
    theme: &Theme,
    role: Role,
    text: &str,
    cols: usize,
    lead: &'static str,
) -> Vec<Line<'static>> {
    wrap(text, cols.max(8))
        .map(|range| {
            let part = text.get(range).unwrap_or_default().to_owned();
            Line::from(vec![Span::raw(lead), span(theme, role, part)])
        })
        .collect()
}

/// Cells the spans take.
pub fn cells(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|s| width(&s.content)).sum()
}

/// The spans in at most `cols` cells, ended by `…` where they were cut.
pub fn fit(spans: Vec<Span<'static>>, cols: usize) -> Vec<Span<'static>> {
    if cells(&spans) <= cols {
        return spans;
    }
    let (mut used, mut out) = (0, Vec::new());
    for span in spans {
        let w = width(&span.content);
        if used + w < cols {
            used += w;
            out.push(span);
            continue;
        }
        // One cell is kept for the sign of the cut.
        let mut text = truncate(&span.content, cols.saturating_sub(used));
        if !text.ends_with('…') && cols > used {
            text = truncate(&format!("{text} "), cols - used);
        }
        out.push(Span::styled(text, span.style));
        break;
    }
    out
}

/// `left` from the left edge, `right` at the right one; where both do not fit, `left` is cut.
pub fn two(left: Vec<Span<'static>>, right: Vec<Span<'static>>, cols: usize) -> Line<'static> {
    let mut right = fit(right, cols);
    let taken = cells(&right);
    let room = cols.saturating_sub(taken + usize::from(taken > 0));
    let mut spans = fit(left, room);
    let gap = cols.saturating_sub(cells(&spans) + taken);
    if taken > 0 {
        spans.push(Span::raw(" ".repeat(gap)));
        spans.append(&mut right);
    }
    Line::from(spans)
}

/// `▓▓▓▓▓▓▓░░░`: `share` (0..=1) of `cols` cells.
pub fn bar(theme: &Theme, share: f64, cols: usize) -> Vec<Span<'static>> {
    let full = portion(share, cols);
    vec![
        span(theme, Role::Bar, "▓".repeat(full)),
        span(theme, Role::BarEmpty, "░".repeat(cols - full)),
    ]
}

/// How many of `cols` cells a share fills, rounded; never none for a share above zero.
fn portion(share: f64, cols: usize) -> usize {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    (1..=cols).rev().find(|n| (*n as f64 - 0.5) / (cols as f64) <= share).unwrap_or(0)
}

/// A probability as `.71`; `1.0` for what rounds to one.
pub fn probability(p: f64) -> String {
    if !p.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{p:.2}");
    match text.strip_prefix('0') {
        Some(rest) => rest.to_owned(),
        None => "1.0".to_owned(),
    }
}

/// A number without needless digits: `8`, `0.5`, `37.25`.
pub fn number(n: f64) -> String {
    if n.fract() == 0.0 { format!("{n:.0}") } else { format!("{n}") }
}

/// A count with its thousands apart: `12 345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(d);
    }
    out
}

/// The row under the cursor: its look goes under that of its spans, up to the right edge.
pub fn selected(ui: &Ui<'_, '_>, line: Line<'static>, here: bool, cols: usize) -> Line<'static> {
    if !here {
        return line;
    }
    let selection = ui.theme.style(Role::Selection);
    let gap = cols.saturating_sub(cells(&line.spans));
    let mut spans = line.spans;
    spans.push(Span::raw(" ".repeat(gap)));
    for span in &mut spans {
        span.style = selection.patch(span.style);
    }
    Line::from(spans)
}

impl Ui<'_, '_> {
    /// Draws a line into row `y` of `area`, cut at its right edge.
    pub fn put(&mut self, area: Rect, y: u16, line: &Line<'static>) {
        if y < area.height {
            let at = (area.x, area.y.saturating_add(y));
            self.frame.buffer_mut().set_line(at.0, at.1, line, area.width);
        }
    }

    /// Draws lines from the top of `area`, the first `skip` left out.
    pub fn put_lines(&mut self, area: Rect, lines: &[Line<'static>], skip: usize) {
        for (y, line) in (0..area.height).zip(lines.iter().skip(skip)) {
            self.put(area, y, line);
        }
    }

    /// Says in the first lines of `area` why something could not be read, and what to do; the
    /// area that is left.
    pub fn refusal(&mut self, area: Rect, what: &str, refused: &Refused) -> Rect {
        let mut text = format!("▲ {what}: {}", refused.message);
        if let Some(hint) = &refused.hint {
            text.push_str(&format!(" · {hint}"));
        }
        let text = Clean::line_first(&text, 600);
        let cols = usize::from(area.width).saturating_sub(2).max(8);
        let lines: Vec<Line<'static>> = wrapped(self.theme, Role::Danger, &text, cols)
            .into_iter()
            .map(|spans| Line::from([vec![Span::raw(" ")], spans].concat()))
            .collect();
        self.put_lines(area, &lines, 0);
        let taken = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
        Rect { y: area.y + taken, height: area.height - taken, ..area }
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        self.frame.render_widget(Clear, area);
    }

    /// An empty box with a title; the area inside it.
    pub fn boxed(&mut self, area: Rect, title: Vec<Span<'static>>) -> Rect {
        self.clear(area);
        let mut spans = vec![Span::raw(" ")];
        spans.extend(fit(title, usize::from(area.width.saturating_sub(6))));
        spans.push(Span::raw(" "));
        let block = Block::bordered()
            .border_style(self.theme.style(Role::BorderFocus))
            .title(Line::from(spans).style(self.theme.style(Role::Title)));
        let inside = block.inner(area);
        self.frame.render_widget(block, area);
        inside
    }

    pub fn span(&self, role: Role, text: impl Into<String>) -> Span<'static> {
        span(self.theme, role, text)
    }

    /// Foreign text for one line.
    pub fn one(&self, role: Role, raw: &str) -> Vec<Span<'static>> {
        one(self.theme, role, raw)
    }

    /// Time left until a due time (desk time), with the look it deserves.
    pub fn due(&mut self, due: Timestamp) -> Span<'static> {
        let left = due.duration_since(self.state.desk_now());
        let ticks = self.state.header.as_ref().is_none_or(|h| h.clock != "record");
        if ticks {
            self.painted.counts_down(left);
        }
        let role = match left.as_secs() {
            ..0 => Role::DueLate,
            0..300 => Role::DueSoon,
            _ => Role::Text,
        };
        self.span(role, short_left(left))
    }

    /// Time left until a wall time.
    pub fn until(&mut self, until: Timestamp) -> String {
        let left = until.duration_since(self.state.now);
        self.painted.counts_down(left);
        time::left(left)
    }

    /// The first key of an action where the reviewer is, if it has one.
    pub fn key(&self, action: Action) -> Option<String> {
        self.state.keys.map.keys_for(self.state.context(), action).into_iter().next()
    }

    /// A key and what it does: ` a accept`.
    pub fn hint(&self, action: Action, label: &str) -> Vec<Span<'static>> {
        match self.key(action) {
            Some(key) => {
                vec![self.span(Role::Key, key), self.span(Role::KeyLabel, format!(" {label}"))]
            }
            None => Vec::new(),
        }
    }

    /// Hints in a row that fits: the first and the last stay, those between go from the end.
    pub fn hints_in(&self, hints: &[(Action, &str)], cols: usize) -> Vec<Span<'static>> {
        let mut hints = hints.to_vec();
        loop {
            let spans = self.hints(&hints);
            if cells(&spans) <= cols || hints.len() <= 2 {
                return fit(spans, cols);
            }
            hints.remove(hints.len() - 2);
        }
    }

    /// Hints in a row, two blanks apart.
    pub fn hints(&self, hints: &[(Action, &str)]) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        for (action, label) in hints {
            let hint = self.hint(*action, label);
            if !hint.is_empty() {
                if !spans.is_empty() {
                    spans.push(Span::raw("  "));
                }
                spans.extend(hint);
            }
        }
        spans
    }
}

/// Time left in at most five cells, for columns: `9m`, `−22m` where it has passed.
fn short_left(left: SignedDuration) -> String {
    let sign = if left.as_secs() < 0 { "−" } else { "" };
    format!("{sign}{}", time::short(left))
}

/// A box of at most this size in the middle of `area`.
pub fn centred(area: Rect, columns: u16, rows: u16) -> Rect {
    let (width, height) = (columns.min(area.width), rows.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &Line<'_>) -> String {
        line.spans.iter().map(|s| s.content.as_ref()).collect()
    }

    #[test]
    fn numbers_read_as_on_paper() {
        assert_eq!(probability(0.714), ".71");
        assert_eq!(probability(0.0), ".00");
        assert_eq!(probability(0.999), "1.0");
        assert_eq!(probability(f64::NAN), "–");
        assert_eq!(number(8.0), "8");
        assert_eq!(number(7.5), "7.5");
        assert_eq!(count(1_234_567), "1\u{a0}234\u{a0}567");
        assert_eq!(count(999), "999");
    }

    #[test]
    fn time_left_fits_its_column() {
        let left = |s| short_left(SignedDuration::from_secs(s));
        assert_eq!(left(9 * 60 + 5), "9m");
        assert_eq!(left(-22 * 60), "−22m");
        assert_eq!(left(-119 * 60), "−119m");
        assert_eq!(left(0), "0s");
    }

    #[test]
    fn a_bar_fills_by_halves() {
        for (share, full) in [(0.0, 0), (0.04, 0), (0.05, 1), (0.71, 7), (0.75, 8), (1.0, 10)] {
            assert_eq!(portion(share, 10), full, "{share}");
        }
        assert_eq!(portion(f64::NAN, 10), 0);
        assert_eq!(portion(7.0, 10), 10);
    }

    #[test]
    fn the_left_part_gives_way() {
        let s = |t: &str| vec![Span::raw(t.to_owned())];
        assert_eq!(text(&two(s("left"), s("right"), 12)), "left   right");
        assert_eq!(text(&two(s("much too long"), s("right"), 12)), "much … right");
        assert_eq!(text(&two(s("left"), s("right"), 3)), "ri…");
        assert_eq!(text(&two(s("left"), vec![], 3)), "le…");
        let cut = fit(vec![Span::raw("ab"), Span::raw("cd"), Span::raw("ef")], 4);
        assert_eq!(text(&Line::from(cut)), "abc…");
    }
}
