//! What can go wrong inside an operation: a refusal, or a failure of SQLite.

use rusqlite::ErrorCode;

pub(super) use crate::store::rows::{count, damaged, int};

use crate::store::StoreError;

/// Why an operation did not happen.
#[derive(Debug)]
pub(super) enum Fail {
    /// By the rules: only this operation is refused.
    Refused(StoreError),
    /// By the engine or the disk.
    Sql(rusqlite::Error),
    /// A transaction was given up by the engine: nothing of it is there.
    Lost(rusqlite::Error),
}

pub(super) type Done<T> = Result<T, Fail>;

impl From<StoreError> for Fail {
    fn from(e: StoreError) -> Self {
        Self::Refused(e)
    }
}

impl From<rusqlite::Error> for Fail {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sql(e)
    }
}

impl Fail {
    /// As the caller is told, who asked for `doing` ("admit a batch").
    pub(super) fn told(self, doing: &str) -> StoreError {
        match self {
            Self::Refused(e) => e,
            Self::Sql(e) | Self::Lost(e) if is_damage(&e) => {
                StoreError::Damaged { doing: doing.to_owned(), cause: cause(&e) }
            }
            Self::Sql(e) | Self::Lost(e) => {
                StoreError::Io { doing: doing.to_owned(), cause: cause(&e) }
            }
        }
    }

    /// The file or the disk is in doubt: nothing may be written before it is opened anew.
    pub(super) fn is_grave(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Sql(e) => is_grave(e),
            Self::Lost(_) => true,
        }
    }
}

/// Errors after which a connection is not to be trusted any more.
pub(super) fn is_grave(e: &rusqlite::Error) -> bool {
    matches!(
        e.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
                | ErrorCode::InternalMalfunction
        )
    )
}

/// The file, or its folder, is one that we may not write.
pub(super) fn is_not_writable(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// The file holds what cannot have been written by us.
fn is_damage(e: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            e,
            E::FromSqlConversionFailure(..)
                | E::InvalidColumnType(..)
                | E::IntegralValueOutOfRange(..)
                | E::Utf8Error(..)
        )
}

/// Somebody else is at it: the same call may succeed a moment later.
pub(super) fn is_busy(e: &rusqlite::Error) -> bool {
    matches!(
        e.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::SchemaChanged
        )
    )
}

/// A constraint of the schema said no.
pub(super) fn is_constraint(e: &rusqlite::Error) -> bool {
    e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// The cause in words, with what to do about it where that is known.
pub(super) fn cause(e: &rusqlite::Error) -> String {
    match e.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full: free some space, then try again".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process kept the store busy for too long: see which one has it open, \
             then try again"
                .to_owned()
        }
        Some(ErrorCode::NotADatabase) => "the file is not an overrule store".to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => {
            format!("the file is damaged ({e}): restore it from a backup")
        }
        Some(ErrorCode::ReadOnly) => {
            "the file or its folder may not be written: check their permissions".to_owned()
        }
        _ => e.to_string(),
    }
}
