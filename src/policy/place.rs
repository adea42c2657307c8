//! Where the characters of a TOML string stand in the file, so that errors inside a rule underline
//! the rule's own text, in multi-line strings and behind escapes too.

use std::ops::Range;

/// A string value with the place of every byte of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) value: String,
    /// The whole value in the file, quotes included.
    pub(super) span: Range<usize>,
    map: Map,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Map {
    /// The value stands in the file as it is, from this offset.
    Verbatim(usize),
    /// The file offset of each byte of the value, and of its end.
    Bytes(Vec<usize>),
    /// Not understood: the whole value is meant.
    Whole,
}

impl Text {
    /// `span` is the value's place in `source`, quotes included.
    pub(super) fn new(value: &str, span: Range<usize>, source: &str) -> Self {
        let map = source.get(span.clone()).map_or(Map::Whole, |raw| map(value, raw, span.start));
        Self { value: value.to_owned(), span, map }
    }

    /// The bytes of the file behind a range of the value.
    pub(super) fn file_span(&self, local: &Range<usize>) -> Range<usize> {
        match &self.map {
            Map::Verbatim(start) => start + local.start..start + local.end,
            Map::Bytes(at) => match (at.get(local.start), at.get(local.end)) {
                (Some(start), Some(end)) => *start..*end,
                _ => self.span.clone(),
            },
            Map::Whole => self.span.clone(),
        }
    }
}

fn map(value: &str, raw: &str, start: usize) -> Map {
    let (quote, body) = if let Some(rest) = raw.strip_prefix("'''") {
        ("'''", rest)
    } else if let Some(rest) = raw.strip_prefix("\"\"\"") {
        ("\"\"\"", rest)
    } else if let Some(rest) = raw.strip_prefix('\'') {
        ("'", rest)
    } else if let Some(rest) = raw.strip_prefix('"') {
        ("\"", rest)
    } else {
        return Map::Whole;
    };
    let Some(mut body) = body.strip_suffix(quote) else { return Map::Whole };
    let mut base = start + quote.len();
    if quote.len() == 3 {
        // A newline right after the opening quotes is not part of the value.
        for newline in ["\r\n", "\n"] {
            if let Some(rest) = body.strip_prefix(newline) {
                body = rest;
                base += newline.len();
                break;
            }
        }
    }
    if body == value {
        return Map::Verbatim(base);
    }
    escaped(value, body, base).map_or(Map::Whole, Map::Bytes)
}

/// Walk an escaped string and its value side by side. `None` where they do not agree.
fn escaped(value: &str, body: &str, base: usize) -> Option<Vec<usize>> {
    let mut at = Vec::with_capacity(value.len() + 1);
    let mut rest = body;
    for want in value.chars() {
        loop {
            let here = base + (body.len() - rest.len());
            let (got, len) = next(rest)?;
            rest = rest.get(len..)?;
            if let Some(got) = got {
                // A bare CR LF may have been read as LF.
                if got == '\r' && want == '\n' {
                    continue;
                }
                if got != want {
                    return None;
                }
                at.extend(std::iter::repeat_n(here, want.len_utf8()));
                break;
            }
        }
    }
    at.push(base + (body.len() - rest.len()));
    Some(at)
}

/// The next character of an escaped string and how many bytes it takes there; no character for a
/// line-ending backslash with the blanks it swallows.
fn next(rest: &str) -> Option<(Option<char>, usize)> {
    let first = rest.chars().next()?;
    if first != '\\' {
        return Some((Some(first), first.len_utf8()));
    }
    let tail = rest.get(1..)?;
    let code = tail.chars().next()?;
    let simple = match code {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        '"' => '"',
        '\\' => '\\',
        'x' | 'u' | 'U' => {
            let digits = match code {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let number = u32::from_str_radix(tail.get(1..=digits)?, 16).ok()?;
            return Some((Some(char::from_u32(number)?), 2 + digits));
        }
        _ => {
            let blanks = tail.len() - tail.trim_start_matches([' ', '\t', '\r', '\n']).len();
            return (blanks > 0).then_some((None, 1 + blanks));
        }
    };
    Some((Some(simple), 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> Text {
        let table = toml::de::DeTable::parse(source).unwrap();
        let value = table.get_ref().values().next().unwrap();
        Text::new(value.get_ref().as_str().unwrap(), value.span(), source)
    }

    /// The file's bytes behind `needle` inside the value.
    fn behind<'s>(source: &'s str, needle: &str) -> &'s str {
        let t = text(source);
        let at = t.value.find(needle).unwrap();
        &source[t.file_span(&(at..at + needle.len()))]
    }

    #[test]
    fn literal_strings_map_byte_for_byte() {
        assert_eq!(behind("x = 'a < b'", "< b"), "< b");
        assert_eq!(behind("x = '''\na &&\n  bé < c'''", "bé"), "bé");
        assert_eq!(behind("x = '''a\r\nb'''", "b"), "b");
    }

    #[test]
    fn escaped_strings_map_through_their_escapes() {
        assert_eq!(behind(r#"x = "tags == \"a\" && b""#, "\"a\""), r#"\"a\""#);
        assert_eq!(behind(r#"x = "\u00e9t\u00e9 < b""#, "< b"), "< b");
        assert_eq!(behind("x = \"\"\"\na && \\\n   b < c\"\"\"", "b < c"), "b < c");
        assert_eq!(behind("x = \"no escapes\"", "escapes"), "escapes");
    }
}
