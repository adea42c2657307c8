//! Pratt parser: precedence as in CEL (`||`, then `&&`, then comparisons and `in`, then `!`).

use std::ops::Range;

use super::ast::{Expr, Kind, Op};
use super::lexer::{Slip, Token, tokens};

/// Parentheses and `!` deeper than this are refused, so that no rule can exhaust the stack.
const MAX_DEPTH: usize = 64;

/// Longest rule, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// Parse one rule. The first slip ends it.
pub(crate) fn parse(text: &str) -> Result<Expr, Slip> {
    if text.len() > MAX_LENGTH {
        return Err(Slip::new(0..text.len(), "this rule is longer than 64 KiB"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    if parser.peek() == &Token::End {
        return Err(Slip::new(0..text.len(), "this rule is empty")
            .help("leave `when` out where a rule has no condition"));
    }
    let expr = parser.expression(0)?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("an operator")),
    }
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    depth: usize,
}

/// How tightly an infix operator binds.
fn power(token: &Token) -> Option<u8> {
    Some(match token {
        Token::Or => 1,
        Token::And => 2,
        Token::Eq | Token::Ne | Token::Lt | Token::Le | Token::Gt | Token::Ge | Token::In => 3,
        _ => return None,
    })
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(t, _)| t)
    }

    fn span(&self) -> Range<usize> {
        let last = || self.tokens.last().map_or(0..0, |(_, s)| s.clone());
        self.tokens.get(self.at).map_or_else(last, |(_, s)| s.clone())
    }

    fn next(&mut self) -> (Token, Range<usize>) {
        let taken = (self.peek().clone(), self.span());
        self.at += 1;
        taken
    }

    fn expect(&mut self, token: &Token, what: &str) -> Result<Range<usize>, Slip> {
        if self.peek() == token { Ok(self.next().1) } else { Err(self.unexpected(what)) }
    }

    fn unexpected(&self, wanted: &str) -> Slip {
        let found = self.peek();
        let slip =
            Slip::new(self.span(), format!("found {} where {wanted} should be", found.said()));
        match found {
            Token::Name(n) if n.eq_ignore_ascii_case("and") => slip.help("write `&&`"),
            Token::Name(n) if n.eq_ignore_ascii_case("or") => slip.help("write `||`"),
            Token::Name(n) if n.eq_ignore_ascii_case("not") => {
                slip.help("write `!(a in b)` for what is not in a list")
            }
            Token::ListOpen => slip.help("fields are spelled with dots, e.g. input.income"),
            _ => slip,
        }
    }

    fn expression(&mut self, min: u8) -> Result<Expr, Slip> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Slip::new(self.span(), "this rule nests deeper than 64 levels"));
        }
        let mut left = self.prefix()?;
        while let Some(power) = power(self.peek()) {
            if power <= min {
                break;
            }
            let (token, span) = self.next();
            let right = self.expression(power)?;
            left = join(left, &token, right);
            if power == 3 && self::power(self.peek()) == Some(3) {
                return Err(Slip::new(span.start..self.span().end, "comparisons do not chain")
                    .help("write a < b && b < c"));
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefix(&mut self) -> Result<Expr, Slip> {
        let (token, span) = self.next();
        let kind = match token {
            Token::Not => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(Slip::new(span, "this rule nests deeper than 64 levels"));
                }
                let inner = self.prefix()?;
                self.depth -= 1;
                let span = span.start..inner.span.end;
                return Ok(Expr { kind: Kind::Not(Box::new(inner)), span });
            }
            Token::Minus => match self.next() {
                (Token::Number(n), end) => {
                    return Ok(Expr { kind: Kind::Number(-n), span: span.start..end.end });
                }
                _ => {
                    return Err(Slip::new(
                        span,
                        "rules do no arithmetic: `-` only begins a number",
                    ));
                }
            },
            Token::Open => {
                let mut inner = self.expression(0)?;
                let end = self.expect(&Token::Close, "`)`")?;
                inner.span = span.start..end.end;
                return Ok(inner);
            }
            Token::ListOpen => {
                let items = self.list()?;
                let end = self.expect(&Token::ListClose, "`,` or `]`")?;
                return Ok(Expr { kind: Kind::List(items), span: span.start..end.end });
            }
            Token::Name(name) => return self.name(name, span),
            Token::Number(n) => Kind::Number(n),
            Token::Text(t) => {
                if self.peek() == &Token::Dot {
                    return Err(Slip::new(self.span(), "a call begins with a field")
                        .help("write field.startsWith(\"…\")"));
                }
                Kind::Text(t)
            }
            Token::True => Kind::Flag(true),
            Token::False => Kind::Flag(false),
            _ => {
                self.at -= 1;
                return Err(self.unexpected("a field, a value or `(`"));
            }
        };
        Ok(Expr { kind, span })
    }

    fn list(&mut self) -> Result<Vec<Expr>, Slip> {
        let mut items = Vec::new();
        while self.peek() != &Token::ListClose {
            items.push(self.expression(3)?);
            if self.peek() != &Token::Comma {
                break;
            }
            self.next();
        }
        Ok(items)
    }

    /// A dotted name, `has(…)`, or a call on a field.
    fn name(&mut self, first: String, start: Range<usize>) -> Result<Expr, Slip> {
        if self.peek() == &Token::Open {
            return self.function(&first, start);
        }
        let mut path = Expr { kind: Kind::Path(first.clone()), span: start.clone() };
        let mut dotted = first;
        while self.peek() == &Token::Dot {
            self.next();
            let (name, span) = match self.next() {
                (Token::Name(n), span) => (n, span),
                // `input.in` is a field like any other.
                (Token::In, span) => ("in".to_owned(), span),
                (Token::True, span) => ("true".to_owned(), span),
                (Token::False, span) => ("false".to_owned(), span),
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected("a name"));
                }
            };
            if self.peek() == &Token::Open {
                self.next();
                let argument = self.expression(0)?;
                if self.peek() == &Token::Comma {
                    return Err(Slip::new(self.span(), format!("`{name}` takes one argument")));
                }
                let end = self.expect(&Token::Close, "`)`")?;
                let kind = Kind::Call {
                    receiver: Box::new(path),
                    name,
                    name_span: span,
                    argument: Box::new(argument),
                };
                return Ok(Expr { kind, span: start.start..end.end });
            }
            dotted.push('.');
            dotted.push_str(&name);
            path = Expr { kind: Kind::Path(dotted.clone()), span: start.start..span.end };
        }
        Ok(path)
    }

    fn function(&mut self, name: &str, start: Range<usize>) -> Result<Expr, Slip> {
        if name != "has" {
            let slip = Slip::new(start, format!("`{name}` is not a function of rules"));
            return Err(match name {
                "not" => slip.help("write `!(…)`"),
                "size" | "len" | "length" => slip.help("output_chars is the length of the output"),
                "startsWith" | "endsWith" | "contains" => {
                    slip.help(format!("write field.{name}(\"…\")"))
                }
                _ => slip.help("known: has(field), field.startsWith(\"…\"), field.endsWith(\"…\"), field.contains(\"…\")"),
            });
        }
        self.next();
        let inner = self.expression(0)?;
        let end = self.expect(&Token::Close, "`)`")?;
        Ok(Expr { kind: Kind::Has(Box::new(inner)), span: start.start..end.end })
    }
}

