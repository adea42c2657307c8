//! `answer ID`: your own answer to a blind item, before the proposal is shown.

use uuid::Uuid;

use super::app::App;
use super::failure::Outcome;
use super::open::Fresh;
use super::out::clean_line;
use crate::protocol::{BlindAnswer, Command};

/// Give your own answer to a blind item, then see the proposal
///
/// Some items are shown without the proposal first, so that agreement can be measured. Once your
/// answer is stored the proposal is shown, and `decide` works as usual.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule answer lap-1664 --action deny
  overrule show lap-1664                 the proposal is there now
  overrule decide lap-1664 reject --label deny")]
pub struct Answer {
    /// The decision's id
    id: String,
    /// What you would have done
    #[arg(long, value_name = "A")]
    action: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Answer {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        session.reviewed(Command::AnswerBlind(BlindAnswer {
            request_id: Uuid::now_v7().to_string(),
            item: self.id.clone(),
            action: self.action,
            note: self.note,
        }))?;
        let item = session.item(&self.id)?;
        if app.out.json {
            return app.out.json(&super::show::as_json(&item)?);
        }
        let proposal = item.current.as_ref().map(|c| clean_line(&c.action)).unwrap_or_default();
        app.out.line(format!(
            "stored; the model proposes {proposal}. overrule show {}",
            clean_line(&self.id)
        ))
    }
}
