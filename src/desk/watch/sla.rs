//! The clocks of queues: a warning while there is time, what the policy does at the due time, and
//! the way up.
//!
//! What somebody has in hand is never taken away: its effects fire at the due time, and it moves
//! when the lease is over, if it is still undecided then.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::deeds::Deeds;
use super::{Fence, Occurrence};
use crate::audit::{Entry, EntryKind};
use crate::desk::contain::EffectSubject;
use crate::desk::core::{Core, Sight, Trouble, refuse};
use crate::desk::settle::{decision_of, fire, stand};
use crate::domain::life;
use crate::domain::{Item, Timestamp};
use crate::policy::{EffectAction, Firing, SlaFacts};
use crate::protocol::{Refused, Why};
use crate::store::{LeasePremise, Op, Premise, StoreError};

/// Where the clocks' own state is kept.
pub(super) const KEY: &str = "watch/sla";
/// Items that run out of time: handled in one tick of the wall clock, and looked at at a time.
const BATCH: usize = 256;
/// Levels that an item may run through in one tick of the record clock.
const ROUNDS: usize = 8;

/// What is remembered of the clocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Clocks {
    /// Queues that were warned of, and have been at risk since.
    at_risk: BTreeMap<String, Timestamp>,
    /// Items whose time ran out in somebody's hands, with the revision they had.
    pub(super) in_hand: BTreeMap<String, u64>,
    /// Items that effects were asked about before their time ran out.
    #[serde(default)]
    pub(super) warned: BTreeMap<String, Warned>,
}

/// Effects that fired before an item was late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Warned {
    /// When it entered the queue whose clock runs.
    pub(super) entered: Timestamp,
    pub(super) effects: Vec<String>,
}

impl Clocks {
    /// Has this effect fired about the clock that the item is under?
    pub(super) fn has_warned(&self, item: &Item, effect: &str) -> bool {
        self.warned.get(&item.id).is_some_and(|warned| {
            warned.entered == item.entered_at && warned.effects.iter().any(|e| e == effect)
        })
    }
}

impl Core {
    /// Warn of queues in which items are soon due.
    pub(super) fn warn(&self, deeds: &mut Deeds<'_>) -> Result<(), Refused> {
        let sight = deeds.sight;
        if sight.policy.as_ref().is_none_or(|p| p.queues().all(|q| q.sla.is_none())) {
            return Ok(());
        }
        let kept = deeds.state::<Clocks>(KEY)?;
        let mut clocks = kept.value.clone();
        let counts = self.store.queues(sight.now, sight.wall).map_err(refuse)?;
        clocks.at_risk.retain(|name, _| counts.iter().any(|c| c.queue == *name && c.due_soon > 0));
        for count in counts.iter().filter(|c| c.due_soon > 0) {
            if clocks.at_risk.contains_key(&count.queue) {
                continue;
            }
            clocks.at_risk.insert(count.queue.clone(), sight.now);
            let mut entry = deeds.by_policy(EntryKind::EFFECT);
            entry.d.insert("effect".into(), "sla.at_risk".into());
            entry.d.insert("queue".into(), count.queue.clone());
            entry.d.insert("due_soon".into(), count.due_soon.to_string());
            entry.d.insert("late".into(), count.late.to_string());
            deeds.entry(entry, Vec::new())?;
            let text = format!("{} soon due, {} late", count.due_soon, count.late);
            deeds.say("at risk", count.queue.clone(), text);
        }
        if clocks != kept.value {
            deeds.put(KEY, kept.version, &clocks)?;
        }
        Ok(())
    }

