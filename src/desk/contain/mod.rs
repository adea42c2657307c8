//! Containment in force: who may change it, and one commit for what changes with it.
//!
//! [`Control`] is one stored value, cached by control generation like the policy is by hash. Every
//! change of it is an entry of the trail, the value, the generation and the effects it holds, in one
//! commit whose premises are the generation and the value's version: a change that was decided on
//! an older state is decided again, and no decision taken before it commits after it.

mod canary;
mod control;
mod cooldown;
mod effect;
mod freeze;
mod gauges;
mod incident;
mod requeue;
mod switch;
mod tree;
mod view;

pub(super) use canary::verdict as canary_verdict;
pub(super) use control::{Controls, Known};
pub(super) use cooldown::{Begun, Cooldowns};
pub(super) use effect::{Subject as EffectSubject, cools};
pub(super) use gauges::{Gauges, contained};
pub(super) use view::{automation, effect};

use super::core::{Core, Sight, Trouble, draft};
use crate::audit::{CONTROL_MARK as MARK, Entry, state_mark};
use crate::authority::{self, Subject};
use crate::containment::Control;
use crate::domain::Reviewer;
use crate::protocol::{Act, Refused, Why};
use crate::store::{Committed, Op, Premises, Write};

/// Where the control state is kept.
pub(super) const KEY: &str = "control";
/// Where incidents are kept ([`crate::containment::Incident`]): this and the incident's id.
pub(super) const INCIDENT: &str = "incident/";
/// The longest reason, in bytes: it stays in the trail.
const REASON: usize = 500;

/// What a change of the control state writes beside the state itself.
struct Change {
    entry: Entry,
    control: Control,
    ops: Vec<Op>,
}

impl Core {
    /// The actor, if they may do this.
    fn allowed(&self, by: &str, act: Act, subject: Subject<'_>) -> Result<Reviewer, Refused> {
        let actor = self.actor(by)?;
        authority::may(&actor, act, subject)?;
        Ok(actor)
    }

    /// Change the control state: one commit, on what it was read from. `change` gets a copy of the
    /// state and gives it back changed, with its entry and whatever else belongs to it.
    fn contain(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        change: impl FnOnce(Control) -> Result<Change, Trouble>,
    ) -> Result<Committed, Trouble> {
        let generation = sight.snapshot.generation;
        let Known { control, version } = self.known_control(generation);
        let lost = control.is_none();
        let control = match control {
            Some(control) => Control::clone(&control),
            None => control::instead_of_unreadable(sight.now),
        };
        let Change { mut entry, control, ops } = change(control)?;
        entry.r#gen = Some(generation.saturating_add(1));
        if lost {
            let what = "the control state could not be read; everything is stopped instead of it";
            entry.d.insert("replaced".into(), what.into());
        }
        let mut all = vec![Op::Entry(draft(entry, Vec::new())?)];
        put(generation, &control, &mut all)?;
        all.extend(ops);
        let premises = Premises {
            generation: Some(generation),
            actor: Some((actor.name.clone(), actor.version)),
            state: vec![(KEY.to_owned(), version)],
            ..Premises::default()
        };
        Ok(self.commit(Write { premises, now: sight.now, ops: all })?)
    }
}

/// Put the control state in force, with a write whose entries say so: the last of them that raises
/// the generation gets a mark of the state, so that whoever changes it by hand is found out.
pub(super) fn put(generation: u64, control: &Control, ops: &mut Vec<Op>) -> Result<(), Refused> {
    let internal = |what: &dyn std::fmt::Display| Refused::new(Why::Internal, what.to_string());
    let value = control.to_json().map_err(|e| internal(&e))?;
    let said = ops.iter_mut().rev().find_map(|op| {
        let Op::Entry(draft) = op else { return None };
        let entry = Entry::parse(&draft.bytes).ok()?;
        (entry.r#gen > Some(generation)).then_some((draft, entry))
    });
    let (draft, mut entry) = said.ok_or_else(|| internal(&"no entry says what changes control"))?;
    entry.d.insert(MARK.to_owned(), state_mark(KEY, &value));
    draft.bytes = entry.bytes();
    ops.push(Op::PutState { key: KEY.to_owned(), value: Some(value) });
    ops.push(Op::BumpGeneration);
    Ok(())
}

/// A reason that says something and is short enough to stay.
fn reasoned(reason: &str, what: &str) -> Result<String, Refused> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refused::new(Why::Invalid, format!("{what} needs a reason"))
            .hint("say why in --reason, without personal data: it stays in the trail"));
    }
    if reason.len() > REASON {
        return Err(Refused::new(
            Why::Invalid,
            format!("the reason has {} bytes; at most {REASON} are kept", reason.len()),
        )
        .hint("say it shorter"));
    }
    Ok(reason.to_owned())
}
