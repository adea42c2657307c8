//! Proves what `[default]` promises: wherever no rule matches, `expect` holds.
//!
//! Every field the rules read is cut into cells ([`super::cells`]), and every combination of cells
//! is looked at: in depth, giving up a branch as soon as a rule matches for certain or the promise
//! holds for certain. Scoped policies are left aside: they only block more.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::cells::{Cell, cells, group};
use super::diagnostics::Sink;
use super::lang::fields::{Field, Type};
use super::lang::ir::{Atom, Rule, Test};
use super::lang::reading::Val;
use super::lang::resolve::Resolved;
use super::nouns::Impact;
use super::rules::RouteRule;
use super::whatif::business_impact;

/// Beyond this many combinations the promise is reported as unproved.
const MAX_CELLS: u64 = 1_000_000;

/// One or more fields that vary together, and the combinations they can take.
struct Axis {
    /// Which atoms read it.
    keys: Vec<Key>,
    /// Each choice: the fields with their cells.
    choices: Vec<Vec<(Resolved, Cell)>>,
}

/// What an atom reads: a field, and for lists the one text it looks for.
type Key = (Field, String);

/// An atom as the search sees it: which axis it reads, and of which choices it holds.
struct Leaf {
    axis: usize,
    holds: Vec<bool>,
}

/// Check the promise, and say what breaks it.
pub(super) fn prove(
    expect: &Rule,
    span: &Range<usize>,
    checks: &[RouteRule],
    routes: &[RouteRule],
    impact: Impact,
    sink: &mut Sink,
) {
    let rules: Vec<&Rule> = checks.iter().chain(routes).map(|r| &r.when.ir).collect();
    let atoms: Vec<&Atom> =
        [expect].into_iter().chain(rules.iter().copied()).flat_map(Rule::atoms).collect();
    let size =
        |axes: &Vec<Axis>| axes.iter().fold(1u64, |n, a| n.saturating_mul(a.choices.len() as u64));
    let space = axes(&atoms, impact).filter(|axes| size(axes) <= MAX_CELLS).and_then(|axes| {
        let leaves: Option<Vec<Leaf>> = atoms.iter().map(|a| leaf(a, &axes, impact)).collect();
        Some((axes, leaves?))
    });
    let Some((axes, leaves)) = space else {
        sink.warn(
            span,
            "`expect` is unproved: the rules cut the fields into more than a million cells",
        )
        .help("fewer thresholds or patterns make it provable; records are routed as usual");
        return;
    };
    let mut search = Search { expect, rules: &rules, leaves, chosen: vec![None; axes.len()] };
    if search.broken(0) {
        let witness = search.witness(&axes);
        sink.error(span, format!("`expect` does not hold: with {witness} no rule matches"))
            .help("add a route that catches it, or promise less");
    }
}

struct Search<'r> {
    expect: &'r Rule,
    rules: &'r [&'r Rule],
    /// Of the atoms of `expect`, then of each rule, in order.
    leaves: Vec<Leaf>,
    chosen: Vec<Option<usize>>,
}

impl Search<'_> {
    /// Is there a combination, from the axis at `depth` on, where no rule matches and the promise
    /// does not hold? It stays in `chosen`.
    fn broken(&mut self, depth: usize) -> bool {
        if let Some(verdict) = self.verdict() {
            return verdict;
        }
        let choices = self.leaves.iter().find(|l| l.axis == depth).map_or(0, |l| l.holds.len());
        for choice in 0..choices {
            if let Some(slot) = self.chosen.get_mut(depth) {
                *slot = Some(choice);
            }
            if self.broken(depth + 1) {
                return true;
            }
        }
        if let Some(slot) = self.chosen.get_mut(depth) {
            *slot = None;
        }
        false
    }

    /// `Some(false)`: a rule matches, or the promise holds; `Some(true)`: neither, for certain;
    /// `None`: it depends on what is not chosen yet.
    fn verdict(&self) -> Option<bool> {
        let mut at = 0;
        let promise = self.truth(self.expect, &mut at);
        let mut sure = promise == Some(false);
        let mut safe = promise == Some(true);
        for rule in self.rules {
            match self.truth(rule, &mut at) {
                Some(true) => safe = true,
                Some(false) => {}
                None => sure = false,
            }
        }
        if safe { Some(false) } else { sure.then_some(true) }
    }

    /// Three-valued: `None` depends on what is not chosen. `at` counts atoms, in the same order as
    /// [`Rule::atoms`].
    fn truth(&self, rule: &Rule, at: &mut usize) -> Option<bool> {
        let join = |rules: &[Rule], at: &mut usize, ends: bool| {
            let mut all = true;
            let mut end = false;
            for r in rules {
                match self.truth(r, at) {
                    Some(v) if v == ends => end = true,
                    Some(_) => {}
                    None => all = false,
                }
            }
            if end { Some(ends) } else { all.then_some(!ends) }
        };
        match rule {
            Rule::Const(b) => Some(*b),
            Rule::All(rules) => join(rules, at, false),
            Rule::Any(rules) => join(rules, at, true),
            Rule::Atom(_) => {
                let leaf = self.leaves.get(*at);
                *at += 1;
                let leaf = leaf?;
                let choice = (*self.chosen.get(leaf.axis)?)?;
                leaf.holds.get(choice).copied()
            }
        }
    }

    /// The combination in words, without the axes that do not matter.
    fn witness(&mut self, axes: &[Axis]) -> String {
        for i in 0..self.chosen.len() {
            let Some(slot) = self.chosen.get_mut(i) else { continue };
            let kept = slot.take();
            if self.verdict() != Some(true)
                && let Some(slot) = self.chosen.get_mut(i)
            {
                *slot = kept;
            }
        }
        let mut parts = Vec::new();
        for (axis, choice) in axes.iter().zip(&self.chosen) {
            let Some(fields) = choice.and_then(|c| axis.choices.get(c)) else { continue };
            // Of fields that are absent together, the group's absence says it all.
            let absent = fields.iter().find(|(_, c)| c.value == Val::Absent);
            match absent.filter(|(f, _)| fields.len() > 1 && f.kind == Type::Group) {
                Some((f, c)) => parts.push(c.said(&f.path)),
                None => parts.extend(
                    fields
                        .iter()
                        .filter(|(f, _)| f.kind != Type::Group || fields.len() == 1)
                        .map(|(f, c)| c.said(&f.path)),
                ),
            }
        }
        if parts.is_empty() { "any record".to_owned() } else { parts.join(", ") }
    }
}

