//! Salts from the operating system, drawn for many bodies at once.

use crate::protocol::{Refused, Why};

/// How many are drawn at once, at most: for many bodies the calls of the system cost more than the
/// bytes, for a single one the bytes do.
const MANY: usize = 64;

/// Salts not used yet. Each is handed out once.
pub(super) struct Salts {
    left: Vec<[u8; 32]>,
    /// Bodies that are still expected.
    expected: usize,
}

impl Salts {
    /// For about so many bodies.
    pub(super) fn of(bodies: usize) -> Self {
        Self { left: Vec::new(), expected: bodies }
    }

    /// 32 bytes that nobody had before.
    pub(super) fn next(&mut self) -> Result<[u8; 32], Refused> {
        if let Some(salt) = self.left.pop() {
            return Ok(salt);
        }
        if self.expected <= 1 {
            return fresh_salt();
        }
        let mut salts = [[0; 32]; MANY];
        let (drawn, _) = salts.split_at_mut(self.expected.min(MANY));
        fill(drawn.as_flattened_mut())?;
        self.left.extend_from_slice(drawn);
        self.expected -= drawn.len();
        self.left.pop().map_or_else(fresh_salt, Ok)
    }
}

/// 32 bytes from the operating system.
pub(super) fn fresh_salt() -> Result<[u8; 32], Refused> {
    let mut salt = [0; 32];
    fill(&mut salt)?;
    Ok(salt)
}

fn fill(bytes: &mut [u8]) -> Result<(), Refused> {
    getrandom::fill(bytes).map_err(|e| {
        Refused::new(Why::Unavailable, format!("the operating system gives no randomness: {e}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_salt_comes_twice() {
        for expected in [0, 1, 2, MANY, 2 * MANY + 1] {
            let mut salts = Salts::of(expected);
            let all: HashSet<_> = (0..3 * MANY).map(|_| salts.next().unwrap()).collect();
            assert_eq!(all.len(), 3 * MANY, "{expected} were expected");
            assert!(!all.contains(&[0; 32]));
        }
    }
}
