//! The task that finds out when the desk is back and sends what waits, in order.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::outbox::{Heard, Job};
use super::said::Trouble;
use super::{Inner, kept, offline};
use crate::domain::Timestamp;
use crate::protocol::{Command, Fate, Query, Reply};

/// How often a desk that is away is looked for: at first, and after a while.
const SOON: Duration = Duration::from_millis(500);
const SELDOM: Duration = Duration::from_secs(5);
/// How often to look whether another process on this machine left something.
const LOOK: Duration = Duration::from_secs(2);

/// Between two looks for a desk that is away, whatever happens here meanwhile.
const BREATH: Duration = Duration::from_millis(100);

/// Runs until the desk it works for is dropped.
pub(super) async fn run(inner: Weak<Inner>, nudge: Arc<Notify>) {
    let mut wait = SOON;
    let mut turn = None;
    loop {
        let Some(desk) = inner.upgrade() else { return };
        if desk.is_away() {
            desk.probe().await;
        }
        let away = desk.is_away();
        let pause = if away {
            turn = None;
            wait = (wait * 2).min(SELDOM);
            wait
        } else {
            wait = SOON;
            desk.look_on_disk().await;
            desk.deliver(&mut turn).await
        };
        // Waiting keeps nothing alive that nobody else uses.
        drop(desk);
        if away {
            tokio::time::sleep(BREATH).await;
        }
        if pause > Duration::ZERO {
            let _ = tokio::time::timeout(pause, nudge.notified()).await;
        }
    }
}

impl Inner {
    /// Is the desk back?
    async fn probe(&self) {
        if let Ok(Reply::Header(header)) = self.query(&Query::Header).await {
            let name = header.reviewer.name.clone();
            self.state().header = Some(((*header).clone(), Timestamp::now()));
            let _ = self.kept(move |k| k.keep_last(&format!("header {name}"), &header)).await;
        }
    }

    /// What another process on this machine left here, or sent.
    async fn look_on_disk(&self) {
        match self.kept(|kept| Ok(kept.changed())).await {
            Ok(true) => drop(self.reload().await),
            Ok(false) => {}
            Err(refused) => tracing::warn!(why = refused.message, "the outbox cannot be read"),
        }
    }

    /// What waits, as it is on disk. Only while nothing is under way. `false`: it cannot be read.
    async fn reload(&self) -> bool {
        loop {
            let look = self.state().outbox.look();
            let me = self.me.clone();
            let waiting = match self.kept(move |kept| kept.waiting(&me)).await {
                Ok(waiting) => waiting,
                Err(refused) => {
                    tracing::warn!(why = refused.message, "the outbox cannot be read");
                    return false;
                }
            };
            let mut state = self.state();
            let before = state.outbox.unsent();
            // What was given or taken back since the look is not in what was found.
            if state.outbox.seen(look, waiting) {
                let changed = state.outbox.unsent() != before;
                drop(state);
                if changed {
                    self.tell();
                }
                return true;
            }
        }
    }

    /// Sends the next verdict, if there is one; how long to wait then.
    async fn deliver(&self, turn: &mut Option<kept::Turn>) -> Duration {
        if self.state().outbox.is_empty() {
            *turn = None;
            self.deliver_drafts().await;
            return LOOK;
        }
        if turn.is_none() {
            let me = self.me.clone();
            *turn = self.kept(move |kept| Ok(kept.turn(&me))).await.ok().flatten();
            if turn.is_none() {
                return LOOK;
            }
        }
        let now = Timestamp::now();
        let next = self.state().outbox.next(now);
        let Some(job) = next else {
            let wake = self.state().outbox.wake();
            let left = wake.map(|at| at.duration_since(now));
            return left.and_then(|d| Duration::try_from(d).ok()).unwrap_or(LOOK).min(LOOK);
        };
        let id = job.request.request_id.clone();
        // Noted before it goes: what may have arrived is never taken back as if it had not.
        let heard = match self.kept(move |kept| kept.tried(&id)).await {
            Ok(true) => self.send(&job).await,
            // Another process sent it, or it was taken back.
            Ok(false) => {
                if !self.reload().await {
                    self.heard(job, Heard::Lost).await;
                }
                return Duration::ZERO;
            }
            Err(refused) => {
                tracing::error!(why = refused.message, "the outbox cannot be written");
                Heard::Lost
            }
        };
        self.heard(job, heard).await;
        Duration::ZERO
    }

    async fn send(&self, job: &Job) -> Heard {
        Heard::from(self.command(&Command::Review(Box::new(job.request.clone()))).await)
    }

    async fn heard(&self, job: Job, heard: Heard) {
        let mut byte = [0; 1];
        let chance = getrandom::fill(&mut byte).map_or(0.5, |()| f64::from(byte[0]) / 255.0);
        let fate = super::outbox::fate(heard.clone());
        if let Some(fate) = fate {
            let verdict = job.request.verdict.verdict;
            let arrived = crate::protocol::Arrived {
                number: 0,
                item: job.request.item.clone(),
                verdict,
                fate,
            };
            let said =
                matches!(arrived.fate, Fate::Refused(_)).then(|| offline::draft_of(&job.request));
            let on_disk = job.clone();
            let written =
                self.kept(move |kept| kept.answered(&on_disk, &arrived, said.as_ref())).await;
            if let Err(refused) = written {
                // It is sent again, and answered as a duplicate: nothing is lost or done twice.
                tracing::error!(why = refused.message, "an answer cannot be written down");
                let mut state = self.state();
                state.outbox.heard(&job.request.request_id, Heard::Lost, Timestamp::now(), chance);
                return;
            }
        }
        let now = Timestamp::now();
        let settled = self.state().outbox.heard(&job.request.request_id, heard, now, chance);
        if settled.is_some() {
            self.tell();
        }
    }

    /// Drafts that were typed while the desk was away.
    async fn deliver_drafts(&self) {
        let me = self.me.clone();
        let Ok(drafts) = self.kept(move |kept| kept.drafts(&me)).await else { return };
        for (item, draft) in drafts {
            let command = Command::SaveDraft { item: item.clone(), draft: draft.clone() };
            match self.command(&command).await {
                // One that the desk does not take (the item is not open any more) is let go.
                Ok(_) => {}
                Err(Trouble::Refused(said)) if !said.not_now() => {}
                Err(_) => return,
            }
            let me = self.me.clone();
            let _ = self.kept(move |kept| kept.draft_told(&me, &item, &draft)).await;
        }
    }
}
