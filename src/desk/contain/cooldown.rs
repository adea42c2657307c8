//! Cool-downs: how long an effect stays quiet about the same thing once it has fired.
//!
//! A cool-down is stored by the write of what set it off. Until that is durable it holds for the
//! look that the write was decided on alone: a write that is refused has silenced nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::EffectSubject;
use crate::desk::core::{Core, Sight, json, lock, refuse};
use crate::domain::Timestamp;
use crate::protocol::Refused;
use crate::store::{Admission, AdmitResult, Op};

/// Where cool-downs are kept: this, the effect and what it was about.
const KEY: &str = "cooldown/";

/// Until when, and what set it off.
type Quiet = (Timestamp, String);

/// Cool-downs by their keys.
#[derive(Default)]
pub(in crate::desk) struct Cooldowns(Mutex<BTreeMap<String, Quiet>>);

impl Cooldowns {
    /// Does one of another subject than `id` hold at `now`? Until when.
    fn holds(&self, key: &str, id: &str, now: Timestamp) -> Option<Timestamp> {
        lock(&self.0).get(key).and_then(|quiet| holds(quiet, id, now))
    }

    /// Of two the later one counts.
    fn keep(&self, key: String, quiet: Quiet) {
        let mut all = lock(&self.0);
        match all.get(&key) {
            Some((until, _)) if *until > quiet.0 => {}
            _ => drop(all.insert(key, quiet)),
        }
    }

    fn forget(&self, key: &str, quiet: &Quiet) {
        let mut all = lock(&self.0);
        if all.get(key) == Some(quiet) {
            all.remove(key);
        }
    }
}

/// Both halves of one firing (at once, and after the grace time) are one.
fn holds((until, by): &Quiet, id: &str, now: Timestamp) -> Option<Timestamp> {
    (by != id && now < *until).then_some(*until)
}

/// The cool-downs that these operations begin.
fn begun<'o>(ops: impl IntoIterator<Item = &'o Op>) -> Vec<(String, Quiet)> {
    let one = |op: &Op| match op {
        Op::PutState { key, value: Some(value) } if key.starts_with(KEY) => {
            Some((key.clone(), serde_json::from_slice(value).ok()?))
        }
        _ => None,
    };
    ops.into_iter().filter_map(one).collect()
}

/// Cool-downs of a write that is on its way.
pub(in crate::desk) struct Begun(Vec<(String, Quiet)>);

impl Begun {
    /// Those that the operations of a write begin.
    pub(in crate::desk) fn of(ops: &[Op]) -> Self {
        Self(begun(ops))
    }
}

impl Core {
    /// Until when an effect stays quiet about this; `None`: it may act, and then stays quiet for
    /// its cool-down, which `ops` keeps.
    pub(in crate::desk) fn quiet_until(
        &self,
        sight: &Sight,
        effect: &str,
        about: &EffectSubject<'_>,
        now: Timestamp,
        ops: &mut Vec<Op>,
    ) -> Result<Option<Timestamp>, Refused> {
        let cooldown = sight.policy.as_ref().and_then(|p| p.cooldown(effect));
        let Some(cooldown) = cooldown else { return Ok(None) };
        let subject = about.scope().map_or_else(|| about.id.to_owned(), |s| s.to_string());
        let key = format!("{KEY}{effect}/{subject}");
        let near = [&sight.cooling, &self.quiet];
        if let Some(until) = near.into_iter().find_map(|c| c.holds(&key, about.id, now)) {
            return Ok(Some(until));
        }
        // What this process remembers may be over, and another's not.
        let stored = self.store.state(&key).map_err(refuse)?;
        let stored = stored.and_then(|s| serde_json::from_slice::<Quiet>(&s.value).ok());
        if let Some(quiet) = stored
            && let Some(until) = holds(&quiet, about.id, now)
        {
            self.quiet.keep(key, quiet);
            return Ok(Some(until));
        }
        let until = now.checked_add(cooldown).unwrap_or(Timestamp::MAX);
        let quiet = (until, about.id.to_owned());
        ops.push(Op::PutState { key: key.clone(), value: Some(json(&quiet)?) });
        sight.cooling.keep(key, quiet);
        Ok(None)
    }

    /// A write is durable: what it began holds for this process from now on.
    pub(in crate::desk) fn cooled(&self, Begun(begun): Begun) {
        for (key, quiet) in begun {
            self.quiet.keep(key, quiet);
        }
    }

    /// What became of admissions that were decided on `sight`: of each that is new its cool-downs
    /// hold, of the others (`None`: of all, the batch was refused) nothing ever began.
    pub(in crate::desk) fn cooled_by(
        &self,
        sight: &Sight,
        rows: &[Admission],
        results: Option<&[AdmitResult]>,
    ) {
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.then.is_empty()) {
            let new = results
                .and_then(|all| all.get(i))
                .is_some_and(|r| matches!(r, AdmitResult::New(_)));
            for (key, quiet) in begun(&row.then) {
                sight.cooling.forget(&key, &quiet);
                if new {
                    self.quiet.keep(key, quiet);
                }
            }
        }
    }
}
