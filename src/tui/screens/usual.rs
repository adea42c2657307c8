//! What is usual: a number against the numbers of its cohort and model, at a glance.

use ratatui::text::Span;

use super::chart::level;
use super::paint::{cells, fit, one, span};
use crate::protocol::UsualView;
use crate::tui::theme::{Role, Theme};

/// Bins drawn at most.
const MOST: usize = 16;

/// The field that a place in the input is compared under: `/income` is `input.income`.
pub fn of<'a>(usual: &'a [UsualView], pointer: &str) -> Option<&'a UsualView> {
    let path = pointer.trim_start_matches('/').replace('/', ".");
    usual.iter().find(|u| u.field.strip_prefix("input.").unwrap_or(&u.field) == path)
}

/// What it is compared with, for the heading: `vs. usual for race:white · loan-gb@3.1`.
pub fn against(theme: &Theme, usual: &[UsualView], cols: usize) -> Vec<Span<'static>> {
    let Some(first) = usual.first() else { return Vec::new() };
    let whom = first.against.strip_prefix("cohort ").unwrap_or(&first.against);
    let lead = if cols >= 50 { "vs. usual for " } else { "vs. " };
    let mut spans = vec![span(theme, Role::Dim, lead)];
    spans.extend(one(theme, Role::Dim, whom));
    fit(spans, cols)
}

/// Bins of the longest histogram among these: words stand under one another after it.
pub fn widest(usual: &[UsualView]) -> usize {
    usual.iter().map(|u| u.shares.len()).filter(|n| *n <= MOST).max().unwrap_or(0)
}

/// The histogram with the value's bin in brackets, in room for `widest` bins, and `← high` where
/// it is unusual; in at most `cols` cells, the word first to stay.
pub fn beside(theme: &Theme, usual: &UsualView, widest: usize, cols: usize) -> Vec<Span<'static>> {
    let (word, role) = match usual.unusual.as_deref() {
        Some("low") => ("← low", Role::Warn),
        Some("high") => ("← high", Role::Warn),
        Some(_) => ("← unusual", Role::Warn),
        None => ("", Role::Dim),
    };
    let mut spans = Vec::new();
    let bins = usual.shares.len();
    if (1..=MOST).contains(&bins) && cols >= bins + 3 + word.len() {
        let most = usual.shares.iter().copied().filter(|s| s.is_finite()).fold(0.0, f64::max);
        let draw = |shares: &[f64]| shares.iter().map(|s| level(*s, most)).collect::<String>();
        let at = usual.bin.min(bins - 1);
        let (before, rest) = usual.shares.split_at_checked(at).unwrap_or((&[], &[]));
        let (here, after) = rest.split_at_checked(1).unwrap_or((rest, &[]));
        let look = if word.is_empty() { Role::Strong } else { Role::Warn };
        spans.push(span(theme, Role::ChartReference, draw(before)));
        spans.push(span(theme, look, format!("[{}]", draw(here))));
        spans.push(span(theme, Role::ChartReference, draw(after)));
        let room = widest.min(cols.saturating_sub(3 + word.len()));
        spans.push(Span::raw(" ".repeat(room.saturating_sub(bins) + 1)));
    }
    spans.push(span(theme, role, word));
    if cells(&spans) > cols { fit(vec![span(theme, role, word)], cols) } else { spans }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shares: &[f64], bin: usize, unusual: Option<&str>) -> UsualView {
        UsualView {
            field: "input.a.income".into(),
            value: 1.0,
            shares: shares.to_vec(),
            bin,
            rank: 0.5,
            unusual: unusual.map(str::to_owned),
            against: "cohort race:white · m@1".into(),
            n: 100,
        }
    }

    fn text(spans: &[Span<'_>]) -> String {
        spans.iter().map(|s| s.content.as_ref()).collect()
    }

    #[test]
    fn the_bin_of_the_value_is_marked_by_shape() {
        let theme = Theme::default();
        let show = |bin, unusual, cols| {
            let view = view(&[0.1, 0.4, 0.2], bin, unusual);
            text(&beside(&theme, &view, 5, cols)).trim_end().to_owned()
        };
        assert_eq!(show(1, None, 40), "▃[█]▅");
        assert_eq!(show(2, Some("high"), 40), "▃█[▅]   ← high");
        assert_eq!(show(99, Some("low"), 40), "▃█[▅]   ← low");
        // Where there is no room for the picture, the word is left.
        assert_eq!(show(2, Some("high"), 8), "← high");
        assert_eq!(show(2, None, 5), "");
    }

    #[test]
    fn fields_are_found_by_their_place_in_the_input() {
        let all = [view(&[1.0], 0, None)];
        assert!(of(&all, "/a/income").is_some());
        assert!(of(&all, "/income").is_none());
        let heading = text(&against(&Theme::default(), &all, 60));
        assert_eq!(heading, "vs. usual for race:white · m@1");
    }
}
