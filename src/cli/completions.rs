//! `completions SHELL`: a completion script on standard output.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::failure::Outcome;
use super::out::Out;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule completions bash > ~/.local/share/bash-completion/completions/overrule
  overrule completions zsh  > ~/.zfunc/_overrule
  overrule completions fish > ~/.config/fish/completions/overrule.fish")]
pub struct Completions {
    /// The shell to write for
    shell: Shell,
}

impl Completions {
    pub fn run(self, out: &Out) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "overrule", &mut script);
        out.raw(&String::from_utf8_lossy(&script))
    }
}