    /// Let what the policy says happen to items whose time has run out by `now`. Under the record
    /// clock each is taken up at the time it was due.
    pub(super) fn overdue(
        &self,
        now: Option<Timestamp>,
        fence: &Fence,
        said: &mut Vec<Occurrence>,
    ) -> Result<(), Trouble> {
        // They stay late whatever is done now, and are looked past: in somebody's hands, or not to
        // be read.
        let mut passed: BTreeSet<String> = BTreeSet::new();
        let (mut acted, mut rounds, mut all) = (0, 0, false);
        // A turn is short; under the record clock a tick may have days to make up for.
        let by_record = self.sight_at(now)?.snapshot.record_clock;
        let enough = if by_record { BATCH * ROUNDS } else { BATCH };
        while rounds < ROUNDS && acted < enough {
            let end = self.sight_at(now)?;
            let told = Deeds::new(self, &end).state::<Clocks>(KEY)?.value.in_hand;
            let most = BATCH + passed.len();
            let mut late = self.store.overdue(end.now, most)?;
            all = late.len() < most;
            late.retain(|item| !passed.contains(&item.id));
            late.sort_by_key(|item| item.due_at);
            let mut moved = false;
            for item in &late {
                if acted == enough {
                    all = false;
                    break;
                }
                let held = self.store.lease_of(&item.id, end.wall)?.is_some();
                if held && told.get(&item.id) == Some(&item.revision) {
                    passed.insert(item.id.clone());
                    continue;
                }
                let at = if by_record { item.due_at } else { now };
                let sight = self.sight_at(at)?;
                let words = match self.late(&sight, item, fence).map_err(alone) {
                    Ok(words) => words,
                    Err(Some(trouble)) => return Err(trouble),
                    Err(None) => {
                        passed.insert(item.id.clone());
                        continue;
                    }
                };
                acted += 1;
                moved |= !words.is_empty();
                if held || words.is_empty() {
                    passed.insert(item.id.clone());
                }
                said.extend(words);
            }
            // Where an item went, its time may have run out as well.
            if all && !(moved && by_record) {
                break;
            }
            rounds += usize::from(all);
        }
        match all {
            true => self.forget_in_hand(now, &passed, fence),
            false => Ok(()),
        }
    }

    /// Items that are late no more need not be remembered; `late`: all that still are.
    fn forget_in_hand(
        &self,
        now: Option<Timestamp>,
        late: &BTreeSet<String>,
        fence: &Fence,
    ) -> Result<(), Trouble> {
        let sight = self.sight_at(now)?;
        let mut deeds = Deeds::new(self, &sight);
        let kept = deeds.state::<Clocks>(KEY)?;
        let mut clocks = kept.value.clone();
        clocks.in_hand.retain(|id, _| late.contains(id));
        if clocks == kept.value {
            return Ok(());
        }
        deeds.put(KEY, kept.version, &clocks)?;
        let (mut write, _) = deeds.write()?;
        write.premises.state.push(fence.clone());
        self.commit(write)?;
        Ok(())
    }

