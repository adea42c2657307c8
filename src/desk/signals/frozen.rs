//! The reference: what it is made of, where it is kept, and who freezes it.
//!
//! A person freezes one from a period or a file. A model that has none gets one by itself: of its
//! first 1,000 decisions, or of those of its first seven days where these are fewer, but of no
//! fewer than 150 (fewer cannot judge). Whatever was counted before has no bins; windows of its
//! features begin with the freezing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::super::core::{Core, Sight, draft, json, lock, refuse};
use super::super::settle::decision_of;
use super::happened::First;
use crate::audit::{Entry, EntryKind};
use crate::domain::record::{self, Intake, Limits};
use crate::domain::{Outcome, Timestamp};
use crate::protocol::{Act, Line, ReferenceAsk, ReferenceView, Refused, Why};
use crate::signals::{Feature, MIN_REFERENCE, ModelReference, Reference, ReferenceBuilder};
use crate::store::{Op, Premises, Write};

/// Who froze a reference that nobody set.
pub(super) const SYSTEM: &str = "system";
/// Where it is kept: its head, and each model's part.
const HEAD: &str = "signals.reference";
const MODEL: &str = "signals.reference:";
/// A model's own first reference: so many decisions, or so many seconds.
const FIRST_DECISIONS: u64 = 1_000;
const FIRST_SECONDS: i64 = 7 * 86_400;
/// Entries looked through for a period at a time, and for a model's first decisions at most.
const PAGE: usize = 1_000;
const LOOK: u64 = 500_000;

/// The head of a stored reference.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u64,
    name: String,
    decisions: u64,
    set_at: Timestamp,
    set_by: String,
    /// Models, and the version each was frozen with.
    models: BTreeMap<String, u64>,
}

/// The reference as this process last read it, with the version of its row.
#[derive(Default)]
pub(in crate::desk) struct Frozen(Mutex<Option<(u64, Arc<Reference>)>>);

impl Core {
    /// The reference in force; an empty one where there is none.
    pub(in crate::desk) fn reference(&self) -> Result<Arc<Reference>, Refused> {
        let Some(head) = self.store.state(HEAD).map_err(refuse)? else {
            return Ok(Arc::default());
        };
        let known = lock(&self.frozen.0).clone();
        if let Some((_, reference)) = known.as_ref().filter(|(v, _)| *v == head.version) {
            return Ok(reference.clone());
        }
        let damaged = |what: &str| {
            Refused::new(Why::Damaged, format!("the stored reference cannot be read: {what}"))
                .hint("overrule signals reference set makes a new one")
        };
        let Head { version, name, decisions, set_at, set_by, models } =
            serde_json::from_slice(&head.value).map_err(|e| damaged(&e.to_string()))?;
        let mut read = BTreeMap::new();
        for (model, frozen) in models {
            // A model that has not changed need not be read again.
            let same = known.as_ref().and_then(|(_, r)| r.models.get(&model));
            let one = match same.filter(|m| m.version == frozen) {
                Some(one) => one.clone(),
                None => {
                    let key = format!("{MODEL}{model}");
                    let part = self.store.state(&key).map_err(refuse)?;
                    let part = part.ok_or_else(|| damaged(&format!("{model} is missing")))?;
                    Arc::new(
                        serde_json::from_slice::<ModelReference>(&part.value)
                            .map_err(|e| damaged(&e.to_string()))?,
                    )
                }
            };
            read.insert(model, one);
        }
        let reference =
            Arc::new(Reference { version, name, decisions, set_at, set_by, models: read });
        *lock(&self.frozen.0) = Some((head.version, reference.clone()));
        Ok(reference)
    }

    /// Freeze a reference from a period or from records.
    pub(in crate::desk) fn set_reference(
        &self,
        by: &str,
        ask: &ReferenceAsk,
    ) -> Result<ReferenceView, Refused> {
        let actor = self.actor(by)?;
        crate::authority::may(&actor, Act::SetReference, crate::authority::Subject::default())?;
        self.sight()?.cover().known("a reference holds values")?;
        let (name, gathered) = match ask {
            ReferenceAsk::Period { from, to } => {
                (format!("{from} to {to}"), self.period(*from, *to)?)
            }
            ReferenceAsk::Records { name, lines } => (name.clone(), records(lines)),
        };
        let decisions = gathered.decisions();
        if decisions == 0 {
            return Err(Refused::new(Why::Invalid, format!("there are no decisions in {name}"))
                .hint("a reference needs at least 150 decisions a model, better 1,000; overrule signals show says what there is"));
        }
        // Reading and freezing take long; only the commit is tried again.
        let models = gathered.freeze(0, open_to(&self.sight()?));
        self.retry(|sight| {
            let premises = Premises {
                actor: Some((actor.name.clone(), actor.version)),
                ..Premises::default()
            };
            self.freeze(sight, &name, by, decisions, &models, premises)
        })
    }

