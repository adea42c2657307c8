//! Gives names and types their meaning: from the written rule to the typed tree, with every fault.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::super::diagnostics::nearest;
use super::ast::{Expr, Kind, Op};
use super::fields::{Presence, Resolved, Scope, Type, Typed as Types, Unknown, resolve};
use super::guard;
use super::ir::{Atom, Const, Rule, Test};
use super::lexer::Slip;
use super::parser::parse;
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
    fn said(&self) -> &'static str {
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

struct Checker<'a> {
    context: Context<'a>,
    errors: Vec<Slip>,
    warnings: Vec<Slip>,
}

/// A side of a comparison, once its name has a meaning.
enum Side {
    Field(Resolved),
    Value(ParamValue, Option<Arc<str>>),
}

impl Checker<'_> {
    fn fail<T>(&mut self, slip: Slip) -> Option<T> {
        self.errors.push(slip);
        None
    }

    /// Something that is true or false.
    fn rule(&mut self, expr: &Expr) -> Option<Typed> {
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
    fn side(&mut self, expr: &Expr) -> Option<Side> {
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

    fn compare(&mut self, op: Op, left: &Expr, right: &Expr, expr: &Expr) -> Option<Typed> {
        let (a, b) = (self.side(left), self.side(right));
        match (a?, b?) {
            (Side::Field(f), Side::Value(v, p)) => self.against(f, op, v, p, expr, right),
            (Side::Value(v, p), Side::Field(f)) => self.against(f, op.flipped(), v, p, expr, left),
            (Side::Field(f), Side::Field(g)) => {
                let measured =
                    |r: &Resolved| r.presence == Presence::Measured && r.kind == Type::Number;
                if measured(&f) && measured(&g) {
                    return Some(atom(f, Test::Versus(op, g), expr));
                }
                let message = format!("{} is compared with another field", f.path);
                self.fail(
                    Slip::new(expr.span.clone(), message)
                        .help("compare a field with a value or a parameter"),
                )
            }
            (Side::Value(..), Side::Value(..)) => self.fail(
                Slip::new(expr.span.clone(), "two values are compared, and no field")
                    .help("one side must be a field"),
            ),
        }
    }

    /// `field op value`.
    fn against(
        &mut self,
        field: Resolved,
        op: Op,
        value: ParamValue,
        param: Option<Arc<str>>,
        expr: &Expr,
        at: &Expr,
    ) -> Option<Typed> {
        let equality = matches!(op, Op::Eq | Op::Ne);
        let yes = op == Op::Eq;
        let test = match (field.kind, value) {
            (Type::Number, ParamValue::Number(n)) => {
                self.range(&field, n, param.as_deref(), at)?;
                self.idle(&field, op, n, expr);
                Test::Number(op, Const { value: n, param })
            }
            (Type::Text, ParamValue::Text(t)) if equality => {
                self.word(&field, &t, at)?;
                Test::Equals(yes, Const { value: t, param })
            }
            (Type::Flag, ParamValue::Flag(b)) if equality => Test::Flag(b == yes),
            (Type::Text, ParamValue::Text(_)) => {
                let message = format!("texts have no order: {} {} …", field.path, op.sign());
                return self.fail(
                    Slip::new(expr.span.clone(), message)
                        .help("use ==, !=, in, startsWith, endsWith or contains"),
                );
            }
            (Type::Flag, ParamValue::Flag(_)) => {
                let message = format!("{} is true or false and has no order", field.path);
                return self.fail(Slip::new(expr.span.clone(), message));
            }
            (Type::Tags, ParamValue::Text(t)) => {
                let message = format!("{} is a list of texts", field.path);
                return self.fail(
                    Slip::new(expr.span.clone(), message)
                        .help(format!("write \"{t}\" in {}", field.path)),
                );
            }
            (Type::Number | Type::Text, ParamValue::Numbers(_) | ParamValue::Texts(_))
                if equality =>
            {
                let message = format!("{} is compared with a list", field.path);
                return self.fail(
                    Slip::new(expr.span.clone(), message)
                        .help(format!("write {} in […]", field.path)),
                );
            }
            (kind, value) => return self.clash(&field.path, kind, &value, param.as_deref(), at),
        };
        Some(atom(field, test, expr))
    }

    fn contained(&mut self, item: &Expr, list: &Expr, expr: &Expr) -> Option<Typed> {
        let (a, b) = (self.side(item), self.side(list));
        match (a?, b?) {
            (Side::Value(ParamValue::Text(tag), param), Side::Field(f)) if f.kind == Type::Tags => {
                self.tag(&f, &tag, item)?;
                Some(atom(f, Test::Tagged(true, Const { value: tag, param }), expr))
            }
            (Side::Value(v, p), Side::Field(f)) if f.kind == Type::Tags => {
                let message =
                    format!("{} lists texts, and this is {}", f.path, told(&v, p.as_deref()));
                self.fail(Slip::new(item.span.clone(), message))
            }
            (_, Side::Field(f)) => {
                let message = format!("{} is {}, not a list", f.path, f.kind.said());
                let slip = Slip::new(list.span.clone(), message);
                self.fail(match f.kind {
                    Type::Text => slip.help(format!("write {}.contains(\"…\")", f.path)),
                    _ => slip.help("write field in [a, b, …]"),
                })
            }
            (Side::Field(f), Side::Value(ParamValue::Numbers(n), param))
                if f.kind == Type::Number =>
            {
                for n in &n {
                    self.range(&f, *n, param.as_deref(), list)?;
                }
                Some(atom(f, Test::NumberIn(true, Const { value: n, param }), expr))
            }
            (Side::Field(f), Side::Value(ParamValue::Texts(t), param)) if f.kind == Type::Text => {
                for t in &t {
                    self.word(&f, t, list)?;
                }
                Some(atom(f, Test::TextIn(true, Const { value: t, param }), expr))
            }
            (
                Side::Field(f),
                Side::Value(v @ (ParamValue::Numbers(_) | ParamValue::Texts(_)), p),
            ) => self.clash(&f.path, f.kind, &v, p.as_deref(), list),
            (Side::Field(_), Side::Value(v, p)) => {
                let message = format!("`in` needs a list, and this is {}", told(&v, p.as_deref()));
                self.fail(Slip::new(list.span.clone(), message).help("write […] around it"))
            }
            (Side::Value(..), Side::Value(..)) => self.fail(
                Slip::new(expr.span.clone(), "two values are compared, and no field")
                    .help("one side must be a field"),
            ),
        }
    }

    /// A list of numbers or of texts; parameters may stand in it.
    fn list(&mut self, items: &[Expr]) -> Option<ParamValue> {
        let mut numbers = Vec::new();
        let mut texts = Vec::new();
        for item in items {
            match self.side(item)? {
                Side::Value(ParamValue::Number(n), _) if texts.is_empty() => numbers.push(n),
                Side::Value(ParamValue::Text(t), _) if numbers.is_empty() => texts.push(t),
                Side::Value(ParamValue::Number(_) | ParamValue::Text(_), _) => {
                    let message = "a list holds numbers or texts, not both";
                    return self.fail(Slip::new(item.span.clone(), message));
                }
                _ => {
                    let message = "a list holds numbers or texts, and nothing else";
                    return self.fail(Slip::new(item.span.clone(), message));
                }
            }
        }
        match (numbers.is_empty(), texts.is_empty()) {
            (true, true) => {
                let span = items.first().map_or(0..0, |i| i.span.clone());
                self.fail(Slip::new(span, "an empty list contains nothing"))
            }
            (false, _) => Some(ParamValue::Numbers(numbers)),
            _ => Some(ParamValue::Texts(texts)),
        }
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

    /// A threshold no value can reach is a mistake.
    fn range(&mut self, field: &Resolved, n: f64, param: Option<&str>, at: &Expr) -> Option<()> {
        let Some((low, high)) = field.range else { return Some(()) };
        if (low..=high).contains(&n) {
            return Some(());
        }
        let path = &field.path;
        let bounds =
            if high.is_infinite() { format!("{low} or more") } else { format!("{low} to {high}") };
        let given = param.map_or_else(|| n.to_string(), |p| format!("{p} ({n})"));
        let message = format!("{given} is out of range: {path} is {bounds}");
        let slip = Slip::new(at.span.clone(), message);
        let percent = low == 0.0 && high == 1.0 && n > 1.0 && n <= 100.0;
        self.fail(if percent { slip.help(format!("did you mean {}?", n / 100.0)) } else { slip })
    }

    /// A comparison that is in range but decides nothing deserves a look.
    fn idle(&mut self, field: &Resolved, op: Op, n: f64, expr: &Expr) {
        let Some((low, high)) = field.range else { return };
        #[expect(clippy::float_cmp, reason = "the range's own bounds, as written")]
        let verdict = match op {
            Op::Lt if n == low => "never",
            Op::Ge if n == low => "always",
            Op::Gt if n == high => "never",
            Op::Le if n == high => "always",
            _ => return,
        };
        let path = &field.path;
        let message =
            format!("{path} {} {n} {verdict} holds: {path} is {low} to {high}", op.sign());
        self.warnings.push(Slip::new(expr.span.clone(), message));
    }

    /// A text that is none of the few a field can have.
    fn word(&mut self, field: &Resolved, text: &str, at: &Expr) -> Option<()> {
        let Some(values) = field.values else { return Some(()) };
        if values.contains(&text) {
            return Some(());
        }
        let slip = Slip::new(at.span.clone(), format!("{} is never \"{text}\"", field.path));
        self.fail(match nearest(text, values.iter().copied()) {
            Some(near) => slip.help(format!("did you mean \"{near}\"?")),
            None => slip.help(format!("it is one of: {}", values.join(", "))),
        })
    }

    /// A reviewer gives only tags of the policy; a record's own tags may be any.
    fn tag(&mut self, field: &Resolved, tag: &str, at: &Expr) -> Option<()> {
        let known = self.context.tags;
        if known.iter().any(|t| t == tag) {
            return Some(());
        }
        let near = nearest(tag, known.iter().map(String::as_str)).map(str::to_owned);
        let help = |slip: Slip| match &near {
            Some(near) => slip.help(format!("did you mean \"{near}\"?")),
            None => slip.help(format!("add a [[tag]] with id = \"{tag}\"")),
        };
        if self.context.scope == Scope::Review {
            let message = format!("unknown tag \"{tag}\": no [[tag]] has this id");
            return self.fail(help(Slip::new(at.span.clone(), message)));
        }
        if near.is_some() {
            let message = format!("\"{tag}\" in {} is almost the name of a [[tag]]", field.path);
            self.warnings.push(help(Slip::new(at.span.clone(), message)));
        }
        Some(())
    }

    fn clash<T>(
        &mut self,
        path: &str,
        kind: Type,
        value: &ParamValue,
        param: Option<&str>,
        at: &Expr,
    ) -> Option<T> {
        let message = format!("{path} is {}, and this is {}", kind.said(), told(value, param));
        let slip = Slip::new(at.span.clone(), message);
        self.fail(match (kind, value) {
            (Type::Number, ParamValue::Text(t)) if t.parse::<f64>().is_ok() => {
                slip.help(format!("write {t} without quotes"))
            }
            (Type::Text, ParamValue::Number(n)) => slip.help(format!("write \"{n}\" with quotes")),
            (Type::Flag, ParamValue::Text(t)) if t == "true" || t == "false" => {
                slip.help(format!("write {t} without quotes"))
            }
            (Type::Group, _) => slip.help(format!("only has({path}) reads it")),
            _ => slip,
        })
    }
}

fn told(value: &ParamValue, param: Option<&str>) -> String {
    match param {
        Some(p) => format!("{} ({p})", value.said()),
        None => value.said().to_owned(),
    }
}

fn atom(field: Resolved, test: Test, expr: &Expr) -> Typed {
    Typed::Atom(Box::new(Atom { field, test, span: expr.span.clone() }))
}
