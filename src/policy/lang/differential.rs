//! The language against CEL itself: whatever the checker accepts must mean the same in the `cel`
//! crate, in the IR, and in the closures.
//!
//! CEL reads the record as one map `r`, since its `has()` takes no bare name; numbers are written
//! as doubles on both sides, since only this language compares whole and fractional ones freely;
//! and `has(a.b)` of an optional `a` is spelled out, where CEL would fail on an absent `a`.

use std::collections::{BTreeMap, BTreeSet};

use cel::{Context as CelContext, Env, Value as CelValue};
use serde_json::{Value, json};

use super::check::{Checked, Context, Param, ParamValue, Params, check};
use super::closure::compile;
use super::fields::{Scope, Type};
use super::reading::Reading;
use super::resolve::Typed;
use crate::domain::{Decision, Facts};
use crate::policy::nouns::Impact;
use crate::policy::redact::Redaction;

/// SplitMix64: small, seeded, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// An expression as we write it and as CEL reads it.
#[derive(Clone)]
struct Both {
    ours: String,
    cel: String,
}

fn both(ours: impl Into<String>, cel: impl Into<String>) -> Both {
    Both { ours: ours.into(), cel: cel.into() }
}

const NUMBERS: [(&str, Option<&str>); 13] = [
    ("confidence", None),
    ("business_impact", None),
    ("output_chars", None),
    ("output_chars", None),
    ("cohort_seen", None),
    ("model_age_days", None),
    ("latency_ms", Some("latency_ms")),
    ("ensemble.spread", Some("ensemble")),
    ("ensemble.agreement", Some("ensemble")),
    ("source.reliability", Some("source.reliability")),
    ("input.income", Some("input.income")),
    ("output.score", Some("output.score")),
    ("attributions.age", Some("attributions.age")),
];
const TEXTS: [(&str, Option<&str>); 13] = [
    ("id", None),
    ("domain", None),
    ("action", None),
    ("model.name", None),
    ("model.version", None),
    ("impact_level", None),
    ("scope", Some("scope")),
    ("user_group", Some("user_group")),
    ("cohort", Some("cohort")),
    ("cohort.race", Some("cohort.race")),
    ("source.name", Some("source")),
    ("provenance.prompt", Some("provenance.prompt")),
    ("input.note", Some("input.note")),
];
const FLAGS: [(&str, Option<&str>); 2] =
    [("schema_valid", None), ("input.self", Some("input.self"))];
const HAS: [&str; 14] = [
    "latency_ms",
    "ensemble",
    "source",
    "source.reliability",
    "input.income",
    "output.score",
    "attributions.age",
    "scope",
    "user_group",
    "cohort",
    "cohort.race",
    "provenance.prompt",
    "input.note",
    "input.self",
];
const WORDS: [&str; 9] = ["loan", "lo", "an", "approve", "high", "low", "a b", "ü\"'\\", ""];
const VALUES: [f64; 9] = [0.0, 0.25, 0.5, 0.6, 0.85, 1.0, 4.0, 7.0, 10.0];

fn cel_path(path: &str) -> String {
    match path {
        // The dimension and the map of dimensions share a name only here.
        "cohort" => "r.cohort.cohort".to_owned(),
        path => format!("r.{path}"),
    }
}

fn has(path: &str) -> Both {
    let cel = match path {
        "source.reliability" => "(has(r.source) && has(r.source.reliability))".to_owned(),
        path => format!("has({})", cel_path(path)),
    };
    both(format!("has({path})"), cel)
}

fn number(r: &mut Random) -> Both {
    if r.chance(20) {
        return both("params.high", "params.high");
    }
    let n = *r.pick(&VALUES);
    let cel = if n.fract() == 0.0 { format!("{n}.0") } else { n.to_string() };
    // Here the whole numbers are written without a point.
    both(n.to_string(), cel)
}

fn text(r: &mut Random) -> Both {
    if r.chance(10) {
        return both("params.word", "params.word");
    }
    let word = r.pick(&WORDS).replace('\\', "\\\\");
    let quoted = if r.chance(50) {
        format!("'{}'", word.replace('\'', "\\'"))
    } else {
        format!("\"{}\"", word.replace('"', "\\\""))
    };
    both(quoted.clone(), quoted)
}

