//! The filter line: `domain: cohort: model: rule: level: tag: queue: by:me`, the rest is free text.

use crate::protocol::Filter;

/// The words that part a field from its value, with what they hold.
pub const FIELDS: &[(&str, &str)] = &[
    ("domain:", "business context"),
    ("cohort:", "group, or dimension:group"),
    ("model:", "name, or name@version"),
    ("rule:", "the rule that sent it here"),
    ("level:", "1, 2 or 3"),
    ("tag:", "a tag of the taxonomy"),
    ("queue:", "a queue's name"),
    ("by:me", "what I decided"),
];

/// Why a filter line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("level: takes a number, not '{0}'")]
    Level(String),
    #[error("by: knows only by:me, not '{0}'")]
    By(String),
    #[error("{0} needs a value; write it like {0}loan, or \"{0}two words\"")]
    Empty(&'static str),
    #[error("a quote stands open; close it with \"")]
    Quote,
}

/// Reads a filter line. Values with blanks are quoted: `"domain:support qa"` or
/// `domain:"support qa"`. An unknown `word:` is free text.
///
/// # Errors
///
/// [`FilterError`] says which part cannot be used.
pub fn parse(line: &str) -> Result<Filter, FilterError> {
    let mut filter = Filter::default();
    let mut text: Vec<String> = Vec::new();
    for word in words(line)? {
        let Some((field, value)) = split(&word) else {
            text.push(word);
            continue;
        };
        let value = value.trim();
        if value.is_empty() {
            return Err(FilterError::Empty(field));
        }
        let owned = Some(value.to_owned());
        match field {
            "domain:" => filter.domain = owned,
            "cohort:" => filter.cohort = owned,
            "model:" => filter.model = owned,
            "rule:" => filter.rule = owned,
            "tag:" => filter.tag = owned,
            "queue:" => filter.queue = owned,
            "level:" => {
                let level = value.parse().map_err(|_| FilterError::Level(value.to_owned()))?;
                filter.level = Some(level);
            }
            _ if value == "me" => filter.by_me = true,
            _ => return Err(FilterError::By(value.to_owned())),
        }
    }
    filter.text = (!text.is_empty()).then(|| text.join(" "));
    Ok(filter)
}

/// A known field and its value.
fn split(word: &str) -> Option<(&'static str, &str)> {
    FIELDS.iter().find_map(|(field, _)| {
        let field = if *field == "by:me" { "by:" } else { field };
        word.strip_prefix(field).map(|value| (field, value))
    })
}

/// Words parted by blanks; blanks inside double quotes stay.
fn words(line: &str) -> Result<Vec<String>, FilterError> {
    let (mut words, mut word, mut quoted, mut started) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                started = true;
            }
            c if c.is_whitespace() && !quoted => {
                if started {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            c => {
                word.push(c);
                started = true;
            }
        }
    }
    if quoted {
        return Err(FilterError::Quote);
    }
    if started {
        words.push(word);
    }
    words.retain(|w| !w.is_empty());
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_free_text_in_any_order() {
        let filter = parse("refund domain:support_qa level:2 policy by:me tag:bias").unwrap();
        assert_eq!(
            filter,
            Filter {
                domain: Some("support_qa".into()),
                level: Some(2),
                tag: Some("bias".into()),
                by_me: true,
                text: Some("refund policy".into()),
                ..Filter::default()
            }
        );
        let filter =
            parse("cohort:race:black model:triage@2.4 rule:low \"two words\" q:x").unwrap();
        assert_eq!(filter.cohort.as_deref(), Some("race:black"));
        assert_eq!(filter.model.as_deref(), Some("triage@2.4"));
        assert_eq!(filter.rule.as_deref(), Some("low"));
        assert_eq!(filter.text.as_deref(), Some("two words q:x"));
        assert_eq!(parse("domain:\"support qa\"").unwrap().domain.as_deref(), Some("support qa"));
        assert_eq!(parse("  ").unwrap(), Filter::default());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (line, message) in [
            ("level:high", "level: takes a number, not 'high'"),
            ("by:bob", "by: knows only by:me, not 'bob'"),
            (
                "domain:",
                "domain: needs a value; write it like domain:loan, or \"domain:two words\"",
            ),
            ("\"half", "a quote stands open; close it with \""),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), message);
        }
    }
}
