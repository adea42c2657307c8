//! `policy test`: each `[[test]]` of a policy is routed, and the rules no test reached are named.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Policy;
use super::lang::Compiled;
use super::load::time;
use super::nouns::{Firing, ReviewFacts, Routing, SlaFacts, WindowFacts};
use crate::domain::{Decision, Facts, Fault, FaultKind, Outcome, Timestamp, record};

/// What a test may give beside the record: the facts, and what the rules of effects read.
const BESIDE: [&str; 9] = [
    "now",
    "control_readable",
    "cohort_seen",
    "arrival_rate_z",
    "model_age_days",
    "review",
    "window",
    "sla",
    "feedback",
];

/// What `given` may hold at its top level: the record's fields, and what stands beside it.
pub(super) fn given() -> impl Iterator<Item = &'static str> {
    record::fields().chain(BESIDE)
}

/// The keys of the tables a test gives beside the record.
pub(super) const INNER: [(&str, &[&str]); 3] = [
    ("review", &["verdict", "tags", "level", "reviewer", "reversal"]),
    (
        "window",
        &[
            "override_rate",
            "override_low",
            "override_high",
            "override_baseline",
            "override_worse",
            "reviewed",
            "psi",
            "kl",
            "drift",
            "ece",
            "sla_compliance",
        ],
    ),
    ("sla", &["queue", "level", "minutes_left", "breached"]),
];

/// One `[[test]]`.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) given: Map<String, Value>,
    pub(super) expect: Expect,
}

/// What a test expects; what it leaves out is not compared.
#[derive(Debug, Default)]
pub(super) struct Expect {
    pub(super) outcome: Option<Outcome>,
    pub(super) queue: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) approvals: Option<Vec<String>>,
    pub(super) matched: Option<Vec<String>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) effects: Option<Vec<String>>,
    pub(super) sample: Option<SampleExpect>,
    pub(super) priority: Option<i64>,
    pub(super) blind: Option<bool>,
    pub(super) sla: Option<SignedDuration>,
}

/// What a test expects of sampling.
#[derive(Debug)]
pub(super) enum SampleExpect {
    Drawn(bool),
    By(String),
}

/// What `policy test` found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReport {
    /// In the order of the file.
    pub tests: Vec<TestResult>,
    /// Every rule, in the order it is asked.
    pub coverage: Vec<RuleCoverage>,
}

/// One test's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestResult {
    pub name: String,
    /// Line of the file, from 1.
    pub line: usize,
    /// What was not as expected; empty: it passed.
    pub mismatches: Vec<Mismatch>,
    pub routing: Routing,
}

/// One thing that was not as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mismatch {
    /// `outcome`, `queue`, `rule`, …
    pub what: &'static str,
    pub expected: Value,
    pub got: Value,
}

/// How often the tests reached a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCoverage {
    pub kind: RuleKind,
    pub id: String,
    /// Line of the file, from 1.
    pub line: usize,
    /// Tests in which it matched.
    pub matched: usize,
    /// Tests it settled; for rules that only add something, the same as `matched`.
    pub won: usize,
}

/// The kinds of rule a test can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    Allow,
    OutputCheck,
    Route,
    Default,
    Require,
    Sample,
    Effect,
}

impl RuleKind {
    /// As the file spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::OutputCheck => "output_check",
            Self::Route => "route",
            Self::Default => "default",
            Self::Require => "require",
            Self::Sample => "sample",
            Self::Effect => "effect",
        }
    }
}

impl TestReport {
    /// How many tests passed.
    pub fn passed(&self) -> usize {
        self.tests.iter().filter(|t| t.mismatches.is_empty()).count()
    }

    /// How many did not.
    pub fn failed(&self) -> usize {
        self.tests.len() - self.passed()
    }

    /// Rules that no test reached: that settled nothing, or added nothing.
    pub fn uncovered(&self) -> impl Iterator<Item = &RuleCoverage> {
        self.coverage.iter().filter(|r| r.won == 0)
    }
}

impl std::fmt::Display for TestReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for t in &self.tests {
            if t.mismatches.is_empty() {
                writeln!(f, "ok      {}", t.name)?;
                continue;
            }
            writeln!(f, "FAILED  {} (line {})", t.name, t.line)?;
            for m in &t.mismatches {
                writeln!(f, "        {}: expected {}, got {}", m.what, m.expected, m.got)?;
            }
            writeln!(f, "        {}: {}", t.routing.rule, t.routing.reason)?;
        }
        let missed: Vec<_> = self.uncovered().collect();
        let reached = self.coverage.len() - missed.len();
        writeln!(
            f,
            "{} passed, {} failed; {reached} of {} reached",
            self.passed(),
            self.failed(),
            crate::text::many(self.coverage.len(), "rule", "rules")
        )?;
        for r in missed {
            writeln!(f, "        not reached: {} {} (line {})", r.kind.as_str(), r.id, r.line)?;
        }
        Ok(())
    }
}

