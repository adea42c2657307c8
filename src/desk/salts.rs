//! Salts from the operating system, drawn for many bodies at once.

use crate::protocol::{Refused, Why};

/// How many are drawn at once: one call of the system for a kilobyte costs little more than one
/// for 32 bytes.
const MANY: usize = 64;

/// Salts not used yet. Each is handed out once.
#[derive(Default)]
pub(super) struct Salts(Vec<[u8; 32]>);

impl Salts {
    /// 32 bytes that nobody had before.
    pub(super) fn next(&mut self) -> Result<[u8; 32], Refused> {
        if let Some(salt) = self.0.pop() {
            return Ok(salt);
        }
        self.0 = fresh::<MANY>()?.to_vec();
        self.0.pop().map_or_else(fresh_salt, Ok)
    }
}

/// 32 bytes from the operating system.
pub(super) fn fresh_salt() -> Result<[u8; 32], Refused> {
    fresh::<1>().map(|[salt]| salt)
}

fn fresh<const N: usize>() -> Result<[[u8; 32]; N], Refused> {
    let mut salts = [[0; 32]; N];
    getrandom::fill(salts.as_flattened_mut()).map_err(|e| {
        Refused::new(Why::Unavailable, format!("the operating system gives no randomness: {e}"))
    })?;
    Ok(salts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_salt_comes_twice() {
        let mut salts = Salts::default();
        let all: HashSet<_> = (0..3 * MANY).map(|_| salts.next().unwrap()).collect();
        assert_eq!(all.len(), 3 * MANY);
        assert!(!all.contains(&[0; 32]));
    }
}
