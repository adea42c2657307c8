//! What is usual: distributions frozen from a period or a file, per model.
//!
//! Every feature of a model gets its bins once, from the reference alone; then each slice the
//! reference has decisions of (overall, domains, model versions, cohort groups) is counted in them.
//! A slice is later compared with itself: a cohort with its own past, a model version with its own,
//! or, where the version is new, with all versions of that model.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Bins, Feature, Slice, Value, discover};
use crate::domain::{Decision, Timestamp};

/// Decisions of one model that a reference is made of; of more, every second, fourth, … is taken.
pub const KEPT: usize = 20_000;
/// Models a reference may have.
pub const MODELS: usize = 64;
/// Slices of a model that are counted, the most frequent ones.
const SLICES: usize = 128;

/// A frozen reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Rises with every change.
    pub version: u64,
    /// A period, a file's name, or how it came about.
    pub name: String,
    /// Decisions in it.
    pub decisions: u64,
    pub set_at: Timestamp,
    pub set_by: String,
    /// By name of the model (all its versions).
    pub models: BTreeMap<String, Arc<ModelReference>>,
}

/// What is usual for a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReference {
    /// The version of the [`Reference`] it was frozen with.
    pub version: u64,
    pub decisions: u64,
    pub features: Vec<Watched>,
    /// Features beyond the cap, by name.
    pub beyond: Vec<String>,
    /// Counts of all features' bins, one after the other, by slice.
    pub slices: BTreeMap<Slice, Vec<u64>>,
}

/// A feature and its frozen bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    pub feature: Feature,
    pub bins: Bins,
    /// The shape of what deciles hide: numbers with more than ten distinct values.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shape: Option<Shape>,
}

/// How numbers are spread, over steps of equal width: what a person compares a value with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// The first and last percentile of the reference.
    pub low: f64,
    pub high: f64,
    /// Counts by slice: below `low`, [`STEPS`] steps, above `high`.
    pub slices: BTreeMap<Slice, Vec<u64>>,
}

/// Steps of a [`Shape`] between its ends.
pub const STEPS: usize = 14;

impl Shape {
    fn of(numbers: &[f64]) -> Option<Self> {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let (low, high) = (*sorted.get(last / 100)?, *sorted.get(last - last / 100)?);
        (low < high).then(|| Self { low, high, slices: BTreeMap::new() })
    }

    /// Which count a number belongs to.
    pub fn step(&self, x: f64) -> usize {
        if x < self.low {
            return 0;
        }
        if x > self.high {
            return STEPS + 1;
        }
        let part = (x - self.low) / (self.high - self.low);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "0..=1 times 14"
        )]
        let step = (part * STEPS as f64) as usize;
        step.min(STEPS - 1) + 1
    }

    /// The share of `counts` below `x`, as if a step's numbers were spread evenly in it.
    #[allow(clippy::cast_precision_loss, reason = "counts of a reference, and 14")]
    pub fn rank(&self, counts: &[u64], x: f64) -> f64 {
        let step = self.step(x);
        let below: u64 = counts.iter().take(step).sum();
        let own = counts.get(step).copied().unwrap_or(0) as f64;
        let all: u64 = counts.iter().sum();
        let part = (x - self.low) / (self.high - self.low) * STEPS as f64;
        let inside = match step {
            0 => 0.0,
            _ if step > STEPS => 1.0,
            _ => (part - (step - 1) as f64).clamp(0.0, 1.0),
        };
        if all == 0 { 0.5 } else { (below as f64 + own * inside) / all as f64 }
    }
}

impl ModelReference {
    /// Freeze what these decisions (of one model) show. `None` without any.
    pub fn freeze(version: u64, decisions: &[Decision]) -> Option<Self> {
        Self::freeze_only(version, decisions, |_| true)
    }

