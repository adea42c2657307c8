//! Is a confidence of 0.9 right nine times in ten? Reliability bins, ECE, MCE and Brier score.
//!
//! Bins are right-closed (Guo et al., *On calibration of modern neural networks*, 2017, and
//! scikit-learn): a confidence on an edge belongs below it. Edges of equal width are
//! `i · (1/bins)`, as numpy has them. Observations may carry a weight, the inverse of the
//! probability that they were looked at, so that a sample speaks for all. Counts, sums of
//! confidences and sums of outcomes merge exactly; [`from_sums`] makes the same figures of them.

use serde::{Deserialize, Serialize};

use super::intervals::{ALPHA, Interval, wilson_rate};

/// Bins of equal width the desk uses.
pub const BINS: usize = 15;

/// Where the edges are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// So many bins of equal width over 0..=1.
    EqualWidth(usize),
    /// Edges at the quantiles of the confidences (linear interpolation); ties may leave bins empty.
    EqualMass(usize),
}

/// One looked-at decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// 0..=1.
    pub confidence: f64,
    pub right: bool,
    /// How many decisions it speaks for; 1 when every one was looked at.
    pub weight: f64,
}

/// What a bin holds, as sums that merge exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BinSums {
    pub n: u64,
    /// Sums over the bin of weights, weight · confidence, weight · right, weight².
    pub weight: f64,
    pub confidence: f64,
    pub right: f64,
    pub weight2: f64,
}

impl BinSums {
    /// Takes one more observation.
    pub fn observe(&mut self, seen: Observation) {
        self.n += 1;
        self.weight += seen.weight;
        self.weight2 += seen.weight * seen.weight;
        self.confidence += seen.weight * seen.confidence;
        self.right += if seen.right { seen.weight } else { 0.0 };
    }
}

/// A bin of the reliability diagram; empty bins are left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    pub index: usize,
    /// Edges; the upper one belongs to the bin.
    pub low: f64,
    pub high: f64,
    pub n: u64,
    /// Mean confidence.
    pub confidence: f64,
    /// Share that was right, and its 95 % Wilson interval on the effective number of observations.
    pub right: f64,
    pub interval: Interval,
}

/// How well confidences keep their promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub n: u64,
    /// Expected calibration error: mean |right − confidence| over bins, by weight.
    pub ece: f64,
    /// The largest of these.
    pub mce: f64,
    /// Mean squared error of the confidence; `None` where only sums are kept.
    pub brier: Option<f64>,
    pub bins: Vec<Bin>,
}

/// Which of the bins of equal width a confidence belongs to.
pub fn bin_of(confidence: f64, bins: usize) -> usize {
    // Division gives the place up to rounding; the edges decide.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the bins there are"
    )]
    let guess = (confidence.clamp(0.0, 1.0) * float(bins)).ceil() as usize;
    let mut bin = guess.saturating_sub(1).min(bins.saturating_sub(1));
    while bin > 0 && confidence <= edge(bin, bins) {
        bin -= 1;
    }
    while bin + 1 < bins && confidence > edge(bin + 1, bins) {
        bin += 1;
    }
    bin
}

/// The lower edge of bin `i` of `bins`, as numpy's `linspace` computes it.
pub fn edge(i: usize, bins: usize) -> f64 {
    if i >= bins { 1.0 } else { float(i) * (1.0 / float(bins)) }
}

/// Calibration of what was looked at; `None` when that is nothing. Confidences that are not finite
/// or weights that are not positive are left out.
pub fn calibration(seen: &[Observation], binning: Binning) -> Option<Calibration> {
    let usable = |o: &&Observation| o.confidence.is_finite() && o.weight > 0.0;
    let seen: Vec<Observation> = seen.iter().filter(usable).copied().collect();
    let edges: Vec<f64> = match binning {
        Binning::EqualWidth(bins) => (0..=bins).map(|i| edge(i, bins)).collect(),
        Binning::EqualMass(bins) => {
            let mut sorted: Vec<f64> = seen.iter().map(|o| o.confidence).collect();
            sorted.sort_by(f64::total_cmp);
            (0..=bins).map(|i| quantile(&sorted, i, bins)).collect()
        }
    };
    let inner = edges.get(1..edges.len().saturating_sub(1)).unwrap_or_default();
    let mut sums = vec![BinSums::default(); inner.len() + 1];
    let mut brier = 0.0;
    let mut weight = 0.0;
    for o in &seen {
        let bin = match binning {
            Binning::EqualWidth(bins) => bin_of(o.confidence, bins),
            Binning::EqualMass(_) => inner.partition_point(|edge| *edge < o.confidence),
        };
        if let Some(sums) = sums.get_mut(bin) {
            sums.observe(*o);
        }
        let miss = o.confidence - f64::from(u8::from(o.right));
        brier += o.weight * miss * miss;
        weight += o.weight;
    }
    let mut found = of_bins(&sums, &edges)?;
    found.brier = Some(brier / weight);
    Some(found)
}

