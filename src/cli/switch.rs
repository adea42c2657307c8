//! `switch list`: where automation runs, and where not.

use serde_json::json;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::open::Fresh;
use super::out::clean_line;
use super::session::{Session, variant};
use super::table::{self, dim, numbers, words};
use super::time::stamp;
use crate::protocol::{ContainmentView, Query, Reply, SwitchState, SwitchView};

/// Where automation runs, and where not
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Switch {
    #[command(subcommand)]
    command: SwitchCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SwitchCommand {
    /// List every scope and whether automation is on in it
    List,
}

impl Switch {
    pub fn run(self, app: &App) -> Outcome {
        let SwitchCommand::List = self.command;
        let session = app.open(Fresh::No)?;
        let view = containment(&session)?;
        if app.out.json {
            return app.out.json(&json!({
                "switches": view.switches,
                "generation": view.generation,
                "outgoing": view.outgoing,
            }));
        }
        let columns = [
            words("scope"),
            words("automation"),
            numbers("open"),
            dim("by"),
            dim("since"),
            dim("why"),
        ];
        let rows: Vec<_> = view.switches.iter().map(row).collect();
        table::lines(&app.out, &columns, &rows).into_iter().try_for_each(|l| app.out.line(l))?;
        let o = &view.outgoing;
        if o.held + o.dead > 0 {
            app.out.note(format!(
                "outgoing: {} wait, {} held, {} could not be delivered",
                o.waiting, o.held, o.dead
            ));
        }
        Ok(())
    }
}

/// Everything that contains automation.
pub fn containment(session: &Session) -> Result<ContainmentView, Failure> {
    variant!(session.ask(Query::Containment)?, Reply::Containment(view) => *view)
}

fn row(view: &SwitchView) -> Vec<String> {
    let scope = format!("{}{}", "  ".repeat(view.depth.into()), view.scope);
    let mut state = view.state.as_str().to_owned();
    if let (SwitchState::Killed, Some(mode)) = (view.state, &view.mode) {
        state = format!("{state} ({})", mode.as_str());
    }
    if let Some(above) = &view.under {
        state = format!("{}, under {}", view.state.as_str(), clean_line(&above.to_string()));
    }
    if !view.resume_by.is_empty() {
        state = format!("{state}, restart {} of {}", view.resume_by.len(), view.resume_needs);
    }
    // Who, when and why stands once, at what stops it.
    let told = view.under.is_none();
    let by = view.by.as_deref().filter(|_| told);
    let reason = view.reason.as_deref().filter(|_| told);
    vec![
        clean_line(&scope),
        state,
        view.in_flight.to_string(),
        by.map(clean_line).unwrap_or_default(),
        view.at.filter(|_| told).map(stamp).unwrap_or_default(),
        reason.map(clean_line).unwrap_or_default(),
    ]
}
