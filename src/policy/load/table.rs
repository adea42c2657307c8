//! Reads one TOML table key by key: every wrong type and every unknown key becomes a finding, and
//! reading goes on.

use std::ops::Range;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::diagnostics::{Sink, per_cent};
use super::super::place::Text;
use super::time;
use jiff::SignedDuration;

/// A value with its place in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

impl<T> At<T> {
    pub(crate) fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// A table being read.
pub(super) struct Table<'t> {
    /// How messages call it, e.g. `[queues.level1]`.
    pub(super) what: String,
    pub(super) span: Range<usize>,
    entries: Vec<Entry<'t>>,
    known: Vec<&'static str>,
}

struct Entry<'t> {
    key: &'t str,
    key_span: Range<usize>,
    value: &'t Value<'t>,
    taken: bool,
}

impl<'t> Table<'t> {
    pub(super) fn new(what: String, table: &'t DeTable<'t>, span: Range<usize>) -> Self {
        let mut entries: Vec<Entry<'t>> = table
            .iter()
            .map(|(k, v)| Entry {
                key: k.get_ref().as_ref(),
                key_span: k.span(),
                value: v,
                taken: false,
            })
            .collect();
        entries.sort_by_key(|e| e.key_span.start);
        Self { what, span, entries, known: Vec::new() }
    }

