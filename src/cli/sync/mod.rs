//! `sync`: sends what waits in the outbox (alerts, replies, corrections), and says what does.

mod delivery;
mod status;

use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::open::Fresh;
use super::out::clean_line;
use super::session::Session;
use crate::domain::Timestamp;
use crate::policy::BackendKind;
use crate::protocol::Command;
use crate::sync::backends::labeling_config;
use crate::sync::{Round, Verdict};
pub use delivery::Delivery;
use delivery::{carriers, way_out};
use status::status;

/// Send what waits in the outbox: alerts, replies, corrections
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule sync                      send until interrupted
  overrule sync --once               send what is due now; exit code 1 if something could not go
  overrule sync --once --to ml-ops   only to [notify.ml-ops] or [sync.ml-ops] of the policy
  overrule sync test ml-ops          does an alert arrive there?
  overrule sync retry KEY            once more what was given up
  overrule sync status               what waits, is held, or was given up, and why; at a server, too
  overrule sync config labels        the labeling config of [sync.labels], made from the tags

The app, overrule watch and overrule serve deliver too; one process at a time does. Secrets come
from the environment variables that the policy's [notify.NAME] and [sync.NAME] name;
OVERRULE_REPLY_SECRET signs replies, OVERRULE_TEMPORAL_URL and _KEY, OVERRULE_ARGO_URL and _TOKEN and
AWS's own variables complete tasks that wait; OVERRULE_PRIVATE_HOSTS lists hosts inside the network
that replies may go to.")]
pub struct Sync {
    #[command(subcommand)]
    command: Option<SyncCommand>,
    /// Send what is due now, then end
    #[arg(long)]
    once: bool,
    /// Only to this notifier or backend of the policy (reply: replies to waiting workflows); a
    /// backend is tried even if it would not be tried again yet
    #[arg(long, value_name = "NAME", requires = "once")]
    to: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum SyncCommand {
    /// What waits to go out, is held, or was given up
    Status,
    /// Try something that was given up once more
    Retry {
        /// Its key, as sync status shows it
        key: String,
    },
    /// Send a test alert and its resolution to a notifier of the policy
    Test {
        /// The notifier's name
        name: String,
    },
    /// Print the labeling config of a Label Studio backend, made from the policy's tags
    Config {
        /// The backend's name
        name: String,
    },
}

impl Sync {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        match self.command {
            Some(SyncCommand::Status) => status(app, &session),
            Some(SyncCommand::Retry { key }) => {
                session.done(Command::Redeliver { key: key.clone() })?;
                if app.out.json {
                    return app.out.json(&json!({ "key": key, "state": "waiting" }));
                }
                app.out.line(format!("{} is due again", clean_line(&key)))
            }
            Some(SyncCommand::Test { name }) => test(app, &session, &name),
            Some(SyncCommand::Config { name }) => config(app, &session, &name),
            None if self.once => once(app, &session, self.to.as_deref()),
            None => forever(app, &session),
        }
    }
}

fn once(app: &App, session: &Session, to: Option<&str>) -> Outcome {
    let (mut courier, mut syncer) = carriers(session.local()?)?;
    let (mut messages, mut backends) = (true, true);
    if let Some(to) = to
        && to != "reply"
    {
        backends = known(session, to)? == Known::Backend;
        messages = !backends;
    }
    // The desk may have verdicts whose grace time is over and that nobody has let go yet.
    session.tick();
    let all = session.runtime()?.block_on(async {
        let mut all = Round::default();
        if messages {
            loop {
                let now = Timestamp::now();
                let round = courier.round(now, to).await?;
                let paced = round.paced;
                all = add(all, round);
                let Some(at) = paced else { break };
                let wait = at.duration_since(Timestamp::now());
                tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
            }
        }
        courier.rest().await?;
        if backends && to != Some("reply") {
            // What is left after one round is behind something that failed, or more than a page.
            loop {
                let round = syncer.round(Timestamp::now(), to).await?;
                let stuck = round.sent == 0 || round.failed > 0;
                all = add(all, round);
                if stuck {
                    break;
                }
            }
            syncer.rest().await?;
        }
        Ok::<_, Failure>(all)
    })?;
    session.wrote();
    say(app, &all)
}

/// What a name of the policy is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Notifier,
    Backend,
}

/// A name that the policy does not know would wait for nothing.
fn known(session: &Session, to: &str) -> Result<Known, Failure> {
    use crate::desk::outbox::Outbox as _;
    let (notifiers, backends) = (session.local()?.notifiers()?, session.local()?.backends()?);
    if notifiers.iter().any(|n| n.name == to) {
        return Ok(Known::Notifier);
    }
    if backends.iter().any(|b| b.name == to) {
        return Ok(Known::Backend);
    }
    let names: Vec<&str> = notifiers
        .iter()
        .map(|n| n.name.as_str())
        .chain(backends.iter().map(|b| b.name.as_str()))
        .collect();
    Err(Failure::usage(format!("the policy in force has no [notify.{to}] and no [sync.{to}]"))
        .hint(match names.as_slice() {
            [] => "it has no notifiers and no backends at all".to_owned(),
            names => format!("it has {}", names.join(", ")),
        }))
}

