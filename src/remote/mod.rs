//! A desk that is elsewhere: the same trait over HTTP, with work that goes on while it is away.
//!
//! Commands and queries travel as they are (`POST /v1/desk/commands`, `POST /v1/desk/queries`);
//! news comes over `GET /v1/events`. While the desk cannot be reached, items in hand can be looked
//! at and decided: verdicts wait on disk ([`outbox`], [`kept`]) and are sent in order when it is
//! back. A desk stores each of them, whatever happened meanwhile: that is what the grant of a
//! lease is for.
//!
//! ```no_run
//! # use overrule::remote::{Remote, Token};
//! # use overrule::protocol::{Desk, Query};
//! # async fn f() -> Result<(), overrule::protocol::Refused> {
//! let token = Token::new("ovr_…");
//! let desk = Remote::open("https://desk.example", &token, "/var/tmp".as_ref()).await?;
//! desk.ask(&desk.me(), Query::Header).await?;
//! # Ok(()) }
//! ```

mod acts;
mod asks;
mod courier;
mod events;
mod follow;
mod intake;
mod kept;
mod offline;
pub mod outbox;
mod said;
mod token;
mod trust;
mod wire;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};

pub use intake::{Batch, Intake, Line, NotNow};
pub use said::Said;
pub use token::{NoToken, Token, VARIABLE, file as token_file};

use self::kept::Kept;
use self::outbox::Outbox;
use self::said::{Failed, Trouble};
use self::wire::{Answered, Wire};
use crate::domain::Timestamp;
use crate::protocol::{
    Answer, Change, Command, Desk, Header, ItemView, PolicyView, Query, Refused, Reply, VerifyAsk,
    VerifyReport, Why,
};

/// A desk that is elsewhere.
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

struct Inner {
    wire: Wire,
    /// Who the token says we are.
    me: String,
    kept: Arc<Mutex<Kept>>,
    state: Mutex<State>,
    /// Rises with everything that a screen should hear of.
    news: watch::Sender<u64>,
    /// There is something to send, or to try again.
    nudge: Arc<Notify>,
}

struct State {
    outbox: Outbox,
    away: Option<Away>,
    /// The last header, and when it came.
    header: Option<(Header, Timestamp)>,
    policy: Option<PolicyView>,
    /// How many milliseconds the desk's clock is ahead of this one.
    ahead: i64,
}

/// The desk is away.
#[derive(Clone)]
struct Away {
    since: Timestamp,
    /// Why, for people.
    why: String,
    /// What a person has to do, where waiting alone does not help.
    hint: Option<String>,
}

/// The host of an address, with its port where it is an odd one.
///
/// # Errors
///
/// Refused where it is no address of a server.
pub fn host(address: &str) -> Result<String, Refused> {
    Wire::new(address, &Token::new(""), None).map(|wire| wire.host())
}

/// The name under which what is kept remembers whose token this is.
fn token_name(token: &Token) -> String {
    let digest = Sha256::digest(token.reveal().as_bytes());
    let short = hex::encode(digest.get(..8).unwrap_or_default());
    format!("token {short}")
}

impl Remote {
    /// The desk at `address`; what has to be kept on this machine is kept below `folder`. Where the
    /// desk is away, this works for whom it has seen with this token before.
    ///
    /// Must be called on a tokio runtime: what waits is sent from a task of it.
    ///
    /// # Errors
    ///
    /// Refused where the address is none, the token is not good, another version answers, or the
    /// desk is away and nothing is known of it here.
    pub async fn open(address: &str, token: &Token, folder: &Path) -> Result<Self, Refused> {
        Self::open_trusting(address, token, folder, None).await
    }

    /// [`Self::open`], where the certificates in the file `ca` (PEM) are trusted beside the
    /// system's.
    ///
    /// # Errors
    ///
    /// As of [`Self::open`]; also where the file holds no certificate.
    pub async fn open_trusting(
        address: &str,
        token: &Token,
        folder: &Path,
        ca: Option<&Path>,
    ) -> Result<Self, Refused> {
        let wire = Wire::new(address, token, ca)?;
        let mut kept = Kept::open(folder, wire.address(), &wire.host())?;
        let name = token_name(token);
        let now = Timestamp::now();
        let (me, ahead, away) = match wire.post::<Reply>("v1/desk/queries", &Query::Header).await {
            Ok(Answered { body: Reply::Header(header), ahead }) => {
                let me = header.reviewer.name.clone();
                kept.keep_last(&name, &me)?;
                kept.keep_last(&format!("header {me}"), &header)?;
                kept.let_go_before(&me, now)?;
                (me, ahead, None)
            }
            Ok(_) => return Err(other_answer()),
            Err(Failed::Stranger { refused, .. }) => return Err(refused),
            Err(Failed::Trouble(Trouble::Refused(said))) => return Err(said.refused()),
            Err(Failed::Trouble(Trouble::Token(refused))) => return Err(refused),
            Err(Failed::Trouble(Trouble::Away { why, .. })) => {
                let Some(me) = kept.last::<String>(&name)? else {
                    let hint = trust::hint(&why);
                    return Err(Refused::new(Why::Unavailable, why).hint(hint));
                };
                (me, 0, Some(Away { since: now, why, hint: None }))
            }
        };
        let outbox = Outbox::new(&me, kept.waiting(&me)?);
        let header = kept.last(&format!("header {me}"))?.map(|header| (header, now));
        let state = State { outbox, away, header, policy: kept.last("policy")?, ahead };
        let inner = Arc::new(Inner {
            wire,
            me,
            kept: Arc::new(Mutex::new(kept)),
            state: Mutex::new(state),
            news: watch::Sender::new(0),
            nudge: Arc::default(),
        });
        tokio::spawn(courier::run(Arc::downgrade(&inner), inner.nudge.clone()));
        Ok(Self { inner })
    }

