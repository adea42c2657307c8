//! `undo ID`: takes your last verdict back inside its grace time.

use super::app::App;
use super::decide::standing;
use super::failure::Outcome;
use super::open::Fresh;
use super::out::clean_line;
use crate::protocol::Command;

/// Take your last verdict on an item back, inside its grace time
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule decide lap-1664 reject --grace 1m
  overrule undo lap-1664

Too late? A settled decision is opened again with `overrule flag`.")]
pub struct Undo {
    /// The decision's id
    id: String,
}

impl Undo {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let reviewed = session.reviewed(Command::Undo { item: self.id })?;
        if app.out.json {
            return app.out.json(&reviewed);
        }
        app.out.line(format!(
            "{} taken back: {}",
            clean_line(&reviewed.id),
            standing(&app.out, &reviewed)
        ))
    }
}
