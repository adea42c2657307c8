//! Opening the desk: which store, whose name, and the policy that was asked for.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::out::clean_line;
use super::places;
use super::policy::file;
use super::session::Session;
use crate::desk::{DatabaseOptions, Local, OpenOptions};
use crate::protocol::{Arrived, Desk as _, Fate};
use crate::remote::{Intake, NoToken, Remote, Token, VARIABLE};

/// How long a command waits for verdicts from before to be sent.
const SETTLE: Duration = Duration::from_secs(3);

const IN_CLEAR: &str = "http:// sends your token in clear; a server with TLS is https://";

/// May the command make a store where there is none?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// Yes.
    Make,
    /// No: there would be nothing to show or decide.
    No,
}

/// Has a reviewer to be registered before anything is done in their name?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Registered,
    /// Only if they give a name. (Who only verifies may be anybody: what a damaged store says of
    /// people cannot be relied on.)
    IfNamed,
    /// The desk is asked with the command itself.
    DeskSays,
}

/// How a command wants its store.
#[derive(Clone, Debug)]
pub struct How {
    pub fresh: Fresh,
    /// A fresh store runs on the record clock.
    pub record_clock: bool,
    /// A person waits for every write; a bulk ingest makes room for those.
    pub interactive: bool,
    /// `--policy` installs or is refused. Commands that change the policy do without.
    pub install: bool,
    /// What is due happens first: what is shown then is how things stand. Who checks the store
    /// leaves it as it is.
    pub tick: bool,
    /// Has the reviewer to be registered?
    pub who: Who,
    /// The store may be in a PostgreSQL database.
    pub database: bool,
    /// Another file than the one the flags name.
    pub path: Option<PathBuf>,
    /// It ends as soon as what it does is durable.
    pub brief: bool,
    /// The app itself tells what became of verdicts that waited.
    pub app: bool,
}

impl How {
    /// As most commands do: the store has to be there.
    pub fn read() -> Self {
        Self {
            fresh: Fresh::No,
            record_clock: false,
            interactive: true,
            install: true,
            tick: true,
            who: Who::Registered,
            database: false,
            path: None,
            brief: false,
            app: false,
        }
    }

    /// Contain automation: nothing stands between the command and the desk, which says itself who
    /// may not and keeps that.
    pub fn contain() -> Self {
        Self { who: Who::DeskSays, brief: true, ..Self::inspect() }
    }

    /// Look at the store and leave it as it is.
    pub fn inspect() -> Self {
        Self { install: false, tick: false, ..Self::read() }
    }

    /// Check the store, whatever is in it.
    pub fn verify() -> Self {
        Self { who: Who::IfNamed, database: true, ..Self::inspect() }
    }

    /// Serve it, whatever it is kept in.
    pub fn serve() -> Self {
        Self { database: true, ..Self::make() }
    }

    /// Make the store where it is missing.
    pub fn make() -> Self {
        Self { fresh: Fresh::Make, ..Self::read() }
    }
}

impl App {
    /// Open the desk in the reviewer's name.
    pub fn open(&self, fresh: Fresh) -> Result<Session, Failure> {
        self.open_how(How { fresh, ..How::read() })
    }

    /// Open the desk as `how` says: registered reviewer, policy installed where one was asked for.
    pub fn open_how(&self, how: How) -> Result<Session, Failure> {
        if let (None, Some(address)) = (&how.path, self.server()) {
            return self.open_server(address, &how);
        }
        let by = self.reviewer()?;
        let owner = places::user_name().unwrap_or_else(|| by.clone());
        if let (None, true, Some(url)) = (&how.path, how.database, self.database()) {
            let local = Local::open_database(DatabaseOptions {
                create: how.fresh == Fresh::Make,
                // Who only looks changes nothing.
                read_only: how.fresh == Fresh::No && !how.tick,
                ..DatabaseOptions::new(url, owner, self.keys()?)
            })?;
            return self.session(local, by, &how);
        }
        let path = match &how.path {
            Some(path) => path.clone(),
            None => self.store()?,
        };
        let exists = path.try_exists().unwrap_or(true);
        if !exists {
            if how.fresh == Fresh::No {
                return Err(missing(&path));
            }
            if by != owner {
                return Err(Failure::new(
                    Exit::Refused,
                    "authority",
                    format!(
                        "{by} is not a registered reviewer: a fresh store knows only you, {owner}"
                    ),
                )
                .hint(format!(
                    "run it as yourself first, then: overrule reviewer add {by} --level 1"
                )));
            }
            self.make_home(&path)?;
        }
        let local = Local::open(OpenOptions {
            create: how.fresh == Fresh::Make,
            record_clock: how.record_clock,
            interactive: how.interactive,
            ..OpenOptions::new(path, owner)
        })?;
        self.session(local, by, &how)
    }

