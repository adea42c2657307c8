//! The window keeper: follows the log and keeps the store's windows up to date.
//!
//! Only the process whose turn it is to tick has one. Rows are absolute: what a batch of entries
//! adds is merged with what the store has, and written with the cursor in one commit whose premise
//! is the cursor's version. So every entry is counted exactly once, whatever stops or restarts in
//! between, and a keeper that was overtaken starts again from what is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::core::{Core, Sight, Trouble, json, lock, refuse};
use super::happened::{First, Follower};
use crate::domain::Timestamp;
use crate::protocol::Refused;
use crate::signals::{Registry, Remembered, Row, Tier};
use crate::store::{Op, Premises, StoreError, WindowRow, Write};

/// Where the log is followed from, and which slices have figures of their own.
const CURSOR: &str = "signals.cursor";
const SLICES: &str = "signals.slices";
/// Entries a commit, and commits a call, of all there is and of a part.
const BATCH: usize = 1_000;
const BATCHES: usize = 32;
const STEP: usize = 4;
/// Buckets kept in memory between calls: those of now, and a few late ones.
const BUCKETS: usize = 64;
/// Seconds between two looks for windows that are too old to be kept: nobody reads them meanwhile.
const HOUSEKEEPING: i64 = 6 * 3_600;
/// Entries looked through for the windows of a new reference.
const REPLAY: u64 = 50_000;

/// How far the log is in the windows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Index of the first entry that is not.
    pub(super) next: u64,
    /// Models that have no reference yet.
    #[serde(default)]
    pub(super) firsts: BTreeMap<String, First>,
    /// The hour (seconds) up to which old windows were dropped.
    #[serde(default)]
    pub(super) dropped: i64,
    /// The version of the reference whose bins everything before `next` is counted in.
    #[serde(default)]
    pub(super) reference: u64,
}

/// What a call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::desk) struct Advanced {
    /// Entries counted.
    pub(in crate::desk) entries: u64,
    /// Index of the first entry that is not counted yet.
    pub(in crate::desk) next: u64,
    /// Everything is counted.
    pub(in crate::desk) caught_up: bool,
}

/// Keeps the windows.
#[derive(Default)]
pub(in crate::desk) struct Keeper {
    at: Option<At>,
}

/// Where a keeper is.
struct At {
    follower: Follower,
    cursor: Cursor,
    /// As it is stored, and the version of that row.
    saved: Cursor,
    version: u64,
    /// Version of the slices' row, and how many there are in it.
    slices: (u64, usize),
}

/// The stored cursor with its version.
pub(super) fn cursor(core: &Core) -> Result<(Cursor, u64), Refused> {
    let stored = core.store.state(CURSOR).map_err(refuse)?;
    // A cursor that cannot be read would count everything twice: that is for people to see.
    stored.map_or(Ok((Cursor::default(), 0)), |s| {
        serde_json::from_slice(&s.value).map(|cursor| (cursor, s.version)).map_err(|e| {
            Refused::new(
                crate::protocol::Why::Damaged,
                format!("the windows' place in the log cannot be read: {e}"),
            )
        })
    })
}

/// The stored slices with the version of their row.
pub(super) fn registry(core: &Core) -> Result<(Registry, u64), Refused> {
    let stored = core.store.state(SLICES).map_err(refuse)?;
    let list = |s: &crate::store::StoredState| serde_json::from_slice::<Vec<Remembered>>(&s.value);
    // Which names have room of their own is no truth: they are found again.
    let known = stored.as_ref().and_then(|s| list(s).ok()).unwrap_or_default();
    Ok((Registry::recall(&known), stored.map_or(0, |s| s.version)))
}

impl Keeper {
    /// Count a part of what has happened since: at most 4,000 entries. As [`Keeper::advance`].
    pub(in crate::desk) fn step(
        &mut self,
        core: &Core,
        fence: &[(String, u64)],
    ) -> Result<Advanced, Refused> {
        self.advance_by(core, fence, STEP)
    }