    /// The table in `value`, or a finding.
    pub(super) fn of(what: String, value: &'t Value<'t>, sink: &mut Sink) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(t) => Some(Self::new(what, t, value.span())),
            other => {
                sink.error(
                    &value.span(),
                    format!("{what} is {}, but should be a table", said(other)),
                );
                None
            }
        }
    }

    /// The value under `key`, which counts as known from now on.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'t Value<'t>> {
        self.known.push(key);
        let entry = self.entries.iter_mut().find(|e| e.key == key)?;
        entry.taken = true;
        Some(entry.value)
    }

    /// Does `key` stand here, right or wrong?
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|e| e.key == key)
    }

    /// Where `key` stands.
    pub(super) fn key(&self, key: &str) -> Option<&Range<usize>> {
        self.entries.iter().find(|e| e.key == key).map(|e| &e.key_span)
    }

    /// Every entry not taken yet, in the order of the file: for tables whose keys are names.
    pub(super) fn named(&mut self) -> Vec<(At<String>, &'t Value<'t>)> {
        let rest = self.entries.iter_mut().filter(|e| !e.taken);
        rest.map(|e| {
            e.taken = true;
            (At::new(e.key.to_owned(), e.key_span.clone()), e.value)
        })
        .collect()
    }

    pub(super) fn text(&mut self, key: &'static str, sink: &mut Sink) -> Option<At<String>> {
        let value = self.take(key)?;
        let span = value.span();
        match value.get_ref().as_str() {
            Some(s) => Some(At::new(s.to_owned(), span)),
            None => self.mistyped(key, "text", value, sink),
        }
    }

    /// A rule: its text with the place of each character.
    pub(super) fn rule(
        &mut self,
        key: &'static str,
        source: &str,
        sink: &mut Sink,
    ) -> Option<Text> {
        let value = self.take(key)?;
        match value.get_ref().as_str() {
            Some(s) => Some(Text::new(s, value.span(), source)),
            None => self.mistyped(key, "a rule between single quotes", value, sink),
        }
    }

    pub(super) fn number(&mut self, key: &'static str, sink: &mut Sink) -> Option<At<f64>> {
        let value = self.take(key)?;
        match number(value.get_ref()) {
            Some(n) => Some(At::new(n, value.span())),
            None => self.mistyped(key, "a finite number", value, sink),
        }
    }

    /// A number within `range`, both ends included.
    pub(super) fn number_in(
        &mut self,
        key: &'static str,
        (low, high): (f64, f64),
        sink: &mut Sink,
    ) -> Option<At<f64>> {
        let n = self.number(key, sink)?;
        if (low..=high).contains(&n.value) {
            return Some(n);
        }
        let what = &self.what;
        let advice =
            sink.error(&n.span, format!("`{key}` of {what} is {}, outside {low}..{high}", n.value));
        let share = low == 0.0 && high == 1.0;
        advice.help(match per_cent(n.value).filter(|_| share) {
            Some(meant) => format!("a share is written 0..1: did you mean {meant}?"),
            None => format!("write a number from {low} to {high}"),
        });
        None
    }

    pub(super) fn integer(
        &mut self,
        key: &'static str,
        (low, high): (i64, i64),
        sink: &mut Sink,
    ) -> Option<At<i64>> {
        let value = self.take(key)?;
        let Some(n) = integer(value.get_ref()) else {
            return self.mistyped(key, "a whole number", value, sink);
        };
        if (low..=high).contains(&n) {
            return Some(At::new(n, value.span()));
        }
        let what = &self.what;
        sink.error(&value.span(), format!("`{key}` of {what} is {n}, outside {low}..{high}"));
        None
    }

    pub(super) fn flag(&mut self, key: &'static str, sink: &mut Sink) -> Option<At<bool>> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(b) => Some(At::new(*b, value.span())),
            _ => self.mistyped(key, "true or false", value, sink),
        }
    }

    /// A list of texts; absent is `None`.
    pub(super) fn texts(&mut self, key: &'static str, sink: &mut Sink) -> Option<Vec<At<String>>> {
        let value = self.take(key)?;
        let DeValue::Array(list) = value.get_ref() else {
            return self.mistyped(key, "a list of texts, e.g. [\"a\", \"b\"]", value, sink);
        };
        let mut out = Vec::new();
        for v in list.iter() {
            match v.get_ref().as_str() {
                Some(s) => out.push(At::new(s.to_owned(), v.span())),
                None => {
                    let what = &self.what;
                    let is = said(v.get_ref());
                    sink.error(&v.span(), format!("`{key}` of {what} lists {is}; only text goes"));
                }
            }
        }
        Some(out)
    }

    /// A length of time such as `"1h30m"`, more than zero unless `zero`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        zero: bool,
        sink: &mut Sink,
    ) -> Option<At<SignedDuration>> {
        let value = self.take(key)?;
        let Some(text) = value.get_ref().as_str() else {
            return self.mistyped(key, "a length of time, e.g. \"30m\"", value, sink);
        };
        let text = At::new(text.to_owned(), value.span());
        match time::duration(&text.value) {
            Some(d) if zero || d > SignedDuration::ZERO => Some(At::new(d, text.span)),
            found => {
                let what = &self.what;
                let fault = if found.is_some() {
                    "must be more than nothing"
                } else {
                    "is not a length of time"
                };
                sink.error(&text.span, format!("`{key}` of {what}: \"{}\" {fault}", text.value))
                    .help("write for example \"30m\", \"2h\", \"1h30m\" or \"2d\"");
                None
            }
        }
    }

    /// One word of a fixed set.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        sink: &mut Sink,
    ) -> Option<At<T>> {
        let text = self.text(key, sink)?;
        if let Some((_, t)) = words.iter().find(|(w, _)| *w == text.value) {
            return Some(At::new(*t, text.span));
        }
        let what = &self.what;
        sink.error(&text.span, format!("`{key}` of {what}: unknown word \"{}\"", text.value))
            .nearest(&text.value, words.iter().map(|(w, _)| *w));
        None
    }

    /// An array of tables (`[[key]]`); absent is empty.
    pub(super) fn tables(&mut self, key: &'static str, sink: &mut Sink) -> Vec<Table<'t>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Array(list) = value.get_ref() else {
            sink.error(&value.span(), format!("`{key}` is a list of tables"))
                .help(format!("write [[{key}]] with two brackets"));
            return Vec::new();
        };
        list.iter().filter_map(|v| Table::of(format!("[[{key}]]"), v, sink)).collect()
    }

    /// A table (`[key]`).
    pub(super) fn table(&mut self, key: &'static str, sink: &mut Sink) -> Option<Table<'t>> {
        let value = self.take(key)?;
        if let DeValue::Array(_) = value.get_ref() {
            sink.error(&value.span(), format!("[{key}] stands once"))
                .help(format!("write [{key}] with one bracket"));
            return None;
        }
        Table::of(format!("[{key}]"), value, sink)
    }

    /// Report that `key` must be there, unless it is (and its own fault is reported already).
    pub(super) fn missing(&self, key: &str, sink: &mut Sink) {
        if !self.has(key) {
            let what = &self.what;
            sink.error(&self.span, format!("{what} needs `{key}`"));
        }
    }

    /// Report every key nobody asked for.
    pub(super) fn finish(self, sink: &mut Sink) {
        let what = &self.what;
        for e in self.entries.iter().filter(|e| !e.taken) {
            sink.error(&e.key_span, format!("unknown key `{}` in {what}", e.key))
                .nearest(e.key, self.known.iter().copied());
        }
    }

    fn mistyped<T>(&self, key: &str, want: &str, value: &Value<'_>, sink: &mut Sink) -> Option<T> {
        let (what, is) = (&self.what, said(value.get_ref()));
        sink.error(&value.span(), format!("`{key}` of {what} is {is}, but should be {want}"));
        None
    }
}

/// How messages call a value of another type.
pub(super) fn said(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A whole number of at most 2^53, so that it is exact as a float too.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let n = value.as_integer()?;
    let n = i64::from_str_radix(n.as_str(), n.radix()).ok()?;
    (n.unsigned_abs() <= 1 << 53).then_some(n)
}

/// A finite number.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    if let Some(n) = integer(value) {
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53, hence exact")]
        return Some(n as f64);
    }
    let n: f64 = value.as_float()?.as_str().parse().ok()?;
    n.is_finite().then_some(n)
}
