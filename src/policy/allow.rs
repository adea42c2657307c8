//! Scoped policies: once any `[[allow]]` exists, what none of them covers is blocked.

use globset::{GlobBuilder, GlobMatcher};

use super::lang::fields::Field;
use super::lang::reading::Reading;

/// One `[[allow]]`. A dimension the file leaves out covers everything.
#[derive(Debug)]
pub(super) struct Allow {
    pub(super) id: Option<String>,
    pub(super) dimensions: Vec<Dimension>,
    pub(super) line: usize,
}

/// One key of an `[[allow]]`: the field it bounds, and the patterns that cover it.
#[derive(Debug)]
pub(super) struct Dimension {
    pub(super) field: Field,
    /// As sentences call it.
    pub(super) name: &'static str,
    pub(super) patterns: Vec<Pattern>,
}

/// A glob over one value. `*` and `?` do not cross a slash in a scope; `**` does. An absent value
/// counts as empty: `*` and `**` cover it.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    glob: GlobMatcher,
}

impl Pattern {
    pub(super) fn new(text: &str, path: bool) -> Result<Self, String> {
        let glob = GlobBuilder::new(text)
            .literal_separator(path)
            .backslash_escape(true)
            .build()
            .map_err(|e| e.kind().to_string())?;
        Ok(Self { text: text.to_owned(), glob: glob.compile_matcher() })
    }

    fn covers(&self, value: &str) -> bool {
        // Paths are matched as text: a decision's scope is no path of this machine.
        self.glob.is_match(value)
    }
}

impl Dimension {
    fn covers(&self, reading: &Reading<'_>) -> bool {
        let value = reading.text(&self.field).unwrap_or_default();
        self.patterns.iter().any(|p| p.covers(value))
    }
}

impl Allow {
    fn missing<'s>(&'s self, reading: &Reading<'_>) -> Vec<&'s Dimension> {
        self.dimensions.iter().filter(|d| !d.covers(reading)).collect()
    }

    /// Does it cover what is read?
    pub(super) fn covers(&self, reading: &Reading<'_>) -> bool {
        self.dimensions.iter().all(|d| d.covers(reading))
    }

    fn said(&self, number: usize) -> String {
        match &self.id {
            Some(id) => format!("[[allow]] {id}"),
            None => format!("[[allow]] {number}"),
        }
    }
}

/// `None`: covered (or there are no scoped policies). Otherwise why not, in one sentence: the
/// nearest `[[allow]]` and what it does not cover.
pub(super) fn blocked(allows: &[Allow], reading: &Reading<'_>) -> Option<String> {
    let mut nearest: Option<(usize, Vec<&Dimension>, &Allow)> = None;
    for (i, allow) in allows.iter().enumerate() {
        let missing = allow.missing(reading);
        if missing.is_empty() {
            return None;
        }
        if nearest.as_ref().is_none_or(|(_, best, _)| missing.len() < best.len()) {
            nearest = Some((i + 1, missing, allow));
        }
    }
    let (number, missing, allow) = nearest?;
    let parts: Vec<String> = missing
        .iter()
        .map(|d| match reading.text(&d.field) {
            Some(value) => format!("{} {}", d.name, super::lang::words::quoted(value)),
            None => format!("a decision without {}", d.name),
        })
        .collect();
    let said = allow.said(number);
    Some(format!("no [[allow]] covers it: {said} is nearest and lacks {}", parts.join(" and ")))
}
