//! The ticker: what happens by itself as time passes and the log grows.
//!
//! Any process may tick; one at a time acts ([`turn`]). A tick keeps the windows, follows the log
//! (change detectors), opens incidents that effects asked for, lets clocks run out, looks at every condition
//! on windows, and moves breakers and limits. Each step is one commit: what it does, its cursor,
//! its latches and the words that go out; its premises are the turn, the policy, and the version of
//! every state it read. A step that is cut off before its commit has not happened, and one that is
//! committed is not repeated. One that fails is told, and the others go on.

mod acts;
mod breakers;
mod conditions;
mod deeds;
mod follow;
mod forewarn;
mod incidents;
mod latch;
mod sla;
mod standing;
mod turn;

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use jiff::SignedDuration;
use serde::Serialize;

use self::deeds::Deeds;
pub(super) use self::incidents::notices as incident_notices;
use self::turn::{Claim, Turn};
use super::core::{Core, Sight, Trouble, json, lock, refuse};
use super::{Door, Local};
use crate::authority::{self, Subject};
use crate::domain::Timestamp;
use crate::protocol::{Act, Refused, Why};
use crate::store::{Op, Premise, Premises, StoreError, Write};

/// Conditions on windows, and on clocks before their end, are looked at this often (desk time).
const LOOK: SignedDuration = SignedDuration::from_secs(15);
/// Batches of the log that one tick follows at most.
const BATCHES: usize = 25;

/// Something that happened by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Occurrence {
    /// Desk time.
    pub at: Timestamp,
    /// `fired`, `opened`, `resolved`, `paused`, `limited`, `escalated`, `late`, `at risk`, `soon
    /// due`, `changed`, `breaker`, `limit`, `rolled back` or `settled`.
    pub what: &'static str,
    /// The slice, item, incident, queue or scope it is about.
    pub about: String,
    pub text: String,
}

/// What a process remembers between ticks.
pub(super) struct Watch {
    /// Unlike every other process's.
    me: String,
    memory: Mutex<Memory>,
    /// Entries before this one are followed already, or of no interest: they are not read again
    /// at every tick. The stored cursor may lie behind, never what has been acted on.
    passed: AtomicU64,
}

#[derive(Default)]
struct Memory {
    /// When windows were looked at last (desk time).
    looked: Option<Timestamp>,
    /// When effects were asked about what is soon due (desk time).
    asked: Option<Timestamp>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            me: uuid::Uuid::now_v7().to_string(),
            memory: Mutex::default(),
            passed: AtomicU64::new(0),
        }
    }
}

/// The row and version that fence a tick's writes.
type Fence = (String, u64);

impl Local {
    /// Let verdicts whose grace time is over take effect, and nothing else; how many did.
    pub fn settle_due(&self, by: &str) -> Result<u64, Refused> {
        self.core.may_tick(by)?;
        self.core.graces()
    }

    /// Count everything that has happened in the store's windows, however long it takes: for those
    /// who are about to look at figures where nobody ticks.
    pub fn catch_up(&self, by: &str) -> Result<(), Refused> {
        self.core.may_tick(by)?;
        loop {
            let done = self.core.keep_windows(&[])?;
            // Overtaken by another process, which goes on with it.
            if done.caught_up || done.entries == 0 {
                return Ok(());
            }
        }
    }

    /// Tick once, in the name of `by`: what happened. Empty where another process has its turn.
    pub fn watch(&self, by: &str) -> Result<Vec<Occurrence>, Refused> {
        self.core.may_tick(by)?;
        self.watch_itself()
    }

    /// Tick once in nobody's name: what is due happens whoever comes and goes. For a process that
    /// was started to do so, as the server is.
    pub fn watch_itself(&self) -> Result<Vec<Occurrence>, Refused> {
        let settled = self.core.graces();
        let mut all = self.core.watch()?;
        let settled = settled?;
        if settled > 0 {
            let sight = self.core.sight()?;
            let text = format!("{} took effect", crate::text::many(settled, "verdict", "verdicts"));
            let about = "verdicts".to_owned();
            all.insert(0, Occurrence { at: sight.now, what: "settled", about, text });
        }
        Ok(all)
    }

