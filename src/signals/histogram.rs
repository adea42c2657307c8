//! Fixed bins: where a value falls, and what the bins are called.
//!
//! Bins are made from the reference alone and stay as they are, so that yesterday's and today's
//! counts can be compared, and those of several nodes added.
//!
//! - Numbers: interior edges are the de-duplicated deciles of the reference (linear interpolation,
//!   numpy's default); bins are right-closed, the outer ones open.
//! - Numbers with at most ten distinct values in the reference: one bin each.
//! - Levels: one bin each, the most frequent ones up to a cap.
//!
//! After them come two more bins: `__other__` (a value the reference does not know, or of another
//! type) and `__missing__`.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::OTHER;

/// The bin of what is missing.
pub const MISSING: &str = "__missing__";
/// Levels with a bin of their own.
pub const LEVELS: usize = 64;
/// Up to this many distinct numbers have a bin each.
pub const DISTINCT: usize = 10;

/// A value of a feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Number(f64),
    Level(&'a str),
    Missing,
}

/// Frozen bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", from = "Stored", into = "Stored")]
pub enum Bins {
    /// Interior edges, rising.
    Deciles { edges: Vec<f64> },
    /// Distinct values, rising.
    Values { values: Vec<f64> },
    /// Levels by name, with their places.
    Levels { levels: Vec<String>, places: HashMap<String, usize> },
}

/// [`Bins`] as they are stored.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Stored {
    Deciles { edges: Vec<f64> },
    Values { values: Vec<f64> },
    Levels { levels: Vec<String> },
}

impl From<Stored> for Bins {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Deciles { edges } => Self::Deciles { edges },
            Stored::Values { values } => Self::Values { values },
            Stored::Levels { levels } => Self::levels(levels),
        }
    }
}

impl From<Bins> for Stored {
    fn from(bins: Bins) -> Self {
        match bins {
            Bins::Deciles { edges } => Self::Deciles { edges },
            Bins::Values { values } => Self::Values { values },
            Bins::Levels { levels, .. } => Self::Levels { levels },
        }
    }
}

impl Bins {
    /// Bins of numbers; those that are not finite are left out. `None` without any.
    pub fn of_numbers(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|x| x.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut distinct: Vec<f64> = Vec::new();
        for &x in &sorted {
            // Minus zero is zero.
            if distinct.last().is_none_or(|&last| last != x) {
                distinct.push(x);
            }
            if distinct.len() > DISTINCT {
                break;
            }
        }
        if distinct.is_empty() {
            return None;
        }
        if distinct.len() <= DISTINCT {
            return Some(Self::Values { values: distinct });
        }
        let mut edges: Vec<f64> = (1..10).filter_map(|k| quantile(&sorted, k)).collect();
        edges.dedup();
        Some(Self::Deciles { edges })
    }

    /// Bins of levels: the [`LEVELS`] most frequent ones (of equals the first by name). `None`
    /// without any.
    pub fn of_levels<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for level in values {
            *counts.entry(level).or_default() += 1;
        }
        let mut list: Vec<(&str, u64)> = counts.into_iter().collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        list.truncate(LEVELS);
        let mut levels: Vec<String> = list.into_iter().map(|(level, _)| level.to_owned()).collect();
        levels.sort_unstable();
        (!levels.is_empty()).then(|| Self::levels(levels))
    }

    fn levels(levels: Vec<String>) -> Self {
        let places = levels.iter().enumerate().map(|(i, l)| (l.clone(), i)).collect();
        Self::Levels { levels, places }
    }

    /// How many, with `__other__` and `__missing__`.
    pub fn count(&self) -> usize {
        self.regular() + 2
    }

    /// How many come before `__other__`.
    pub fn regular(&self) -> usize {
        match self {
            Self::Deciles { edges } => edges.len() + 1,
            Self::Values { values } => values.len(),
            Self::Levels { levels, .. } => levels.len(),
        }
    }

    /// Are the regular bins in the order of numbers?
    pub fn is_ordered(&self) -> bool {
        !matches!(self, Self::Levels { .. })
    }

    /// The bin of a value, below [`Bins::count`].
    pub fn place(&self, value: Value<'_>) -> usize {
        let other = self.regular();
        match (self, value) {
            (_, Value::Missing) => other + 1,
            (_, Value::Number(x)) if x.is_nan() => other + 1,
            // At most nine edges: counting is faster than searching.
            (Self::Deciles { edges }, Value::Number(x)) => {
                edges.iter().map(|&edge| usize::from(x > edge)).sum()
            }
            (Self::Values { values }, Value::Number(x)) => {
                values.iter().position(|&v| v == x).unwrap_or(other)
            }
            (Self::Levels { places, .. }, Value::Level(level)) => {
                places.get(level).copied().unwrap_or(other)
            }
            (Self::Deciles { .. } | Self::Values { .. }, Value::Level(_)) => other,
            (Self::Levels { places, .. }, Value::Number(x)) => {
                places.get(&x.to_string()).copied().unwrap_or(other)
            }
        }
    }

    /// Count values.
    pub fn tally<'a>(&self, values: impl IntoIterator<Item = Value<'a>>) -> Vec<u64> {
        let mut counts = vec![0; self.count()];
        for value in values {
            if let Some(count) = counts.get_mut(self.place(value)) {
                *count += 1;
            }
        }
        counts
    }

    /// Count numbers, as [`Bins::tally`] does but a column at a time; NaN is missing.
    pub fn tally_numbers(&self, column: &[f64]) -> Vec<u64> {
        let Self::Deciles { edges } = self else {
            return self.tally(column.iter().map(|&x| Value::Number(x)));
        };
        // How many are above each edge, a block that stays in the cache at a time: without branches
        // and without scattering, so that it runs in vectors.
        let mut above = vec![0; edges.len()];
        let mut missing = 0;
        for block in column.chunks(2_048) {
            for (above, edge) in above.iter_mut().zip(edges) {
                *above += block.iter().map(|x| u64::from(x > edge)).sum::<u64>();
            }
            missing += block.iter().map(|x| u64::from(x.is_nan())).sum::<u64>();
        }
        let all = u64::try_from(column.len()).unwrap_or(u64::MAX) - missing;
        let uppers = [all].into_iter().chain(above.iter().copied());
        let lowers = above.iter().copied().chain([0]);
        let mut counts: Vec<u64> = uppers.zip(lowers).map(|(upper, lower)| upper - lower).collect();
        counts.extend([0, missing]);
        counts
    }

    /// What a bin is called: `<= 0.31`, `> 0.9`, a value, a level, `__other__`, `__missing__`.
    pub fn label(&self, bin: usize) -> String {
        let regular = self.regular();
        if bin == regular + 1 {
            return MISSING.to_owned();
        }
        let named = match self {
            Self::Deciles { edges } => {
                edges.get(bin).map(|edge| format!("<= {}", short(*edge))).or_else(|| {
                    (bin < regular)
                        .then(|| edges.last().map(|edge| format!("> {}", short(*edge))))
                        .flatten()
                })
            }
            Self::Values { values } => values.get(bin).map(|&v| short(v)),
            Self::Levels { levels, .. } => levels.get(bin).cloned(),
        };
        named.unwrap_or_else(|| OTHER.to_owned())
    }
}