/// `left token right`, with chains of `&&` or `||` kept flat.
fn join(left: Expr, token: &Token, right: Expr) -> Expr {
    let span = left.span.start..right.span.end;
    let op = match token {
        Token::Eq => Op::Eq,
        Token::Ne => Op::Ne,
        Token::Lt => Op::Lt,
        Token::Le => Op::Le,
        Token::Gt => Op::Gt,
        Token::Ge => Op::Ge,
        Token::In => return Expr { kind: Kind::In(Box::new(left), Box::new(right)), span },
        Token::And => {
            let items = match left.kind {
                Kind::And(mut items) => {
                    items.push(right);
                    items
                }
                kind => vec![Expr { kind, span: left.span }, right],
            };
            return Expr { kind: Kind::And(items), span };
        }
        _ => {
            let items = match left.kind {
                Kind::Or(mut items) => {
                    items.push(right);
                    items
                }
                kind => vec![Expr { kind, span: left.span }, right],
            };
            return Expr { kind: Kind::Or(items), span };
        }
    };
    Expr { kind: Kind::Compare(op, Box::new(left), Box::new(right)), span }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fully parenthesised, to see what binds to what.
    fn shape(text: &str) -> String {
        fn show(e: &Expr) -> String {
            let all = |items: &[Expr], sep: &str| {
                format!("({})", items.iter().map(show).collect::<Vec<_>>().join(sep))
            };
            match &e.kind {
                Kind::And(v) => all(v, " && "),
                Kind::Or(v) => all(v, " || "),
                Kind::Not(i) => format!("!{}", show(i)),
                Kind::Compare(op, a, b) => format!("({} {} {})", show(a), op.sign(), show(b)),
                Kind::In(a, b) => format!("({} in {})", show(a), show(b)),
                Kind::Has(i) => format!("has({})", show(i)),
                Kind::Call { receiver, name, argument, .. } => {
                    format!("{}.{name}({})", show(receiver), show(argument))
                }
                Kind::Path(p) => p.clone(),
                Kind::Number(n) => n.to_string(),
                Kind::Text(t) => format!("'{t}'"),
                Kind::Flag(b) => b.to_string(),
                Kind::List(v) => format!("[{}]", v.iter().map(show).collect::<Vec<_>>().join(", ")),
            }
        }
        show(&parse(text).unwrap())
    }

    #[test]
    fn binds_like_cel() {
        assert_eq!(shape("a < 1 || b && c == 'x'"), "((a < 1) || (b && (c == 'x')))");
        assert_eq!(shape("!a == true"), "(!a == true)");
        assert_eq!(shape("a && b && c"), "(a && b && c)");
        assert_eq!(shape("a && (b && c)"), "(a && (b && c))");
        assert_eq!(
            shape("!(d in ['x', \"y\"]) && -1.5 <= m.n"),
            "(!(d in ['x', 'y']) && (-1.5 <= m.n))"
        );
        assert_eq!(
            shape("has(input.x) && input.x.startsWith(params.p)"),
            "(has(input.x) && input.x.startsWith(params.p))"
        );
        assert_eq!(shape("input.in == 1"), "(input.in == 1)");
    }

    #[test]
    fn slips_have_a_place_and_help() {
        for (text, span, message) in [
            ("a and b", 2..5, "found `and` where an operator should be"),
            ("a <", 3..3, "found the end of the rule where a field, a value or `(` should be"),
            ("0.6 < a < 0.8", 4..9, "comparisons do not chain"),
            ("(a == 1", 7..7, "found the end of the rule where `)` should be"),
            ("size(tags) > 2", 0..4, "`size` is not a function of rules"),
            ("   ", 0..3, "this rule is empty"),
            ("input['x'] == 1", 5..6, "found `[` where an operator should be"),
        ] {
            let slip = parse(text).unwrap_err();
            assert_eq!((slip.span, slip.message.as_str()), (span, message), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse(&"(".repeat(10_000)).is_err());
        assert!(parse(&format!("{}a", "!".repeat(50_000))).is_err());
        let wide = vec!["a == 1"; 3000].join(" && ");
        assert!(parse(&wide).is_ok());
    }
}
