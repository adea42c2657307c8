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

pub mod args;
mod completions;
pub mod config;
pub mod failure;
pub mod out;
pub mod places;
pub mod signer;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command};
use failure::{Exit, Failure, Outcome};
use out::Out;

/// Run the command these arguments name (the first is the program) and say how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage(&args, &error)),
    };
    let out = Out::new(cli.common.json, cli.common.quiet);
    let outcome = dispatch(cli, &out);
    let outcome = outcome.and_then(|()| out.flush()).or_else(|failure| {
        // What was said before the failure still counts.
        let _ = out.flush();
        Err(failure)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.exit != Exit::ReaderGone {
                out.failure(&failure);
            }
            ExitCode::from(failure.exit.code())
        }
    }
}

fn dispatch(cli: Cli, out: &Out) -> Outcome {
    match cli.command {
        Some(Command::Completions(command)) => command.run(out),
        None => Err(Failure::usage("no command is named").hint("overrule --help lists them")),
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
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let first = lines.next().unwrap_or("the arguments do not make sense");
    let message = first.strip_prefix("error: ").unwrap_or(first);
    let hint = lines
        .find_map(|l| l.strip_prefix("tip: "))
        .unwrap_or("overrule --help shows every command")
        .to_owned();
    Out::new(true, false).failure(&Failure::usage(message).hint(hint));
    Exit::Usage.code()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_table_of_commands_is_sound() {
        super::Cli::command().debug_assert();
    }
}
