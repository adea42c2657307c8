//! A desk that is open, in the name of one person: what every command speaks to.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::failure::{Exit, Failure, Outcome};
use super::open::runtime;
use super::policy::file;
use crate::desk::Local;
use crate::domain::Role;
use crate::protocol::{
    Answer, Command, Desk, Header, ItemView, Page, PageAsk, PolicyView, Query, Reply, Reviewed,
};
use crate::remote::Remote;

/// An open desk and who acts at it.
pub struct Session {
    pub desk: Arc<dyn Desk>,
    local: Option<Local>,
    remote: Option<Remote>,
    /// The reviewer in whose name everything is said.
    pub by: String,
    /// Made when something first needs it: most commands only speak to a store here.
    runtime: OnceCell<Runtime>,
    /// Something was done: the store gets a last checkpoint when the session ends.
    wrote: Cell<bool>,
    /// … but nobody waits for that while other processes write.
    brief: bool,
}

/// Take one variant out of an answer; any other is a defect of the desk.
macro_rules! variant {
    ($value:expr, $pattern:pat => $result:expr) => {
        match $value {
            $pattern => Ok($result),
            other => Err($crate::cli::failure::Failure::defect(format!(
                "the desk gave an answer of another kind: {other:?}"
            ))),
        }
    };
}
pub(super) use variant;

impl Session {
    /// Speak to `local` in the name of `by`.
    pub fn new(local: Local, by: String) -> Self {
        let desk: Arc<dyn Desk> = Arc::new(local.clone());
        let (runtime, wrote) = (OnceCell::new(), Cell::new(false));
        Self { desk, local: Some(local), remote: None, by, runtime, wrote, brief: false }
    }

    /// The command is over when what it did is durable, whoever else writes.
    pub fn briefly(&mut self) {
        self.brief = true;
    }

    /// Speak to a server, in the name that its token has.
    pub fn elsewhere(remote: Remote, runtime: Runtime) -> Self {
        let desk: Arc<dyn Desk> = Arc::new(remote.clone());
        let (by, runtime, wrote) = (remote.me(), runtime.into(), Cell::new(false));
        Self { desk, local: None, remote: Some(remote), by, runtime, wrote, brief: false }
    }

    /// The desk as one that a server has; `None`: its store is here.
    pub fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// The desk as one over a store on this machine; refused where it is a server's.
    pub fn local(&self) -> Result<&Local, Failure> {
        self.local.as_ref().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "usage",
                "this command works on the store itself, and --store names a server",
            )
            .hint("run it on the server's machine, with --store naming the database")
        })
    }

    /// Say that the store was written to by other means than [`Session::execute`].
    pub fn wrote(&self) {
        self.wrote.set(true);
    }

    /// Where tasks run.
    pub fn runtime(&self) -> Result<&Runtime, Failure> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let made = runtime()?;
        Ok(self.runtime.get_or_init(|| made))
    }

    /// Ask, and wait for the reply.
    pub fn ask(&self, query: Query) -> Result<Reply, Failure> {
        match &self.local {
            Some(local) => Ok(local.ask_blocking(&self.by, query)?),
            None => Ok(self.runtime()?.block_on(self.desk.ask(&self.by, query))?),
        }
    }

    /// Do, and wait until it is durable.
    pub fn execute(&self, command: Command) -> Result<Answer, Failure> {
        self.wrote.set(true);
        match &self.local {
            Some(local) => Ok(local.execute_blocking(&self.by, command)?),
            None => Ok(self.runtime()?.block_on(self.desk.execute(&self.by, command))?),
        }
    }

    /// Do something that has no answer but "done".
    pub fn done(&self, command: Command) -> Outcome {
        variant!(self.execute(command)?, Answer::Done => ())
    }

    /// Do something that changes where an item stands.
    pub fn reviewed(&self, command: Command) -> Result<Reviewed, Failure> {
        variant!(self.execute(command)?, Answer::Reviewed(reviewed) => reviewed)
    }

    /// Let verdicts whose grace time is over take effect. Where that cannot be (a store that can
    /// only be read), what is asked next will say so if it matters. The rest of a tick is left to
    /// those who stay: the app and `watch`.
    pub fn tick(&self) {
        // A server ticks by itself.
        let Some(local) = &self.local else { return };
        match local.settle_due(&self.by) {
            Ok(0) => {}
            Ok(_) => self.wrote.set(true),
            Err(refused) => tracing::debug!(message = refused.message, "a tick did nothing"),
        }
    }

    /// Count all that has happened, before figures are looked at: where nobody ticks, nobody has.
    pub fn catch_up(&self) {
        let Some(local) = &self.local else { return };
        match local.catch_up(&self.by) {
            Ok(()) => self.wrote.set(true),
            Err(refused) => tracing::debug!(message = refused.message, "nothing was counted"),
        }
    }

    pub fn header(&self) -> Result<Header, Failure> {
        variant!(self.ask(Query::Header)?, Reply::Header(header) => *header)
    }

    /// Put the shipped default in force on a desk that has neither a policy nor a decision yet, if
    /// an admin acts. (Without a policy everything goes to people, whoever submits it.)
    pub fn install_default(&self, header: &Header) -> Outcome {
        let bare = header.policy.is_none() && header.decisions == 0;
        if bare && header.reviewer.has(Role::Admin) {
            self.execute(file::shipped(file::DEFAULT)?.activate(true)?)?;
        }
        Ok(())
    }

    pub fn page(&self, ask: PageAsk) -> Result<Page, Failure> {
        variant!(self.ask(Query::Page(ask))?, Reply::Page(page) => page)
    }

    pub fn item(&self, id: &str) -> Result<ItemView, Failure> {
        let query = Query::Item { id: id.to_owned() };
        variant!(self.ask(query)?, Reply::Item(item) => *item)
    }

    pub fn policy(&self) -> Result<PolicyView, Failure> {
        variant!(self.ask(Query::Policy)?, Reply::Policy(policy) => *policy)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Who only looked signs nothing: a checkpoint over a store that somebody tampered with
        // would make the tampering look right. Everything acknowledged is durable already, so a
        // failure here loses nothing.
        if self.wrote.get()
            && let Some(local) = self.local.take()
        {
            if self.brief {
                local.leave();
            } else {
                let _ = local.close();
            }
        }
    }
}
