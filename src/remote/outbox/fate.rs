//! What an answer means for a verdict that waits: its fate, or another try.

use crate::protocol::{Answer, Fate, Reviewed};
use crate::remote::said::{Said, Trouble};

/// What came back for a verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The desk answered.
    Answer(Result<Box<Reviewed>, Said>),
    /// Nothing came back that the desk said: whether it has the verdict is not known.
    Lost,
}

impl From<Result<Answer, Trouble>> for Heard {
    fn from(came: Result<Answer, Trouble>) -> Self {
        match came {
            Ok(Answer::Reviewed(reviewed)) => Self::Answer(Ok(Box::new(reviewed))),
            Err(Trouble::Refused(said)) => Self::Answer(Err(said)),
            // (With another token it may be taken.)
            Ok(_) | Err(Trouble::Away { .. } | Trouble::Token(_)) => Self::Lost,
        }
    }
}

/// The fate that was told; `None`: it is to be sent again.
pub fn fate(heard: Heard) -> Option<Fate> {
    match heard {
        Heard::Lost => None,
        Heard::Answer(Ok(reviewed)) => Some(match reviewed.clash {
            Some(clash) => Fate::Clash(clash),
            None => Fate::Applied,
        }),
        Heard::Answer(Err(said)) if said.not_now() => None,
        Heard::Answer(Err(said)) => Some(Fate::Refused(said.refused())),
    }
}
