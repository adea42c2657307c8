//! `login URL`: keeps the token for a server, after the server knew it.

use std::io::{IsTerminal as _, Read as _};

use serde_json::json;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::open::runtime;
use super::out::clean_line;
use crate::remote::{Token, VARIABLE, host};

/// Keep your token for a server
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule login https://desk.example < token.txt
  overrule --store https://desk.example review

The token is read from standard input, tried, and kept in tokens/ in your config folder, in a file \
that only you can read. OVERRULE_TOKEN, where it is set, is used instead of it.")]
pub struct Login {
    /// The server [default: --store]
    #[arg(value_name = "URL")]
    address: Option<String>,
}

impl Login {
    pub fn run(self, app: &App) -> Outcome {
        let address = self.address.as_deref().or_else(|| app.server()).ok_or_else(|| {
            Failure::usage("login needs the address of a server")
                .hint("overrule login https://desk.example")
        })?;
        let host = host(address)?;
        let folder = app.config_folder().ok_or_else(|| {
            Failure::usage("there is no home folder to keep a token in").hint("set HOME")
        })?;
        if std::io::stdin().is_terminal() {
            app.out
                .note(format!("paste the token for {}, then Enter and Ctrl-D", clean_line(&host)));
        }
        let mut text = String::new();
        std::io::stdin()
            .take(4096)
            .read_to_string(&mut text)
            .map_err(|e| Failure::io("standard input", &e))?;
        let token = Token::new(&text);
        if token.reveal().is_empty() {
            return Err(Failure::usage("no token came on standard input")
                .hint(format!("overrule login {address} < token.txt")));
        }
        let remote = runtime()?.block_on(app.remote(address, Some(token.clone())))?;
        if remote.is_away() {
            return Err(Failure::new(
                Exit::Failed,
                "unavailable",
                format!("{address} cannot be reached, so the token cannot be tried"),
            )
            .hint("nothing was kept; try again when it is there"));
        }
        let file =
            token.keep(&folder, &host).map_err(|e| Failure::io("the token cannot be kept", &e))?;
        if std::env::var_os(VARIABLE).is_some() {
            app.out.note(format!("{VARIABLE} is set and goes before it"));
        }
        if app.out.json {
            return app.out.json(&json!({"reviewer": remote.me(), "file": file}));
        }
        app.out.line(format!(
            "you are {} there; kept in {}",
            clean_line(&remote.me()),
            file.display()
        ))
    }
}