    /// Between two ticks: where much was admitted, count some of it while it is at hand.
    pub fn count_in(&self) -> Result<(), Refused> {
        let core = &self.core;
        if !core.fresh.is_much() {
            return Ok(());
        }
        let _one_at_a_time = lock(&core.watch.memory);
        if let Some(fence) = core.turn_to_tick()? {
            lock(&core.keeper).step(core, &[fence])?;
        }
        Ok(())
    }
}

/// What went wrong in a tick: a step that fails keeps no other from its turn.
#[derive(Default)]
struct Failed {
    first: Option<Refused>,
}

impl Failed {
    /// How a step ended; `false`: it is put off. An error where no step can go on.
    fn step(&mut self, step: &'static str, ended: Result<(), Trouble>) -> Result<bool, Refused> {
        let refused = match ended {
            Ok(()) => return Ok(true),
            Err(Trouble::Store(StoreError::Premise(premise))) => {
                tracing::debug!(step, %premise, "a step of the tick is put off");
                return Ok(false);
            }
            Err(Trouble::Store(error)) => refuse(error),
            Err(Trouble::Refused(refused)) => refused,
        };
        if refused.kind == Why::Unavailable {
            return Err(refused);
        }
        tracing::error!(step, why = refused.message, "a step of the tick failed");
        self.first.get_or_insert(refused);
        Ok(true)
    }
}

impl Core {
    /// May somebody of this name say that time has passed?
    fn may_tick(&self, by: &str) -> Result<(), Refused> {
        let may = self.actor(by).and_then(|a| authority::may(&a, Act::Tick, Subject::default()));
        self.noted((&Door::default(), by, authority::name(Act::Tick), ""), may)
    }

    /// Tick: everything that is due, if it is this process's turn.
    pub(super) fn watch(&self) -> Result<Vec<Occurrence>, Refused> {
        self.watch_at(None)
    }

    /// A look at what holds, at this desk time if that is later than the store's.
    fn sight_at(&self, now: Option<Timestamp>) -> Result<Sight, Refused> {
        let mut sight = self.sight()?;
        sight.now = now.map_or(sight.now, |now| now.max(sight.now));
        Ok(sight)
    }

    /// Tick at a desk time that the store has not reached yet (`None`: now).
    pub(super) fn watch_at(&self, now: Option<Timestamp>) -> Result<Vec<Occurrence>, Refused> {
        let mut memory = lock(&self.watch.memory);
        let Some(fence) = self.turn_to_tick()? else { return Ok(Vec::new()) };
        let mut said = Vec::new();
        let mut failed = Failed::default();
        let kept = lock(&self.keeper).advance(self, std::slice::from_ref(&fence));
        failed.step("windows", kept.map(drop).map_err(Trouble::from))?;
        failed.step("log", self.follow_on(now, &fence, &mut said))?;
        failed.step("refused attempts", self.tell_counted().map_err(Trouble::from))?;
        // Those that effects asked for.
        let opened = self.step(now, &fence, &mut said, |deeds| acts::rows(self, deeds));
        failed.step("incidents", opened)?;
        failed.step("clocks", self.overdue(now, &fence, &mut said))?;
        let warned = self.step(now, &fence, &mut said, |deeds| self.warn(deeds));
        failed.step("warnings", warned)?;
        let at = self.sight_at(now)?.now;
        if memory.asked.is_none_or(|before| at.duration_since(before) >= LOOK) {
            memory.asked = Some(at);
            failed.step("what is soon due", self.forewarn(now, &fence, &mut said))?;
        }
        if memory.looked.is_none_or(|before| at.duration_since(before) >= LOOK) {
            let found = self.step(now, &fence, &mut said, |deeds| self.look_at_conditions(deeds));
            let conditions = failed.step("conditions", found)?;
            let found = self.step(now, &fence, &mut said, |deeds| self.look_at_breakers(deeds));
            let breakers = failed.step("breakers", found)?;
            // What is put off is looked at again at once.
            if conditions && breakers {
                memory.looked = Some(at);
            }
        }
        failed.first.map_or(Ok(said), Err)
    }