    /// Who the token says we are: everything is done in this name.
    pub fn me(&self) -> String {
        self.inner.me.clone()
    }

    /// The desk cannot be reached now.
    pub fn is_away(&self) -> bool {
        self.inner.is_away()
    }

    /// The address, without the token.
    pub fn address(&self) -> &str {
        self.inner.wire.address()
    }

    /// The token travels in clear to another machine.
    pub fn in_clear(&self) -> bool {
        self.inner.wire.in_clear()
    }

    /// How far the desk's clock is ahead of this machine's, in milliseconds; 0 where they agree
    /// within two seconds.
    pub fn clock_ahead(&self) -> i64 {
        self.inner.state().ahead
    }

    /// Wait until everything that waits has been sent, the desk is away, or the time is over;
    /// how many verdicts wait still.
    pub async fn settle(&self, most: Duration) -> usize {
        let mut news = self.inner.news.subscribe();
        let waits = || {
            let state = self.inner.state();
            (state.outbox.unsent().len(), state.away.is_some())
        };
        let done = async {
            loop {
                let (left, away) = waits();
                if left == 0 || away || news.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(most, done).await;
        waits().0
    }
}

fn other_answer() -> Refused {
    Refused::new(Why::Internal, "the server answered another question than was asked")
        .hint("this is a defect, there or here; please report it")
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // What the lock guards is changed in one step each time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work on what is kept, on a thread that may block.
    async fn kept<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Kept) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let kept = self.kept.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&mut kept.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.unwrap_or_else(|e| {
            Err(Refused::new(Why::Internal, format!("a task of this program failed: {e}")))
        })
    }

    /// A screen should look again.
    fn tell(&self) {
        self.news.send_modify(|n| *n += 1);
    }

    /// One exchange; what it says of the desk being there is taken note of.
    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<T, Trouble> {
        match self.wire.post(path, body).await {
            Ok(Answered { body, ahead }) => {
                self.there(ahead);
                Ok(body)
            }
            Err(failed) => {
                match &failed {
                    Failed::Trouble(Trouble::Away { why, .. }) => self.gone(why, None),
                    // Work goes on here until there is another token.
                    Failed::Trouble(Trouble::Token(refused))
                    | Failed::Stranger { refused, near: false } => {
                        self.gone(&refused.message, refused.hint.as_deref());
                    }
                    Failed::Stranger { refused, near: true } => {
                        tracing::warn!(why = refused.message, path, "not understood here");
                    }
                    Failed::Trouble(Trouble::Refused(_)) => {}
                }
                Err(failed.into())
            }
        }
    }

    async fn command(&self, command: &Command) -> Result<Answer, Trouble> {
        let answer = self.post("v1/desk/commands", command).await?;
        Ok(self.in_our_time(answer))
    }

    async fn query(&self, query: &Query) -> Result<Reply, Trouble> {
        let mut reply = self.post("v1/desk/queries", query).await?;
        if let Reply::Item(view) = &mut reply {
            self.view_in_our_time(view);
        }
        Ok(reply)
    }

    /// The desk answered.
    fn there(&self, ahead: i64) {
        let mut state = self.state();
        state.ahead = ahead;
        if state.away.take().is_some() {
            state.outbox.hurry();
            drop(state);
            self.nudge.notify_one();
            self.tell();
        }
    }

    /// The desk did not answer, or not us.
    fn gone(&self, why: &str, hint: Option<&str>) {
        let mut state = self.state();
        let since = state.away.as_ref().map_or_else(Timestamp::now, |away| away.since);
        // What a person has to do is news, whatever was said before.
        let news = state.away.as_ref().is_none_or(|away| away.hint.as_deref() != hint);
        state.away = Some(Away { since, why: why.to_owned(), hint: hint.map(str::to_owned) });
        if news {
            drop(state);
            self.nudge.notify_one();
            self.tell();
        }
    }