/// Fields that read the same quantity share a key: an impact and its level; a tag each.
fn key(atom: &Atom) -> Key {
    let field = match &atom.field.field {
        Field::ImpactLevel => Field::BusinessImpact,
        field => field.clone(),
    };
    let tag = match &atom.test {
        Test::Tagged(_, c) => c.value.clone(),
        _ => String::new(),
    };
    (field, tag)
}

/// The axes along which the atoms vary, in the order they are first read. `None`: too fine.
fn axes(atoms: &[&Atom], impact: Impact) -> Option<Vec<Axis>> {
    let mut order: Vec<Key> = Vec::new();
    let mut by_key: BTreeMap<Key, Vec<&Atom>> = BTreeMap::new();
    for atom in atoms {
        let key = key(atom);
        if !order.contains(&key) {
            order.push(key.clone());
        }
        by_key.entry(key).or_default().push(atom);
    }
    let mut out: Vec<Axis> = Vec::new();
    let mut groups: Vec<(Field, usize)> = Vec::new();
    for key in order {
        let read = by_key.get(&key)?;
        let field = representative(&key.0, read);
        let mut of_field = cells(&field, read, impact)?;
        let Some(group) = group(&key.0) else {
            let choices = of_field.into_iter().map(|c| vec![(field.clone(), c)]).collect();
            out.push(Axis { keys: vec![key], choices });
            continue;
        };
        // The members of a group are absent together; where the group is there, only a source's
        // reliability may be absent.
        let own_absence = field.field == Field::SourceReliability;
        let absent = of_field.iter().position(|c| c.value == Val::Absent);
        let absent = absent.map(|i| of_field.remove(i));
        if let (true, Some(absent)) = (own_absence, &absent) {
            of_field.push(absent.clone());
        }
        let there: Vec<Vec<(Resolved, Cell)>> =
            of_field.into_iter().map(|c| vec![(field.clone(), c)]).collect();
        let gone: Vec<(Resolved, Cell)> = absent.into_iter().map(|c| (field.clone(), c)).collect();
        match groups.iter().find(|(g, _)| *g == group) {
            None => {
                groups.push((group, out.len()));
                let mut choices = there;
                choices.push(gone);
                out.push(Axis { keys: vec![key], choices });
            }
            Some((_, i)) => {
                let axis = out.get_mut(*i)?;
                let mut gone_before = axis.choices.pop()?;
                gone_before.extend(gone);
                let product = |a: &Vec<(Resolved, Cell)>| {
                    let a = a.clone();
                    there
                        .iter()
                        .map(move |b| a.iter().chain(b).cloned().collect())
                        .collect::<Vec<_>>()
                };
                axis.choices = axis.choices.iter().flat_map(product).collect();
                axis.choices.push(gone_before);
                axis.keys.push(key);
            }
        }
    }
    Some(out)
}

/// The field whose cells an axis has; for the impact it is the number, whoever reads it.
fn representative(field: &Field, read: &[&Atom]) -> Resolved {
    let found = read.iter().find(|a| a.field.field == *field).map(|a| a.field.clone());
    found.unwrap_or_else(business_impact)
}

/// Of which choices of its axis the atom holds.
fn leaf(atom: &Atom, axes: &[Axis], impact: Impact) -> Option<Leaf> {
    let key = key(atom);
    let axis = axes.iter().position(|a| a.keys.contains(&key))?;
    let holds = axes.get(axis)?.choices.iter().map(|choice| {
        let (_, cell) = choice.iter().find(|(f, _)| f.field == key.0)?;
        Some(match (&atom.field.field, &cell.value) {
            (Field::ImpactLevel, Val::Number(n)) => {
                atom.test.holds(&Val::Text(Cow::Borrowed(impact.level(*n))))
            }
            (_, value) => atom.test.holds(value),
        })
    });
    Some(Leaf { axis, holds: holds.collect::<Option<_>>()? })
}
