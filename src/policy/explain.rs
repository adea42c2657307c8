//! Why a decision went where it went: the rule that won, all that matched, every atom with its
//! value, the facts used, and the smallest change of one field that would have changed it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::Policy;
use super::allow;
use super::lang::Compiled;
use super::lang::fields::Field;
use super::lang::ir::{Atom, Rule};
use super::lang::reading::Reading;
use super::lang::resolve::Resolved;
use super::lang::words;
use super::load::time;
use super::nouns::Routing;
use super::rules::{On, Target};
use super::trial::RuleKind;
use super::whatif::Change;
use crate::domain::{Decision, Facts, Outcome};

/// A route with everything behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    #[serde(flatten)]
    pub routing: Routing,
    /// Every rule that was asked, in order of precedence.
    pub rules: Vec<RuleExplanation>,
    /// Facts beside the record that any of these rules reads; `null` is absent.
    pub facts: BTreeMap<&'static str, Value>,
    /// Single-field changes that would have changed outcome or queue, the smallest first, one a
    /// field.
    pub changes: Vec<Change>,
}

/// One rule and what made it true or false.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleExplanation {
    pub kind: RuleKind,
    pub id: String,
    /// Line of the file, from 1.
    pub line: usize,
    /// As it is written; empty where it has no condition.
    pub when: String,
    /// Where it sends, or what it asks for.
    pub to: String,
    pub holds: bool,
    /// It settled the decision.
    pub won: bool,
    pub atoms: Vec<AtomExplanation>,
}

/// One comparison of a rule. Negations are pushed into it: `!(a < 1)` reads `a >= 1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtomExplanation {
    pub field: String,
    /// `confidence <= params.high 0.85`
    pub condition: String,
    /// The value at hand, cut to 80 characters; `absent`, or `[redacted]`.
    pub value: String,
    pub holds: bool,
}

impl Explanation {
    /// The smallest change of one field that would have changed outcome or queue.
    pub fn nearest(&self) -> Option<&Change> {
        self.changes.first()
    }
}

impl Policy {
    /// Explain the route of a decision, from the same atoms that routed it.
    pub fn explain(&self, d: &Decision, facts: &Facts) -> Explanation {
        let routing = self.route(d, facts);
        let reading = self.reading(d, facts);
        let mut rules = Vec::new();
        let mut add = |kind, id: &str, line, rule: Option<&Compiled>, to: String, holds, won| {
            rules.push(RuleExplanation {
                kind,
                id: id.to_owned(),
                line,
                when: rule.map_or_else(String::new, |r| r.text.trim().to_owned()),
                to,
                holds,
                won,
                atoms: rule.map_or_else(Vec::new, |r| atoms(&r.ir, &reading)),
            });
        };
        let won = |id: &str| routing.rule == id;
        for (i, a) in self.allows.iter().enumerate() {
            let covers = a.covers(&|f| reading.text(f));
            let id = a.id.clone().unwrap_or_else(|| (i + 1).to_string());
            add(RuleKind::Allow, &id, a.line, None, "go on".to_owned(), covers, false);
        }
        for (kind, list) in [(RuleKind::OutputCheck, &self.checks), (RuleKind::Route, &self.routes)]
        {
            for r in list {
                let holds = r.when.holds(&reading);
                add(kind, &r.id, r.line, Some(&r.when), target(&r.to), holds, won(&r.id));
            }
        }
        let default = &self.default;
        let none = routing.matched.is_empty();
        let expect = default.expect.as_ref();
        let to = target(&default.to);
        add(RuleKind::Default, "default", default.line, expect, to, none, won("default"));
        for r in &self.requires {
            let to = format!("approval of {}", r.approvals.join(", "));
            add(
                RuleKind::Require,
                &r.id,
                r.line,
                Some(&r.when),
                to,
                r.when.holds(&reading),
                won(&r.id),
            );
        }
        for s in &self.samples {
            let to = format!("{} of what is automatic to {}", percent(s.rate), s.to);
            // A rule that might have drawn it and did not is no reason for anything.
            let holds = routing.outcome == Outcome::Auto
                && s.when.holds(&reading)
                && self.is_drawn(&s.id, s.rate, &d.id);
            add(RuleKind::Sample, &s.id, s.line, Some(&s.when), to, holds, false);
        }
        for e in self.effects.iter().filter(|e| e.on == On::Decision) {
            // Also by a tag that another effect adds.
            let holds = routing.firings.iter().any(|f| f.effect == e.id);
            add(RuleKind::Effect, &e.id, e.line, Some(&e.when), String::new(), holds, false);
        }
        Explanation {
            facts: self.facts_read(facts),
            changes: self.changes(&reading, facts),
            routing,
            rules,
        }
    }

