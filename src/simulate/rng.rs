//! A small deterministic generator (SplitMix64): the same on every machine and in every version.

/// One stream of numbers. Not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Rng {
    /// The stream number `stream` of `seed`; neighbours have nothing in common.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed ^ 0x6F76_6572_7275_6C65);
        let base = mixed.next();
        let mut own = Self(base ^ stream.wrapping_mul(STEP).rotate_left(31));
        Self(own.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        // 53 bits: exact in a double.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [lo, hi).
    pub fn between(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.unit()
    }

    /// A whole number in 0..n (0 for n = 0).
    pub fn below(&mut self, n: usize) -> usize {
        // Lists here have less than 2^32 places, so the product stays inside 128 bits.
        let wide = u128::from(self.next()) * (n as u128);
        (wide >> 64) as usize
    }

    /// A whole number in lo..=hi.
    pub fn whole(&mut self, lo: u32, hi: u32) -> u32 {
        let span = hi.saturating_sub(lo) as usize + 1;
        // Below `span`, which came from a `u32`.
        lo + self.below(span) as u32
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of the list, which is not empty.
    #[allow(
        clippy::indexing_slicing,
        reason = "the place is below the length of a list with entries"
    )]
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// Normal with this mean and deviation (the sum of twelve uniforms: no tails beyond 6).
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        mean + (sum - 6.0) * deviation
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_this_one() {
        // SplitMix64 from state 0, as published with the algorithm.
        let mut rng = Rng(0);
        assert_eq!(rng.next(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(rng.next(), 0x6E78_9E6A_A1B9_65F4);
        assert_ne!(Rng::new(1, 1).next(), Rng::new(1, 2).next());
        assert_ne!(Rng::new(1, 1).next(), Rng::new(2, 1).next());
    }

    #[test]
    fn numbers_are_spread_as_promised() {
        let mut rng = Rng::new(3, 0);
        let n = 40_000;
        let mean = |f: &mut dyn FnMut() -> f64| (0..n).map(|_| f()).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || rng.unit()) - 0.5).abs() < 0.01);
        assert!((mean(&mut || rng.exponential(4.0)) - 4.0).abs() < 0.1);
        assert!((mean(&mut || rng.normal(2.0, 3.0)) - 2.0).abs() < 0.06);
        assert!((mean(&mut || f64::from(rng.chance(0.2))) - 0.2).abs() < 0.01);
        let mut seen = [false; 5];
        (0..200).for_each(|_| seen[rng.below(5)] = true);
        assert_eq!(seen, [true; 5]);
        assert!((0..200).all(|_| (3..=5).contains(&rng.whole(3, 5))));
        assert_eq!(rng.below(0), 0);
    }
}
