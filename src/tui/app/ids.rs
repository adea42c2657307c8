//! Request ids (UUIDv7) without randomness inside: a seed given at start, a counter, the time.

use crate::domain::Timestamp;

/// Makes request ids. Two apps never share a seed, so they never share an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    seed: u64,
    made: u64,
}

impl Ids {
    /// `seed` is 64 random bits.
    pub fn new(seed: u64) -> Self {
        Self { seed, made: 0 }
    }

    /// The next id, stamped with `at` (milliseconds).
    pub fn next(&mut self, at: Timestamp) -> String {
        self.made += 1;
        let high = mix(self.seed ^ self.made);
        let low = mix(high ^ self.seed.rotate_left(32));
        let mut bytes = [0_u8; 10];
        for (to, from) in
            bytes.iter_mut().zip(high.to_le_bytes().into_iter().chain(low.to_le_bytes()))
        {
            *to = from;
        }
        let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
    }
}

impl Ids {
    /// Checks the form of an id made here.
    #[cfg(test)]
    fn version(id: &str) -> Option<usize> {
        uuid::Uuid::parse_str(id).ok().map(|u| u.get_version_num())
    }
}

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_version_seven_and_differ() {
        let at = Timestamp::from_millisecond(1_767_575_000_000).unwrap();
        let (mut a, mut b) = (Ids::new(1), Ids::new(2));
        let mut seen = BTreeSet::new();
        for _ in 0..1000 {
            for ids in [&mut a, &mut b] {
                let id = ids.next(at);
                assert_eq!(Ids::version(&id), Some(7), "{id}");
                assert!(seen.insert(id));
            }
        }
    }
}
