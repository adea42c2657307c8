//! The raw view: a text as its code points, each with what it is, hidden or not.

use unicode_general_category::{GeneralCategory, get_general_category};

use super::character::{Class, class};
use super::clean::show;

/// One character of a text as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePoint {
    /// Where it starts, in bytes of UTF-8.
    pub offset: usize,
    pub char: char,
    /// The character itself where it can be seen, else its stand-in. Safe to show.
    pub shown: String,
    /// What it is: `letter`, `right-to-left override`.
    pub what: &'static str,
    /// Whether [`Clean`](super::Clean) would show it by a token in most places.
    pub hidden: bool,
}

impl CodePoint {
    /// `U+202E`
    pub fn code(&self) -> String {
        format!("U+{:04X}", u32::from(self.char))
    }
}

/// The first code points of a text and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePoints {
    pub rows: Vec<CodePoint>,
    pub more: usize,
}

/// The first `limit` code points of a text.
pub fn code_points(raw: &str, limit: usize) -> CodePoints {
    let mut chars = raw.char_indices();
    let rows = chars.by_ref().take(limit).map(|(offset, c)| code_point(offset, c)).collect();
    CodePoints { rows, more: chars.count() }
}

fn code_point(offset: usize, char: char) -> CodePoint {
    let class = class(char);
    let shown = match class {
        Class::Visible => char.to_string(),
        // A mark stands on a dotted circle, as in code charts.
        Class::Mark => format!("\u{25CC}{char}"),
        Class::Joiner | Class::Hidden => show(char),
    };
    let hidden = matches!(class, Class::Joiner | Class::Hidden);
    CodePoint { offset, char, shown, what: what(char), hidden }
}

/// What a character is, in the words of the Unicode names list.
fn what(c: char) -> &'static str {
    use GeneralCategory as G;
    match c {
        '\0' => "null",
        '\u{07}' => "bell",
        '\u{08}' => "backspace",
        '\t' => "tab",
        '\n' => "line feed",
        '\r' => "carriage return",
        '\u{1B}' => "escape",
        '\u{7F}' => "delete",
        '\u{9B}' => "control sequence introducer",
        '\u{9D}' => "operating system command",
        '\u{A0}' => "no-break space",
        '\u{AD}' => "soft hyphen",
        '\u{34F}' => "combining grapheme joiner",
        '\u{61C}' => "Arabic letter mark",
        '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' => "Hangul filler",
        '\u{200B}' => "zero width space",
        '\u{200C}' => "zero width non-joiner",
        '\u{200D}' => "zero width joiner",
        '\u{200E}' => "left-to-right mark",
        '\u{200F}' => "right-to-left mark",
        '\u{2028}' => "line separator",
        '\u{2029}' => "paragraph separator",
        '\u{202A}' => "left-to-right embedding",
        '\u{202B}' => "right-to-left embedding",
        '\u{202C}' => "pop directional formatting",
        '\u{202D}' => "left-to-right override",
        '\u{202E}' => "right-to-left override",
        '\u{2060}' => "word joiner",
        '\u{2061}'..='\u{2064}' => "invisible operator",
        '\u{2066}' => "left-to-right isolate",
        '\u{2067}' => "right-to-left isolate",
        '\u{2068}' => "first strong isolate",
        '\u{2069}' => "pop directional isolate",
        '\u{2800}' => "braille blank",
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => "variation selector",
        '\u{FEFF}' => "byte order mark",
        '\u{FFF9}'..='\u{FFFB}' => "interlinear annotation",
        '\u{FFFD}' => "replacement character",
        '\u{E0000}'..='\u{E007F}' => "tag character",
        _ => match get_general_category(c) {
            G::UppercaseLetter => "capital letter",
            G::LowercaseLetter => "small letter",
            G::TitlecaseLetter | G::ModifierLetter | G::OtherLetter => "letter",
            G::NonspacingMark | G::SpacingMark | G::EnclosingMark => "combining mark",
            G::DecimalNumber => "digit",
            G::LetterNumber | G::OtherNumber => "number",
            G::ConnectorPunctuation
            | G::DashPunctuation
            | G::OpenPunctuation
            | G::ClosePunctuation
            | G::InitialPunctuation
            | G::FinalPunctuation
            | G::OtherPunctuation => "punctuation",
            G::MathSymbol => "mathematical sign",
            G::CurrencySymbol => "currency sign",
            G::ModifierSymbol | G::OtherSymbol => "symbol",
            G::SpaceSeparator => "space",
            G::Control => "control character",
            G::Format => "format character",
            G::PrivateUse => "private use",
            _ => "unassigned",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_hides() {
        let CodePoints { rows, more } = code_points("aé\u{202E}\u{301}\u{E0041}\u{1B}x", 6);
        assert_eq!(more, 1);
        let seen: Vec<_> =
            rows.iter().map(|r| (r.offset, r.code(), r.shown.as_str(), r.what, r.hidden)).collect();
        assert_eq!(
            seen,
            [
                (0, "U+0061".to_owned(), "a", "small letter", false),
                (1, "U+00E9".to_owned(), "é", "small letter", false),
                (3, "U+202E".to_owned(), "<U+202E>", "right-to-left override", true),
                (6, "U+0301".to_owned(), "\u{25CC}\u{301}", "combining mark", false),
                (8, "U+E0041".to_owned(), "<U+E0041>", "tag character", true),
                (12, "U+001B".to_owned(), "␛", "escape", true),
            ]
        );
    }

    #[test]
    fn a_limit_of_none_counts_all() {
        assert_eq!(code_points("abc", 0), CodePoints { rows: vec![], more: 3 });
    }
}
