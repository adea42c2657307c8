//! The use-cases over a store: admit, lease, decide, settle, tick, explain, learn.
//!
//! Every use-case has one shape: look at what holds ([`core::Sight`]), ask the pure rooms what
//! should happen, commit it with its premises; when a premise moved meanwhile, decide again.
//! [`Local`] is a desk over a store on this machine.

mod admit;
pub mod backends;
mod became;
mod blind;
mod checked;
mod combine;
mod contain;
mod core;
mod cover;
mod database;
mod denials;
mod explain;
mod eyes;
mod feedback;
mod flags;
mod grant;
pub mod ingest;
mod inputs;
mod keys;
mod late;
mod learn;
mod lease;
pub mod metrics;
pub mod outbox;
mod people;
mod policy;
mod prepare;
mod presence;
mod queue;
mod reopen;
mod review;
mod routed;
mod salts;
mod settle;
mod signals;
mod signed;
mod submit;
mod tally;
mod tokens;
mod trail;
mod undo;
mod view;
mod watch;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};

pub use self::core::WallClock;
use self::core::{Core, refuse};
pub use self::database::DatabaseOptions;
pub use self::denials::{Denial, Door};
use self::eyes::Eyes;
pub use self::flags::{Confirmed, InForce};
use self::keys::Keys;
pub use self::submit::{Admissions, Submission, Turned};
pub use self::tokens::{Identity, PREFIX as TOKEN_PREFIX, Unknown};
pub use self::trail::Tail;
pub use self::watch::Occurrence;
use crate::authority::{self, Subject};
use crate::domain::Timestamp;
use crate::protocol::{
    Act, Answer, Change, Command, Desk, Query, Refused, Reply, VerifyAsk, VerifyReport, Why,
};
use crate::store::sqlite::{Fresh, OpenMode, Sqlite};
use crate::store::{Store, StoredPolicy};

/// Entries that a command writes itself, at most: more than these since it opened the store are
/// somebody else's.
const OWN: u64 = 8;
/// How often a desk looks whether another process wrote to the same store.
const LOOK: Duration = Duration::from_millis(250);

/// How to open a store on this machine.
#[derive(Clone)]
pub struct OpenOptions {
    /// The SQLite file.
    pub path: PathBuf,
    /// Make it if it is not there.
    pub create: bool,
    /// Who a fresh store knows (the operating-system user), with every role.
    pub owner: String,
    /// A fresh store runs on the record clock.
    pub record_clock: bool,
    /// Somebody waits for every write (the app, most commands); a bulk ingest is not.
    pub interactive: bool,
    /// Where the log's signing key is; default: beside the file, with `.key` added.
    pub key: Option<PathBuf>,
    /// Name shown in the header; default: the file's stem.
    pub name: Option<String>,
    pub wall: WallClock,
}

impl OpenOptions {
    /// The usual: create if missing, wall clock, interactive.
    pub fn new(path: impl Into<PathBuf>, owner: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            create: true,
            owner: owner.into(),
            record_clock: false,
            interactive: true,
            key: None,
            name: None,
            wall: Arc::new(Timestamp::now),
        }
    }
}

/// A desk over a store on this machine.
#[derive(Clone)]
pub struct Local {
    core: Arc<Core>,
    /// The head of the log when the store was opened.
    opened: u64,
}

impl Local {
    /// Open (and where asked, make) a store. A fresh one knows its owner and has a first entry.
    pub fn open(options: OpenOptions) -> Result<Self, Refused> {
        let mode = OpenMode {
            create: options.create,
            record_clock: options.record_clock,
            read_only: false,
            interactive: options.interactive,
        };
        let key = self::salts::fresh_salt()?;
        let origin = format!("overrule.local/{}", uuid::Uuid::now_v7());
        let store = Sqlite::open(&options.path, mode, &Fresh { key, origin }).map_err(refuse)?;
        let key = options.key.unwrap_or_else(|| {
            let mut name = options.path.clone().into_os_string();
            name.push(".key");
            name.into()
        });
        let name = options.name.unwrap_or_else(|| {
            options.path.file_stem().map_or_else(|| "store".into(), |s| s.to_string_lossy().into())
        });
        Self::over(Arc::new(store), options.wall, name, key, &options.owner)
    }

