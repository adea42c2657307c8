//! What can go wrong inside an operation: a refusal, or a failure of the server or the way to it.

use tokio_postgres::error::SqlState;

pub(super) use crate::store::rows::{count, damaged, int};

use crate::store::StoreError;

/// Why an operation did not happen.
#[derive(Debug)]
pub(super) enum Fail {
    /// By the rules: only this operation is refused.
    Refused(StoreError),
    /// By the server, or the connection to it.
    Sql(tokio_postgres::Error),
    /// No connection was to be had.
    Unreachable(String),
}

pub(super) type Done<T> = Result<T, Fail>;

impl From<StoreError> for Fail {
    fn from(e: StoreError) -> Self {
        Self::Refused(e)
    }
}

impl From<tokio_postgres::Error> for Fail {
    fn from(e: tokio_postgres::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<deadpool_postgres::PoolError> for Fail {
    fn from(e: deadpool_postgres::PoolError) -> Self {
        match e {
            deadpool_postgres::PoolError::Backend(e) => Self::Sql(e),
            deadpool_postgres::PoolError::Timeout(_) => {
                Self::Unreachable("no connection was free or could be made in time".to_owned())
            }
            deadpool_postgres::PoolError::Closed => Self::Refused(StoreError::Closed),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl Fail {
    /// As the caller is told, who asked for `doing` ("admit a batch").
    pub(super) fn told(self, doing: &str) -> StoreError {
        let io = |cause| StoreError::Io { doing: doing.to_owned(), cause };
        match self {
            Self::Refused(e) => e,
            Self::Unreachable(cause) => io(cause),
            Self::Sql(e) if is_damage(&e) => {
                StoreError::Damaged { doing: doing.to_owned(), cause: cause(&e) }
            }
            Self::Sql(e) => io(cause(&e)),
        }
    }

    /// The connection, or the server behind it, is gone or going.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Unreachable(_) => true,
            Self::Sql(e) => is_lost(e),
        }
    }
}

/// Errors after which a connection is of no use any more.
fn is_lost(e: &tokio_postgres::Error) -> bool {
    e.is_closed()
        || match e.as_db_error() {
            // Broken off in the middle: an error of the socket, not of the server.
            None => std::error::Error::source(e)
                .is_some_and(<dyn std::error::Error>::is::<std::io::Error>),
            Some(db) => {
                [
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                    SqlState::DATABASE_DROPPED,
                    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                    SqlState::TOO_MANY_CONNECTIONS,
                ]
                .contains(db.code())
                    || db.code().code().starts_with("08")
            }
        }
}

/// The database holds what cannot have been written by us.
fn is_damage(e: &tokio_postgres::Error) -> bool {
    match e.as_db_error() {
        Some(db) => [
            SqlState::DATA_CORRUPTED,
            SqlState::INDEX_CORRUPTED,
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
        ]
        .contains(db.code()),
        None => std::error::Error::source(e).is_some_and(|e| {
            e.is::<tokio_postgres::types::WasNull>() || e.is::<std::str::Utf8Error>()
        }),
    }
}

/// A constraint of the schema said no.
pub(super) fn is_constraint(e: &tokio_postgres::Error) -> bool {
    e.code() == Some(&SqlState::UNIQUE_VIOLATION)
}

/// The cause in words, with what to do about it where that is known.
pub(super) fn cause(e: &tokio_postgres::Error) -> String {
    let Some(db) = e.as_db_error() else {
        let mut text = e.to_string();
        let mut inner = std::error::Error::source(e);
        while let Some(e) = inner {
            // The outer text often ends with the inner one already.
            let more = e.to_string();
            if !text.ends_with(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            inner = e.source();
        }
        return text;
    };
    let said = db.message();
    match db.code() {
        c if *c == SqlState::DISK_FULL => {
            "the disk of the database server is full: free some space, then try again".to_owned()
        }
        c if *c == SqlState::INSUFFICIENT_PRIVILEGE => {
            format!("{said}: grant it to the role that overrule connects as")
        }
        c if *c == SqlState::READ_ONLY_SQL_TRANSACTION => {
            format!("{said}: this server is a replica; name the primary")
        }
        c if *c == SqlState::LOCK_NOT_AVAILABLE => {
            "another node kept the log for too long: see which one, then try again".to_owned()
        }
        _ => match db.detail() {
            Some(detail) => format!("{said} ({detail})"),
            None => said.to_owned(),
        },
    }
}
