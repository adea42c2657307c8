//! `[redact]`: paths that never stand in the trail or an export in clear.

use serde::Serialize;
use serde_json::Value;

/// The fields of a record that a path may begin with.
pub const REDACTABLE: [&str; 12] = [
    "input",
    "output",
    "rationale",
    "cohort",
    "user_group",
    "scope",
    "source",
    "provenance",
    "attributions",
    "logits",
    "tags",
    "reply",
];

/// Dotted paths; `*` stands for one key or one place in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Redaction {
    paths: Vec<Vec<String>>,
}

impl Redaction {
    /// From paths such as `input.ssn` or `input.*.email`; empty parts never match.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let split = |p: &str| p.split('.').map(str::to_owned).collect();
        Self { paths: paths.into_iter().map(split).collect() }
    }

    /// Nothing is redacted.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The paths as the policy spells them.
    pub fn paths(&self) -> impl Iterator<Item = String> + '_ {
        self.paths.iter().map(|p| p.join("."))
    }

    /// Is the value at this dotted path redacted, itself or as part of something that is?
    pub fn matches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('.').collect();
        self.paths.iter().any(|p| {
            p.len() <= parts.len() && p.iter().zip(&parts).all(|(want, got)| fits(want, got))
        })
    }

    /// Would showing the value at this dotted path show anything redacted: the value itself, a
    /// part of it, or what it is part of?
    pub fn touches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('.').collect();
        self.paths.iter().any(|p| p.iter().zip(&parts).all(|(want, got)| fits(want, got)))
    }

    /// The dotted paths inside `record` that are redacted, outermost first where they nest.
    pub fn paths_in(&self, record: &Value) -> Vec<String> {
        let mut out = Vec::new();
        self.walk(record, &mut Vec::new(), &mut |path| out.push(path.join(".")));
        out
    }

    /// Replace every redacted value inside `record` by what `with` makes of it and its path.
    pub fn replace(&self, record: &mut Value, with: &mut impl FnMut(&str, &Value) -> Value) {
        self.replace_below(record, &mut Vec::new(), with);
    }

    /// Calls `found` with each outermost redacted path.
    fn walk(&self, value: &Value, path: &mut Vec<String>, found: &mut impl FnMut(&[String])) {
        if self.is_redacted(path) {
            return found(path);
        }
        let mut step = |key: String, child: &Value, path: &mut Vec<String>| {
            path.push(key);
            self.walk(child, path, found);
            path.pop();
        };
        match value {
            Value::Object(map) => map.iter().for_each(|(k, v)| step(k.clone(), v, path)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(i, v)| step(i.to_string(), v, path));
            }
            _ => {}
        }
    }

    fn replace_below(
        &self,
        value: &mut Value,
        path: &mut Vec<String>,
        with: &mut impl FnMut(&str, &Value) -> Value,
    ) {
        if self.is_redacted(path) {
            *value = with(&path.join("."), value);
            return;
        }
        match value {
            Value::Object(map) => {
                for (k, v) in map.iter_mut() {
                    path.push(k.clone());
                    self.replace_below(v, path, with);
                    path.pop();
                }
            }
            Value::Array(list) => {
                for (i, v) in list.iter_mut().enumerate() {
                    path.push(i.to_string());
                    self.replace_below(v, path, with);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// By keys, not by joined text: a key with a dot in it is one key.
    fn is_redacted(&self, path: &[String]) -> bool {
        self.paths
            .iter()
            .any(|p| p.len() == path.len() && p.iter().zip(path).all(|(want, got)| fits(want, got)))
    }
}

fn fits(want: &str, got: &str) -> bool {
    !want.is_empty() && (want == "*" || want == got)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_and_replaces_what_is_redacted() {
        let r = Redaction::new(["input.ssn", "input.*.email", "output.notes.*"]);
        let mut record = json!({
            "input": {"ssn": "1", "a": {"email": "x", "b": 1}, "email": "kept", "list": [{"email": "y"}]},
            "output": {"notes": ["p", "q"]},
        });
        assert_eq!(
            r.paths_in(&record),
            ["input.ssn", "input.a.email", "output.notes.0", "output.notes.1"]
        );
        assert!(r.matches("input.ssn") && r.matches("input.ssn.digits.0"));
        assert!(r.matches("input.x.email") && !r.matches("input.email") && !r.matches("input"));
        r.replace(&mut record, &mut |path, _| json!(format!("[{path}]")));
        assert_eq!(record["input"]["ssn"], "[input.ssn]");
        assert_eq!(record["input"]["email"], "kept");
        assert_eq!(record["output"]["notes"], json!(["[output.notes.0]", "[output.notes.1]"]));
    }
}
