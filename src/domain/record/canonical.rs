//! RFC 8785 canonical JSON of a value, written straight into one buffer.
//!
//! Every record passes here, so this sorts references and writes once; the oracle in the tests is
//! the crate `serde_json_canonicalizer`, which is also asked for numbers that are not integers.

use std::cmp::Ordering;
use std::io::Write as _;

use serde_json::{Map, Number, Value};

/// The RFC 8785 form. Integers beyond 2^53 are not rounded: refuse them before.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    write(value, &mut out);
    out
}

/// As [`canonical`], of an object.
pub(super) fn of_object(map: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    object(map, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(n) => number(n, out),
        Value::String(s) => string(s, out),
        Value::Array(list) => {
            out.push(b'[');
            for (i, one) in list.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(one, out);
            }
            out.push(b']');
        }
        Value::Object(map) => object(map, out),
    }
}

fn object(map: &Map<String, Value>, out: &mut Vec<u8>) {
    let mut members: Vec<(&String, &Value)> = map.iter().collect();
    members.sort_unstable_by(|(a, _), (b, _)| by_utf16(a, b));
    out.push(b'{');
    for (i, (key, value)) in members.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(key, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

/// RFC 8785 sorts by UTF-16 code units. That is the order of the bytes, except where a character
/// beyond U+FFFF (from 0xF0 on) meets one from U+E000 on (0xEE, 0xEF).
fn by_utf16(a: &str, b: &str) -> Ordering {
    match a.bytes().zip(b.bytes()).find(|(x, y)| x != y) {
        None => a.len().cmp(&b.len()),
        Some((x, y)) if x.min(y) >= 0xEE => a.encode_utf16().cmp(b.encode_utf16()),
        Some((x, y)) => x.cmp(&y),
    }
}

/// serde_json's compact escapes are the ones RFC 8785 asks for.
fn string(text: &str, out: &mut Vec<u8>) {
    // Writing a string into memory has no way to fail.
    let done = serde_json::to_writer(&mut *out, text);
    debug_assert!(done.is_ok(), "{done:?}");
}

fn number(n: &Number, out: &mut Vec<u8>) {
    if n.is_f64() {
        // A `Number` is finite, and finite numbers have a form.
        let written = serde_json_canonicalizer::to_writer(n, out);
        debug_assert!(written.is_ok(), "{written:?}");
    } else {
        let _ = write!(out, "{n}");
    }
}
