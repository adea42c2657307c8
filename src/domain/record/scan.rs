//! A look over the text before anything recursive or rounding reads it: depth and numbers.
//!
//! It runs once over the bytes without a stack, and accepts text that is not JSON: that is for
//! the parser to say.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;

use super::{Refusal, RefusalReason, refuse};

/// The largest integer that every JSON reader keeps exactly.
const MAX_INTEGER: u128 = 1 << 53;
/// Any integer with this many digits or fewer is below 2^53.
const SAFE_DIGITS: usize = 15;
/// Decimals without exponent and shorter than this are in the range of a double.
const PLAIN_DIGITS: usize = 300;
/// Stands before a number that was patched into a string. JSON text of ours never starts so.
const MARK: &str = "\0number:";

/// What the look found.
pub(super) struct Scan {
    /// The deepest nesting of objects and arrays.
    pub depth: usize,
    /// Where numbers stand that no double holds (`1e400`).
    pub too_large: Vec<Range<usize>>,
}

/// A number that no double holds.
#[derive(Debug, PartialEq)]
pub(super) struct TooLarge {
    /// Dotted, from the top of the line.
    pub path: String,
    pub literal: String,
}

/// Looks over the text; refuses what is deeper than `max_depth`, and integers beyond 2^53.
pub(super) fn scan(text: &str, max_depth: usize) -> Result<Scan, Refusal> {
    let bytes = text.as_bytes();
    let mut found = Scan { depth: 0, too_large: Vec::new() };
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = after_string(bytes, at),
            b'{' | b'[' => {
                depth += 1;
                found.depth = found.depth.max(depth);
                if depth > max_depth {
                    return Err(too_deep(max_depth - 1));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let start = at - 1;
                while bytes.get(at).is_some_and(|b| in_number(*b)) {
                    at += 1;
                }
                number(text.get(start..at).unwrap_or_default(), start, &mut found)?;
            }
            _ => {}
        }
    }
    Ok(found)
}

pub(super) fn too_deep(max_depth: usize) -> Refusal {
    let message = format!("the line nests deeper than {max_depth} objects and arrays");
    refuse(RefusalReason::TooDeep, message)
}

/// The place after the string whose first byte is at `at`.
fn after_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    at
}

fn in_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
}

fn number(token: &str, start: usize, found: &mut Scan) -> Result<(), Refusal> {
    let digits = token.strip_prefix('-').unwrap_or(token);
    if digits.len() <= SAFE_DIGITS && !digits.contains(['e', 'E']) {
        return Ok(());
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        if digits.parse::<u128>().is_ok_and(|n| n <= MAX_INTEGER) {
            return Ok(());
        }
        let shown = super::extract::short(token);
        let message = format!(
            "the integer {shown} is beyond 2^53, and JSON readers would round it; send it as text"
        );
        return Err(refuse(RefusalReason::NumberRange, message));
    }
    let exponent = digits.contains(['e', 'E']);
    if (exponent || digits.len() > PLAIN_DIGITS) && token.parse().is_ok_and(f64::is_infinite) {
        found.too_large.push(start..start + token.len());
    }
    Ok(())
}

/// The text with each of these numbers in a marked string, so that it can be parsed.
pub(super) fn patch(text: &str, numbers: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len() + 16 * numbers.len());
    let mut from = 0;
    for range in numbers {
        out.push_str(text.get(from..range.start).unwrap_or_default());
        let literal = text.get(range.clone()).unwrap_or_default();
        let _ = write!(out, "\"\\u0000number:{literal}\"");
        from = range.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// Takes the marks off again: the numbers stay as plain text. Returns where they are.
pub(super) fn unpatch(value: &mut Value) -> Vec<TooLarge> {
    let mut found = Vec::new();
    walk(value, &mut String::new(), &mut found);
    found
}

fn walk(value: &mut Value, path: &mut String, found: &mut Vec<TooLarge>) {
    let len = path.len();
    let dot = if path.is_empty() { "" } else { "." };
    match value {
        Value::String(text) => {
            if let Some(literal) = text.strip_prefix(MARK) {
                let literal = literal.to_owned();
                found.push(TooLarge { path: path.clone(), literal: literal.clone() });
                *text = literal;
            }
        }
        Value::Array(list) => {
            for (i, one) in list.iter_mut().enumerate() {
                let _ = write!(path, "{dot}{i}");
                walk(one, path, found);
                path.truncate(len);
            }
        }
        Value::Object(map) => {
            for (key, one) in map.iter_mut() {
                let _ = write!(path, "{dot}{key}");
                walk(one, path, found);
                path.truncate(len);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
