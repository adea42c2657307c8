//! Corrections to where the team's labelled data lives: one file a kind of backend.
//!
//! [`Syncer`] collects what is new into the outbox, and carries each backend's rows there in their
//! order: a row is marked after the answer, so delivery is at least once, and every receiver is
//! told an id by which a second time changes nothing. While a backend cannot be reached its oldest
//! row waits, longer each time, and all others wait behind it; a row that the backend itself
//! refuses is given up and holds up nobody.

pub mod file;
mod label_studio;
mod mlflow;
mod overrule;
mod place;
mod syncer;
mod webhook;

use super::Stamp;
use super::request::Request;
use super::wire::{Trouble, Wire};
use crate::desk::backends::Cargo;
use crate::desk::outbox::Parcel;
use crate::domain::{Correction, Timestamp};
use crate::policy::BackendKind;
use crate::sync::Response;

pub use label_studio::config::labeling_config;
pub use place::{Place, Unready};
pub use syncer::Syncer;

/// One row with what it stands for.
#[derive(Clone, Debug)]
pub struct Load {
    pub parcel: Parcel,
    pub cargo: Cargo,
}

/// What became of a batch, row by row; what is not named was not tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Keys of rows that arrived.
    pub sent: Vec<String>,
    /// Keys of rows that need not go.
    pub gone: Vec<String>,
    /// Rows that never will, and why.
    pub refused: Vec<(String, String)>,
    /// The backend cannot be reached now, and how long it asks us to wait.
    pub later: Option<(String, Option<std::time::Duration>)>,
}

/// What a sender needs besides its rows.
pub struct Sender<'a> {
    pub place: &'a Place,
    pub wire: &'a dyn Wire,
    /// Name of this desk's log.
    pub origin: &'a str,
    /// How messages name the sender.
    pub source: &'a str,
    pub tags: &'a [crate::policy::Tag],
    pub now: Timestamp,
}

impl Sender<'_> {
    /// Send a batch, oldest first.
    pub async fn deliver(&self, loads: &[Load]) -> Delivered {
        match self.place.backend.kind {
            BackendKind::Overrule => overrule::deliver(self, loads).await,
            BackendKind::Webhook => webhook::deliver(self, loads).await,
            BackendKind::File => file::deliver(self, loads).await,
            BackendKind::LabelStudio => label_studio::deliver(self, loads).await,
            BackendKind::Mlflow => mlflow::deliver(self, loads).await,
        }
    }

    /// One exchange. `Err`: nobody answered, or nobody may be asked.
    async fn exchange(&self, request: &Request) -> Result<Response, String> {
        match self.wire.send(request).await {
            Ok(response) => Ok(response),
            Err(Trouble::Unreachable(why)) => Err(why),
            Err(other) => Err(request.scrub(&other.to_string())),
        }
    }

    fn stamp(&self, key: &str) -> Stamp {
        Stamp::new(self.origin, key, self.source, self.now)
    }
}

/// A correction as it leaves: what `learn export` writes, and whose it is.
#[derive(Debug, serde::Serialize)]
struct Leaving<'a> {
    #[serde(flatten)]
    correction: &'a Correction,
    /// Name of the log it comes from.
    origin: &'a str,
    /// Of one id, the highest holds.
    seq: u64,
}

/// Is an answer of this status about the set-up rather than about the message?
fn set_up(status: u16) -> bool {
    matches!(status, 401 | 403 | 404 | 405)
}
