//! Arguments to `cli::run`, exit code back; reports of defects are set up here and nowhere else.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Only fails when something else installed hooks before; then those are kept.
    let _ = color_eyre::install();
    overrule::cli::run(std::env::args_os())
}
