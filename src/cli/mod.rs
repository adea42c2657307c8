//! The command line: one file a command, and the place where the parts are put together.
//!
//! ```no_run
//! let code = overrule::cli::run(["overrule", "completions", "bash"].map(Into::into));
//! ```
//!
//! [`args`] is the table of commands; each command is a struct with its arguments and a `run`.
//! Everything a command does goes through [`crate::protocol::Desk`]; results go to standard
//! output, words about the work to standard error, and a failure is an exit code with what
//! happened, to what, and what to do next.

mod answer;
mod app;
pub mod args;
mod audit;
mod canary;
mod completions;
pub mod config;
mod decide;
mod demo;
mod doctor;
pub mod failure;
mod feedback;
mod flag;
mod freeze;
mod incident;
mod ingest;
mod kill;
mod learn;
mod log;
mod login;
mod next;
mod open;
pub mod out;
pub mod places;
mod policy;
mod queue;
mod requeue;
mod resume;
mod review;
mod reviewer;
mod serve;
mod session;
mod show;
mod sign;
mod signals;
pub mod signer;
mod switch;
mod sync;
mod table;
mod time;
mod token;
mod undo;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};

use app::App;
use args::{Cli, Command};
use config::Config;
use failure::{Exit, Failure, Outcome};
use out::Out;
use places::Places;
use review::Look;

/// Run the command these arguments name (the first is the program) and say how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage(&args, &error)),
    };
    let places = Places::of_this_user();
    let out = Out::new(cli.common.json, cli.common.quiet);
    let (config, trouble) =
        match Config::load(cli.common.config.as_deref(), &places, out.colours_err()) {
            Ok(config) => (config, Ok(())),
            Err(failure) => (Config::default(), Err(failure)),
        };
    let app = App { common: cli.common, config, places, out };
    let outcome = dispatch(cli.command, cli.look, &app, trouble);
    // What was said before a failure still counts.
    let flushed = app.out.flush();
    match outcome.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::warn!(kind = failure.kind, message = failure.message, "command failed");
            if failure.exit != Exit::ReaderGone {
                app.out.failure(&failure);
            }
            ExitCode::from(failure.exit.code())
        }
    }
}

/// `trouble`: the configuration could not be used. Only what does not depend on it goes on then.
fn dispatch(command: Option<Command>, look: Look, app: &App, trouble: Outcome) -> Outcome {
    match command {
        Some(Command::Completions(command)) => return command.run(&app.out),
        Some(Command::Doctor(command)) => return command.run(app, trouble),
        // Nothing keeps a stop waiting, least of all a file of settings.
        Some(Command::Kill(command)) => return command.run(app, trouble),
        _ => trouble.and_then(|()| log::start(app))?,
    }
    match command {
        None => review::run(app, look),
        Some(Command::Review(command)) => review::run(app, command.look.or(look)),
        Some(Command::Demo(command)) => command.run(app, look),
        Some(_) if look.is_set() => Err(Failure::usage(
            "--theme, --keymap, --linear and --sign before a command belong to the app",
        )
        .hint("leave them out, or put --sign after decide")),
        Some(Command::Ingest(command)) => command.run(app),
        Some(Command::Queue(command)) => command.run(app),
        Some(Command::Show(command)) => command.run(app),
        Some(Command::Next(command)) => command.run(app),
        Some(Command::Decide(command)) => command.run(app),
        Some(Command::Answer(command)) => command.run(app),
        Some(Command::Undo(command)) => command.run(app),
        Some(Command::Flag(command)) => command.run(app),
        Some(Command::Feedback(command)) => command.run(app),
        Some(Command::Policy(command)) => command.run(app),
        Some(Command::Learn(command)) => command.run(app),
        Some(Command::Audit(command)) => command.run(app),
        Some(Command::Signals(command)) => command.run(app),
        Some(Command::Sync(command)) => command.run(app),
        Some(Command::Watch(command)) => command.run(app),
        Some(Command::Serve(command)) => command.run(app),
        Some(Command::Token(command)) => command.run(app),
        Some(Command::Reviewer(command)) => command.run(app),
        Some(Command::Login(command)) => command.run(app),
        Some(Command::Resume(command)) => command.run(app),
        Some(Command::Requeue(command)) => command.run(app),
        Some(Command::Switch(command)) => command.run(app),
        Some(Command::Freeze(command)) => command.run(app),
        Some(Command::Canary(command)) => command.run(app),
        Some(Command::Incident(command)) => command.run(app),
        Some(Command::Completions(_) | Command::Doctor(_) | Command::Kill(_)) => Ok(()),
    }
}

/// Arguments that clap did not take: help and version are no failures; with `--json` the rest is a
/// JSON error like any other.
fn usage(args: &[OsString], error: &clap::Error) -> u8 {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked || !args.iter().any(|a| a == "--json") {
        let _ = error.print();
        return if asked { 0 } else { Exit::Usage.code() };
    }
    let text = error.to_string();
    let message = in_one_line(args, &text);
    let hint = text
        .lines()
        .find_map(|l| l.trim().strip_prefix("tip: "))
        .unwrap_or("overrule --help shows every command")
        .to_owned();
    Out::new(true, false).failure(&Failure::usage(message).hint(hint));
    Exit::Usage.code()
}

/// What clap says first, with what it lists below: the names of what is missing (and what they may
/// be), or the values that there are.
fn in_one_line(args: &[OsString], text: &str) -> String {
    let mut paragraph = text.lines().map(str::trim).take_while(|l| !l.is_empty());
    let first = paragraph.next().unwrap_or("the arguments do not make sense");
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let mut command = Cli::command();
    command.build();
    let mut at = &command;
    for word in args.iter().skip(1).filter_map(|word| word.to_str()) {
        at = at.find_subcommand(word).unwrap_or(at);
    }
    let listed: Vec<String> = paragraph
        .map(|line| {
            let named = at.get_arguments().find(|arg| arg.to_string() == line);
            let values = named.map(clap::Arg::get_possible_values).unwrap_or_default();
            let words: Vec<&str> =
                values.iter().filter(|v| !v.is_hide_set()).map(|v| v.get_name()).collect();
            match words.is_empty() {
                true => line.to_owned(),
                false => format!("{line} ({})", words.join("|")),
            }
        })
        .collect();
    match listed.is_empty() {
        true => first.to_owned(),
        false => format!("{first} {}", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_table_of_commands_is_sound() {
        super::Cli::command().debug_assert();
    }
}
