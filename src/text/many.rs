//! A number with its noun.

use std::fmt::Display;

/// `1 line`, `3 lines`; `0 lines`.
pub fn many(n: impl Display, one: &str, more: &str) -> String {
    let n = n.to_string();
    let noun = if n == "1" { one } else { more };
    format!("{n} {noun}")
}

#[cfg(test)]
mod tests {
    use super::many;

    #[test]
    fn one_is_one() {
        assert_eq!([0, 1, 2].map(|n| many(n, "line", "lines")), ["0 lines", "1 line", "2 lines"]);
    }
}