/// What a test starts from: a valid, harmless record that says nothing.
fn base() -> Value {
    json!({
        "id": "test",
        "domain": "support_qa",
        "action": "answer",
        "model": {"name": "model", "version": "1"},
        "confidence": 0.99,
        "business_impact": 0,
        "input": {},
        "output": "ok",
        "now": "2026-01-05T12:00:00Z",
        "control_readable": true,
        "cohort_seen": 1_000_000,
        "arrival_rate_z": 0.0,
        "model_age_days": 365.0,
    })
}

/// A review that says nothing special, for `given = { review = … }`.
fn base_review() -> Value {
    json!({"verdict": "accept", "tags": [], "level": 1, "reviewer": "reviewer", "reversal": false})
}

/// What a test gives beside the record.
#[derive(Deserialize)]
struct Beside {
    now: Timestamp,
    control_readable: bool,
    cohort_seen: Option<u64>,
    arrival_rate_z: Option<f64>,
    model_age_days: Option<f64>,
    review: Option<ReviewFacts>,
    window: Option<WindowFacts>,
    sla: Option<SlaFacts>,
    feedback: Option<String>,
}

impl Policy {
    /// Route every `[[test]]`: its `given` is laid over a valid, harmless record (domain
    /// `support_qa`, confidence 0.99, impact 0, empty input, output `ok`, no cohort, plenty seen),
    /// key by key. A given record that breaks a rule of records is expected to be quarantined.
    pub fn run_tests(&self) -> TestReport {
        let mut coverage = self.rules_to_cover();
        let tests = self.tests.iter().map(|t| self.run_test(t, &mut coverage)).collect();
        TestReport { tests, coverage }
    }

    fn rules_to_cover(&self) -> Vec<RuleCoverage> {
        let rule = |kind, id: &str, line| RuleCoverage {
            kind,
            id: id.to_owned(),
            line,
            matched: 0,
            won: 0,
        };
        let allows = self.allows.iter().enumerate().map(|(i, a)| {
            rule(RuleKind::Allow, &a.id.clone().unwrap_or_else(|| (i + 1).to_string()), a.line)
        });
        let checks = self.checks.iter().map(|r| rule(RuleKind::OutputCheck, &r.id, r.line));
        let routes = self.routes.iter().map(|r| rule(RuleKind::Route, &r.id, r.line));
        let default = rule(RuleKind::Default, "default", self.default.line);
        let requires = self.requires.iter().map(|r| rule(RuleKind::Require, &r.id, r.line));
        let samples = self.samples.iter().map(|r| rule(RuleKind::Sample, &r.id, r.line));
        let effects = self.effects.iter().map(|r| rule(RuleKind::Effect, &r.id, r.line));
        let all = allows.chain(checks).chain(routes).chain([default]);
        all.chain(requires).chain(samples).chain(effects).collect()
    }

    fn run_test(&self, trial: &Trial, coverage: &mut [RuleCoverage]) -> TestResult {
        let mut given = base();
        if trial.given.contains_key("review") {
            lay(&mut given, &json!({"review": base_review()}));
        }
        lay(&mut given, &Value::Object(trial.given.clone()));
        let (routing, mismatches) = match serde_json::from_value::<Beside>(given.clone()) {
            Ok(beside) => {
                let (routing, effects) = self.run_given(given, &beside, coverage);
                let mismatches = trial.expect.mismatches(&routing, &effects);
                (routing, mismatches)
            }
            Err(e) => {
                let (expected, got) = (json!("facts as described"), json!(e.to_string()));
                let mismatch = Mismatch { what: "given", expected, got };
                (Self::quarantine(&[]), vec![mismatch])
            }
        };
        TestResult { name: trial.name.clone(), line: trial.line, mismatches, routing }
    }

    /// The route of what a test gives, and the effects that fire on it.
    fn run_given(
        &self,
        given: Value,
        beside: &Beside,
        coverage: &mut [RuleCoverage],
    ) -> (Routing, Vec<String>) {
        let decision = match decision(given) {
            Ok(decision) => decision,
            Err(faults) => return (Self::quarantine(&faults), Vec::new()),
        };
        let d = &decision;
        let facts = Facts {
            control_readable: beside.control_readable,
            cohort_seen: beside.cohort_seen,
            arrival_rate_z: beside.arrival_rate_z,
            model_age_days: beside.model_age_days,
            ..Facts::at(beside.now, 0)
        };
        let faults = self.check_record(d, facts.now);
        let routing =
            if faults.is_empty() { self.route(d, &facts) } else { Self::quarantine(&faults) };
        let mut effects: Vec<String> = Vec::new();
        let mut fired = |f: Vec<Firing>| effects.extend(f.into_iter().map(|f| f.effect));
        fired(routing.firings.clone());
        if let Some(r) = &beside.review {
            fired(self.on_review(d, r));
        }
        if let Some(w) = &beside.window {
            fired(self.window_effects().filter_map(|e| self.on_window(e.id, w)).collect());
        }
        if let Some(s) = &beside.sla {
            fired(self.on_sla(d, s));
        }
        if let Some(kind) = &beside.feedback {
            fired(self.on_feedback(d, kind));
        }
        if faults.is_empty() {
            self.count_rules(d, &facts, &routing, coverage);
        }
        for rule in coverage.iter_mut().filter(|r| r.kind == RuleKind::Effect) {
            if effects.contains(&rule.id) {
                rule.matched += 1;
                rule.won += 1;
            }
        }
        (routing, effects)
    }

