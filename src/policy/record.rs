//! What is wrong with a record beyond its shape: ranges, the domain's schema, field types, time.

use serde_json::{Map, Value};

use super::Policy;
use crate::domain::{Decision, Fault, FaultKind, Timestamp};

impl Policy {
    /// Every fault of a record whose shape is right already; empty is what rules call
    /// `schema_valid`. `now` is desk time.
    pub fn check_record(&self, d: &Decision, now: Timestamp) -> Vec<Fault> {
        let mut faults = Vec::new();
        ranges(d, &mut faults);
        if let Some(at) = d.occurred_at
            && now.checked_add(self.control.max_skew).is_ok_and(|latest| at > latest)
        {
            let skew = super::load::time::written(self.control.max_skew);
            faults.push(Fault {
                path: "occurred_at".to_owned(),
                kind: FaultKind::ClockSkew,
                message: format!("{at} is more than {skew} after now ({now})"),
            });
        }
        // Cloning the input costs; without a schema nobody looks at it.
        if self.validators.has_input(&d.domain) {
            let input = Value::Object(d.input.clone());
            faults.extend(self.validators.input(&d.domain, &input, &self.redact));
        }
        self.typed("input", Some(&d.input), &mut faults);
        faults.extend(self.check_output(&d.domain, &d.output));
        faults
    }

    /// Every fault of an input alone: what a model's caller asks before the model runs.
    pub fn check_input(&self, domain: &str, input: &Value) -> Vec<Fault> {
        let mut faults = self.validators.input(domain, input, &self.redact);
        self.typed("input", input.as_object(), &mut faults);
        faults
    }

    /// Every fault of an output alone: what a person sees while typing an edited one.
    pub fn check_output(&self, domain: &str, output: &Value) -> Vec<Fault> {
        let mut faults = self.validators.output(domain, output, &self.redact);
        self.typed("output", output.as_object(), &mut faults);
        faults
    }

    /// Fields whose type is not the one rules rely on.
    fn typed(&self, head: &str, map: Option<&Map<String, Value>>, faults: &mut Vec<Fault>) {
        let Some(map) = map else { return };
        for (path, want) in &self.fields {
            let Some(keys) = path.strip_prefix(head).and_then(|p| p.strip_prefix('.')) else {
                continue;
            };
            if let Some((value, at)) = reach(map, head, keys)
                && !(at == *path && want.fits(value))
                && !faults.iter().any(|f| f.path == at)
            {
                let want = if at == *path { want.said() } else { "an object" };
                let message = format!("is {}, but should be {want}", said(value));
                faults.push(Fault { path: at, kind: FaultKind::WrongType, message });
            }
        }
    }
}

/// The value at a path, with its dotted name; or the value on the way that is no object and so
/// hides it. `None`: absent.
fn reach<'v>(map: &'v Map<String, Value>, head: &str, keys: &str) -> Option<(&'v Value, String)> {
    let mut at = head.to_owned();
    let mut map = map;
    let mut keys = keys.split('.').peekable();
    while let Some(key) = keys.next() {
        let value = map.get(key).filter(|v| !v.is_null())?;
        at.push('.');
        at.push_str(key);
        match value {
            _ if keys.peek().is_none() => return Some((value, at)),
            Value::Object(inner) => map = inner,
            other => return Some((other, at)),
        }
    }
    None
}

fn said(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(n) if n.as_f64().is_some_and(|f| f.fract() != 0.0) => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A number out of range would fall through the rules; so it is looked for here again, whoever
/// made the record.
fn ranges(d: &Decision, faults: &mut Vec<Fault>) {
    let mut check = |path: String, value: f64, high: f64| {
        if !(0.0..=high).contains(&value) {
            let message = format!("is {value}, but should be 0 to {high}");
            faults.push(Fault { path, kind: FaultKind::OutOfRange, message });
        }
    };
    check("confidence".to_owned(), d.confidence, 1.0);
    check("business_impact".to_owned(), d.business_impact, 10.0);
    for (i, m) in d.ensemble.iter().enumerate() {
        check(format!("ensemble.{i}.score"), m.score, 1.0);
    }
    if let Some(r) = d.source.as_ref().and_then(|s| s.reliability) {
        check("source.reliability".to_owned(), r, 1.0);
    }
    if let Some(ms) = d.latency_ms.filter(|ms| !ms.is_finite() || *ms < 0.0) {
        let message = format!("is {ms}, but should be 0 or more");
        faults.push(Fault { path: "latency_ms".to_owned(), kind: FaultKind::OutOfRange, message });
    }
    for (name, n) in &d.attributions {
        if !n.is_finite() {
            let message = format!("is {n}, but should be a finite number");
            let path = format!("attributions.{name}");
            faults.push(Fault { path, kind: FaultKind::OutOfRange, message });
        }
    }
}
