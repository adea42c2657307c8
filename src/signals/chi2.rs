//! Two rows of counts: are they of one population? Pearson's χ² test of homogeneity, no Yates.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::counts::float;
use super::fdr;

/// Reference and current counts compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homogeneity {
    pub statistic: f64,
    pub p: f64,
    pub dof: usize,
    /// Below 5 the p-value is only rough.
    pub min_expected: f64,
}

impl Homogeneity {
    /// The chance of a statistic as large at any moment of a sliding window's length.
    pub fn p_scanned(&self) -> f64 {
        fdr::scanned_chi2(self.statistic, self.dof)
    }
}

/// Compare counts of the same bins; those empty on both sides are left out. `None` with fewer than
/// two bins left, or when one side has none.
pub fn homogeneity(reference: &[u64], current: &[u64]) -> Option<Homogeneity> {
    let rows: Vec<(f64, f64)> = reference
        .iter()
        .zip(current)
        .filter(|&(&r, &c)| r + c > 0)
        .map(|(&r, &c)| (float(r), float(c)))
        .collect();
    let n: f64 = rows.iter().map(|r| r.0).sum();
    let m: f64 = rows.iter().map(|r| r.1).sum();
    if rows.len() < 2 || n == 0.0 || m == 0.0 {
        return None;
    }
    let mut statistic = 0.0;
    let mut min_expected = f64::INFINITY;
    for &(r, c) in &rows {
        for (seen, total) in [(r, n), (c, m)] {
            let expected = (r + c) * total / (n + m);
            statistic += (seen - expected).powi(2) / expected;
            min_expected = min_expected.min(expected);
        }
    }
    let dof = rows.len() - 1;
    let p = ChiSquared::new(float(dof as u64)).ok()?.sf(statistic);
    Some(Homogeneity { statistic, p, dof, min_expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_by_hand() {
        let test = homogeneity(&[10, 0, 20], &[20, 0, 10]).unwrap();
        assert!((test.statistic - 20.0 / 3.0).abs() < 1e-12);
        assert!((test.p - 0.009_823_274_507_519_25).abs() < 1e-12, "{test:?}");
        assert_eq!((test.dof, test.min_expected), (1, 15.0));
        assert_eq!(homogeneity(&[5, 0], &[7, 0]), None);
        assert_eq!(homogeneity(&[5, 5], &[0, 0]), None);
    }
}
