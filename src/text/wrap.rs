//! Text broken into lines of so many cells, as few lines at a time as a screen needs.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use super::character::graphemes;
use super::width::width;

/// Breaks a text into lines of at most `cols` cells (at least 1): at its line ends, between
/// words, between wide characters, and inside a word only where it alone is too long.
///
/// Gives byte ranges of the text, so that [`Clean::segments_in`](super::Clean::segments_in) can
/// paint a line's pieces. Lazy: lines not asked for cost nothing. Blanks at a break belong to no
/// line; a grapheme wider than `cols` stands alone.
///
/// ```
/// use overrule::text::wrap;
///
/// let text = "Towards deny: unverified income";
/// let lines: Vec<&str> = wrap(text, 12).map(|line| &text[line]).collect();
/// assert_eq!(lines, ["Towards", "deny:", "unverified", "income"]);
/// ```
pub fn wrap(text: &str, cols: usize) -> Wrap<'_> {
    Wrap { text, cols: cols.max(1), place: Place::default() }
}

/// The lines of [`wrap`].
#[derive(Clone, Debug)]
pub struct Wrap<'a> {
    text: &'a str,
    cols: usize,
    place: Place,
}

/// How far the wrapping has come.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    at: usize,
    /// Where the paragraph ends, once it was looked for.
    paragraph_end: Option<usize>,
}

impl Iterator for Wrap<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let Place { at, paragraph_end } = self.place;
        let rest = self.text.get(at..).filter(|rest| !rest.is_empty())?;
        let end = paragraph_end.unwrap_or_else(|| at + rest.find('\n').unwrap_or(rest.len()));
        let paragraph = self.text.get(at..end)?;
        let (line, taken) = first_line(paragraph, self.cols);
        let next = at + taken;
        self.place = if next >= end {
            Place { at: end + 1, paragraph_end: None }
        } else {
            Place { at: next, paragraph_end: Some(end) }
        };
        Some(at..at + line)
    }
}

/// The first line of a paragraph: its length in bytes, and the bytes to the start of the next.
fn first_line(paragraph: &str, cols: usize) -> (usize, usize) {
    let mut used = 0;
    // Where a line may end and the next begin; blanks between the two belong to neither.
    let mut fallback = None;
    let mut blank_from = None;
    let mut only_blanks = true;
    let mut before = "";
    let mut two_before = "";
    for (at, grapheme) in graphemes(paragraph) {
        if is_blank(grapheme) {
            blank_from = blank_from.or(Some(at));
        } else {
            if let Some(blank) = blank_from.take() {
                // Blanks at the very start are an indent, not a place to break.
                if blank > 0 {
                    fallback = Some((blank, at));
                }
            } else if at > 0 && may_break(two_before, before, grapheme) {
                fallback = Some((at, at));
            }
            if used + width(grapheme) > cols {
                return match fallback {
                    Some(found) => found,
                    None if at == 0 => (grapheme.len(), grapheme.len()),
                    // An indent too wide for the line is a line of its own.
                    None if only_blanks => (0, at),
                    None => (at, at),
                };
            }
            only_blanks = false;
        }
        used += width(grapheme);
        (two_before, before) = (before, grapheme);
    }
    (blank_from.unwrap_or(paragraph.len()), paragraph.len())
}

/// A blank a line may break at; the no-break ones are letters here.
fn is_blank(grapheme: &str) -> bool {
    grapheme.chars().all(|c| c.is_whitespace() && !matches!(c, '\u{A0}' | '\u{2007}' | '\u{202F}'))
}

/// Whether a line may break between two graphemes without a blank: around wide characters (not
/// before closing nor after opening punctuation), and after a hyphen or slash inside words.
fn may_break(two_before: &str, before: &str, after: &str) -> bool {
    const NOT_FIRST: &str =
        "、。，．！？：；）」』】〕〉》〗〙ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.!?:;)]}%";
    const NOT_LAST: &str = "（「『【〔〈《〖〘([{";
    let letter = |g: &str| g.chars().next().is_some_and(char::is_alphabetic);
    if matches!(before, "-" | "/") {
        return letter(two_before) && letter(after);
    }
    (width(before) == 2 || width(after) == 2)
        && !NOT_FIRST.contains(after)
        && !NOT_LAST.contains(before)
}

/// Wrapped lines kept between frames, found only as far as they were shown.
///
/// A key must change when its text does: (item, revision, pane), say.
#[derive(Clone, Debug)]
pub struct WrapCache<K> {
    entries: HashMap<K, Entry>,
    most: usize,
    clock: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    cols: usize,
    length: usize,
    lines: Vec<Range<usize>>,
    place: Place,
    used: u64,
}

impl<K: Eq + Hash + Clone> WrapCache<K> {
    /// A cache of at most `most` texts (at least 1); the one unused longest goes first.
    pub fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), most: most.max(1), clock: 0 }
    }

    /// The lines `wanted` (by number, from 0) of a text at `cols` cells; fewer where it ends.
    pub fn lines(
        &mut self,
        key: &K,
        text: &str,
        cols: usize,
        wanted: Range<usize>,
    ) -> &[Range<usize>] {
        let lines = self.up_to(key, text, cols, wanted.end);
        let end = wanted.end.min(lines.len());
        lines.get(wanted.start.min(end)..end).unwrap_or_default()
    }

    /// How many lines the text has in all.
    pub fn count(&mut self, key: &K, text: &str, cols: usize) -> usize {
        self.up_to(key, text, cols, usize::MAX).len()
    }

    fn up_to(&mut self, key: &K, text: &str, cols: usize, most: usize) -> &[Range<usize>] {
        self.clock += 1;
        if !self.entries.contains_key(key) && self.entries.len() >= self.most {
            let oldest = self.entries.iter().min_by_key(|(_, e)| e.used).map(|(k, _)| k.clone());
            oldest.and_then(|k| self.entries.remove(&k));
        }
        let fresh = || Entry {
            cols,
            length: text.len(),
            lines: Vec::new(),
            place: Place::default(),
            used: 0,
        };
        let entry = self.entries.entry(key.clone()).or_insert_with(fresh);
        if entry.cols != cols || entry.length != text.len() {
            *entry = fresh();
        }
        entry.used = self.clock;
        let mut rest = Wrap { text, cols: cols.max(1), place: entry.place };
        while entry.lines.len() < most {
            let Some(line) = rest.next() else { break };
            entry.lines.push(line);
        }
        entry.place = rest.place;
        &entry.lines
    }
}
