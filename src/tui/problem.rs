//! What is wrong in a user's keymap or theme file: where, what, what was meant, what happens now.

use std::fmt;
use std::ops::Range;

use toml::de::DeValue;

use crate::text::Clean;

/// Characters of a message; a word in a file may be very long.
const MOST_MESSAGE: usize = 300;

/// One fault in one file. The app starts all the same; [`instead`](Self::instead) says with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1; 0 where the fault is the whole file (it cannot be read).
    pub line: usize,
    /// Column in characters, from 1; 0 as for `line`.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The name that was probably meant.
    pub nearest: Option<String>,
    /// What is used instead.
    pub instead: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean '{nearest}'?")?;
        }
        write!(f, " ({})", self.instead)
    }
}

impl std::error::Error for Problem {}

/// A file under reading: its name and text, to turn byte offsets into places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

impl Source<'_> {
    /// A fault at `span` (bytes of the text).
    pub fn problem(
        &self,
        span: &Range<usize>,
        message: impl Into<String>,
        nearest: Option<String>,
        instead: impl Into<String>,
    ) -> Problem {
        let (line, column) = self.place(span.start);
        // The words come from the file: they may be shown, but not act.
        let clean = |text: &str| Clean::line_first(text, MOST_MESSAGE).to_string();
        Problem {
            file: clean(self.file),
            line,
            column,
            message: clean(&message.into()),
            nearest: nearest.as_deref().map(clean),
            instead: clean(&instead.into()),
        }
    }

    /// A fault the TOML reader found.
    pub fn syntax(&self, error: &toml::de::Error, instead: &str) -> Problem {
        let span = error.span().unwrap_or(0..0);
        self.problem(&span, error.message().trim().replace('\n', ", "), None, instead)
    }

    /// Line and column of a byte offset, both from 1; the end of the text where it lies beyond.
    fn place(&self, offset: usize) -> (usize, usize) {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = self.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }
}

/// What kind of value stands in a file, with its article.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// The name nearest to `word`, if one is near enough to have been meant.
pub(super) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = word.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let source = Source { file: "k.toml", text: "a\nüb = 1\n" };
        assert_eq!(source.place(0), (1, 1));
        assert_eq!(source.place(2), (2, 1));
        assert_eq!(source.place(4), (2, 2));
        assert_eq!(source.place(3), (2, 1), "inside ü counts as ü");
        assert_eq!(source.place(999), (3, 1));
    }

    #[test]
    fn nearest_names_only_what_is_near() {
        let names = ["item.accept", "item.edit"];
        assert_eq!(nearest("item.acept", names), Some("item.accept".into()));
        assert_eq!(nearest("Item.Edit", names), Some("item.edit".into()));
        assert_eq!(nearest("launch.rocket", names), None);
    }

    #[test]
    fn words_of_a_file_cannot_act_on_the_terminal() {
        let source = Source { file: "k.toml", text: "" };
        let problem = source.problem(&(0..0), "no '\u{1b}]52;c;x\u{7}'", None, "left out");
        assert_eq!(problem.to_string(), "k.toml:1:1: no '␛]52;c;x␇' (left out)");
    }

    #[test]
    fn a_problem_reads_as_one_line() {
        let problem = Source { file: "keys.toml", text: "x = 1" }.problem(
            &(4..5),
            "'1' is not an action",
            Some("item.open".into()),
            "'x' stays unbound",
        );
        assert_eq!(
            problem.to_string(),
            "keys.toml:1:5: '1' is not an action; did you mean 'item.open'? ('x' stays unbound)"
        );
    }
}