    /// The folder of the keys that sign logs kept in databases.
    fn keys(&self) -> Result<PathBuf, Failure> {
        let folder = self.places.data.clone().ok_or_else(|| {
            Failure::usage("there is no home folder to keep the log's key in").hint("set HOME")
        })?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|e| Failure::io(format!("{} cannot be made", folder.display()), &e))?;
        Ok(folder)
    }

    /// Speak to an open desk, as `how` says.
    fn session(&self, local: Local, by: String, how: &How) -> Result<Session, Failure> {
        let mut session = Session::new(local, by);
        if how.brief {
            session.briefly();
        }
        // Unknown and disabled reviewers are refused here, before anything is done in their name.
        let looked_up = match how.who {
            Who::Registered => true,
            Who::IfNamed => self.common.by.is_some(),
            Who::DeskSays => false,
        };
        if looked_up {
            let header = session.header()?;
            if how.install
                && let Some(file) = &self.common.policy
            {
                self.install(&session, file, header.policy.as_deref())?;
            }
        }
        if how.tick {
            session.tick();
        }
        Ok(session)
    }

    /// Open the desk that a server has, in the name of the token's owner.
    fn open_server(&self, address: &str, how: &How) -> Result<Session, Failure> {
        let runtime = runtime()?;
        let remote = runtime.block_on(self.remote(address, None))?;
        let by = remote.me();
        if let Some(named) = self.common.by.as_ref().filter(|n| **n != by) {
            return Err(Failure::new(
                Exit::Refused,
                "authority",
                format!("the token is {by}'s: nothing is done there in the name of {named}"),
            )
            .hint(format!("leave --as out, or give {named}'s token in OVERRULE_TOKEN")));
        }
        let session = Session::elsewhere(remote, runtime);
        if !how.app {
            self.tell_outbox(&session)?;
        }
        if how.install
            && let Some(file) = &self.common.policy
        {
            let in_force = session.policy().ok().map(|p| p.hash);
            self.install(&session, file, in_force.as_deref())?;
        }
        Ok(session)
    }

    /// The desk at `address`, with this token or the one that is kept for it.
    pub async fn remote(&self, address: &str, token: Option<Token>) -> Result<Remote, Failure> {
        let token = token.map_or_else(|| self.token(address), Ok)?;
        let state = self.places.state.as_deref().ok_or_else(|| nowhere("an outbox"))?;
        let remote = Remote::open_trusting(address, &token, state, self.ca()).await?;
        if remote.in_clear() {
            self.out.note(IN_CLEAR);
        }
        let seconds = remote.clock_ahead() / 1000;
        if seconds.abs() >= 60 {
            let side = if seconds > 0 { "behind" } else { "ahead of" };
            self.out.note(format!(
                "this machine's clock is {} s {side} the desk's; times are told in yours",
                seconds.abs()
            ));
        }
        Ok(remote)
    }

    /// The way in for decisions to the desk at `address`, with the token that is kept for it.
    pub fn intake(&self, address: &str) -> Result<Intake, Failure> {
        let intake = Intake::new(address, &self.token(address)?, self.ca())?;
        if intake.in_clear() {
            self.out.note(IN_CLEAR);
        }
        Ok(intake)
    }

    /// The token for the desk at `address`.
    fn token(&self, address: &str) -> Result<Token, Failure> {
        let folder = self.config_folder().ok_or_else(|| nowhere("a token"))?;
        let given = std::env::var(VARIABLE).ok();
        let host = crate::remote::host(address)?;
        Token::find(given.as_deref(), &folder, &host).map_err(|e| no_token(&e, address))
    }

    /// Certificates to trust beside the system's.
    fn ca(&self) -> Option<&Path> {
        self.common.ca.as_deref().or(self.config.ca.as_deref())
    }

    /// Send what waits from before, and say what became of it and what still waits.
    fn tell_outbox(&self, session: &Session) -> Outcome {
        let Some(remote) = session.remote() else { return Ok(()) };
        session.runtime()?.block_on(remote.settle(SETTLE));
        let Ok(header) = session.header() else { return Ok(()) };
        let Some(outbox) = header.outbox else { return Ok(()) };
        for arrived in &outbox.arrived {
            self.out.note(clean_line(&said(arrived, &session.by)));
        }
        let told = outbox.arrived.iter().map(|arrived| arrived.number).collect();
        session.runtime()?.block_on(remote.shown(told));
        for text in [outbox.why, outbox.hint].into_iter().flatten() {
            self.out.note(clean_line(&text));
        }
        match outbox.unsent.len() {
            0 => {}
            1 => self.out.note("1 verdict waits here, not yet sent"),
            n => self.out.note(format!("{n} verdicts wait here, not yet sent")),
        }
        Ok(())
    }

    /// `--policy FILE`: put it in force where nothing is; the same one changes nothing; another one
    /// is refused by the desk.
    fn install(
        &self,
        session: &Session,
        path: &Path,
        in_force: Option<&str>,
    ) -> Result<(), Failure> {
        let policy = file::read(path, self.out.colours_err())?;
        if in_force == Some(policy.hash()) {
            return Ok(());
        }
        session.execute(policy.activate(true)?).map(|_| ())
    }

    /// The folder of the default store is ours to make; any other has to be there.
    fn make_home(&self, store: &Path) -> Result<(), Failure> {
        let Some(folder) = store.parent().filter(|f| !f.as_os_str().is_empty()) else {
            return Ok(());
        };
        if self.places.default_store().as_deref() != Some(store) {
            return match folder.try_exists() {
                Ok(false) => Err(Failure::new(
                    Exit::Failed,
                    "not_found",
                    format!("there is no folder {} to make a store in", folder.display()),
                )
                .hint("make it first, or name another store with --store")),
                _ => Ok(()),
            };
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|e| Failure::io(format!("{} cannot be made", folder.display()), &e))
    }
}

