//! What is wrong with a policy file, where, and what to write instead: collected, never just the first.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The policy cannot be loaded.
    Error,
    /// The policy loads; somebody should look.
    Warning,
}

impl Severity {
    /// The word used in JSON and in front of a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The name the file was loaded under; a schema's own name where the schema is at fault.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Bytes of the file that are underlined; empty where the whole file is meant.
    pub span: Range<usize>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, column, severity, message, .. } = self;
        write!(f, "{file}:{line}:{column}: {}: {message}", severity.as_str())?;
        if let Some(help) = &self.suggestion {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// Every finding about one policy file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    source: Arc<str>,
    file: String,
    list: Vec<Diagnostic>,
}

impl Serialize for Diagnostics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl Diagnostics {
    /// All findings, errors and warnings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many findings there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// At least one finding keeps the policy from loading.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    /// The findings as rustc would show them: the message, the lines, the place underlined, and
    /// help. With `color` the text has ANSI escapes. A file's own control and bidi characters are
    /// replaced, but the text is foreign all the same: a screen that is not a plain terminal
    /// stream passes it through `text::Clean`.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for d in &self.list {
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            let level = match d.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            };
            let mut group = level.primary_title(d.message.as_str()).elements(
                (d.file == self.file && !self.source.is_empty()).then(|| {
                    Snippet::source(self.source.as_ref())
                        .path(d.file.as_str())
                        .annotation(AnnotationKind::Primary.span(d.span.clone()))
                }),
            );
            if d.file != self.file {
                group = group.element(annotate_snippets::Origin::path(d.file.as_str()));
            }
            if let Some(help) = &d.suggestion {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
        }
        out
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// Collects findings while a file is read.
pub(super) struct Sink {
    source: Arc<str>,
    file: String,
    /// Byte offset where each line starts.
    lines: Vec<usize>,
    list: Vec<Diagnostic>,
}

impl Sink {
    pub(super) fn new(source: &str, file: &str) -> Self {
        let lines =
            std::iter::once(0).chain(source.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Self { source: source.into(), file: file.to_owned(), lines, list: Vec::new() }
    }

    pub(super) fn error(&mut self, span: &Range<usize>, message: impl Into<String>) -> Advice<'_> {
        self.push(Severity::Error, span, message.into())
    }

    pub(super) fn warn(&mut self, span: &Range<usize>, message: impl Into<String>) -> Advice<'_> {
        self.push(Severity::Warning, span, message.into())
    }

    /// An error in a file beside the policy, e.g. a schema.
    pub(super) fn error_in(&mut self, file: String, message: String) {
        self.list.push(Diagnostic {
            severity: Severity::Error,
            message,
            file,
            line: 1,
            column: 1,
            span: 0..0,
            suggestion: None,
        });
    }

    pub(super) fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    fn push(&mut self, severity: Severity, span: &Range<usize>, message: String) -> Advice<'_> {
        let (line, column) = self.line_column(span.start);
        self.list.push(Diagnostic {
            severity,
            message,
            file: self.file.clone(),
            line,
            column,
            span: span.clone(),
            suggestion: None,
        });
        Advice { to: self.list.last_mut() }
    }

    /// Line and column (characters) of a byte offset, both from 1.
    pub(super) fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|i| self.lines.get(i)).copied().unwrap_or(0);
        let column = self.source.get(start..offset).map_or(0, |s| s.chars().count());
        (line.max(1), column + 1)
    }

    pub(super) fn finish(mut self) -> Diagnostics {
        self.list.sort_by(|a, b| {
            (a.file != self.file, a.span.start, a.severity).cmp(&(
                b.file != self.file,
                b.span.start,
                b.severity,
            ))
        });
        self.list.dedup();
        Diagnostics { source: self.source, file: self.file, list: self.list }
    }
}

/// The finding just made, to add help to.
pub(super) struct Advice<'a> {
    to: Option<&'a mut Diagnostic>,
}

impl Advice<'_> {
    pub(super) fn help(self, suggestion: impl Into<String>) {
        if let Some(d) = self.to {
            d.suggestion = Some(suggestion.into());
        }
    }

    /// "did you mean `x`?" if anything known is near, else the list of what is known.
    pub(super) fn nearest<'k>(self, given: &str, known: impl IntoIterator<Item = &'k str>) {
        let known: Vec<&str> = known.into_iter().collect();
        if let Some(best) = nearest(given, known.iter().copied()) {
            self.help(format!("did you mean `{best}`?"));
        } else if !known.is_empty() && known.len() <= 24 {
            self.help(format!("known here: {}", known.join(", ")));
        }
    }
}

/// The share that a whole number of per cent stands for: 0.85 for 85. Anything else that is too
/// great for a share (1.5) is no slip of the unit.
pub(super) fn per_cent(n: f64) -> Option<f64> {
    (n.fract() == 0.0 && (2.0..=100.0).contains(&n)).then_some(n / 100.0)
}

/// The known name most like `given`, if it is near enough to be a slip of the pen.
pub(super) fn nearest<'k>(
    given: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    let folded = given.to_lowercase();
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&folded, &k.to_lowercase()), k))
        .filter(|(d, k)| *d <= (k.chars().count().max(3) / 3).max(1))
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}
