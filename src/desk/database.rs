//! A desk over a PostgreSQL database that several nodes share.

use std::path::PathBuf;
use std::sync::Arc;

use super::core::refuse;
use super::{Local, WallClock, salts};
use crate::domain::Timestamp;
use crate::protocol::Refused;
use crate::store::{Fresh, OpenMode, Postgres, Store as _};

/// How to open a store in a database.
#[derive(Clone)]
pub struct DatabaseOptions {
    /// `postgres://USER:PASSWORD@HOST/DATABASE`, as [`Postgres::open`] reads it.
    pub url: String,
    /// Make the tables if they are not there.
    pub create: bool,
    /// Nothing is written, not even a migration.
    pub read_only: bool,
    /// Who a fresh store knows, with every role.
    pub owner: String,
    /// The folder of the log's signing key, which is named after the log. The node that makes the
    /// store makes it; the others sign where they were given a copy.
    pub keys: PathBuf,
    pub wall: WallClock,
}

impl DatabaseOptions {
    /// The usual: create if missing, wall clock.
    pub fn new(url: impl Into<String>, owner: impl Into<String>, keys: impl Into<PathBuf>) -> Self {
        Self {
            url: url.into(),
            create: true,
            read_only: false,
            owner: owner.into(),
            keys: keys.into(),
            wall: Arc::new(Timestamp::now),
        }
    }
}

impl Local {
    /// Open (and where asked, make) a store in a database. A fresh one knows its owner and has a
    /// first entry.
    pub fn open_database(options: DatabaseOptions) -> Result<Self, Refused> {
        let fresh = Fresh {
            key: salts::fresh_salt()?,
            origin: format!("overrule.local/{}", uuid::Uuid::now_v7()),
        };
        let mode = OpenMode {
            create: options.create,
            read_only: options.read_only,
            ..OpenMode::default()
        };
        let store =
            Postgres::open_at(&options.url, mode, &fresh, options.wall.clone()).map_err(refuse)?;
        let origin = store.snapshot().map_err(refuse)?.origin;
        let own = origin.rsplit('/').next().unwrap_or(&origin);
        let key = options.keys.join(format!("{own}.key"));
        let name = store.address().to_owned();
        Self::over(Arc::new(store), options.wall, name, key, &options.owner)
    }
}
