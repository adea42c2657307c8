//! The typed tree between the checker and the IR: names resolved, negations still where they were
//! written, which is what the guard analysis needs.

use super::ir::{Atom, Rule};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Typed {
    And(Vec<Typed>),
    Or(Vec<Typed>),
    Not(Box<Typed>),
    Atom(Box<Atom>),
    Const(bool),
}

impl Typed {
    /// Push negations down into the atoms.
    pub(crate) fn lower(self) -> Rule {
        self.lowered(false)
    }

    fn lowered(self, negate: bool) -> Rule {
        match self {
            Self::Not(inner) => inner.lowered(!negate),
            Self::Atom(mut atom) => {
                if negate {
                    atom.test = atom.test.negated();
                }
                Rule::Atom(atom)
            }
            Self::Const(b) => Rule::Const(b != negate),
            Self::And(items) => Self::join(items, negate, !negate),
            Self::Or(items) => Self::join(items, negate, negate),
        }
    }

    fn join(items: Vec<Self>, negate: bool, all: bool) -> Rule {
        let mut out = Vec::with_capacity(items.len());
        for rule in items.into_iter().map(|i| i.lowered(negate)) {
            // `a && (b && c)` is one list: closures and explanations have one level less.
            match rule {
                Rule::All(inner) if all => out.extend(inner),
                Rule::Any(inner) if !all => out.extend(inner),
                rule => out.push(rule),
            }
        }
        if all { Rule::All(out) } else { Rule::Any(out) }
    }
}