/// A comparison, a call or a test, with its guard mostly in front of it.
fn leaf(r: &mut Random) -> Both {
    let (atom, guard) = match r.below(10) {
        0..=3 => number_atom(r),
        4..=6 => text_atom(r),
        7 => {
            let (path, guard) = *r.pick(&FLAGS);
            let atom = match r.below(3) {
                0 => both(path, cel_path(path)),
                1 => both(format!("{path} == true"), format!("{} == true", cel_path(path))),
                _ => both(format!("false != {path}"), format!("false != {}", cel_path(path))),
            };
            (atom, guard)
        }
        8 => {
            let word = text(r);
            (both(format!("{} in tags", word.ours), format!("{} in r.tags", word.cel)), None)
        }
        _ => return has(r.pick::<&str>(&HAS)),
    };
    match guard {
        // Sometimes unguarded, or guarded the wrong way: the checker must see it.
        Some(_) if r.chance(6) => atom,
        Some(guard) if r.chance(50) => {
            let has = has(guard);
            both(
                format!("({} && {})", has.ours, atom.ours),
                format!("({} && {})", has.cel, atom.cel),
            )
        }
        Some(guard) => {
            let has = has(guard);
            both(
                format!("(!{} || {})", has.ours, atom.ours),
                format!("(!{} || {})", has.cel, atom.cel),
            )
        }
        None => atom,
    }
}

fn number_atom(r: &mut Random) -> (Both, Option<&'static str>) {
    let (path, guard) = *r.pick(&NUMBERS);
    let n = number(r);
    let cel = cel_path(path);
    let atom = match r.below(8) {
        0 => {
            let m = number(r);
            both(
                format!("{path} in [{}, {}]", n.ours, m.ours),
                format!("{cel} in [{}, {}]", n.cel, m.cel),
            )
        }
        1 => {
            let op = *r.pick(&["<", "<=", ">", ">=", "==", "!="]);
            both(format!("{} {op} {path}", n.ours), format!("{} {op} {cel}", n.cel))
        }
        _ => {
            let op = *r.pick(&["<", "<=", ">", ">=", "==", "!="]);
            both(format!("{path} {op} {}", n.ours), format!("{cel} {op} {}", n.cel))
        }
    };
    (atom, guard)
}

fn text_atom(r: &mut Random) -> (Both, Option<&'static str>) {
    let (path, guard) = *r.pick(&TEXTS);
    let t = text(r);
    let cel = cel_path(path);
    let atom = match r.below(7) {
        0 => {
            let u = text(r);
            both(
                format!("{path} in [{}, {}]", t.ours, u.ours),
                format!("{cel} in [{}, {}]", t.cel, u.cel),
            )
        }
        1 => both(format!("{path} in params.words"), format!("{cel} in params.words")),
        2 | 3 => {
            let call = *r.pick(&["startsWith", "endsWith", "contains"]);
            both(format!("{path}.{call}({})", t.ours), format!("{cel}.{call}({})", t.cel))
        }
        4 => both(format!("{} == {path}", t.ours), format!("{} == {cel}", t.cel)),
        _ => {
            let op = *r.pick(&["==", "!="]);
            both(format!("{path} {op} {}", t.ours), format!("{cel} {op} {}", t.cel))
        }
    };
    (atom, guard)
}

fn expression(r: &mut Random, depth: usize) -> Both {
    if depth == 0 || r.chance(25) {
        return leaf(r);
    }
    if r.chance(20) {
        let inner = expression(r, depth - 1);
        return both(format!("!({})", inner.ours), format!("!({})", inner.cel));
    }
    let op = if r.chance(50) { " && " } else { " || " };
    let parts: Vec<Both> = (0..2 + r.below(2)).map(|_| expression(r, depth - 1)).collect();
    let join = |get: fn(&Both) -> &str| {
        parts.iter().map(|p| format!("({})", get(p))).collect::<Vec<_>>().join(op)
    };
    both(join(|p| &p.ours), join(|p| &p.cel))
}

/// A record: the decision, its facts, and the map CEL reads.
struct Record {
    decision: Decision,
    facts: Facts,
    cel: Value,
}

