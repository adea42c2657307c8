//! One route of an 8-rule policy: our closures, a hand-written `if` chain, and the `cel` crate, on
//! the same records. CPU time of one thread; rounds alternate; first they must agree.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use cel::{Context, Env, Program, Value};
use overrule::domain::record::{Intake, Limits, parse};
use overrule::domain::{Decision, Facts, Timestamp};
use overrule::policy::{Policy, Schemas};
use support::{Records, each, goal, head, median, note};

const ROUNDS: usize = 21;

const POLICY: &str = r#"
policy = "eight-rules"
[params]
low = 0.60
high = 0.85
impact = 7
spread = 0.30
careful = ["lending/mortgage", "payments/refund"]
[queues.level1]
sla = "30m"
[queues.level2]
sla = "2h"
[queues.level3]
sla = "4h"
[[tag]]
id = "policy_violation"
title = "Violates a policy"
key = "v"
[[route]]
id = "violation"
when = '"policy_violation" in tags'
to = "level3"
[[route]]
id = "low-confidence"
when = 'confidence < params.low'
to = "level1"
[[route]]
id = "members-disagree"
when = 'has(ensemble) && ensemble.spread > params.spread'
to = "level2"
[[route]]
id = "unsure-high-impact"
when = 'confidence <= params.high && business_impact >= params.impact'
to = "level1"
[[route]]
id = "old-model"
when = 'model.name == "mortgage-preapproval" && model.version.startsWith("2.")'
to = "level1"
[[route]]
id = "severe-action"
when = 'domain == "moderation" && action in ["ban", "delete_account"]'
to = "level2"
[[route]]
id = "careful-place"
when = 'has(scope) && scope in params.careful && confidence <= 0.9'
to = "level1"
[[route]]
id = "unsure"
when = 'confidence <= params.high || business_impact > 9'
to = "level1"
[default]
to = "auto"
"#;

/// The rules as a CEL user writes them, thresholds already in place (to its advantage).
const CEL: [&str; 8] = [
    r#""policy_violation" in tags"#,
    "confidence < 0.60",
    "has(ensemble.spread) && ensemble.spread > 0.30",
    "confidence <= 0.85 && business_impact >= 7.0",
    r#"model.name == "mortgage-preapproval" && model.version.startsWith("2.")"#,
    r#"domain == "moderation" && action in ["ban", "delete_account"]"#,
    r#"scope != "" && scope in ["lending/mortgage", "payments/refund"] && confidence <= 0.9"#,
    "confidence <= 0.85 || business_impact > 9.0",
];

/// The rules as somebody writes them who has only these.
fn chain(d: &Decision) -> Option<usize> {
    if d.tags.iter().any(|t| t == "policy_violation") {
        return Some(0);
    }
    if d.confidence < 0.60 {
        return Some(1);
    }
    if !d.ensemble.is_empty() {
        let scores = || d.ensemble.iter().map(|m| m.score);
        let spread = scores().fold(f64::MIN, f64::max) - scores().fold(f64::MAX, f64::min);
        if spread > 0.30 {
            return Some(2);
        }
    }
    if d.confidence <= 0.85 && d.business_impact >= 7.0 {
        return Some(3);
    }
    if d.model.name == "mortgage-preapproval" && d.model.version.starts_with("2.") {
        return Some(4);
    }
    if d.domain == "moderation" && matches!(d.action.as_str(), "ban" | "delete_account") {
        return Some(5);
    }
    if let Some(scope) = &d.scope
        && matches!(scope.as_str(), "lending/mortgage" | "payments/refund")
        && d.confidence <= 0.9
    {
        return Some(6);
    }
    (d.confidence <= 0.85 || d.business_impact > 9.0).then_some(7)
}

