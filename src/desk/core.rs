//! What every use-case stands on: the store, the clock, the policy in force, who is asking.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::contain::{Begun, Controls, Cooldowns, Gauges};
use super::denials::Denials;
use super::keys::Keys;
use super::salts::fresh_salt;
use super::signals::{Fresh, Frozen, Keeper};
use super::tokens::Tokens;
use super::watch::Watch;
use crate::audit::{Entry, Salt, commit};
use crate::containment::Control;
use crate::domain::life::{LifeError, QueueTerms};
use crate::domain::{Reviewer, Timestamp};
use crate::policy::Policy;
use crate::protocol::{Refused, Why};
use crate::store::{
    Body, Committed, EntryDraft, Premise, Premises, Snapshot, Store, StoreError, Write,
};

/// Wall time, injectable.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The parts of a desk that its use-cases share.
pub(super) struct Core {
    pub(super) store: Arc<dyn Store>,
    pub(super) wall: WallClock,
    /// Short name of the store, for the header.
    pub(super) name: String,
    pub(super) keys: Keys,
    /// The policy in force, compiled; refreshed when the store's hash differs.
    policy: Mutex<Option<Arc<Policy>>>,
    /// The control state, and this process's own stops.
    pub(super) controls: Controls,
    /// The reference that drift is measured against.
    pub(super) frozen: Frozen,
    /// Keeps the windows, where this process is the one that ticks.
    pub(super) keeper: Mutex<Keeper>,
    /// What this process has just admitted, for its keeper.
    pub(super) fresh: Fresh,
    /// Limiters, and the meters of budgets.
    pub(super) gauges: Mutex<Option<Gauges>>,
    /// Until when effects stay quiet, as far as this process knows it to be stored.
    pub(super) quiet: Cooldowns,
    /// Who has which queues open.
    pub(super) here: Mutex<super::presence::Known>,
    /// What decides where, for flags.
    pub(super) kinds: Mutex<super::flags::Kept>,
    /// Refused attempts that are counted.
    pub(super) denials: Denials,
    /// Tokens, as this process knows them.
    pub(super) tokens: Tokens,
    /// What this process remembers of its ticks.
    pub(super) watch: Watch,
    /// Number of log entries after our own last commit.
    pub(super) head: watch::Sender<u64>,
}

/// One consistent look at what decisions are taken on.
pub(super) struct Sight {
    pub(super) snapshot: Snapshot,
    pub(super) policy: Option<Arc<Policy>>,
    /// What is stopped, slowed and held, this process's own stops included; `None`: it cannot be
    /// read, and nothing may be automatic.
    pub(super) control: Option<Arc<Control>>,
    /// The same as it is stored, without stops that are not: what a change of it begins with.
    pub(super) stored: Option<Arc<Control>>,
    /// As effects of the write that is being made have changed it.
    pub(super) changed: Mutex<Option<Control>>,
    /// Cool-downs that writes decided on this look began, and that are not known to be durable: a
    /// batch may set an effect off twice before anything of it is stored.
    pub(super) cooling: Cooldowns,
    /// When it changes in [`Controls::epoch`], look again.
    pub(super) epoch: u64,
    /// Wall time of the look, in milliseconds precision.
    pub(super) wall: Timestamp,
    /// Desk time of the look.
    pub(super) now: Timestamp,
}

impl Sight {
    /// The premises every change of decisions has.
    pub(super) fn premises(&self) -> Premises {
        Premises {
            generation: Some(self.snapshot.generation),
            policy: Some(self.snapshot.policy.clone()),
            ..Premises::default()
        }
    }

    /// What the policy says of a queue entered at `now`. An unknown queue (the policy moved on)
    /// has level 1 and no clock.
    pub(super) fn terms(&self, queue: &str, now: Timestamp) -> QueueTerms {
        QueueTerms {
            level: self.level(queue),
            due_at: self.policy.as_ref().and_then(|p| p.due_at(queue, now, None)),
        }
    }

    /// How many items of a queue one person may hold; `None`: any number.
    pub(super) fn capacity(&self, queue: &str) -> Option<u32> {
        self.policy.as_ref()?.queue(queue)?.capacity
    }

    /// The level of a queue. Where no policy was ever in force it is 1; a queue that the policy no
    /// longer names, or whose policy cannot be read, needs the highest.
    pub(super) fn level(&self, queue: &str) -> u8 {
        let unknown = if self.snapshot.policy.is_some() { 3 } else { 1 };
        self.policy.as_ref().and_then(|p| p.queue(queue)).map_or(unknown, |q| q.level)
    }
}

impl Core {
    pub(super) fn new(store: Arc<dyn Store>, wall: WallClock, name: String, keys: Keys) -> Self {
        Self {
            store,
            wall,
            name,
            keys,
            policy: Mutex::new(None),
            controls: Controls::default(),
            frozen: Frozen::default(),
            keeper: Mutex::default(),
            fresh: Fresh::default(),
            gauges: Mutex::new(None),
            quiet: Cooldowns::default(),
            here: Mutex::new(None),
            kinds: Mutex::new(None),
            denials: Denials::default(),
            tokens: Tokens::default(),
            watch: Watch::new(),
            head: watch::Sender::new(0),
        }
    }

