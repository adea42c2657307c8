//! Scoped policies: once any `[[allow]]` exists, what none of them covers is blocked.

use globset::{GlobBuilder, GlobMatcher};

use super::lang::fields::Field;
use super::lang::words;
use super::redact::Redaction;

/// One `[[allow]]`. A dimension the file leaves out covers everything.
#[derive(Debug)]
pub(super) struct Allow {
    pub(super) id: Option<String>,
    pub(super) dimensions: Vec<Dimension>,
    /// Line of the file, from 1.
    pub(super) line: usize,
}

/// One key of an `[[allow]]`: the field it bounds, and the patterns that cover it.
#[derive(Debug)]
pub(super) struct Dimension {
    pub(super) field: Field,
    /// The field's path in the record.
    pub(super) path: &'static str,
    pub(super) patterns: Vec<Pattern>,
}

/// A glob over one value. `*` and `?` do not cross a slash in a scope; `**` does. An absent value
/// counts as empty: `*` and `**` cover it.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    glob: GlobMatcher,
}

impl Pattern {
    /// `path`: slashes part it.
    pub(super) fn new(text: &str, path: bool) -> Result<Self, String> {
        let glob = GlobBuilder::new(text)
            .literal_separator(path)
            .backslash_escape(true)
            .build()
            .map_err(|e| e.kind().to_string())?;
        Ok(Self { text: text.to_owned(), glob: glob.compile_matcher() })
    }

    fn covers(&self, value: &str) -> bool {
        self.glob.is_match(value)
    }

    /// The one value it covers, if it is no pattern at all.
    pub(super) fn literal(&self) -> Option<&str> {
        (!self.text.contains(['*', '?', '[', ']', '{', '}', '\\'])).then_some(&self.text)
    }
}

impl Dimension {
    fn covers<'t>(&self, text: &impl Fn(&Field) -> Option<&'t str>) -> bool {
        let value = text(&self.field).unwrap_or_default();
        self.patterns.iter().any(|p| p.covers(value))
    }
}

impl Allow {
    /// Does it cover the decision whose fields `text` reads?
    pub(super) fn covers<'t>(&self, text: &impl Fn(&Field) -> Option<&'t str>) -> bool {
        self.dimensions.iter().all(|d| d.covers(text))
    }

    fn said(&self, number: usize) -> String {
        match &self.id {
            Some(id) => format!("[[allow]] {id}"),
            None => format!("[[allow]] {number}"),
        }
    }
}

/// Is there any scoped policy, and none that covers the decision?
pub(super) fn blocked<'t>(allows: &[Allow], text: &impl Fn(&Field) -> Option<&'t str>) -> bool {
    !allows.is_empty() && !allows.iter().any(|a| a.covers(text))
}

/// Why a blocked decision is blocked, in one sentence: the nearest `[[allow]]` and what it does
/// not cover.
pub(super) fn reason<'t>(
    allows: &[Allow],
    text: &impl Fn(&Field) -> Option<&'t str>,
    hidden: &Redaction,
) -> String {
    let missing = |a: &Allow| a.dimensions.iter().filter(|d| !d.covers(text)).count();
    let Some((number, allow)) = allows.iter().enumerate().min_by_key(|(_, a)| missing(a)) else {
        return String::new();
    };
    let lacking = allow.dimensions.iter().filter(|d| !d.covers(text));
    let parts: Vec<String> = lacking
        .map(|d| match text(&d.field) {
            Some(_) if hidden.touches(d.path) => format!("this {}", d.path),
            Some(value) => format!("{} {}", d.path, words::quoted(value)),
            None => format!("decisions without {}", d.path),
        })
        .collect();
    let said = allow.said(number + 1);
    format!("no [[allow]] covers it: {said} is nearest and leaves out {}", parts.join(" and "))
}