    /// A desk over any store.
    pub fn over(
        store: Arc<dyn Store>,
        wall: WallClock,
        name: String,
        key: PathBuf,
        owner: &str,
    ) -> Result<Self, Refused> {
        let snapshot = store.snapshot().map_err(refuse)?;
        let keys = Keys::new(key, snapshot.origin.clone(), snapshot.head == 0);
        let core = Arc::new(Core::new(store, wall, name, keys));
        if snapshot.head == 0 {
            core.found(owner)?;
        }
        core.keys.founded(core.named_key()?);
        Ok(Self { core, opened: snapshot.head })
    }

    /// How well this process knows the control state, without asking the store. While it
    /// [is stale](crate::store::Freshness::is_stale), everything automatic goes to people.
    pub fn freshness(&self) -> crate::store::Freshness {
        self.core.store.freshness()
    }

    /// Do something, blocking until it is durable. For threads that may block.
    pub fn execute_blocking(&self, by: &str, command: Command) -> Result<Answer, Refused> {
        self.core.execute(by, command)
    }

    /// Ask something, blocking.
    pub fn ask_blocking(&self, by: &str, query: Query) -> Result<Reply, Refused> {
        self.core.ask(Eyes::of(by), query)
    }

    /// Do something under a token, from that address.
    pub async fn execute_under(
        &self,
        who: &Identity,
        from: IpAddr,
        command: Command,
    ) -> Result<Answer, Refused> {
        let (core, name, door) = (self.core.clone(), who.name.clone(), who.door(from));
        blocking(move || core.execute_through(&door, &name, command)).await
    }

    /// Ask something under a token, whose scopes say how much is shown, from that address.
    pub async fn ask_under(
        &self,
        who: &Identity,
        from: IpAddr,
        query: Query,
    ) -> Result<Reply, Refused> {
        let (core, who) = (self.core.clone(), who.clone());
        blocking(move || core.ask_through(&who.door(from), Eyes::behind(&who), query)).await
    }

    /// Verify the trail, blocking.
    pub fn verify_blocking(
        &self,
        ask: &VerifyAsk,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<VerifyReport, Refused> {
        self.core.verify(ask, progress)
    }

    /// The log's public key (C2SP verifier form), for `audit verify` elsewhere.
    pub fn verifier_key(&self) -> Result<String, Refused> {
        Ok(self.core.keys.get()?.verifier().encode())
    }

    /// Sign a last checkpoint and let go of the store. Everything acknowledged is durable already.
    pub fn close(&self) -> Result<(), Refused> {
        if let Err(refused) = self.core.end_turn() {
            tracing::warn!(why = refused.message, "the turn to tick runs out by itself");
        }
        if let Err(refused) = self.core.checkpoint() {
            tracing::warn!(why = refused.message, "no last checkpoint");
        }
        self.core.store.close().map_err(refuse)
    }
}

impl Local {
    /// Let go of the store like [`Local::close`], at the end of a command that nobody should wait
    /// for: what it did is durable, and while another process is writing nobody waits for the
    /// writer again only to sign. Signing is left to that process then: its next checkpoint, a
    /// second or 1,000 entries on or when it ends, is over everything that was committed by then.
    /// Should it die before, whoever writes next signs, as after any death.
    pub fn leave(self) {
        let others_write =
            self.core.store.head().is_ok_and(|head| head > self.opened.saturating_add(OWN));
        if others_write {
            // Dropping the store would wait for what its writer has in hand.
            std::mem::forget(self);
        } else {
            let _ = self.close();
        }
    }
}

impl Core {
    fn execute(&self, by: &str, command: Command) -> Result<Answer, Refused> {
        self.execute_through(&Door::default(), by, command)
    }

    /// Do something; who may not is in the trail.
    fn execute_through(&self, door: &Door, by: &str, command: Command) -> Result<Answer, Refused> {
        let (act, what) = (authority::name(command.act()), command.about());
        self.noted((door, by, act, &what), self.carry_out(by, command))
    }