    /// The facts that rules on decisions read.
    fn facts_read(&self, facts: &Facts) -> BTreeMap<&'static str, Value> {
        let mut out = BTreeMap::new();
        if self.needs.cohort_seen {
            out.insert("cohort_seen", json!(facts.cohort_seen));
        }
        if self.needs.arrival_rate_z {
            out.insert("arrival_rate_z", json!(facts.arrival_rate_z));
        }
        if self.needs.model_age_days {
            out.insert("model_age_days", json!(facts.model_age_days));
        }
        if !facts.control_readable {
            out.insert("control_readable", json!(false));
        }
        out
    }

    /// Is the decision that `text` reads outside every scoped policy?
    pub(super) fn is_blocked<'t>(&self, text: &impl Fn(&Field) -> Option<&'t str>) -> bool {
        allow::blocked(&self.allows, text)
    }
}

fn atoms(rule: &Rule, reading: &Reading<'_>) -> Vec<AtomExplanation> {
    let explained = |a: &Atom| AtomExplanation {
        field: a.field.path.to_string(),
        condition: words::condition(a),
        value: value(&a.field, reading),
        holds: a.holds(reading),
    };
    rule.atoms().into_iter().map(explained).collect()
}

fn value(field: &Resolved, reading: &Reading<'_>) -> String {
    words::shown(field, reading)
}

fn target(to: &Target) -> String {
    match to {
        Target::Auto => "auto".to_owned(),
        Target::Block => "block".to_owned(),
        Target::Queue { queue, sla, .. } => match sla {
            Some(sla) => format!("{queue} within {}", time::written(*sla)),
            None => queue.clone(),
        },
    }
}

/// A share as people read it, without the noise of binary fractions.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let r = &self.routing;
        let place = r.queue.as_ref().map_or_else(String::new, |q| format!(" in {q}"));
        writeln!(f, "{}{place}, by {}", r.outcome.as_str(), r.rule)?;
        writeln!(f, "  because {}", r.reason)?;
        if !r.approvals.is_empty() {
            writeln!(f, "  approvals: {}", r.approvals.join(", then "))?;
        }
        if let Some(s) = &r.sample {
            writeln!(f, "  sampled by {} with probability {}", s.rule, percent(s.probability))?;
        }
        writeln!(f, "\nrules")?;
        for rule in &self.rules {
            let mark = if rule.holds { "✓" } else { "·" };
            let won = if rule.won { "  ← settled it" } else { "" };
            let arrow = if rule.to.is_empty() { "" } else { " → " };
            let kind = rule.kind.as_str();
            let name =
                if kind == rule.id { kind.to_owned() } else { format!("{kind} {}", rule.id) };
            writeln!(f, "  {mark} {name}{arrow}{} (line {}){won}", rule.to, rule.line)?;
            for a in &rule.atoms {
                let mark = if a.holds { "✓" } else { "✗" };
                writeln!(f, "      {mark} {}    {} is {}", a.condition, a.field, a.value)?;
            }
        }
        if !self.facts.is_empty() {
            writeln!(f, "\nfacts")?;
            for (name, value) in &self.facts {
                let value = if value.is_null() { "absent".to_owned() } else { value.to_string() };
                writeln!(f, "  {name} {value}")?;
            }
        }
        writeln!(f, "\nwhat would have changed it")?;
        if self.changes.is_empty() {
            writeln!(f, "  no single field")?;
        }
        for c in &self.changes {
            writeln!(f, "  {c}")?;
        }
        Ok(())
    }
}
