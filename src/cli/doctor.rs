//! `doctor`: looks at everything the desk stands on, and says what to do about what is wrong.
//! It changes nothing and makes nothing.

mod database;
mod files;
mod terminal;

use serde::Serialize;
use serde_json::json;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::open::How;
use super::out::{Tone, clean_line};
use super::session::variant;
use crate::protocol::{Query, Reply};

/// Look at store, policy, keys and terminal, and say what is wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule doctor
  overrule doctor --json | jq '.checks[] | select(.status != \"ok\")'

Exits 1 if something fails; warnings alone are 0.")]
pub struct Doctor {}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    message: String,
    /// What to do next, where something is not as it should be.
    hint: Option<String>,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, message: message.into(), hint: None }
    }

    fn warn(name: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, message: message.into(), hint: Some(hint.into()) }
    }

    fn fail(name: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, message: message.into(), hint: Some(hint.into()) }
    }

    fn failed(name: &'static str, failure: &Failure) -> Self {
        Self {
            name,
            status: Status::Fail,
            message: failure.message.clone(),
            hint: failure.hint.clone(),
        }
    }
}

impl Doctor {
    pub fn run(self, app: &App, config: Result<(), Failure>) -> Outcome {
        let mut checks = vec![match (&config, &app.config.file) {
            (Err(failure), _) => Check::failed("config", failure),
            (Ok(()), Some(file)) => Check::ok("config", file.display().to_string()),
            (Ok(()), None) => Check::ok("config", "none; the defaults hold"),
        }];
        store(app, &mut checks);
        checks.extend(terminal::checks());
        tell(app, &checks)
    }
}

fn tell(app: &App, checks: &[Check]) -> Outcome {
    if app.out.json {
        app.out.json(&json!({"checks": checks}))?;
    } else {
        for check in checks {
            let (tone, word) = match check.status {
                Status::Ok => (Tone::Good, "ok  "),
                Status::Warn => (Tone::Warn, "warn"),
                Status::Fail => (Tone::Bad, "fail"),
            };
            app.out.line(format!(
                "{}  {:<9} {}",
                app.out.tone(tone, word),
                check.name,
                clean_line(&check.message)
            ))?;
            if let Some(hint) = &check.hint {
                app.out.line(format!("                next: {}", clean_line(hint)))?;
            }
        }
    }
    let failed = checks.iter().filter(|c| c.status == Status::Fail).count();
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        "doctor",
        format!("{failed} {} failed", if failed == 1 { "check" } else { "checks" }),
    )
    .hint("each line above says what to do"))
}

/// The store, what is in it, and the files beside it.
fn store(app: &App, checks: &mut Vec<Check>) {
    if let Some(address) = app.server() {
        return server(app, address, checks);
    }
    if let Some(url) = app.database() {
        return checks.extend(database::checks(url));
    }
    let path = match app.store() {
        Ok(path) => path,
        Err(failure) => return checks.push(Check::failed("store", &failure)),
    };
    if !path.exists() {
        return checks.push(Check::warn(
            "store",
            format!("there is none at {} yet", path.display()),
            "`overrule ingest FILE` makes it",
        ));
    }
    checks.extend(files::checks(&path));
    let session = match app.open_how(How::inspect()) {
        Ok(session) => session,
        Err(failure) => return checks.push(Check::failed("store", &failure)),
    };
    let header = match session.header() {
        Ok(header) => header,
        Err(failure) => return checks.push(Check::failed("store", &failure)),
    };
    let waiting: u64 = header.queues.iter().map(|q| q.waiting).sum();
    checks.push(Check::ok(
        "store",
        format!(
            "{}: {}, {}, {}, {} clock",
            path.display(),
            crate::text::many(header.decisions, "decision", "decisions"),
            crate::text::many(waiting, "waits", "wait"),
            crate::text::many(header.head, "trail entry", "trail entries"),
            header.clock
        ),
    ));
    checks.push(Check::ok(
        "reviewer",
        format!("{}, level {}", header.reviewer.name, header.reviewer.level),
    ));
    checks.push(policy(&session, header.policy.is_some()));
    checks.extend(two_people(&session));
    match session.ask(Query::Reviewers).and_then(|r| variant!(r, Reply::Reviewers(all) => all)) {
        Ok(all) => {
            let admins =
                all.iter().filter(|r| !r.disabled && r.has(crate::domain::Role::Admin)).count();
            if admins == 0 {
                checks.push(Check::fail(
                    "reviewers",
                    "no enabled reviewer is an admin: nobody can add people or change the policy",
                    "restore a backup of the store in which one is left",
                ));
            }
        }
        Err(failure) => checks.push(Check::failed("reviewers", &failure)),
    }
}