/// What became of a verdict that had waited here.
fn said(arrived: &Arrived, me: &str) -> String {
    let Arrived { item, verdict, fate, .. } = arrived;
    let what = format!("sent: {} of {item}", verdict.as_str());
    match fate {
        Fate::Applied => what,
        Fate::Clash(clash) => {
            let others: Vec<&str> =
                clash.people.iter().filter(|p| *p != me).map(String::as_str).collect();
            let who = match others.is_empty() {
                true => "it has changed meanwhile".to_owned(),
                false => format!("{} decided meanwhile", others.join(" and ")),
            };
            format!("{what}; {who}: the verdicts are kept side by side, and another person decides")
        }
        Fate::Refused(refused) => format!("{what} was refused: {}", refused.message),
    }
}

fn nowhere(what: &str) -> Failure {
    Failure::usage(format!("there is no home folder to keep {what} in")).hint("set HOME")
}

fn no_token(error: &NoToken, address: &str) -> Failure {
    let failure = Failure::new(Exit::Failed, "token", error.to_string());
    failure.hint(match error {
        NoToken::Missing { .. } => format!(
            "an admin makes one (overrule token create --for NAME --scope review); keep it with: \
             overrule login {address}"
        ),
        NoToken::Open { file } => format!("chmod 600 {}", file.display()),
        NoToken::Unreadable { .. } => format!("or give it in {VARIABLE}"),
    })
}

fn missing(path: &Path) -> Failure {
    Failure::new(Exit::Failed, "not_found", format!("there is no store at {}", path.display()))
        .hint("`overrule ingest FILE` makes one; `overrule demo` shows one; --store names another")
}

/// Where the desk's tasks run.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::io("the program's threads cannot be started", &e))
}
