//! `requeue`: puts what was automatic during a bad time before people.

use serde_json::json;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::open::How;
use super::out::clean_line;
use super::session::variant;
use super::time::{Since, stamp};
use crate::domain::{ControlScope, Timestamp};
use crate::protocol::{Answer, Command};

/// Put what was automatic in a scope before people, after the fact
///
/// Each of these decisions gets a retrospective review; overruling it is a reversal, and the
/// caller is told. What somebody has looked at, or is to look at, is left alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule requeue --scope model=loan-gb@4.0 --since 2h
  overrule requeue --scope all --since 2026-05-01T09:40:00Z --reason 'incident inc-7'")]
pub struct Requeue {
    /// all, domain=D, model=NAME[@VERSION], action=A or cohort=DIM:GROUP
    #[arg(long, value_name = "SCOPE")]
    scope: ControlScope,
    /// Decided at this desk time or later: 2026-05-01T09:00:00Z, 2026-05-01, or how long ago (2h)
    #[arg(long, value_name = "T", value_parser = Since::parse)]
    since: Since,
    /// Why, without personal data: it stays in the trail
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Requeue {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open_how(How::contain())?;
        let since = match &self.since {
            Since::At(at) => *at,
            ago => {
                // Who may not even ask for the time is refused with the command itself.
                let now = session.header().map_or_else(|_| Timestamp::now(), |h| h.now);
                ago.seen_from(now).ok_or_else(|| Failure::usage("--since lies before all time"))?
            }
        };
        let reason = self.reason.unwrap_or_else(|| "put before people after the fact".into());
        let command = Command::Requeue { scope: self.scope.clone(), since, reason };
        let n = variant!(session.execute(command)?, Answer::Requeued(n) => n)?;
        if app.out.json {
            return app.out.json(&json!({"scope": self.scope, "since": since, "requeued": n}));
        }
        app.out.line(format!(
            "{n} automatic decisions of {} since {} went before people",
            clean_line(&self.scope.to_string()),
            stamp(since)
        ))
    }
}
