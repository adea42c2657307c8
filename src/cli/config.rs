//! The configuration file: TOML, read where it exists, never written.
//!
//! ```toml
//! store = "~/desks/loans.db"     # a path; relative ones count from this file
//! reviewer = "ann"               # who acts, where --as says nothing
//! key = "~/.ssh/id_ed25519"      # signs verdicts in queues that want signatures
//! ca = "~/desk-ca.pem"           # certificates that are trusted, too, where the store is a server
//! theme = "dark"                 # a shipped theme, or themes/NAME.toml beside this file
//! keymap = "default"             # a shipped keymap, or keymaps/NAME.toml beside this file
//!
//! [log]                          # absent: nothing is logged
//! file = "~/overrule.log"
//! filter = "overrule=info"
//! ```
//!
//! A key that does not exist, or a value of the wrong type, is an error that names the place: a
//! mistyped `store` must not silently mean another store.

use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::failure::{Exit, Failure};
use super::places::Places;

/// What the file says; everything is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    pub store: Option<String>,
    pub reviewer: Option<String>,
    /// The ssh key (a private key file, or a public one that ssh-agent holds) that signs verdicts.
    pub key: Option<PathBuf>,
    /// Certificates (PEM) that are trusted beside the system's, where the store is a server.
    pub ca: Option<PathBuf>,
    pub theme: Option<String>,
    pub keymap: Option<String>,
    pub log_file: Option<PathBuf>,
    pub log_filter: Option<String>,
    /// The file it came from, if there is one.
    pub file: Option<PathBuf>,
}

/// A mistake in the file: where (bytes), what, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    span: std::ops::Range<usize>,
    what: String,
    help: Option<String>,
}

const KEYS: [&str; 7] = ["store", "reviewer", "key", "ca", "theme", "keymap", "log"];
const LOG_KEYS: [&str; 2] = ["file", "filter"];

impl Config {
    /// Read `named`, or the user's own file where none is named and one exists.
    pub fn load(named: Option<&Path>, places: &Places, colour: bool) -> Result<Self, Failure> {
        let (file, must_exist) = match named {
            Some(path) => (path.to_owned(), true),
            None => match places.config_file() {
                Some(path) => (path, false),
                None => return Ok(Self::default()),
            },
        };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must_exist => {
                return Ok(Self::default());
            }
            Err(e) => {
                let mut failure =
                    Failure::io(format!("the configuration {} cannot be read", file.display()), &e);
                failure.exit = Exit::Usage;
                return Err(failure);
            }
        };
        Self::parse(&text, &file, places).map_err(|faults| report(&file, &text, &faults, colour))
    }

    fn parse(text: &str, file: &Path, places: &Places) -> Result<Self, Vec<Fault>> {
        let table = DeTable::parse(text).map_err(|e| {
            vec![Fault { span: e.span().unwrap_or(0..0), what: e.message().to_owned(), help: None }]
        })?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut config = Self { file: Some(file.to_owned()), ..Self::default() };
        let mut faults = Vec::new();
        for (key, value) in table.get_ref() {
            match key.get_ref().as_ref() {
                "store" => {
                    config.store = text_of("store", value, &mut faults).map(|s| {
                        if s.contains("://") {
                            s
                        } else {
                            places.resolve(&s, folder).to_string_lossy().into_owned()
                        }
                    });
                }
                "reviewer" => config.reviewer = text_of("reviewer", value, &mut faults),
                "key" => {
                    config.key = text_of("key", value, &mut faults)
                        .map(|path| places.resolve(&path, folder));
                }
                "ca" => {
                    config.ca =
                        text_of("ca", value, &mut faults).map(|path| places.resolve(&path, folder));
                }
                "theme" => config.theme = text_of("theme", value, &mut faults),
                "keymap" => config.keymap = text_of("keymap", value, &mut faults),
                "log" => config.log(value, folder, places, &mut faults),
                other => faults.push(unknown(other, key.span(), &KEYS)),
            }
        }
        if faults.is_empty() { Ok(config) } else { Err(faults) }
    }

    fn log(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        folder: &Path,
        places: &Places,
        faults: &mut Vec<Fault>,
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            faults.push(Fault {
                span: value.span(),
                what: format!("`log` is a table, not a {}", value.get_ref().type_str()),
                help: Some("write [log] with file = \"…\" and filter = \"info\"".to_owned()),
            });
            return;
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "file" => {
                    self.log_file = text_of("log.file", value, faults)
                        .map(|path| places.resolve(&path, folder));
                }
                "filter" => self.log_filter = text_of("log.filter", value, faults),
                other => faults.push(unknown(other, key.span(), &LOG_KEYS)),
            }
        }
    }
}

