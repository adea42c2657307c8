//! Which field a path names, in rules of which scope; below `input` and `output`, by their types.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::diagnostics::nearest;
use super::fields::{CATALOGUE, Field, FieldInfo, Fixed, Presence, Scope, Type};

/// The types of `input.*` and `output.*`, by path.
pub(crate) type Typed = BTreeMap<String, Type>;

/// A resolved field with what the checker and the explanation need to know.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) field: Field,
    /// As rules spell it.
    pub(crate) path: Arc<str>,
    pub(crate) kind: Type,
    pub(crate) presence: Presence,
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) whole: bool,
    pub(crate) values: Option<&'static [&'static str]>,
}

impl Resolved {
    /// The path whose `has()` makes reading safe; `None` where none is needed.
    pub(crate) fn guard(&self) -> Option<&str> {
        match self.presence {
            Presence::Guarded(Some(path)) => Some(path),
            Presence::Guarded(None) => Some(&self.path),
            Presence::Always | Presence::Measured => None,
        }
    }
}

/// Why a name is not a field here.
pub(crate) enum Unknown {
    /// Nothing of that name, perhaps something near.
    Name(Option<String>),
    /// A field, but of other rules.
    Elsewhere,
    /// An untyped path below `input` or `output`.
    Untyped(Option<String>),
}

/// Find the field that `path` names in rules of `scope`.
pub(crate) fn resolve(path: &str, scope: Scope, typed: &Typed) -> Result<Resolved, Unknown> {
    let here = || CATALOGUE.iter().filter(|f| f.stands_in(scope));
    if let Some(info) = here().find(|f| f.path == path) {
        let field = match info.field {
            Fixed::One(make) => make(),
            Fixed::Family(make) => make(path.into()),
        };
        return Ok(resolved(info, field, path));
    }
    if let Some((head, name)) = path.split_once('.') {
        let family = |f: &&FieldInfo| f.path.strip_suffix(".*") == Some(head);
        if let Some(info) = here().find(family)
            && let Fixed::Family(make) = info.field
            && !name.contains('.')
        {
            return Ok(resolved(info, make(name.into()), path));
        }
        if matches!(head, "input" | "output") && Scope::Window != scope {
            return below(head, name, path, typed);
        }
    }
    if CATALOGUE.iter().any(|f| f.path == path) {
        return Err(Unknown::Elsewhere);
    }
    let near = nearest(path, here().map(|f| f.path).chain(typed.keys().map(String::as_str)));
    Err(Unknown::Name(near.map(str::to_owned)))
}

fn resolved(info: &FieldInfo, field: Field, path: &str) -> Resolved {
    Resolved {
        field,
        path: path.into(),
        kind: info.kind,
        presence: info.presence,
        range: info.range,
        whole: info.whole,
        values: info.values,
    }
}

/// A path below `input` or `output`.
fn below(head: &str, rest: &str, path: &str, typed: &Typed) -> Result<Resolved, Unknown> {
    let keys: Arc<[String]> = rest.split('.').map(str::to_owned).collect();
    let inside = format!("{path}.");
    let kind = match typed.get(path) {
        Some(kind) => *kind,
        // An object on the way to typed fields: only has() reads it.
        None if typed.keys().any(|k| k.starts_with(&inside)) => Type::Group,
        None => {
            let near = nearest(path, typed.keys().map(String::as_str));
            return Err(Unknown::Untyped(near.map(str::to_owned)));
        }
    };
    let field = if head == "input" { Field::Input(keys) } else { Field::Output(keys) };
    Ok(Resolved {
        field,
        path: path.into(),
        kind,
        presence: Presence::Guarded(None),
        range: None,
        whole: false,
        values: None,
    })
}
