//! The desk's own tables: control, queues, tags, guidelines, redaction.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::hours::Hours;
use super::super::nouns::{Control, Guideline, Queue, Tag};
use super::super::redact::{REDACTABLE, Redaction};
use super::Loader;
use super::table::{At, Table};
use crate::domain::DATAOPS;

impl Loader<'_> {
    pub(super) fn control(&mut self, top: &mut Table<'_>, queues: &[Queue]) -> Control {
        let mut control = Control {
            grace: SignedDuration::from_secs(5),
            resume: 2,
            human_queue: people(queues),
            max_skew: SignedDuration::from_hours(1),
        };
        let Some(mut table) = top.table("control", &mut self.sink) else { return control };
        if let Some(d) = table.duration("grace", true, &mut self.sink) {
            control.grace = d.value;
        }
        if let Some(n) = table.integer("resume", (1, 9), &mut self.sink) {
            control.resume = u32::try_from(n.value).unwrap_or(2);
        }
        if let Some(q) = table.text("human_queue", &mut self.sink)
            && self.known_queue(&q)
        {
            control.human_queue = q.value;
        }
        if let Some(d) = table.duration("max_skew", true, &mut self.sink) {
            control.max_skew = d.value;
        }
        table.finish(&mut self.sink);
        control
    }

    pub(super) fn read_queues(&mut self, top: &mut Table<'_>) -> Vec<Queue> {
        let mut out = Vec::new();
        let mut escalations = Vec::new();
        if let Some(mut table) = top.table("queues", &mut self.sink) {
            for (name, value) in table.named() {
                let what = format!("[queues.{}]", name.value);
                let spelled = self.spelled(&name, "a queue's name");
                if matches!(name.value.as_str(), "auto" | "block") {
                    let message = format!("no queue can be called \"{}\"", name.value);
                    self.sink.error(&name.span, message).help("routes use the word already");
                }
                let Some(table) = Table::of(what, value, &mut self.sink) else { continue };
                let (queue, escalates) = self.queue(name, table);
                escalations.extend(escalates);
                if spelled {
                    out.push(queue);
                }
            }
        }
        if !out.iter().any(|q| q.name == DATAOPS) {
            out.push(queue_named(DATAOPS));
        }
        self.queues = out.iter().map(|q| q.name.clone()).collect();
        for (from, to) in &escalations {
            if self.known_queue(to) {
                self.circle(from, to, &out);
            }
        }
        out
    }

    fn queue(
        &mut self,
        name: At<String>,
        mut table: Table<'_>,
    ) -> (Queue, Option<(String, At<String>)>) {
        let sink = &mut self.sink;
        let mut queue = queue_named(&name.value);
        let texts = |list: Option<Vec<At<String>>>| {
            list.unwrap_or_default().into_iter().map(|t| t.value).collect::<Vec<_>>()
        };
        if let Some(t) = table.text("title", sink) {
            queue.title = t.value;
        }
        if let Some(n) = table.integer("level", (1, 3), sink) {
            queue.level = u8::try_from(n.value).unwrap_or(1);
        }
        queue.sla = table.duration("sla", false, sink).map(|d| d.value);
        if let Some(t) = table.text("hours", sink) {
            match Hours::parse(&t.value) {
                Ok(hours) => queue.hours = Some(hours),
                Err(why) => drop(sink.error(&t.span, why)),
            }
        }
        queue.responsible = texts(table.texts("responsible", sink));
        queue.accountable = table.text("accountable", sink).map(|t| t.value);
        queue.consulted = texts(table.texts("consulted", sink));
        queue.informed = texts(table.texts("informed", sink));
        let escalates = table.text("escalates_to", sink);
        queue.escalates_to = escalates.as_ref().map(|t| t.value.clone());
        queue.signed = table.flag("signed", sink).is_some_and(|f| f.value);
        queue.skills = texts(table.texts("skills", sink));
        if let Some(n) = table.integer("capacity", (1, 10_000), sink) {
            queue.capacity = u32::try_from(n.value).ok();
        }
        if let Some(n) = table.number_in("blind", (0.0, 1.0), sink) {
            queue.blind = n.value;
        }
        table.finish(sink);
        (queue, escalates.map(|to| (name.value, to)))
    }

    /// Escalation that comes back to where it began would never end.
    fn circle(&mut self, from: &str, to: &At<String>, queues: &[Queue]) {
        let mut at = to.value.as_str();
        let mut seen = BTreeSet::new();
        while seen.insert(at.to_owned()) {
            if at == from {
                let message = format!("escalation from {from} comes back to {from}");
                self.sink.error(&to.span, message).help("let the last queue escalate nowhere");
                return;
            }
            let next = queues.iter().find(|q| q.name == at).and_then(|q| q.escalates_to.as_deref());
            match next {
                Some(next) => at = next,
                None => return,
            }
        }
    }

    pub(super) fn read_tags(&mut self, top: &mut Table<'_>) -> Vec<Tag> {
        let mut out: Vec<Tag> = Vec::new();
        for mut table in top.tables("tag", &mut self.sink) {
            let id = table.text("id", &mut self.sink);
            let title = table.text("title", &mut self.sink);
            let key = table.text("key", &mut self.sink);
            let severity = table.integer("severity", (0, 10), &mut self.sink);
            let require_note = table.flag("require_note", &mut self.sink);
            match &id {
                None => table.missing("id", &mut self.sink),
                Some(id) if !self.spelled(id, "a tag's id") => {}
                Some(id) if out.iter().any(|t| t.id == id.value) => {
                    self.sink
                        .error(&id.span, format!("the tag \"{}\" stands here twice", id.value));
                }
                Some(id) => out.push(Tag {
                    id: id.value.clone(),
                    title: title.map_or_else(|| id.value.clone(), |t| t.value),
                    key: key.and_then(|k| self.letter(&k, &out)),
                    severity: severity.map_or(0, |n| u8::try_from(n.value).unwrap_or(0)),
                    require_note: require_note.is_some_and(|f| f.value),
                }),
            }
            table.finish(&mut self.sink);
        }
        out
    }

    /// One letter or digit that no other tag has.
    fn letter(&mut self, key: &At<String>, tags: &[Tag]) -> Option<char> {
        let mut chars = key.value.chars();
        let (Some(c), None) = (chars.next(), chars.next()) else {
            self.sink.error(&key.span, format!("the key \"{}\" is not one letter", key.value));
            return None;
        };
        if !c.is_ascii_alphanumeric() {
            self.sink.error(&key.span, format!("the key \"{c}\" is not a letter or a digit"));
            return None;
        }
        if let Some(other) = tags.iter().find(|t| t.key == Some(c)) {
            let message = format!("the key \"{c}\" is taken by the tag {}", other.id);
            self.sink.error(&key.span, message);
            return None;
        }
        Some(c)
    }

    pub(super) fn guidelines(&mut self, top: &mut Table<'_>) -> Vec<Guideline> {
        let mut out: Vec<Guideline> = Vec::new();
        for mut table in top.tables("guideline", &mut self.sink) {
            let domain = table.text("domain", &mut self.sink);
            let action = table.text("action", &mut self.sink);
            let text = table.text("text", &mut self.sink);
            table.missing("domain", &mut self.sink);
            table.missing("text", &mut self.sink);
            if let (Some(domain), Some(text)) = (domain, text) {
                let action = action.map(|a| a.value);
                if out.iter().any(|g| g.domain == domain.value && g.action == action) {
                    self.sink.error(&domain.span, "this guideline stands here twice");
                }
                let text = text.value.trim_end().to_owned();
                out.push(Guideline { domain: domain.value, action, text });
            }
            table.finish(&mut self.sink);
        }
        out
    }

    pub(super) fn redact(&mut self, top: &mut Table<'_>) -> Redaction {
        let mut out = Vec::new();
        if let Some(mut table) = top.table("redact", &mut self.sink) {
            for path in table.texts("paths", &mut self.sink).unwrap_or_default() {
                let parts: Vec<&str> = path.value.split('.').collect();
                if parts.iter().any(|p| p.is_empty()) {
                    let message = format!("\"{}\" is not a path", path.value);
                    self.sink
                        .error(&path.span, message)
                        .help("write for example input.ssn or input.*.email");
                    continue;
                }
                let head = parts.first().copied().unwrap_or_default();
                if !REDACTABLE.contains(&head) {
                    let message = format!("\"{head}\" cannot be redacted");
                    self.sink.error(&path.span, message).nearest(head, REDACTABLE);
                    continue;
                }
                out.push(path.value);
            }
            table.finish(&mut self.sink);
        }
        Redaction::new(out.iter().map(String::as_str))
    }
}

/// Where people sit: `level1`, else the queue of the lowest level, else `dataops`.
fn people(queues: &[Queue]) -> String {
    let usual = queues.iter().filter(|q| q.name != DATAOPS);
    usual
        .clone()
        .find(|q| q.name == "level1")
        .or_else(|| usual.min_by_key(|q| q.level))
        .map_or_else(|| DATAOPS.to_owned(), |q| q.name.clone())
}

/// A queue about which nothing is said yet.
fn queue_named(name: &str) -> Queue {
    Queue {
        name: name.to_owned(),
        title: if name == DATAOPS { "Broken records".to_owned() } else { name.to_owned() },
        level: 1,
        sla: None,
        hours: None,
        responsible: Vec::new(),
        accountable: None,
        consulted: Vec::new(),
        informed: Vec::new(),
        escalates_to: None,
        signed: false,
        skills: Vec::new(),
        capacity: None,
        blind: 0.0,
    }
}
