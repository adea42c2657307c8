//! Live rules: the IR compiled to closures, fields resolved beforehand, nothing allocated.

use std::borrow::Cow;

use super::ast::Op;
use super::fields::{Field, LEVELS};
use super::ir::{Atom, Rule, Test};
use super::reading::{Reading, Val, output_bounds};

/// A compiled rule.
pub(crate) type Pred = Box<dyn Fn(&Reading<'_>) -> bool + Send + Sync>;

/// Compile a rule. The closure says the same as [`Rule::holds`].
pub(crate) fn compile(rule: &Rule) -> Pred {
    match rule {
        Rule::Const(b) => {
            let b = *b;
            Box::new(move |_| b)
        }
        Rule::Atom(atom) => leaf(atom),
        Rule::All(rules) => all(guarded(rules).map(compile).collect()),
        Rule::Any(rules) => any(rules.iter().map(compile).collect()),
    }
}

/// The parts of an `&&` that need to be asked: `has(f)` beside a comparison that it guards says
/// nothing more, since a comparison is false where its field is absent.
fn guarded(rules: &[Rule]) -> impl Iterator<Item = &Rule> {
    let asked = |path: &str| {
        rules.iter().any(|r| match r {
            Rule::Atom(a) => !matches!(a.test, Test::Has(_)) && a.field.guard() == Some(path),
            _ => false,
        })
    };
    rules.iter().filter(move |r| match r {
        Rule::Atom(a) => a.test != Test::Has(true) || !asked(&a.field.path),
        _ => true,
    })
}

fn all(mut preds: Vec<Pred>) -> Pred {
    // Two conditions are by far the commonest; without the loop they cost a quarter less.
    match (preds.pop(), preds.pop(), preds.is_empty()) {
        (None, _, _) => Box::new(|_| true),
        (Some(only), None, _) => only,
        (Some(b), Some(a), true) => Box::new(move |r| a(r) && b(r)),
        (Some(c), Some(b), false) => {
            preds.extend([b, c]);
            let preds = preds.into_boxed_slice();
            Box::new(move |r| preds.iter().all(|p| p(r)))
        }
    }
}

fn any(preds: Vec<Pred>) -> Pred {
    match <[Pred; 2]>::try_from(preds) {
        Ok([a, b]) => Box::new(move |r| a(r) || b(r)),
        Err(preds) => {
            let preds = preds.into_boxed_slice();
            Box::new(move |r| preds.iter().any(|p| p(r)))
        }
    }
}

/// The level is worked out from the impact, as three numbers rather than three texts.
fn level(test: &Test) -> Pred {
    let fits = LEVELS.map(|l| test.holds(&Val::Text(Cow::Borrowed(l))));
    Box::new(move |r| {
        let [low, medium, high] = fits;
        let Some(d) = r.decision else { return false };
        if d.business_impact < r.impact.medium {
            low
        } else if d.business_impact < r.impact.high {
            medium
        } else {
            high
        }
    })
}

fn leaf(atom: &Atom) -> Pred {
    if atom.field.field == Field::ImpactLevel {
        return level(&atom.test);
    }
    let field = atom.field.field.clone();
    let kind = atom.field.kind;
    match atom.test.clone() {
        Test::Number(op, c) => number(field, op, c.value),
        Test::NumberIn(yes, c) => {
            let list = c.value;
            Box::new(move |r| {
                let n = r.number(&field);
                !n.is_nan() && yes == list.contains(&n)
            })
        }
        Test::Versus(op, other) => {
            let other = other.field;
            Box::new(move |r| op.holds(r.number(&field), r.number(&other)))
        }
        Test::Equals(yes, c) => text(field, move |t| yes == (t == c.value)),
        Test::TextIn(yes, c) => text(field, move |t| yes == c.value.iter().any(|v| v == t)),
        Test::Starts(yes, c) => text(field, move |t| yes == t.starts_with(c.value.as_str())),
        Test::Ends(yes, c) => text(field, move |t| yes == t.ends_with(c.value.as_str())),
        Test::Contains(yes, c) => text(field, move |t| yes == t.contains(c.value.as_str())),
        Test::Flag(yes) => Box::new(move |r| r.flag(&field) == Some(yes)),
        Test::Tagged(yes, c) => {
            let tag = c.value;
            Box::new(move |r| yes == r.tags(&field).contains(&tag))
        }
        Test::Has(yes) => Box::new(move |r| yes == r.has(&field, kind)),
    }
}

/// The two numbers every record has are read without a detour; others through the reading.
fn number(field: Field, op: Op, c: f64) -> Pred {
    match field {
        Field::Confidence => compare(op, c, |r| r.decision.map_or(f64::NAN, |d| d.confidence)),
        Field::BusinessImpact => {
            compare(op, c, |r| r.decision.map_or(f64::NAN, |d| d.business_impact))
        }
        Field::OutputChars => length(op, c),
        field => compare(op, c, move |r| r.number(&field)),
    }
}

/// Most outputs are far longer or shorter than what they are compared with: their bytes say so,
/// and nothing is counted.
fn length(op: Op, c: f64) -> Pred {
    Box::new(move |r| {
        let Some(d) = r.decision else { return false };
        let (low, high) = output_bounds(&d.output);
        if op != Op::Eq && op != Op::Ne && op.holds(low, c) == op.holds(high, c) {
            return op.holds(low, c);
        }
        if c < low || c > high {
            return op == Op::Ne;
        }
        op.holds(r.number(&Field::OutputChars), c)
    })
}

/// One closure for each operator, so that none is chosen at run time.
fn compare(op: Op, c: f64, get: impl Fn(&Reading<'_>) -> f64 + Send + Sync + 'static) -> Pred {
    match op {
        Op::Lt => Box::new(move |r| get(r) < c),
        Op::Le => Box::new(move |r| get(r) <= c),
        Op::Gt => Box::new(move |r| get(r) > c),
        Op::Ge => Box::new(move |r| get(r) >= c),
        Op::Eq | Op::Ne => Box::new(move |r| op.holds(get(r), c)),
    }
}

fn text(field: Field, test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Pred {
    match field {
        Field::Domain => Box::new(move |r| r.decision.is_some_and(|d| test(&d.domain))),
        Field::Action => Box::new(move |r| r.decision.is_some_and(|d| test(&d.action))),
        field => Box::new(move |r| r.text(&field).is_some_and(&test)),
    }
}

impl std::fmt::Debug for super::Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Compiled").field(&self.ir).finish()
    }
}
