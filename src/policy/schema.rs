//! JSON Schemas of the domains: compiled once, they check records and type fields for rules.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use serde_json::Value;

use super::diagnostics::Sink;
use super::nouns::Schemas;
use super::redact::Redaction;
use crate::domain::{Fault, FaultKind};

/// Most faults listed for one value; hostile input could make millions.
const MAX_FAULTS: usize = 100;

/// Longest message of a fault, in characters.
const MAX_MESSAGE: usize = 300;

/// The type of a field below `input` or `output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldType {
    Number,
    Integer,
    Text,
    Flag,
}

impl FieldType {
    /// The words of `[fields]`, and JSON Schema's own.
    pub(super) const WORDS: [(&str, Self); 4] = [
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("string", Self::Text),
        ("bool", Self::Flag),
    ];

    fn of_schema(word: &str) -> Option<Self> {
        let word = if word == "boolean" { "bool" } else { word };
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, t)| *t)
    }

    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Text => "a text",
            Self::Flag => "true or false",
        }
    }

    /// The type rules see.
    pub(super) fn rule_type(self) -> super::lang::fields::Type {
        use super::lang::fields::Type;
        match self {
            Self::Number | Self::Integer => Type::Number,
            Self::Text => Type::Text,
            Self::Flag => Type::Flag,
        }
    }

    /// Does the value fit? `null` counts as absent and fits.
    pub(super) fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null) => true,
            (Self::Number, Value::Number(n)) => n.as_f64().is_some_and(f64::is_finite),
            (Self::Integer, Value::Number(n)) => {
                n.is_i64() || n.is_u64() || n.as_f64().is_some_and(|f| f.fract() == 0.0)
            }
            (Self::Text, Value::String(_)) | (Self::Flag, Value::Bool(_)) => true,
            _ => false,
        }
    }
}

/// What the schemas say about the types of fields.
#[derive(Debug, Default)]
pub(super) struct SchemaTypes {
    pub(super) types: BTreeMap<String, FieldType>,
    /// Paths that two domains type differently: of no use in rules unless `[fields]` settles it.
    pub(super) conflicts: BTreeSet<String>,
}

/// The types named by `properties.X.type` at any depth, in every domain.
pub(super) fn types(schemas: &Schemas) -> SchemaTypes {
    let mut out = SchemaTypes::default();
    for domain in schemas.0.values() {
        for (head, schema) in [("input", &domain.input), ("output", &domain.output)] {
            if let Some(schema) = schema {
                collect(schema, head, &mut out);
            }
        }
    }
    out.types.retain(|path, _| !out.conflicts.contains(path));
    out
}

fn collect(schema: &Value, path: &str, out: &mut SchemaTypes) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (key, property) in properties {
        let path = format!("{path}.{key}");
        let word = match property.get("type") {
            Some(Value::String(word)) => Some(word.as_str()),
            // A type or null: null counts as absent.
            Some(Value::Array(words)) => {
                let mut words = words.iter().filter_map(Value::as_str).filter(|w| *w != "null");
                words.next().filter(|_| words.next().is_none())
            }
            _ => None,
        };
        if let Some(found) = word.and_then(FieldType::of_schema) {
            let known = out.types.entry(path.clone()).or_insert(found);
            if known.rule_type() != found.rule_type() {
                out.conflicts.insert(path.clone());
            } else if found == FieldType::Number {
                *known = found;
            }
        }
        collect(property, &path, out);
    }
}

/// The compiled schemas.
#[derive(Debug, Default)]
pub(super) struct Validators(BTreeMap<String, DomainValidators>);

#[derive(Debug, Default)]
struct DomainValidators {
    input: Option<Validator>,
    output: Option<Validator>,
}

impl Validators {
    /// Compile all schemas; one that is no schema is an error in its own file.
    pub(super) fn compile(schemas: &Schemas, sink: &mut Sink) -> Self {
        let mut out = BTreeMap::new();
        for (domain, s) in &schemas.0 {
            let mut build = |schema: &Option<Value>, part: &str| {
                let schema = schema.as_ref()?;
                match jsonschema::options().offline().build(schema) {
                    Ok(v) => Some(v),
                    Err(e) => {
                        let file = format!("schemas/{domain}.{part}.json");
                        let at = e.instance_path().to_string();
                        let at = if at.is_empty() { String::new() } else { format!(" at {at}") };
                        sink.error_in(
                            file,
                            format!("not a usable JSON Schema{at}: {}", short(&e.to_string())),
                        );
                        None
                    }
                }
            };
            let input = build(&s.input, "input");
            let output = build(&s.output, "output");
            out.insert(domain.clone(), DomainValidators { input, output });
        }
        Self(out)
    }

    /// Every fault of an input; empty where the domain has no schema.
    pub(super) fn input(&self, domain: &str, value: &Value, redact: &Redaction) -> Vec<Fault> {
        let v = self.0.get(domain).and_then(|d| d.input.as_ref());
        v.map_or_else(Vec::new, |v| faults(v, "input", value, redact))
    }

    /// Has the domain a schema for its input?
    pub(super) fn has_input(&self, domain: &str) -> bool {
        self.0.get(domain).is_some_and(|d| d.input.is_some())
    }

    /// Every fault of an output; empty where the domain has no schema.
    pub(super) fn output(&self, domain: &str, value: &Value, redact: &Redaction) -> Vec<Fault> {
        let v = self.0.get(domain).and_then(|d| d.output.as_ref());
        v.map_or_else(Vec::new, |v| faults(v, "output", value, redact))
    }
}

fn faults(validator: &Validator, head: &str, value: &Value, redact: &Redaction) -> Vec<Fault> {
    let errors = validator.iter_errors(value).take(MAX_FAULTS);
    errors
        .map(|e| {
            let mut path = head.to_owned();
            for part in e.instance_path().to_string().split('/').skip(1) {
                path.push('.');
                path.push_str(&part.replace("~1", "/").replace("~0", "~"));
            }
            // A message may quote the value: not where it, or a part of it, is redacted.
            let private = redact.touches(&path);
            let message = if private { e.masked().to_string() } else { e.to_string() };
            Fault { path, kind: FaultKind::Schema, message: short(&message) }
        })
        .collect()
}

/// Messages quote foreign values: keep them bounded.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
