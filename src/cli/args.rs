//! The command line as a table: common flags, and one entry a command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The terminal where people overrule machines.
///
/// Models submit decisions, a policy routes each one, people accept, edit, reject or escalate what
/// needs a person, and an audit trail that outsiders can verify remembers it.
#[derive(Debug, Parser)]
#[command(
    name = "overrule",
    version,
    max_term_width = 100,
    after_help = "Examples:
  overrule demo                          a desk with a live, simulated stream
  overrule ingest decisions.jsonl        admit decisions into your own desk
  overrule                               review what waits

OVERRULE_STORE, OVERRULE_POLICY, OVERRULE_REVIEWER, OVERRULE_CONFIG and OVERRULE_CA say what
--store, --policy, --as, --config and --ca say.

Exit codes: 0 done · 1 failed · 2 usage · 3 refused by a rule · 4 a verification failed"
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    pub look: super::review::Look,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common flags")]
pub struct Common {
    /// The desk's store: a SQLite file, the address of a server (https://desk.example), or, for
    /// serve, doctor and audit verify, of a database (postgres://USER@HOST/DATABASE)
    /// [default: desk.db in your data folder]
    #[arg(long, global = true, value_name = "PATH|URL", env = "OVERRULE_STORE", hide_env = true)]
    pub store: Option<String>,

    /// A policy file to install on a store that has none
    #[arg(long, global = true, value_name = "FILE", env = "OVERRULE_POLICY", hide_env = true)]
    pub policy: Option<PathBuf>,

    /// Act as this reviewer [default: you, by your user name]
    #[arg(
        long = "as",
        global = true,
        value_name = "NAME",
        env = "OVERRULE_REVIEWER",
        hide_env = true
    )]
    pub by: Option<String>,

    /// Trust the certificates in this file (PEM), too, where the store is a server
    #[arg(long, global = true, value_name = "FILE", env = "OVERRULE_CA", hide_env = true)]
    pub ca: Option<PathBuf>,

    /// JSON on standard output, JSON errors on standard error
    #[arg(long, global = true)]
    pub json: bool,

    /// Say only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Read this configuration instead of config.toml in your config folder
    #[arg(long, global = true, value_name = "FILE", env = "OVERRULE_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
}

/// The commands, in the order of a day's work.
#[derive(Debug, Subcommand)]
pub enum Command {
    Review(super::review::Review),
    Demo(super::demo::Demo),
    Ingest(super::ingest::Ingest),
    Queue(super::queue::Queue),
    Show(super::show::Show),
    Next(super::next::Next),
    Decide(super::decide::Decide),
    Answer(super::answer::Answer),
    Undo(super::undo::Undo),
    Flag(super::flag::Flag),
    Feedback(super::feedback::Feedback),
    Kill(super::kill::Kill),
    Resume(super::resume::Resume),
    Requeue(super::requeue::Requeue),
    Switch(super::switch::Switch),
    Freeze(super::freeze::Freeze),
    Canary(super::canary::Canary),
    Incident(super::incident::Incident),
    Policy(super::policy::Policy),
    Learn(super::learn::Learn),
    Signals(super::signals::Signals),
    Sync(super::sync::Sync),
    Watch(super::watch::Watch),
    Serve(super::serve::Serve),
    Audit(super::audit::Audit),
    Reviewer(super::reviewer::Reviewer),
    Login(super::login::Login),
    Token(super::token::Token),
    Doctor(super::doctor::Doctor),
    Completions(super::completions::Completions),
}