fn record(r: &mut Random, impact: Impact) -> Record {
    let unit = |r: &mut Random| *r.pick(&[0.0, 0.25, 0.5, 0.6, 0.7, 0.85, 0.9, 1.0]);
    let mut d = json!({
        "id": r.pick::<&str>(&WORDS[..6]), "domain": r.pick::<&str>(&WORDS), "action": r.pick::<&str>(&WORDS),
        "model": {"name": r.pick::<&str>(&WORDS), "version": r.pick::<&str>(&WORDS)},
        "confidence": unit(r), "business_impact": r.pick(&[0.0, 3.9, 4.0, 6.5, 7.0, 8.0, 10.0]),
        "input": {}, "output": r.pick::<&str>(&["", "y", "ü", "yes!", "üüüü", "1234567", "üüüüüüü", "long enough"]),
    });
    let mut set = |r: &mut Random, path: &[&str], value: Value| {
        if r.chance(60) {
            let (last, way) = path.split_last().unwrap();
            let at = way.iter().fold(&mut d, |v, key| &mut v[*key]);
            at[*last] = value;
        }
    };
    let word = |r: &mut Random| json!(r.pick::<&str>(&WORDS));
    let w = word(r);
    set(r, &["scope"], w);
    let w = word(r);
    set(r, &["user_group"], w);
    let n = json!(unit(r));
    set(r, &["latency_ms"], n);
    let w = word(r);
    set(r, &["cohort"], json!({"cohort": w}));
    let w = word(r);
    set(r, &["cohort", "race"], w);
    let w = word(r);
    set(r, &["provenance"], json!({"prompt": w}));
    let n = json!(unit(r));
    set(r, &["attributions"], json!({"age": n}));
    let (w, n) = (word(r), json!(unit(r)));
    set(r, &["source"], json!({"name": w}));
    let with_reliability = json!({"name": "s", "reliability": n});
    if r.chance(50) {
        set(r, &["source"], with_reliability);
    }
    let n = json!(r.pick(&VALUES));
    set(r, &["input", "income"], n);
    let w = word(r);
    set(r, &["input", "note"], w);
    let flag = json!(r.chance(50));
    set(r, &["input", "self"], flag);
    let n = json!(unit(r));
    set(r, &["output"], json!({"score": n}));
    let members: Vec<Value> =
        (0..r.below(4)).map(|i| json!({"name": i.to_string(), "score": unit(r)})).collect();
    set(r, &["ensemble"], json!(members));
    let tags: Vec<&str> = (0..r.below(3)).map(|_| *r.pick(&WORDS)).collect();
    set(r, &["tags"], json!(tags));
    let decision: Decision = serde_json::from_value(d.clone()).unwrap();
    let facts = Facts {
        cohort_seen: Some(*r.pick(&[0, 1, 4, 7, 10])),
        model_age_days: Some(*r.pick(&[0.0, 0.5, 7.0, 10.0])),
        ..Facts::at(crate::domain::Timestamp::UNIX_EPOCH, 0)
    };
    let cel = cel_record(d, &decision, &facts, impact);
    Record { decision, facts, cel }
}

/// The record as CEL reads it: derived fields worked out by other means than ours.
fn cel_record(mut d: Value, decision: &Decision, facts: &Facts, impact: Impact) -> Value {
    let level = match decision.business_impact {
        n if n >= impact.high => "high",
        n if n >= impact.medium => "medium",
        _ => "low",
    };
    d["impact_level"] = json!(level);
    d["schema_valid"] = json!(true);
    let written = match &decision.output {
        Value::String(s) => s.clone(),
        other => serde_json::to_string(other).unwrap(),
    };
    d["output_chars"] = json!(written.chars().count() as f64);
    if !d["output"].is_object() {
        d["output"] = json!({});
    }
    d["cohort_seen"] = json!(facts.cohort_seen.unwrap() as f64);
    d["model_age_days"] = json!(facts.model_age_days);
    for key in ["cohort", "provenance", "attributions"] {
        if d[key].is_null() {
            d[key] = json!({});
        }
    }
    if d["tags"].is_null() {
        d["tags"] = json!([]);
    }
    let scores: Vec<f64> = decision.ensemble.iter().map(|m| m.score).collect();
    if scores.is_empty() {
        d.as_object_mut().unwrap().remove("ensemble");
    } else {
        let mut sorted = scores.clone();
        sorted.sort_by(f64::total_cmp);
        let n = scores.len() as f64;
        let (above, below): (Vec<f64>, Vec<f64>) = scores.iter().partition(|s| **s >= 0.5);
        let side = if scores.iter().sum::<f64>() / n >= 0.5 { above } else { below };
        d["ensemble"] = json!({"spread": sorted[sorted.len() - 1] - sorted[0], "agreement": side.len() as f64 / n});
    }
    d
}

fn params() -> Params {
    let param = |value| Param { value, span: 0..0, used: false.into() };
    let words = WORDS.iter().take(3).map(|w| (*w).to_owned()).collect();
    Params(BTreeMap::from([
        ("high".to_owned(), param(ParamValue::Number(0.85))),
        ("word".to_owned(), param(ParamValue::Text("loan".to_owned()))),
        ("words".to_owned(), param(ParamValue::Texts(words))),
    ]))
}

