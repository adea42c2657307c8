//! Foreign text on its way to a log line, a spreadsheet or a JSON line.

use std::fmt::Write as _;

use super::Clean;
use super::character::{Class, class};

/// The text as one line of a log: nothing hidden, no line end, so that it cannot forge an entry.
pub fn escape_log(raw: &str) -> String {
    Clean::line(raw).to_string()
}

/// JSON text that says the same and steers no terminal: control, bidi, zero-width, tag and private
/// characters stand there as `\u` escapes. Outside its strings JSON has none of them.
///
/// ```
/// assert_eq!(overrule::text::inert_json("{\"t\":\"a\u{202E}b\"}"), r#"{"t":"a\u202eb"}"#);
/// ```
pub fn inert_json(json: &str) -> String {
    let mut inert = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(class(c), Class::Hidden | Class::Joiner) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(inert, "\\u{unit:04x}");
            }
        } else {
            inert.push(c);
        }
    }
    inert
}

/// The text as one cell of a CSV file (RFC 4180). A spreadsheet would run a cell that begins with
/// `=`, `+`, `-`, `@`, a tab, CR or NUL as a formula: such a cell gets a leading `'`, unless it
/// is a plain number.
pub fn csv_cell(raw: &str) -> String {
    let formula = raw.starts_with(['=', '+', '-', '@', '\t', '\r', '\0', '＝', '＋', '－', '＠']);
    let cell = if formula && !is_number(raw) { format!("'{raw}") } else { raw.to_owned() };
    if cell.contains(['"', ',', '\n', '\r', ';', '\t'])
        || cell.starts_with(' ')
        || cell.ends_with(' ')
    {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

/// A decimal number with nothing around it, as `-1.26`.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, part].iter().all(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_is_one_line() {
        assert_eq!(escape_log("ok\r\n2026 INFO forged\u{1b}[2J"), "ok␍␊2026 INFO forged␛[2J");
    }

    #[test]
    fn cells_follow_rfc_4180() {
        assert_eq!(csv_cell("plain"), "plain");
        assert_eq!(csv_cell("a,b"), "\"a,b\"");
        assert_eq!(csv_cell("say \"no\""), "\"say \"\"no\"\"\"");
        assert_eq!(csv_cell("two\nlines"), "\"two\nlines\"");
        assert_eq!(csv_cell(" blank"), "\" blank\"");
        assert_eq!(csv_cell(""), "");
    }

    #[test]
    fn formulas_become_text() {
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell("+cmd|' /C calc'!A0"), "'+cmd|' /C calc'!A0");
        assert_eq!(csv_cell("-2+3"), "'-2+3");
        assert_eq!(csv_cell("@SUM(A1,A2)"), "\"'@SUM(A1,A2)\"");
        assert_eq!(csv_cell("\t=1"), "\"'\t=1\"");
        assert_eq!(csv_cell("\r=1"), "\"'\r=1\"");
        assert_eq!(csv_cell("\0=1"), "'\0=1");
        assert_eq!(csv_cell("＝1"), "'＝1");
    }

    #[test]
    fn numbers_stay_numbers() {
        assert_eq!(csv_cell("-1.26"), "-1.26");
        assert_eq!(csv_cell("-7"), "-7");
        assert_eq!(csv_cell("-"), "'-");
        assert_eq!(csv_cell("-1."), "'-1.");
        assert_eq!(csv_cell("-1e5"), "'-1e5");
    }
}
