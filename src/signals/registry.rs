//! Which slices have figures of their own: numbered, and capped by kind with an explicit "other".

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{OTHER, Slice};
use crate::domain::Decision;

/// Dimensions of cohorts, and groups of one dimension, that have slices of their own.
const DIMENSIONS: usize = 8;
const GROUPS: usize = 64;
/// A slice that nothing happened in for so long makes room for another, seconds.
const FORGET: i64 = 30 * 86_400;

/// A slice's number in a [`Registry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceId(pub(super) u32);

/// Slices by number. Memory is bounded: at most 32 domains, 64 model versions, 8 cohort dimensions
/// of 64 groups, 64 queues, 64 reviewers and 128 rules have figures of their own; what is beyond is
/// counted under `__other__` of its kind, until a slice has been silent for 30 days and makes room.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    ids: HashMap<Slice, SliceId>,
    slices: Vec<Slice>,
    /// When something last happened in it, seconds.
    seen: Vec<i64>,
    /// Names of a kind (of a cohort: of its dimension) that have a slice, and how often one had not.
    kinds: BTreeMap<String, Kind>,
    /// Numbers of what decisions name (overall, domain, model, cohort) by the two parts of the name.
    named: [Named; 4],
}

/// Numbers by the first part of a name, then by the second.
type Named = HashMap<Box<str>, HashMap<Box<str>, SliceId>>;

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    own: usize,
    turned_away: u64,
}

/// A slice as it is remembered across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    pub slice: Slice,
    /// Seconds since the epoch.
    pub seen: i64,
}

impl Registry {
    /// Its number, or that of its kind's "other" when there is no room; `at` in seconds.
    pub fn id(&mut self, slice: &Slice, at: i64) -> SliceId {
        if let Some(&id) = self.ids.get(slice) {
            self.touch(id, at);
            return id;
        }
        if is_other(slice) {
            return self.insert(slice.clone(), at);
        }
        let (kind, cap) = kind_of(slice);
        if !self.kinds.contains_key(&kind)
            && matches!(slice, Slice::Cohort { .. })
            && self.kinds.keys().filter(|k| k.starts_with("cohort:")).count() >= DIMENSIONS
        {
            let other = Slice::Cohort { dimension: OTHER.into(), group: OTHER.into() };
            self.kinds.entry("cohort".into()).or_default().turned_away += 1;
            return self.id(&other, at);
        }
        let own = self.kinds.entry(kind.clone()).or_default().own;
        if own >= cap && !self.forget(&kind, at) {
            if let Some(kind) = self.kinds.get_mut(&kind) {
                kind.turned_away += 1;
            }
            return self.id(&slice.other(), at);
        }
        if let Some(kind) = self.kinds.get_mut(&kind) {
            kind.own += 1;
        }
        self.insert(slice.clone(), at)
    }

    /// The numbers of a decision's slices ([`Slice::of`]), each once, without making their names
    /// again where they are known.
    pub(super) fn ids_of(&mut self, d: &Decision, at: i64, ids: &mut Vec<SliceId>) {
        let (name, version) = (d.model.name.as_str(), d.model.version.as_str());
        self.named(0, "", "", at, ids, || Slice::Overall);
        self.named(1, "", &d.domain, at, ids, || Slice::Domain(d.domain.clone()));
        self.named(2, name, version, at, ids, || Slice::Model {
            name: name.to_owned(),
            version: version.to_owned(),
        });
        for (dimension, group) in &d.cohort {
            self.named(3, dimension, group, at, ids, || Slice::Cohort {
                dimension: dimension.clone(),
                group: group.clone(),
            });
        }
    }

