//! Free text that is looked for in records, without regard to case.

/// Text to look for.
pub(in crate::store) struct Needle(String);

impl Needle {
    pub(in crate::store) fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    /// In the record as it came, or with its escapes (`\u00e9`, `\"`) resolved.
    pub(in crate::store) fn is_in(&self, raw: &[u8]) -> bool {
        let text = String::from_utf8_lossy(raw);
        text.to_lowercase().contains(&self.0)
            || (text.contains('\\')
                && serde_json::from_slice(raw).is_ok_and(|v| self.is_in_strings(&v)))
    }

    fn is_in_strings(&self, value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::String(s) => s.to_lowercase().contains(&self.0),
            serde_json::Value::Array(list) => list.iter().any(|v| self.is_in_strings(v)),
            serde_json::Value::Object(map) => {
                map.iter().any(|(k, v)| k.to_lowercase().contains(&self.0) || self.is_in_strings(v))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Needle;

    #[test]
    fn free_text_is_found_without_regard_to_case_and_escapes() {
        let raw = br#"{"id":"A-1","output":"Caf\u00e9 \"Z\u00dcRICH\" stra\u00dfe","n":7}"#;
        for (text, yes) in [
            ("a-1", true),
            ("café", true),
            ("zürich", true),
            ("\"zürich", true),
            ("OUTPUT", true),
            ("\"n\":7", true),
            ("basel", false),
        ] {
            assert_eq!(Needle::new(text).is_in(raw), yes, "{text}");
        }
    }
}
