//! `signals`: what the desk measures of the models and of itself.

mod compare;
mod plot;
mod reference;
mod show;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::open::Fresh;
use super::session::variant;
use crate::desk::metrics;
use crate::protocol::{Query, Reply, SignalsAsk};

/// What the desk measures: of the models, of the people, of itself
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Signals {
    #[command(subcommand)]
    command: SignalsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SignalsCommand {
    Show(show::Show),
    Compare(compare::Compare),
    Reference(reference::Reference),
    Metrics(Metrics),
}

/// Print everything measured as Prometheus reads it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule signals metrics
  overrule signals metrics > /var/lib/node_exporter/overrule.prom   a textfile collector's folder

assets/prometheus holds alert rules, assets/grafana a dashboard over these names.")]
pub struct Metrics {
    /// Windows of rates and distributions: 15m, 1h, 24h, 7d, 28d, 90d
    #[arg(
        long,
        value_name = "W",
        value_delimiter = ',',
        default_value = "15m,1h,24h,7d",
        value_parser = ["15m", "1h", "24h", "7d", "28d", "90d"]
    )]
    window: Vec<String>,
}

impl Signals {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            SignalsCommand::Show(command) => command.run(app),
            SignalsCommand::Compare(command) => command.run(app),
            SignalsCommand::Reference(command) => command.run(app),
            SignalsCommand::Metrics(command) => command.run(app),
        }
    }
}

impl Metrics {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        session.catch_up();
        let header = session.header()?;
        let signals = self
            .window
            .into_iter()
            .map(|window| {
                let ask = SignalsAsk { window, ..SignalsAsk::default() };
                variant!(session.ask(Query::Signals(ask))?, Reply::Signals(view) => *view)
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let containment =
            variant!(session.ask(Query::Containment)?, Reply::Containment(view) => *view)?;
        let text = metrics::exposition(&header, &signals, &containment)
            .map_err(|e| Failure::defect(format!("the figures cannot be written: {e}")))?;
        app.out.raw(&text)
    }
}
