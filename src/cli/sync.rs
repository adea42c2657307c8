//! `sync`: sends what waits in the outbox, and says what does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::open::Fresh;
use super::out::{Tone, clean_line};
use super::session::Session;
use super::table::{lines, numbers, words};
use crate::desk::Local;
use crate::domain::Timestamp;
use crate::protocol::Command;
use crate::sync::guard::{Allowed, PRIVATE_HOSTS};
use crate::sync::{Courier, Https, Round, Terms, Verdict};

/// How long an app that closes waits for what is on the wire.
const LAST: Duration = Duration::from_secs(2);

/// Send alerts and replies that wait in the outbox
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule sync                      send until interrupted
  overrule sync --once               send what is due now; exit code 1 if something could not go
  overrule sync --once --to ml-ops   only to [notify.ml-ops] of the policy
  overrule sync test ml-ops          does an alert arrive there?
  overrule sync retry KEY            once more what was given up
  overrule sync status               what waits, is held, or was given up, and why

The app and overrule watch deliver too; one process at a time does. Secrets come from the
environment variables that the policy's [notify.NAME] names; OVERRULE_REPLY_SECRET signs replies,
OVERRULE_TEMPORAL_URL and _KEY, OVERRULE_ARGO_URL and _TOKEN and AWS's own variables complete tasks
that wait; OVERRULE_PRIVATE_HOSTS lists hosts inside the network that replies may go to.")]
pub struct Sync {
    #[command(subcommand)]
    command: Option<SyncCommand>,
    /// Send what is due now, then end
    #[arg(long)]
    once: bool,
    /// Only to this notifier of the policy (reply: replies to waiting workflows)
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
            None if self.once => once(app, &session, self.to.as_deref()),
            None => forever(app, &session),
        }
    }
}

/// A courier over this store, with this process's environment.
fn courier(local: &Local) -> Result<Courier, Failure> {
    let allowed = Allowed::read(&std::env::var(PRIVATE_HOSTS).unwrap_or_default());
    let wire = Https::new(allowed).map_err(|e| {
        Failure::new(Exit::Failed, "io", format!("nothing can be sent from here: {e}"))
            .hint("overrule needs the system's certificates (package ca-certificates)")
    })?;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed)
        .map_err(|e| Failure::defect(format!("the operating system gives no randomness: {e}")))?;
    let terms = Terms {
        env: Arc::new(|name| std::env::var(name).ok()),
        source: whoami::hostname().unwrap_or_else(|_| "overrule".into()),
        holder: uuid::Uuid::now_v7().to_string(),
        seed: u64::from_le_bytes(seed),
    };
    Ok(Courier::new(Arc::new(local.clone()), Arc::new(wire), terms))
}

/// Delivery in the background, for as long as something else goes on.
#[derive(Debug)]
pub struct Delivery {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Delivery {
    /// Begin. Where nothing can be sent from here, that is logged and nothing else is held up.
    pub fn start(session: &Session) -> Option<Self> {
        let courier = session
            .local()
            .and_then(courier)
            .inspect_err(|failure| tracing::warn!(message = failure.message, "no delivery"))
            .ok()?;
        let (stop, stopped) = oneshot::channel();
        let task = session.runtime().spawn(courier.run(Timestamp::now, async {
            let _ = stopped.await;
        }));
        Some(Self { stop, task })
    }

    /// End. What is on the wire gets a moment; what is not marked as sent is sent again.
    pub fn end(self, session: &Session) {
        let _ = self.stop.send(());
        let _ = session.runtime().block_on(async { tokio::time::timeout(LAST, self.task).await });
    }
}

fn once(app: &App, session: &Session, to: Option<&str>) -> Outcome {
    let mut courier = courier(session.local()?)?;
    if let Some(to) = to
        && to != "reply"
    {
        known(session, to)?;
    }
    let all = session.runtime().block_on(async {
        let mut all = Round::default();
        loop {
            let now = Timestamp::now();
            let round = courier.round(now, to).await?;
            let paced = round.paced;
            all = add(all, round);
            let Some(at) = paced else { break };
            let wait = at.duration_since(Timestamp::now());
            tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
        }
        courier.rest().await?;
        Ok::<_, Failure>(all)
    })?;
    session.wrote();
    say(app, &all)
}

/// A name that the policy does not know would wait for nothing.
fn known(session: &Session, to: &str) -> Outcome {
    use crate::desk::outbox::Outbox as _;
    let notifiers = session.local()?.notifiers()?;
    if notifiers.iter().any(|n| n.name == to) {
        return Ok(());
    }
    let names: Vec<&str> = notifiers.iter().map(|n| n.name.as_str()).collect();
    Err(Failure::usage(format!("the policy in force has no [notify.{to}]")).hint(
        match names.as_slice() {
            [] => "it has no notifiers at all".to_owned(),
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
    known(session, name)?;
    let courier = courier(session.local()?)?;
    let verdicts = session.runtime().block_on(courier.test(name, Timestamp::now()))?;
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
    let courier = courier(session.local()?)?;
    app.out.note("sending what waits; Ctrl-C ends it");
    session.runtime().block_on(courier.run(Timestamp::now, async {
        // Where nobody can ask it to end, it goes on.
        let Ok(mut asked) = signal(SignalKind::terminate()) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = asked.recv() => {}
        }
    }));
    session.wrote();
    Ok(())
}

fn status(app: &App, session: &Session) -> Outcome {
    let outgoing = session.local()?.outgoing()?;
    if app.out.json {
        return app.out.json(&outgoing);
    }
    app.out.line(format!(
        "{} waiting, {} held, {} given up",
        outgoing.waiting, outgoing.held, outgoing.dead
    ))?;
    if outgoing.listed.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = outgoing
        .listed
        .iter()
        .map(|o| {
            vec![
                o.state.clone(),
                clean_line(&o.to),
                clean_line(&o.key),
                o.attempts.to_string(),
                o.next_at.map_or_else(String::new, |at| at.strftime("%F %T").to_string()),
                o.error.as_deref().map(clean_line).unwrap_or_default(),
            ]
        })
        .collect();
    let columns = [
        words("state"),
        words("to"),
        words("key"),
        numbers("tries"),
        words("next (UTC)"),
        words("last answer"),
    ];
    for line in lines(&app.out, &columns, &rows) {
        app.out.line(line)?;
    }
    if outgoing.dead > 0 {
        app.out.note(
            app.out.tone_err(Tone::Dim, "given up: mend the cause, then overrule sync retry KEY"),
        );
    }
    Ok(())
}