/// At most six significant digits.
fn short(x: f64) -> String {
    let scale = if x == 0.0 { 0.0 } else { x.abs().log10().floor() };
    if !(-5.0..15.0).contains(&scale) {
        return format!("{x:.3e}");
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 10 after the clamp"
    )]
    let digits = (5.0 - scale).clamp(0.0, 10.0) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The k-th decile of sorted numbers by linear interpolation, rounded as numpy does it.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index at most the length"
)]
fn quantile(sorted: &[f64], k: u32) -> Option<f64> {
    let at = f64::from(k) / 10.0 * (sorted.len().checked_sub(1)? as f64);
    let low = *sorted.get(at.floor() as usize)?;
    let high = sorted.get(at.floor() as usize + 1).copied().unwrap_or(low);
    let (part, step) = (at - at.floor(), high - low);
    // From the nearer end, so that both ends are met exactly.
    Some(if part >= 0.5 { high - step * (1.0 - part) } else { low + step * part })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deciles_are_right_closed_and_open_outside() {
        let bins = Bins::of_numbers((0..=100).map(f64::from)).unwrap();
        let Bins::Deciles { edges } = &bins else { panic!("{bins:?}") };
        assert_eq!(*edges, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]);
        let place = |x| bins.place(Value::Number(x));
        assert_eq!((place(-1e9), place(10.0), place(10.1), place(1e9)), (0, 0, 1, 9));
        assert_eq!(
            (place(f64::NAN), bins.place(Value::Missing), bins.place(Value::Level("x"))),
            (11, 11, 10)
        );
        assert_eq!((bins.label(0), bins.label(9)), ("<= 10".into(), "> 90".into()));
        assert_eq!((bins.label(10), bins.label(11)), (OTHER.into(), MISSING.into()));
    }

    #[test]
    fn a_column_is_counted_as_its_values_are() {
        for column in [(0..1003).map(f64::from).collect::<Vec<_>>(), vec![1.0, 2.0, 2.0]] {
            let bins = Bins::of_numbers(column.iter().copied()).unwrap();
            let shifted: Vec<f64> = column
                .iter()
                .map(|x| {
                    if *x == 1.0 {
                        f64::NAN
                    } else if *x == 2.0 {
                        f64::INFINITY
                    } else {
                        x - 20.0
                    }
                })
                .collect();
            let one_by_one = bins.tally(shifted.iter().map(|&x| Value::Number(x)));
            assert_eq!(bins.tally_numbers(&shifted), one_by_one);
        }
    }

    #[test]
    fn few_numbers_have_a_bin_each_and_ties_fewer_edges() {
        let bins = Bins::of_numbers([3.0, 1.0, -0.0, 0.0, 1.0, f64::INFINITY]).unwrap();
        assert_eq!(bins.regular(), 3);
        assert_eq!((bins.place(Value::Number(1.0)), bins.place(Value::Number(2.0))), (1, 3));
        assert_eq!(Bins::of_numbers([f64::NAN]), None);
        let tied =
            Bins::of_numbers((0..100).map(|i| if i < 60 { 0.0 } else { f64::from(i) })).unwrap();
        assert!(matches!(&tied, Bins::Deciles { edges } if edges.len() == 5), "{tied:?}");
    }

    #[test]
    fn levels_beyond_the_cap_share_a_bin() {
        let names: Vec<String> = (0..100).map(|i| format!("{i:03}")).collect();
        let often = names.iter().chain(&names[50..]).map(String::as_str);
        let bins = Bins::of_levels(often).unwrap();
        assert_eq!(bins.regular(), LEVELS);
        assert_eq!(bins.place(Value::Level("099")), 63);
        assert_eq!(bins.place(Value::Level("013")), 13);
        assert_eq!(bins.place(Value::Level("014")), LEVELS);
        let back: Bins = serde_json::from_str(&serde_json::to_string(&bins).unwrap()).unwrap();
        assert_eq!(back, bins);
    }

    #[test]
    fn numbers_are_written_short() {
        let said: Vec<String> = [0.1 + 0.2, 1234.5, 1e-9, 0.0, -2.5e20].map(short).into();
        assert_eq!(said, ["0.3", "1234.5", "1.000e-9", "0", "-2.500e20"]);
    }
}
