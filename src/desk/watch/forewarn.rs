//! Effects that want to know while there is time: those on `sla` whose condition reads
//! `minutes_left` or `breached`.
//!
//! Each fires at most once about an item under one clock, at the first look at which its condition
//! holds; what has fired then is not said again at the due time. Only what the policy asks for
//! costs anything: without such an effect nothing is looked at.

use jiff::SignedDuration;

use super::deeds::Deeds;
use super::sla::{Clocks, KEY, Warned, clock, split};
use super::{Fence, Occurrence};
use crate::desk::contain::EffectSubject;
use crate::desk::core::{Core, Sight, Trouble, refuse};
use crate::desk::settle::{decision_of, fire};
use crate::domain::{Decision, Item, Timestamp};
use crate::policy::{EffectAction, Firing, SlaFacts};
use crate::protocol::Refused;
use crate::store::{LeasePremise, Op, Premise, StoreError};

/// Items looked at, the nearest to their time first.
const BATCH: usize = 1_000;

impl Core {
    /// Ask effects about items that are soon due.
    pub(super) fn forewarn(
        &self,
        now: Option<Timestamp>,
        fence: &Fence,
        said: &mut Vec<Occurrence>,
    ) -> Result<(), Trouble> {
        let sight = self.sight_at(now)?;
        let Some(minutes) = sight.policy.as_ref().and_then(|p| p.forewarned()) else {
            return Ok(());
        };
        // (An item that is due just then counts.)
        let ahead = SignedDuration::from_mins(minutes) + SignedDuration::from_millis(1);
        let until = sight.now.checked_add(ahead);
        // What is late already, and in somebody's hands, comes first.
        let late = Deeds::new(self, &sight).state::<Clocks>(KEY)?.value.in_hand.len();
        let mut soon = self.store.overdue(until.unwrap_or(Timestamp::MAX), BATCH + late)?;
        soon.retain(|item| item.due_at.is_some_and(|due| due > sight.now));
        self.forget(&sight, &soon, fence)?;
        for item in &soon {
            let kept = Deeds::new(self, &sight).state::<Clocks>(KEY)?.value;
            if self.early(&sight, &kept, item)?.is_some() {
                let sight = self.sight_at(now)?;
                said.extend(self.ask_early(&sight, item, fence)?);
            }
        }
        Ok(())
    }

    /// Items that are not soon due any more need not be remembered, unless they wait for what
    /// happens at their time.
    fn forget(&self, sight: &Sight, soon: &[Item], fence: &Fence) -> Result<(), Trouble> {
        let mut deeds = Deeds::new(self, sight);
        let kept = deeds.state::<Clocks>(KEY)?;
        let gone = |id: &String| -> Result<bool, Refused> {
            if soon.iter().any(|item| item.id == *id) {
                return Ok(false);
            }
            let stored = self.store.decision(id).map_err(refuse)?;
            let item = stored.and_then(|s| s.item);
            Ok(item.is_none_or(|item| !item.state.is_open() || item.breached))
        };
        let mut over = Vec::new();
        for id in kept.value.warned.keys() {
            if gone(id)? {
                over.push(id.clone());
            }
        }
        if over.is_empty() {
            return Ok(());
        }
        let mut clocks = kept.value.clone();
        clocks.warned.retain(|id, _| !over.contains(id));
        deeds.put(KEY, kept.version, &clocks)?;
        let (mut write, _) = deeds.write()?;
        write.premises.state.push(fence.clone());
        self.commit(write)?;
        Ok(())
    }

    /// What fires about one item now.
    fn early(&self, sight: &Sight, clocks: &Clocks, item: &Item) -> Result<Option<Early>, Trouble> {
        let Some(policy) = &sight.policy else { return Ok(None) };
        let Some(stored) = self.store.decision(&item.id)? else { return Ok(None) };
        let Ok(decision) = decision_of(&stored) else { return Ok(None) };
        let facts = clock(sight, item, false);
        let mut firings = policy.on_sla(&decision, &facts);
        firings.retain(|f| !clocks.has_warned(item, &f.effect));
        let held = self.store.lease_of(&item.id, sight.wall)?.is_some();
        if held {
            // What somebody has in hand is not taken away.
            let moves = |a: &EffectAction| matches!(a, EffectAction::Escalate { .. });
            firings = split(firings, moves).1;
        }
        let some = !firings.is_empty();
        Ok(some.then_some(Early { decision, facts, firings, held }))
    }

    /// Ask about one item: one commit if anything fires.
    fn ask_early(
        &self,
        sight: &Sight,
        item: &Item,
        fence: &Fence,
    ) -> Result<Vec<Occurrence>, Trouble> {
        let mut deeds = Deeds::new(self, sight);
        let kept = deeds.state::<Clocks>(KEY)?;
        let early = self.early(sight, &kept.value, item)?;
        let Some(Early { decision, facts, firings, held }) = early else { return Ok(Vec::new()) };
        let id = &item.id;
        let about = EffectSubject { id, decision: Some(&decision), level: facts.level };
        let fired = fire(self, sight, &about, Some(item), &firings, "policy", sight.now)?;
        deeds.ops(fired.ops);
        let next = fired.item.filter(|next| next.queue != item.queue);
        if let Some(next) = next {
            let text = format!("from {} to {} while there is time", item.queue, next.queue);
            deeds.say("escalated", id.clone(), text);
            deeds.op(Op::PutItem { level: sight.level(&next.queue), item: Box::new(next) });
        }
        deeds.say("soon due", id.clone(), said_of(&firings, facts.minutes_left));
        let mut clocks = kept.value.clone();
        let warned = clocks
            .warned
            .entry(id.clone())
            .or_insert_with(|| Warned { entered: item.entered_at, effects: Vec::new() });
        if warned.entered != item.entered_at {
            *warned = Warned { entered: item.entered_at, effects: Vec::new() };
        }
        warned.effects.extend(firings.into_iter().map(|f| f.effect));
        deeds.put(KEY, kept.version, &clocks)?;
        let (mut write, words) = deeds.write()?;
        write.premises.state.push(fence.clone());
        write.premises.item = Some((id.clone(), item.revision));
        if !held {
            let reviewer = String::new();
            write.premises.lease = LeasePremise::FreeFor { reviewer, wall: sight.wall };
        }
        match self.commit(write) {
            Ok(_) => Ok(words),
            // Somebody decided it, took it or moved it: the next tick looks again.
            Err(StoreError::Premise(Premise::Item { .. }) | StoreError::LeaseLost { .. }) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What fires before an item's time is over.
struct Early {
    decision: Decision,
    facts: SlaFacts,
    firings: Vec<Firing>,
    /// Somebody has the item in hand.
    held: bool,
}

/// `due in 9 minutes: late-soon`.
fn said_of(firings: &[Firing], minutes: i64) -> String {
    let effects: Vec<&str> = firings.iter().map(|f| f.effect.as_str()).collect();
    format!("due in {minutes} minutes: {}", effects.join(", "))
}
