//! ADWIN: a window that grows while a stream stays the same and drops its old part when it
//! changes (Bifet and Gavaldà, *Learning from time-changing data with adaptive windowing*, 2007).
//!
//! The window is kept as rows of buckets of 1, 2, 4… values, at most five a row, so that a million
//! values need about a hundred buckets. Indices of changes equal those of river's class, with two
//! differences that only help: a value that is missing or not finite is skipped and counted
//! (there, one NaN silences the detector for ever), and the state can be stored.

use serde::{Deserialize, Serialize};

/// Buckets a row holds; one more makes the two oldest merge into the next row.
const ROW: usize = 5;
const FULL: usize = ROW + 1;
/// Values a side of a cut needs.
const MIN_SIDE: f64 = 5.0;
/// Nothing is tested in a window of this width or less.
const GRACE: f64 = 10.0;

/// How ADWIN is set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdwinSettings {
    /// Confidence of a cut, in (0, 1); smaller alarms less and later.
    pub delta: f64,
    /// Values between two tests, at least 1.
    pub clock: u32,
}

impl Default for AdwinSettings {
    /// river's: δ 0.002, every 32nd value.
    fn default() -> Self {
        Self { delta: 0.002, clock: 32 }
    }
}

/// Buckets of one size, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Row {
    len: usize,
    totals: [f64; FULL],
    /// Sums of squared deviations from the bucket's mean.
    spreads: [f64; FULL],
}

impl Row {
    fn push(&mut self, total: f64, spread: f64) {
        if let (Some(t), Some(s)) = (self.totals.get_mut(self.len), self.spreads.get_mut(self.len))
        {
            *t = total;
            *s = spread;
            self.len += 1;
        }
    }

    fn drop_oldest<const N: usize>(&mut self) {
        self.totals.copy_within(N.., 0);
        self.spreads.copy_within(N.., 0);
        self.len = self.len.saturating_sub(N);
    }

    fn buckets(&self) -> &[f64] {
        self.totals.get(..self.len).unwrap_or_default()
    }
}

/// The detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adwin {
    settings: AdwinSettings,
    /// Row `i` holds buckets of `2^i` values; the last row holds the oldest.
    rows: Vec<Row>,
    width: f64,
    total: f64,
    /// Sum of squared deviations over the window.
    spread: f64,
    ticks: u32,
    drifted: bool,
    skipped: u64,
}

impl Adwin {
    /// An empty window.
    pub fn new(settings: AdwinSettings) -> Self {
        Self {
            settings,
            rows: vec![Row::default()],
            width: 0.0,
            total: 0.0,
            spread: 0.0,
            ticks: 0,
            drifted: false,
            skipped: 0,
        }
    }

