//! How sums travel: sorted pairs of key and count as variable-length integers, merged exactly.
//!
//! A block of sums (counts of a slice, cells of its histograms, a spread of durations) is mostly
//! zeros. It is kept as pairs `(key, count)` in rising order of key, the key as the distance from
//! the one before, both in base 128 with the high bit for "more follows". Merging two blocks adds
//! counts of equal keys; the order of merging does not matter.

/// A block of sums, encoded. Empty: all zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(Vec<u8>);

/// Bytes that are not a block of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a block of counts is damaged: it ends in the middle or its keys do not rise")]
pub struct DamagedSums;

impl Sums {
    /// Encode pairs that come in rising order of key; zeros are left out.
    pub fn of(pairs: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut bytes = Vec::new();
        let mut next = 0;
        for (key, count) in pairs {
            if count > 0 && key >= next {
                put(&mut bytes, key - next);
                put(&mut bytes, count);
                next = key.saturating_add(1);
            }
        }
        Self(bytes)
    }

    /// Take bytes that were stored.
    ///
    /// # Errors
    /// When they were not written by [`Sums::of`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, DamagedSums> {
        let mut walk = Walk { rest: &bytes, next: Some(0) };
        while walk.step()?.is_some() {}
        Ok(Self(bytes))
    }

    /// As stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Pairs of key and count, in rising order of key.
    pub fn pairs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        // Checked when it was made: damage cannot be met here, and would end the walk.
        let mut walk = Walk { rest: &self.0, next: Some(0) };
        std::iter::from_fn(move || walk.step().ok().flatten())
    }

    /// The exact sum of both.
    pub fn merged(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        let (mut left, mut right) = (self.pairs().peekable(), other.pairs().peekable());
        Self::of(std::iter::from_fn(|| match (left.peek().copied(), right.peek().copied()) {
            (Some(a), Some(b)) if a.0 == b.0 => {
                left.next();
                right.next();
                Some((a.0, a.1.saturating_add(b.1)))
            }
            (Some(a), Some(b)) if a.0 < b.0 => {
                left.next();
                Some(a)
            }
            (Some(a), None) => {
                left.next();
                Some(a)
            }
            (_, Some(b)) => {
                right.next();
                Some(b)
            }
            (None, None) => None,
        }))
    }

    /// Add every count to the cell its key names; keys beyond the end are left out.
    pub fn add_to(&self, cells: &mut [u64]) {
        for (key, count) in self.pairs() {
            if let Some(cell) = usize::try_from(key).ok().and_then(|k| cells.get_mut(k)) {
                *cell = cell.saturating_add(count);
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    bytes.push(n.to_le_bytes()[0]);
}

struct Walk<'a> {
    rest: &'a [u8],
    /// The smallest key that may follow; `None`: none may.
    next: Option<u64>,
}

impl Walk<'_> {
    fn step(&mut self) -> Result<Option<(u64, u64)>, DamagedSums> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let gap = self.take()?;
        let key = self.next.and_then(|n| n.checked_add(gap)).ok_or(DamagedSums)?;
        let count = self.take()?;
        self.next = key.checked_add(1);
        Ok(Some((key, count)))
    }

    fn take(&mut self) -> Result<u64, DamagedSums> {
        let mut n = 0_u64;
        let mut shift = 0_u32;
        loop {
            let (&byte, rest) = self.rest.split_first().ok_or(DamagedSums)?;
            self.rest = rest;
            let part = u64::from(byte & 0x7f);
            if shift > 63 || (shift == 63 && part > 1) {
                return Err(DamagedSums);
            }
            n |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    use super::*;

    fn block(map: &BTreeMap<u64, u64>) -> Sums {
        Sums::of(map.iter().map(|(&k, &v)| (k, v)))
    }

    #[test]
    fn three_cells_take_six_bytes() {
        let sums = Sums::of([(0, 1), (3, 0), (7, 127), (130, 2)]);
        assert_eq!(sums.as_bytes(), [0, 1, 6, 127, 122, 2]);
        assert_eq!(sums.pairs().collect::<Vec<_>>(), [(0, 1), (7, 127), (130, 2)]);
    }

    #[test]
    fn damage_is_noticed() {
        for bytes in [
            vec![1],
            vec![0x80],
            vec![0, 0x80],
            vec![0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        ] {
            assert_eq!(Sums::from_bytes(bytes), Err(DamagedSums));
        }
    }

    proptest! {
        #[test]
        fn merging_is_exact_in_any_order(
            a in prop::collection::btree_map(0..u64::MAX, 1..u64::MAX / 4, 0..30),
            b in prop::collection::btree_map(0_u64..50, 1..u64::MAX / 4, 0..30),
            c in prop::collection::btree_map(0_u64..50, 1..u64::MAX / 4, 0..30),
        ) {
            let (x, y, z) = (block(&a), block(&b), block(&c));
            prop_assert_eq!(x.merged(&y).merged(&z), z.merged(&y.merged(&x)));
            let mut all = a.clone();
            for (k, v) in b.iter().chain(&c) {
                *all.entry(*k).or_default() += v;
            }
            prop_assert_eq!(x.merged(&y).merged(&z), block(&all));
            prop_assert_eq!(Sums::from_bytes(x.as_bytes().to_vec()).unwrap(), x);
        }
    }
}
