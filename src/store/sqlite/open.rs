//! Opening the file: modes, permissions, pragmas, patience with other processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::{Done, Fail, is_busy, is_not_writable};
use super::schema::{self, Fresh};
use crate::store::StoreError;

/// How long anybody waits for another process before saying so.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes in a page of a fresh file. Records of about a kilobyte fill these better than the usual
/// 4 KiB, and half as many pages are a fifth less work.
const PAGE: u32 = 8_192;
/// Pages of write-ahead log (128 MiB) at which a commit moves them into the file itself, should
/// the [`super::checkpointer`] not keep up.
const WAL_PAGES: u32 = 16_000;

/// How to open a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenMode {
    /// Make the file (and its folder) if there is none.
    pub create: bool,
    /// A fresh store gets the record clock: desk time is the latest `occurred_at` admitted.
    pub record_clock: bool,
    /// Nothing is written, not even a migration; every write is refused.
    pub read_only: bool,
    /// Somebody waits for this process: bulk writers of other processes let it go first.
    pub interactive: bool,
}

/// How a connection meets the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    /// Beside processes that write.
    Read,
    /// As it lies there: what cannot be written, and neither its folder, and has no log beside it,
    /// is not being written by anybody. (SQLite makes a file for readers beside a store in use,
    /// which it cannot here.)
    Still,
}

/// Make the file, readable by its owner only, in a folder that is too if it has to be made.
pub(super) fn make_file(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    owned_file(path).map(drop)
}

/// Open or make a file that only its owner may read.
pub(super) fn owned_file(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// `<store>.want`: the file by which interactive writers say that they need the writer.
pub(super) fn want_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".want");
    PathBuf::from(name)
}

/// The connection that writes. What a savepoint may have to restore is kept in memory: it is no
/// more than a batch touches, and a temporary file costs bulk a third of its speed.
pub(super) fn writer(path: &Path) -> Done<Connection> {
    writing(connect(path, Access::Write)?)
}

/// A connection that was only opened, ready to write.
fn writing(conn: Connection) -> Done<Connection> {
    patiently(|| {
        // Asking is cheap; setting takes a lock that others may hold.
        let mode: String = conn.query_row("PRAGMA journal_mode", (), |r| r.get(0))?;
        if mode != "wal" {
            // Only a file that is still empty takes it.
            conn.pragma_update(None, "page_size", PAGE)?;
            conn.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))?;
        }
        Ok(())
    })?;
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -16000;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA wal_autocheckpoint = {WAL_PAGES};"
    ))?;
    Ok(conn)
}

/// A connection that only reads, whatever it might do with this access.
pub(super) fn reader(path: &Path, access: Access) -> Done<Connection> {
    let conn = connect(path, access)?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4000;")?;
    Ok(conn)
}

fn connect(path: &Path, access: Access) -> Done<Connection> {
    let open = |path: &Path, flags| {
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    };
    let mut conn = match access {
        Access::Write => open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        Access::Read => open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        Access::Still => {
            let mut address = address(path)?;
            address.set_query(Some("immutable=1"));
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            open(address.as_str().as_ref(), flags)?
        }
    };
    conn.set_prepared_statement_cache_capacity(256);
    let mut since = Instant::now();
    conn.busy_handler(Some(move |tries: i32| {
        if tries == 0 {
            since = Instant::now();
        }
        std::thread::sleep(Duration::from_micros(if tries < 100 { 300 } else { 2_000 }));
        since.elapsed() < PATIENCE
    }))?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // A plan never depends on what is bound: else statements are compiled anew at each use.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    conn.execute_batch("PRAGMA trusted_schema = OFF;")?;
    Ok(conn)
}

/// The file as an address.
fn address(path: &Path) -> Done<url::Url> {
    let found = std::path::absolute(path).ok().and_then(|p| url::Url::from_file_path(p).ok());
    let no_address = || StoreError::Io {
        doing: format!("open {}", path.display()),
        cause: "its path has no absolute form".to_owned(),
    };
    Ok(found.ok_or_else(no_address)?)
}

/// How a file is to be read that is not to be written.
fn reading(path: &Path) -> Done<(Connection, Access)> {
    let beside = patiently(|| {
        let conn = reader(path, Access::Read)?;
        schema::found(&conn)?;
        Ok(conn)
    });
    match beside {
        Err(Fail::Sql(e)) if is_not_writable(&e) && lies_still(path) => {
            Ok((reader(path, Access::Still)?, Access::Still))
        }
        beside => Ok((beside?, Access::Read)),
    }
}

/// The schema version of what is there.
pub(super) fn version(path: &Path) -> Done<u32> {
    let (conn, _) = reading(path)?;
    patiently(|| schema::found(&conn))
}

/// No log of writers is beside the file.
fn lies_still(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).map_or_else(|e| e.kind() == std::io::ErrorKind::NotFound, |m| m.len() == 0)
}

/// What is ready: to write, or only to read (and then how).
pub(super) enum Prepared {
    Writer(Connection),
    Reader(Access),
}

/// Open, make if asked to, and bring to this version. What cannot be written is opened for reading.
pub(super) fn prepare(path: &Path, mode: OpenMode, fresh: &Fresh) -> Done<Prepared> {
    let io = |e: std::io::Error| StoreError::Io {
        doing: format!("open {}", path.display()),
        cause: e.to_string(),
    };
    if !path.try_exists().map_err(io)? {
        if !mode.create || mode.read_only {
            return Err(StoreError::Missing(format!("store at {}", path.display())).into());
        }
        make_file(path).map_err(io)?;
    }
    if mode.read_only {
        return readable(path);
    }
    let conn = connect(path, Access::Write)?;
    // Before anything is written: another program's file stays as it is.
    match patiently(|| schema::found(&conn)) {
        Err(Fail::Sql(e)) if is_not_writable(&e) => return readable(path),
        Ok(0) if !mode.create => {
            return Err(StoreError::Missing(format!("store at {}", path.display())).into());
        }
        found => found?,
    };
    let mut conn = writing(conn)?;
    patiently(|| schema::migrate(&mut conn, fresh, mode.record_clock))?;
    Ok(Prepared::Writer(conn))
}

/// For reading: it has to be of this version already.
fn readable(path: &Path) -> Done<Prepared> {
    let (conn, access) = reading(path)?;
    let (found, known) = (patiently(|| schema::found(&conn))?, schema::version());
    match found {
        0 => Err(StoreError::Missing(format!("store at {}", path.display())).into()),
        newer if newer > known => Err(StoreError::Newer { found, known }.into()),
        older if older < known => Err(StoreError::Io {
            doing: format!("read {}", path.display()),
            cause: format!("it has schema {older}, older than {known}: open it once for writing"),
        }
        .into()),
        _ => Ok(Prepared::Reader(access)),
    }
}

/// Call again while others are in the way, for as long as anybody waits.
pub(super) fn patiently<T>(mut call: impl FnMut() -> Done<T>) -> Done<T> {
    let since = Instant::now();
    loop {
        match call() {
            Err(Fail::Sql(e)) if is_busy(&e) && since.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}
