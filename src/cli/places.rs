//! Where things live on this machine: configuration, data, state. Nothing is made here unasked.

use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};

/// The folders of this user. Each is `None` where the system names no home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// `config.toml`, `themes/`, `keymaps/`.
    pub config: Option<PathBuf>,
    /// The default store.
    pub data: Option<PathBuf>,
    /// The default log file.
    pub state: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl Places {
    /// The folders as the system's conventions have them.
    pub fn of_this_user() -> Self {
        let dirs = ProjectDirs::from("", "", "overrule");
        Self {
            config: dirs.as_ref().map(|d| d.config_dir().to_owned()),
            data: dirs.as_ref().map(|d| d.data_dir().to_owned()),
            state: dirs.as_ref().map(|d| d.state_dir().unwrap_or(d.data_local_dir()).to_owned()),
            home: BaseDirs::new().map(|b| b.home_dir().to_owned()),
        }
    }

    /// The configuration file that is read when none is named.
    pub fn config_file(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|d| d.join("config.toml"))
    }

    /// The store that is opened when none is named.
    pub fn default_store(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|d| d.join("desk.db"))
    }

    /// The log file that is written when a filter but no file is named.
    pub fn default_log(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|d| d.join("overrule.log"))
    }

    /// A path from a file in `folder`: `~/` is home, what is relative counts from `folder`.
    pub fn resolve(&self, path: &str, folder: &Path) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => folder.join(path),
        }
    }
}

/// The name of the operating-system user: the reviewer a fresh store knows.
pub fn user_name() -> Option<String> {
    let name = whoami::username().ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_a_file_count_from_its_folder_or_from_home() {
        let places = Places { home: Some("/home/ann".into()), ..Places::default() };
        let folder = Path::new("/etc/overrule");
        assert_eq!(places.resolve("a.db", folder), Path::new("/etc/overrule/a.db"));
        assert_eq!(places.resolve("~/a.db", folder), Path::new("/home/ann/a.db"));
        assert_eq!(places.resolve("/srv/a.db", folder), Path::new("/srv/a.db"));
    }
}
