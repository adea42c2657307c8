//! `review` (and the bare `overrule`): opens the reviewer app.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::open::How;
use super::session::Session;
use super::sign::Signing;
use super::sync::Delivery;
use crate::protocol::Command;
use crate::tui::keymap::Keymap;
use crate::tui::theme::{AUTO, ColorEnv, Terminal};
use crate::tui::{self, Options, Problem, RunError};

/// How often due things (grace times) are looked for while the app is open.
const TICK: Duration = Duration::from_millis(250);
/// The first tick comes when the app has been painted.
const FIRST_TICK: Duration = Duration::from_secs(1);

/// Open the reviewer app (also: overrule, alone)
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule
  overrule review --keymap vim --theme light
  overrule review --linear                   for screen readers: no boxes, no redrawing

In the app: `a` accepts, `e` edits, `r` rejects, `x` escalates, `u` takes back, `?` shows every key.")]
pub struct Review {
    #[command(flatten)]
    pub look: Look,
}

/// How the app looks and listens.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "The app")]
pub struct Look {
    /// A shipped theme, or themes/NAME.toml in your config folder
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// A shipped keymap (default, vim, emacs), or keymaps/NAME.toml in your config folder
    #[arg(long, value_name = "NAME")]
    pub keymap: Option<String>,
    /// Line by line, without boxes and redrawing: for screen readers
    #[arg(long)]
    pub linear: bool,
    /// Sign verdicts with this ssh key: a private key file, or a public one that ssh-agent holds
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
}

impl Look {
    /// What is said here, else what `other` says.
    pub fn or(self, other: Self) -> Self {
        Self {
            theme: self.theme.or(other.theme),
            keymap: self.keymap.or(other.keymap),
            linear: self.linear || other.linear,
            sign: self.sign.or(other.sign),
        }
    }

    /// Something is said.
    pub fn is_set(&self) -> bool {
        self.theme.is_some() || self.keymap.is_some() || self.linear || self.sign.is_some()
    }
}

/// Open the app on the user's own desk.
pub fn run(app: &App, look: Look) -> Outcome {
    // Line by line, answers may come from a pipe; its end is the reviewer leaving.
    if !look.linear {
        need_terminal()?;
    }
    let session = app.open_how(How { app: true, ..How::make() })?;
    if session.remote().is_some() {
        return open(app, &session, look, false);
    }
    session.install_default(&session.header()?)?;
    // Only here: a demonstration alerts nobody.
    let delivery = Delivery::start(&session);
    let ended = open(app, &session, look, false);
    if let Some(delivery) = delivery {
        delivery.end(&session);
    }
    ended
}

/// Refuse before anything is made, where there is no terminal to show it on.
pub fn need_terminal() -> Outcome {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "terminal", "the app needs a terminal, and this is a pipe")
        .hint("overrule queue list, overrule decide and --linear work without one"))
}

/// Run the app over an open desk until the reviewer leaves. `hint`: show the newcomer's card.
pub fn open(app: &App, session: &Session, look: Look, hint: bool) -> Outcome {
    let folder = |name: &str| app.config_folder().map(|folder| folder.join(name));
    let colours = ColorEnv::from_lookup(|name| std::env::var(name).ok());
    let background = colours.background();
    let name = look.keymap.or_else(|| app.config.keymap.clone());
    let (keymap, problems) = keymap(name.as_deref(), folder("keymaps").as_deref());
    let key = look.sign.or_else(|| app.config.key.clone());
    let signer: Option<Arc<dyn tui::Signer>> = match key {
        Some(key) => Some(Arc::new(Signing::with(&key)?)),
        None => None,
    };
    let options = Options {
        theme: look.theme.or_else(|| app.config.theme.clone()).unwrap_or_else(|| AUTO.to_owned()),
        themes: folder("themes"),
        terminal: Terminal {
            depth: colours.depth(None),
            background: background.unwrap_or_default(),
        },
        ask_background: background.is_none(),
        keymap,
        problems,
        hint,
        signer,
        linear: look.linear,
        ..Options::new(session.by.clone())
    };
    let ticker = session.runtime()?.spawn(tick(session.desk.clone(), session.by.clone()));
    let ended = session.runtime()?.block_on(tui::run(session.desk.clone(), options));
    ticker.abort();
    session.wrote();
    ended.map_err(|error| failure(&error))
}

/// Let what is due happen, for as long as the app is open. Refusals (a disabled reviewer, a store
/// that is away for a moment) are told by the app's own requests.
async fn tick(desk: Arc<dyn crate::protocol::Desk>, by: String) {
    // The first paint waits for a lease, and a first tick may have a long log to follow.
    let mut every = tokio::time::interval_at(tokio::time::Instant::now() + FIRST_TICK, TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(refused) = desk.execute(&by, Command::Tick).await {
            tracing::debug!(message = refused.message, "a tick did nothing");
        }
    }
}

/// The keymap `name` with the user's file of that name laid over it. A file of the user's own,
/// under a name that is not shipped, is laid over the default keys.
fn keymap(name: Option<&str>, folder: Option<&Path>) -> (Keymap, Vec<Problem>) {
    let name = name.unwrap_or("default");
    let path = folder.map(|folder| folder.join(format!("{name}.toml")));
    let file = path.map(|path| (path.display().to_string(), std::fs::read_to_string(&path)));
    let shipped = crate::tui::keymap::preset(name).is_some();
    match file {
        Some((file, Ok(text))) => {
            Keymap::load(if shipped { name } else { "default" }, Some((&file, &text)))
        }
        Some((file, Err(error))) if error.kind() != std::io::ErrorKind::NotFound => {
            let (keymap, mut problems) = Keymap::load(if shipped { name } else { "default" }, None);
            problems.push(Problem {
                file,
                line: 0,
                column: 0,
                message: format!("it cannot be read: {error}"),
                nearest: None,
                instead: "the shipped keys are used".to_owned(),
            });
            (keymap, problems)
        }
        _ => Keymap::load(name, None),
    }
}

fn failure(error: &RunError) -> Failure {
    let kind = match error {
        RunError::Terminal(_) => "terminal",
        RunError::Panicked => "internal",
        RunError::Undelivered(_) => "unavailable",
    };
    Failure::new(Exit::Failed, kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_keymap_lies_over_the_shipped_one_of_its_name_or_over_the_default() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.toml"), "[nonsense]\n").unwrap();
        let (_, problems) = keymap(Some("mine"), Some(folder.path()));
        assert!(problems.iter().all(|p| p.file.ends_with("mine.toml")), "{problems:?}");
        assert!(!problems.is_empty());
        let (_, problems) = keymap(Some("vim"), Some(folder.path()));
        assert_eq!(problems, []);
        let (_, problems) = keymap(Some("vmi"), Some(folder.path()));
        assert_eq!(problems[0].nearest.as_deref(), Some("vim"));
    }
}
