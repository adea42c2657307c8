//! `incident list|show|ack|resolve`: what went wrong, and who looks after it.

use serde_json::{Value, json};

use super::app::App;
use super::failure::Outcome;
use super::open::{Fresh, How};
use super::out::{Out, Tone, clean_line};
use super::session::variant;
use super::switch::containment;
use super::table::{self, dim, numbers, words};
use super::time::stamp;
use crate::protocol::{Answer, Command, IncidentAct, IncidentView, Query, Reply};

/// What went wrong, and who looks after it
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Incident {
    #[command(subcommand)]
    command: IncidentCommand,
}

#[derive(Debug, clap::Subcommand)]
enum IncidentCommand {
    /// List incidents: those that are not over first
    List,
    Show(Show),
    /// Say that you look after it
    Ack(Handle),
    /// Say that it is over
    Resolve(Handle),
}

/// Show one with its timeline
#[derive(Debug, clap::Args)]
struct Show {
    /// The incident's id
    id: String,
}

#[derive(Debug, clap::Args)]
struct Handle {
    /// The incident's id
    id: String,
    /// In words, without personal data: it stays in the trail
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Incident {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            IncidentCommand::List => list(app),
            IncidentCommand::Show(Show { id }) => {
                let session = app.open(Fresh::No)?;
                let query = Query::Incident { id };
                let incident =
                    variant!(session.ask(query)?, Reply::Incident(incident) => *incident)?;
                print(app, &incident)
            }
            IncidentCommand::Ack(handle) => handle.run(app, IncidentAct::Acknowledge),
            IncidentCommand::Resolve(handle) => handle.run(app, IncidentAct::Resolve),
        }
    }
}

impl Handle {
    fn run(self, app: &App, act: IncidentAct) -> Outcome {
        let session = app.open_how(How::contain())?;
        let command = Command::Incident { id: self.id, act, note: self.note };
        let incident =
            variant!(session.execute(command)?, Answer::Incident(incident) => *incident)?;
        if app.out.json {
            return app.out.json(&incident);
        }
        app.out.line(format!("{} is {}", clean_line(&incident.id), state(&app.out, &incident)))
    }
}

fn list(app: &App) -> Outcome {
    let session = app.open(Fresh::No)?;
    let incidents = containment(&session)?.incidents;
    if app.out.json {
        return app.out.json(&json!({"incidents": incidents}));
    }
    if incidents.is_empty() {
        app.out.note("no incident was ever opened");
        return Ok(());
    }
    let columns = [
        words("id"),
        words("state"),
        words("kind"),
        words("where"),
        numbers("fired"),
        dim("opened"),
        words("cause"),
    ];
    let rows: Vec<_> = incidents.iter().map(row).collect();
    table::lines(&app.out, &columns, &rows).into_iter().try_for_each(|line| app.out.line(line))
}

fn row(i: &IncidentView) -> Vec<String> {
    vec![
        clean_line(&i.id),
        i.state.clone(),
        clean_line(&i.kind),
        place(&i.slice),
        i.fired.to_string(),
        stamp(i.opened_at),
        clean_line(&i.cause),
    ]
}

/// `model m@1`; empty where it is about everything.
fn place(slice: &Value) -> String {
    let parts = slice.as_object().into_iter().flatten().map(|(dimension, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{} {}", clean_line(dimension), clean_line(&value))
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn state(out: &Out, i: &IncidentView) -> String {
    let tone = match i.state.as_str() {
        "resolved" => Tone::Good,
        "acknowledged" => Tone::Warn,
        _ => Tone::Bad,
    };
    out.tone(tone, &i.state)
}

fn print(app: &App, i: &IncidentView) -> Outcome {
    let out = &app.out;
    if out.json {
        return out.json(i);
    }
    let place = place(&i.slice);
    let place = if place.is_empty() { place } else { format!(" in {place}") };
    let (id, kind) = (clean_line(&i.id), clean_line(&i.kind));
    out.line(format!(
        "{id}: {kind}{place}, {}, fired {}",
        state(out, i),
        crate::text::many(i.fired, "time", "times")
    ))?;
    out.line(format!("  {}", clean_line(&i.cause)))?;
    if let Some(runbook) = &i.runbook {
        out.line(format!("  runbook: {}", clean_line(runbook)))?;
    }
    for happened in &i.timeline {
        let when = out.tone(Tone::Dim, stamp(happened.at));
        out.line(format!(
            "  {when}  {}: {}",
            clean_line(&happened.by),
            clean_line(&happened.what)
        ))?;
    }
    if !i.decisions.is_empty() {
        let ids: Vec<String> = i.decisions.iter().map(|id| clean_line(id)).collect();
        out.line(format!("  decisions: {}", ids.join(", ")))?;
    }
    Ok(())
}
