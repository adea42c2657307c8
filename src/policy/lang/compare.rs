//! Comparisons: a field against constants of its own type, in its own range.

use std::sync::Arc;

use super::super::diagnostics::{nearest, per_cent};
use super::ast::{Expr, Op};
use super::check::{Checker, ParamValue, Side, atom};
use super::fields::{Presence, Scope, Type};
use super::ir::{Const, Test};
use super::lexer::Slip;
use super::resolve::Resolved;
use super::typed::Typed;

impl Checker<'_> {
    pub(super) fn compare(
        &mut self,
        op: Op,
        left: &Expr,
        right: &Expr,
        expr: &Expr,
    ) -> Option<Typed> {
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

    pub(super) fn contained(&mut self, item: &Expr, list: &Expr, expr: &Expr) -> Option<Typed> {
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
    pub(super) fn list(&mut self, items: &[Expr]) -> Option<ParamValue> {
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

    /// A threshold no value can reach is a mistake.
    fn range(&mut self, field: &Resolved, n: f64, param: Option<&str>, at: &Expr) -> Option<()> {
        let Some((low, high)) = field.range else { return Some(()) };
        if (low..=high).contains(&n) {
            return Some(());
        }
        let path = &field.path;
        let (bounds, help) = match high.is_infinite() {
            true => (format!("{low} or more"), format!("write {low} or more")),
            false => (format!("{low} to {high}"), format!("write a number from {low} to {high}")),
        };
        let given = param.map_or_else(|| n.to_string(), |p| format!("{p} ({n})"));
        let message = format!("{given} is out of range: {path} is {bounds}");
        let slip = Slip::new(at.span.clone(), message);
        let share = low == 0.0 && high == 1.0;
        self.fail(slip.help(match per_cent(n).filter(|_| share) {
            Some(meant) => format!("did you mean {meant}?"),
            None => help,
        }))
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

    pub(super) fn clash<T>(
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
