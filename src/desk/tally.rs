//! Counts that facts are made of, kept in step while a stream is routed.

use std::collections::BTreeMap;

use super::core::{Core, Sight, refuse};
use crate::domain::{Decision, Facts, Timestamp};
use crate::policy::Policy;
use crate::protocol::Refused;
use crate::store::{Admission, Counts};

/// Today's counts, and those that are new since.
pub(super) struct Tally {
    counts: Counts,
    /// By domain, how unusual its arrivals are.
    arrivals: BTreeMap<String, f64>,
}

impl Tally {
    /// Today's counts; empty where the policy asks for none.
    pub(super) fn load(core: &Core, sight: &Sight) -> Result<Self, Refused> {
        let counts = match Self::matters(sight) {
            true => core.store.counts().map_err(refuse)?,
            false => Counts::default(),
        };
        let asked = sight.policy.as_ref().is_some_and(|p| p.needs().arrival_rate_z);
        let arrivals = match asked {
            true => core.how_it_stands(sight.now)?.arrivals,
            false => BTreeMap::new(),
        };
        Ok(Self { counts, arrivals })
    }

    /// Does it matter whether a record is known already? Where rules ask for counts, or limits and
    /// budgets count.
    pub(super) fn tells_known(sight: &Sight) -> bool {
        let bounded = |p: &Policy| !(p.limits().is_empty() && p.budgets().is_empty());
        Self::matters(sight)
            || sight.policy.as_deref().is_some_and(bounded)
            || sight.control.as_ref().is_some_and(|c| c.has_limits())
    }

    /// Do the policy's rules ask for counts?
    fn matters(sight: &Sight) -> bool {
        let needs = sight.policy.as_ref().map(|p| p.needs()).unwrap_or_default();
        needs.cohort_seen || needs.model_age_days
    }

    /// The facts for a decision admitted at `now`.
    pub(super) fn facts(&self, sight: &Sight, d: Option<&Decision>, now: Timestamp) -> Facts {
        let mut facts = Facts {
            control_readable: sight.control.is_some(),
            ..Facts::at(now, sight.snapshot.generation)
        };
        let (Some(policy), Some(d)) = (&sight.policy, d) else { return facts };
        let needs = policy.needs();
        if needs.cohort_seen {
            let group = d.cohort_group().unwrap_or_default();
            facts.cohort_seen = Some(self.counts.cohorts.get(group).copied().unwrap_or(0));
        }
        if needs.arrival_rate_z {
            facts.arrival_rate_z = self.arrivals.get(&d.domain).copied();
        }
        if needs.model_age_days {
            let first = self.counts.models.get(&version_key(&d.model.name, &d.model.version));
            let age = first.map_or(0, |t| now.as_millisecond() - t.as_millisecond());
            // Milliseconds of a few thousand years are exact in a double.
            #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
            let days = age.max(0) as f64 / 86_400_000.0;
            facts.model_age_days = Some(days);
        }
        facts
    }

    /// Count a record that is new, as the store does.
    pub(super) fn count(&mut self, new: &Admission) {
        let columns = &new.columns;
        let group = columns.cohort.get("cohort").map_or("", String::as_str);
        match self.counts.cohorts.get_mut(group) {
            Some(n) => *n += 1,
            None => drop(self.counts.cohorts.insert(group.to_owned(), 1)),
        }
        if !(columns.model.is_empty() && columns.version.is_empty()) {
            let key = version_key(&columns.model, &columns.version);
            self.counts.models.entry(key).or_insert(new.facts.now);
        }
    }
}

fn version_key(name: &str, version: &str) -> String {
    format!("{name}@{version}")
}
