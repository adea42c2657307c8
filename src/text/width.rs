//! How many terminal cells a text takes, and text cut or filled to a number of cells.

use unicode_width::UnicodeWidthStr;

use super::character::{graphemes, is_sound_mark};

/// The sign that something was cut off.
const ELLIPSIS: char = '…';

/// The cells a text takes, measured as ratatui measures it. Meant for clean text.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.width() + text.chars().filter(|c| is_sound_mark(*c)).count()
}

/// The text in at most `cols` cells, ended by `…` where it was cut. Never cuts a grapheme.
///
/// ```
/// use overrule::text::truncate;
///
/// assert_eq!(truncate("mortgage", 8), "mortgage");
/// assert_eq!(truncate("mortgage", 5), "mort…");
/// assert_eq!(truncate("日本語", 4), "日…");
/// ```
pub fn truncate(text: &str, cols: usize) -> String {
    if width(text) <= cols {
        return text.to_owned();
    }
    let Some(room) = cols.checked_sub(1) else { return String::new() };
    let mut short = String::new();
    let mut used = 0;
    for (_, grapheme) in graphemes(text) {
        used += width(grapheme);
        if used > room {
            break;
        }
        short.push_str(grapheme);
    }
    short.push(ELLIPSIS);
    short
}

/// The text in exactly `cols` cells: cut as [`truncate`] does, filled with blanks after it.
pub fn pad(text: &str, cols: usize) -> String {
    let mut text = truncate(text, cols);
    text.extend(std::iter::repeat_n(' ', cols.saturating_sub(width(&text))));
    text
}

/// As [`pad`], with the blanks before it: for numbers.
pub fn pad_left(text: &str, cols: usize) -> String {
    let text = truncate(text, cols);
    let mut padded = " ".repeat(cols.saturating_sub(width(&text)));
    padded.push_str(&text);
    padded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::CellWidth as _;

    use super::*;
    use crate::text::Clean;

    #[test]
    fn measures_cells() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("👨‍👩‍👧"), 2);
        assert_eq!(width("🇩🇪"), 2);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width(""), 0);
    }

    #[test]
    fn cuts_between_graphemes() {
        assert_eq!(truncate("👨‍👩‍👧 family", 3), "👨‍👩‍👧…");
        assert_eq!(truncate("👨‍👩‍👧 family", 2), "…");
        assert_eq!(truncate("abc", 0), "");
        assert_eq!(truncate("", 0), "");
        assert_eq!(truncate("abc", 1), "…");
    }

    #[test]
    fn fills_to_the_cell() {
        assert_eq!(pad("日", 4), "日  ");
        assert_eq!(pad("日本語", 4), "日… ");
        assert_eq!(pad_left("0.9", 5), "  0.9");
        assert_eq!(pad_left("12345", 3), "12…");
    }

    proptest! {
        #[test]
        fn agrees_with_ratatui_on_clean_text(raw in "[\\PCｦ-ﾟ؀-ۿ]{0,12}") {
            let clean = Clean::line(&raw);
            prop_assert_eq!(width(clean.as_str()), usize::from(clean.as_str().cell_width()));
        }

        #[test]
        fn padded_text_fills_its_cells(raw in any::<String>(), cols in 0_usize..40) {
            let clean = Clean::line(&raw);
            prop_assert_eq!(width(&pad(clean.as_str(), cols)), cols);
            prop_assert_eq!(width(&pad_left(clean.as_str(), cols)), cols);
        }
    }
}
