//! Cuts each field into the finitely many cells its rules can tell apart: below, at, between and
//! above the thresholds, each named text, any other, and absent. What holds of one value of a cell
//! holds of all of them, so that proofs and explanations need look at each cell only once.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::lang::fields::{Field, Presence, Type};
use super::lang::ir::{Atom, Test};
use super::lang::reading::Val;
use super::lang::resolve::Resolved;
use super::lang::words;
use super::nouns::Impact;

/// More patterns (`startsWith` and the like) on one field are not taken apart.
const MAX_PATTERNS: usize = 10;

/// One cell of one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    /// One value of it.
    pub(super) value: Val<'static>,
    pub(super) extent: Extent,
}

/// Which values a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Extent {
    /// This one.
    Point,
    /// Every number strictly between; `None`: as far as the field goes.
    Between(Option<f64>, Option<f64>),
    /// Every text that no rule names, with these patterns and no others.
    Other { patterns: Vec<String> },
}

impl Cell {
    fn point(value: Val<'static>) -> Self {
        Self { value, extent: Extent::Point }
    }

    /// The cell as a condition on `path`.
    pub(super) fn said(&self, path: &str) -> String {
        match &self.extent {
            Extent::Point => match &self.value {
                Val::Absent => format!("{path} absent"),
                Val::Present => format!("{path} present"),
                Val::Tags(tags) if tags.is_empty() => format!("no such tag in {path}"),
                Val::Tags(tags) => format!("{} in {path}", words::quoted(tags.concat().as_str())),
                value => format!("{path} = {}", words::value(value)),
            },
            Extent::Between(None, None) => format!("any {path}"),
            Extent::Between(None, Some(high)) => format!("{path} < {high}"),
            Extent::Between(Some(low), None) => format!("{path} > {low}"),
            Extent::Between(Some(low), Some(high)) => format!("{low} < {path} < {high}"),
            Extent::Other { patterns } if patterns.is_empty() => {
                format!("{path} = anything no rule names")
            }
            Extent::Other { patterns } => format!("{path} that {}", patterns.join(" and ")),
        }
    }
}

/// The cells of the field that `atoms` read; all of them must read the same one (or, for the
/// impact, its level). `None`: too many patterns.
pub(super) fn cells(field: &Resolved, atoms: &[&Atom], impact: Impact) -> Option<Vec<Cell>> {
    let mut out = match field.kind {
        Type::Number => numbers(field, &cuts(atoms, impact)),
        Type::Text => texts(field, atoms)?,
        Type::Flag if field.field == Field::SchemaValid => vec![Cell::point(Val::Flag(true))],
        Type::Flag => vec![Cell::point(Val::Flag(false)), Cell::point(Val::Flag(true))],
        Type::Tags => {
            let tag = atoms.iter().find_map(|a| match &a.test {
                Test::Tagged(_, c) => Some(c.value.clone()),
                _ => None,
            });
            vec![
                Cell::point(Val::Tags(Cow::Owned(Vec::new()))),
                Cell::point(Val::Tags(Cow::Owned(tag.into_iter().collect()))),
            ]
        }
        Type::Group => vec![Cell::point(Val::Present)],
    };
    if field.presence != Presence::Always {
        out.push(Cell::point(Val::Absent));
    }
    Some(out)
}

/// Every constant the number is compared with, in order.
fn cuts(atoms: &[&Atom], impact: Impact) -> Vec<f64> {
    let mut out = Vec::new();
    for atom in atoms {
        match &atom.test {
            Test::Number(_, c) => out.push(c.value),
            Test::NumberIn(_, c) => out.extend(&c.value),
            _ if atom.field.field == Field::ImpactLevel => out.extend([impact.medium, impact.high]),
            _ => {}
        }
    }
    out.sort_by(f64::total_cmp);
    // -0 and 0 compare equal, and so are one threshold.
    out.dedup_by(|a, b| a == b);
    out
}

fn numbers(field: &Resolved, cuts: &[f64]) -> Vec<Cell> {
    let (low, high) = field.range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    let inside: Vec<f64> = cuts.iter().copied().filter(|c| (low..=high).contains(c)).collect();
    let mut out = Vec::new();
    let mut from: Option<f64> = None;
    for to in inside.iter().copied().map(Some).chain([None]) {
        if let Some(value) = between(from, to, (low, high), field.whole) {
            out.push(Cell { value: Val::Number(value), extent: Extent::Between(from, to) });
        }
        if let Some(point) = to
            && !(field.whole && point.fract() != 0.0)
        {
            out.push(Cell::point(Val::Number(point)));
        }
        from = to;
    }
    out
}

