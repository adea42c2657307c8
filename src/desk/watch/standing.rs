//! How things stand, in one small row that the ticker keeps: what has drifted, and how unusual the
//! arrivals are. The header and admission read it without computing a figure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::conditions::controlled;
use super::deeds::Deeds;
use crate::desk::core::{Core, refuse};
use crate::desk::signals::{Detail, Figure};
use crate::domain::Timestamp;
use crate::policy::Each;
use crate::protocol::Refused;
use crate::signals::{Slice, Window};

/// Where it is kept.
const KEY: &str = "watch/standing";
const HOUR: i64 = 3_600;
/// Names in a header.
const NAMED: usize = 5;

/// How things stood when the ticker looked last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::desk) struct Standing {
    /// The hour since the epoch in which it looked.
    hour: i64,
    /// Slices and features that drift over the last day, such as `loan-gb@3.1 income`.
    pub(in crate::desk) drift: Vec<String>,
    /// By domain: the last whole hour's arrivals in standard deviations from those before it.
    pub(in crate::desk) arrivals: BTreeMap<String, f64>,
}

impl Core {
    /// How things stand; nothing where nobody has ticked for an hour or two.
    pub(in crate::desk) fn how_it_stands(&self, now: Timestamp) -> Result<Standing, Refused> {
        let stored = self.store.state(KEY).map_err(refuse)?;
        // It is found again at the next look.
        let known = stored.and_then(|s| serde_json::from_slice::<Standing>(&s.value).ok());
        let fresh = |s: &Standing| hour(now).saturating_sub(s.hour) <= 1;
        Ok(known.filter(fresh).unwrap_or_default())
    }

    /// See how things stand, and keep it where it has changed.
    pub(super) fn stand(&self, deeds: &mut Deeds<'_>) -> Result<(), Refused> {
        let seen = self.look(deeds.sight, Window::Day, Detail::of(&["domain", "model"]), true)?;
        let mut figures = seen.figures(Each::Domain);
        let arrivals = figures
            .iter()
            .filter_map(|figure| match &figure.slice {
                Slice::Domain(name) => Some((name.clone(), seen.arrival_z(&figure.slice)?)),
                _ => None,
            })
            .collect();
        figures.extend(seen.figures(Each::Model));
        let drift = drifting(&controlled(figures, Window::Day));
        let standing = Standing { hour: hour(deeds.now()), drift, arrivals };
        let kept = deeds.state::<Standing>(KEY)?;
        if kept.value != standing {
            deeds.put(KEY, kept.version, &standing)?;
        }
        Ok(())
    }
}

fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR)
}

/// The first few alarms, models before the domains they decide in.
fn drifting(figures: &[Figure]) -> Vec<String> {
    let named = |figure: &Figure| -> Vec<String> {
        let place = figure.slice.value();
        let alarms = figure.features.iter().filter(|(_, _, _, alarm)| *alarm);
        alarms.map(|(feature, _, _, _)| format!("{place} {feature}")).collect()
    };
    let is_model = |f: &&Figure| matches!(f.slice, Slice::Model { .. });
    let models = figures.iter().filter(is_model);
    let others = figures.iter().filter(|f| !is_model(f));
    models.chain(others).flat_map(named).take(NAMED).collect()
}
