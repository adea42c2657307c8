//! `[params]`, `[impact]` and `[fields]`: what rules refer to by name.

use std::cell::Cell;
use std::collections::BTreeMap;

use toml::de::DeValue;

use super::super::lang::check::{Param, ParamValue, Params};
use super::super::nouns::{Impact, Schemas};
use super::super::schema::{self, FieldType};
use super::Loader;
use super::table::{At, Table, number, said};

impl Loader<'_> {
    pub(super) fn read_params(&mut self, top: &mut Table<'_>) -> Params {
        let mut out = Params::default();
        let Some(mut table) = top.table("params", &mut self.sink) else { return out };
        for (name, value) in table.named() {
            let ident = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let starts = name.value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !starts || !name.value.chars().all(ident) {
                let message =
                    format!("a rule cannot spell `params.{}`", name.value.escape_default());
                self.sink.error(&name.span, message).help("use letters, digits and `_`");
                continue;
            }
            if let Some(v) = self.param(value.get_ref()) {
                let param = Param { value: v, span: name.span, used: Cell::new(false) };
                out.0.insert(name.value, param);
            } else {
                let is = said(value.get_ref());
                let message = format!("`params.{}` is {is}", name.value);
                self.sink.error(&value.span(), message).help(
                    "a parameter is a number, a text, true or false, or a list of numbers or of texts",
                );
            }
        }
        out
    }

    fn param(&self, value: &DeValue<'_>) -> Option<ParamValue> {
        match value {
            DeValue::String(s) => Some(ParamValue::Text(s.to_string())),
            DeValue::Boolean(b) => Some(ParamValue::Flag(*b)),
            DeValue::Array(list) => {
                let numbers: Option<Vec<f64>> = list.iter().map(|v| number(v.get_ref())).collect();
                let texts: Option<Vec<String>> =
                    list.iter().map(|v| v.get_ref().as_str().map(str::to_owned)).collect();
                match (numbers, texts) {
                    (Some(n), _) if !n.is_empty() => Some(ParamValue::Numbers(n)),
                    (_, Some(t)) if !t.is_empty() => Some(ParamValue::Texts(t)),
                    _ => None,
                }
            }
            value => number(value).map(ParamValue::Number),
        }
    }

    pub(super) fn impact(&mut self, top: &mut Table<'_>) -> Impact {
        let mut impact = Impact::default();
        let Some(mut table) = top.table("impact", &mut self.sink) else { return impact };
        let ten = (0.0, 10.0);
        if let Some(n) = table.number_in("medium", ten, &mut self.sink) {
            impact.medium = n.value;
        }
        let high = table.number_in("high", ten, &mut self.sink);
        if let Some(n) = &high {
            impact.high = n.value;
        }
        if impact.medium > impact.high {
            let span = high.map_or_else(|| table.span.clone(), |h| h.span);
            let message =
                format!("high impact begins at {}, below medium at {}", impact.high, impact.medium);
            self.sink.error(&span, message);
        }
        table.finish(&mut self.sink);
        impact
    }

    /// `[fields]`, checked against the schemas; what both say becomes known to rules.
    pub(super) fn fields(
        &mut self,
        top: &mut Table<'_>,
        schemas: &Schemas,
    ) -> BTreeMap<String, FieldType> {
        let from_schemas = schema::types(schemas);
        let mut out = BTreeMap::new();
        if let Some(mut table) = top.table("fields", &mut self.sink) {
            for (path, value) in table.named() {
                let Some(word) = value.get_ref().as_str() else {
                    let is = said(value.get_ref());
                    let message = format!("the type of {} is {is}", path.value);
                    self.sink.error(&value.span(), message).help(
                        "write \"number\", \"integer\", \"string\" or \"bool\", and quote the path",
                    );
                    continue;
                };
                let word = At::new(word.to_owned(), value.span());
                if let Some(t) = self.field(&path, &word, &from_schemas) {
                    out.insert(path.value, t);
                }
            }
        }
        self.types = from_schemas.types.iter().map(|(p, t)| (p.clone(), t.rule_type())).collect();
        self.types.extend(out.iter().map(|(p, t)| (p.clone(), t.rule_type())));
        self.conflicts = from_schemas.conflicts;
        out
    }

    fn field(
        &mut self,
        path: &At<String>,
        word: &At<String>,
        from_schemas: &schema::SchemaTypes,
    ) -> Option<FieldType> {
        let mut parts = path.value.split('.');
        let head = parts.next().unwrap_or_default();
        let fine = matches!(head, "input" | "output")
            && parts.clone().next().is_some()
            && parts.all(|p| !p.is_empty());
        if !fine {
            let message = format!("`{}` is not a path below input or output", path.value);
            self.sink
                .error(&path.span, message)
                .help("write for example \"input.income\" = \"number\"");
            return None;
        }
        let Some((_, t)) = FieldType::WORDS.iter().find(|(w, _)| *w == word.value) else {
            self.sink
                .error(&word.span, format!("unknown type \"{}\"", word.value))
                .nearest(&word.value, FieldType::WORDS.iter().map(|(w, _)| *w));
            return None;
        };
        if let Some(other) = from_schemas.types.get(&path.value)
            && other.rule_type() != t.rule_type()
        {
            let message =
                format!("{} is {} here and {} in its schema", path.value, t.said(), other.said());
            self.sink.error(&word.span, message).help("no record could keep both");
            return None;
        }
        Some(*t)
    }
}