    fn carry_out(&self, by: &str, command: Command) -> Result<Answer, Refused> {
        match command {
            Command::Admit { lines } => self.admit(by, &lines).map(Answer::Admitted),
            Command::RetryRefused { numbers } => {
                self.retry_refused(by, &numbers).map(Answer::Admitted)
            }
            Command::Lease(ask) => self.take(by, ask).map(Answer::Leased),
            Command::Renew { item, epoch } => self.renew(by, &item, epoch).map(Answer::Renewed),
            Command::Release { item, epoch } => {
                self.give_back(by, &item, epoch).map(|()| Answer::Done)
            }
            Command::TakeBack { item } => self.take_back(by, &item).map(|()| Answer::Done),
            Command::SaveDraft { item, draft } => {
                self.save_draft(by, &item, &draft).map(|()| Answer::Done)
            }
            Command::DropDraft { item } => self.drop_draft(by, &item).map(|()| Answer::Done),
            Command::Review(request) => self.review(by, &request, None).map(Answer::Reviewed),
            Command::AnswerBlind(answer) => self.answer_blind(by, &answer).map(Answer::Reviewed),
            Command::Undo { item } => self.undo(by, &item).map(Answer::Reviewed),
            Command::Flag { item, tags, note } => {
                self.flag(by, &item, tags, note).map(Answer::Reviewed)
            }
            Command::Feedback { item, kind, note } => {
                self.feedback(by, &item, kind, note).map(|()| Answer::Done)
            }
            Command::AddReviewer { name, level, roles, key, skills } => {
                self.add_reviewer(by, &name, level, roles, key, skills).map(Answer::Reviewer)
            }
            Command::DisableReviewer { name } => {
                self.disable_reviewer(by, &name).map(Answer::Reviewer)
            }
            Command::ActivatePolicy { name, source, schemas, install } => {
                let file = StoredPolicy { hash: String::new(), name, source, schemas };
                self.activate(by, file, install).map(Answer::Policy)
            }
            Command::Erase { item, reason } => self.erase(by, &item, &reason).map(Answer::Erased),
            Command::Checkpoint => {
                authority::may(&self.actor(by)?, Act::Checkpoint, Subject::default())?;
                self.checkpoint().map(Answer::Checkpoint)
            }
            Command::Kill { scope, mode, reason } => self.kill(by, &scope, &mode, &reason),
            Command::Resume { scope, reason } => {
                self.resume(by, &scope, &reason).map(Answer::Resumed)
            }
            Command::Requeue { scope, since, reason } => {
                self.requeue(by, &scope, since, &reason).map(Answer::Requeued)
            }
            Command::ReleaseFreeze { id, reason } => {
                self.release_freeze(by, &id, &reason).map(|()| Answer::Done)
            }
            Command::Receive { corrections } => {
                self.receive(by, &corrections).map(Answer::Received)
            }
            Command::Redeliver { key } => self.redeliver(by, &key).map(|()| Answer::Done),
            Command::Incident { id, act, note } => self
                .handle_incident(by, &id, act, note.as_deref())
                .map(|view| Answer::Incident(Box::new(view))),
            Command::SetReference(ask) => self.set_reference(by, &ask).map(Answer::Reference),
            Command::CreateToken(ask) => {
                self.create_token(by, &ask).map(|made| Answer::Token(Box::new(made)))
            }
            Command::RevokeToken { id } => self.revoke_token(by, &id).map(Answer::Revoked),
            Command::Canary(ask) => self.canary(by, &ask).map(|()| Answer::Done),
            Command::Tick => {
                authority::may(&self.actor(by)?, Act::Tick, Subject::default())?;
                self.tick().map(Answer::Ticked)
            }
        }
    }

    fn ask(&self, eyes: Eyes<'_>, query: Query) -> Result<Reply, Refused> {
        self.ask_through(&Door::default(), eyes, query)
    }

    /// Ask something; who may not is in the trail.
    fn ask_through(&self, door: &Door, eyes: Eyes<'_>, query: Query) -> Result<Reply, Refused> {
        let word = query.word();
        self.noted((door, eyes.by, "ask", word), self.find(eyes, query))
    }