/// A record as CEL's variables: only what the rules read.
fn context<'v>(env: &Arc<Env>, d: &Decision) -> Context<'static, 'v> {
    let mut context = Context::with_env(env.clone());
    context.add_variable_from_value("tags", d.tags.iter().map(String::as_str).collect::<Vec<_>>());
    context.add_variable_from_value("confidence", d.confidence);
    let spread = d.ensemble_spread().map(|s| ("spread", Value::Float(s)));
    context.add_variable_from_value("ensemble", spread.into_iter().collect::<HashMap<_, _>>());
    context.add_variable_from_value("business_impact", d.business_impact);
    let model = [("name", d.model.name.as_str()), ("version", d.model.version.as_str())];
    context.add_variable_from_value("model", HashMap::from(model));
    context.add_variable_from_value("domain", d.domain.as_str());
    context.add_variable_from_value("action", d.action.as_str());
    context.add_variable_from_value("scope", d.scope.as_deref().unwrap_or(""));
    context
}

fn by_cel(programs: &[Program], context: &Context<'_, '_>) -> Option<usize> {
    programs.iter().position(|p| p.execute(context).unwrap() == Value::Bool(true))
}

/// CPU time of one call.
fn every<T, A>(times: usize, list: &[T], work: impl Fn(&T) -> A) -> f64 {
    each(times * list.len(), || {
        for one in (0..times).flat_map(|_| list) {
            black_box(work(black_box(one)));
        }
    })
}

fn main() {
    if !support::asked() {
        return;
    }
    head("route: one record through 8 rules, CPU time of one thread");
    let records = Records::find();
    let limits = Limits::default();
    let decisions: Vec<Decision> = records
        .rows
        .iter()
        .filter_map(|row| match parse(&row.bytes, &limits) {
            Intake::Record(parsed) => Some(parsed.decision),
            _ => None,
        })
        .collect();
    note("records", &records.from);
    let policy = match Policy::load(POLICY, "eight.toml", &Schemas::default()) {
        Ok(policy) => policy,
        Err(found) => {
            println!("{}", found.render(false));
            return;
        }
    };
    let facts = Facts::at(Timestamp::UNIX_EPOCH, 0);
    let env = Arc::new(Env::stdlib());
    let programs: Vec<Program> = CEL.iter().map(|rule| env.compile(rule).unwrap()).collect();
    let contexts: Vec<Context> = decisions.iter().map(|d| context(&env, d)).collect();

    let mut hits = [0usize; 9];
    for (d, context) in decisions.iter().zip(&contexts) {
        let ours = policy.winner(d, &facts);
        assert_eq!(ours, chain(d), "{}", d.id);
        assert_eq!(ours, by_cel(&programs, context), "{}", d.id);
        hits[ours.unwrap_or(8)] += 1;
    }
    note("all three agree; hits by rule", format!("{hits:?} (the last: none)"));

    let mut figures: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        let times = [
            every(10, &decisions, chain),
            every(10, &decisions, |d| policy.winner(d, &facts)),
            every(1, &decisions, |d| policy.route(d, &facts)),
            every(1, &contexts, |c| by_cel(&programs, c)),
            every(1, &decisions, |d| by_cel(&programs, &context(&env, d))),
        ];
        figures.iter_mut().zip(times).for_each(|(list, time)| list.push(time));
    }
    let [by_chain, winner, route, prebuilt, usual] = figures.map(median);
    let show = |t: f64| format!("{:.1} ns ({:.2} M/s)", t * 1e9, 1e-6 / t);
    note("hand-written if chain", show(by_chain));
    note("overrule, which rule wins", show(winner));
    note("overrule, the whole answer", show(route));
    note("cel, context built beforehand", format!("{}, {:.0}×", show(prebuilt), prebuilt / winner));
    note("cel, context for each record", show(usual));
    note("whole answer against cel", format!("{:.1}×", usual / route));
    let times = usual / winner;
    goal("faster than cel", format!("{times:.0}×"), "≥ 50×", times >= 50.0);
    let times = winner / by_chain;
    goal("slower than the if chain", format!("{times:.1}×"), "≤ 4×", times <= 4.0);
}
