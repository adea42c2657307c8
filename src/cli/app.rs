//! What every command starts from: common flags, configuration, places, output.

use std::path::PathBuf;

use super::args::Common;
use super::config::Config;
use super::failure::Failure;
use super::out::Out;
use super::places::{self, Places};

/// One run of the program.
#[derive(Debug)]
pub struct App {
    pub common: Common,
    pub config: Config,
    pub places: Places,
    pub out: Out,
}

impl App {
    /// The address of the database, where the store's name is one.
    pub fn database(&self) -> Option<&str> {
        let named = self.common.store.as_ref().or(self.config.store.as_ref())?;
        is_database(named).then_some(named.as_str())
    }

    /// The file of the store: `--store`, `OVERRULE_STORE`, the configuration, the user's own.
    pub fn store(&self) -> Result<PathBuf, Failure> {
        let named = self.common.store.as_ref().or(self.config.store.as_ref());
        match named {
            Some(address) if is_server(address) => Err(Failure::usage(format!(
                "this command works on the store itself, and {address} is a server"
            ))
            .hint("run it on the server's machine, with --store naming the database")),
            // The address is not repeated: it may hold a password.
            Some(address) if is_database(address) => Err(Failure::usage(
                "a PostgreSQL store is opened by `serve`, `doctor` and `audit verify` only",
            )
            .hint("overrule serve it, then name the server: --store https://HOST:PORT")),
            Some(address) if address.contains("://") => Err(Failure::usage(format!(
                "{}:// is no kind of store",
                address.split("://").next().unwrap_or_default()
            ))
            .hint("name a file: --store desk.db")),
            Some(path) if path.is_empty() => {
                Err(Failure::usage("the store's name is empty")
                    .hint("name a file: --store desk.db"))
            }
            Some(path) => Ok(PathBuf::from(path)),
            None => self.places.default_store().ok_or_else(|| {
                Failure::usage("there is no home folder to keep a store in")
                    .hint("name a file: --store desk.db")
            }),
        }
    }

    /// The server that the desk is at, where the store's name is the address of one.
    pub fn server(&self) -> Option<&str> {
        let named = self.common.store.as_ref().or(self.config.store.as_ref())?;
        is_server(named).then_some(named.as_str())
    }

    /// The folder of themes and keymaps: beside the configuration file that is read.
    pub fn config_folder(&self) -> Option<PathBuf> {
        let file = self.common.config.clone().or_else(|| self.places.config_file())?;
        file.parent().map(PathBuf::from)
    }

    /// Who acts: `--as`, `OVERRULE_REVIEWER`, the configuration, the operating-system user.
    pub fn reviewer(&self) -> Result<String, Failure> {
        self.common
            .by
            .clone()
            .or_else(|| self.config.reviewer.clone())
            .or_else(places::user_name)
            .ok_or_else(|| {
                Failure::usage("the operating system does not say who you are")
                    .hint("say it: --as NAME")
            })
    }
}

/// A store that is named so is a server's.
fn is_server(name: &str) -> bool {
    name.starts_with("https://") || name.starts_with("http://")
}

/// A store that is named so is a database's.
pub(super) fn is_database(name: &str) -> bool {
    name.starts_with("postgres://") || name.starts_with("postgresql://")
}
