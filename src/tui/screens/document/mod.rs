//! An item as a document of lines: cleaned, ordered, wrapped. Dear to make, so it is cached.

mod clash;
mod history;
mod output;

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::context;
use super::paint::{cells, one, probability, span, two, wrapped};
use super::usual;
use crate::domain::{Kind, SampleKind, Timestamp};
use crate::protocol::ItemView;
use crate::text::{Clean, Folds, pad, tree, wrap};
use crate::tui::theme::{Role, Theme};

/// Characters of one text that are laid out; the rest is announced.
const MOST: usize = 40_000;
/// Where texts beside a heading begin.
const LABEL: usize = 11;

/// Id, domain and action; the model at the right.
pub fn title(theme: &Theme, view: &ItemView, cols: usize) -> Line<'static> {
    let mut left = one(theme, Role::Dim, &view.id);
    left.push(Span::raw("   "));
    let domain = view.route_domain();
    left.extend(one(theme, Role::Strong, if domain.is_empty() { "no domain" } else { &domain }));
    if let Some(current) = &view.current {
        left.push(span(theme, Role::Dim, " · "));
        left.extend(one(theme, Role::Strong, &current.action));
    }
    // The model gives way to the action, never the other way round.
    let model = one(theme, Role::Dim, &model(view));
    let fits = cells(&left) + cells(&model) + 2 <= cols;
    two(left, if fits { model } else { Vec::new() }, cols)
}

fn model(view: &ItemView) -> String {
    let part = |name: &str| view.record.pointer(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", part("/model/name"), part("/model/version")).trim().to_owned()
}

/// All lines below the title. `full`: nothing is folded away.
pub fn lines(
    theme: &Theme,
    view: &ItemView,
    cols: usize,
    full: bool,
    now: Timestamp,
) -> Vec<Line<'static>> {
    let mut doc = Document { theme, view, cols, full, lines: Vec::new() };
    doc.state();
    doc.why();
    doc.faults();
    if let Some(why) = &view.covered {
        doc.beside("COVERED", Role::Warn, why);
    }
    if view.erased {
        doc.section("ERASED", "the text of this decision has been erased; the proofs still hold");
    } else {
        // A text is judged against the question it answers: that stands first.
        let question_first = view.current.as_ref().is_some_and(|c| c.output.is_string());
        if question_first {
            doc.context();
        }
        doc.proposal();
        doc.handed_over();
        doc.clash();
    }
    // A broken record has been shown whole already.
    if !view.erased && view.kind != Kind::Quarantine {
        doc.rationale();
        if !view.current.as_ref().is_some_and(|c| c.output.is_string()) {
            doc.context();
        }
        doc.models();
        doc.more();
    }
    doc.history(now);
    doc.lines
}

struct Document<'a> {
    theme: &'a Theme,
    view: &'a ItemView,
    cols: usize,
    full: bool,
    lines: Vec<Line<'static>>,
}