fn types() -> Typed {
    [
        ("input.income", Type::Number),
        ("input.note", Type::Text),
        ("input.self", Type::Flag),
        ("output.score", Type::Number),
    ]
    .into_iter()
    .map(|(p, t)| (p.to_owned(), t))
    .collect()
}

#[test]
fn ten_thousand_expressions_mean_what_cel_says() {
    let mut r = Random(0x0D15_EA5E);
    let impact = Impact::default();
    let (params, types, redact) = (params(), types(), Redaction::default());
    let cel_params = json!({"high": 0.85, "word": "loan", "words": &WORDS[..3]});
    let context = Context {
        scope: Scope::Decision,
        params: &params,
        types: &types,
        conflicts: &BTreeSet::new(),
        tags: &[],
    };
    let env = std::sync::Arc::new(Env::stdlib());
    let records: Vec<Record> = (0..300).map(|_| record(&mut r, impact)).collect();
    let contexts: Vec<CelContext> = records
        .iter()
        .map(|rec| {
            let mut c = CelContext::with_env(env.clone());
            c.add_variable("r", cel::to_value(&rec.cel).unwrap()).unwrap();
            c.add_variable("params", cel::to_value(&cel_params).unwrap()).unwrap();
            c
        })
        .collect();
    let (mut accepted, mut refused, mut held, mut asked) = (0, 0, 0, 0);
    while accepted < 10_000 {
        let e = expression(&mut r, 3);
        let Checked { rule, errors, .. } = check(&e.ours, context);
        let Some(rule) = rule else {
            assert!(!errors.is_empty(), "refused without a word: {}", e.ours);
            refused += 1;
            continue;
        };
        accepted += 1;
        let program = env.compile(&e.cel).unwrap_or_else(|err| panic!("{}: {err}", e.cel));
        let pred = compile(&rule);
        for _ in 0..4 {
            let i = r.below(records.len());
            let rec = &records[i];
            let reading =
                Reading { facts: Some(&rec.facts), ..Reading::of(&rec.decision, impact, &redact) };
            let ours = rule.holds(&reading);
            assert_eq!(ours, pred(&reading), "closure and IR differ: {}", e.ours);
            let theirs = program.execute(&contexts[i]);
            assert_eq!(theirs, Ok(CelValue::Bool(ours)), "{}\n{}\n{}", e.ours, e.cel, rec.cel);
            let because = rule.because(&reading);
            assert_eq!(because.is_some(), ours);
            held += usize::from(ours);
            asked += 1;
        }
    }
    // The comparison is worth something only if both answers and both verdicts are common.
    assert!(held > asked / 5 && held < asked * 4 / 5, "{held} of {asked} held");
    assert!(refused > 300, "only {refused} were refused");
}

#[test]
fn what_is_refused_is_refused_for_a_reason() {
    let (params, types) = (params(), types());
    let context = Context {
        scope: Scope::Decision,
        params: &params,
        types: &types,
        conflicts: &BTreeSet::new(),
        tags: &[],
    };
    for (text, message) in [
        ("scope == 'x'", "scope may be absent and is read unguarded"),
        ("scope == 'x' && has(scope)", "scope may be absent and is read unguarded"),
        ("has(scope) || scope == 'x'", "scope may be absent and is read unguarded"),
        ("!has(scope) && scope == 'x'", "scope may be absent and is read unguarded"),
        (
            "(has(scope) || has(user_group)) && scope == 'x'",
            "scope may be absent and is read unguarded",
        ),
        ("has(cohort.race) && cohort == 'x'", "cohort may be absent and is read unguarded"),
        ("ensemble.spread > 0.1", "ensemble.spread may be absent and is read unguarded"),
    ] {
        let found = check(text, context);
        assert!(found.rule.is_none(), "{text}");
        assert_eq!(found.errors[0].message, message, "{text}");
    }
    for text in [
        "has(scope) && scope == 'x'",
        "!has(scope) || scope == 'x'",
        "!(has(scope) && !(scope == 'x'))",
        "!(!has(scope) || scope == 'x') && scope != 'y'",
        "has(scope) && (domain == 'a' || scope == 'x') && scope != 'z'",
        "(has(scope) && has(user_group)) && (scope == 'x' || user_group == 'y')",
        "!(!has(scope) || !has(user_group)) && scope == 'x' && user_group == 'y'",
        "(has(scope) && domain == 'a' || has(scope) && domain == 'b') && scope == 'x'",
        "has(source.reliability) && source.name == 'x'",
        "has(ensemble.spread) && ensemble.agreement < 1",
    ] {
        assert!(
            check(text, context).errors.is_empty(),
            "{text}: {:?}",
            check(text, context).errors
        );
    }
}