    /// One item's time has run out: one commit.
    fn late(&self, sight: &Sight, item: &Item, fence: &Fence) -> Result<Vec<Occurrence>, Trouble> {
        let mut deeds = Deeds::new(self, sight);
        let held = self.store.lease_of(&item.id, sight.wall)?.is_some();
        if !self.run_out(&mut deeds, item, held)? {
            return Ok(Vec::new());
        }
        let (mut write, words) = deeds.write()?;
        write.premises.state.push(fence.clone());
        write.premises.item = Some((item.id.clone(), item.revision));
        if !held {
            // Nobody took it meanwhile.
            let reviewer = String::new();
            write.premises.lease = LeasePremise::FreeFor { reviewer, wall: sight.wall };
        }
        match self.commit(write) {
            Ok(_) => Ok(words),
            // Somebody has it in hand, decided or moved it: the next tick looks again.
            Err(StoreError::Premise(Premise::Item { .. }) | StoreError::LeaseLost { .. }) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// An item's time has run out. `false`: nothing is to be done now.
    fn run_out(&self, deeds: &mut Deeds<'_>, item: &Item, held: bool) -> Result<bool, Refused> {
        let sight = deeds.sight;
        let now = sight.now;
        let kept = deeds.state::<Clocks>(KEY)?;
        let told = kept.value.in_hand.get(&item.id) == Some(&item.revision);
        if held && told {
            return Ok(false);
        }
        let Some(stored) = self.store.decision(&item.id).map_err(refuse)? else {
            return Ok(false);
        };
        let queue = sight.policy.as_ref().and_then(|p| p.queue(&item.queue));
        let facts = clock(sight, item, true);
        let decision = decision_of(&stored).ok();
        let mut firings: Vec<Firing> = match (&sight.policy, &decision) {
            (Some(policy), Some(d)) => policy.on_sla(d, &facts),
            _ => Vec::new(),
        };
        // What was said while there was time is not said again; its way up is still to be gone.
        for firing in firings.iter_mut().filter(|f| kept.value.has_warned(item, &f.effect)) {
            firing.actions.retain(|a| matches!(a, EffectAction::Escalate { .. }));
        }
        let about = EffectSubject { id: &item.id, decision: decision.as_ref(), level: facts.level };
        let moves = |a: &EffectAction| matches!(a, EffectAction::Escalate { .. });
        let (way_up, others) = split(firings, moves);
        let mut clocks = kept.value.clone();
        let mut next = item.clone();
        if !told {
            let fired = fire(self, sight, &about, None, &others, "policy", now)?;
            deeds.ops(fired.ops);
            let text = match held {
                true => format!("due in {}; somebody has it in hand", item.queue),
                false => format!("due in {}", item.queue),
            };
            deeds.say("late", item.id.clone(), text);
        }
        if held {
            clocks.in_hand.insert(item.id.clone(), item.revision);
            let mut entry = breach(sight, item, now);
            entry.d.insert("in_hand".into(), "yes".into());
            deeds.entry(entry, Vec::new())?;
            deeds.put(KEY, kept.version, &clocks)?;
            return Ok(true);
        }
        clocks.in_hand.remove(&item.id);
        let fired = fire(self, sight, &about, Some(&next), &way_up, "policy", now)?;
        deeds.ops(fired.ops);
        next = fired.item.unwrap_or(next);
        let up = queue.and_then(|q| q.escalates_to.clone());
        if next.queue == item.queue
            && let Some(up) = up
            && let Ok(moved) = life::move_to(&next, &up, now, None, |q| sight.terms(q, now))
        {
            let mut entry = Entry::new(EntryKind::MOVE, "policy", now, sight.wall);
            stand(&mut entry, &moved);
            entry.d.insert("why".into(), "sla".into());
            entry.d.insert("from".into(), item.queue.clone());
            deeds.entry(entry, Vec::new())?;
            next = moved;
        }
        if next.queue == item.queue {
            // Nowhere to go: that it was late is known from now on.
            next.breached = true;
            deeds.entry(breach(sight, &next, now), Vec::new())?;
        } else {
            let text = format!("from {} to {}: its time ran out", item.queue, next.queue);
            deeds.say("escalated", item.id.clone(), text);
        }
        deeds.op(Op::PutItem { level: sight.level(&next.queue), item: Box::new(next) });
        if clocks != kept.value {
            deeds.put(KEY, kept.version, &clocks)?;
        }
        Ok(true)
    }
}

/// What goes wrong with one item alone is told and holds up no other (`None`); what goes wrong with
/// the store, or with the turn, ends the step.
fn alone(trouble: Trouble) -> Option<Trouble> {
    let refused = match trouble {
        Trouble::Store(error @ StoreError::Damaged { .. }) => refuse(error),
        Trouble::Refused(refused) if refused.kind != Why::Unavailable => refused,
        trouble => return Some(trouble),
    };
    tracing::error!(why = refused.message, "an item's time has run out, and nothing can be done");
    None
}

/// What rules read of the clock that an item is under.
pub(super) fn clock(sight: &Sight, item: &Item, breached: bool) -> SlaFacts {
    let left = item.due_at.map_or(0, |due| due.as_millisecond() - sight.now.as_millisecond());
    SlaFacts {
        queue: item.queue.clone(),
        level: sight.level(&item.queue),
        minutes_left: -(-left).div_euclid(60_000),
        breached,
    }
}

/// The entry that says an item was late.
fn breach(sight: &Sight, item: &Item, now: Timestamp) -> Entry {
    let mut entry = Entry::new(EntryKind::EFFECT, "policy", now, sight.wall);
    stand(&mut entry, item);
    entry.d.insert("effect".into(), "sla".into());
    entry
}

/// Firings with those of their actions that are, and that are not, such.
pub(super) fn split(
    firings: Vec<Firing>,
    such: impl Fn(&EffectAction) -> bool,
) -> (Vec<Firing>, Vec<Firing>) {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for firing in firings {
        let (are, are_not): (Vec<_>, Vec<_>) = firing.actions.iter().cloned().partition(&such);
        if !are.is_empty() {
            with.push(Firing { actions: are, ..firing.clone() });
        }
        if !are_not.is_empty() {
            without.push(Firing { actions: are_not, ..firing });
        }
    }
    (with, without)
}