fn text_of(key: &str, value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) -> Option<String> {
    match value.get_ref().as_str() {
        Some("") => {
            faults.push(Fault {
                span: value.span(),
                what: format!("`{key}` is empty"),
                help: Some("give it a value or remove the line".to_owned()),
            });
            None
        }
        Some(text) => Some(text.to_owned()),
        None => {
            faults.push(Fault {
                span: value.span(),
                what: format!("`{key}` is a string, not a {}", value.get_ref().type_str()),
                help: None,
            });
            None
        }
    }
}

fn unknown(key: &str, span: std::ops::Range<usize>, known: &[&str]) -> Fault {
    let nearest = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(k, key), k))
        .min()
        .filter(|(distance, k)| *distance <= k.len() / 2);
    Fault {
        span,
        what: format!("there is no setting `{key}`"),
        help: Some(match nearest {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None => format!("the settings here are {}", known.join(", ")),
        }),
    }
}

/// All mistakes in one failure; people get each place underlined.
fn report(file: &Path, text: &str, faults: &[Fault], colour: bool) -> Failure {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let path = file.display().to_string();
    let mut detail = String::new();
    let mut short = Vec::new();
    for fault in faults {
        let (line, column) = place(text, fault.span.start);
        short.push(format!("{path}:{line}:{column}: {}", fault.what));
        let mut group = Level::ERROR.primary_title(fault.what.as_str()).element(
            Snippet::source(text)
                .path(path.as_str())
                .annotation(AnnotationKind::Primary.span(fault.span.clone())),
        );
        if let Some(help) = &fault.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        detail.push_str(&renderer.render(&[group]));
        detail.push('\n');
    }
    let message = match short.as_slice() {
        [one] => format!("the configuration is not usable: {one}"),
        many => {
            format!("the configuration is not usable, {} mistakes: {}", many.len(), many.join("; "))
        }
    };
    let help = faults.iter().find_map(|f| f.help.clone());
    let mut failure = Failure::new(Exit::Usage, "config", message).detail(detail);
    failure.hint = Some(match help {
        Some(help) => format!("{help} (--config FILE reads another file)"),
        None => "correct the file, or name another with --config FILE".to_owned(),
    });
    failure
}

/// Line and column (both from 1, columns in characters) of a byte in `text`.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Failure> {
        let file = Path::new("/c/config.toml");
        Config::parse(text, file, &Places::default()).map_err(|f| report(file, text, &f, false))
    }

    #[test]
    fn a_whole_file() {
        let config = parse(
            "store = 'a.db'\nreviewer = 'ann'\nca = 'ca.pem'\ntheme = 'dark'\nkeymap = 'vim'\n\
             [log]\nfile = 'x.log'\nfilter = 'info'\n",
        )
        .unwrap();
        assert_eq!(config.store.as_deref(), Some("/c/a.db"));
        assert_eq!(config.reviewer.as_deref(), Some("ann"));
        assert_eq!(config.ca.as_deref(), Some(Path::new("/c/ca.pem")));
        assert_eq!(config.theme.as_deref(), Some("dark"));
        assert_eq!(config.keymap.as_deref(), Some("vim"));
        assert_eq!(config.log_file.as_deref(), Some(Path::new("/c/x.log")));
        assert_eq!(config.log_filter.as_deref(), Some("info"));
    }

    #[test]
    fn an_address_stays_an_address() {
        let config = parse("store = 'https://desk.example'").unwrap();
        assert_eq!(config.store.as_deref(), Some("https://desk.example"));
    }

    #[test]
    fn mistakes_name_their_place_and_what_was_meant() {
        for (text, message, hint) in [
            (
                "\nstroe = 'a.db'",
                "/c/config.toml:2:1: there is no setting `stroe`",
                "did you mean `store`?",
            ),
            (
                "theme = 3",
                "/c/config.toml:1:9: `theme` is a string, not a integer",
                "correct the file",
            ),
            (
                "[log]\nfille = 'x'",
                "/c/config.toml:2:1: there is no setting `fille`",
                "did you mean `file`?",
            ),
            ("log = 'x'", "/c/config.toml:1:7: `log` is a table, not a string", "write [log]"),
            (
                "zzz = 1",
                "/c/config.toml:1:1: there is no setting `zzz`",
                "the settings here are store, reviewer, key, ca, theme, keymap, log",
            ),
            ("store = ''", "/c/config.toml:1:9: `store` is empty", "give it a value"),
            ("theme = 'a", "/c/config.toml:1:11: ", "correct the file"),
        ] {
            let failure = parse(text).unwrap_err();
            assert!(failure.message.contains(message), "{text}: {}", failure.message);
            assert!(failure.hint.unwrap().contains(hint), "{text}");
            assert_eq!(failure.exit, Exit::Usage);
        }
    }

    #[test]
    fn two_mistakes_are_told_at_once_and_underlined() {
        let failure = parse("stroe = 'a'\nkeymap = true\n").unwrap_err();
        assert!(failure.message.contains("2 mistakes"), "{}", failure.message);
        let detail = failure.detail.unwrap();
        assert!(detail.contains("stroe = 'a'") && detail.contains("^^^^^"), "{detail}");
    }
}
