//! `[[test]]`: what is given, and what is expected of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use toml::de::DeValue;

use super::super::diagnostics::nearest;
use super::super::rules::{EffectRule, RequireRule, RouteRule, SampleRule};
use super::super::trial::{Expect, INNER, SampleExpect, Trial, given};
use super::table::{At, Table, Value, integer, number};
use super::{Loader, RESERVED};
use crate::domain::Outcome;

const OUTCOMES: [(&str, Outcome); 4] = [
    ("auto", Outcome::Auto),
    ("review", Outcome::Review),
    ("quarantine", Outcome::Quarantine),
    ("block", Outcome::Block),
];

/// The ids a test may name.
struct Ids<'r> {
    rules: Vec<&'r str>,
    samples: Vec<&'r str>,
    effects: Vec<&'r str>,
}

impl Loader<'_> {
    pub(super) fn trials(
        &mut self,
        top: &mut Table<'_>,
        checks: &[RouteRule],
        routes: &[RouteRule],
        requires: &[RequireRule],
        samples: &[SampleRule],
        effects: &[EffectRule],
    ) -> Vec<Trial> {
        let ids = Ids {
            rules: checks
                .iter()
                .chain(routes)
                .map(|r| r.id.as_str())
                .chain(requires.iter().map(|r| r.id.as_str()))
                .chain(RESERVED)
                .collect(),
            samples: samples.iter().map(|r| r.id.as_str()).collect(),
            effects: effects.iter().map(|r| r.id.as_str()).collect(),
        };
        let mut names = BTreeMap::new();
        let mut out = Vec::new();
        for mut table in top.tables("test", &mut self.sink) {
            let name = table.text("name", &mut self.sink);
            table.missing("name", &mut self.sink);
            if let Some(name) = &name
                && let Some(first) = names.insert(name.value.clone(), self.line(&name.span))
            {
                let message = format!("the test on line {first} has this name already");
                self.sink.error(&name.span, message);
            }
            let given = self.given(&mut table);
            let expect = self.expect(&mut table, &ids);
            let line = self.line(&table.span);
            table.finish(&mut self.sink);
            if let (Some(name), Some(given), Some(expect)) = (name, given, expect) {
                out.push(Trial { name: name.value, line, given, expect });
            }
        }
        out
    }

    /// A partial record, and what rules read beside one.
    fn given(&mut self, table: &mut Table<'_>) -> Option<Map<String, Json>> {
        let Some(value) = table.take("given") else { return Some(Map::new()) };
        let what = format!("`given` of {}", table.what);
        let mut inner = Table::of(what, value, &mut self.sink)?;
        let mut out = Map::new();
        for (key, value) in inner.named() {
            match key.value.as_str() {
                "input" | "output" => self.typed_keys(&key.value, value),
                "model" => self.part_keys(&key.value, value, &["name", "version"]),
                "source" => self.part_keys(&key.value, value, &["name", "reliability"]),
                known if given().any(|name| name == known) => self.inner_keys(&key.value, value),
                // A record may have fields of its own, but no rule can read one: the test would be
                // of something else than it says.
                _ => {
                    let known: Vec<&str> = given().collect();
                    self.slip(&key, format!("no rule reads a field `{}`", key.value), &known);
                }
            }
            out.insert(key.value, json(value));
        }
        Some(out)
    }

    /// What is given and read by nothing. (A policy in force stays so: its tests are not what routes.)
    fn slip(&mut self, key: &At<String>, message: String, known: &[&str]) {
        let advice = match self.stored {
            true => self.sink.warn(&key.span, message),
            false => self.sink.error(&key.span, message),
        };
        match nearest(&key.value, known.iter().copied()) {
            Some(near) => advice.help(format!("did you mean `{near}`?")),
            None => advice.help("leave it out, or give it below `input`"),
        }
    }

    /// The keys of a part of the record that has only these. What is no table is a record's fault,
    /// and may be what is tested.
    fn part_keys(&mut self, part: &str, value: &Value<'_>, known: &[&str]) {
        let DeValue::Table(table) = value.get_ref() else { return };
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = At::new(key.get_ref().to_string(), key.span());
            self.slip(&name, format!("no rule reads `{part}.{}`", name.value), known);
        }
    }

    /// Below `input` and `output` everything is the caller's; what is nearly the name of a typed
    /// field is looked at twice.
    fn typed_keys(&mut self, path: &str, value: &Value<'_>) {
        let DeValue::Table(table) = value.get_ref() else { return };
        for (key, value) in table.iter() {
            let below = format!("{path}.{}", key.get_ref());
            let inside = format!("{below}.");
            let known = self.types.keys().any(|p| *p == below || p.starts_with(&inside));
            if known {
                self.typed_keys(&below, value);
            } else if let Some(near) = nearest(&below, self.types.keys().map(String::as_str)) {
                let help = format!("did you mean `{near}`?");
                self.sink.warn(&key.span(), format!("no field `{below}` has a type")).help(help);
            }
        }
    }

    /// The keys of `review`, `window` and `sla`; what else is given is a record's, and free.
    fn inner_keys(&mut self, key: &str, value: &Value<'_>) {
        let Some((_, known)) = INNER.iter().find(|(k, _)| *k == key) else { return };
        let Some(mut inner) = Table::of(format!("`{key}`"), value, &mut self.sink) else { return };
        for (name, _) in inner.named() {
            if !known.contains(&name.value.as_str()) {
                self.sink
                    .error(&name.span, format!("unknown key `{}` in `{key}`", name.value))
                    .nearest(&name.value, known.iter().copied());
            }
        }
    }

    fn expect(&mut self, table: &mut Table<'_>, ids: &Ids<'_>) -> Option<Expect> {
        table.missing("expect", &mut self.sink);
        let value = table.take("expect")?;
        let what = format!("`expect` of {}", table.what);
        let mut t = Table::of(what, value, &mut self.sink)?;
        let sink = &mut self.sink;
        let outcome = t.word("outcome", &OUTCOMES, sink).map(|o| o.value);
        let queue = t.text("queue", sink);
        let rule = t.text("rule", sink);
        let approvals = t.texts("approvals", sink);
        let matched = t.texts("matched", sink);
        let tags = t.texts("tags", sink);
        let effects = t.texts("effects", sink);
        let priority = t.integer("priority", (-1000, 1000), sink).map(|n| n.value);
        let blind = t.flag("blind", sink).map(|f| f.value);
        let sla = t.duration("sla", false, sink).map(|d| d.value);
        let sample = match t.take("sample") {
            None => None,
            Some(v) => self.sample(v, ids),
        };
        t.finish(&mut self.sink);
        let queues = self.queues.clone();
        let queues: Vec<&str> = queues.iter().map(String::as_str).collect();
        for q in queue.iter().chain(approvals.iter().flatten()) {
            self.known_id(q, &queues, "queue");
        }
        for id in rule.iter().chain(matched.iter().flatten()) {
            self.known_id(id, &ids.rules, "rule");
        }
        for id in effects.iter().flatten() {
            self.known_id(id, &ids.effects, "effect");
        }
        let values = |l: Vec<At<String>>| l.into_iter().map(|t| t.value).collect::<Vec<_>>();
        Some(Expect {
            outcome,
            queue: queue.map(|q| q.value),
            rule: rule.map(|r| r.value),
            approvals: approvals.map(values),
            matched: matched.map(values),
            tags: tags.map(values),
            effects: effects.map(values),
            sample,
            priority,
            blind,
            sla,
        })
    }

    fn sample(&mut self, value: &Value<'_>, ids: &Ids<'_>) -> Option<SampleExpect> {
        match value.get_ref() {
            DeValue::Boolean(b) => Some(SampleExpect::Drawn(*b)),
            DeValue::String(s) => {
                let id = At::new(s.to_string(), value.span());
                self.known_id(&id, &ids.samples, "sampling rule");
                Some(SampleExpect::By(id.value))
            }
            _ => {
                let message = "`sample` is true, false, or the id of a sampling rule";
                self.sink.error(&value.span(), message);
                None
            }
        }
    }

    /// What a test expects in vain makes the test fail; the policy itself is sound.
    fn known_id(&mut self, id: &At<String>, known: &[&str], what: &str) {
        if !known.contains(&id.value.as_str()) {
            self.sink
                .warn(&id.span, format!("no {what} has the id \"{}\"", id.value))
                .nearest(&id.value, known.iter().copied());
        }
    }
}

/// A TOML value as JSON; dates become text. Numbers JSON has no form for become `null`.
fn json(value: &Value<'_>) -> Json {
    match value.get_ref() {
        DeValue::String(s) => Json::String(s.to_string()),
        DeValue::Boolean(b) => Json::Bool(*b),
        DeValue::Datetime(d) => Json::String(d.to_string()),
        DeValue::Array(list) => Json::Array(list.iter().map(json).collect()),
        DeValue::Table(t) => {
            Json::Object(t.iter().map(|(k, v)| (k.get_ref().to_string(), json(v))).collect())
        }
        v => match (integer(v), number(v)) {
            (Some(n), _) => Json::from(n),
            (None, Some(n)) => Json::from(n),
            _ => Json::Null,
        },
    }
}
