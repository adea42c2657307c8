//! Whether a record's `reply` is one that somebody could send: a workflow that waits for a word
//! that can never go out would wait for ever, and hear of it only after the verdict.
//!
//! | `kind` | needs | may have |
//! |---|---|---|
//! | `webhook` | `url` | `token` |
//! | `temporal` | `namespace`; `workflow_id` with `signal` or `activity_id`, or `task_token` (base64) | `run_id`, `url`, `on_reject` |
//! | `stepfunctions` | `task_token` | `region`, `on_reject` |
//! | `argo` | `namespace`, `workflow`, `node` | `parameters`, `url`, `on_reject` |
//!
//! What a process needs for it (addresses and keys in its environment) is not looked at here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::extract::{a, short};
use crate::domain::{Fault, FaultKind};

/// Kinds of waiting workflows.
const KINDS: &str = "webhook, temporal, stepfunctions and argo";
/// Longest name of a workflow, node, activity, …, in bytes.
pub const NAME: usize = 1000;
/// Longest task token of Step Functions, in bytes.
pub const TASK_TOKEN: usize = 2048;
/// What a parameter of Argo may be given.
pub const TOLD: [&str; 9] =
    ["id", "outcome", "reversal", "action", "output", "label", "level", "approvals", "at"];

/// All that is wrong with it; nothing for one that can be sent.
pub(super) fn faults(reply: &Map<String, Value>) -> Vec<Fault> {
    let mut look = Look { reply, faults: Vec::new() };
    match reply.get("kind") {
        None | Some(Value::Null) => look.missing("kind", &format!("one of {KINDS}")),
        Some(Value::String(kind)) => match kind.as_str() {
            "webhook" => look.webhook(),
            "temporal" => look.temporal(),
            "stepfunctions" => look.step_functions(),
            "argo" => look.argo(),
            other => look.invalid("kind", format!("is {:?}, none of {KINDS}", short(other))),
        },
        Some(other) => look.wrong("kind", other, "a string"),
    }
    look.faults
}

struct Look<'r> {
    reply: &'r Map<String, Value>,
    faults: Vec<Fault>,
}

impl<'r> Look<'r> {
    fn webhook(&mut self) {
        if self.text("url").is_none() {
            self.needed("url", "the address that is told");
        }
        self.address();
    }

    fn temporal(&mut self) {
        let way = ["signal", "activity_id", "task_token"];
        let named = way.iter().filter(|f| self.present(f)).count();
        if named == 1 {
            for field in way {
                self.name(field);
            }
            if !self.present("task_token") {
                self.needed_name("workflow_id");
                self.name("run_id");
            } else if self.text("task_token").is_some_and(|t| STANDARD.decode(t).is_err()) {
                self.invalid("task_token", "is no base64".to_owned());
            }
        } else {
            let what =
                format!("needs one of `signal`, `activity_id` and `task_token`, and has {named}");
            self.fault("", FaultKind::InvalidField, what);
        }
        self.needed_name("namespace");
        self.address();
        self.on_reject();
    }

    fn step_functions(&mut self) {
        match self.text("task_token") {
            Some(token) if token.is_empty() || token.len() > TASK_TOKEN => {
                let what = format!("has {} bytes; it must be from 1 to {TASK_TOKEN}", token.len());
                self.invalid("task_token", what);
            }
            Some(_) => {}
            None => self.needed("task_token", "the token of the task that waits"),
        }
        if self.text("region").is_some_and(|region| !is_region(region)) {
            self.invalid("region", "is no region of AWS".to_owned());
        }
        self.typed("region");
        self.on_reject();
    }

    fn argo(&mut self) {
        for field in ["namespace", "workflow", "node"] {
            self.needed_name(field);
        }
        match self.reply.get("parameters") {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => {
                for (name, told) in map {
                    if !told.as_str().is_some_and(|told| TOLD.contains(&told)) {
                        let what = format!("is none of {}", TOLD.join(", "));
                        self.invalid(&format!("parameters.{name}"), what);
                    }
                }
            }
            Some(other) => self.wrong("parameters", other, "an object"),
        }
        self.address();
        self.on_reject();
    }

    fn present(&self, field: &str) -> bool {
        self.reply.get(field).is_some_and(|v| !v.is_null())
    }

    fn text(&self, field: &str) -> Option<&'r str> {
        self.reply.get(field).and_then(Value::as_str)
    }

    /// A field that is there has to be a text.
    fn typed(&mut self, field: &str) {
        if let Some(other) = self.reply.get(field).filter(|v| !v.is_null() && !v.is_string()) {
            self.wrong(field, other, "a string");
        }
    }

    /// There is no text: because there is nothing, or something else.
    fn needed(&mut self, field: &str, what: &str) {
        match self.reply.get(field) {
            None | Some(Value::Null) => self.missing(field, what),
            Some(other) => self.wrong(field, other, "a string"),
        }
    }

    /// A name that becomes a part of a path.
    fn name(&mut self, field: &str) {
        self.typed(field);
        match self.text(field) {
            Some("") => self.invalid(field, "is empty".to_owned()),
            Some("." | "..") => self.invalid(field, "is no name".to_owned()),
            Some(long) if field != "task_token" && long.len() > NAME => {
                self.invalid(field, format!("is longer than {NAME} bytes"));
            }
            _ => {}
        }
    }

    fn needed_name(&mut self, field: &str) {
        if self.present(field) {
            self.name(field);
        } else {
            self.missing(field, "a name");
        }
    }

    /// An address of the web, where there is one.
    fn address(&mut self) {
        match self.text("url") {
            Some(url) if !is_web(url) => {
                let what =
                    format!("is {:?}, no address such as https://flows.example/done", short(url));
                self.invalid("url", what);
            }
            Some(_) => {}
            // A webhook without one was told already.
            None if self.text("kind") != Some("webhook") => self.typed("url"),
            None => {}
        }
    }

    fn on_reject(&mut self) {
        self.typed("on_reject");
        if self.text("on_reject").is_some_and(|how| !matches!(how, "fail" | "result")) {
            self.invalid("on_reject", "is neither \"fail\" nor \"result\"".to_owned());
        }
    }

    fn missing(&mut self, field: &str, what: &str) {
        let message = format!("there is no `reply.{field}` ({what}): nobody could be told");
        self.fault(field, FaultKind::MissingField, message);
    }

    fn wrong(&mut self, field: &str, value: &Value, wanted: &str) {
        self.fault(field, FaultKind::WrongType, format!("is {}, not {wanted}", a(value)));
    }

    fn invalid(&mut self, field: &str, message: String) {
        self.fault(field, FaultKind::InvalidField, message);
    }

    fn fault(&mut self, field: &str, kind: FaultKind, message: String) {
        let dot = if field.is_empty() { "" } else { "." };
        self.faults.push(Fault { path: format!("reply{dot}{field}"), kind, message });
    }
}

/// `eu-central-1`.
pub fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// `https://` or `http://`, and a host. (Whoever sends reads it more closely.)
fn is_web(text: &str) -> bool {
    let text = text.trim();
    let host = text.split_once("://").and_then(|(scheme, rest)| {
        let web = ["https", "http"].iter().any(|w| scheme.eq_ignore_ascii_case(w));
        web.then(|| rest.split(['/', '?', '#']).next().unwrap_or_default())
    });
    let host = host.map(|h| h.rsplit('@').next().unwrap_or(h));
    host.is_some_and(|h| !h.is_empty() && !h.starts_with(':') && !h.contains(char::is_whitespace))
}
