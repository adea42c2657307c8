//! Two samples of numbers: the Kolmogorov–Smirnov statistic and its p-value.
//!
//! Up to 10,000 values a side the p-value is exact: the share of all orders of the two samples in
//! which the distribution functions come at least this far apart. An order is a lattice path from
//! (0, 0) to (n, m); a path that leaves the band |i/n − j/m| < D is one of those, and the last step
//! into (i, j) came from (i−1, j) with probability i/(i+j). Beyond that, Kolmogorov's limiting law.

/// Larger samples use the limiting law.
const EXACT_UP_TO: usize = 10_000;

/// Two samples compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    /// Largest distance of the two distribution functions, 0..=1.
    pub statistic: f64,
    /// Where it is.
    pub location: f64,
    /// The first sample's function is above (1) or below (−1) there.
    pub sign: i8,
    pub p: f64,
    /// By the limiting law.
    pub p_limit: f64,
}

/// Compare two samples; values that are not finite are left out. `None` when one is empty.
pub fn compare(a: &[f64], b: &[f64]) -> Option<KolmogorovSmirnov> {
    let sorted = |list: &[f64]| {
        let mut list: Vec<f64> = list.iter().copied().filter(|x| x.is_finite()).collect();
        list.sort_unstable_by(f64::total_cmp);
        list
    };
    let (a, b) = (sorted(a), sorted(b));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (n, m) = (a.len(), b.len());
    // Distances in units of 1/(n·m): exact.
    let (mut i, mut j, mut far) = (0, 0, 0_i128);
    let mut location = 0.0;
    let mut first = true;
    while i < n || j < m {
        let x = match (a.get(i), b.get(j)) {
            (Some(&x), Some(&y)) => x.min(y),
            (Some(&x), None) => x,
            (None, Some(&y)) => y,
            (None, None) => break,
        };
        i += a.iter().skip(i).take_while(|&&v| v <= x).count();
        j += b.iter().skip(j).take_while(|&&v| v <= x).count();
        let apart = wide(i) * wide(m) - wide(j) * wide(n);
        if first || apart.abs() > far.abs() {
            (far, location, first) = (apart, x, false);
        }
    }
    let statistic = ratio(far.abs(), wide(n) * wide(m));
    let p_limit = limit(ratio(wide(n) * wide(m), wide(n + m)).sqrt() * statistic);
    let p = if n.max(m) <= EXACT_UP_TO { exact(n, m, far.abs()) } else { p_limit };
    Some(KolmogorovSmirnov { statistic, location, sign: if far < 0 { -1 } else { 1 }, p, p_limit })
}

/// Statistic and limiting p-value where only counts in ordered bins are known: a lower bound of the
/// statistic, which differs from it by at most the largest share of a bin.
pub fn binned(reference: &[u64], current: &[u64]) -> Option<(f64, f64)> {
    let n: u64 = reference.iter().sum();
    let m: u64 = current.iter().sum();
    if n == 0 || m == 0 {
        return None;
    }
    let (mut i, mut j, mut far) = (0_i128, 0_i128, 0_i128);
    for (&r, &c) in reference.iter().zip(current) {
        i += i128::from(r);
        j += i128::from(c);
        far = far.max((i * i128::from(m) - j * i128::from(n)).abs());
    }
    let product = i128::from(n) * i128::from(m);
    let statistic = ratio(far, product);
    Some((statistic, limit(ratio(product, i128::from(n) + i128::from(m)).sqrt() * statistic)))
}

/// Probability that a random path leaves the band; `far` is n·m·D.
fn exact(n: usize, m: usize, far: i128) -> f64 {
    if far == 0 {
        return 1.0;
    }
    let (n, m) = if n < m { (m, n) } else { (n, m) };
    let (wn, wm) = (wide(n), wide(m));
    // For column i, rows inside are those with |i·m − j·n| < far.
    let mut outside = vec![1.0_f64; m + 1];
    for i in 0..=n {
        let at = wide(i) * wm;
        let low = usize::try_from((at - far).div_euclid(wn) + 1).unwrap_or(0);
        let high = usize::try_from((at + far - 1).div_euclid(wn)).unwrap_or(0).min(m);
        if low > high {
            return 1.0;
        }
        // The row that has just fallen below the band is outside from now on.
        let mut below = 1.0;
        for (j, cell) in outside.iter_mut().enumerate().take(high + 1).skip(low) {
            *cell = match (i, j) {
                (0, 0) => 0.0,
                (0, _) => below,
                (_, 0) => *cell,
                _ => (*cell * real(i) + below * real(j)) / real(i + j),
            };
            below = *cell;
        }
        if let Some(cell) = low.checked_sub(1).and_then(|j| outside.get_mut(j)) {
            *cell = 1.0;
        }
    }
    outside.last().copied().unwrap_or(1.0).clamp(0.0, 1.0)
}

/// Kolmogorov's limiting law: probability of a value above `x`.
fn limit(x: f64) -> f64 {
    use std::f64::consts::PI;
    if x <= 0.0 {
        return 1.0;
    }
    if x < 1.0 {
        // The other form of the theta function converges faster here.
        let sum: f64 =
            (1..20).map(|k| (-(f64::from(2 * k - 1) * PI / x).powi(2) / 8.0).exp()).sum();
        return (1.0 - (2.0 * PI).sqrt() / x * sum).clamp(0.0, 1.0);
    }
    let sum: f64 = (1..100)
        .map(|k| {
            let term = (-2.0 * (f64::from(k) * x).powi(2)).exp();
            if k % 2 == 1 { term } else { -term }
        })
        .sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

fn wide(n: usize) -> i128 {
    i128::try_from(n).unwrap_or(i128::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "rounded once, to 53 bits")]
fn ratio(a: i128, b: i128) -> f64 {
    a as f64 / b as f64
}

#[allow(clippy::cast_precision_loss, reason = "at most 20,000")]
fn real(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_against_two_apart_is_one_order_in_three() {
        let ks = compare(&[1.0, 2.0], &[3.0, 4.0, f64::NAN]).unwrap();
        assert_eq!((ks.statistic, ks.location, ks.sign), (1.0, 2.0, 1));
        assert!((ks.p - 2.0 / 6.0).abs() < 1e-15, "{ks:?}");
        assert_eq!(compare(&[f64::NAN], &[1.0]), None);
    }

    #[test]
    fn the_two_forms_of_the_limit_agree_where_they_meet() {
        assert!((limit(1.0 - 1e-12) - limit(1.0)).abs() < 1e-11);
        assert!((limit(1.0) - 0.269_999_671_677_355).abs() < 1e-14);
    }

    #[test]
    fn bins_give_no_more_than_the_values() {
        let (d, p) = binned(&[10, 10, 10], &[10, 0, 20]).unwrap();
        assert!((d - 1.0 / 3.0).abs() < 1e-15 && p > 0.05 && p < 0.1, "{d} {p}");
        assert_eq!(binned(&[0], &[1]), None);
    }
}
