//! The terminal and the programs around it: size, colour, text, editor, ssh-agent.

use std::env;
use std::io::{self, IsTerminal};
use std::path::Path;

use super::Check;
use crate::cli::signer::agent_keys;

/// What the environment says.
pub fn checks() -> Vec<Check> {
    vec![screen(), colour(), text(), editor(), agent()]
}

fn screen() -> Check {
    if !io::stdout().is_terminal() {
        return Check::ok(
            "terminal",
            "standard output is not a terminal: commands work, the app needs one",
        );
    }
    match crossterm::terminal::size() {
        Ok((columns, rows)) if columns < 40 || rows < 10 => Check::warn(
            "terminal",
            format!("{columns} by {rows} is small"),
            "the app wants at least 40 by 10",
        ),
        Ok((columns, rows)) => Check::ok("terminal", format!("{columns} by {rows}")),
        Err(e) => Check::warn(
            "terminal",
            format!("its size cannot be told: {e}"),
            "set COLUMNS and LINES, or use another terminal",
        ),
    }
}

fn colour() -> Check {
    let has = |name: &str| env::var_os(name).is_some_and(|v| !v.is_empty());
    let term = env::var("TERM").unwrap_or_default();
    let deep = env::var("COLORTERM").is_ok_and(|v| v == "truecolor" || v == "24bit");
    let depth = if has("NO_COLOR") {
        "off (NO_COLOR)"
    } else if deep || term.ends_with("-direct") {
        "24 bit"
    } else if term.contains("256color") {
        "256 colours"
    } else if term.is_empty() || term == "dumb" {
        "none (TERM says so)"
    } else {
        "16 colours"
    };
    Check::ok("colour", depth)
}

fn text() -> Check {
    // The first of these that is set decides, as POSIX has it.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|v| !v.is_empty()));
    match locale {
        Some(locale) if locale.to_ascii_lowercase().replace('-', "").contains("utf8") => {
            Check::ok("text", locale)
        }
        Some(locale) => Check::warn(
            "text",
            format!("the locale {locale} does not say UTF-8"),
            "export LC_CTYPE=C.UTF-8, if lines and signs look wrong",
        ),
        None => Check::warn(
            "text",
            "no locale is set",
            "export LC_CTYPE=C.UTF-8, if lines and signs look wrong",
        ),
    }
}

fn editor() -> Check {
    let named = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|v| !v.trim().is_empty()).map(|v| (*name, v)));
    let Some((name, command)) = named else {
        return Check::warn(
            "editor",
            "neither VISUAL nor EDITOR is set",
            "export EDITOR=vi, to edit long answers with `E`",
        );
    };
    let program = command.split_whitespace().next().unwrap_or_default();
    if on_path(program) {
        Check::ok("editor", command)
    } else {
        Check::warn("editor", format!("{name} names {program}, which is not there"), "correct it")
    }
}

fn agent() -> Check {
    let Some(socket) = env::var_os("SSH_AUTH_SOCK") else {
        return Check::ok("ssh-agent", "none; queues that want signatures take a key file");
    };
    match agent_keys(Path::new(&socket)) {
        Ok(keys) => Check::ok(
            "ssh-agent",
            format!("it answers and holds {}", crate::text::many(keys.len(), "key", "keys")),
        ),
        Err(error) => Check::warn(
            "ssh-agent",
            error.to_string(),
            "start one: eval \"$(ssh-agent)\"; or unset SSH_AUTH_SOCK",
        ),
    }
}

/// Is there a file of that name where commands are looked for?
fn on_path(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
