//! How a command fails: what happened, to what, what to do next, and the exit code for it.

use std::io;

use serde_json::{Value, json};

use crate::protocol::{Refused, Why};

/// The exit codes scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 1: it could not be done.
    Failed,
    /// 2: the command line or the configuration does not make sense.
    Usage,
    /// 3: a rule refused it (authority, the policy in force, a held or settled item, refused input).
    Refused,
    /// 4: a verification failed.
    Verification,
    /// 130: interrupted from the keyboard; what was acknowledged is durable.
    Interrupted,
    /// 143: asked to end (SIGTERM); what was acknowledged is durable.
    Terminated,
    /// 0: whoever read our output went away (`| head`); that is not our failure.
    ReaderGone,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Verification => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::ReaderGone => 0,
        }
    }
}

/// A failed command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    /// A stable word for machines (`usage`, `io`, `authority`, …).
    pub kind: String,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// A longer form for people, printed before the message (underlined places in a file). Its
    /// foreign text is already clean.
    pub detail: Option<String>,
}

/// What a command comes to.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, kind: &str, message: impl Into<String>) -> Self {
        Self { exit, kind: kind.to_owned(), message: message.into(), hint: None, detail: None }
    }

    /// The command line or configuration does not make sense (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Reading or writing `what` failed (exit 1).
    pub fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::ReaderGone, "io", format!("{what}: the reader went away"));
        }
        Self::new(Exit::Failed, "io", format!("{what}: {}", plain(error)))
    }

    /// A verification found something wrong (exit 4).
    pub fn verification(message: impl Into<String>) -> Self {
        Self::new(Exit::Verification, "verification", message)
    }

    /// A desk answered something that does not belong to the question: a defect of this program.
    pub fn defect(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, "internal", message)
    }

    /// Say what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Add the longer form for people.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The `--json` form.
    pub fn to_json(&self) -> Value {
        json!({"error": {"kind": self.kind, "message": self.message, "hint": self.hint}})
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let exit = match refused.exit_code() {
            2 => Exit::Usage,
            3 => Exit::Refused,
            _ => Exit::Failed,
        };
        let kind = word(refused.kind);
        Self { exit, kind, message: refused.message, hint: refused.hint, detail: None }
    }
}

/// The stable word of a refusal, as its JSON spells it.
pub fn word(why: Why) -> String {
    match serde_json::to_value(why) {
        Ok(Value::String(word)) => word,
        _ => "internal".to_owned(),
    }
}

/// An I/O error in words, without the operating system's number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_words_and_gets_its_exit_code() {
        let refused = Refused::new(Why::LateUndo, "too late for a-1").hint("flag it");
        let failure = Failure::from(refused);
        assert_eq!(failure.exit.code(), 3);
        assert_eq!(
            failure.to_json(),
            json!({"error": {"kind": "late_undo", "message": "too late for a-1", "hint": "flag it"}})
        );
    }

    #[test]
    fn every_kind_of_refusal_has_the_contracts_code() {
        for (why, code) in [
            (Why::NotFound, 1),
            (Why::Unavailable, 1),
            (Why::Damaged, 1),
            (Why::Internal, 1),
            (Why::Invalid, 2),
            (Why::Authority, 3),
            (Why::Stale, 3),
            (Why::LeaseLost, 3),
            (Why::State, 3),
            (Why::LateUndo, 3),
            (Why::Policy, 3),
        ] {
            assert_eq!(Failure::from(Refused::new(why, "x")).exit.code(), code, "{why:?}");
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::io("standard output", &gone).exit.code(), 0);
    }
}
