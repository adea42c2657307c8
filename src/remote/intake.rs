//! Decisions on their way to a desk that is elsewhere: lines there, what became of each back.
//!
//! A token for `ingest` alone is enough, so nothing is asked but this. Sending lines again is safe:
//! the desk admits an id once and answers a second time with its first route.

use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use super::said::{Failed, Trouble, refusal};
use super::token::Token;
use super::wire::Wire;
use crate::domain::Route;
use crate::protocol::{Refusal, Refused, Why};

/// The way in for decisions.
#[derive(Clone, Debug)]
pub struct Intake {
    wire: Wire,
}

/// Lines that follow one another in their source.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub source: &'a str,
    /// The number of the first line, from 1.
    pub first: u64,
    pub lines: &'a [Vec<u8>],
    /// Say what the routes would be; nothing is stored.
    pub dry_run: bool,
}

/// What became of one line that is not blank.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    Route(Box<Route>),
    /// The line's place in its batch (from 0), and why it is not usable.
    Refused(usize, Refusal),
}

/// Why a batch was not taken. Whether it was is not known where the answer was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// It is worth another try, after this time where the desk says so.
    Later { after: Option<Duration>, refused: Refused },
    /// It is too much at once, for the desk or for something before it.
    TooMuch(Refused),
    /// Another try would end the same.
    Refused(Refused),
}

/// A line of the answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Refused { line: usize, error: Fault },
    Route(Box<Route>),
}

#[derive(Deserialize)]
struct Fault {
    kind: String,
    message: String,
}

impl Intake {
    /// Lines of one request at most.
    pub const LINES: usize = 500;
    /// Bytes of one request at most; what is longer than a record may be is refused there.
    pub const BYTES: usize = 15 << 20;

    /// The way in at `address`; certificates in the file `ca` (PEM) are trusted beside the system's.
    ///
    /// # Errors
    ///
    /// Refused where the address is none, or the file holds no certificate. Nothing is sent yet.
    pub fn new(address: &str, token: &Token, ca: Option<&Path>) -> Result<Self, Refused> {
        Wire::new(address, token, ca).map(|wire| Self { wire })
    }

    /// The token travels in clear to another machine.
    pub fn in_clear(&self) -> bool {
        self.wire.in_clear()
    }

    /// Send lines; what is answered, in their order, is durable.
    ///
    /// # Errors
    ///
    /// Why the batch was not taken.
    pub async fn send(&self, batch: Batch<'_>) -> Result<Vec<Line>, NotNow> {
        let Batch { source, first, lines, dry_run } = batch;
        let mut query = vec![("source", named(source)), ("line", first.to_string())];
        if dry_run {
            query.push(("dry_run", "true".to_owned()));
        }
        let mut body = lines.join(&b'\n');
        body.push(b'\n');
        let (status, after, bytes) = match self.wire.post_lines("v1/decisions", &query, body).await
        {
            Ok(answered) => answered,
            Err(trouble) => return Err(later(None, trouble)),
        };
        if status.is_success() {
            return read(&bytes).map_err(|what| NotNow::Refused(self.stranger(&what)));
        }
        let failed = refusal(self.wire.address(), status, &bytes);
        Err(match (status, failed) {
            (StatusCode::PAYLOAD_TOO_LARGE, failed) => NotNow::TooMuch(spoken(failed)),
            (StatusCode::TOO_MANY_REQUESTS, failed) => {
                NotNow::Later { after, refused: spoken(failed) }
            }
            (_, Failed::Trouble(trouble)) => later(after, trouble),
            (_, failed @ Failed::Stranger { .. }) => NotNow::Refused(spoken(failed)),
        })
    }

    fn stranger(&self, what: &str) -> Refused {
        Refused::new(
            Why::Invalid,
            format!(
                "{} does not answer as a desk of this version does: {what}",
                self.wire.address()
            ),
        )
        .hint("check the address; the server may be an older or a newer overrule")
    }
}

/// The end of a long name says more than its beginning.
fn named(source: &str) -> String {
    const MOST: usize = 200;
    let cut =
        source.char_indices().rev().map(|(at, _)| at).take_while(|at| source.len() - at <= MOST);
    source.get(cut.last().unwrap_or(0)..).unwrap_or_default().to_owned()
}

fn read(body: &[u8]) -> Result<Vec<Line>, String> {
    let lines = body.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| match serde_json::from_slice(line) {
            Ok(Told::Route(route)) => Ok(Line::Route(route)),
            Ok(Told::Refused { line, error: Fault { kind: reason, message } }) => {
                Ok(Line::Refused(line.saturating_sub(1), Refusal { reason, message }))
            }
            Err(error) => Err(error.to_string()),
        })
        .collect()
}

fn later(after: Option<Duration>, trouble: Trouble) -> NotNow {
    match trouble {
        Trouble::Away { why, .. } => {
            let hint = super::trust::hint(&why);
            NotNow::Later { after, refused: Refused::new(Why::Unavailable, why).hint(hint) }
        }
        Trouble::Token(refused) => NotNow::Refused(refused),
        Trouble::Refused(said) => match said.refused() {
            refused if refused.kind == Why::Unavailable => NotNow::Later { after, refused },
            refused => NotNow::Refused(refused),
        },
    }
}

/// What was said, whoever said it.
fn spoken(failed: Failed) -> Refused {
    match failed {
        Failed::Trouble(Trouble::Away { why, .. }) => Refused::new(Why::Unavailable, why),
        Failed::Trouble(Trouble::Token(refused)) | Failed::Stranger { refused, .. } => refused,
        Failed::Trouble(Trouble::Refused(said)) => said.refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(named("day.jsonl"), "day.jsonl");
        let long = format!("{}/é.jsonl", "x".repeat(300));
        let cut = named(&long);
        assert!(cut.len() <= 200 && cut.ends_with("x/é.jsonl"), "{cut}");
        assert_eq!(named(""), "");
    }

    #[test]
    fn answers_are_routes_and_refusals_with_their_place() {
        let told = br#"{"line":2,"error":{"kind":"invalid_json","message":"no"}}"#;
        let refusal = Refusal { reason: "invalid_json".into(), message: "no".into() };
        assert_eq!(read(told), Ok(vec![Line::Refused(1, refusal)]));
        assert!(read(b"<html>").is_err());
        assert_eq!(read(b""), Ok(Vec::new()));
    }
}
