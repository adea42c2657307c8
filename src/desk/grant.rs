//! The grant of a lease: what proves, however long after, that somebody was given an item.
//!
//! Leases are coordination and leave nothing behind; a verdict that was given offline under one
//! may come when the item has long gone to others. The grant is a MAC under the store's key over
//! item, holder and epoch, so nothing of it need be kept here.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The grant of this lease, in hexadecimal.
pub(super) fn grant(key: &[u8; 32], item: &str, reviewer: &str, epoch: u64) -> Option<String> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).ok()?;
    // Neither an id nor a name holds a control character before its length is told.
    let lengths = [item.len(), reviewer.len()];
    mac.update(
        format!("overrule lease grant\n{lengths:?}\n{epoch}\n{item}\n{reviewer}").as_bytes(),
    );
    Some(hex::encode(mac.finalize().into_bytes()))
}

/// Was `reviewer` given `item` under this epoch?
pub(super) fn holds(key: &[u8; 32], item: &str, reviewer: &str, epoch: u64, given: &str) -> bool {
    grant(key, item, reviewer, epoch)
        .is_some_and(|own| own.as_bytes().ct_eq(given.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_holds_for_its_item_holder_epoch_and_store_alone() {
        let key = [7; 32];
        let own = grant(&key, "a-1", "ann", 3).unwrap();
        assert_eq!(own.len(), 64);
        assert!(holds(&key, "a-1", "ann", 3, &own));
        for (key, item, who, epoch) in [
            (&[8; 32], "a-1", "ann", 3),
            (&key, "a-2", "ann", 3),
            (&key, "a-1", "ben", 3),
            (&key, "a-1", "ann", 4),
            (&key, "a-1\nann", "", 3),
        ] {
            assert!(!holds(key, item, who, epoch, &own), "{item:?} {who} {epoch}");
        }
        assert!(!holds(&key, "a-1", "ann", 3, ""));
    }
}
