//! `canary start|status|promote|rollback`: a new version takes a share of the decisions.

use serde_json::json;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::open::{Fresh, How};
use super::out::{Out, Tone, clean_line};
use super::session::Session;
use super::switch::containment;
use super::time::stamp;
use crate::protocol::{CanaryAct, CanaryView, Command};

/// A new version takes a share of the decisions
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Canary {
    #[command(subcommand)]
    command: CanaryCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CanaryCommand {
    Start(Start),
    Status(Status),
    /// Give it everything: it becomes the version in use
    Promote(End),
    /// Give it nothing: its decisions are answered with the baseline
    Rollback(End),
}

/// Let a new version take a first share, against the one in use
///
/// Inside its share its decisions are taken; outside they are answered with the baseline. It takes
/// the next share when enough of it was reviewed and it is no worse, and is rolled back by itself
/// when the evidence says that it is worse.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule canary start loan-gb --version 4.0 --baseline 3.1 --steps 0.05,0.25,1")]
struct Start {
    /// The model
    model: String,
    /// The new version
    #[arg(long, value_name = "VERSION")]
    version: String,
    /// The version in use
    #[arg(long, value_name = "VERSION")]
    baseline: String,
    /// Shares it takes, one after the other
    #[arg(long, value_name = "SHARE", value_delimiter = ',', default_value = "0.05,0.25,0.5,1")]
    steps: Vec<f64>,
    /// Reviewed decisions of the canary that a step needs
    #[arg(long, value_name = "N", default_value_t = CanaryAct::min_reviewed())]
    min_reviewed: u64,
    /// Largest override rate above the baseline's that is still acceptable
    #[arg(long, value_name = "RATE", default_value_t = CanaryAct::tolerance())]
    tolerance: f64,
    /// The level a person needs to promote it
    #[arg(long, value_name = "N", default_value_t = CanaryAct::promote_level(), value_parser = clap::value_parser!(u8).range(1..=3))]
    promote_level: u8,
}

/// Show canaries with the evidence for and against them
#[derive(Debug, clap::Args)]
struct Status {
    /// Only this model
    model: Option<String>,
}

#[derive(Debug, clap::Args)]
struct End {
    /// The model
    model: String,
    /// Why, without personal data: it stays in the trail
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Canary {
    pub fn run(self, app: &App) -> Outcome {
        let act = match self.command {
            CanaryCommand::Status(status) => {
                let session = app.open(Fresh::No)?;
                return show(app, &session, status.model.as_deref());
            }
            CanaryCommand::Start(s) => CanaryAct::Start {
                model: s.model,
                version: s.version,
                baseline: s.baseline,
                steps: s.steps,
                min_reviewed: s.min_reviewed,
                tolerance: s.tolerance,
                promote_level: s.promote_level,
            },
            CanaryCommand::Promote(End { model, reason }) => CanaryAct::Promote { model, reason },
            CanaryCommand::Rollback(End { model, reason }) => CanaryAct::Rollback { model, reason },
        };
        let model = match &act {
            CanaryAct::Start { model, .. }
            | CanaryAct::Promote { model, .. }
            | CanaryAct::Rollback { model, .. } => model.clone(),
        };
        let session = app.open_how(How::contain())?;
        session.done(Command::Canary(act))?;
        show(app, &session, Some(&model))
    }
}

fn show(app: &App, session: &Session, model: Option<&str>) -> Outcome {
    let mut canaries = containment(session)?.canaries;
    canaries.retain(|c| model.is_none_or(|m| c.model == m));
    if app.out.json {
        return app.out.json(&json!({"canaries": canaries}));
    }
    match (canaries.is_empty(), model) {
        (false, _) => canaries.iter().try_for_each(|c| print(&app.out, c)),
        (true, None) => {
            app.out.note("no canary was ever started");
            Ok(())
        }
        (true, Some(model)) => Err(Failure::new(
            super::failure::Exit::Failed,
            "not_found",
            format!("{model} has no canary"),
        )
        .hint("overrule canary status shows all of them")),
    }
}

fn print(out: &Out, c: &CanaryView) -> Outcome {
    let tone = match (c.state.as_str(), c.verdict.as_str()) {
        ("rolled_back", _) | (_, "worse") => Tone::Bad,
        (_, "no_worse") => Tone::Good,
        _ => Tone::Warn,
    };
    out.line(format!(
        "{}@{} against {}: {}, {}",
        clean_line(&c.model),
        clean_line(&c.version),
        clean_line(&c.baseline),
        c.state.replace('_', " "),
        out.tone(tone, c.verdict.replace('_', " "))
    ))?;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    out.line(format!(
        "  step {} of {}, share {}, since {}",
        c.step,
        c.steps.len(),
        percent(c.share),
        stamp(c.since)
    ))?;
    let interval = c.difference.map_or_else(String::new, |(low, high)| {
        format!("; difference {:+.1} to {:+.1} points", low * 100.0, high * 100.0)
    });
    out.line(format!(
        "  overridden {} of {} reviewed, baseline {} of {}{interval}; e {:.2}, rolled back at {:.0}",
        c.canary.0, c.canary.1, c.base.0, c.base.1, c.e_value, c.e_needed
    ))?;
    match &c.reason {
        Some(reason) => out.line(format!("  {}", clean_line(reason))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        start: Start,
    }

    #[test]
    fn the_command_line_and_the_interface_begin_alike() {
        let line = ["x", "m", "--version", "2", "--baseline", "1"];
        assert_eq!(Line::try_parse_from(line).unwrap().start.steps, CanaryAct::steps());
    }
}
