//! The lines of a verdicts file: those that are verdicts, and why the others are none.

use std::io::BufReader;
use std::path::Path;

use super::super::decide::open_text;
use super::super::failure::Failure;
use crate::desk::ingest::{IngestEvent, ReplayVerdict, next_line};
use crate::domain::record::is_blank;

/// What a file holds, in its order.
#[derive(Debug, Default)]
pub struct Verdicts {
    pub given: Vec<ReplayVerdict>,
    pub unread: Vec<Unread>,
}

/// A line that is no verdict. It stops nothing.
#[derive(Debug)]
pub struct Unread {
    source: String,
    /// 1-based.
    line: u64,
    why: String,
}

impl Verdicts {
    /// Every line of a file (`-`: of standard input).
    ///
    /// # Errors
    ///
    /// The file cannot be opened or read.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let source = file.display().to_string();
        let mut reader = BufReader::new(open_text(file)?);
        let mut verdicts = Self::default();
        for number in 1u64.. {
            let read = next_line(&mut reader);
            let read = read.map_err(|e| Failure::io(format!("{source} cannot be read"), &e))?;
            let Some((line, _)) = read else { break };
            if is_blank(&line) {
                continue;
            }
            match serde_json::from_slice(&line) {
                Ok(verdict) => verdicts.given.push(verdict),
                Err(error) => verdicts.unread.push(Unread {
                    source: source.clone(),
                    line: number,
                    why: format!("this is not a verdict: {}", why(&error)),
                }),
            }
        }
        Ok(verdicts)
    }
}

impl Unread {
    /// As ingest tells it.
    pub fn event(&self) -> IngestEvent<'_> {
        let Self { source, line, why } = self;
        IngestEvent::VerdictUnread { source, line: *line, why }
    }
}

/// The error without its place: the line is said already, and every text here is one line.
fn why(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}
