//! Moving the write-ahead log into the file, beside the writer instead of in its commits.
//!
//! SQLite would do it within the commit that makes the log long enough, and that commit may be
//! somebody's verdict. So a thread with a connection of its own does it whenever about 16 MB were
//! written. While bulk keeps writing, the log can never be found empty and grows; the writer's own
//! (large) limit then ends it with what is left, which is little.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError, bounded};
use rusqlite::Connection;

use super::fault::{Done, is_grave};
use super::open;

/// After about so many rows of bulk (some 2 KB of log each) it is time.
const ROWS: usize = 8_000;
/// What a person's operation counts for: the frontier alone is two pages.
const PERSON: usize = 16;
/// What a row counts for that somebody waits for, as those who submit to a server do: a small part
/// is moved sooner than their flushes have to wait behind a large one.
const WAITED: usize = 4;

/// The writer's end of the thread, which is started when there is something to do for it: most
/// commands write next to nothing.
pub(super) struct Checkpointer {
    path: PathBuf,
    thread: Option<Thread>,
    since: usize,
}

struct Thread {
    /// `None`: there was no thread to be had; the writer's own limit does it all.
    wake: Option<Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), thread: None, since: 0 }
    }

    /// So much was committed: operations of people with their rows, and rows of bulk. While others
    /// wait (`crowded`) it is moved in smaller parts: their small flushes queue behind our large
    /// ones.
    pub(super) fn written(&mut self, people: usize, rows: usize, bulk: usize, crowded: bool) {
        self.since += people * PERSON + rows * WAITED + if crowded { bulk * 16 } else { bulk };
        if self.since < ROWS {
            return;
        }
        let thread = self.thread.get_or_insert_with(|| Thread::start(&self.path));
        if let Some(wake) = &thread.wake {
            match wake.try_send(()) {
                // It is at it, and will be again.
                Ok(()) | Err(TrySendError::Full(())) => self.since = 0,
                Err(TrySendError::Disconnected(())) => thread.wake = None,
            }
        }
    }
}

impl Thread {
    fn start(path: &Path) -> Self {
        let path = path.to_owned();
        let (wake, woken) = bounded(1);
        let run = move || {
            let mut conn = None;
            while woken.recv().is_ok() {
                if let Err(e) = checkpoint(&path, &mut conn) {
                    // Nothing is lost: what is in the log stays there until it is in the file.
                    tracing::warn!(error = %e, "the write-ahead log could not be moved");
                    conn = None;
                }
            }
        };
        let running = std::thread::Builder::new().name("store-checkpoint".into()).spawn(run).ok();
        Self { wake: running.is_some().then_some(wake), running }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

fn checkpoint(path: &Path, kept: &mut Option<Connection>) -> Result<(), String> {
    let run = |kept: &mut Option<Connection>| -> Done<()> {
        let conn = match kept.take() {
            Some(conn) => conn,
            None => open::writer(path)?,
        };
        // Passive: waits for nobody, and nobody waits for it.
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))?;
        *kept = Some(conn);
        Ok(())
    };
    match run(kept) {
        Err(super::fault::Fail::Sql(e)) if !is_grave(&e) => Ok(()),
        other => other.map_err(|e| e.told("move the write-ahead log").to_string()),
    }
}
