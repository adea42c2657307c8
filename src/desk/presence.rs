//! Who has which queues open: told by the app whenever it looks, kept beside the log, over by itself.
//!
//! Nothing rests on it and it is no entry of the trail: a person who left is named for two and a
//! half minutes at most. It is one small state a person, written again when half of that time is
//! over, so a team of hundreds costs a few small commits a second.

use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::core::{Core, Sight, json, lock, refuse};
use crate::authority::{self, Subject};
use crate::domain::{Reviewer, Timestamp};
use crate::protocol::{Act, Refused};
use crate::store::{Op, Premises, Write};

/// One person: this and their name.
const KEY: &str = "here/";
/// How long somebody is there without looking again; an app looks every 30 s.
const STAYS: SignedDuration = SignedDuration::from_secs(150);
/// How old what this process knows may be.
const KNOWN: SignedDuration = SignedDuration::from_secs(5);

/// Somebody who has queues open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Here {
    #[serde(default)]
    name: String,
    queues: Vec<String>,
    until: Timestamp,
}

/// What was read last, and when.
pub(super) type Known = Option<(Timestamp, Arc<Vec<Here>>)>;

impl Core {
    /// `actor` looks at this queue, or at all of theirs. What cannot be kept is not: that they look
    /// matters more than that others see it.
    pub(super) fn here(&self, sight: &Sight, actor: &Reviewer, queue: Option<&str>) {
        if authority::may(actor, Act::Lease, Subject::default()).is_err() {
            return;
        }
        let kept = self.open_to(sight, actor, queue).and_then(|queues| {
            let here = Here {
                name: actor.name.clone(),
                queues,
                until: super::core::millis(sight.wall + STAYS),
            };
            self.keep_here(sight, here)
        });
        if let Err(refused) = kept {
            tracing::debug!(why = refused.message, "who looks at a queue is not told");
        }
    }

    fn keep_here(&self, sight: &Sight, here: Here) -> Result<(), Refused> {
        let known = self.at_queues(sight.wall)?;
        let fresh = |was: &Here| was.until > sight.wall + STAYS / 2 && was.queues == here.queues;
        if known.iter().any(|was| was.name == here.name && fresh(was)) {
            return Ok(());
        }
        let put = Op::PutState { key: format!("{KEY}{}", here.name), value: Some(json(&here)?) };
        let write =
            Write { premises: Premises::default(), now: sight.snapshot.desk_time, ops: vec![put] };
        self.store.commit(write).wait().map_err(refuse)?;
        let mut all: Vec<Here> =
            known.iter().filter(|was| was.name != here.name).cloned().collect();
        all.push(here);
        if let Some((_, known)) = &mut *lock(&self.here) {
            *known = Arc::new(all);
        }
        Ok(())
    }

    /// Everybody who has a queue open at wall time `wall`.
    fn at_queues(&self, wall: Timestamp) -> Result<Arc<Vec<Here>>, Refused> {
        if let Some((read, known)) = &*lock(&self.here)
            && (*read..*read + KNOWN).contains(&wall)
        {
            return Ok(known.clone());
        }
        let stored = self.store.states(KEY).map_err(refuse)?;
        let read = |(key, state): (String, crate::store::StoredState)| {
            let here: Here = serde_json::from_slice(&state.value).ok()?;
            key.strip_prefix(KEY).map(|name| Here { name: name.to_owned(), ..here })
        };
        let known: Arc<Vec<Here>> = Arc::new(stored.into_iter().filter_map(read).collect());
        *lock(&self.here) = Some((wall, known.clone()));
        Ok(known)
    }

    /// Those who have `queue` open, beside those who hold one of its items.
    pub(super) fn with_those_here(
        &self,
        wall: Timestamp,
        queue: &str,
        mut holders: Vec<String>,
    ) -> Result<Vec<String>, Refused> {
        let known = self.at_queues(wall)?;
        // (One that ends later than anybody stays is over: the clock was set back since.)
        let there = |h: &&Here| {
            (wall..=wall + STAYS).contains(&h.until)
                && h.until > wall
                && h.queues.iter().any(|q| q == queue)
        };
        holders.extend(known.iter().filter(there).map(|h| h.name.clone()));
        holders.sort_unstable();
        holders.dedup();
        Ok(holders)
    }
}