/// Calibration of sums kept in bins of equal width, without the Brier score; `None` when they are
/// empty.
pub fn from_sums(sums: &[BinSums]) -> Option<Calibration> {
    let edges: Vec<f64> = (0..=sums.len()).map(|i| edge(i, sums.len())).collect();
    of_bins(sums, &edges)
}

fn of_bins(sums: &[BinSums], edges: &[f64]) -> Option<Calibration> {
    let total: f64 = sums.iter().map(|bin| bin.weight).sum();
    if total <= 0.0 {
        return None;
    }
    let mut found =
        Calibration { n: 0, ece: 0.0, mce: 0.0, brier: None, bins: Vec::with_capacity(sums.len()) };
    for (index, (bin, ends)) in sums.iter().zip(edges.windows(2)).enumerate() {
        let &[low, high] = ends else { continue };
        if bin.n == 0 || bin.weight <= 0.0 {
            continue;
        }
        let right = bin.right / bin.weight;
        let confidence = bin.confidence / bin.weight;
        let gap = (right - confidence).abs();
        found.n += bin.n;
        found.ece += bin.weight / total * gap;
        found.mce = found.mce.max(gap);
        // Kish's effective number of observations behind a weighted mean.
        let effective = bin.weight * bin.weight / bin.weight2;
        found.bins.push(Bin {
            index,
            low,
            high,
            n: bin.n,
            confidence,
            right,
            interval: wilson_rate(right.clamp(0.0, 1.0), effective, ALPHA),
        });
    }
    Some(found)
}

/// The `i/of` quantile of sorted values, linear between neighbours as numpy's default.
fn quantile(sorted: &[f64], i: usize, of: usize) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    // numpy takes percents and interpolates from the nearer end; only so do edges that hit a value
    // hit it exactly.
    let at = float(last) * (edge(i, of) * 100.0 / 100.0);
    let below = at.floor();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a floored index between 0 and the last one"
    )]
    let index = (below as usize).min(last);
    let low = sorted.get(index).copied().unwrap_or_default();
    let high = sorted.get(index + 1).copied().unwrap_or(low);
    let part = at - below;
    if part < 0.5 { low + (high - low) * part } else { high - (high - low) * (1.0 - part) }
}

#[allow(clippy::cast_precision_loss, reason = "counts of bins and observations, below 2^53")]
fn float(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(confidence: f64, right: bool) -> Observation {
        Observation { confidence, right, weight: 1.0 }
    }

    #[test]
    fn a_confidence_on_an_edge_belongs_below_it() {
        for bins in [10, 15] {
            for i in 1..=bins {
                assert_eq!(bin_of(edge(i, bins), bins), i - 1, "{i} of {bins}");
                assert_eq!(bin_of(edge(i - 1, bins) + 1e-12, bins), i - 1);
            }
            assert_eq!(bin_of(0.0, bins), 0);
        }
    }

    #[test]
    fn sums_of_two_nodes_give_what_all_together_give() {
        let all: Vec<Observation> =
            (0..500u32).map(|i| seen(f64::from(i % 97) / 96.0, i % 3 == 0)).collect();
        let mut sums = [BinSums::default(); BINS];
        for o in &all {
            sums[bin_of(o.confidence, BINS)].observe(*o);
        }
        let merged = from_sums(&sums).expect("seen");
        let direct = calibration(&all, Binning::EqualWidth(BINS)).expect("seen");
        assert_eq!(merged.bins, direct.bins);
        assert_eq!((merged.ece, merged.mce), (direct.ece, direct.mce));
    }

    #[test]
    fn a_weight_counts_as_so_many() {
        let weighted = [Observation { weight: 3.0, ..seen(0.9, true) }, seen(0.9, false)];
        let repeated = [seen(0.9, true), seen(0.9, true), seen(0.9, true), seen(0.9, false)];
        let a = calibration(&weighted, Binning::EqualWidth(10)).expect("seen");
        let b = calibration(&repeated, Binning::EqualWidth(10)).expect("seen");
        assert!((a.ece - b.ece).abs() < 1e-12 && (a.ece - 0.15).abs() < 1e-12);
        assert!(a.bins[0].interval.high > b.bins[0].interval.high, "fewer were looked at");
    }

    #[test]
    fn nothing_looked_at_has_no_calibration() {
        assert_eq!(calibration(&[], Binning::EqualMass(10)), None);
        assert_eq!(from_sums(&[BinSums::default(); 15]), None);
    }
}
