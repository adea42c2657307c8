//! `flag ID`: opens a new review of a settled decision.

use super::app::App;
use super::decide::standing;
use super::failure::Outcome;
use super::open::Fresh;
use super::out::clean_line;
use crate::protocol::Command;

/// Open a new review of a settled decision
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule flag exq-0114 --tag factual_error --note 'the cited trial was withdrawn'")]
pub struct Flag {
    /// The decision's id
    id: String,
    /// A tag of the policy's taxonomy (repeat for more)
    #[arg(long = "tag", value_name = "T", required = true)]
    tags: Vec<String>,
    /// What is wrong
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Flag {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let command = Command::Flag { item: self.id, tags: self.tags, note: self.note };
        let reviewed = session.reviewed(command)?;
        if app.out.json {
            return app.out.json(&reviewed);
        }
        app.out.line(format!(
            "{} opened again: {}",
            clean_line(&reviewed.id),
            standing(&app.out, &reviewed)
        ))
    }
}