    /// Count what has happened since. Bounded: a call takes in at most 32,000 entries; `caught_up`
    /// says whether there is more. `fence` are premises of every commit (whose turn it is).
    pub(in crate::desk) fn advance(
        &mut self,
        core: &Core,
        fence: &[(String, u64)],
    ) -> Result<Advanced, Refused> {
        self.advance_by(core, fence, BATCHES)
    }

    fn advance_by(
        &mut self,
        core: &Core,
        fence: &[(String, u64)],
        batches: usize,
    ) -> Result<Advanced, Refused> {
        let mut done = Advanced::default();
        for _ in 0..batches {
            let sight = core.sight()?;
            match self.batch(core, &sight, fence) {
                Ok((entries, next, caught_up)) => {
                    done.entries += entries;
                    done.next = next;
                    done.caught_up = caught_up;
                    if caught_up {
                        break;
                    }
                }
                // Another process keeps them now. What was not committed was in memory only: the next
                // call starts again from what is stored.
                Err(Trouble::Store(StoreError::Premise(_))) => {
                    self.at = None;
                    return Ok(done);
                }
                Err(Trouble::Store(error)) => {
                    self.at = None;
                    return Err(refuse(error));
                }
                Err(Trouble::Refused(refused)) => {
                    self.at = None;
                    return Err(refused);
                }
            }
        }
        Ok(done)
    }

    fn batch(
        &mut self,
        core: &Core,
        sight: &Sight,
        fence: &[(String, u64)],
    ) -> Result<(u64, u64, bool), Trouble> {
        let at = match &mut self.at {
            Some(at) => at,
            empty => empty.insert(At::load(core)?),
        };
        at.follower.windows.advance_to(sight.now);
        at.renew(core, sight.now)?;
        let (entries, caught_up) = at.read_on(core)?;
        if std::mem::take(&mut at.follower.set_anew) {
            at.renew(core, sight.now)?;
        }
        at.save(core, sight, fence)?;
        let ready: Vec<(String, First)> =
            at.cursor.firsts.iter().map(|(name, first)| (name.clone(), first.clone())).collect();
        for (model, first) in ready {
            if let Some(from) = core.freeze_first(sight, &model, &first, fence)? {
                // What it is made of is not compared with it: its windows begin after that.
                let before = at.cursor.reference;
                at.follower.reference = core.reference()?;
                at.follower.firsts.remove(&model);
                at.cursor.reference = at.follower.reference.version;
                at.recount(core, from, before)?;
                at.save(core, sight, fence)?;
            }
        }
        Ok((entries, at.cursor.next, caught_up))
    }
}

impl Core {
    /// Bring the store's windows up to date, as far as one call goes. `fence` as in
    /// [`Keeper::advance`]; a process that was overtaken leaves it to the other.
    pub(in crate::desk) fn keep_windows(
        &self,
        fence: &[(String, u64)],
    ) -> Result<Advanced, Refused> {
        lock(&self.keeper).advance(self, fence)
    }
}

impl At {
    fn load(core: &Core) -> Result<Self, Refused> {
        core.fresh.forget();
        let (cursor, version) = cursor(core)?;
        let (registry, slices) = registry(core)?;
        let known = registry.len();
        let mut follower = Follower::new(registry, core.reference()?, true);
        follower.firsts = cursor.firsts.clone();
        Ok(Self { follower, saved: cursor.clone(), cursor, version, slices: (slices, known) })
    }

    /// Count the next entries, a batch at most: how many, and whether that was all there is.
    fn read_on(&mut self, core: &Core) -> Result<(u64, bool), Trouble> {
        let mut entries = 0;
        while entries < BATCH {
            let (fresh, later) = core.fresh.take(self.cursor.next, BATCH - entries);
            for row in &fresh {
                self.follower.admission(core, row)?;
                self.cursor.next = row.index + 1;
            }
            entries += fresh.len();
            if !fresh.is_empty() {
                continue;
            }
            let gap = later.map_or(u64::MAX, |later| later - self.cursor.next);
            let most = usize::try_from(gap).unwrap_or(usize::MAX).min(BATCH - entries);
            let page = core.store.follow(self.cursor.next, most)?;
            for seen in &page {
                self.follower.take(core, seen)?;
                self.cursor.next = seen.index + 1;
            }
            entries += page.len();
            if page.len() < most {
                return Ok((entries as u64, true));
            }
        }
        Ok((entries as u64, false))
    }

