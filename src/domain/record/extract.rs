//! From a JSON object to a [`Decision`], listing everything that is wrong instead of stopping.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::reply;
use crate::domain::{Decision, Fault, FaultKind, Member, Model, Source, Timestamp};

/// What can be read of a broken record.
#[derive(Debug)]
pub(super) struct Parts {
    pub id: String,
    pub occurred_at: Option<Timestamp>,
    pub domain: Option<String>,
    pub action: Option<String>,
    pub model: Option<Model>,
    pub confidence: Option<f64>,
    pub business_impact: Option<f64>,
}

impl From<Decision> for Parts {
    fn from(d: Decision) -> Self {
        Self {
            id: d.id,
            occurred_at: d.occurred_at,
            domain: Some(d.domain),
            action: Some(d.action),
            model: Some(d.model),
            confidence: Some(d.confidence),
            business_impact: Some(d.business_impact),
        }
    }
}

/// The fields of the contract as they came, in its order.
#[derive(Default)]
struct Fields {
    occurred_at: Option<Value>,
    domain: Option<Value>,
    action: Option<Value>,
    scope: Option<Value>,
    user_group: Option<Value>,
    model: Option<Value>,
    confidence: Option<Value>,
    ensemble: Option<Value>,
    cohort: Option<Value>,
    business_impact: Option<Value>,
    input: Option<Value>,
    output: Option<Value>,
    rationale: Option<Value>,
    source: Option<Value>,
    provenance: Option<Value>,
    latency_ms: Option<Value>,
    attributions: Option<Value>,
    logits: Option<Value>,
    tags: Option<Value>,
    reply: Option<Value>,
    extra: Map<String, Value>,
}

impl Fields {
    fn sort(map: Map<String, Value>) -> Self {
        let mut f = Self::default();
        for (key, value) in map {
            let place = match key.as_str() {
                "id" => continue,
                "occurred_at" => &mut f.occurred_at,
                "domain" => &mut f.domain,
                "action" => &mut f.action,
                "scope" => &mut f.scope,
                "user_group" => &mut f.user_group,
                "model" => &mut f.model,
                "confidence" => &mut f.confidence,
                "ensemble" => &mut f.ensemble,
                "cohort" => &mut f.cohort,
                "business_impact" => &mut f.business_impact,
                "input" => &mut f.input,
                "output" => &mut f.output,
                "rationale" => &mut f.rationale,
                "source" => &mut f.source,
                "provenance" => &mut f.provenance,
                "latency_ms" => &mut f.latency_ms,
                "attributions" => &mut f.attributions,
                "logits" => &mut f.logits,
                "tags" => &mut f.tags,
                "reply" => &mut f.reply,
                _ => {
                    f.extra.insert(key, value);
                    continue;
                }
            };
            *place = Some(value);
        }
        f
    }
}

/// The decision, or what can be read of it with all its faults. `replies`: one that nobody could
/// send is a fault.
pub(super) fn extract(
    id: String,
    map: Map<String, Value>,
    replies: bool,
) -> Result<Box<Decision>, Box<(Parts, Vec<Fault>)>> {
    let f = Fields::sort(map);
    let mut r = Reader { faults: Vec::new() };
    let occurred_at = r.time("occurred_at", f.occurred_at);
    let domain = r.needed("domain", f.domain, Reader::word);
    let action = r.needed("action", f.action, Reader::word);
    let scope = r.optional("scope", f.scope, Reader::text);
    let user_group = r.optional("user_group", f.user_group, Reader::text);
    let model = r.needed("model", f.model, Reader::model);
    let confidence = r.needed("confidence", f.confidence, |r, p, v| r.within(p, v, 0.0, 1.0));
    let ensemble = r.optional("ensemble", f.ensemble, |r, p, v| r.list(p, v, Reader::member));
    let cohort = r.optional("cohort", f.cohort, Reader::cohort);
    let business_impact =
        r.needed("business_impact", f.business_impact, |r, p, v| r.within(p, v, 0.0, 10.0));
    let input = r.needed("input", f.input, Reader::object);
    let output = r.needed("output", f.output, Reader::output);
    let rationale = r.optional("rationale", f.rationale, Reader::text);
    let source = r.optional("source", f.source, Reader::source);
    let provenance = r.optional("provenance", f.provenance, |r, p, v| r.map(p, v, Reader::text));
    let latency_ms = r.optional("latency_ms", f.latency_ms, Reader::number);
    let attributions =
        r.optional("attributions", f.attributions, |r, p, v| r.map(p, v, Reader::number));
    let logits = r.optional("logits", f.logits, |r, p, v| r.list(p, v, Reader::number));
    let tags = r.optional("tags", f.tags, |r, p, v| r.list(p, v, Reader::text));
    let reply = r.optional("reply", f.reply, Reader::object);
    if replies && let Some(reply) = &reply {
        r.faults.extend(reply::faults(reply));
    }
    match (domain, action, model, confidence, business_impact, input, output) {
        (
            Some(domain),
            Some(action),
            Some(model),
            Some(confidence),
            Some(business_impact),
            Some(input),
            Some(output),
        ) if r.faults.is_empty() => Ok(Box::new(Decision {
            id,
            occurred_at,
            domain,
            action,
            scope,
            user_group,
            model,
            confidence,
            ensemble: ensemble.unwrap_or_default(),
            cohort: cohort.unwrap_or_default(),
            business_impact,
            input,
            output,
            rationale,
            source,
            provenance: provenance.unwrap_or_default(),
            latency_ms,
            attributions: attributions.unwrap_or_default(),
            logits: logits.unwrap_or_default(),
            tags: tags.unwrap_or_default(),
            reply: reply.map(Value::Object),
            extra: f.extra,
        })),
        (domain, action, model, confidence, business_impact, ..) => {
            let parts =
                Parts { id, occurred_at, domain, action, model, confidence, business_impact };
            Err(Box::new((parts, r.faults)))
        }
    }
}

