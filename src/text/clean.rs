//! Foreign text that is safe to show: nothing hides in it, nothing moves the cursor.

use std::fmt;
use std::fmt::Write as _;
use std::ops::Range;

use super::character::{self, Class, class, graphemes, is_script_mark};
use super::width::width;

/// Columns from one tab stop to the next.
pub const TAB: usize = 4;
/// Combining marks a character may carry; more would climb over the lines around it.
pub const MOST_MARKS: usize = 4;
/// The same for marks of scripts that honestly stack them (Hebrew, Arabic, Tibetan).
pub const MOST_SCRIPT_MARKS: usize = 6;

/// What a piece of clean text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SegmentKind {
    /// As it was written.
    Text,
    /// Stands for characters that would not have been seen: `<U+202E>`, `␛`, `<+9 marks>`.
    Hidden,
    /// Our own words about the text: `… 12 more characters`.
    Notice,
}

/// A piece of clean text with its kind.
pub type Segment<'a> = (SegmentKind, &'a str);

/// Foreign text made safe to show: the only form in which a screen accepts it.
///
/// Nothing is deleted; what cannot be seen is replaced by something that can:
///
/// - control characters by their picture (`␛`, `␀`) or code (`<U+009B>`);
/// - bidi controls, zero-width and tag characters, soft hyphens, selectors, separators, private
///   use and noncharacters by their code, `<U+202E>`;
/// - tabs by spaces up to the next stop;
/// - combining marks beyond [`MOST_MARKS`] by `<+N marks>`, a mark with nothing to stand on by
///   its code.
///
/// Text of every script, emoji and flags stay as they are; there the joiners and selectors that
/// change what is drawn are kept (emoji sequences, Persian non-joiners, Indic conjuncts).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clean {
    text: String,
    /// What is not plain text, in order, without overlaps.
    tokens: Vec<Token>,
}

/// A place in the text that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Token {
    range: Range<usize>,
    kind: SegmentKind,
    /// How many characters it stands for.
    count: usize,
}

impl Clean {
    /// Cleans text of many lines. Line ends stay (`\r\n` becomes `\n`); a lone `\r` is shown.
    pub fn new(raw: &str) -> Self {
        Builder::run(raw, true, usize::MAX)
    }

    /// Cleans text for a single line: line ends become `␊`.
    pub fn line(raw: &str) -> Self {
        Builder::run(raw, false, usize::MAX)
    }

    /// Cleans at most the first `most` characters (graphemes) of a text of many lines and says
    /// how many are left, without reading them all.
    pub fn first(raw: &str, most: usize) -> Self {
        Builder::run(raw, true, most)
    }

    /// As [`Clean::first`], for a single line.
    pub fn line_first(raw: &str, most: usize) -> Self {
        Builder::run(raw, false, most)
    }

    /// The clean text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many characters were hidden and are now shown by a token. More than 0 deserves a
    /// banner: somebody wrote what was not to be seen.
    pub fn hidden(&self) -> usize {
        self.tokens.iter().filter(|t| t.kind == SegmentKind::Hidden).map(|t| t.count).sum()
    }

