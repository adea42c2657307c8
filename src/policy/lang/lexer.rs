//! Cuts a rule into tokens. Spans are bytes of the rule's text.

use std::ops::Range;

/// What is wrong with the text of a rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slip {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Slip {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Name(String),
    Number(f64),
    Text(String),
    True,
    False,
    In,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Not,
    Minus,
    Open,
    Close,
    ListOpen,
    ListClose,
    Comma,
    Dot,
    End,
}

impl Token {
    /// How messages call it.
    pub(crate) fn said(&self) -> String {
        let fixed = match self {
            Self::Name(n) => return format!("`{n}`"),
            Self::Number(n) => return format!("`{n}`"),
            Self::Text(_) => "a text",
            Self::True => "`true`",
            Self::False => "`false`",
            Self::In => "`in`",
            Self::Eq => "`==`",
            Self::Ne => "`!=`",
            Self::Lt => "`<`",
            Self::Le => "`<=`",
            Self::Gt => "`>`",
            Self::Ge => "`>=`",
            Self::And => "`&&`",
            Self::Or => "`||`",
            Self::Not => "`!`",
            Self::Minus => "`-`",
            Self::Open => "`(`",
            Self::Close => "`)`",
            Self::ListOpen => "`[`",
            Self::ListClose => "`]`",
            Self::Comma => "`,`",
            Self::Dot => "`.`",
            Self::End => "the end of the rule",
        };
        fixed.to_owned()
    }
}

