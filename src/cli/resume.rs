//! `resume`: asks to restart automation in a scope.

use super::app::App;
use super::failure::Outcome;
use super::open::How;
use super::out::{Tone, clean_line};
use super::session::variant;
use crate::domain::ControlScope;
use crate::protocol::{Answer, Command};

/// Ask to restart automation in a scope
///
/// It restarts when as many different people have asked as the policy says (`[control] resume`,
/// two where it does not). Whoever stopped it may be one of them; nobody counts twice.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule resume --scope domain=loan --reason 'fixed upstream, checked 40 by hand'")]
pub struct Resume {
    /// all, domain=D, model=NAME[@VERSION], action=A or cohort=DIM:GROUP
    #[arg(long, value_name = "SCOPE")]
    scope: ControlScope,
    /// Why, without personal data: it stays in the trail
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Resume {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open_how(How::contain())?;
        let command = Command::Resume { scope: self.scope, reason: self.reason };
        let resumed = variant!(session.execute(command)?, Answer::Resumed(resumed) => resumed)?;
        if app.out.json {
            return app.out.json(&resumed);
        }
        let scope = clean_line(&resumed.scope.to_string());
        let people: Vec<String> = resumed.by.iter().map(|name| clean_line(name)).collect();
        let people = people.join(", ");
        if resumed.running {
            let runs = app.out.tone(Tone::Good, "runs again");
            return app.out.line(format!("automation {runs} for {scope}; asked for by {people}"));
        }
        let missing = (resumed.needs as usize).saturating_sub(resumed.by.len());
        app.out.line(format!(
            "automation stays stopped for {scope}: {missing} more {} must ask (so far: {people})",
            if missing == 1 { "person" } else { "people" }
        ))
    }
}
