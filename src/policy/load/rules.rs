//! The rules: allow, output checks, routes, default, require, sample.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeValue;

use super::super::allow::{Allow, Dimension, Pattern};
use super::super::lang::fields::{Field, Scope};
use super::super::nouns::Control;
use super::super::rules::{DefaultRule, RequireRule, RouteRule, SampleRule, Target};
use super::table::{At, Table, said};
use super::{Compiled, Loader};

/// `[default]`, with the promise still to be proved and where it stands.
pub(super) struct LoadedDefault {
    pub(super) rule: DefaultRule,
    pub(super) expect: Option<(super::Rule, Range<usize>)>,
}

impl Loader<'_> {
    pub(super) fn allows(&mut self, top: &mut Table<'_>) -> Vec<Allow> {
        let mut ids = BTreeMap::new();
        let mut out = Vec::new();
        for mut table in top.tables("allow", &mut self.sink) {
            let id = table.text("id", &mut self.sink);
            if let Some(id) = &id
                && self.spelled(id, "a rule's id")
                && ids.insert(id.value.clone(), ()).is_some()
            {
                self.sink.error(&id.span, format!("the id \"{}\" stands here twice", id.value));
            }
            let mut dimensions = Vec::new();
            for (key, path, field) in [
                ("domain", "domain", Field::Domain),
                ("model", "model.name", Field::ModelName),
                ("version", "model.version", Field::ModelVersion),
                ("user_group", "user_group", Field::UserGroup),
            ] {
                let pattern = table.text(key, &mut self.sink);
                if let Some(p) = pattern {
                    dimensions.extend(self.dimension(field, path, &[p]));
                }
            }
            for (key, path, field) in
                [("actions", "action", Field::Action), ("scopes", "scope", Field::ActsIn)]
            {
                let patterns = table.texts(key, &mut self.sink);
                if let Some(p) = patterns {
                    if p.is_empty() {
                        let message =
                            format!("`{key}` of [[allow]] is empty: it would cover nothing");
                        self.sink.error(&table.span, message).help("leave it out to cover all");
                    }
                    dimensions.extend(self.dimension(field, path, &p));
                }
            }
            let line = self.line(&table.span);
            table.finish(&mut self.sink);
            out.push(Allow { id: id.map(|i| i.value), dimensions, line });
        }
        out
    }

    fn dimension(
        &mut self,
        field: Field,
        path: &'static str,
        patterns: &[At<String>],
    ) -> Option<Dimension> {
        let mut out = Vec::new();
        for p in patterns {
            match Pattern::new(&p.value, field == Field::ActsIn) {
                Ok(pattern) => out.push(pattern),
                Err(why) => {
                    let message = format!("\"{}\" is not a pattern: {why}", p.value);
                    self.sink.error(&p.span, message);
                }
            }
        }
        // With a faulty pattern the policy does not load; meanwhile the dimension stays out.
        (out.len() == patterns.len()).then_some(Dimension { field, path, patterns: out })
    }

    /// `[[route]]` or `[[output_check]]`.
    pub(super) fn routes(
        &mut self,
        top: &mut Table<'_>,
        key: &'static str,
        ids: &mut BTreeMap<String, usize>,
    ) -> Vec<RouteRule> {
        let mut out = Vec::new();
        for mut table in top.tables(key, &mut self.sink) {
            let id = self.id(&mut table, ids);
            let when = self.needed_when(&mut table);
            let to = self.target(&mut table, key == "route");
            let line = self.line(&table.span);
            table.finish(&mut self.sink);
            if let (Some(id), Some(when), Some(to)) = (id, when, to) {
                out.push(RouteRule { id: id.value, when, to, line });
            }
        }
        out
    }

    /// The rule under `when`, which must be there.
    fn needed_when(&mut self, table: &mut Table<'_>) -> Option<Compiled> {
        let text = table.rule("when", self.source, &mut self.sink);
        table.missing("when", &mut self.sink);
        self.compile(&text?, Scope::Decision)
    }

    /// `to = "level1"`, `"auto"`, `"block"`, or `{ queue = …, sla = …, priority = … }`.
    fn target(&mut self, table: &mut Table<'_>, auto: bool) -> Option<Target> {
        let Some(value) = table.take("to") else {
            table.missing("to", &mut self.sink);
            return None;
        };
        match value.get_ref() {
            DeValue::String(s) => self.target_word(&At::new(s.to_string(), value.span()), auto),
            DeValue::Table(_) => {
                let what = format!("`to` of {}", table.what);
                let mut inner = Table::of(what, value, &mut self.sink)?;
                let queue = inner.text("queue", &mut self.sink);
                if queue.is_none() {
                    inner.missing("queue", &mut self.sink);
                }
                let sla = inner.duration("sla", false, &mut self.sink).map(|d| d.value);
                let priority = inner.integer("priority", (-1000, 1000), &mut self.sink);
                inner.finish(&mut self.sink);
                let queue = queue.filter(|q| self.known_queue(q))?.value;
                Some(Target::Queue { queue, sla, priority: priority.map_or(0, |n| n.value) })
            }
            other => {
                let what = &table.what;
                let message = format!("`to` of {what} is {}", said(other));
                self.sink
                    .error(&value.span(), message)
                    .help("write a queue, \"auto\", \"block\", or { queue = \"…\", sla = \"…\" }");
                None
            }
        }
    }

    fn target_word(&mut self, word: &At<String>, auto: bool) -> Option<Target> {
        match word.value.as_str() {
            "auto" if auto => Some(Target::Auto),
            "auto" => {
                self.sink
                    .error(&word.span, "an output check cannot send to \"auto\"")
                    .help("it would let pass what the routes below it stop");
                None
            }
            "block" => Some(Target::Block),
            queue if self.queues.iter().any(|q| q == queue) => {
                Some(Target::Queue { queue: queue.to_owned(), sla: None, priority: 0 })
            }
            queue => {
                let known = self.queues.iter().map(String::as_str).chain(["auto", "block"]);
                self.sink
                    .error(&word.span, format!("unknown queue \"{queue}\""))
                    .nearest(queue, known);
                None
            }
        }
    }

    pub(super) fn default_rule(&mut self, top: &mut Table<'_>, control: &Control) -> LoadedDefault {
        let people =
            || Target::Queue { queue: control.human_queue.clone(), sla: None, priority: 0 };
        let written = top.has("default");
        let Some(mut table) = top.table("default", &mut self.sink) else {
            if !written {
                let to = &control.human_queue;
                let message = format!("there is no [default]: what no rule matches goes to {to}");
                self.sink
                    .warn(&(0..0), message)
                    .help("add [default] with to = \"auto\", a queue or \"block\"");
            }
            let rule = DefaultRule { to: people(), expect: None, line: 1 };
            return LoadedDefault { rule, expect: None };
        };
        let to = self.target(&mut table, true);
        let text = table.rule("expect", self.source, &mut self.sink);
        let expect = text.and_then(|t| Some((self.compile(&t, Scope::Decision)?, t.span)));
        let line = self.line(&table.span);
        table.finish(&mut self.sink);
        let (compiled, promise) = match expect {
            Some((c, span)) => {
                let ir = c.ir.clone();
                (Some(c), Some((ir, span)))
            }
            None => (None, None),
        };
        let rule = DefaultRule { to: to.unwrap_or_else(people), expect: compiled, line };
        LoadedDefault { rule, expect: promise }
    }

    pub(super) fn requires(
        &mut self,
        top: &mut Table<'_>,
        ids: &mut BTreeMap<String, usize>,
    ) -> Vec<RequireRule> {
        let mut out = Vec::new();
        for mut table in top.tables("require", &mut self.sink) {
            let id = self.id(&mut table, ids);
            let when = self.when(&mut table, Scope::Decision);
            let approvals = table.texts("approvals", &mut self.sink);
            let line = self.line(&table.span);
            table.missing("approvals", &mut self.sink);
            if approvals.as_ref().is_some_and(Vec::is_empty) {
                self.sink.error(&table.span, "`approvals` of [[require]] is empty");
            }
            let mut queues: Vec<String> = Vec::new();
            for q in approvals.unwrap_or_default() {
                if queues.contains(&q.value) {
                    self.sink.error(&q.span, format!("\"{}\" stands here twice", q.value));
                } else if self.known_queue(&q) {
                    queues.push(q.value);
                }
            }
            table.finish(&mut self.sink);
            if let (Some(id), Some(when)) = (id, when)
                && !queues.is_empty()
            {
                out.push(RequireRule { id: id.value, when, approvals: queues, line });
            }
        }
        out
    }

    pub(super) fn samples(&mut self, top: &mut Table<'_>) -> Vec<SampleRule> {
        let mut ids = BTreeMap::new();
        let mut out = Vec::new();
        for mut table in top.tables("sample", &mut self.sink) {
            let id = self.id(&mut table, &mut ids);
            let text = table.rule("when", self.source, &mut self.sink);
            let targeted = text.is_some();
            let when = match text {
                Some(text) => self.compile(&text, Scope::Decision),
                None => Some(Compiled::new(String::new(), super::Rule::Const(true))),
            };
            let rate = table.number_in("rate", (0.0, 1.0), &mut self.sink);
            let to = table.text("to", &mut self.sink);
            table.missing("rate", &mut self.sink);
            table.missing("to", &mut self.sink);
            let line = self.line(&table.span);
            table.finish(&mut self.sink);
            if let (Some(id), Some(when), Some(rate), Some(to)) = (id, when, rate, to)
                && self.known_queue(&to)
            {
                let (id, rate, to) = (id.value, rate.value, to.value);
                out.push(SampleRule { id, when, targeted, rate, to, line });
            }
        }
        out
    }
}
