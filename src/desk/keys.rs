//! The key that signs checkpoints: made on first use, readable by its owner only.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, io};

use super::core::lock;
use super::salts::fresh_salt;
use crate::audit::LogKey;
use crate::domain::Timestamp;
use crate::protocol::{Refused, Why};
use crate::store::Store;

/// Checkpoints are signed when the log grew by this many entries …
const EVERY_ENTRIES: u64 = 1_000;
/// … or when this much wall time went by since the last one, while it grows.
const EVERY_MILLIS: i64 = 1_000;

/// How long another process may take to write the key that it is making.
const WRITING: Duration = Duration::from_secs(1);

/// The log's signing key and when it last signed.
pub(super) struct Keys {
    path: PathBuf,
    origin: String,
    /// The log is new: there is no key yet. Otherwise a missing one is lost, not to be replaced.
    fresh: AtomicBool,
    /// This process made the file.
    made: AtomicBool,
    key: Mutex<Option<Arc<LogKey>>>,
    /// The public half as the log's first entry names it.
    named: OnceLock<String>,
    last: Mutex<Option<(u64, Timestamp)>>,
}

impl Keys {
    pub(super) fn new(path: PathBuf, origin: String, fresh: bool) -> Self {
        Self {
            path,
            origin,
            fresh: AtomicBool::new(fresh),
            made: AtomicBool::new(false),
            key: Mutex::new(None),
            named: OnceLock::new(),
            last: Mutex::new(None),
        }
    }

    /// The log has its first entry, which names this key. Where another process was faster to
    /// write it, the key made here signs nothing and goes.
    pub(super) fn founded(&self, named: Option<String>) {
        self.fresh.store(false, Ordering::SeqCst);
        let Some(named) = named else { return };
        let mut slot = lock(&self.key);
        let other = slot.as_ref().is_some_and(|key| key.verifier().encode() != named);
        let _ = self.named.set(named);
        if !other || !self.made.load(Ordering::SeqCst) {
            return;
        }
        *slot = None;
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "a key that signs nothing stays in {}", self.path.display());
        }
    }

    /// The key, read from its file or made there (mode 0600).
    pub(super) fn get(&self) -> Result<Arc<LogKey>, Refused> {
        let mut slot = lock(&self.key);
        if let Some(key) = slot.as_ref() {
            return Ok(key.clone());
        }
        let key = Arc::new(self.read_or_make()?);
        *slot = Some(key.clone());
        Ok(key)
    }

    /// The key, to sign with: only the one that the log names.
    pub(super) fn signer(&self) -> Result<Arc<LogKey>, Refused> {
        let key = self.get()?;
        match self.named.get() {
            Some(named) if *named != key.verifier().encode() => Err(Refused::new(
                Why::Unavailable,
                format!("the key in {} is not this log's: it signs nothing", self.path.display()),
            )
            .hint(
                "put a copy of the key there from where the store was made; overrule audit log \
                 shows the public half in the first entry",
            )),
            _ => Ok(key),
        }
    }

    /// The key's file; waits for another process that is just writing it.
    fn read(&self) -> io::Result<String> {
        let since = Instant::now();
        loop {
            let text = fs::read_to_string(&self.path)?;
            if text.ends_with('\n') || since.elapsed() >= WRITING {
                return Ok(text);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn read_or_make(&self) -> Result<LogKey, Refused> {
        let trouble = |what: &str, cause: &dyn std::fmt::Display| {
            Refused::new(
                Why::Unavailable,
                format!("cannot {what} the log's key {}: {cause}", self.path.display()),
            )
            .hint("overrule doctor looks at the files of the store")
        };
        match self.read() {
            Ok(text) => {
                return LogKey::decode(text.trim()).map_err(|e| trouble("use", &e));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.fresh.load(Ordering::SeqCst) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Refused::new(
                    Why::Unavailable,
                    format!("the log's key {} is gone", self.path.display()),
                )
                .hint(
                    "put it back from a backup; until then nothing is signed, and `audit verify \
                     --key` needs the public key from elsewhere",
                ));
            }
            Err(e) => return Err(trouble("read", &e)),
        }
        let key =
            LogKey::from_seed(&self.origin, fresh_salt()?).map_err(|e| trouble("make", &e))?;
        let mut open = fs::OpenOptions::new();
        open.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
        match open.open(&self.path) {
            Ok(mut file) => {
                self.made.store(true, Ordering::SeqCst);
                let written = file
                    .write_all(format!("{}\n", key.encode()).as_bytes())
                    .and_then(|()| file.sync_all());
                written.map_err(|e| trouble("write", &e))?;
                Ok(key)
            }
            // Another process made it in this moment: use that one.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let text = self.read().map_err(|e| trouble("read", &e))?;
                LogKey::decode(text.trim()).map_err(|e| trouble("use", &e))
            }
            Err(e) => Err(trouble("write", &e)),
        }
    }

    /// Sign a checkpoint if the log grew enough, or long enough ago. Not waited for: a failure
    /// shows at the next explicit checkpoint.
    pub(super) fn checkpoint_if_due(&self, store: &Arc<dyn Store>, head: u64, wall: Timestamp) {
        let mut last = lock(&self.last);
        let due = match *last {
            None => true,
            Some((size, at)) => {
                head >= size.saturating_add(EVERY_ENTRIES)
                    || (head > size && wall.as_millisecond() - at.as_millisecond() >= EVERY_MILLIS)
            }
        };
        if !due {
            return;
        }
        let Ok(key) = self.signer() else { return };
        *last = Some((head, wall));
        drop(last);
        drop(store.checkpoint(Box::new(move |size, root| key.sign(size, root))));
    }
}
