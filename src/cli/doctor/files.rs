//! The files of a store: readable, writable, on a disk with room, and private where they must be.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::Check;
use crate::store::Sqlite;

/// Less free space than this is worth a word.
const LITTLE_ROOM: u64 = 256 << 20;

/// What the file system says of the store at `path` and its key.
pub fn checks(path: &Path) -> Vec<Check> {
    let mut checks = vec![writable(path), format(path)];
    checks.extend(room(path));
    checks.extend(private(path, "the store holds everything people were shown"));
    let key = key_of(path);
    match fs::symlink_metadata(&key) {
        Ok(_) => {
            checks.extend(private(&key, "whoever reads this key can sign checkpoints"));
            checks.push(Check::ok("key", key.display().to_string()));
        }
        Err(_) => checks.push(Check::warn(
            "key",
            format!("there is no signing key at {}", key.display()),
            "it is made with the first checkpoint; if it was lost, keep old checkpoints: \
             they stay checkable with `overrule audit key` from a backup",
        )),
    }
    checks
}

/// The signing key stands beside the store.
fn key_of(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

fn writable(path: &Path) -> Check {
    if let Err(e) = File::open(path) {
        return Check::fail(
            "files",
            format!("{} cannot be read: {e}", path.display()),
            "ask its owner for read permission, or name another store with --store",
        );
    }
    // Opening for append changes nothing, and asks the file system the right question.
    match OpenOptions::new().append(true).open(path) {
        Ok(_) => Check::ok("files", format!("{} can be read and written", path.display())),
        Err(e) => Check::warn(
            "files",
            format!("{} can be read but not written: {e}", path.display()),
            "looking works, deciding does not: ask its owner for write permission",
        ),
    }
}

/// The file is a store, and which version of one. Opened read-only: nothing is migrated by looking.
fn format(path: &Path) -> Check {
    match Sqlite::version(path) {
        Ok(version) => Check::ok("format", format!("a SQLite file, schema version {version}")),
        Err(e) => Check::fail(
            "format",
            format!("{} is not a store that can be read: {e}", path.display()),
            "restore it from a backup, or name another store with --store",
        ),
    }
}

fn room(path: &Path) -> Option<Check> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(folder).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    (free < LITTLE_ROOM).then(|| {
        Check::warn(
            "disk",
            format!("only {} MiB are free beside the store", free >> 20),
            "make room: a full disk refuses verdicts (none is lost)",
        )
    })
}

/// Others must not read it.
fn private(path: &Path, why: &str) -> Option<Check> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        Check::warn(
            "modes",
            format!("{} is open to others (mode {mode:03o}): {why}", path.display()),
            format!("chmod 600 {}", path.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::Status;
    use super::*;
    use crate::store::{Fresh, OpenMode, Store as _};

    #[test]
    fn a_key_that_others_can_read_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a.db");
        let fresh = Fresh { key: [7; 32], origin: "test.example/log".to_owned() };
        let made = OpenMode { create: true, ..OpenMode::default() };
        Sqlite::open(&store, made, &fresh).unwrap().close().unwrap();
        fs::set_permissions(&store, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(key_of(&store), "k").unwrap();
        fs::set_permissions(key_of(&store), fs::Permissions::from_mode(0o644)).unwrap();
        let found = checks(&store);
        let warned: Vec<_> = found.iter().filter(|c| c.status == Status::Warn).collect();
        assert!(
            warned.iter().any(|c| c.message.contains("a.db.key is open to others (mode 644)")
                && c.hint.as_deref().unwrap().starts_with("chmod 600 ")),
            "{found:?}"
        );
        assert!(!found.iter().any(|c| c.status == Status::Fail), "{found:?}");
        assert!(found.iter().any(|c| c.message.ends_with("schema version 3")), "{found:?}");
    }

    #[test]
    fn a_letter_is_no_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a.db");
        fs::write(&store, "Dear mother, ".repeat(100)).unwrap();
        let found = checks(&store);
        assert!(found.iter().any(|c| c.name == "format" && c.status == Status::Fail), "{found:?}");
    }
}