    /// As [`Self::freeze`], of these features only: what is left out leaves no trace.
    fn freeze_only(
        version: u64,
        decisions: &[Decision],
        only: impl Fn(&Feature) -> bool,
    ) -> Option<Self> {
        let found = discover(decisions);
        let features: Vec<Watched> = found
            .features
            .into_iter()
            .filter(|feature| only(feature))
            .filter_map(|feature| {
                let mut numbers: Vec<f64> = Vec::new();
                let mut levels = Vec::new();
                for d in decisions {
                    match feature.of(d) {
                        Value::Number(x) => numbers.push(x),
                        Value::Level(level) => levels.push(level),
                        Value::Missing => {}
                    }
                }
                let bins = if numbers.len() >= levels.len() {
                    Bins::of_numbers(numbers.iter().copied())
                } else {
                    Bins::of_levels(levels)
                };
                let shape = match bins {
                    Some(Bins::Deciles { .. }) => Shape::of(&numbers),
                    _ => None,
                };
                bins.map(|bins| Watched { feature, bins, shape })
            })
            .collect();
        let mut model = Self {
            version,
            decisions: u64::try_from(decisions.len()).unwrap_or(u64::MAX),
            features,
            beyond: found.beyond,
            slices: BTreeMap::new(),
        };
        let mut often: BTreeMap<Slice, u64> = BTreeMap::new();
        for slice in decisions.iter().flat_map(slices_of) {
            *often.entry(slice).or_default() += 1;
        }
        let mut list: Vec<(Slice, u64)> = often.into_iter().collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        list.truncate(SLICES);
        let cells = model.cells();
        model.slices = list.into_iter().map(|(slice, _)| (slice, vec![0; cells])).collect();
        for watched in &mut model.features {
            let Some(shape) = &mut watched.shape else { continue };
            for d in decisions {
                let Value::Number(x) = watched.feature.of(d) else { continue };
                let step = shape.step(x);
                for slice in slices_of(d).filter(|s| model.slices.contains_key(s)) {
                    let counts = shape.slices.entry(slice).or_insert_with(|| vec![0; STEPS + 2]);
                    if let Some(count) = counts.get_mut(step) {
                        *count += 1;
                    }
                }
            }
        }
        let mut places = Vec::new();
        for d in decisions {
            model.place(d, &mut places);
            for slice in slices_of(d) {
                let Some(counts) = model.slices.get_mut(&slice) else { continue };
                for place in &places {
                    if let Some(count) =
                        usize::try_from(*place).ok().and_then(|p| counts.get_mut(p))
                    {
                        *count += 1;
                    }
                }
            }
        }
        (!decisions.is_empty()).then_some(model)
    }

    /// Bins of all features together.
    pub fn cells(&self) -> usize {
        self.features.iter().map(|w| w.bins.count()).sum()
    }

    /// Which of these cells are a feature's.
    pub fn range(&self, feature: usize) -> Range<usize> {
        let start = self.features.iter().take(feature).map(|w| w.bins.count()).sum();
        start..start + self.features.get(feature).map_or(0, |w| w.bins.count())
    }

    /// The cell of every feature of a decision, in order; `places` is overwritten. Returns how many
    /// features were missing.
    pub fn place(&self, d: &Decision, places: &mut Vec<u32>) -> u64 {
        places.clear();
        let (mut start, mut missing) = (0, 0);
        for watched in &self.features {
            let bin = watched.bins.place(watched.feature.of(d));
            let count = watched.bins.count();
            missing += u64::from(bin + 1 == count);
            places.push(u32::try_from(start + bin).unwrap_or(u32::MAX));
            start += count;
        }
        missing
    }

    /// What a slice is compared with: itself, or all versions where a model's version is new.
    pub fn counts_for(&self, slice: &Slice) -> Option<&[u64]> {
        let whole = || match slice {
            Slice::Model { name, .. } => {
                self.slices.get(&Slice::Model { name: name.clone(), version: String::new() })
            }
            _ => None,
        };
        self.slices.get(slice).or_else(whole).map(Vec::as_slice)
    }
}

/// The slices of a decision, and its model over all versions.
fn slices_of(d: &Decision) -> impl Iterator<Item = Slice> {
    let whole = Slice::Model { name: d.model.name.clone(), version: String::new() };
    Slice::of(d).into_iter().chain([whole])
}

/// Gathers decisions for a reference, in bounded memory.
#[derive(Debug, Default)]
pub struct ReferenceBuilder {
    models: BTreeMap<String, Gathered>,
}

#[derive(Debug)]
struct Gathered {
    seen: u64,
    /// Every so many is kept.
    stride: u64,
    kept: Vec<Decision>,
}

