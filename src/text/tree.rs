//! A JSON value as rows that can be read and folded.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Clean;

/// Characters of a string shown in a row; the notice says how many are left.
const MOST_TEXT: usize = 400;
/// Numbers of an array that fit in its own row.
const MOST_INLINE: usize = 12;

/// What a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// How deep it lies; 0 for the fields of the value itself.
    pub depth: usize,
    /// Where it lies: a JSON pointer (RFC 6901), for [`serde_json::Value::pointer`] and folding.
    pub pointer: String,
    /// The field's name made readable, or its number in an array, from 1.
    pub key: Clean,
    /// The value on one line; for what can be folded, how much is inside.
    pub value: Clean,
    pub kind: NodeKind,
    /// Whether it is folded; `None` where there is nothing to fold.
    pub folded: Option<bool>,
}

/// Rows of a value, and how many did not fit.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tree {
    pub nodes: Vec<Node>,
    /// Rows left out because of the limit.
    pub more: usize,
}

/// What is folded: everything from a depth on, except where a person turned it round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    open_depth: usize,
    turned: BTreeSet<String>,
}

impl Folds {
    /// Open down to `open_depth` levels: 1 shows the fields of the value and folds theirs.
    pub fn new(open_depth: usize) -> Self {
        Self { open_depth, turned: BTreeSet::new() }
    }

    /// Folds what is open there, or opens what is folded.
    pub fn toggle(&mut self, pointer: &str) {
        if !self.turned.remove(pointer) {
            self.turned.insert(pointer.to_owned());
        }
    }

    fn is_folded(&self, pointer: &str, depth: usize) -> bool {
        (depth + 1 >= self.open_depth.max(1)) != self.turned.contains(pointer)
    }
}

impl Default for Folds {
    /// Open for three levels, deeper than most records go.
    fn default() -> Self {
        Self::new(3)
    }
}

/// The rows of a value in document order, at most `most` of them.
pub fn tree(value: &Value, folds: &Folds, most: usize) -> Tree {
    let mut walk = Walk { folds, most, tree: Tree::default() };
    match value {
        Value::Object(_) | Value::Array(_) => walk.inside(value, "", 0),
        scalar => walk.row(Clean::default(), scalar, String::new(), 0),
    }
    walk.tree
}

struct Walk<'a> {
    folds: &'a Folds,
    most: usize,
    tree: Tree,
}

impl Walk<'_> {
    /// Adds what an object or array holds. Depth is bounded: a reader of JSON stops at 128.
    fn inside(&mut self, value: &Value, pointer: &str, depth: usize) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let escaped = name.replace('~', "~0").replace('/', "~1");
                    let key = Clean::line_first(&humanise_key(name), MOST_TEXT);
                    self.row(key, value, format!("{pointer}/{escaped}"), depth);
                }
            }
            Value::Array(items) => {
                for (n, value) in items.iter().enumerate() {
                    let key = Clean::line(&(n + 1).to_string());
                    self.row(key, value, format!("{pointer}/{n}"), depth);
                }
            }
            _ => {}
        }
    }

    fn row(&mut self, key: Clean, value: &Value, pointer: String, depth: usize) {
        let folded = can_fold(value).then(|| self.folds.is_folded(&pointer, depth));
        if self.tree.nodes.len() < self.most {
            let (kind, text) = (kind(value), text(value));
            let node = Node { depth, pointer: pointer.clone(), key, value: text, kind, folded };
            self.tree.nodes.push(node);
        } else {
            self.tree.more += 1;
        }
        if folded == Some(false) {
            self.inside(value, &pointer, depth + 1);
        }
    }
}

fn kind(value: &Value) -> NodeKind {
    match value {
        Value::Object(_) => NodeKind::Object,
        Value::Array(_) => NodeKind::Array,
        Value::String(_) => NodeKind::Text,
        Value::Number(_) => NodeKind::Number,
        Value::Bool(_) => NodeKind::Bool,
        Value::Null => NodeKind::Null,
    }
}

/// Holds something that is not in its own row already.
fn can_fold(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty() && !is_inline(items),
        _ => false,
    }
}

/// A few numbers, such as logits: easier to compare in one row than below each other.
fn is_inline(items: &[Value]) -> bool {
    items.len() <= MOST_INLINE && items.iter().all(Value::is_number)
}

fn text(value: &Value) -> Clean {
    let count = |n: usize, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    match value {
        Value::String(text) => Clean::line_first(text, MOST_TEXT),
        Value::Object(fields) if fields.is_empty() => Clean::line("empty"),
        Value::Array(items) if items.is_empty() => Clean::line("empty"),
        Value::Object(fields) => Clean::line(&count(fields.len(), "field")),
        Value::Array(items) if is_inline(items) => {
            let numbers: Vec<String> = items.iter().map(Value::to_string).collect();
            Clean::line(&numbers.join("  "))
        }
        Value::Array(items) => {
            Clean::line(&count(items.len(), "entry").replace("entrys", "entries"))
        }
        Value::Bool(true) => Clean::line("yes"),
        Value::Bool(false) => Clean::line("no"),
        Value::Null => Clean::line("–"),
        Value::Number(number) => Clean::line(&number.to_string()),
    }
}

