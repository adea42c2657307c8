//! The rule language: a strict, total subset of CEL.
//!
//! text → [`lexer`] → [`parser`] → [`check`] (names, types, ranges, [`guard`]s) → [`typed`] tree →
//! [`ir`] of atoms → [`closure`]s for live routing; explanations and proofs read the same atoms.
//!
//! A rule that passes the checker cannot fail when it runs. Where CEL accepts what this language
//! refuses, refusal is the only difference, with two additions: `has()` takes a field of the top
//! level too (`has(scope)`), and whole and fractional numbers compare with each other.

pub(crate) mod ast;
pub(crate) mod check;
pub(crate) mod closure;
mod compare;
#[cfg(test)]
mod differential;
pub(crate) mod fields;
mod guard;
pub(crate) mod ir;
pub(crate) mod lexer;
pub(crate) mod parser;
pub(crate) mod reading;
pub(crate) mod resolve;
mod typed;
pub(crate) mod words;

use reading::Reading;

/// A rule, ready to be asked and to be explained.
pub(crate) struct Compiled {
    /// As it was written.
    pub(crate) text: String,
    pub(crate) ir: ir::Rule,
    pred: closure::Pred,
}

impl Compiled {
    pub(crate) fn new(text: String, ir: ir::Rule) -> Self {
        let pred = closure::compile(&ir);
        Self { text, ir, pred }
    }

    /// Does the rule hold? Allocates nothing.
    pub(crate) fn holds(&self, reading: &Reading<'_>) -> bool {
        (self.pred)(reading)
    }

    /// Why it holds, in one sentence; empty where it does not.
    pub(crate) fn reason(&self, reading: &Reading<'_>) -> String {
        match self.ir.because(reading) {
            Some(atoms) => words::sentence(&atoms, reading),
            None => String::new(),
        }
    }
}
