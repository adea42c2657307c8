//! Atoms in words, with the values that made them true or false: reasons and explanations.

use super::ir::{Atom, Const, Test};
use super::reading::{Reading, Val};
use super::resolve::Resolved;

/// Longest foreign value in a sentence, in characters.
const MAX_VALUE: usize = 80;

/// Values are foreign: at most [`MAX_VALUE`] characters of each are kept.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(text))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A value as a sentence shows it.
pub(crate) fn value(v: &Val<'_>) -> String {
    match v {
        Val::Absent => "absent".to_owned(),
        Val::Present => "present".to_owned(),
        Val::Number(n) => number(*n),
        Val::Text(t) => quoted(t),
        Val::Flag(b) => b.to_string(),
        Val::Tags(tags) => list(tags.iter().map(|t| quoted(t))),
    }
}

/// A number as a sentence shows it. What arithmetic leaves behind (0.34809999999999997) is noise
/// to readers: a number that needs more than 15 digits is shown with 12.
fn number(n: f64) -> String {
    let exact = n.to_string();
    let digits = exact.bytes().filter(u8::is_ascii_digit).count();
    if digits <= 15 || !n.is_finite() {
        return exact;
    }
    format!("{n:.11e}").parse::<f64>().map_or(exact, |short| short.to_string())
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", cut(&items.collect::<Vec<_>>().join(", ")))
}

/// The value of a field at hand as a sentence shows it, unless it must not be shown.
pub(crate) fn shown(field: &Resolved, reading: &Reading<'_>) -> String {
    if reading.hidden.is_some_and(|r| r.touches(&field.path)) {
        return "[redacted]".to_owned();
    }
    value(&reading.value(&field.field, field.kind))
}

/// `params.high 0.85`, or the literal alone.
fn constant<T>(c: &Const<T>, show: impl Fn(&T) -> String) -> String {
    match &c.param {
        Some(param) => format!("{param} {}", show(&c.value)),
        None => show(&c.value),
    }
}

/// The right-hand side: operator and constant.
fn test(atom: &Atom) -> String {
    let text = |c: &Const<String>| constant(c, |t| quoted(t));
    let call = |yes: &bool, name: &str, c: &Const<String>| {
        format!("{}{name} {}", if *yes { "" } else { "not " }, text(c))
    };
    match &atom.test {
        Test::Number(op, c) => format!("{} {}", op.sign(), constant(c, f64::to_string)),
        Test::NumberIn(yes, c) => {
            let sign = if *yes { "in" } else { "not in" };
            format!("{sign} {}", constant(c, |l| list(l.iter().map(f64::to_string))))
        }
        Test::Versus(op, other) => format!("{} {}", op.sign(), other.path),
        Test::Equals(yes, c) => format!("{} {}", if *yes { "==" } else { "!=" }, text(c)),
        Test::TextIn(yes, c) => {
            let sign = if *yes { "in" } else { "not in" };
            format!("{sign} {}", constant(c, |l| list(l.iter().map(|t| quoted(t)))))
        }
        Test::Starts(yes, c) => call(yes, "starts with", c),
        Test::Ends(yes, c) => call(yes, "ends with", c),
        Test::Contains(yes, c) => call(yes, "contains", c),
        Test::Flag(yes) => format!("is {yes}"),
        Test::Tagged(..) | Test::Has(_) => String::new(),
    }
}

/// The atom as a condition, without a value: `confidence <= params.high 0.85`.
pub(crate) fn condition(atom: &Atom) -> String {
    let path = &atom.field.path;
    match &atom.test {
        Test::Tagged(yes, c) => {
            let sign = if *yes { "in" } else { "not in" };
            format!("{} {sign} {path}", constant(c, |t| quoted(t)))
        }
        Test::Has(yes) => format!("{path} is {}", if *yes { "present" } else { "absent" }),
        _ => format!("{path} {}", test(atom)),
    }
}

/// The atom with the value at hand: `confidence 0.71 <= params.high 0.85`.
fn instance(atom: &Atom, reading: &Reading<'_>) -> String {
    let Atom { field, test: t, .. } = atom;
    match t {
        Test::Tagged(..) | Test::Has(_) => condition(atom),
        Test::Flag(_) => format!("{} is {}", field.path, shown(field, reading)),
        Test::Versus(op, other) => format!(
            "{} {} {} {} {}",
            field.path,
            shown(field, reading),
            op.sign(),
            other.path,
            shown(other, reading),
        ),
        _ => format!("{} {} {}", field.path, shown(field, reading), test(atom)),
    }
}

/// One sentence from the atoms that held. A `has()` that only guards another atom of it is left
/// out.
pub(crate) fn sentence(atoms: &[&Atom], reading: &Reading<'_>) -> String {
    let guarded: Vec<&str> = atoms
        .iter()
        .filter(|a| !matches!(a.test, Test::Has(_)))
        .flat_map(|a| [Some(a.field.path.as_ref()), a.field.guard()])
        .flatten()
        .collect();
    let told =
        |a: &&&Atom| !(a.test == Test::Has(true) && guarded.contains(&a.field.path.as_ref()));
    let parts: Vec<String> = atoms.iter().filter(told).map(|a| instance(a, reading)).collect();
    if parts.is_empty() { "it has no condition".to_owned() } else { parts.join(" and ") }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn sentences_show_numbers_without_the_noise_of_arithmetic() {
        for (n, shown) in [
            (0.82 - 0.4719, "0.3481"),
            (0.1 + 0.2, "0.3"),
            (0.85, "0.85"),
            (7.0, "7"),
            (123_456_789.123_456, "123456789.123456"),
            (1.0 / 3.0, "0.333333333333"),
        ] {
            assert_eq!(number(n), shown, "{n:?}");
        }
        assert_eq!((0.82_f64 - 0.4719).to_string(), "0.34809999999999997");
    }
}
