//! Texts that are nearly the same: MinHash over word shingles.
//!
//! A text is the words of the decision's input and output (letters and digits, lower case). Its
//! shingles are all runs of three words. The base hash of a shingle is the first 8 bytes, big
//! endian, of SHA-256 over key and shingle (words joined by a space); each of the 128 components of
//! a signature is the least high half of `a·h + b` (modulo 2^64, `a` odd, from SplitMix64) over all
//! shingles. The share of equal components estimates the Jaccard similarity of the two sets of
//! shingles (Broder 1997), with a standard error of at most 0.044.
//!
//! It is our own because a signature is stored and must mean the same in every later version: the
//! crates there are draw their permutations from generators and hashers that their dependencies
//! change. The key is the store's: without it, a stored signature says nothing of a guessed text.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::Decision;

/// Components of a signature.
const COMPONENTS: u64 = 128;
/// Words in a shingle.
const WORDS: usize = 3;
/// Shingles below which a text says too little to be like another.
const LEAST: usize = 5;
/// Estimated similarity from which two texts are nearly the same.
pub const NEAR: f64 = 0.4;

/// A text's signature; empty: too little text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(Vec<u32>);

impl Signature {
    /// There was too little text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Estimated Jaccard similarity, 0..=1; 0 where one of them is empty.
    pub fn similarity(&self, other: &Self) -> f64 {
        if self.0.is_empty() || self.0.len() != other.0.len() {
            return 0.0;
        }
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        #[allow(clippy::cast_precision_loss, reason = "at most 128")]
        let share = equal as f64 / self.0.len() as f64;
        share
    }

    /// The similarity, if it is enough.
    pub fn near(&self, other: &Self) -> Option<f64> {
        Some(self.similarity(other)).filter(|s| *s >= NEAR)
    }
}

/// The signature of a decision's text under a key.
pub fn signature(d: &Decision, key: &[u8]) -> Signature {
    let mut words = Vec::new();
    for value in d.input.values() {
        collect(value, &mut words);
    }
    collect(&d.output, &mut words);
    of_words(&words, key)
}

/// Every word of every text in a value, in order; keys and numbers are not words.
fn collect(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let found = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
            words.extend(found.map(str::to_lowercase));
        }
        Value::Array(list) => list.iter().for_each(|v| collect(v, words)),
        Value::Object(map) => map.values().for_each(|v| collect(v, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn of_words(words: &[String], key: &[u8]) -> Signature {
    if words.len() < WORDS + LEAST - 1 {
        return Signature::default();
    }
    let start = Sha256::new_with_prefix(key);
    let bases: Vec<u64> = words
        .windows(WORDS)
        .map(|run| {
            let digest = start.clone().chain_update(run.join(" ")).finalize();
            digest.iter().take(8).fold(0u64, |n, b| (n << 8) | u64::from(*b))
        })
        .collect();
    let mut seeds = SplitMix64(0);
    let component = |_| {
        let (a, b) = (seeds.next() | 1, seeds.next());
        let high = |h: &u64| (a.wrapping_mul(*h).wrapping_add(b) >> 32) as u32;
        bases.iter().map(high).min().unwrap_or(u32::MAX)
    };
    Signature((0..COMPONENTS).map(component).collect())
}

/// Steele, Lea and Flood's generator (2014): fixed multipliers for the components.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests;