    /// Where another reference is in force than everything so far is counted in: count the features
    /// of the last four weeks in its bins, as far as the last entries go back.
    fn renew(&mut self, core: &Core, now: Timestamp) -> Result<(), Refused> {
        let reference = core.reference()?;
        let before = std::mem::replace(&mut self.cursor.reference, reference.version);
        self.follower.reference = reference.clone();
        if before == reference.version {
            return Ok(());
        }
        self.follower.firsts.retain(|model, _| !reference.models.contains_key(model));
        let since = Timestamp::from_second(now.as_second() - 28 * 86_400).unwrap_or(now);
        let from = core.first_entry_at(since)?;
        self.recount(core, from, before)
    }

    /// Count the features of what is counted already, from `from` on but of the last entries only,
    /// in the bins of models frozen after version `before`.
    fn recount(&mut self, core: &Core, from: u64, before: u64) -> Result<(), Refused> {
        let reference = self.follower.reference.clone();
        let end = self.cursor.next;
        let mut next = from.max(end.saturating_sub(REPLAY));
        while next < end {
            let page = core.store.follow(next, BATCH).map_err(refuse)?;
            let Some(last) = page.last() else { break };
            next = last.index + 1;
            for seen in page.iter().filter(|seen| seen.index < end) {
                let anew = seen.decision.as_ref().is_some_and(|d| {
                    let model = reference.models.get(&d.columns.model);
                    model.is_some_and(|m| m.version > before)
                });
                if anew {
                    self.follower.features(core, seen)?;
                }
            }
        }
        Ok(())
    }

    /// Write what changed, and where we are: one commit.
    fn save(&mut self, core: &Core, sight: &Sight, fence: &[(String, u64)]) -> Result<(), Trouble> {
        self.follower.flush(core)?;
        self.cursor.firsts.clone_from(&self.follower.firsts);
        let rows: Vec<WindowRow> =
            self.follower.windows.changed().into_iter().map(stored).collect();
        let hour = Tier::Hour.floor(sight.now.as_second());
        let drop = hour >= self.cursor.dropped.saturating_add(HOUSEKEEPING);
        if rows.is_empty() && !drop && self.cursor == self.saved {
            return Ok(());
        }
        let mut ops = Vec::new();
        if !rows.is_empty() {
            ops.push(Op::PutWindows(rows));
        }
        if drop {
            self.cursor.dropped = hour;
            for tier in Tier::ALL {
                let before = sight.now.as_second() - tier.keep() - tier.seconds();
                let before = Timestamp::from_second(before).unwrap_or(Timestamp::UNIX_EPOCH);
                ops.push(Op::DropWindows { tier: tier.number(), before });
            }
        }
        let registry = self.follower.windows.registry();
        let mut premises =
            Premises { state: vec![(CURSOR.to_owned(), self.version)], ..Premises::default() };
        premises.state.extend_from_slice(fence);
        let slices = (drop || registry.len() != self.slices.1).then(|| registry.remember());
        if let Some(list) = &slices {
            premises.state.push((SLICES.to_owned(), self.slices.0));
            ops.push(Op::PutState { key: SLICES.to_owned(), value: Some(json(list)?) });
        }
        ops.push(Op::PutState { key: CURSOR.to_owned(), value: Some(json(&self.cursor)?) });
        core.commit(Write { premises, now: sight.now, ops })?;
        self.version += 1;
        self.saved = self.cursor.clone();
        if let Some(list) = slices {
            self.slices = (self.slices.0 + 1, list.len());
        }
        self.follower.windows.saved();
        self.follower.windows.prune(BUCKETS);
        Ok(())
    }
}

fn stored(row: Row) -> WindowRow {
    WindowRow {
        tier: row.tier.number(),
        start: Timestamp::from_second(row.start).unwrap_or(Timestamp::UNIX_EPOCH),
        slice: row.slice.to_string(),
        part: row.part.to_string(),
        value: row.sums.as_bytes().to_vec(),
    }
}
