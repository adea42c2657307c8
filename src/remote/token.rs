//! The token that says who asks: from the environment, or from a file that only its owner reads.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The variable that names a token.
pub const VARIABLE: &str = "OVERRULE_TOKEN";

/// A secret that says who asks; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, Error)]
pub enum NoToken {
    #[error("there is no token for {host}: neither {VARIABLE} nor {} names one", file.display())]
    Missing { host: String, file: PathBuf },
    #[error("others can read {}: a token is its owner's alone", file.display())]
    Open { file: PathBuf },
    #[error("{} cannot be read: {error}", file.display())]
    Unreadable { file: PathBuf, error: io::Error },
}

impl Token {
    /// A token as text; space around it goes.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The token itself, for the header it goes into.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The token for the server at `host`: `given` (the environment's) before the file.
    pub fn find(given: Option<&str>, folder: &Path, host: &str) -> Result<Self, NoToken> {
        if let Some(given) = given.map(str::trim).filter(|t| !t.is_empty()) {
            return Ok(Self::new(given));
        }
        let file = file(folder, host);
        let text = match fs::read_to_string(&file) {
            Ok(text) if !text.trim().is_empty() => text,
            Ok(_) => return Err(NoToken::Missing { host: host.to_owned(), file }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NoToken::Missing { host: host.to_owned(), file });
            }
            Err(error) => return Err(NoToken::Unreadable { file, error }),
        };
        match fs::metadata(&file) {
            Ok(data) if data.permissions().mode() & 0o077 == 0 => Ok(Self::new(&text)),
            Ok(_) => Err(NoToken::Open { file }),
            Err(error) => Err(NoToken::Unreadable { file, error }),
        }
    }

    /// Keep it for `host`, for its owner's eyes alone; where.
    pub fn keep(&self, folder: &Path, host: &str) -> io::Result<PathBuf> {
        let file = file(folder, host);
        if let Some(folder) = file.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // A file of an earlier time may be open to others: a new one takes its place.
        let fresh = file.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        writeln!(out, "{}", self.0)?;
        out.sync_all()?;
        fs::rename(&fresh, &file)?;
        Ok(file)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where the token for `host` is kept.
pub fn file(folder: &Path, host: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
    folder.join("tokens").join(host.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_one_host_and_one_reader() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let missing = Token::find(None, at, "desk.example:7400").unwrap_err();
        assert!(missing.to_string().starts_with("there is no token for desk.example:7400"));
        let file = Token::new(" ovr_1\n").keep(at, "desk.example:7400").unwrap();
        assert!(file.ends_with("tokens/desk.example_7400"), "{file:?}");
        assert_eq!(Token::find(None, at, "desk.example:7400").unwrap().reveal(), "ovr_1");
        assert!(Token::find(None, at, "other.example").is_err());
        let given = Token::find(Some("ovr_2"), at, "desk.example:7400").unwrap();
        assert_eq!(given.reveal(), "ovr_2");
        assert_eq!(format!("{given:?}"), "Token(…)");

        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let open = Token::find(None, at, "desk.example:7400").unwrap_err();
        assert!(matches!(open, NoToken::Open { .. }), "{open}");
        // Keeping one again closes the file to others.
        Token::new("ovr_3").keep(at, "desk.example:7400").unwrap();
        assert_eq!(Token::find(None, at, "desk.example:7400").unwrap().reveal(), "ovr_3");
    }

    #[test]
    fn a_host_is_no_path() {
        let at = file(Path::new("/c"), "../../etc/passwd");
        assert_eq!(at, Path::new("/c/tokens/.._.._etc_passwd"));
    }
}