    /// Follow the log, batch by batch.
    fn follow_on(
        &self,
        now: Option<Timestamp>,
        fence: &Fence,
        said: &mut Vec<Occurrence>,
    ) -> Result<(), Trouble> {
        for _ in 0..BATCHES {
            let sight = self.sight_at(now)?;
            let mut deeds = Deeds::new(self, &sight);
            let more = self.follow(&mut deeds)?;
            self.done(deeds, fence, said)?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// One step: decide on a look of its own, and commit.
    fn step(
        &self,
        now: Option<Timestamp>,
        fence: &Fence,
        said: &mut Vec<Occurrence>,
        decide: impl FnOnce(&mut Deeds<'_>) -> Result<(), Refused>,
    ) -> Result<(), Trouble> {
        let sight = self.sight_at(now)?;
        let mut deeds = Deeds::new(self, &sight);
        decide(&mut deeds)?;
        self.done(deeds, fence, said)
    }

    /// What rules on windows say. Without a policy there are none.
    fn look_at_conditions(&self, deeds: &mut Deeds<'_>) -> Result<(), Refused> {
        if deeds.sight.policy.is_none() {
            return Ok(());
        }
        self.stand(deeds)?;
        self.conditions(deeds)
    }

    fn look_at_breakers(&self, deeds: &mut Deeds<'_>) -> Result<(), Refused> {
        if deeds.sight.policy.is_none() {
            return Ok(());
        }
        self.breakers(deeds)
    }

    /// Commit a step. Where something it was decided on has changed, the next tick decides again.
    fn done(
        &self,
        deeds: Deeds<'_>,
        fence: &Fence,
        said: &mut Vec<Occurrence>,
    ) -> Result<(), Trouble> {
        if deeds.is_empty() {
            return Ok(());
        }
        let (mut write, words) = deeds.write()?;
        write.premises.state.push(fence.clone());
        self.commit(write)?;
        said.extend(words);
        Ok(())
    }

    /// As [`Self::take_turn`]; what was kept for the windows goes where they are another's.
    fn turn_to_tick(&self) -> Result<Option<Fence>, Refused> {
        let turn = self.take_turn()?;
        if turn.is_none() {
            self.fresh.forget();
        }
        Ok(turn)
    }

    /// Have the turn, or take it where it is free. `None`: another process has it.
    fn take_turn(&self) -> Result<Option<Fence>, Refused> {
        let fence = |version| Some((turn::KEY.to_owned(), version));
        let wall = super::core::millis(self.wall_now());
        let stored = self.store.state(turn::KEY).map_err(refuse)?;
        let version = stored.as_ref().map_or(0, |s| s.version);
        // One that cannot be read is nobody's.
        let held: Option<Turn> = stored.and_then(|s| serde_json::from_slice(&s.value).ok());
        match turn::claim(held.as_ref(), &self.watch.me, wall) {
            Claim::Mine => Ok(fence(version)),
            Claim::Wait => Ok(None),
            Claim::Take(turn) => {
                let took = self.hold_turn(&turn, version)?;
                Ok(took.then(|| fence(version + 1)).flatten())
            }
        }
    }

    fn hold_turn(&self, turn: &Turn, version: u64) -> Result<bool, Refused> {
        let premises =
            Premises { state: vec![(turn::KEY.to_owned(), version)], ..Premises::default() };
        let op = Op::PutState { key: turn::KEY.to_owned(), value: Some(json(turn)?) };
        let now = self.store.snapshot().map_err(refuse)?.desk_time;
        match self.store.commit(Write { premises, now, ops: vec![op] }).wait() {
            Ok(_) => Ok(true),
            Err(StoreError::Premise(Premise::State(_))) => Ok(false),
            Err(error) => Err(refuse(error)),
        }
    }

    /// Give the turn up, so that nobody has to wait for it to run out.
    pub(super) fn end_turn(&self) -> Result<(), Refused> {
        let Some(stored) = self.store.state(turn::KEY).map_err(refuse)? else { return Ok(()) };
        let held: Option<Turn> = serde_json::from_slice(&stored.value).ok();
        if let Some(turn) = held.filter(|turn| turn.holder == self.watch.me) {
            let over = Turn { until: super::core::millis(self.wall_now()), ..turn };
            self.hold_turn(&over, stored.version)?;
        }
        Ok(())
    }
}
