//! `freeze list|release`: decisions like a corrected one, held for people.

use serde_json::json;

use super::app::App;
use super::failure::Outcome;
use super::open::{Fresh, How};
use super::out::clean_line;
use super::switch::containment;
use super::table::{self, dim, numbers, words};
use super::time::stamp;
use crate::protocol::{Command, FreezeView};

/// Decisions like a corrected one, held for people
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Freeze {
    #[command(subcommand)]
    command: FreezeCommand,
}

#[derive(Debug, clap::Subcommand)]
enum FreezeCommand {
    /// List what is frozen
    List,
    Release(Release),
}

/// Let decisions like the corrected one go their usual way again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule freeze release frz-1 --reason 'the rule is fixed'

Takes the level that froze, or the role on-call. What is held already stays with its people.")]
struct Release {
    /// The freeze's id
    id: String,
    /// Why, without personal data: it stays in the trail
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Freeze {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            FreezeCommand::List => list(app),
            FreezeCommand::Release(release) => release.run(app),
        }
    }
}

impl Release {
    fn run(self, app: &App) -> Outcome {
        let session = app.open_how(How::contain())?;
        session.done(Command::ReleaseFreeze { id: self.id.clone(), reason: self.reason })?;
        if app.out.json {
            return app.out.json(&json!({"id": self.id, "released": true}));
        }
        app.out.line(format!("{} is released", clean_line(&self.id)))
    }
}

fn list(app: &App) -> Outcome {
    let session = app.open(Fresh::No)?;
    let freezes = containment(&session)?.freezes;
    if app.out.json {
        return app.out.json(&json!({"freezes": freezes}));
    }
    if freezes.is_empty() {
        app.out.note("nothing is frozen");
        return Ok(());
    }
    let columns = [
        words("id"),
        words("like"),
        words("domain"),
        words("action"),
        words("cohort"),
        numbers("level"),
        dim("by"),
        dim("since"),
        dim("why"),
    ];
    let rows: Vec<_> = freezes.iter().map(row).collect();
    table::lines(&app.out, &columns, &rows).into_iter().try_for_each(|line| app.out.line(line))
}

fn row(f: &FreezeView) -> Vec<String> {
    vec![
        clean_line(&f.id),
        clean_line(&f.like),
        clean_line(&f.domain),
        clean_line(&f.action),
        f.cohort.as_deref().map(clean_line).unwrap_or_default(),
        f.level.to_string(),
        clean_line(&f.by),
        stamp(f.at),
        clean_line(&f.reason),
    ]
}