/// Reads values of a kind; a fault is noted at its path, and nothing is returned.
struct Reader {
    faults: Vec<Fault>,
}

/// A place inside the record, spelled out only when there is a fault.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        match self.step {
            Step::Key(key) => f.write_str(key),
            Step::Index(i) => write!(f, "{i}"),
        }
    }
}

impl Path<'_> {
    fn key<'a>(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    fn index(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

impl Reader {
    fn fault<T>(&mut self, path: Path<'_>, kind: FaultKind, message: String) -> Option<T> {
        self.faults.push(Fault { path: path.to_string(), kind, message });
        None
    }

    fn wrong<T>(&mut self, path: Path<'_>, value: &Value, wanted: &str) -> Option<T> {
        self.fault(path, FaultKind::WrongType, format!("is {}, not {wanted}", a(value)))
    }

    fn needed<T>(
        &mut self,
        name: &str,
        value: Option<Value>,
        read: impl FnOnce(&mut Self, Path<'_>, Value) -> Option<T>,
    ) -> Option<T> {
        self.member_of(Path { parent: None, step: Step::Key(name) }, value, read)
    }

    /// A field that must be there.
    fn member_of<T>(
        &mut self,
        path: Path<'_>,
        value: Option<Value>,
        read: impl FnOnce(&mut Self, Path<'_>, Value) -> Option<T>,
    ) -> Option<T> {
        match value {
            Some(value) => read(self, path, value),
            None => self.fault(path, FaultKind::MissingField, format!("there is no `{path}`")),
        }
    }

    /// A field that may be absent; `null` is absent.
    fn optional<T>(
        &mut self,
        name: &str,
        value: Option<Value>,
        read: impl FnOnce(&mut Self, Path<'_>, Value) -> Option<T>,
    ) -> Option<T> {
        let value = value.filter(|v| !v.is_null())?;
        read(self, Path { parent: None, step: Step::Key(name) }, value)
    }

    fn text(&mut self, path: Path<'_>, value: Value) -> Option<String> {
        match value {
            Value::String(s) => Some(s),
            other => self.wrong(path, &other, "a string"),
        }
    }

    /// A string that is not empty.
    fn word(&mut self, path: Path<'_>, value: Value) -> Option<String> {
        let text = self.text(path, value)?;
        if text.is_empty() {
            return self.fault(path, FaultKind::InvalidField, "is empty".to_owned());
        }
        Some(text)
    }

    fn number(&mut self, path: Path<'_>, value: Value) -> Option<f64> {
        match value.as_f64() {
            Some(n) => Some(n),
            None => self.wrong(path, &value, "a number"),
        }
    }

    fn within(&mut self, path: Path<'_>, value: Value, lo: f64, hi: f64) -> Option<f64> {
        let n = self.number(path, value)?;
        if (lo..=hi).contains(&n) {
            return Some(n);
        }
        self.fault(path, FaultKind::OutOfRange, format!("is {n}; it must be from {lo} to {hi}"))
    }

    fn object(&mut self, path: Path<'_>, value: Value) -> Option<Map<String, Value>> {
        match value {
            Value::Object(map) => Some(map),
            other => self.wrong(path, &other, "an object"),
        }
    }

    fn output(&mut self, path: Path<'_>, value: Value) -> Option<Value> {
        match value {
            Value::String(_) | Value::Object(_) => Some(value),
            other => self.wrong(path, &other, "a string or an object"),
        }
    }

    fn model(&mut self, path: Path<'_>, value: Value) -> Option<Model> {
        let mut map = self.object(path, value)?;
        let name = self.member_of(path.key("name"), map.remove("name"), Self::word);
        let version = self.member_of(path.key("version"), map.remove("version"), Self::word);
        Some(Model { name: name?, version: version? })
    }

    fn member(&mut self, path: Path<'_>, value: Value) -> Option<Member> {
        let mut map = self.object(path, value)?;
        let name = self.member_of(path.key("name"), map.remove("name"), Self::text);
        let score = self
            .member_of(path.key("score"), map.remove("score"), |r, p, v| r.within(p, v, 0.0, 1.0));
        Some(Member { name: name?, score: score? })
    }

    fn source(&mut self, path: Path<'_>, value: Value) -> Option<Source> {
        let mut map = self.object(path, value)?;
        let name = self.member_of(path.key("name"), map.remove("name"), Self::text);
        let reliability = map.remove("reliability").filter(|v| !v.is_null());
        let reliability =
            reliability.and_then(|v| self.within(path.key("reliability"), v, 0.0, 1.0));
        Some(Source { name: name?, reliability })
    }

    /// `"x"` is short for `{"cohort": "x"}`.
    fn cohort(&mut self, path: Path<'_>, value: Value) -> Option<BTreeMap<String, String>> {
        match value {
            Value::String(group) => Some(BTreeMap::from([("cohort".to_owned(), group)])),
            Value::Object(_) => self.map(path, value, Self::text),
            other => self.wrong(path, &other, "a string or an object of strings"),
        }
    }

    /// An object of one kind of value; a `null` in it is absent.
    fn map<T>(
        &mut self,
        path: Path<'_>,
        value: Value,
        read: impl Fn(&mut Self, Path<'_>, Value) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let map = self.object(path, value)?;
        let mut out = BTreeMap::new();
        for (key, value) in map {
            if value.is_null() {
                continue;
            }
            if let Some(one) = read(self, path.key(&key), value) {
                out.insert(key, one);
            }
        }
        Some(out)
    }

    fn list<T>(
        &mut self,
        path: Path<'_>,
        value: Value,
        read: impl Fn(&mut Self, Path<'_>, Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Array(list) = value else { return self.wrong(path, &value, "a list") };
        let mut out = Vec::with_capacity(list.len());
        for (i, value) in list.into_iter().enumerate() {
            out.extend(read(self, path.index(i), value));
        }
        Some(out)
    }

    fn time(&mut self, name: &str, value: Option<Value>) -> Option<Timestamp> {
        self.optional(name, value, |r, path, value| {
            let text = r.text(path, value)?;
            match rfc3339(&text) {
                Some(time) => Some(time),
                None => {
                    let shown = short(&text);
                    let message =
                        format!("is {shown:?}, not a time such as 2026-03-02T09:00:00Z (RFC 3339)");
                    r.fault(path, FaultKind::InvalidField, message)
                }
            }
        })
    }
}

/// RFC 3339 and nothing more: jiff also reads zone names, missing seconds and other liberties.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let shape = |s: &str, pattern: &str| {
        s.len() == pattern.len()
            && s.bytes().zip(pattern.bytes()).all(|(b, p)| match p {
                b'0' => b.is_ascii_digit(),
                b'T' => matches!(b, b'T' | b't'),
                b'+' => matches!(b, b'+' | b'-'),
                _ => b == p,
            })
    };
    let (clock, rest) = text.split_at_checked(19)?;
    let fraction = match rest.strip_prefix('.') {
        Some(digits) => 1 + digits.bytes().take_while(u8::is_ascii_digit).count(),
        None => 0,
    };
    let (_, zone) = rest.split_at_checked(fraction)?;
    let valid = shape(clock, "0000-00-00T00:00:00")
        && fraction != 1
        && (zone.eq_ignore_ascii_case("z") || shape(zone, "+00:00"));
    valid.then(|| text.parse().ok()).flatten()
}

/// A value's kind, with its article.
pub(super) fn a(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// At most 40 characters of foreign text, for a message.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