/// All tokens of `text`, the last being [`Token::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Slip> {
    let mut lexer = Lexer { text, at: 0 };
    let mut out = Vec::new();
    loop {
        let (token, span) = lexer.next()?;
        let done = token == Token::End;
        out.push((token, span));
        if done {
            return Ok(out);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Take characters while `keep` holds, and return them.
    fn take(&mut self, keep: impl Fn(char) -> bool) -> String {
        let taken: String = self.rest().chars().take_while(|c| keep(*c)).collect();
        self.at += taken.len();
        taken
    }

    fn next(&mut self) -> Result<(Token, Range<usize>), Slip> {
        loop {
            self.take(|c| matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{c}'));
            if !self.rest().starts_with("//") {
                break;
            }
            self.take(|c| c != '\n');
        }
        let start = self.at;
        let Some(c) = self.peek() else { return Ok((Token::End, start..start)) };
        let token = match c {
            '0'..='9' => self.number()?,
            '\'' | '"' => self.quoted(c)?,
            c if c.is_ascii_alphabetic() || c == '_' => self.word(start)?,
            _ => self.symbol(c)?,
        };
        Ok((token, start..self.at))
    }

    fn word(&mut self, start: usize) -> Result<Token, Slip> {
        let word = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        let span = start..self.at;
        Ok(match word.as_str() {
            "true" => Token::True,
            "false" => Token::False,
            "in" => Token::In,
            "null" => {
                return Err(Slip::new(span, "a rule has no `null`")
                    .help("has(field) says whether an optional field is there"));
            }
            _ if matches!(self.peek(), Some('\'' | '"')) => {
                return Err(Slip::new(span, "texts have no prefix here")
                    .help("write 'text' or \"text\", with \\\\ for a backslash"));
            }
            _ => Token::Name(word),
        })
    }

    fn symbol(&mut self, c: char) -> Result<Token, Slip> {
        for (text, token) in [
            ("==", Token::Eq),
            ("!=", Token::Ne),
            ("<=", Token::Le),
            (">=", Token::Ge),
            ("&&", Token::And),
            ("||", Token::Or),
            ("<", Token::Lt),
            (">", Token::Gt),
            ("!", Token::Not),
            ("-", Token::Minus),
            ("(", Token::Open),
            (")", Token::Close),
            ("[", Token::ListOpen),
            ("]", Token::ListClose),
            (",", Token::Comma),
            (".", Token::Dot),
        ] {
            if self.rest().starts_with(text) {
                self.at += text.len();
                return Ok(token);
            }
        }
        let span = self.at..self.at + c.len_utf8();
        Err(match c {
            '=' => Slip::new(span, "`=` does not compare").help("write `==`"),
            '&' => Slip::new(span, "`&` is not part of rules").help("write `&&`"),
            '|' => Slip::new(span, "`|` is not part of rules").help("write `||`"),
            '+' | '*' | '/' | '%' => {
                Slip::new(span, format!("rules do no arithmetic: `{c}` is not part of them"))
                    .help("compare a field with a number, or name the number in [params]")
            }
            '?' | ':' => Slip::new(span, "`? :` is not part of rules")
                .help("write two rules, or use && and ||"),
            '{' | '}' => Slip::new(span, "maps are not part of rules"),
            '“' | '”' | '‘' | '’' | '„' => {
                Slip::new(span, format!("`{c}` is a typographic quote"))
                    .help("write a text between ' or \"")
            }
            '≤' => Slip::new(span, "`≤` is not part of rules").help("write `<=`"),
            '≥' => Slip::new(span, "`≥` is not part of rules").help("write `>=`"),
            '≠' => Slip::new(span, "`≠` is not part of rules").help("write `!=`"),
            c => Slip::new(span, format!("`{}` is not part of rules", c.escape_default())),
        })
    }

    fn number(&mut self) -> Result<Token, Slip> {
        let start = self.at;
        self.take(|c| c.is_ascii_digit());
        let dot = self.rest().strip_prefix('.');
        if dot.is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())) {
            self.at += 1;
            self.take(|c| c.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            self.take(|c| c.is_ascii_digit());
        }
        let stray = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        let span = start..self.at;
        let digits = self.text.get(span.clone()).unwrap_or_default();
        if stray.is_empty()
            && let Ok(n) = digits.parse::<f64>()
            && n.is_finite()
        {
            // A whole number a float cannot hold would compare differently in CEL.
            let whole = !digits.contains(['.', 'e', 'E']);
            if !whole || digits.parse::<u64>().is_ok_and(|n| n <= 1 << 53) {
                return Ok(Token::Number(n));
            }
            return Err(Slip::new(span, format!("{digits} is too large to compare exactly")));
        }
        let slip = Slip::new(span, format!("`{digits}` is not a number"));
        Err(match stray.as_str() {
            "m" | "h" | "d" | "s" | "ms" => slip.help("numbers have no unit in rules"),
            _ => slip.help("write 7, 0.85 or 1e3"),
        })
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Slip> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let here = self.at;
            let Some(c) = self.peek() else {
                return Err(Slip::new(start..self.at, "this text does not end")
                    .help(format!("close it with {quote}")));
            };
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(Token::Text(out)),
                '\n' | '\r' => {
                    return Err(Slip::new(start..here, "this text does not end on its line")
                        .help("write a line break inside a text as \\n"));
                }
                '\\' => {
                    let escaped = self.escape();
                    let Some(c) = escaped else {
                        let end = self.at.max(here + 1).min(self.text.len());
                        return Err(Slip::new(here..end, "unknown escape in a text")
                            .help("known: \\\\ \\' \\\" \\n \\r \\t \\u0000 \\U00000000; write \\\\ for a backslash"));
                    };
                    out.push(c);
                }
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '\\' | '\'' | '"' => c,
            'u' | 'U' => {
                let len = if c == 'u' { 4 } else { 8 };
                let code = u32::from_str_radix(self.rest().get(..len)?, 16).ok()?;
                self.at += len;
                char::from_u32(code)?
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|(t, _)| t).collect()
    }

    #[test]
    fn cuts_rules_into_tokens() {
        assert_eq!(
            kinds("confidence<=0.85&&!('a' in tags)"),
            [
                Token::Name("confidence".into()),
                Token::Le,
                Token::Number(0.85),
                Token::And,
                Token::Not,
                Token::Open,
                Token::Text("a".into()),
                Token::In,
                Token::Name("tags".into()),
                Token::Close,
                Token::End
            ]
        );
        assert_eq!(kinds("// why\n 1e3 // end"), [Token::Number(1000.0), Token::End]);
        assert_eq!(kinds(r#""a\"\u00e9\n""#), [Token::Text("a\"é\n".into()), Token::End]);
    }

    #[test]
    fn says_what_to_write_instead() {
        for (text, message, help) in [
            ("a = 1", "`=` does not compare", "write `==`"),
            ("a & b", "`&` is not part of rules", "write `&&`"),
            (
                "x + 1",
                "rules do no arithmetic: `+` is not part of them",
                "compare a field with a number, or name the number in [params]",
            ),
            (
                "a == null",
                "a rule has no `null`",
                "has(field) says whether an optional field is there",
            ),
            ("a == 'x", "this text does not end", "close it with '"),
            ("a < 10m", "`10m` is not a number", "numbers have no unit in rules"),
            (
                "a == r'x'",
                "texts have no prefix here",
                "write 'text' or \"text\", with \\\\ for a backslash",
            ),
        ] {
            let slip = tokens(text).unwrap_err();
            assert_eq!(
                (slip.message.as_str(), slip.help.as_deref()),
                (message, Some(help)),
                "{text}"
            );
        }
        assert_eq!(tokens("a == '\\q'").unwrap_err().span, 6..8);
        assert!(tokens("9007199254740993 < a").is_err());
    }
}
