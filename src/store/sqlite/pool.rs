//! A few read connections: each read borrows one, within one short transaction.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::fault::{Done, Fail, is_grave};
use super::open::{Access, patiently, reader};
use crate::store::StoreError;

/// How many idle connections are kept.
const IDLE: usize = 4;

/// Read connections to one file.
pub(super) struct Pool {
    path: PathBuf,
    access: Access,
    idle: Mutex<Vec<(u64, Connection)>>,
    /// Rises when the file was opened anew: older connections are dropped.
    epoch: AtomicU64,
    closed: std::sync::atomic::AtomicBool,
}

impl Pool {
    pub(super) fn new(path: PathBuf, access: Access) -> Self {
        Self {
            path,
            access,
            idle: Mutex::default(),
            epoch: AtomicU64::new(0),
            closed: false.into(),
        }
    }

    /// Read in one transaction, so that all of it is of one moment.
    pub(super) fn read<T>(
        &self,
        doing: &str,
        run: impl FnOnce(&Connection) -> Done<T>,
    ) -> Result<T, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        self.borrowed(run).map_err(|e| e.told(doing))
    }

    fn borrowed<T>(&self, run: impl FnOnce(&Connection) -> Done<T>) -> Done<T> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let kept = self.idle().pop().filter(|(of, _)| *of == epoch);
        let conn = match kept {
            Some((_, conn)) => conn,
            None => patiently(|| reader(&self.path, self.access))?,
        };
        // The first statement takes the snapshot; it may meet another process that is opening or
        // closing the store.
        patiently(|| {
            conn.prepare_cached("BEGIN")?.execute(())?;
            let began = conn
                .prepare_cached("SELECT size FROM state")
                .and_then(|mut s| s.query_row((), |r| r.get::<_, i64>(0)));
            if let Err(e) = began {
                conn.execute_batch("ROLLBACK")?;
                return Err(e.into());
            }
            Ok(())
        })?;
        let answer = run(&conn);
        let ended = conn.prepare_cached("COMMIT").and_then(|mut s| s.execute(()));
        let grave = matches!(&answer, Err(Fail::Sql(e)) if is_grave(e));
        if ended.is_ok() && !grave {
            let mut idle = self.idle();
            if idle.len() < IDLE {
                idle.push((epoch, conn));
            }
        }
        answer
    }

    /// The file was opened anew: nothing read before is trusted.
    pub(super) fn renew(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.idle().clear();
    }

    /// Release the file.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.renew();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Connection)>> {
        // A panic elsewhere leaves a list of connections, each of them sound.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