impl ReferenceBuilder {
    /// One more decision of the period.
    pub fn add(&mut self, d: Decision) {
        if self.models.len() >= MODELS && !self.models.contains_key(&d.model.name) {
            return;
        }
        let gathered = self.models.entry(d.model.name.clone()).or_insert(Gathered {
            seen: 0,
            stride: 1,
            kept: Vec::new(),
        });
        if gathered.seen.is_multiple_of(gathered.stride) {
            if gathered.kept.len() >= KEPT {
                let mut nth = 0_u32;
                gathered.kept.retain(|_| {
                    nth += 1;
                    nth % 2 == 1
                });
                gathered.stride *= 2;
            }
            if gathered.seen.is_multiple_of(gathered.stride) {
                gathered.kept.push(d);
            }
        }
        gathered.seen += 1;
    }

    /// Decisions seen.
    pub fn decisions(&self) -> u64 {
        self.models.values().map(|g| g.seen).sum()
    }

    /// Freeze what was gathered, of these features only.
    pub fn freeze(
        self,
        version: u64,
        only: impl Fn(&Feature) -> bool,
    ) -> BTreeMap<String, Arc<ModelReference>> {
        self.models
            .into_iter()
            .filter_map(|(name, gathered)| {
                let frozen = ModelReference::freeze_only(version, &gathered.kept, &only)?;
                Some((name, Arc::new(frozen)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision(i: u64, version: &str, group: &str) -> Decision {
        serde_json::from_value(json!({
            "id": format!("d-{i}"), "domain": "loan", "action": "approve",
            "model": {"name": "m", "version": version}, "confidence": 0.5 + 0.001 * (i as f64),
            "business_impact": 5.0, "cohort": {"race": group}, "input": {"income": i % 7}, "output": "x",
        }))
        .unwrap()
    }

    #[test]
    fn a_slice_is_compared_with_itself_and_a_new_version_with_the_model() {
        let list: Vec<Decision> =
            (0..100).map(|i| decision(i, "1", if i % 4 == 0 { "a" } else { "b" })).collect();
        let model = ModelReference::freeze(3, &list).unwrap();
        assert_eq!((model.version, model.decisions, model.features.len()), (3, 100, 5));
        // Ten deciles, one impact, one length, two groups, seven incomes; two more bins each.
        assert_eq!(model.cells(), 12 + 3 + 3 + 4 + 9);
        let income = model.range(4);
        assert_eq!(income, 22..31);
        let sum = |slice: &str| {
            let counts = model.counts_for(&slice.parse().unwrap())?;
            Some(counts[income.clone()].iter().sum::<u64>())
        };
        assert_eq!(sum("overall"), Some(100));
        assert_eq!(sum("cohort:race:a"), Some(25));
        assert_eq!(sum("model:m@1"), Some(100));
        assert_eq!(sum("model:m@2"), Some(100));
        assert_eq!(sum("cohort:race:c"), None);
        let mut places = Vec::new();
        assert_eq!(model.place(&decision(3, "2", "c"), &mut places), 0);
        // The third group is one the reference does not know.
        assert_eq!(places, [0, 12, 15, 18 + 2, 22 + 3]);
        let back: ModelReference =
            serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(back, model);
    }

    #[test]
    fn a_number_has_a_rank_in_the_shape_of_its_slice() {
        let list: Vec<Decision> = (0..400).map(|i| decision(i, "1", "a")).collect();
        let model = ModelReference::freeze(1, &list).unwrap();
        let shape = model.features[0].shape.as_ref().unwrap();
        assert_eq!((shape.low, shape.high), (0.503, 0.896));
        let counts = &shape.slices[&"cohort:race:a".parse().unwrap()];
        assert_eq!((counts.len(), counts.iter().sum::<u64>(), counts[0]), (STEPS + 2, 400, 3));
        let rank = |x: f64| (shape.rank(counts, x) * 100.0).round();
        assert_eq!([0.1, 0.52, 0.7, 0.88, 2.0].map(rank), [0.0, 5.0, 50.0, 95.0, 100.0]);
        assert!(model.features[4].shape.is_none(), "seven incomes are counted one by one");
    }

    #[test]
    fn a_long_period_is_thinned_evenly() {
        let mut builder = ReferenceBuilder::default();
        let one = decision(1, "1", "a");
        for _ in 0..KEPT * 2 + 5 {
            builder.add(one.clone());
        }
        assert_eq!(builder.decisions(), KEPT as u64 * 2 + 5);
        let model = &builder.freeze(1, |f| *f != Feature::Confidence)["m"];
        assert!(model.features.iter().all(|w| w.feature != Feature::Confidence));
        // Every second up to 2·KEPT, then every fourth.
        assert_eq!(model.decisions, KEPT as u64 / 2 + 2);
    }
}
