//! What an answer means for a verdict that waits: its fate, or another try.

use crate::protocol::{Fate, Refused, Reviewed, Why};

/// What came back for a verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The desk answered.
    Answer(Result<Box<Reviewed>, Refused>),
    /// Nothing came back that the desk said: whether it has the verdict is not known.
    Lost,
}

/// The fate that was told; `None`: it is to be sent again.
pub fn fate(heard: Heard) -> Option<Fate> {
    match heard {
        Heard::Lost => None,
        Heard::Answer(Ok(reviewed)) => Some(match reviewed.clash {
            Some(clash) => Fate::Clash(clash),
            None => Fate::Applied,
        }),
        // The desk cannot do anything now; a later try may find it well.
        Heard::Answer(Err(Refused {
            kind: Why::Unavailable | Why::Internal | Why::Damaged,
            ..
        })) => None,
        Heard::Answer(Err(refused)) => Some(Fate::Refused(refused)),
    }
}
