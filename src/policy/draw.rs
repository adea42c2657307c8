//! Chance that anyone can recompute: a keyed hash of the decision's id, as a number in [0, 1).

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// A key for draws, with its half of the hash worked out beforehand.
#[derive(Clone)]
pub struct Chance(Option<Hmac<Sha256>>);

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chance(…)")
    }
}

impl Chance {
    /// Draws under this key, of any length.
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        // HMAC takes keys of any length; the type cannot say so.
        Self(Hmac::new_from_slice(key.as_ref()).ok())
    }

    /// HMAC-SHA256 of `purpose`, a zero byte and `id` under the key; its first 53 bits as a
    /// fraction.
    ///
    /// Different purposes (rule ids, `blind:QUEUE`) draw independently. Whoever does not know the
    /// key cannot choose an id that is never drawn. Without a usable key 0 comes out, which is
    /// always drawn: the decision is looked at.
    pub fn uniform(&self, purpose: &str, id: &str) -> f64 {
        self.0.clone().map_or(0.0, |mac| draw(mac, purpose, id))
    }
}

fn draw(mut mac: Hmac<Sha256>, purpose: &str, id: &str) -> f64 {
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(id.as_bytes());
    let digest = mac.finalize().into_bytes();
    let head = digest.iter().take(8).fold(0u64, |n, b| (n << 8) | u64::from(*b));
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let fraction = (head >> 11) as f64 / (1u64 << 53) as f64;
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(key: &str, purpose: &str, id: &str) -> f64 {
        Chance::new(key).uniform(purpose, id)
    }

    #[test]
    fn draws_are_fixed_and_keyed() {
        // python3: int.from_bytes(hmac.new(b"desk", b"random\0a-1", "sha256").digest()[:8]) >> 11
        let u = uniform("desk", "random", "a-1");
        assert!((u - DESK_RANDOM_A1).abs() < 1e-15, "{u}");
        assert_ne!(u, uniform("desk", "other", "a-1"));
        assert_ne!(u, uniform("desk2", "random", "a-1"));
        assert_ne!(u, uniform("desk", "random", "a-2"));
    }

    #[test]
    fn draws_are_uniform() {
        let n = 20_000;
        let below = (0..n).filter(|i| uniform("k", "r", &format!("id-{i}")) < 0.02).count();
        // 400 expected, standard deviation 20.
        assert!((320..=480).contains(&below), "{below}");
    }

    const DESK_RANDOM_A1: f64 = 0.24912793160164504;
}
