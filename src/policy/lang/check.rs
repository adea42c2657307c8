//! Gives names and types their meaning: from the written rule to the typed tree, with every fault.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::super::diagnostics::nearest;
use super::ast::{Expr, Kind};
use super::fields::{Presence, Scope, Type};
use super::guard;
use super::ir::{Atom, Const, Rule, Test};
use super::lexer::Slip;
use super::parser::parse;
use super::resolve::{Resolved, Typed as Types, Unknown, resolve};
use super::typed::Typed;

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ParamValue {
    Number(f64),
    Text(String),
    Flag(bool),
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

impl ParamValue {
    pub(super) fn said(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Flag(_) => "true or false",
            Self::Numbers(_) => "a list of numbers",
            Self::Texts(_) => "a list of texts",
        }
    }
}

/// `[params]`, with a note of which were used.
#[derive(Debug, Default)]
pub(crate) struct Params(pub(crate) BTreeMap<String, Param>);

#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) value: ParamValue,
    pub(crate) span: Range<usize>,
    pub(crate) used: Cell<bool>,
}

/// Where a rule stands, and what its names may mean.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) scope: Scope,
    pub(crate) params: &'a Params,
    pub(crate) types: &'a Types,
    /// Paths that the schemas type differently.
    pub(crate) conflicts: &'a BTreeSet<String>,
    /// The policy's tags: all that a reviewer can give.
    pub(crate) tags: &'a [String],
}

/// A rule, or what is wrong with it; warnings come with either.
pub(crate) struct Checked {
    pub(crate) rule: Option<Rule>,
    pub(crate) errors: Vec<Slip>,
    pub(crate) warnings: Vec<Slip>,
}

/// Parse and check one rule.
pub(crate) fn check(text: &str, context: Context<'_>) -> Checked {
    let mut checker = Checker { context, errors: Vec::new(), warnings: Vec::new() };
    let tree = match parse(text) {
        Ok(expr) => checker.rule(&expr),
        Err(slip) => {
            checker.errors.push(slip);
            None
        }
    };
    if let Some(tree) = &tree {
        checker.errors.append(&mut guard::unguarded(tree));
    }
    let Checker { errors, warnings, .. } = checker;
    let rule = tree.filter(|_| errors.is_empty()).map(Typed::lower);
    Checked { rule, errors, warnings }
}

pub(super) struct Checker<'a> {
    pub(super) context: Context<'a>,
    pub(super) errors: Vec<Slip>,
    pub(super) warnings: Vec<Slip>,
}

/// A side of a comparison, once its name has a meaning.
pub(super) enum Side {
    Field(Resolved),
    Value(ParamValue, Option<Arc<str>>),
}

