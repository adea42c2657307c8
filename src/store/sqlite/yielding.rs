//! Who goes first when several processes write: people before bulk.
//!
//! An interactive writer holds a shared lock on `<store>.want` while it needs SQLite's writer. A
//! bulk writer looks (can it take the lock exclusively?), keeps its transactions short while it
//! cannot, and lets go between them. Every wait is bounded: the lock is a courtesy, and a process
//! that was stopped while holding it only slows others down.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::open::{owned_file, want_path};

/// How long a bulk writer stands aside before it goes on.
const ASIDE: Duration = Duration::from_millis(50);
/// How long an interactive writer tries to be heard before it goes on unheard.
const HEARD: Duration = Duration::from_millis(5);

/// The lock file; without one (a folder that cannot be written) everybody simply takes turns.
pub(super) struct Want(Option<Arc<File>>);

impl Want {
    pub(super) fn open(store: &Path) -> Self {
        Self(owned_file(&want_path(store)).ok().map(Arc::new))
    }

    /// Say that this process needs the writer, until the guard is dropped.
    pub(super) fn raise(&self) -> Raised {
        let Some(file) = &self.0 else { return Raised(None) };
        let since = Instant::now();
        loop {
            match file.try_lock_shared() {
                Ok(()) => return Raised(Some(Arc::clone(file))),
                // A bulk writer is looking just now.
                Err(TryLockError::WouldBlock) if since.elapsed() < HEARD => {
                    std::thread::sleep(Duration::from_micros(100));
                }
                Err(_) => return Raised(None),
            }
        }
    }

    /// Does another process need the writer? Not to be asked while this one has raised its own.
    pub(super) fn elsewhere(&self) -> bool {
        let Some(file) = &self.0 else { return false };
        match file.try_lock() {
            Ok(()) => {
                let _ = file.unlock();
                false
            }
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(_)) => false,
        }
    }

    /// Stand aside while somebody else needs the writer, but not for ever. `called`: somebody in
    /// this process needs it, so that waiting ends. Says whether there was anybody.
    pub(super) fn stand_aside(&self, called: impl Fn() -> bool) -> bool {
        let since = Instant::now();
        let mut anybody = false;
        while since.elapsed() < ASIDE && !called() && self.elsewhere() {
            anybody = true;
            std::thread::sleep(Duration::from_micros(500));
        }
        anybody
    }
}

/// Held while the writer is needed.
pub(super) struct Raised(Option<Arc<File>>);

impl Drop for Raised {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            let _ = file.unlock();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_want_is_seen_by_others_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let (bulk, one, two) = (Want::open(&path), Want::open(&path), Want::open(&path));
        assert!(!bulk.elsewhere());
        let a = one.raise();
        let b = two.raise();
        assert!(bulk.elsewhere());
        drop(a);
        assert!(bulk.elsewhere());
        drop(b);
        assert!(!bulk.elsewhere());
    }

    #[test]
    fn standing_aside_ends_although_the_want_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let (bulk, one) = (Want::open(&path), Want::open(&path));
        assert!(!bulk.stand_aside(|| false));
        let _held = one.raise();
        assert!(bulk.stand_aside(|| false));
        assert!(bulk.elsewhere());
    }
}
