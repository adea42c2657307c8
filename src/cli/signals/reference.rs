//! `signals reference set`: freezes what is usual.

use std::path::PathBuf;

use serde_json::json;

use super::compare::lines;
use crate::cli::app::App;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::open::Fresh;
use crate::cli::out::clean_line;
use crate::cli::session::variant;
use crate::cli::time::Since;
use crate::protocol::{Answer, Command, Line, ReferenceAsk};

/// What drift is measured against
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Reference {
    #[command(subcommand)]
    command: ReferenceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ReferenceCommand {
    Set(Set),
}

/// Freeze the reference from a period of this desk, or from a file
///
/// Models that are not in it keep the reference they have. A model that has none gets one by
/// itself: of its first 1,000 decisions, or of its first seven days (but at least 150 decisions).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule signals reference set --from 2026-06-01 --to 2026-07-01
  overrule signals reference set --from 30d
  overrule signals reference set --file june.jsonl")]
struct Set {
    /// Admitted at this desk time or later: 2026-06-01, 2026-06-01T09:00:00Z, or how long ago (30d)
    #[arg(long, value_name = "T", value_parser = Since::parse, required_unless_present = "file", conflicts_with = "file")]
    from: Option<Since>,
    /// … and before this [default: now]
    #[arg(long, value_name = "T", value_parser = Since::parse, requires = "from")]
    to: Option<Since>,
    /// JSON Lines of decision records; they need not be in the store
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Reference {
    pub(super) fn run(self, app: &App) -> Outcome {
        match self.command {
            ReferenceCommand::Set(set) => set.run(app),
        }
    }
}

impl Set {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        session.catch_up();
        let ask = match &self.file {
            Some(path) => {
                let name = path.display().to_string();
                let line = |(i, bytes)| Line { source: name.clone(), line: i, bytes };
                let lines = (1..).zip(lines(path)?).map(line).collect();
                ReferenceAsk::Records { name: name.clone(), lines }
            }
            None => {
                let now = session.header()?.now;
                let seen = |since: &Option<Since>, flag: &str| match since {
                    None => Ok(now),
                    Some(since) => since
                        .seen_from(now)
                        .ok_or_else(|| Failure::usage(format!("{flag} lies before all time"))),
                };
                let (from, to) = (seen(&self.from, "--from")?, seen(&self.to, "--to")?);
                if from >= to {
                    return Err(Failure::usage(format!("{from} is not before {to}"))
                        .hint("--from is where the period begins"));
                }
                ReferenceAsk::Period { from, to }
            }
        };
        let set =
            variant!(session.execute(Command::SetReference(ask))?, Answer::Reference(set) => set)?;
        session.catch_up();
        if app.out.json {
            return app.out.json(&json!(set));
        }
        app.out.line(format!(
            "reference {}: {} of {}",
            set.version,
            crate::text::many(set.decisions, "decision", "decisions"),
            clean_line(&set.name)
        ))
    }
}