impl Checker<'_> {
    pub(super) fn fail<T>(&mut self, slip: Slip) -> Option<T> {
        self.errors.push(slip);
        None
    }

    /// Something that is true or false.
    pub(super) fn rule(&mut self, expr: &Expr) -> Option<Typed> {
        match &expr.kind {
            Kind::And(items) => self.all(items).map(Typed::And),
            Kind::Or(items) => self.all(items).map(Typed::Or),
            Kind::Not(inner) => self.rule(inner).map(|t| Typed::Not(Box::new(t))),
            Kind::Flag(b) => Some(Typed::Const(*b)),
            Kind::Compare(op, left, right) => self.compare(*op, left, right, expr),
            Kind::In(item, list) => self.contained(item, list, expr),
            Kind::Has(inner) => self.has(inner, expr),
            Kind::Call { receiver, name, name_span, argument } => {
                self.call(receiver, name, name_span, argument, expr)
            }
            Kind::Path(_) => match self.side(expr)? {
                Side::Field(f) if f.kind == Type::Flag => Some(atom(f, Test::Flag(true), expr)),
                Side::Value(ParamValue::Flag(b), _) => Some(Typed::Const(b)),
                Side::Field(f) => {
                    let help = match f.kind {
                        Type::Tags => format!("write \"…\" in {}", f.path),
                        Type::Group => format!("write has({})", f.path),
                        _ => format!("compare it, e.g. {} == …", f.path),
                    };
                    let message = format!("{} is {}, not a condition", f.path, f.kind.said());
                    self.fail(Slip::new(expr.span.clone(), message).help(help))
                }
                Side::Value(v, _) => {
                    let message = format!("this is {}, not a condition", v.said());
                    self.fail(Slip::new(expr.span.clone(), message))
                }
            },
            Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                self.fail(Slip::new(expr.span.clone(), "a value alone is not a condition"))
            }
        }
    }

    /// All of them, or none; every one is checked.
    fn all(&mut self, items: &[Expr]) -> Option<Vec<Typed>> {
        let checked: Vec<Option<Typed>> = items.iter().map(|i| self.rule(i)).collect();
        checked.into_iter().collect()
    }

    /// A field or a constant.
    pub(super) fn side(&mut self, expr: &Expr) -> Option<Side> {
        let value = match &expr.kind {
            Kind::Number(n) => ParamValue::Number(*n),
            Kind::Text(t) => ParamValue::Text(t.clone()),
            Kind::Flag(b) => ParamValue::Flag(*b),
            Kind::Path(path) => match path.strip_prefix("params.") {
                Some(name) => return self.param(name, expr),
                None => return self.field(path, expr).map(Side::Field),
            },
            Kind::List(items) => self.list(items)?,
            _ => {
                let message = "a field or a value should be here, not a condition";
                return self.fail(
                    Slip::new(expr.span.clone(), message).help("combine conditions with && and ||"),
                );
            }
        };
        Some(Side::Value(value, None))
    }

    fn param(&mut self, name: &str, expr: &Expr) -> Option<Side> {
        let params = self.context.params;
        if let Some(param) = params.0.get(name) {
            param.used.set(true);
            return Some(Side::Value(param.value.clone(), Some(format!("params.{name}").into())));
        }
        let slip = Slip::new(expr.span.clone(), format!("[params] has no `{name}`"));
        let known = params.0.keys().map(String::as_str);
        self.fail(match nearest(name, known) {
            Some(near) => slip.help(format!("did you mean `params.{near}`?")),
            None => slip.help(format!("add `{name} = …` to [params]")),
        })
    }

    fn field(&mut self, path: &str, expr: &Expr) -> Option<Resolved> {
        let Context { scope, params, types, .. } = self.context;
        let unknown = match resolve(path, scope, types) {
            Ok(field) => return Some(field),
            Err(unknown) => unknown,
        };
        let span = expr.span.clone();
        let (slip, near) = match unknown {
            Unknown::Elsewhere => {
                let message = format!("{path} cannot be read in {}", scope.said());
                (Slip::new(span, message), None)
            }
            Unknown::Untyped(_) if self.context.conflicts.contains(path) => {
                let message = format!("the domains' schemas give {path} different types");
                let help = format!("settle it in [fields], or rename one: \"{path}\" = …");
                (Slip::new(span, message).help(help), None)
            }
            Unknown::Untyped(near) => {
                let message = format!("nothing says what type {path} has");
                let help =
                    format!("add \"{path}\" = \"number\" (or \"string\", \"bool\") to [fields]");
                (Slip::new(span, message).help(help), near)
            }
            Unknown::Name(near) => {
                let slip = Slip::new(span, format!("unknown field `{path}`"));
                if near.is_none() && params.0.contains_key(path) {
                    (slip.help(format!("did you mean `params.{path}`?")), None)
                } else {
                    (slip, near)
                }
            }
        };
        self.fail(match near {
            Some(near) => slip.help(format!("did you mean `{near}`?")),
            None => slip,
        })
    }

    fn has(&mut self, inner: &Expr, expr: &Expr) -> Option<Typed> {
        let Kind::Path(path) = &inner.kind else {
            let message = "has() takes the name of a field";
            return self.fail(Slip::new(inner.span.clone(), message));
        };
        if path.starts_with("params.") || path == "params" {
            let message = "parameters are always there";
            return self.fail(Slip::new(inner.span.clone(), message));
        }
        let field = self.field(path, inner)?;
        if field.presence == Presence::Always {
            let message = format!("{path} is always there: has({path}) is always true");
            return self.fail(Slip::new(expr.span.clone(), message).help("leave has() out"));
        }
        Some(atom(field, Test::Has(true), expr))
    }

    fn call(
        &mut self,
        receiver: &Expr,
        name: &str,
        name_span: &Range<usize>,
        argument: &Expr,
        expr: &Expr,
    ) -> Option<Typed> {
        const CALLS: [&str; 3] = ["startsWith", "endsWith", "contains"];
        if !CALLS.contains(&name) {
            let slip = Slip::new(name_span.clone(), format!("`{name}` is not a call of rules"));
            return self.fail(match (name, nearest(name, CALLS)) {
                ("matches", _) => {
                    slip.help("rules have no patterns: use startsWith, endsWith or contains")
                }
                (_, Some(near)) => slip.help(format!("did you mean `{near}`?")),
                (_, None) => slip.help("known: startsWith, endsWith, contains"),
            });
        }
        let (field, argument_side) = (self.side(receiver), self.side(argument));
        let (Side::Field(field), argument_side) = (field?, argument_side?) else {
            let message = "a call begins with a field";
            return self.fail(Slip::new(receiver.span.clone(), message));
        };
        if field.kind == Type::Tags && name == "contains" {
            let message = format!("{} is a list of texts", field.path);
            return self.fail(
                Slip::new(expr.span.clone(), message)
                    .help(format!("write \"…\" in {}", field.path)),
            );
        }
        if field.kind != Type::Text {
            let message = format!("{} is {}: {name} needs a text", field.path, field.kind.said());
            return self.fail(Slip::new(receiver.span.clone(), message));
        }
        let (value, param) = match argument_side {
            Side::Value(ParamValue::Text(t), param) => (t, param),
            Side::Value(v, p) => {
                return self.clash(&field.path, field.kind, &v, p.as_deref(), argument);
            }
            Side::Field(f) => {
                let message = format!("{name} takes a text, not the field {}", f.path);
                return self.fail(Slip::new(argument.span.clone(), message));
            }
        };
        let value = Const { value, param };
        let test = match name {
            "startsWith" => Test::Starts(true, value),
            "endsWith" => Test::Ends(true, value),
            _ => Test::Contains(true, value),
        };
        Some(atom(field, test, expr))
    }
}

pub(super) fn atom(field: Resolved, test: Test, expr: &Expr) -> Typed {
    Typed::Atom(Box::new(Atom { field, test, span: expr.span.clone() }))
}