    /// Put models' references in force beside those of other models: one entry, one commit.
    fn freeze(
        &self,
        sight: &Sight,
        name: &str,
        by: &str,
        decisions: u64,
        models: &BTreeMap<String, Arc<ModelReference>>,
        mut premises: Premises,
    ) -> Result<ReferenceView, super::super::core::Trouble> {
        let before = self.store.state(HEAD)?;
        let old = self.reference()?;
        let version = old.version + 1;
        let mut all: BTreeMap<String, u64> =
            old.models.iter().map(|(name, m)| (name.clone(), m.version)).collect();
        all.extend(models.keys().map(|name| (name.clone(), version)));
        let set_at = sight.now;
        let head = Head {
            version,
            name: name.to_owned(),
            decisions,
            set_at,
            set_by: by.to_owned(),
            models: all,
        };
        let mut entry = Entry::new(EntryKind::REFERENCE, by, sight.now, sight.wall);
        entry.d.insert("version".into(), version.to_string());
        entry.d.insert("decisions".into(), decisions.to_string());
        entry.d.insert("models".into(), models.len().to_string());
        let mut ops =
            vec![Op::Entry(draft(entry, vec![("name".into(), name.as_bytes().to_vec())])?)];
        for (model, reference) in models {
            let reference = ModelReference { version, ..ModelReference::clone(reference) };
            let key = format!("{MODEL}{model}");
            ops.push(Op::PutState { key, value: Some(json(&reference)?) });
        }
        ops.push(Op::PutState { key: HEAD.to_owned(), value: Some(json(&head)?) });
        premises.state.push((HEAD.to_owned(), before.map_or(0, |s| s.version)));
        self.commit(Write { premises, now: sight.now, ops })?;
        Ok(ReferenceView {
            version,
            name: name.to_owned(),
            decisions,
            set_at,
            set_by: by.to_owned(),
        })
    }

    /// Give a model its first reference when there is enough of it: the same one whenever this is
    /// called. Returns the index of the first entry after what it is made of.
    pub(super) fn freeze_first(
        &self,
        sight: &Sight,
        model: &str,
        first: &First,
        fence: &[(String, u64)],
    ) -> Result<Option<u64>, super::super::core::Trouble> {
        let enough = |decisions: u64, now: Timestamp| {
            let old = now.as_second() - first.at.as_second() >= FIRST_SECONDS;
            decisions >= FIRST_DECISIONS || (old && decisions >= MIN_REFERENCE)
        };
        // Which values it may hold is for the policy to say.
        if !enough(first.decisions, sight.now) || sight.cover().known("").is_err() {
            return Ok(None);
        }
        let mut gathered = ReferenceBuilder::default();
        let mut next = first.index;
        let mut full = false;
        while !full && next < first.index + LOOK {
            let page = self.store.follow(next, PAGE)?;
            if page.is_empty() {
                break;
            }
            for seen in page {
                next = seen.index + 1;
                let Some(stored) = seen.decision.filter(|d| d.index == seen.index) else {
                    continue;
                };
                if stored.columns.model != model || stored.route.outcome == Outcome::Quarantine {
                    continue;
                }
                if let Ok(d) = decision_of(&stored) {
                    gathered.add(d);
                }
                full = enough(gathered.decisions(), stored.admitted_at);
                if full {
                    break;
                }
            }
        }
        let decisions = gathered.decisions();
        if decisions < MIN_REFERENCE {
            return Ok(None);
        }
        let name = format!("the first {decisions} decisions of {model}");
        let premises = Premises { state: fence.to_vec(), ..Premises::default() };
        let models = gathered.freeze(0, open_to(sight));
        self.freeze(sight, &name, SYSTEM, decisions, &models, premises)?;
        Ok(Some(next))
    }

    /// Decisions admitted in `from..to`.
    fn period(&self, from: Timestamp, to: Timestamp) -> Result<ReferenceBuilder, Refused> {
        let mut gathered = ReferenceBuilder::default();
        let mut next = self.first_entry_at(from)?;
        loop {
            let page = self.store.follow(next, PAGE).map_err(refuse)?;
            let Some(last) = page.last() else { return Ok(gathered) };
            next = last.index + 1;
            for seen in page {
                let Some(stored) = seen.decision.filter(|d| d.index == seen.index) else {
                    continue;
                };
                if stored.admitted_at >= to {
                    return Ok(gathered);
                }
                if stored.route.outcome != Outcome::Quarantine
                    && let Ok(d) = decision_of(&stored)
                {
                    gathered.add(d);
                }
            }
        }
    }

    /// The index of the first entry at this desk time or later: desk time never falls.
    pub(super) fn first_entry_at(&self, at: Timestamp) -> Result<u64, Refused> {
        let (mut low, mut high) = (0, self.store.head().map_err(refuse)?);
        while low < high {
            let middle = low + (high - low) / 2;
            let page = self.store.follow(middle, 1).map_err(refuse)?;
            let before = page
                .first()
                .and_then(|seen| Entry::parse(&seen.entry).ok())
                .is_some_and(|entry| entry.at < at);
            if before { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

/// Features of which nothing the policy redacts could be read back: bins hold values.
fn open_to(sight: &Sight) -> impl Fn(&Feature) -> bool + use<> {
    let policy = sight.policy.clone();
    move |feature| match (&policy, feature.path()) {
        // The length of an output tells none of it.
        (Some(policy), Some(path)) if *feature != Feature::OutputChars => {
            !policy.redact().touches(&path)
        }
        _ => true,
    }
}

/// The usable records among lines.
fn records(lines: &[Line]) -> ReferenceBuilder {
    let mut gathered = ReferenceBuilder::default();
    for line in lines {
        if let Intake::Record(parsed) = record::parse(&line.bytes, &Limits::default()) {
            gathered.add(parsed.decision);
        }
    }
    gathered
}

/// A reference as it is shown; `None` for an empty one.
pub(super) fn view(reference: &Reference) -> Option<ReferenceView> {
    (reference.version > 0).then(|| ReferenceView {
        version: reference.version,
        name: reference.name.clone(),
        decisions: reference.decisions,
        set_at: reference.set_at,
        set_by: reference.set_by.clone(),
    })
}
