//! Salted commitments: what an entry holds in place of content.
//!
//! `SHA-256("overrule/commitment/v1" ‖ 0x00 ‖ salt ‖ len(path) as u64 big-endian ‖ path ‖ value)`
//!
//! Every body has its own 32 random bytes of salt. Without the salt a commitment says nothing
//! about the value, however short or guessable it is; so erasing value and salt erases the
//! content, and the log that holds the commitment still verifies.

use sha2::{Digest, Sha256};

use super::Hash;

const DOMAIN: &[u8] = b"overrule/commitment/v1\0";

/// The 32 random bytes that hide one body. They are as secret as the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// Wraps 32 bytes from a cryptographic source; a salt is never used twice.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the store's row.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Salt {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(bytes.try_into()?))
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(…)")
    }
}

/// The commitment to `value` at `path` (the body's name, e.g. `record` or `record:input.ssn`).
pub fn commit(salt: &Salt, path: &str, value: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update(DOMAIN);
    sha.update(salt.0);
    sha.update((path.len() as u64).to_be_bytes());
    sha.update(path.as_bytes());
    sha.update(value);
    sha.finalize().into()
}

/// The detail of an entry that stands for the control state which it leaves.
pub const CONTROL_MARK: &str = "control";

/// Stands for a small state kept beside the log, in the details of the entry that changed it: the
/// first half of SHA-256 over a word, the length of the key, the key and the value, in hex. There
/// is no salt: only for states that hold no content.
pub fn state_mark(key: &str, value: &[u8]) -> String {
    let mut sha = Sha256::new();
    sha.update(b"overrule state\0");
    sha.update((key.len() as u64).to_be_bytes());
    sha.update(key.as_bytes());
    sha.update(value);
    let hash: Hash = sha.finalize().into();
    let (half, _) = hash.split_at(16);
    hex::encode(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_state_is_the_documented_one() {
        // printf 'overrule state\\0\\0\\0\\0\\0\\0\\0\\0\\7control{}' | sha256sum | head -c 32
        assert_eq!(state_mark("control", b"{}"), "9db593f70f71fbf231bd7b89a80dd7ac");
    }

    #[test]
    fn the_formula_is_the_documented_one() {
        // The same bytes put together by hand and hashed in one go.
        let mut bytes = b"overrule/commitment/v1\0".to_vec();
        bytes.extend([9u8; 32]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 6]);
        bytes.extend(b"record");
        bytes.extend(b"{}");
        let by_hand: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(commit(&Salt::from_bytes([9; 32]), "record", b"{}"), by_hand);
        assert_eq!(hex::encode(by_hand), GOLDEN);
    }

    /// Computed outside Rust: `python3 -c "import hashlib; print(hashlib.sha256(
    /// b'overrule/commitment/v1\0' + b'\x09'*32 + (6).to_bytes(8,'big') + b'record{}').hexdigest())"`.
    const GOLDEN: &str = "82370c0a5a710124c0a74a8616c0d8a8aea51066af425011201b7ef195db45a9";

    #[test]
    fn salt_path_and_value_all_matter() {
        let salt = Salt::from_bytes([1; 32]);
        let base = commit(&salt, "note", b"yes");
        assert_ne!(base, commit(&Salt::from_bytes([2; 32]), "note", b"yes"));
        assert_ne!(base, commit(&salt, "nota", b"yes"));
        assert_ne!(base, commit(&salt, "note", b"yet"));
        // The length prefix keeps path and value apart.
        assert_ne!(commit(&salt, "ab", b"c"), commit(&salt, "a", b"bc"));
    }

    #[test]
    fn a_salt_does_not_print() {
        assert_eq!(format!("{:?}", Salt::from_bytes([65; 32])), "Salt(…)");
    }
}