    /// The text in pieces of one kind each, in order; together they are all of it.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.segments_in(0..self.text.len())
    }

    /// The pieces within a byte range, such as one line of [`wrap`](super::wrap()).
    pub fn segments_in(&self, range: Range<usize>) -> impl Iterator<Item = Segment<'_>> {
        let first = self.tokens.partition_point(|t| t.range.end <= range.start);
        let mut tokens = self.tokens.get(first..).unwrap_or_default().iter().peekable();
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= range.end {
                return None;
            }
            let (kind, end) = match tokens.peek() {
                Some(token) if token.range.start <= at => {
                    let found = (token.kind, token.range.end);
                    tokens.next();
                    found
                }
                Some(token) => (SegmentKind::Text, token.range.start),
                None => (SegmentKind::Text, range.end),
            };
            let piece = self.text.get(at..end.min(range.end))?;
            at = end;
            Some((kind, piece))
        })
    }

    /// At most the first `most` characters (graphemes), with a notice of how many are left.
    #[must_use]
    pub fn capped(&self, most: usize) -> Self {
        let Some((cut, _)) = graphemes(&self.text).nth(most) else { return self.clone() };
        let mut short = self.slice(0..cut);
        let left = graphemes(self.text.get(cut..).unwrap_or_default()).count();
        short.notice(left);
        short
    }

    /// A part of the text between two grapheme boundaries.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let tokens = self
            .tokens
            .iter()
            .filter(|t| t.range.start < range.end && t.range.end > range.start)
            .map(|t| Token {
                range: t.range.start.max(range.start) - range.start
                    ..t.range.end.min(range.end) - range.start,
                ..t.clone()
            })
            .collect();
        Self { text: self.text.get(range).unwrap_or_default().to_owned(), tokens }
    }

    fn notice(&mut self, left: usize) {
        let start = self.text.len();
        let plural = if left == 1 { "" } else { "s" };
        // Writing to a String cannot fail.
        let _ = write!(self.text, "… {left} more character{plural}");
        let range = start..self.text.len();
        self.tokens.push(Token { range, kind: SegmentKind::Notice, count: 0 });
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl AsRef<str> for Clean {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// The clean text while it grows.
#[derive(Default)]
struct Builder {
    clean: Clean,
    column: usize,
}

impl Builder {
    fn run(raw: &str, lines: bool, most: usize) -> Clean {
        let mut builder = Self::default();
        builder.clean.text.reserve(raw.len().min(most));
        for (n, (at, grapheme)) in graphemes(raw).enumerate() {
            if n == most {
                let left = raw.get(at..).unwrap_or_default().chars().count();
                builder.clean.notice(left);
                break;
            }
            let after = raw.get(at + grapheme.len()..).and_then(|rest| rest.chars().next());
            builder.grapheme(grapheme, after, lines);
        }
        builder.clean
    }

    /// Adds one grapheme; `after` is the character that follows it.
    fn grapheme(&mut self, grapheme: &str, after: Option<char>, lines: bool) {
        match grapheme {
            // Most of most texts: one printable character of ASCII.
            _ if matches!(grapheme.as_bytes(), [b' '..=b'~']) => self.text(grapheme, 1),
            "\n" | "\r\n" if lines => {
                self.clean.text.push('\n');
                self.column = 0;
            }
            "\t" => {
                let spaces = TAB - self.column % TAB;
                self.text(&" ".repeat(spaces), spaces);
            }
            _ if character::is_emoji(grapheme) => self.text(grapheme, width(grapheme)),
            _ => self.characters(grapheme, after),
        }
    }

    /// Adds a grapheme character by character, showing what would not be seen.
    fn characters(&mut self, grapheme: &str, after: Option<char>) {
        // The character that marks and joiners may lean on: added as text, just before.
        let mut base = None;
        let mut marks = 0;
        let mut surplus = 0;
        let mut chars = grapheme.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let piece = grapheme.get(at..at + c.len_utf8()).unwrap_or_default();
            let next = chars.peek().map(|(_, c)| *c).or(after);
            let most = if is_script_mark(c) { MOST_SCRIPT_MARKS } else { MOST_MARKS };
            match class(c) {
                Class::Mark if base.is_some() && (surplus > 0 || marks >= most) => surplus += 1,
                Class::Mark if base.is_some() => {
                    self.text(piece, 0);
                    marks += 1;
                    // The vowel killer, itself a mark, is what an Indic joiner leans on.
                    if !is_script_mark(c) {
                        base = Some(c);
                    }
                }
                Class::Visible => {
                    self.surplus(&mut surplus);
                    self.text(piece, width(piece));
                    (base, marks) = (Some(c), 0);
                }
                Class::Joiner
                    if surplus == 0
                        && base.zip(next).is_some_and(|(b, n)| character::joins(c, b, n)) =>
                {
                    self.text(piece, 0);
                    base = None;
                }
                Class::Mark | Class::Joiner | Class::Hidden => {
                    self.surplus(&mut surplus);
                    self.token(&show(c), 1);
                    base = None;
                }
            }
        }
        self.surplus(&mut surplus);
    }

    /// Says how many marks were too many.
    fn surplus(&mut self, surplus: &mut usize) {
        let count = std::mem::take(surplus);
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            self.token(&format!("<+{count} mark{plural}>"), count);
        }
    }

    fn text(&mut self, piece: &str, columns: usize) {
        self.clean.text.push_str(piece);
        self.column += columns;
    }

    fn token(&mut self, token: &str, count: usize) {
        let start = self.clean.text.len();
        self.text(token, width(token));
        let range = start..self.clean.text.len();
        self.clean.tokens.push(Token { range, kind: SegmentKind::Hidden, count });
    }
}

/// A visible stand-in for a character that cannot be seen: a control picture or its code.
pub(super) fn show(c: char) -> String {
    let picture = match u32::from(c) {
        code @ 0..=0x1F => char::from_u32(0x2400 + code),
        0x7F => Some('\u{2421}'),
        _ => None,
    };
    match picture {
        Some(picture) => picture.to_string(),
        None => format!("<U+{:04X}>", u32::from(c)),
    }
}