    fn find(&self, eyes: Eyes<'_>, query: Query) -> Result<Reply, Refused> {
        let by = eyes.by;
        authority::may_ask(&self.actor(by)?)?;
        match query {
            Query::Header => self.header(by).map(|h| Reply::Header(Box::new(h))),
            Query::Page(ask) => self.page(by, ask).map(Reply::Page),
            Query::Item { id } => self.item(by, &id).map(|v| Reply::Item(Box::new(v))),
            Query::Decision { id } => {
                self.what_became(eyes, &id).map(|view| Reply::Decision(Box::new(view)))
            }
            Query::Draft { id } => self.draft_of(by, &id).map(Reply::Draft),
            Query::Policy => self.policy_view(by).map(|p| Reply::Policy(Box::new(p))),
            Query::Explain { id } => self.explain(by, &id).map(|e| Reply::Explain(Box::new(e))),
            Query::CheckOutput { domain, output, repairs } => {
                self.check_output(&domain, &output, repairs.as_deref()).map(Reply::Faults)
            }
            Query::Refused { after, limit } => self.refused(by, after, limit),
            Query::Reviewers => {
                self.actor(by)?;
                self.store.reviewers().map(Reply::Reviewers).map_err(refuse)
            }
            Query::CheckInput(ask) => self.check_input(&ask).map(Reply::InputCheck),
            Query::Tokens => self.tokens(by).map(Reply::Tokens),
            Query::Entries { item, from, limit } => {
                self.entries(eyes, item.as_deref(), from, limit)
            }
            Query::Corrections { since, after, limit } => self.corrections(by, since, after, limit),
            Query::Received { since, part } => self.received(since, part),
            Query::Prove { item } => self.prove(by, &item).map(Reply::Proof),
            Query::Containment => self.containment().map(|view| Reply::Containment(Box::new(view))),
            Query::Incident { id } => self.incident(&id).map(|v| Reply::Incident(Box::new(v))),
            Query::Sync => self.sync_view().map(|view| Reply::Sync(Box::new(view))),
            Query::Signals(ask) => self.signals(&ask).map(|view| Reply::Signals(Box::new(view))),
            Query::Distribution { slice, feature, window } => self
                .distribution(&slice, &feature, &window)
                .map(|view| Reply::Distribution(Box::new(view))),
        }
    }
}

impl Desk for Local {
    fn execute<'a>(
        &'a self,
        by: &'a str,
        command: Command,
    ) -> BoxFuture<'a, Result<Answer, Refused>> {
        let (core, by) = (self.core.clone(), by.to_owned());
        Box::pin(blocking(move || core.execute(&by, command)))
    }

    fn ask<'a>(&'a self, by: &'a str, query: Query) -> BoxFuture<'a, Result<Reply, Refused>> {
        let (core, by) = (self.core.clone(), by.to_owned());
        Box::pin(blocking(move || core.ask(Eyes::of(&by), query)))
    }

    fn changes(&self, after: u64) -> BoxStream<'static, Change> {
        let core = self.core.clone();
        let ours = core.head.subscribe();
        stream::unfold((core, ours, after), |(core, mut ours, after)| async move {
            loop {
                // Our own commits wake us at once; other processes' are looked for.
                let _ = tokio::time::timeout(LOOK, ours.changed()).await;
                let look = core.clone();
                let seen = blocking(move || {
                    let head = look.store.head().map_err(refuse)?;
                    if head <= after {
                        return Ok(None);
                    }
                    let generation = look.store.snapshot().map_err(refuse)?.generation;
                    Ok(Some(Change { head, generation }))
                });
                if let Ok(Some(change)) = seen.await {
                    return Some((change, (core, ours, change.head)));
                }
            }
        })
        .boxed()
    }

    fn verify<'a>(
        &'a self,
        ask: VerifyAsk,
        progress: Box<dyn Fn(u64, u64) + Send + Sync + 'static>,
    ) -> BoxFuture<'a, Result<VerifyReport, Refused>> {
        let core = self.core.clone();
        Box::pin(blocking(move || core.verify(&ask, &progress)))
    }
}

/// Run on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Refused::new(Why::Internal, format!("a task of the desk failed: {e}"))
            .hint("this is a defect; nothing unacknowledged was done"))
    })
}
