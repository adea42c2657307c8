//! Flow-sensitive guards: an optional field is read only where `has()` of it is known to hold.

use std::collections::BTreeSet;

use super::fields::Field;
use super::ir::{Atom, Test};
use super::lexer::Slip;
use super::typed::Typed;

/// Paths known to be there.
type Known = BTreeSet<String>;

/// Every atom that may read an absent field.
pub(crate) fn unguarded(tree: &Typed) -> Vec<Slip> {
    let mut slips = Vec::new();
    walk(tree, &Known::new(), &mut slips);
    slips
}

/// What is known after `tree` was true, and after it was false, given what was known before.
fn walk(tree: &Typed, known: &Known, slips: &mut Vec<Slip>) -> (Known, Known) {
    match tree {
        Typed::Const(_) => (Known::new(), Known::new()),
        Typed::Not(inner) => {
            let (yes, no) = walk(inner, known, slips);
            (no, yes)
        }
        Typed::And(items) => chain(items, known, slips, false),
        Typed::Or(items) => {
            let (no, yes) = chain(items, known, slips, true);
            (yes, no)
        }
        Typed::Atom(atom) => leaf(atom, known, slips),
    }
}

/// `&&`: each item is read after all before it were true; so all of their knowledge adds up. For
/// `||` (`negate`) the same with true and false exchanged. Returns what is known when all were
/// passed, and what is known when one ended it.
fn chain(items: &[Typed], known: &Known, slips: &mut Vec<Slip>, negate: bool) -> (Known, Known) {
    let mut passed = Known::new();
    let mut ended: Option<Known> = None;
    let mut before = known.clone();
    for item in items {
        let (yes, no) = walk(item, &before, slips);
        let (pass, end) = if negate { (no, yes) } else { (yes, no) };
        let end: Known = end.union(&passed).cloned().collect();
        ended = Some(match ended {
            None => end,
            Some(sofar) => sofar.intersection(&end).cloned().collect(),
        });
        before.extend(pass.iter().cloned());
        passed.extend(pass);
    }
    (passed, ended.unwrap_or_default())
}

fn leaf(atom: &Atom, known: &Known, slips: &mut Vec<Slip>) -> (Known, Known) {
    let path = &atom.field.path;
    if let Test::Has(yes) = atom.test {
        let there = implied(atom);
        return if yes { (there, Known::new()) } else { (Known::new(), there) };
    }
    if let Some(guard) = atom.field.guard()
        && !known.contains(guard)
    {
        slips.push(
            Slip::new(atom.span.clone(), format!("{path} may be absent and is read unguarded"))
                .help(format!("write `has({guard}) && …` (or `!has({guard}) || …`) before it")),
        );
    }
    (Known::new(), Known::new())
}

/// What `has()` of this field says: the field is there, and so is the group it belongs to.
fn implied(atom: &Atom) -> Known {
    let mut known = Known::from([atom.field.path.to_string()]);
    known.extend(atom.field.guard().map(str::to_owned));
    if atom.field.field == Field::SourceReliability {
        known.insert("source".to_owned());
    }
    known
}
