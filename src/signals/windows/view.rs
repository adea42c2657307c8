//! Views: rows of windows, summed by slice.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Clock, Part, Row};
use crate::signals::{Counts, Durations, Slice, Sums};

/// Figures of slices, summed over buckets.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub slices: BTreeMap<Slice, Figures>,
}

/// Figures of one slice.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub counts: Counts,
    pub times: BTreeMap<Clock, Durations>,
    /// Cells by model and by the version its bins were frozen with.
    pub population: BTreeMap<(Arc<str>, u64), Vec<u64>>,
}

impl View {
    /// Add a part of a slice.
    pub fn add(&mut self, slice: &Slice, part: &Part, sums: &Sums) {
        let figures = match self.slices.get_mut(slice) {
            Some(figures) => figures,
            None => self.slices.entry(slice.clone()).or_default(),
        };
        figures.add(part, sums);
    }

    /// The sum of rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut view = Self::default();
        for row in rows {
            view.add(&row.slice, &row.part, &row.sums);
        }
        view
    }
}

impl Figures {
    /// Add a part.
    pub fn add(&mut self, part: &Part, sums: &Sums) {
        match part {
            Part::Counts => self.counts.add_sums(sums),
            Part::Time(clock) => self.times.entry(*clock).or_default().add_sums(sums),
            Part::Population { version, model } => {
                let cells = self.population.entry((model.clone(), *version)).or_default();
                let last = sums.pairs().last().map_or(0, |(key, _)| key);
                let size = usize::try_from(last).unwrap_or(0).saturating_add(1);
                if cells.len() < size && size <= 1 << 16 {
                    cells.resize(size, 0);
                }
                sums.add_to(cells);
            }
        }
    }
}