impl Document<'_> {
    fn blank(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
    }

    fn heading(&self, label: &str) -> Span<'static> {
        span(self.theme, Role::Heading, pad(label, LABEL.max(label.len() + 1)))
    }

    /// A heading with a text beside it, the following lines under the text.
    fn section(&mut self, label: &str, text: &str) {
        self.beside(label, Role::Text, text);
    }

    fn beside(&mut self, label: &str, role: Role, text: &str) {
        let heading = self.heading(label);
        let indent = heading.content.len();
        let room = self.cols.saturating_sub(indent).max(8);
        let text = Clean::first(text, MOST);
        let mut first = Some(heading);
        for spans in wrapped(self.theme, role, &text, room) {
            let lead = first.take().unwrap_or_else(|| Span::raw(" ".repeat(indent)));
            self.lines.push(Line::from([vec![lead], spans].concat()));
        }
        if let Some(heading) = first {
            self.lines.push(Line::from(heading));
        }
    }

    /// A text under its heading, indented by two.
    fn under(&mut self, role: Role, text: &str) {
        let text = Clean::first(text, MOST);
        for spans in wrapped(self.theme, role, &text, self.cols.saturating_sub(2).max(8)) {
            self.lines.push(Line::from([vec![Span::raw("  ")], spans].concat()));
        }
    }

    /// A line of our own words, wrapped.
    fn say(&mut self, role: Role, text: &str) {
        for range in wrap(text, self.cols) {
            let part = text.get(range).unwrap_or_default();
            self.lines.push(Line::from(span(self.theme, role, part)));
        }
    }

    fn state(&mut self) {
        let (theme, view) = (self.theme, self.view);
        match view.kind {
            Kind::Quarantine => self.say(
                Role::Warn,
                "▲ a broken record: repair it or reject it; it cannot be accepted",
            ),
            Kind::Retrospective => {
                let text = match view.clash.is_some() {
                    true => "already done: overruling it is a reversal",
                    false => "already done automatically: overruling it is a reversal",
                };
                self.say(Role::Warn, text);
            }
            Kind::Review => {}
        }
        if view.blind {
            self.say(Role::Accent, "blind: say what you would do, then the proposal is shown");
        }
        if let Some(sample) = &view.sample {
            let kind = match sample.kind {
                SampleKind::Random => "random",
                SampleKind::Targeted => "targeted",
            };
            let p = probability(sample.probability);
            let text = format!("{kind} sample, drawn with probability {p} by ");
            let mut line = vec![span(theme, Role::Dim, text)];
            line.extend(one(theme, Role::Dim, &sample.rule));
            self.lines.push(Line::from(line));
        }
        if view.signed {
            self.say(Role::Dim, "a verdict here is signed with your key");
        }
    }

    /// Why a person is asked, with the rule's name at the right.
    fn why(&mut self) {
        let rule = one(self.theme, Role::Dim, &self.view.route.rule);
        let heading = self.heading("WHY HERE");
        let indent = heading.content.len();
        let taken = cells(&rule) + 2;
        let beside = self.cols.saturating_sub(indent + taken) >= 24;
        let room = self.cols.saturating_sub(indent + if beside { taken } else { 0 }).max(8);
        let reason = readable_reason(&self.view.route.reason);
        let text = Clean::line_first(&reason, 600);
        let mut rule = Some(rule);
        let mut first = Some(heading);
        for spans in wrapped(self.theme, Role::Text, &text, room) {
            let lead = first.take().unwrap_or_else(|| Span::raw(" ".repeat(indent)));
            let left = [vec![lead], spans].concat();
            let right = if beside { rule.take().unwrap_or_default() } else { Vec::new() };
            self.lines.push(two(left, right, self.cols));
        }
        if let Some(rule) = rule {
            self.lines.push(Line::from([vec![Span::raw(" ".repeat(indent))], rule].concat()));
        }
        let needed = &self.view.approvals_needed;
        if needed.len() > 1 || self.view.route.approvals.len() > 1 {
            let text = if needed.is_empty() {
                "all given".to_owned()
            } else {
                format!("still needed from {}", needed.join(", then "))
            };
            self.section("APPROVALS", &text);
        }
    }

    fn faults(&mut self) {
        if self.view.faults.is_empty() {
            return;
        }
        self.blank();
        self.lines.push(Line::from(self.heading("FAULTS")));
        for fault in &self.view.faults {
            let path = if fault.path.is_empty() { "the record" } else { &fault.path };
            let mut line = vec![Span::raw("  ")];
            line.extend(one(self.theme, Role::InputFault, path));
            line.push(span(self.theme, Role::Dim, format!("  {}", fault.kind.slug())));
            self.lines.push(Line::from(line));
            let text = Clean::line_first(&fault.message, 400);
            for spans in wrapped(self.theme, Role::Text, &text, self.cols.saturating_sub(4).max(8))
            {
                self.lines.push(Line::from([vec![Span::raw("    ")], spans].concat()));
            }
        }
    }

    fn rationale(&mut self) {
        let Some(text) = self.view.record.get("rationale").and_then(Value::as_str) else { return };
        if text.trim().is_empty() {
            return;
        }
        self.blank();
        self.lines.push(Line::from(self.heading("RATIONALE")));
        self.under(Role::Text, text);
    }

    fn context(&mut self) {
        if self.view.kind == Kind::Quarantine {
            return;
        }
        let Some(input) = self.view.record.get("input") else { return };
        self.blank();
        let cohort = cohort(self.view.record.get("cohort"));
        let right = match self.view.usual.is_empty() {
            true => one(self.theme, Role::Dim, &cohort),
            false => usual::against(self.theme, &self.view.usual, self.cols.saturating_sub(LABEL)),
        };
        let heading = two(vec![self.heading("CONTEXT")], right, self.cols);
        self.lines.push(heading);
        self.lines.extend(context::lines(
            self.theme,
            input,
            &self.view.usual,
            self.cols,
            self.full,
        ));
    }

    fn models(&mut self) {
        let Some(members) = self.view.record.get("ensemble").and_then(Value::as_array) else {
            return;
        };
        let scores: Vec<(&str, f64)> = members
            .iter()
            .filter_map(|m| Some((m.get("name")?.as_str()?, m.get("score")?.as_f64()?)))
            .collect();
        if scores.is_empty() {
            return;
        }
        self.blank();
        let theme = self.theme;
        let mut line = vec![self.heading("MODELS")];
        for (name, score) in &scores {
            line.extend(one(theme, Role::Text, name));
            line.push(span(theme, Role::Dim, format!(" {}   ", probability(*score))));
        }
        let hi = scores.iter().map(|(_, s)| *s).fold(f64::MIN, f64::max);
        let lo = scores.iter().map(|(_, s)| *s).fold(f64::MAX, f64::min);
        let role = if hi - lo >= 0.2 { Role::Warn } else { Role::Dim };
        let spread = vec![span(theme, role, format!("spread {}", probability(hi - lo)))];
        self.lines.push(two(line, spread, self.cols));
    }

    /// The rest of the record, for whoever looks closer.
    fn more(&mut self) {
        if !self.full || self.view.kind == Kind::Quarantine {
            return;
        }
        const SHOWN: &[&str] = &[
            "id",
            "domain",
            "action",
            "model",
            "confidence",
            "ensemble",
            "cohort",
            "input",
            "output",
            "rationale",
        ];
        let Some(fields) = self.view.record.as_object() else { return };
        let rest: serde_json::Map<String, Value> = fields
            .iter()
            .filter(|(k, v)| !SHOWN.contains(&k.as_str()) && !v.is_null())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        if rest.is_empty() {
            return;
        }
        self.blank();
        self.lines.push(Line::from(self.heading("RECORD")));
        let rows = tree(&Value::Object(rest), &Folds::default(), 400);
        self.tree_rows(&rows);
    }
}

/// `confidence 0.71 <= params.high 0.85 and …` with signs people read faster.
fn readable_reason(reason: &str) -> String {
    reason.replace("<=", "≤").replace(">=", "≥").replace("!=", "≠").replace("params.", "")
}

fn cohort(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(group)) => group.clone(),
        Some(Value::Object(groups)) => {
            let pair = |(k, v): (&String, &Value)| Some(format!("{k} {}", v.as_str()?));
            groups.iter().filter_map(pair).collect::<Vec<_>>().join(" · ")
        }
        _ => String::new(),
    }
}