    fn is_away(&self) -> bool {
        self.state().away.is_some()
    }

    /// Times of the desk's wall clock are compared with ours: they are told in our time.
    fn local(&self, at: Timestamp) -> Timestamp {
        let ahead = self.state().ahead;
        at.checked_sub(jiff::SignedDuration::from_millis(ahead)).unwrap_or(at)
    }

    fn view_in_our_time(&self, view: &mut ItemView) {
        if let Some(lease) = &mut view.lease {
            lease.until = self.local(lease.until);
        }
        if let Some((_, until)) = &mut view.pending {
            *until = self.local(*until);
        }
    }

    fn in_our_time(&self, mut answer: Answer) -> Answer {
        match &mut answer {
            Answer::Leased(Some(view)) => self.view_in_our_time(view),
            Answer::Renewed(lease) => lease.until = self.local(lease.until),
            Answer::Reviewed(reviewed) => {
                reviewed.until = reviewed.until.map(|until| self.local(until));
            }
            _ => {}
        }
        answer
    }

    /// It cannot be done without the desk.
    fn away_refused(&self, why: &str) -> Refused {
        Refused::new(Why::Unavailable, why)
            .hint("what you have in hand stays workable; verdicts wait here until it is back")
    }

    fn why_away(&self) -> String {
        let state = self.state();
        let why = |away: &Away| away.why.clone();
        state.away.as_ref().map_or_else(|| "the desk is away".to_owned(), why)
    }

    /// What cannot wait for the desk: as it is, refused where it is away.
    async fn directly(&self, command: &Command) -> Result<Answer, Refused> {
        self.command(command).await.map_err(|trouble| match trouble {
            Trouble::Refused(said) => said.refused(),
            Trouble::Token(refused) => refused,
            Trouble::Away { why, sent: false } => self.away_refused(&why),
            Trouble::Away { why, sent: true } => Refused::new(
                Why::Unavailable,
                format!("{why}; whether it was done there is not known"),
            )
            .hint("look when the desk is back, and do it again if it was not"),
        })
    }

    async fn execute(&self, command: Command) -> Result<Answer, Refused> {
        match command {
            // A server ticks by itself.
            Command::Tick => Ok(Answer::Ticked(0)),
            Command::Review(request) => self.review(*request).await,
            Command::Lease(ask) => self.lease(ask).await,
            Command::Renew { item, epoch } => self.renew(item, epoch).await,
            Command::Release { item, epoch } => self.release(item, epoch).await,
            Command::Undo { item } => self.undo(item).await,
            Command::SaveDraft { item, draft } => {
                let command = Command::SaveDraft { item: item.clone(), draft: draft.clone() };
                let tried = match self.is_away() {
                    true => Err(Trouble::Away { why: self.why_away(), sent: false }),
                    false => self.command(&command).await,
                };
                match tried {
                    Ok(answer) => Ok(answer),
                    Err(Trouble::Refused(said)) if !said.not_now() => Err(said.refused()),
                    Err(_) => {
                        let me = self.me.clone();
                        self.kept(move |kept| kept.draft(&me, &item, &draft)).await?;
                        Ok(Answer::Done)
                    }
                }
            }
            Command::DropDraft { item } => {
                let (me, id) = (self.me.clone(), item.clone());
                self.kept(move |kept| kept.drop_draft(&me, &id)).await?;
                self.directly(&Command::DropDraft { item }).await
            }
            other => self.directly(&other).await,
        }
    }
}

impl Desk for Remote {
    fn shown(&self, numbers: Vec<u64>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let me = self.inner.me.clone();
            if let Err(refused) = self.inner.kept(move |kept| kept.shown(&me, &numbers)).await {
                tracing::warn!(why = refused.message, "what was shown will be told again");
            }
        })
    }

    /// `by` is who the token says, whatever is said here.
    fn execute<'a>(
        &'a self,
        _by: &'a str,
        command: Command,
    ) -> BoxFuture<'a, Result<Answer, Refused>> {
        Box::pin(self.inner.execute(command))
    }

    fn ask<'a>(&'a self, _by: &'a str, query: Query) -> BoxFuture<'a, Result<Reply, Refused>> {
        Box::pin(self.inner.ask(query))
    }

    fn changes(&self, after: u64) -> BoxStream<'static, Change> {
        follow::changes(self.inner.clone(), after)
    }

    fn verify<'a>(
        &'a self,
        _ask: VerifyAsk,
        _progress: Box<dyn Fn(u64, u64) + Send + Sync + 'static>,
    ) -> BoxFuture<'a, Result<VerifyReport, Refused>> {
        Box::pin(async {
            Err(Refused::new(
                Why::Invalid,
                "a trail is verified where the whole log can be read, not through a server",
            )
            .hint("on a machine that reaches the database: overrule audit verify --store FILE|postgres://…"))
        })
    }
}