/// A field's name as people write it: underscores, hyphens and inner capitals become blanks.
///
/// ```
/// use overrule::text::humanise_key;
///
/// assert_eq!(humanise_key("income_thousands"), "income thousands");
/// assert_eq!(humanise_key("loanToValue"), "loan to value");
/// assert_eq!(humanise_key("applicantSSN"), "applicant SSN");
/// ```
pub fn humanise_key(key: &str) -> String {
    let mut words = String::with_capacity(key.len() + 4);
    let mut previous = ' ';
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        let next_is_capital = chars.peek().is_some_and(|n| n.is_uppercase());
        match c {
            '_' | '-' => {
                if !words.is_empty() && !words.ends_with(' ') {
                    words.push(' ');
                }
            }
            c if c.is_uppercase() && previous.is_lowercase() => {
                words.push(' ');
                // An abbreviation keeps its capitals.
                if next_is_capital { words.push(c) } else { words.extend(c.to_lowercase()) }
            }
            c => words.push(c),
        }
        previous = c;
    }
    let trimmed = words.trim_end();
    if trimmed.is_empty() { key.to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(tree: &Tree) -> Vec<String> {
        tree.nodes
            .iter()
            .map(|n| format!("{}{}: {}", "  ".repeat(n.depth), n.key, n.value))
            .collect()
    }

    #[test]
    fn shows_fields_in_their_order() {
        let value = json!({
            "income_thousands": 53, "cosigner": true, "note": "a\nb", "none": null,
            "logits": [0.1, -2.5], "history": [{"late": 2}, {}], "empty": []
        });
        let tree = tree(&value, &Folds::new(9), 100);
        assert_eq!(
            rows(&tree),
            [
                "income thousands: 53",
                "cosigner: yes",
                "note: a␊b",
                "none: –",
                "logits: 0.1  -2.5",
                "history: 2 entries",
                "  1: 1 field",
                "    late: 2",
                "  2: empty",
                "empty: empty",
            ]
        );
        assert_eq!(tree.nodes[7].pointer, "/history/0/late");
        assert_eq!(value.pointer(&tree.nodes[7].pointer), Some(&json!(2)));
        assert_eq!(tree.more, 0);
    }

    #[test]
    fn folds_and_unfolds() {
        let value = json!({"a": {"b": {"c": 1}}});
        let mut folds = Folds::new(1);
        assert_eq!(rows(&tree(&value, &folds, 9)), ["a: 1 field"]);
        folds.toggle("/a");
        assert_eq!(rows(&tree(&value, &folds, 9)), ["a: 1 field", "  b: 1 field"]);
        folds.toggle("/a");
        assert_eq!(tree(&value, &folds, 9).nodes[0].folded, Some(true));
        assert_eq!(rows(&tree(&value, &Folds::new(2), 9)), ["a: 1 field", "  b: 1 field"]);
    }

    #[test]
    fn caps_rows_and_strings() {
        let value = json!((0..10).map(|n| n.to_string()).collect::<Vec<_>>());
        let capped = tree(&value, &Folds::default(), 4);
        assert_eq!((capped.nodes.len(), capped.more), (4, 6));

        let long = json!("x".repeat(MOST_TEXT + 12));
        let row = tree(&long, &Folds::default(), 4).nodes.remove(0);
        assert!(row.value.as_str().ends_with("x… 12 more characters"));
    }

    #[test]
    fn names_with_slashes_are_found_again() {
        let value = json!({"a/b~c": {"x": 1}});
        let nodes = tree(&value, &Folds::default(), 9).nodes;
        assert_eq!(value.pointer(&nodes[1].pointer), Some(&json!(1)));
    }

    #[test]
    fn foreign_keys_are_clean() {
        let nodes = tree(&json!({"a\u{202E}b": 1}), &Folds::default(), 9).nodes;
        assert_eq!(nodes[0].key.as_str(), "a<U+202E>b");
    }

    #[test]
    fn keys_read_as_words() {
        for (key, words) in [
            ("income_thousands", "income thousands"),
            ("__private", "private"),
            ("loan-to-price", "loan to price"),
            ("userID", "user ID"),
            ("HTTPStatus", "HTTPStatus"),
            ("address2", "address2"),
            ("___", "___"),
            ("", ""),
        ] {
            assert_eq!(humanise_key(key), words);
        }
    }
}
