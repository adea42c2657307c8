//! The IR: atoms (a field against constants) under `&&` and `||`, with no negation left.
//!
//! `!` is pushed down into the atoms, and every atom is false when its field is absent or NaN. So
//! what cannot be read makes a rule false, whichever way it is negated, and nothing needs three
//! truth values. Where the checker demands a guard, that is exactly CEL's meaning.

use std::ops::Range;
use std::sync::Arc;

use super::ast::Op;
use super::reading::{Reading, Val};
use super::resolve::Resolved;

/// A checked rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Atom(Box<Atom>),
    Const(bool),
}

/// One field against constants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Atom {
    pub(crate) field: Resolved,
    pub(crate) test: Test,
    /// Bytes of the rule's text.
    pub(crate) span: Range<usize>,
}

/// A constant, with the parameter it was written as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Const<T> {
    pub(crate) value: T,
    pub(crate) param: Option<Arc<str>>,
}

/// What is asked of the field. The flag in some says which way round: `false` is the negation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Number(Op, Const<f64>),
    NumberIn(bool, Const<Vec<f64>>),
    /// Against another number (only between measured figures).
    Versus(Op, Resolved),
    Equals(bool, Const<String>),
    TextIn(bool, Const<Vec<String>>),
    Starts(bool, Const<String>),
    Ends(bool, Const<String>),
    Contains(bool, Const<String>),
    Flag(bool),
    Tagged(bool, Const<String>),
    Has(bool),
}

impl Test {
    /// The test that holds of a value that is there exactly where this one does not.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Number(op, c) => Self::Number(op.negated(), c),
            Self::NumberIn(yes, c) => Self::NumberIn(!yes, c),
            Self::Versus(op, f) => Self::Versus(op.negated(), f),
            Self::Equals(yes, c) => Self::Equals(!yes, c),
            Self::TextIn(yes, c) => Self::TextIn(!yes, c),
            Self::Starts(yes, c) => Self::Starts(!yes, c),
            Self::Ends(yes, c) => Self::Ends(!yes, c),
            Self::Contains(yes, c) => Self::Contains(!yes, c),
            Self::Flag(yes) => Self::Flag(!yes),
            Self::Tagged(yes, c) => Self::Tagged(!yes, c),
            Self::Has(yes) => Self::Has(!yes),
        }
    }

    /// Does it hold of `value`? (`Versus` needs two values and never holds of one.)
    pub(crate) fn holds(&self, value: &Val<'_>) -> bool {
        match (self, value) {
            (Self::Has(yes), v) => *yes == (*v != Val::Absent),
            (Self::Number(op, c), Val::Number(n)) => op.holds(*n, c.value),
            (Self::NumberIn(yes, c), Val::Number(n)) => *yes == c.value.contains(n),
            (Self::Equals(yes, c), Val::Text(t)) => *yes == (*t == c.value),
            (Self::TextIn(yes, c), Val::Text(t)) => *yes == c.value.iter().any(|v| v == t),
            (Self::Starts(yes, c), Val::Text(t)) => *yes == t.starts_with(c.value.as_str()),
            (Self::Ends(yes, c), Val::Text(t)) => *yes == t.ends_with(c.value.as_str()),
            (Self::Contains(yes, c), Val::Text(t)) => *yes == t.contains(c.value.as_str()),
            (Self::Flag(yes), Val::Flag(b)) => yes == b,
            (Self::Tagged(yes, c), Val::Tags(tags)) => *yes == tags.contains(&c.value),
            _ => false,
        }
    }
}

impl Atom {
    /// Does it hold of what is at hand?
    pub(crate) fn holds(&self, reading: &Reading<'_>) -> bool {
        match &self.test {
            Test::Versus(op, other) => {
                op.holds(reading.number(&self.field.field), reading.number(&other.field))
            }
            Test::Has(yes) => *yes == reading.has(&self.field.field, self.field.kind),
            test => test.holds(&reading.value(&self.field.field, self.field.kind)),
        }
    }
}

impl Rule {
    /// Does the rule hold if `atom` says which atoms do?
    pub(crate) fn holds_by(&self, atom: &mut impl FnMut(&Atom) -> bool) -> bool {
        match self {
            Self::All(rules) => rules.iter().all(|r| r.holds_by(atom)),
            Self::Any(rules) => rules.iter().any(|r| r.holds_by(atom)),
            Self::Atom(a) => atom(a),
            Self::Const(b) => *b,
        }
    }

    /// Does the rule hold of what is at hand?
    pub(crate) fn holds(&self, reading: &Reading<'_>) -> bool {
        self.holds_by(&mut |a| a.holds(reading))
    }

    /// Every atom, in the order of the text.
    pub(crate) fn atoms(&self) -> Vec<&Atom> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out
    }

    fn collect<'r>(&'r self, out: &mut Vec<&'r Atom>) {
        match self {
            Self::All(rules) | Self::Any(rules) => rules.iter().for_each(|r| r.collect(out)),
            Self::Atom(a) => out.push(a),
            Self::Const(_) => {}
        }
    }

    /// The atoms that made the rule hold: all of an `&&`, the first that holds of an `||`.
    /// `None` where it does not hold.
    pub(crate) fn because<'r>(&'r self, reading: &Reading<'_>) -> Option<Vec<&'r Atom>> {
        match self {
            Self::All(rules) => {
                let mut out = Vec::new();
                for r in rules {
                    out.append(&mut r.because(reading)?);
                }
                Some(out)
            }
            Self::Any(rules) => rules.iter().find_map(|r| r.because(reading)),
            Self::Atom(a) => a.holds(reading).then(|| vec![a.as_ref()]),
            Self::Const(b) => b.then(Vec::new),
        }
    }
}
