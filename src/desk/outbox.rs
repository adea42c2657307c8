//! The outbox as a courier sees it: what waits to go out into the world, and what became of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Local;
use super::contain::effect;
use super::core::{Core, json, millis, refuse};
use crate::domain::Timestamp;
use crate::policy::Notifier;
use crate::protocol::{Refused, SyncView};
use crate::store::{Op, OutgoingAsk, Premises, StoreError, Write};

/// The small states that say who delivers: messages, and corrections to backends.
const TURN: &str = "courier/turn";
const BACKENDS_TURN: &str = "sync/turn";
/// Longer than any turn lasts, of whatever version, and than clocks of nodes lie apart.
const LONGEST_TURN: Duration = Duration::from_secs(300);

/// How many waiting effects are listed at most.
const LISTED: usize = 50;

/// Who may deliver, and until when (wall time).
#[derive(Serialize, Deserialize)]
struct Turn {
    holder: String,
    until: Timestamp,
}

/// Something that waits to go out.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// Rises with every row.
    pub number: u64,
    pub key: String,
    /// `notify` or `reply`.
    pub kind: String,
    pub payload: Value,
    /// How often it was tried.
    pub attempts: u32,
    /// Wall time before which it is not tried again; `None`: at once.
    pub next_at: Option<Timestamp>,
}

/// Where a courier gets its parcels from and says what became of them. Calls block.
pub trait Outbox: Send + Sync + 'static {
    /// Name of this desk's log: makes ids of messages its own.
    fn origin(&self) -> Result<String, Refused>;

    /// The notifiers of the policy in force.
    fn notifiers(&self) -> Result<Vec<Notifier>, Refused>;

    /// Parcels of this kind that are neither held, given up nor gone, with a number above `after`,
    /// oldest first, due or not.
    fn waiting(&self, kind: &str, after: u64, limit: usize) -> Result<Vec<Parcel>, Refused>;

    /// The same without what they say (`null`): a row says the same for as long as it waits, so
    /// who has read it once needs to know only that it is there, and when it is due.
    fn bare(&self, kind: &str, after: u64, limit: usize) -> Result<Vec<Parcel>, Refused>;

    /// These went out, or need not any more.
    fn done(&self, keys: &[&str]) -> Result<(), Refused>;

    /// This one was tried: when next (wall time); `None`: given up, until somebody says otherwise.
    fn tried(&self, key: &str, error: &str, next_at: Option<Timestamp>) -> Result<(), Refused>;

    /// Be the one who delivers, for this long: one process at a time. `false`: another is.
    fn turn(&self, holder: &str, time: Duration) -> Result<bool, Refused>;

    /// Let another deliver.
    fn end_turn(&self, holder: &str) -> Result<(), Refused>;
}

impl Core {
    fn deliver(&self, premises: Premises, ops: Vec<Op>) -> Result<(), StoreError> {
        let now = self.store.snapshot()?.desk_time;
        self.store.commit(Write { premises, now, ops }).wait().map(|_| ())
    }

    fn parcels(
        &self,
        kind: &str,
        after: u64,
        limit: usize,
        bare: bool,
    ) -> Result<Vec<Parcel>, Refused> {
        let kind = Some(kind.to_owned());
        let ask = OutgoingAsk { kind, after, limit, bare, ..OutgoingAsk::default() };
        let rows = self.store.outgoing(&ask).map_err(refuse)?;
        Ok(rows
            .into_iter()
            .map(|row| Parcel {
                number: row.number,
                key: row.key,
                kind: row.kind,
                payload: row.payload,
                attempts: row.attempts,
                next_at: row.next_at,
            })
            .collect())
    }

    /// The turn as it stands, with its version.
    fn standing(&self, key: &str) -> Result<(Option<Turn>, u64), Refused> {
        let state = self.store.state(key).map_err(refuse)?;
        let version = state.as_ref().map_or(0, |s| s.version);
        // What cannot be read is nobody's.
        let turn = state.and_then(|s| serde_json::from_slice(&s.value).ok());
        Ok((turn, version))
    }

