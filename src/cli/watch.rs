//! `watch`: runs what happens by itself without an app or a server: ticks, SLA, effects.

use std::time::Duration;

use serde_json::json;

use super::app::App;
use super::failure::Outcome;
use super::open::Fresh;
use super::out::clean_line;
use super::session::Session;
use super::sync::Delivery;
use super::time::stamp;
use crate::desk::Occurrence;

/// How often.
const TICK: Duration = Duration::from_secs(1);

/// Let what is due happen, for as long as this runs
#[derive(Debug, clap::Args)]
#[command(after_help = "The app does so too while it is open; one process at a time acts, and \
another takes over within five seconds. Alerts go out while it runs (with
--once they wait for overrule sync).

Examples:
  overrule watch                 until Ctrl-C, one line for everything that happens
  overrule watch --once --json   what is due now, and no longer")]
pub struct Watch {
    /// Tick once, then end
    #[arg(long)]
    once: bool,
}

impl Watch {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::Make)?;
        session.install_default(&session.header()?)?;
        session.wrote();
        if self.once {
            return tick(app, &session);
        }
        app.out.note("watching; Ctrl-C ends it");
        let delivery = Delivery::start(&session);
        let ended = forever(app, &session);
        if let Some(delivery) = delivery {
            delivery.end(&session);
        }
        ended
    }
}

/// Tick until somebody asks for an end.
fn forever(app: &App, session: &Session) -> Outcome {
    loop {
        tick(app, session)?;
        app.out.flush()?;
        if session.runtime()?.block_on(wait()) {
            return Ok(());
        }
    }
}

/// One tick, and what it did.
fn tick(app: &App, session: &Session) -> Outcome {
    for happened in session.local()?.watch(&session.by)? {
        say(app, &happened)?;
    }
    Ok(())
}

fn say(app: &App, happened: &Occurrence) -> Outcome {
    let Occurrence { at, what, about, text } = happened;
    if app.out.json {
        return app.out.json(&json!({"at": at, "what": what, "about": about, "text": text}));
    }
    app.out.line(format!("{}  {what}  {}  {}", stamp(*at), clean_line(about), clean_line(text)))
}

/// Wait for the next tick; `true`: somebody asked it to end.
async fn wait() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut asked) = signal(SignalKind::terminate()) else { return true };
    tokio::select! {
        () = tokio::time::sleep(TICK) => false,
        _ = tokio::signal::ctrl_c() => true,
        _ = asked.recv() => true,
    }
}
