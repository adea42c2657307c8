//! Where words go: results to standard output, everything about the work to standard error.
//!
//! Colour only on a terminal and never with `NO_COLOR`. What machines read is JSON with every
//! character that could steer a terminal escaped; what people read passes [`Clean`] first.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use serde::Serialize;

use super::failure::{Failure, Outcome};
use crate::text::{Clean, inert_json};

/// What a piece of text means; the colour follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Strong,
    Dim,
    Good,
    Warn,
    Bad,
    Accent,
}

impl Tone {
    fn sgr(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
            Self::Accent => "36",
        }
    }
}

/// Both streams of this process, and how to speak on them.
#[derive(Debug)]
pub struct Out {
    /// Machines read: JSON on standard output, JSON errors on standard error.
    pub json: bool,
    /// Only results and errors.
    pub quiet: bool,
    stdout: RefCell<BufWriter<Stdout>>,
    stdout_tty: bool,
    stderr_tty: bool,
    colour: bool,
}

impl Out {
    /// The streams as the environment has them.
    pub fn new(json: bool, quiet: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        Self {
            json,
            quiet,
            stdout: RefCell::new(BufWriter::with_capacity(1 << 16, io::stdout())),
            stdout_tty: io::stdout().is_terminal(),
            stderr_tty: io::stderr().is_terminal(),
            colour: wanted,
        }
    }

    /// Standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.stdout_tty
    }

    /// A progress bar makes sense: standard error is a terminal and nobody asked for silence.
    pub fn shows_progress(&self) -> bool {
        self.stderr_tty && !self.quiet && !self.json
    }

    /// Columns of the terminal, where there is one.
    pub fn columns(&self) -> Option<usize> {
        if !self.stdout_tty {
            return None;
        }
        crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns))
    }

    /// `text` in this tone, for standard output.
    pub fn tone(&self, tone: Tone, text: impl Display) -> String {
        paint(self.colour && self.stdout_tty, tone, text)
    }

    /// `text` in this tone, for standard error.
    pub fn tone_err(&self, tone: Tone, text: impl Display) -> String {
        paint(self.colour && self.stderr_tty, tone, text)
    }

    /// Colour may be used on standard output.
    pub fn colours(&self) -> bool {
        self.colour && self.stdout_tty
    }

    /// Colour may be used on standard error.
    pub fn colours_err(&self) -> bool {
        self.colour && self.stderr_tty
    }

    /// A line of the result, for people. Foreign parts are already clean.
    pub fn line(&self, text: impl Display) -> Outcome {
        self.write(|w| writeln!(w, "{text}"))
    }

    /// One JSON value on one line of the result.
    pub fn json(&self, value: &impl Serialize) -> Outcome {
        let text = serde_json::to_string(value)
            .map_err(|e| Failure::defect(format!("the result cannot be written as JSON: {e}")))?;
        self.write(|w| writeln!(w, "{}", inert_json(&text)))
    }

    /// Bytes of the result exactly as they are (a checkpoint, a proof, an export).
    pub fn raw(&self, text: &str) -> Outcome {
        self.write(|w| w.write_all(text.as_bytes()))
    }

    /// A remark about the work, for people, on standard error.
    pub fn note(&self, text: impl Display) {
        if !self.quiet && !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// A remark about the work for machines, on standard error.
    pub fn note_json(&self, value: &impl Serialize) {
        if self.json
            && !self.quiet
            && let Ok(text) = serde_json::to_string(value)
        {
            let _ = writeln!(io::stderr(), "{}", inert_json(&text));
        }
    }

    /// Everything said so far reaches the reader.
    pub fn flush(&self) -> Outcome {
        self.stdout.borrow_mut().flush().map_err(|e| Failure::io("standard output", &e))
    }

    /// Say how the command failed.
    pub fn failure(&self, failure: &Failure) {
        let mut err = io::stderr().lock();
        if self.json {
            let _ = writeln!(err, "{}", inert_json(&failure.to_json().to_string()));
            return;
        }
        if let Some(detail) = &failure.detail {
            let _ = writeln!(err, "{}", detail.trim_end());
        }
        let _ = writeln!(err, "{} {}", self.tone_err(Tone::Bad, "error:"), clean(&failure.message));
        if let Some(hint) = &failure.hint {
            let _ = writeln!(err, "{} {}", self.tone_err(Tone::Accent, " next:"), clean(hint));
        }
    }

    fn write(&self, f: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>) -> Outcome {
        let mut w = self.stdout.borrow_mut();
        f(&mut w)
            .and_then(|()| if self.stdout_tty { w.flush() } else { Ok(()) })
            .map_err(|e| Failure::io("standard output", &e))
    }
}

fn paint(on: bool, tone: Tone, text: impl Display) -> String {
    if on { format!("\x1b[{}m{text}\x1b[0m", tone.sgr()) } else { text.to_string() }
}

/// Foreign text of many lines, for people.
pub fn clean(text: &str) -> String {
    Clean::new(text).to_string()
}

/// Foreign text on one line, for people.
pub fn clean_line(text: &str) -> String {
    Clean::line(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_on_a_terminal_says_the_same_and_steers_nothing() {
        let value = serde_json::json!({"t": "a\u{1b}[2J\u{9b}31m\u{202e}\u{200b}\u{e0041}é\u{7f}"});
        let text = serde_json::to_string(&value).unwrap();
        let safe = inert_json(&text);
        assert_eq!(safe, r#"{"t":"a\u001b[2J\u009b31m\u202e\u200b\udb40\udc41é\u007f"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }

    #[test]
    fn paint_is_plain_when_off() {
        assert_eq!(paint(false, Tone::Bad, "x"), "x");
        assert_eq!(paint(true, Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