    /// Wall time, as all who share the store tell it.
    pub(super) fn wall_now(&self) -> Timestamp {
        self.store.now((self.wall)())
    }

    /// Look at what holds now.
    pub(super) fn sight(&self) -> Result<Sight, Refused> {
        let epoch = self.controls.epoch();
        let snapshot = self.store.snapshot().map_err(refuse)?;
        let known = self.known_control(snapshot.generation);
        let stored = known.control.clone();
        let control = match self.store.freshness().is_stale() {
            // Somebody may have stopped automation and this process would not know.
            true => None,
            false => self.controls.with_stops(snapshot.generation, known),
        };
        // A policy that cannot be read is none: everything goes to people, and another one can be
        // put in force.
        let policy = self.policy_of(snapshot.policy.as_deref()).unwrap_or_else(|refused| {
            tracing::error!(why = refused.message, "the policy in force cannot be read");
            None
        });
        let wall = millis(self.wall_now());
        let now =
            if snapshot.record_clock { snapshot.desk_time } else { wall.max(snapshot.desk_time) };
        let (changed, cooling) = (Mutex::new(None), Cooldowns::default());
        Ok(Sight { snapshot, policy, control, stored, changed, cooling, epoch, wall, now })
    }

    fn policy_of(&self, hash: Option<&str>) -> Result<Option<Arc<Policy>>, Refused> {
        let Some(hash) = hash else { return Ok(None) };
        if let Some(known) = lock(&self.policy).as_ref().filter(|p| p.hash() == hash) {
            return Ok(Some(known.clone()));
        }
        let policy = Arc::new(self.load_policy(hash)?);
        *lock(&self.policy) = Some(policy.clone());
        Ok(Some(policy))
    }

    /// Compile a stored policy, in force or not.
    pub(super) fn load_policy(&self, hash: &str) -> Result<Policy, Refused> {
        let stored = self.store.policy(Some(hash)).map_err(refuse)?.ok_or_else(|| {
            Refused::new(Why::Unavailable, format!("the store does not hold policy {hash}"))
                .hint("overrule audit verify checks the store")
        })?;
        let schemas = super::policy::schemas(&stored.schemas)?;
        let loaded = Policy::load_stored(&stored.source, &stored.name, &schemas);
        let policy = loaded.map_err(|found| {
            Refused::new(
                Why::Unavailable,
                format!("the policy in force does not load any more:\n{}", found.render(false)),
            )
            .hint("overrule policy activate FILE puts another one in force")
        })?;
        if policy.hash() != hash {
            return Err(Refused::new(
                Why::Damaged,
                format!("the stored policy is not the one that was activated ({hash})"),
            )
            .hint("somebody changed the store by other means: restore it from a backup"));
        }
        Ok(policy)
    }

    /// The registered reviewer of that name; refused (authority) where there is none.
    pub(super) fn actor(&self, name: &str) -> Result<Reviewer, Refused> {
        self.store.reviewer(name).map_err(refuse)?.ok_or_else(|| {
            Refused::new(Why::Authority, format!("{name} is not a registered reviewer"))
                .hint("overrule reviewer list shows who is; an admin adds people with overrule reviewer add")
        })
    }

    /// Commit, and tell whoever follows the log.
    pub(super) fn commit(&self, write: Write) -> Result<Committed, StoreError> {
        let begun = Begun::of(&write.ops);
        let done = self.store.commit(write).wait()?;
        self.cooled(begun);
        self.grown(done.head);
        Ok(done)
    }

    /// The log has `head` entries now.
    pub(super) fn grown(&self, head: u64) {
        self.head.send_if_modified(|known| {
            let more = head > *known;
            *known = head.max(*known);
            more
        });
        self.keys.checkpoint_if_due(&self.store, head, self.wall_now());
    }

    /// Decide and commit; when a premise has moved meanwhile, decide again on what holds then.
    pub(super) fn retry<T>(
        &self,
        mut attempt: impl FnMut(&Sight) -> Result<T, Trouble>,
    ) -> Result<T, Refused> {
        const ATTEMPTS: usize = 16;
        for _ in 0..ATTEMPTS {
            match attempt(&self.sight()?) {
                Ok(done) => return Ok(done),
                Err(Trouble::Refused(refused)) => return Err(refused),
                Err(Trouble::Store(StoreError::Premise(_))) => {}
                Err(Trouble::Store(error)) => return Err(refuse(error)),
            }
        }
        Err(Refused::new(Why::Unavailable, "the item keeps changing under this request")
            .hint("try again in a moment"))
    }
}