/// The server that the desk is at: reached, the token known, clocks that agree.
fn server(app: &App, address: &str, checks: &mut Vec<Check>) {
    let session = match app.open_how(How::inspect()) {
        Ok(session) => session,
        Err(failure) => return checks.push(Check::failed("server", &failure)),
    };
    let Some(remote) = session.remote() else { return };
    let header = match session.header() {
        Ok(header) => header,
        Err(failure) => return checks.push(Check::failed("server", &failure)),
    };
    let outbox = header.outbox.unwrap_or_default();
    checks.push(match outbox.why.filter(|_| outbox.offline_since.is_some()) {
        Some(why) => Check::fail(
            "server",
            why,
            "is it running, and is this the right address? what you have in hand stays workable",
        ),
        None => Check::ok(
            "server",
            format!("{address}: {}", crate::text::many(header.decisions, "decision", "decisions")),
        ),
    });
    checks.push(Check::ok(
        "reviewer",
        format!("{}, level {}", header.reviewer.name, header.reviewer.level),
    ));
    let seconds = remote.clock_ahead() / 1000;
    checks.push(match seconds.abs() {
        0..60 => Check::ok("clock", "agrees with the server's"),
        _ => Check::warn(
            "clock",
            format!(
                "it is {} s {} the server's",
                seconds.abs(),
                if seconds > 0 { "behind" } else { "ahead of" }
            ),
            "set it by NTP; until then times are shown in this machine's",
        ),
    });
    checks.push(match outbox.unsent.len() {
        0 => Check::ok("outbox", "empty"),
        n => Check::warn(
            "outbox",
            format!(
                "{} here, not yet sent",
                crate::text::many(n, "verdict waits", "verdicts wait")
            ),
            "they are sent when the server is there and a command or the app runs",
        ),
    });
    checks.push(policy(&session, header.policy.is_some()));
}

/// The policy in force still loads, and says what it said.
fn policy(session: &super::session::Session, in_force: bool) -> Check {
    if !in_force {
        return Check::warn(
            "policy",
            "none is in force: every decision goes to a person",
            "overrule policy activate FILE; `overrule ingest` installs the default",
        );
    }
    match session.policy() {
        Ok(view) => Check::ok("policy", format!("{} {}", view.name, short(&view.hash))),
        Err(failure) => Check::failed("policy", &failure),
    }
}

/// Approvals by several people are worth what tells the people apart: a name given with `--as`
/// is taken on trust on a local store, a signature is not.
fn two_people(session: &super::session::Session) -> Option<Check> {
    let view = session.policy().ok()?;
    let mut unsigned: Vec<&str> = view
        .required
        .iter()
        .filter(|name| view.queues.iter().any(|q| q.name == **name && !q.signed))
        .map(String::as_str)
        .collect();
    unsigned.sort_unstable();
    unsigned.dedup();
    (!unsigned.is_empty()).then(|| {
        Check::warn(
            "stages",
            format!(
                "the approvals that [[require]] asks for are unsigned in {}: whoever can open the \
                 store can give them all with --as",
                unsigned.join(", ")
            ),
            "set signed = true on these queues, and register keys with overrule reviewer add",
        )
    })
}

/// Enough of a hash to recognise it.
fn short(hash: &str) -> String {
    hash.chars().take("sha256:".len() + 12).collect()
}