fn config(app: &App, session: &Session, name: &str) -> Outcome {
    let backends = session.local()?.backends()?;
    let backend = backends.iter().find(|b| b.name == name);
    match backend {
        Some(b) if b.kind == BackendKind::LabelStudio => {}
        Some(b) => {
            return Err(Failure::usage(format!(
                "[sync.{name}] is of kind {}: only label_studio has a labeling config",
                b.kind.as_str()
            )));
        }
        None => return Err(no_backend(session, name)?),
    }
    let xml = labeling_config(&session.local()?.tags()?);
    if app.out.json {
        return app.out.json(&json!({ "backend": name, "label_config": xml }));
    }
    xml.lines().try_for_each(|line| app.out.line(line))
}

fn no_backend(session: &Session, name: &str) -> Result<Failure, Failure> {
    let names: Vec<String> = session.local()?.backends()?.into_iter().map(|b| b.name).collect();
    Ok(Failure::usage(format!("the policy in force has no [sync.{name}]")).hint(
        match names.as_slice() {
            [] => "it has no backends at all".to_owned(),
            names => format!("it has {}", names.join(", ")),
        },
    ))
}

fn add(all: Round, round: Round) -> Round {
    Round {
        sent: all.sent + round.sent,
        superseded: all.superseded + round.superseded,
        failed: all.failed + round.failed,
        dead: all.dead + round.dead,
        unready: all.unready.into_iter().chain(round.unready).collect(),
        elsewhere: all.elsewhere || round.elsewhere,
        next: all.next.into_iter().chain(round.next).min(),
        ..round
    }
}

fn say(app: &App, all: &Round) -> Outcome {
    if app.out.json {
        app.out.json(&json!({
            "sent": all.sent, "superseded": all.superseded, "failed": all.failed,
            "dead": all.dead, "unready": all.unready, "elsewhere": all.elsewhere,
            "next": all.next,
        }))?;
    } else {
        let mut line = format!("{} sent", all.sent);
        for (n, what) in [
            (all.superseded, "said by a later one"),
            (all.failed, "failed, tried again later"),
            (all.dead, "given up"),
        ] {
            if n > 0 {
                line.push_str(&format!(", {n} {what}"));
            }
        }
        app.out.line(line)?;
    }
    for why in all.unready.values() {
        app.out.note(format!("waits: {}", clean_line(why)));
    }
    if all.elsewhere {
        app.out.note("another process is sending; it goes on with what waits");
    }
    if all.failed + all.dead > 0 {
        return Err(Failure::new(
            Exit::Failed,
            "undelivered",
            format!("{} could not be delivered", all.failed + all.dead),
        )
        .hint("overrule sync status says why"));
    }
    if let Some(why) = all.unready.values().next() {
        return Err(Failure::new(Exit::Failed, "undelivered", why.clone())
            .hint("set it here, or let a process deliver that has it"));
    }
    Ok(())
}

fn test(app: &App, session: &Session, name: &str) -> Outcome {
    if known(session, name)? == Known::Backend {
        return Err(Failure::usage(format!("[sync.{name}] takes corrections, not alerts")).hint(
            format!("overrule sync --once --to {name} sends what waits and says what came of it"),
        ));
    }
    let (courier, _) = carriers(session.local()?)?;
    let verdicts = session.runtime()?.block_on(courier.test(name, Timestamp::now()))?;
    let trouble = verdicts.into_iter().find_map(|verdict| match verdict {
        Verdict::Done | Verdict::Again(_) => None,
        Verdict::Later { why, .. } | Verdict::Refused(why) | Verdict::Gone(why) => Some(why),
    });
    match trouble {
        None if app.out.json => app.out.json(&json!({ "to": name, "arrived": true })),
        None => app.out.line(format!("an alert and its resolution arrived at {name}")),
        Some(why) => Err(Failure::new(
            Exit::Failed,
            "undelivered",
            format!("the test alert did not arrive at {name}: {why}"),
        )
        .hint("check [notify.NAME] of the policy, its environment variables, and the service")),
    }
}

fn forever(app: &App, session: &Session) -> Outcome {
    let runtime = session.runtime()?;
    let Some(delivery) = Delivery::over(session.local()?, runtime.handle()) else {
        return way_out().map(|_| ());
    };
    app.out.note("sending what waits; Ctrl-C ends it");
    runtime.block_on(async {
        // Where nobody can ask it to end, it goes on.
        let Ok(mut asked) = signal(SignalKind::terminate()) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = asked.recv() => {}
        }
    });
    runtime.block_on(delivery.ended());
    session.wrote();
    Ok(())
}