/// A number strictly between two cuts and within the range, if there is one.
fn between(
    from: Option<f64>,
    to: Option<f64>,
    (low, high): (f64, f64),
    whole: bool,
) -> Option<f64> {
    // The ends of the range belong to it, the cuts do not belong to what is between them.
    let fits = |v: f64| {
        from.is_none_or(|f| v > f)
            && to.is_none_or(|t| v < t)
            && (low..=high).contains(&v)
            && !(whole && v.fract() != 0.0)
    };
    let candidates = match (from, to) {
        (None, None) => [low, high, 0.0],
        (None, Some(t)) => [low, t - 1.0, (t - 1.0).ceil()],
        (Some(f), None) => [high, f + 1.0, (f + 1.0).floor()],
        (Some(f), Some(t)) => [f / 2.0 + t / 2.0, (f + 1.0).floor(), (t - 1.0).ceil()],
    };
    candidates.into_iter().find(|v| v.is_finite() && fits(*v))
}

/// A pattern a text can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern<'a> {
    Starts(&'a str),
    Ends(&'a str),
    Contains(&'a str),
}

impl Pattern<'_> {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Starts(p) => text.starts_with(p),
            Self::Ends(p) => text.ends_with(p),
            Self::Contains(p) => text.contains(p),
        }
    }

    fn said(self) -> String {
        match self {
            Self::Starts(p) => format!("starts with {}", words::quoted(p)),
            Self::Ends(p) => format!("ends with {}", words::quoted(p)),
            Self::Contains(p) => format!("contains {}", words::quoted(p)),
        }
    }
}

fn texts(field: &Resolved, atoms: &[&Atom]) -> Option<Vec<Cell>> {
    if let Some(values) = field.values {
        let point = |v: &&str| Cell::point(Val::Text(Cow::Owned((*v).to_owned())));
        return Some(values.iter().map(point).collect());
    }
    let mut named: BTreeSet<&str> = BTreeSet::new();
    let mut patterns: BTreeSet<Pattern<'_>> = BTreeSet::new();
    for atom in atoms {
        match &atom.test {
            Test::Equals(_, c) => drop(named.insert(c.value.as_str())),
            Test::TextIn(_, c) => named.extend(c.value.iter().map(String::as_str)),
            Test::Starts(_, c) => drop(patterns.insert(Pattern::Starts(&c.value))),
            Test::Ends(_, c) => drop(patterns.insert(Pattern::Ends(&c.value))),
            Test::Contains(_, c) => drop(patterns.insert(Pattern::Contains(&c.value))),
            _ => {}
        }
    }
    if patterns.len() > MAX_PATTERNS {
        return None;
    }
    let point = |v: &&str| Cell::point(Val::Text(Cow::Owned((*v).to_owned())));
    let mut out: Vec<Cell> = named.iter().map(point).collect();
    let patterns: Vec<Pattern<'_>> = patterns.into_iter().collect();
    let filler = filler(&named, &patterns);
    let mut seen = BTreeSet::new();
    for subset in 0..1u32 << patterns.len() {
        let wanted: Vec<Pattern<'_>> = patterns
            .iter()
            .enumerate()
            .filter(|(i, _)| subset >> i & 1 == 1)
            .map(|(_, p)| *p)
            .collect();
        let text = least(&wanted, filler);
        let fits: Vec<bool> = patterns.iter().map(|p| p.fits(&text)).collect();
        if wanted.iter().all(|p| p.fits(&text)) && seen.insert(fits) {
            let matched = patterns.iter().filter(|p| p.fits(&text)).map(|p| p.said()).collect();
            let value = Val::Text(Cow::Owned(text));
            out.push(Cell { value, extent: Extent::Other { patterns: matched } });
        }
    }
    Some(out)
}

/// A text that matches all of `wanted` where one exists, and beside them only what they imply:
/// its parts are kept apart by a character that stands in no pattern and no named text.
fn least(wanted: &[Pattern<'_>], filler: char) -> String {
    let mut start = "";
    let mut end = "";
    let mut middle = String::new();
    for p in wanted {
        match p {
            Pattern::Starts(p) if p.len() > start.len() => start = p,
            Pattern::Ends(p) if p.len() > end.len() => end = p,
            Pattern::Contains(p) => {
                middle.push(filler);
                middle.push_str(p);
            }
            _ => {}
        }
    }
    format!("{start}{middle}{filler}{end}")
}

/// A character that stands nowhere in the rules' texts.
fn filler(named: &BTreeSet<&str>, patterns: &[Pattern<'_>]) -> char {
    let stands = |c: char| {
        named.iter().any(|n| n.contains(c))
            || patterns.iter().any(|p| match p {
                Pattern::Starts(p) | Pattern::Ends(p) | Pattern::Contains(p) => p.contains(c),
            })
    };
    // A rule is at most 64 KiB long: it cannot use up all of these.
    ('\u{2026}'..='\u{10ffff}').find(|c| !stands(*c)).unwrap_or('\u{2026}')
}

/// What atoms read beside their own field, for cells that are set together.
pub(super) fn group(field: &Field) -> Option<Field> {
    match field {
        Field::Ensemble | Field::EnsembleSpread | Field::EnsembleAgreement => Some(Field::Ensemble),
        Field::Source | Field::SourceName | Field::SourceReliability => Some(Field::Source),
        _ => None,
    }
}