    fn put_turn(&self, key: &str, turn: Option<&Turn>, version: u64) -> Result<bool, Refused> {
        let premises = Premises { state: vec![(key.into(), version)], ..Premises::default() };
        let value = turn.map(json).transpose()?;
        match self.deliver(premises, vec![Op::PutState { key: key.into(), value }]) {
            Ok(()) => Ok(true),
            Err(StoreError::Premise(_)) => Ok(false),
            Err(error) => Err(refuse(error)),
        }
    }

    /// Be the one who has this turn, for this long. `false`: another has it.
    fn claim_turn(&self, key: &str, holder: &str, time: Duration) -> Result<bool, Refused> {
        let now = self.wall_now();
        let (standing, version) = self.standing(key)?;
        // (One that ends later than any turn ever lasts is over: the clock was set back since.)
        if let Some(turn) = &standing
            && turn.holder != holder
            && (now..=now + LONGEST_TURN).contains(&turn.until)
        {
            return Ok(false);
        }
        // Far from its end it needs no renewal.
        if let Some(turn) = &standing
            && turn.holder == holder
            && turn.until > now + time / 2
        {
            return Ok(true);
        }
        let turn = Turn { holder: holder.to_owned(), until: millis(now + time) };
        self.put_turn(key, Some(&turn), version)
    }

    /// Let another have it.
    fn leave_turn(&self, key: &str, holder: &str) -> Result<(), Refused> {
        let (standing, version) = self.standing(key)?;
        if standing.is_some_and(|turn| turn.holder == holder) {
            self.put_turn(key, None, version)?;
        }
        Ok(())
    }
}

impl Local {
    /// As [`Outbox::turn`], for what goes to backends.
    pub fn backends_turn(&self, holder: &str, time: Duration) -> Result<bool, Refused> {
        self.core.claim_turn(BACKENDS_TURN, holder, time)
    }

    /// Let another process send to backends.
    pub fn end_backends_turn(&self, holder: &str) -> Result<(), Refused> {
        self.core.leave_turn(BACKENDS_TURN, holder)
    }
}

impl Core {
    /// What has not gone out (counts, and the first of those held, given up and waiting), and how
    /// each backend stands.
    pub(super) fn sync_view(&self) -> Result<SyncView, Refused> {
        let mut outgoing = self.outgoing()?;
        let ask = OutgoingAsk { limit: LISTED, ..OutgoingAsk::default() };
        let waiting = self.store.outgoing(&ask).map_err(refuse)?;
        outgoing.listed.extend(waiting.into_iter().map(effect));
        let backends = self.backend_views(&self.sight()?)?;
        Ok(SyncView { outgoing, backends })
    }
}

impl Outbox for Local {
    fn origin(&self) -> Result<String, Refused> {
        self.core.store.snapshot().map(|s| s.origin).map_err(refuse)
    }

    fn notifiers(&self) -> Result<Vec<Notifier>, Refused> {
        let sight = self.core.sight()?;
        Ok(sight.policy.map(|p| p.notifiers().to_vec()).unwrap_or_default())
    }

    fn waiting(&self, kind: &str, after: u64, limit: usize) -> Result<Vec<Parcel>, Refused> {
        self.core.parcels(kind, after, limit, false)
    }

    fn bare(&self, kind: &str, after: u64, limit: usize) -> Result<Vec<Parcel>, Refused> {
        self.core.parcels(kind, after, limit, true)
    }

    fn done(&self, keys: &[&str]) -> Result<(), Refused> {
        let ops = keys.iter().map(|key| Op::EffectDone { key: (*key).to_owned() }).collect();
        self.core.deliver(Premises::default(), ops).map_err(refuse)
    }

    fn tried(&self, key: &str, error: &str, next_at: Option<Timestamp>) -> Result<(), Refused> {
        let op = Op::EffectTried {
            key: key.to_owned(),
            error: error.to_owned(),
            next_at: next_at.map(millis),
        };
        self.core.deliver(Premises::default(), vec![op]).map_err(refuse)
    }

    fn turn(&self, holder: &str, time: Duration) -> Result<bool, Refused> {
        self.core.claim_turn(TURN, holder, time)
    }

    fn end_turn(&self, holder: &str) -> Result<(), Refused> {
        self.core.leave_turn(TURN, holder)
    }
}
