//! Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`, base64, `v1,` in front.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use thiserror::Error;

/// The secrets that a receiver may check with: while one is replaced there are two.
#[derive(Clone)]
pub struct SigningKey(Vec<Vec<u8>>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a text is no signing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a signing secret: whsec_ and 24 to 64 bytes in base64")]
pub struct NoSecret;

impl SigningKey {
    /// One or more `whsec_…` with spaces between, newest first.
    pub fn read(text: &str) -> Result<Self, NoSecret> {
        let keys: Vec<Vec<u8>> = text
            .split_whitespace()
            .map(|word| {
                let bytes = word.strip_prefix("whsec_").and_then(|b| STANDARD.decode(b).ok());
                bytes.filter(|b| (24..=64).contains(&b.len())).ok_or(NoSecret)
            })
            .collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(NoSecret) } else { Ok(Self(keys)) }
    }

    /// The `webhook-signature` header of a message: one signature a secret. `unix`: seconds of this
    /// try.
    pub fn sign(&self, id: &str, unix: i64, body: &[u8]) -> String {
        let each = self.0.iter().filter_map(|key| {
            // HMAC takes keys of every length.
            let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
            mac.update(format!("{id}.{unix}.").as_bytes());
            mac.update(body);
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        });
        each.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the `standardwebhooks` packages for Python, Node and Rust compute.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] =
        br#"{"type":"review.decided","timestamp":"2026-11-22T12:00:00Z","data":{"id":"i1"}}"#;
    const SIGNED: &str = "v1,tyb/Dtyi0yMWNNVxglkVml4B2FOrpoWlLBrUtihgcbo=";

    #[test]
    fn other_implementations_compute_the_same() {
        let key = SigningKey::read(SECRET).unwrap();
        assert_eq!(key.sign("msg_1", 1_614_265_330, BODY), SIGNED);
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let key = SigningKey::read(&format!("{other} {SECRET}")).unwrap();
        let both = key.sign("msg_1", 1_614_265_330, BODY);
        let parts: Vec<&str> = both.split(' ').collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[1], SIGNED);
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in ["", "whsec_", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_aGk="] {
            assert!(SigningKey::read(text).is_err(), "{text}");
        }
    }
}
