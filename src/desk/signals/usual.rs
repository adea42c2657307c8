//! The numbers of an item's context against what is usual for its cohort and model.

use serde_json::Value as Json;

use super::super::core::Core;
use crate::protocol::{Refused, UsualView};
use crate::signals::{Bins, Feature, ModelReference, Slice, Value};
use crate::store::Columns;

/// Decisions of a cohort that a reference needs to speak for it.
const ENOUGH: u64 = 30;
/// The outer share on either side that is called unusual.
const OUTER: f64 = 0.05;
/// Bins a view shows at most.
const SHOWN: usize = 16;

impl Core {
    /// Compare the numbers in `record` (as it is shown: what is covered is no number) with the
    /// reference. Empty without one; a reference that cannot be read hides no item.
    pub(in crate::desk) fn usual(&self, columns: &Columns, record: &Json) -> Vec<UsualView> {
        let reference: Result<_, Refused> = self.reference();
        let reference = match reference {
            Ok(reference) => reference,
            Err(refused) => {
                tracing::warn!(why = refused.message, "no reference to compare an item with");
                return Vec::new();
            }
        };
        let Some(model) = reference.models.get(&columns.model) else { return Vec::new() };
        let (slice, against) = whom(model, columns);
        let fields = model.features.iter().enumerate().filter_map(|(i, watched)| {
            let Feature::Input(path) = &watched.feature else { return None };
            let value = path.iter().try_fold(record.get("input")?, |at, name| at.get(name))?;
            let value = value.as_f64().filter(|x| x.is_finite())?;
            let (shares, bin, rank, n) = match (&watched.bins, &watched.shape) {
                (Bins::Deciles { .. }, Some(shape)) => {
                    let counts = shape.slices.get(&slice)?;
                    let n: u64 = counts.iter().sum();
                    (shares(counts, n), shape.step(value), shape.rank(counts, value), n)
                }
                (Bins::Values { .. }, _) => {
                    let cells = model.counts_for(&slice)?.get(model.range(i))?;
                    let regular = cells.get(..watched.bins.regular())?;
                    let n: u64 = regular.iter().sum();
                    let bin = watched.bins.place(Value::Number(value));
                    let below: u64 = regular.iter().take(bin).sum();
                    let own = regular.get(bin)?;
                    let rank = if n == 0 { 0.5 } else { ratio(2 * below + own, 2 * n) };
                    (shares(regular, n), bin, rank, n)
                }
                _ => return None,
            };
            let unusual = match rank {
                r if r < OUTER => Some("low"),
                r if r > 1.0 - OUTER => Some("high"),
                _ => None,
            };
            Some(UsualView {
                field: watched.feature.to_string(),
                value,
                shares,
                bin,
                rank,
                unusual: unusual.map(str::to_owned),
                against: against.clone(),
                n,
            })
        });
        fields.collect()
    }
}

/// The cohort of the model where the reference has enough of it, its version, or all of the model;
/// and how that is said.
fn whom(model: &ModelReference, columns: &Columns) -> (Slice, String) {
    let count = |slice: &Slice| -> u64 {
        let first = model.counts_for(slice).and_then(|cells| cells.get(model.range(0)));
        first.map_or(0, |cells| cells.iter().sum())
    };
    let version = Slice::Model { name: columns.model.clone(), version: columns.version.clone() };
    let name = version.value();
    let cohorts = columns.cohort.iter().map(|(dimension, group)| Slice::Cohort {
        dimension: dimension.clone(),
        group: group.clone(),
    });
    // Of several cohorts, the smallest that can still be compared with is the closest.
    let cohort = cohorts.map(|c| (count(&c), c)).filter(|(n, _)| *n >= ENOUGH).min();
    if let Some((_, slice)) = cohort {
        let against = format!("cohort {} · {name}", slice.value());
        return (slice, against);
    }
    if model.slices.contains_key(&version) {
        return (version, name);
    }
    (Slice::Model { name: columns.model.clone(), version: String::new() }, columns.model.clone())
}

fn shares(counts: &[u64], n: u64) -> Vec<f64> {
    counts.iter().take(SHOWN).map(|&c| if n == 0 { 0.0 } else { ratio(c, n) }).collect()
}

#[allow(clippy::cast_precision_loss, reason = "counts of a reference")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}
