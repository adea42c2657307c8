//! Foreign text on its way out as JSON.

use std::fmt::Write as _;

use super::character::{Class, class};

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
