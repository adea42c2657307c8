//! `kill`: stops automation in a scope, now.

use clap::ValueEnum;
use serde_json::json;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::log;
use super::open::How;
use super::out::{Tone, clean_line};
use super::session::variant;
use crate::domain::ControlScope;
use crate::protocol::{Answer, Command, KillMode};

/// Stop automation in a scope, now
///
/// One person stops it; restarting takes as many as the policy says (`overrule resume`). It holds
/// from the very next admission on, in every process. People go on deciding.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule kill --reason 'approves everybody since 09:40'
  overrule kill --scope domain=loan --reason 'drifts'
  overrule kill --scope model=loan-gb@4.0 --mode last-good --reason 'canary looks bad'
  overrule kill --scope cohort=race:black --mode block --reason 'denies 9 of 10'")]
pub struct Kill {
    /// all, domain=D, model=NAME[@VERSION], action=A or cohort=DIM:GROUP
    #[arg(long, value_name = "SCOPE", default_value = "all")]
    scope: ControlScope,
    /// What becomes of the decisions in the scope
    #[arg(long, value_enum, default_value = "human")]
    mode: Mode,
    /// With --mode last-good: the version to use instead [default: the last one in use before]
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Why, without personal data: it stays in the trail
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// They go to people
    Human,
    /// They must not be done
    Block,
    /// The caller is told to use another version of the model
    LastGood,
}

impl Kill {
    /// `trouble`: the configuration could not be used. Where the store is named, that does not
    /// matter now; where it may have been named there, stopping another one would be no help.
    pub fn run(self, app: &App, trouble: Outcome) -> Outcome {
        if let Err(failure) = trouble {
            if app.common.store.is_none() {
                return Err(failure);
            }
            app.out.note(format!("going on without the configuration: {}", failure.message));
        }
        if let Err(failure) = log::start(app) {
            app.out.note(format!("going on without a log: {}", failure.message));
        }
        let mode = match (self.mode, self.to) {
            (Mode::Human, None) => KillMode::Human,
            (Mode::Block, None) => KillMode::Block,
            (Mode::LastGood, version) => KillMode::LastGood { version },
            (Mode::Human | Mode::Block, Some(_)) => {
                return Err(Failure::usage("--to names a version for --mode last-good")
                    .hint("leave --to out, or add --mode last-good"));
            }
        };
        let session = app.open_how(How::contain())?;
        let command = Command::Kill { scope: self.scope, mode: mode.clone(), reason: self.reason };
        let (scope, generation, held) = variant!(
            session.execute(command)?,
            Answer::Killed { scope, generation, held } => (scope, generation, held)
        )?;
        if app.out.json {
            return app.out.json(&json!({
                "scope": scope,
                "mode": mode.as_str(),
                "state": "killed",
                "generation": generation,
                "held": held,
            }));
        }
        let what = match &mode {
            KillMode::Human => "everything goes to people".to_owned(),
            KillMode::Block => "nothing may be done".to_owned(),
            KillMode::LastGood { version: None } => {
                "callers are told to use the last good version".to_owned()
            }
            KillMode::LastGood { version: Some(version) } => {
                format!("callers are told to use {}", clean_line(version))
            }
        };
        let scope = clean_line(&scope.to_string());
        let stopped = app.out.tone(Tone::Bad, "stopped");
        app.out.line(format!("automation is {stopped} for {scope}: {what}"))?;
        if held > 0 {
            let held = crate::text::many(
                held,
                "reply that had not gone out is",
                "replies that had not gone out are",
            );
            app.out.line(format!("{held} held"))?;
        }
        app.out.note(format!("to restart it: overrule resume --scope {scope} --reason TEXT"));
        Ok(())
    }
}
