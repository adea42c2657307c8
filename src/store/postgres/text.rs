//! Text as PostgreSQL keeps it: everything but U+0000, which foreign strings may hold.
//!
//! U+0000 is stored as U+10FFFF and `0`, U+10FFFF itself (which nobody assigns) as U+10FFFF and
//! `1`. Other text is stored as it is. Every text that comes from outside goes through [`T`] on its
//! way in and [`Text`] on its way out.

use std::borrow::Cow;
use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

const MARK: char = '\u{10FFFF}';

/// A text on its way into a column or a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct T<'a>(pub(in crate::store) &'a str);

/// A text as read from a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Text(pub(in crate::store) String);

/// As it is stored.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.extend([MARK, '0']),
            MARK => out.extend([MARK, '1']),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// As it came.
fn read(text: &str) -> String {
    if !text.contains(MARK) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            MARK => out.push(if chars.next() == Some('0') { '\0' } else { MARK }),
            c => out.push(c),
        }
    }
    out
}

/// An array as the text from which PostgreSQL reads it: columns of arrays cannot be unnested side
/// by side with others in any other way.
pub(super) fn array<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::from("{");
    for text in texts {
        if out.len() > 1 {
            out.push(',');
        }
        out.push('"');
        for c in stored(text).chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push('}');
    out
}

impl ToSql for T<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        stored(self.0).as_ref().to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <&str as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Text {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        <&str as FromSql>::from_sql(ty, raw).map(|text| Self(read(text)))
    }

    fn accepts(ty: &Type) -> bool {
        <&str as FromSql>::accepts(ty)
    }
}

/// The texts of an array column.
pub(in crate::store) fn strings(texts: Option<Vec<Text>>) -> Vec<String> {
    texts.unwrap_or_default().into_iter().map(|t| t.0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arrays_are_quoted() {
        assert_eq!(array([]), "{}");
        assert_eq!(array(["a", "b,{c}", "\"\\", ""]), r#"{"a","b,{c}","\"\\",""}"#);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "[\0\u{10FFFF}01a\u{e9}]{0,12}|.{0,20}") {
            prop_assert!(!stored(&text).contains('\0'));
            prop_assert_eq!(read(&stored(&text)), text);
        }
    }
}
