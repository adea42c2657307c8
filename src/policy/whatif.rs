//! What if one field had been different? Every cell of every field that the rules read is tried on
//! an otherwise unchanged decision.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::Policy;
use super::cells::{Cell, Extent, cells};
use super::lang::fields::{Field, Presence, Type};
use super::lang::ir::{Atom, Test};
use super::lang::reading::{Reading, Val};
use super::lang::resolve::Resolved;
use super::lang::words;
use super::nouns::Impact;
use crate::domain::{Facts, Outcome};

/// Most changes listed.
const MAX_CHANGES: usize = 12;

/// A change of one field that would have changed where the decision goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub field: String,
    /// The value at hand.
    pub from: String,
    /// The nearest value, or the edge beyond which it lies: `0.85`, `above 0.85`.
    pub to: String,
    /// Numbers: the difference, as a share of the field's range (of the larger value, where it
    /// has no range). Anything else: 1.
    pub distance: f64,
    /// What would have come out.
    pub outcome: Outcome,
    pub queue: Option<String>,
    pub rule: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { field, from, to, outcome, rule, .. } = self;
        let place = self.queue.as_ref().map_or_else(String::new, |q| format!(" in {q}"));
        write!(f, "{field} {from} → {to}: {}{place} (by {rule})", outcome.as_str())
    }
}

/// A decision with one field changed, and what changes with it.
struct Changed<'r, 'a> {
    reading: &'r Reading<'a>,
    set: Vec<(Field, Val<'static>)>,
    impact: Impact,
}

impl Changed<'_, '_> {
    fn set(&self, field: &Field) -> Option<&Val<'static>> {
        self.set.iter().find(|(f, _)| f == field).map(|(_, v)| v)
    }

    fn holds(&self, atom: &Atom) -> bool {
        if let Some(value) = self.set(&atom.field.field) {
            return atom.test.holds(value);
        }
        if atom.field.field == Field::ImpactLevel
            && let Some(Val::Number(n)) = self.set(&Field::BusinessImpact)
        {
            return atom.test.holds(&Val::Text(Cow::Borrowed(self.impact.level(*n))));
        }
        atom.holds(self.reading)
    }

    fn text(&self, field: &Field) -> Option<&str> {
        match self.set(field) {
            Some(Val::Text(t)) => Some(t),
            Some(_) => None,
            None => self.reading.text(field),
        }
    }
}

impl Policy {
    /// The changes of one field that would have changed outcome or queue; the nearest of each
    /// field, the smallest first.
    pub(super) fn changes(&self, reading: &Reading<'_>, facts: &Facts) -> Vec<Change> {
        let blocked = self.is_blocked(&|f| reading.text(f));
        let now = self.settle(facts, blocked, &mut |r| r.ir.holds(reading));
        let mut out: Vec<Change> = Vec::new();
        for (field, candidates) in self.candidates() {
            let mut best: Option<((f64, u8), Change)> = None;
            for cell in candidates {
                let Some(set) = settable(&field, &cell, reading) else { continue };
                let changed = Changed { reading, set, impact: self.impact };
                let blocked = self.is_blocked(&|f| changed.text(f));
                let then =
                    self.settle(facts, blocked, &mut |r| r.ir.holds_by(&mut |a| changed.holds(a)));
                if (then.outcome, then.queue()) == (now.outcome, now.queue()) {
                    continue;
                }
                let (distance, to) = step(&field, &cell, reading);
                // At the same distance the edge itself is nearer than what lies beyond it.
                let rank = (distance, u8::from(cell.extent != Extent::Point));
                if best.as_ref().is_none_or(|(r, _)| rank < *r) {
                    let change = Change {
                        field: field.path.to_string(),
                        from: words::shown(&field, reading),
                        to,
                        distance,
                        outcome: then.outcome,
                        queue: then.queue().map(str::to_owned),
                        rule: self.rule_name(then.winner).to_owned(),
                    };
                    best = Some((rank, change));
                }
            }
            out.extend(best.map(|(_, change)| change));
        }
        out.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        out.truncate(MAX_CHANGES);
        out
    }

    /// Each field that rules on decisions read, with its cells, in the order of the file.
    fn candidates(&self) -> Vec<(Resolved, Vec<Cell>)> {
        let rules = self.checks.iter().chain(&self.routes).map(|r| &r.when);
        let rules: Vec<_> = rules.chain(self.requires.iter().map(|r| &r.when)).collect();
        let atoms: Vec<&Atom> = rules.iter().flat_map(|r| r.ir.atoms()).collect();
        let mut order: Vec<Resolved> = Vec::new();
        let mut by_field: BTreeMap<Field, Vec<&Atom>> = BTreeMap::new();
        for atom in atoms {
            let field = match atom.field.field {
                Field::ImpactLevel => business_impact(),
                _ => atom.field.clone(),
            };
            if !order.iter().any(|f| f.field == field.field) {
                order.push(field.clone());
            }
            by_field.entry(field.field).or_default().push(atom);
        }
        for d in self.allows.iter().flat_map(|a| &a.dimensions) {
            if !order.iter().any(|f| f.field == d.field) {
                order.push(named(d.field.clone(), d.path));
            }
        }
        order
            .into_iter()
            .map(|field| {
                let atoms = by_field.get(&field.field).map_or(&[][..], Vec::as_slice);
                let mut list = if field.kind == Type::Tags {
                    Vec::new()
                } else {
                    cells(&field, atoms, self.impact).unwrap_or_default()
                };
                list.extend(self.allowed(&field.field));
                list.extend(tags(&field, atoms));
                (field, list)
            })
            .collect()
    }

