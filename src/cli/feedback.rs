//! `feedback ID`: what happened after the decision was acted on.

use clap::ValueEnum;
use serde_json::json;

use super::app::App;
use super::failure::Outcome;
use super::open::Fresh;
use super::out::clean_line;
use crate::protocol::{Command, FeedbackKind};

/// Report what happened after a decision was acted on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule feedback lap-1664 --kind complaint --note 'customer disputes the income figure'")]
pub struct Feedback {
    /// The decision's id
    id: String,
    /// What happened
    #[arg(long, value_enum)]
    kind: Kind,
    /// In words
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// It was undone later
    Reversal,
    /// Somebody objected
    Complaint,
    /// It turned out wrong
    Error,
    /// It turned out right
    Confirmed,
}

impl Feedback {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let kind = match self.kind {
            Kind::Reversal => FeedbackKind::Reversal,
            Kind::Complaint => FeedbackKind::Complaint,
            Kind::Error => FeedbackKind::Error,
            Kind::Confirmed => FeedbackKind::Confirmed,
        };
        session.done(Command::Feedback { item: self.id.clone(), kind, note: self.note })?;
        if app.out.json {
            return app.out.json(&json!({"id": self.id, "kind": kind}));
        }
        app.out.line(format!("noted for {}", clean_line(&self.id)))
    }
}