/// Why an attempt did not succeed: a refusal is final, a moved premise is not.
pub(super) enum Trouble {
    Refused(Refused),
    Store(StoreError),
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LifeError> for Trouble {
    fn from(error: LifeError) -> Self {
        Self::Refused(refuse_life(error))
    }
}

/// A store's error as a refusal.
pub(super) fn refuse(error: StoreError) -> Refused {
    let message = error.to_string();
    match error {
        StoreError::Premise(Premise::Item { .. }) => {
            Refused::new(Why::Stale, message).hint("look at it again; your draft is kept")
        }
        StoreError::Premise(_) => {
            Refused::new(Why::Unavailable, message).hint("try again in a moment")
        }
        StoreError::LeaseLost { .. } => Refused::new(Why::LeaseLost, message)
            .hint("your draft is kept; take another item, or wait until it is free"),
        StoreError::HoldsEnough { .. } => {
            Refused::new(Why::Policy, message).hint("decide one of them, or give one back")
        }
        StoreError::CountsOnce { .. } => {
            Refused::new(Why::Policy, message).hint("another person must approve it")
        }
        StoreError::RequestExists(_) => Refused::new(Why::Invalid, message),
        StoreError::Missing(_) => Refused::new(Why::NotFound, message),
        StoreError::Damaged { .. } => Refused::new(Why::Damaged, message)
            .hint("keep the file as it is; overrule audit verify says what still holds"),
        StoreError::Io { .. } | StoreError::Closed => {
            Refused::new(Why::Unavailable, message).hint("overrule doctor looks at the store")
        }
        StoreError::Unsure { .. } => Refused::new(Why::Unavailable, message)
            .hint("look whether it was done before you do it again"),
        StoreError::Newer { .. } => {
            Refused::new(Why::Unavailable, message).hint("install a newer overrule")
        }
    }
}

/// What cannot be, whoever asks.
pub(super) fn refuse_life(error: LifeError) -> Refused {
    let message = error.to_string();
    let (kind, hint) = match error {
        LifeError::Stale { .. } => (Why::Stale, "look at it again; your draft is kept"),
        LifeError::NotOpen { .. } => (Why::State, "overrule show ID says where it stands"),
        LifeError::Quarantined { .. } => {
            (Why::Policy, "overrule decide ID edit --output FILE sends the repaired record in")
        }
        LifeError::CountsOnce { .. } => (Why::Policy, "leave it to a colleague"),
        LifeError::EmptyEdit { .. } => (Why::Invalid, "give --output or --action"),
        LifeError::NoTarget { .. } => (Why::Invalid, "give --to QUEUE"),
        LifeError::SameQueue { .. } => (Why::Invalid, "name another queue"),
        LifeError::NothingToUndo { .. } => {
            (Why::LateUndo, "overrule flag ID opens a new review of a settled decision")
        }
        LifeError::NotYours { .. } => (Why::Authority, "ask them"),
        LifeError::NotSettled { .. } => (Why::State, "review it where it waits"),
    };
    Refused::new(kind, message).hint(hint)
}

/// There is no such decision.
pub(super) fn no_decision(id: &str) -> Refused {
    Refused::new(Why::NotFound, format!("there is no decision {id}"))
        .hint("overrule queue list shows what waits")
}

/// An entry draft whose bodies are committed to, each with fresh salt.
pub(super) fn draft(entry: Entry, bodies: Vec<(String, Vec<u8>)>) -> Result<EntryDraft, Refused> {
    draft_of(entry, bodies, None)
}

/// As [`draft`], of an entry whose first body is a record: `row` is the form of the decision's row.
pub(super) fn draft_of(
    mut entry: Entry,
    bodies: Vec<(String, Vec<u8>)>,
    row: Option<&[u8]>,
) -> Result<EntryDraft, Refused> {
    let mut kept = Vec::with_capacity(bodies.len());
    for (path, value) in bodies {
        let salt = fresh_salt()?;
        entry.commit_to(path.as_str(), commit(&Salt::from_bytes(salt), &path, &value));
        kept.push(Body { path, salt, value });
    }
    if let Some(form) = row {
        entry.row = super::admit::mark(kept.first(), form);
    }
    Ok(EntryDraft { item: entry.id.clone(), bytes: entry.bytes(), bodies: kept })
}

/// JSON bytes of one of our own values.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(value)
        .map_err(|e| Refused::new(Why::Internal, format!("cannot write JSON: {e}")))
}

/// The raw record as JSON; `Null` once erased.
pub(super) fn record_value(raw: Option<&[u8]>) -> Value {
    let Some(raw) = raw else { return Value::Null };
    let text = String::from_utf8_lossy(raw);
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}').trim())
        .unwrap_or_else(|_| Value::String(text.into_owned()));
    crate::domain::record::opened(value)
}

/// Cut to milliseconds, as everything stored is.
pub(super) fn millis(t: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(t.as_millisecond()).unwrap_or(t)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the lock guards is replaced whole, so a panic elsewhere cannot have left it half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