    /// The values that scoped policies name for a field.
    fn allowed(&self, field: &Field) -> Vec<Cell> {
        let dimensions = self.allows.iter().flat_map(|a| &a.dimensions);
        let patterns = dimensions.filter(|d| d.field == *field).flat_map(|d| &d.patterns);
        let literals = patterns.filter_map(|p| p.literal());
        literals
            .map(|t| Cell { value: Val::Text(Cow::Owned(t.to_owned())), extent: Extent::Point })
            .collect()
    }
}

/// One cell for each tag that is looked for: to be added, or taken away.
fn tags(field: &Resolved, atoms: &[&Atom]) -> Vec<Cell> {
    if field.kind != Type::Tags {
        return Vec::new();
    }
    let named = atoms.iter().filter_map(|a| match &a.test {
        Test::Tagged(_, c) => Some(c.value.clone()),
        _ => None,
    });
    named
        .map(|tag| Cell { value: Val::Tags(Cow::Owned(vec![tag])), extent: Extent::Point })
        .collect()
}

/// What is set if the field takes a value of this cell; `None` where that would be more than one
/// field's change, or none.
fn settable(
    field: &Resolved,
    cell: &Cell,
    reading: &Reading<'_>,
) -> Option<Vec<(Field, Val<'static>)>> {
    let absent = cell.value == Val::Absent;
    let there = |f: &Field| reading.has(f, Type::Group);
    let own = (field.field.clone(), cell.value.clone());
    match &field.field {
        Field::SchemaValid => None,
        Field::Ensemble | Field::EnsembleSpread | Field::EnsembleAgreement => {
            let members = [Field::Ensemble, Field::EnsembleSpread, Field::EnsembleAgreement];
            match (there(&Field::Ensemble), absent, &field.field) {
                (true, true, Field::Ensemble) => {
                    Some(members.into_iter().map(|f| (f, Val::Absent)).collect())
                }
                (true, false, Field::EnsembleSpread | Field::EnsembleAgreement) => Some(vec![own]),
                _ => None,
            }
        }
        Field::Source | Field::SourceName | Field::SourceReliability => {
            let members = [Field::Source, Field::SourceName, Field::SourceReliability];
            match (there(&Field::Source), absent, &field.field) {
                (true, true, Field::Source) => {
                    Some(members.into_iter().map(|f| (f, Val::Absent)).collect())
                }
                (true, false, Field::SourceName) | (true, _, Field::SourceReliability) => {
                    Some(vec![own])
                }
                _ => None,
            }
        }
        Field::Tags => {
            let Val::Tags(tag) = &cell.value else { return None };
            let mut tags = reading.tags(&field.field).to_vec();
            if tags.iter().any(|t| tag.contains(t)) {
                tags.retain(|t| !tag.contains(t));
            } else {
                tags.extend(tag.iter().cloned());
            }
            Some(vec![(Field::Tags, Val::Tags(Cow::Owned(tags)))])
        }
        _ if field.kind == Type::Group => None,
        _ => Some(vec![own]),
    }
}

/// How far the cell is, and how to say where it is.
fn step(field: &Resolved, cell: &Cell, reading: &Reading<'_>) -> (f64, String) {
    let plain = || match (&cell.extent, &cell.value) {
        (Extent::Other { patterns }, _) if patterns.is_empty() => "anything else".to_owned(),
        (Extent::Other { patterns }, _) => format!("one that {}", patterns.join(" and ")),
        (_, Val::Tags(tag)) => {
            let tag = tag.concat();
            if reading.tags(&field.field).contains(&tag) {
                format!("without {}", words::quoted(&tag))
            } else {
                format!("with {}", words::quoted(&tag))
            }
        }
        (Extent::Between(None, None), _) => "any".to_owned(),
        (Extent::Between(None, Some(high)), _) => format!("below {high}"),
        (Extent::Between(Some(low), None), _) => format!("above {low}"),
        (Extent::Between(Some(low), Some(high)), _) => format!("between {low} and {high}"),
        (_, value) => words::value(value),
    };
    let x = reading.number(&field.field);
    // A distance to a known threshold would give a redacted number away.
    let hidden = reading.hidden.is_some_and(|r| r.touches(&field.path));
    if hidden || field.kind != Type::Number || x.is_nan() || cell.value == Val::Absent {
        return (1.0, plain());
    }
    let (edge, to) = match (&cell.extent, &cell.value) {
        (Extent::Between(Some(low), _), _) if *low >= x => {
            let next =
                if field.whole { (low + 1.0).floor().to_string() } else { format!("above {low}") };
            (*low, next)
        }
        (Extent::Between(_, Some(high)), _) if *high <= x => {
            let next =
                if field.whole { (high - 1.0).ceil().to_string() } else { format!("below {high}") };
            (*high, next)
        }
        (_, Val::Number(point)) => (*point, point.to_string()),
        _ => return (1.0, plain()),
    };
    let scale = match field.range {
        Some((low, high)) if (high - low).is_finite() => high - low,
        _ => x.abs().max(edge.abs()).max(1.0),
    };
    ((edge - x).abs() / scale, to)
}

fn named(field: Field, path: &str) -> Resolved {
    Resolved {
        field,
        path: path.into(),
        kind: Type::Text,
        presence: Presence::Always,
        range: None,
        whole: false,
        values: None,
    }
}

/// The number behind the impact level.
pub(super) fn business_impact() -> Resolved {
    Resolved {
        kind: Type::Number,
        range: Some((0.0, 10.0)),
        ..named(Field::BusinessImpact, "business_impact")
    }
}