    /// Note which rules this decision reached.
    fn count_rules(
        &self,
        d: &Decision,
        facts: &Facts,
        routing: &Routing,
        coverage: &mut [RuleCoverage],
    ) {
        let reading = self.reading(d, facts);
        let holds = |when: Option<&Compiled>| when.is_some_and(|w| w.holds(&reading));
        let auto = routing.outcome == Outcome::Auto;
        // What settled it before a require made a review of it.
        let target = self.winner(d, facts);
        let (checks, blocked) = (self.checks.len(), routing.rule == "allow");
        let mut place: BTreeMap<&'static str, usize> = BTreeMap::new();
        for rule in coverage {
            let i = place.entry(rule.kind.as_str()).and_modify(|n| *n += 1).or_default();
            let i = *i;
            let (matched, won) = match rule.kind {
                RuleKind::Allow => {
                    let covers = self.allows.get(i).is_some_and(|a| a.covers(&|f| reading.text(f)));
                    (covers, covers)
                }
                RuleKind::OutputCheck => {
                    let hit = holds(self.checks.get(i).map(|r| &r.when));
                    (hit, !blocked && target == Some(i))
                }
                RuleKind::Route => {
                    let hit = holds(self.routes.get(i).map(|r| &r.when));
                    (hit, !blocked && target == Some(checks + i))
                }
                RuleKind::Default => (target.is_none(), !blocked && target.is_none()),
                RuleKind::Require => {
                    let hit = holds(self.requires.get(i).map(|r| &r.when));
                    (hit, hit && routing.outcome == Outcome::Review)
                }
                RuleKind::Sample => {
                    let hit = auto && holds(self.samples.get(i).map(|r| &r.when));
                    (hit, hit)
                }
                RuleKind::Effect => continue,
            };
            rule.matched += usize::from(matched);
            rule.won += usize::from(won);
        }
    }
}

/// The record in `given`, read as admission reads one; or its faults.
fn decision(mut given: Value) -> Result<Decision, Vec<Fault>> {
    if let Value::Object(map) = &mut given {
        map.retain(|k, _| !BESIDE.contains(&k.as_str()));
    }
    let unusable = |message: String| {
        vec![Fault { path: String::new(), kind: FaultKind::InvalidField, message }]
    };
    match record::parse(given.to_string().as_bytes(), &record::Limits::default()) {
        record::Intake::Record(parsed) => Ok(parsed.decision),
        record::Intake::Broken(broken) => Err(broken.faults),
        record::Intake::Refused(refusal) => Err(unusable(refusal.message)),
        record::Intake::Blank => Err(unusable("nothing is given".to_owned())),
    }
}

/// Lay `over` on `under`, object by object.
fn lay(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (k, v) in over {
                lay(under.entry(k.clone()).or_insert(Value::Null), v);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

impl Expect {
    fn mismatches(&self, r: &Routing, effects: &[String]) -> Vec<Mismatch> {
        let mut out = Vec::new();
        let mut differ = |what, expected: Option<Value>, got: Value| {
            if let Some(expected) = expected
                && expected != got
            {
                out.push(Mismatch { what, expected, got });
            }
        };
        differ("outcome", self.outcome.map(|o| json!(o)), json!(r.outcome));
        differ("queue", self.queue.as_ref().map(|q| json!(q)), json!(r.queue));
        differ("rule", self.rule.as_ref().map(|q| json!(q)), json!(r.rule));
        differ("approvals", self.approvals.as_ref().map(|a| json!(a)), json!(r.approvals));
        differ("matched", self.matched.as_ref().map(|m| json!(m)), json!(r.matched));
        differ("tags", self.tags.as_ref().map(|t| json!(t)), json!(r.tags));
        differ("effects", self.effects.as_ref().map(|e| json!(e)), json!(effects));
        differ("priority", self.priority.map(|p| json!(p)), json!(r.priority));
        differ("blind", self.blind.map(|b| json!(b)), json!(r.blind));
        let written = |d: SignedDuration| json!(time::written(d));
        differ("sla", self.sla.map(written), r.sla.map_or(Value::Null, written));
        match &self.sample {
            None => {}
            Some(SampleExpect::Drawn(yes)) => {
                differ("sample", Some(json!(yes)), json!(r.sample.is_some()));
            }
            Some(SampleExpect::By(id)) => {
                let by = r.sample.as_ref().map(|s| &s.rule);
                differ("sample", Some(json!(id)), json!(by));
            }
        }
        out
    }
}