    fn named(
        &mut self,
        kind: usize,
        first: &str,
        second: &str,
        at: i64,
        ids: &mut Vec<SliceId>,
        slice: impl Fn() -> Slice,
    ) {
        let known = self.named.get(kind).and_then(|names| names.get(first)?.get(second)).copied();
        let id = match known {
            Some(id) => {
                self.touch(id, at);
                id
            }
            None => {
                let id = self.id(&slice(), at);
                // What is counted under "other" may get a slice of its own later.
                if self.slice(id).is_some_and(|s| *s == slice())
                    && let Some(names) = self.named.get_mut(kind)
                {
                    names.entry(first.into()).or_default().insert(second.into(), id);
                }
                id
            }
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }

    /// The slice of a number.
    pub fn slice(&self, id: SliceId) -> Option<&Slice> {
        self.slices.get(id.0 as usize)
    }

    /// Kinds with more names than have slices, such as `reviewer` or `cohort:race`: the rest is in
    /// their `__other__`.
    pub fn capped(&self) -> Vec<String> {
        self.kinds.iter().filter(|(_, k)| k.turned_away > 0).map(|(kind, _)| kind.clone()).collect()
    }

    /// Slices with a number.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// None yet.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// What to remember across restarts, by name.
    pub fn remember(&self) -> Vec<Remembered> {
        let mut list: Vec<Remembered> = self
            .ids
            .iter()
            .map(|(slice, id)| Remembered {
                slice: slice.clone(),
                seen: self.seen.get(id.0 as usize).copied().unwrap_or(0),
            })
            .collect();
        list.sort_by(|a, b| a.slice.cmp(&b.slice));
        list
    }

    /// As it was remembered.
    pub fn recall(list: &[Remembered]) -> Self {
        let mut registry = Self::default();
        for one in list {
            registry.id(&one.slice, one.seen);
        }
        registry
    }

    fn touch(&mut self, id: SliceId, at: i64) {
        if let Some(seen) = self.seen.get_mut(id.0 as usize) {
            *seen = at.max(*seen);
        }
    }

    fn insert(&mut self, slice: Slice, at: i64) -> SliceId {
        let id = SliceId(u32::try_from(self.slices.len()).unwrap_or(u32::MAX));
        self.slices.push(slice.clone());
        self.seen.push(at);
        self.ids.insert(slice, id);
        id
    }

    /// Let the longest silent slice of a kind go, if it has been silent for long.
    fn forget(&mut self, kind: &str, at: i64) -> bool {
        let silent = self
            .ids
            .iter()
            .filter(|(slice, _)| !is_other(slice) && kind_of(slice).0 == kind)
            .map(|(slice, id)| (self.seen.get(id.0 as usize).copied().unwrap_or(0), slice))
            .min();
        let Some((seen, slice)) = silent else { return false };
        if at - seen < FORGET {
            return false;
        }
        let slice = slice.clone();
        if let Some(id) = self.ids.remove(&slice) {
            for seconds in self.named.iter_mut().flat_map(HashMap::values_mut) {
                seconds.retain(|_, known| *known != id);
            }
        }
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.own = kind.own.saturating_sub(1);
        }
        true
    }
}

fn is_other(slice: &Slice) -> bool {
    *slice == slice.other()
}

/// What is capped together, and how many there may be.
fn kind_of(slice: &Slice) -> (String, usize) {
    match slice {
        Slice::Overall => ("overall".into(), 1),
        Slice::Domain(_) => ("domain".into(), 32),
        Slice::Model { .. } => ("model".into(), 64),
        Slice::Cohort { dimension, .. } => (format!("cohort:{dimension}"), GROUPS),
        Slice::Queue(_) => ("queue".into(), 64),
        Slice::Reviewer(_) => ("reviewer".into(), 64),
        Slice::Rule(_) => ("rule".into(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reviewer(i: usize) -> Slice {
        Slice::Reviewer(format!("r{i}"))
    }

    #[test]
    fn beyond_the_cap_is_other_and_said() {
        let mut registry = Registry::default();
        let ids: Vec<SliceId> = (0..70).map(|i| registry.id(&reviewer(i), 0)).collect();
        assert_eq!(ids[64], ids[69]);
        assert_eq!(registry.slice(ids[64]), Some(&Slice::Reviewer(OTHER.into())));
        assert_eq!(registry.slice(ids[63]), Some(&reviewer(63)));
        assert_eq!((registry.len(), registry.capped()), (65, vec!["reviewer".to_owned()]));
        assert_eq!(registry.id(&reviewer(3), 5), ids[3]);
    }

    #[test]
    fn the_silent_make_room() {
        let mut registry = Registry::default();
        for i in 0..64 {
            registry.id(&reviewer(i), if i == 7 { 0 } else { 1000 });
        }
        let late = registry.id(&reviewer(99), FORGET);
        assert_eq!(registry.slice(late), Some(&reviewer(99)));
        let again = registry.id(&reviewer(7), FORGET);
        assert_eq!(registry.slice(again), Some(&Slice::Reviewer(OTHER.into())));
    }

    #[test]
    fn a_decision_is_in_the_slices_it_names_each_once() {
        let d: Decision = serde_json::from_value(serde_json::json!({
            "id": "d", "domain": "loan", "action": "approve", "model": {"name": "m", "version": "1"},
            "confidence": 0.5, "business_impact": 5.0, "input": {}, "output": "x",
            "cohort": {"race": "a", "site": "a"},
        }))
        .unwrap();
        let mut registry = Registry::default();
        for _ in 0..2 {
            let mut ids = Vec::new();
            registry.ids_of(&d, 0, &mut ids);
            let slices: Vec<Slice> =
                ids.iter().filter_map(|id| registry.slice(*id).cloned()).collect();
            assert_eq!(slices, Slice::of(&d));
        }
        // Thousands of dimensions are one slice, and the decision is in it once.
        let many =
            Decision { cohort: (0..99).map(|i| (format!("d{i}"), "g".into())).collect(), ..d };
        let mut ids = Vec::new();
        registry.ids_of(&many, 0, &mut ids);
        assert_eq!(ids.len(), 3 + 6 + 1);
    }

    #[test]
    fn a_flood_of_dimensions_is_one_slice() {
        let mut registry = Registry::default();
        for i in 0..1000 {
            registry.id(&Slice::Cohort { dimension: format!("d{i}"), group: "x".into() }, 0);
        }
        assert_eq!((registry.len(), registry.capped()), (9, vec!["cohort".to_owned()]));
        let back = Registry::recall(&registry.remember());
        assert_eq!(back.remember(), registry.remember());
    }
}
