//! What a step of a tick does: operations, small states, premises and words, gathered for one
//! commit.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Occurrence;
use crate::audit::{Entry, EntryKind};
use crate::containment::Control;
use crate::desk::contain::{KEY as CONTROL, put as put_control};
use crate::desk::core::{Core, Sight, draft, json, refuse};
use crate::domain::{ControlScope, Timestamp};
use crate::protocol::{Refused, Why};
use crate::store::{LeasePremise, Op, Write};

/// A small state as it was read, and its version.
pub(super) struct Kept<T> {
    pub(super) value: T,
    pub(super) version: u64,
}

/// What is to happen in one commit.
pub(super) struct Deeds<'a> {
    core: &'a Core,
    pub(super) sight: &'a Sight,
    ops: Vec<Op>,
    states: BTreeMap<String, (u64, Option<Vec<u8>>)>,
    /// The control state and its version, once it was asked for.
    control: Option<(Control, u64)>,
    control_changed: bool,
    pub(super) said: Vec<Occurrence>,
}

impl<'a> Deeds<'a> {
    pub(super) fn new(core: &'a Core, sight: &'a Sight) -> Self {
        Self {
            core,
            sight,
            ops: Vec::new(),
            states: BTreeMap::new(),
            control: None,
            control_changed: false,
            said: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.sight.now
    }

    /// Nothing is to happen.
    pub(super) fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.states.is_empty() && !self.control_changed
    }

    pub(super) fn op(&mut self, op: Op) {
        self.ops.push(op);
    }

    pub(super) fn ops(&mut self, ops: impl IntoIterator<Item = Op>) {
        self.ops.extend(ops);
    }

    /// Say what happened, for whoever watches.
    pub(super) fn say(&mut self, what: &'static str, about: impl Into<String>, text: String) {
        self.said.push(Occurrence { at: self.sight.now, what, about: about.into(), text });
    }

    /// An entry of the trail.
    pub(super) fn entry(
        &mut self,
        entry: Entry,
        bodies: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Refused> {
        self.ops.push(Op::Entry(draft(entry, bodies)?));
        Ok(())
    }

    /// A new entry by the policy, now.
    pub(super) fn by_policy(&self, kind: EntryKind) -> Entry {
        Entry::new(kind, "policy", self.sight.now, self.sight.wall)
    }

    /// A state as this commit leaves it, or as it is stored.
    pub(super) fn state<T: DeserializeOwned + Default>(
        &self,
        key: &str,
    ) -> Result<Kept<T>, Refused> {
        if let Some((version, value)) = self.states.get(key) {
            let value = value.as_deref().map(parse).transpose()?.unwrap_or_default();
            return Ok(Kept { value, version: *version });
        }
        let stored = self.core.store.state(key).map_err(refuse)?;
        let version = stored.as_ref().map_or(0, |s| s.version);
        let value = stored.map(|s| parse(&s.value)).transpose()?.unwrap_or_default();
        Ok(Kept { value, version })
    }

    /// Store a state that was read at `version`.
    pub(super) fn put<T: Serialize>(
        &mut self,
        key: &str,
        version: u64,
        value: &T,
    ) -> Result<(), Refused> {
        self.states.insert(key.to_owned(), (version, Some(json(value)?)));
        Ok(())
    }

    /// Change the control state: `change` says whether it did. Where it cannot be read everything
    /// goes to people already, and nothing is to be changed.
    pub(super) fn contain(
        &mut self,
        act: &str,
        scope: &ControlScope,
        why: &str,
        change: impl FnOnce(&mut Control, Timestamp) -> bool,
    ) -> Result<bool, Refused> {
        if self.control.is_none() {
            let known = self.core.known_control(self.sight.snapshot.generation);
            let Some(control) = known.control else { return Ok(false) };
            self.control = Some((Control::clone(&control), known.version));
        }
        let now = self.sight.now;
        let Some((control, _)) = &mut self.control else { return Ok(false) };
        if !change(control, now) {
            return Ok(false);
        }
        self.control_changed = true;
        let mut entry = self.by_policy(match act {
            "canary" => EntryKind::CANARY,
            "freeze" => EntryKind::FREEZE,
            _ => EntryKind::SWITCH,
        });
        entry.d.insert("act".into(), act.to_owned());
        entry.d.insert("scope".into(), scope.to_string());
        entry.d.insert("reason".into(), short(why));
        entry.r#gen = Some(self.sight.snapshot.generation.saturating_add(1));
        self.entry(entry, Vec::new())?;
        Ok(true)
    }

    /// The control state as this commit leaves it; `None`: it cannot be read.
    pub(super) fn control(&self) -> Option<Control> {
        match &self.control {
            Some((control, _)) => Some(control.clone()),
            None => self
                .core
                .known_control(self.sight.snapshot.generation)
                .control
                .map(|c| Control::clone(&c)),
        }
    }

    /// The whole as one write, and what to say once it is durable.
    pub(super) fn write(mut self) -> Result<(Write, Vec<Occurrence>), Refused> {
        let mut premises = self.sight.premises();
        premises.generation = None;
        premises.lease = LeasePremise::Any;
        if let Some((control, version)) = self.control.take().filter(|_| self.control_changed) {
            put_control(self.sight.snapshot.generation, &control, &mut self.ops)?;
            premises.generation = Some(self.sight.snapshot.generation);
            premises.state.push((CONTROL.to_owned(), version));
        }
        // What effects on an item changed: the other way to the control state, never in one step
        // with the first.
        if self.sight.is_changed() {
            self.sight.settings(&mut self.ops)?;
            premises.generation = Some(self.sight.snapshot.generation);
        }
        for (key, (version, value)) in std::mem::take(&mut self.states) {
            premises.state.push((key.clone(), version));
            self.ops.push(Op::PutState { key, value });
        }
        Ok((Write { premises, now: self.sight.now, ops: self.ops }, self.said))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(bytes).map_err(|e| {
        Refused::new(Why::Damaged, format!("a state of the ticker cannot be read: {e}"))
            .hint("it was written by a newer overrule, or by other means")
    })
}

/// Short enough to stand in an entry.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 240;
    if text.len() <= MOST {
        return text.to_owned();
    }
    let end = (0..=MOST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}