    /// Takes a value; true when the stream changed at it. The window starts anew with the next
    /// value after a change.
    pub fn update(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            self.skipped += 1;
            return false;
        }
        if self.drifted {
            self.forget();
        }
        self.insert(value);
        self.ticks += 1;
        if self.ticks >= self.settings.clock.max(1) {
            self.ticks = 0;
            if self.width > GRACE {
                self.drifted = self.shrink();
            }
        }
        self.drifted
    }

    /// Sets another confidence for the tests to come.
    pub fn set_delta(&mut self, delta: f64) {
        self.settings.delta = delta;
    }

    /// Values in the window.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Mean of the window, 0 when empty.
    pub fn mean(&self) -> f64 {
        if self.width > 0.0 { self.total / self.width } else { 0.0 }
    }

    /// Sum of squared deviations over the window.
    pub fn spread(&self) -> f64 {
        self.spread
    }

    /// Values that were missing or not finite.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn forget(&mut self) {
        self.rows.truncate(1);
        if let Some(row) = self.rows.first_mut() {
            *row = Row::default();
        }
        self.width = 0.0;
        self.total = 0.0;
        self.spread = 0.0;
        self.ticks = 0;
        self.drifted = false;
    }

    fn insert(&mut self, value: f64) {
        self.width += 1.0;
        if self.width > 1.0 {
            let before = self.width - 1.0;
            let deviation = value - self.total / before;
            self.spread += before * deviation * deviation / self.width;
        }
        self.total += value;
        let Some(first) = self.rows.first_mut() else {
            return;
        };
        first.push(value, 0.0);
        if first.len == FULL {
            self.merge_up();
        }
    }

    /// The two oldest buckets of every overfull row become one of the next row.
    fn merge_up(&mut self) {
        let mut size = 1.0;
        let mut index = 0;
        while let Some(row) = self.rows.get_mut(index) {
            if row.len < FULL {
                break;
            }
            let [a, b, ..] = row.totals;
            let [spread_a, spread_b, ..] = row.spreads;
            row.drop_oldest::<2>();
            let apart = a / size - b / size;
            let spread = spread_a + spread_b + size * size * apart * apart / (size + size);
            index += 1;
            size *= 2.0;
            match self.rows.get_mut(index) {
                Some(next) => next.push(a + b, spread),
                None => {
                    let mut next = Row::default();
                    next.push(a + b, spread);
                    self.rows.push(next);
                }
            }
        }
    }

    /// Drops oldest buckets for as long as some cut of the window has sides too different to be
    /// the same stream.
    fn shrink(&mut self) -> bool {
        let mut changed = false;
        while self.differs() {
            changed = true;
            self.drop_oldest();
        }
        changed
    }

    fn differs(&self) -> bool {
        let log = (2.0 * self.width.ln() / self.settings.delta).ln();
        let doubled = 2.0 * (self.spread / self.width) * log;
        let linear = 2.0 / 3.0 * log;
        let mut old_n = 0.0;
        let mut old_total = 0.0;
        let mut size = scale(self.rows.len().saturating_sub(1));
        for row in self.rows.iter().rev() {
            for total in row.buckets() {
                old_n += size;
                old_total += total;
                let new_n = self.width - old_n;
                if old_n < MIN_SIDE {
                    continue;
                }
                // The newest side only gets smaller; the last value is thereby never cut off.
                if new_n < MIN_SIDE {
                    return false;
                }
                let apart = (old_total / old_n - (self.total - old_total) / new_n).abs();
                let m = 1.0 / (old_n - MIN_SIDE + 1.0) + 1.0 / (new_n - MIN_SIDE + 1.0);
                if apart > (m * doubled).sqrt() + linear * m {
                    return true;
                }
            }
            size /= 2.0;
        }
        false
    }

    fn drop_oldest(&mut self) {
        let size = scale(self.rows.len().saturating_sub(1));
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        let ([total, ..], [spread, ..]) = (row.totals, row.spreads);
        row.drop_oldest::<1>();
        if row.len == 0 && self.rows.len() > 1 {
            self.rows.pop();
        }
        self.width -= size;
        self.total -= total;
        let apart = total / size - self.total / self.width;
        self.spread -= spread + size * self.width * apart * apart / (size + self.width);
    }
}

/// `2^row`.
fn scale(row: usize) -> f64 {
    i32::try_from(row).map_or(f64::INFINITY, |row| 2f64.powi(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(settings: AdwinSettings, values: impl IntoIterator<Item = f64>) -> (Adwin, Vec<usize>) {
        let mut adwin = Adwin::new(settings);
        let drifts = values
            .into_iter()
            .enumerate()
            .filter_map(|(i, value)| adwin.update(value).then_some(i))
            .collect();
        (adwin, drifts)
    }

    #[test]
    fn a_step_is_found_soon_and_a_constant_never() {
        let step = (0..1_000u32).map(|i| f64::from(u8::from(i >= 500)));
        let (adwin, drifts) = fed(AdwinSettings::default(), step);
        assert_eq!(drifts.len(), 1);
        assert!((500..540).contains(&drifts[0]), "{drifts:?}");
        assert_eq!(adwin.mean(), 1.0);
        let (adwin, drifts) = fed(AdwinSettings::default(), std::iter::repeat_n(0.3, 5_000));
        assert!(drifts.is_empty());
        assert_eq!(adwin.width(), 5_000.0);
        assert!((adwin.mean() - 0.3).abs() < 1e-12);
    }

    #[test]
    fn what_is_missing_is_counted_and_changes_nothing() {
        let bits = |i: u32| f64::from(u8::from(i.is_multiple_of(7) || i > 400));
        let (clean, drifts) = fed(AdwinSettings::default(), (0..800).map(bits));
        let holes = (0..800).flat_map(|i| [f64::NAN, bits(i), f64::INFINITY]);
        let (holed, with_holes) = fed(AdwinSettings::default(), holes);
        assert_eq!(holed.skipped(), 1_600);
        assert_eq!(with_holes.iter().map(|i| i / 3).collect::<Vec<_>>(), drifts);
        assert_eq!(holed.width(), clean.width());
    }

    #[test]
    fn the_window_stays_small_and_survives_being_stored() {
        let (mut adwin, _) = fed(AdwinSettings::default(), std::iter::repeat_n(0.5, 100_000));
        assert!(adwin.rows.len() <= 17, "{} rows", adwin.rows.len());
        let stored = serde_json::to_string(&adwin).expect("json");
        let mut back: Adwin = serde_json::from_str(&stored).expect("back");
        assert_eq!(back, adwin);
        for i in 0..200u32 {
            let value = f64::from(i % 2);
            assert_eq!(back.update(value), adwin.update(value));
        }
        assert_eq!(back, adwin);
    }
}
