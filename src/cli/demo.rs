//! `demo`: the app on a throw-away desk with a live, simulated stream.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::open::runtime;
use super::policy::file;
use super::review::{Look, need_terminal, open};
use super::session::Session;
use crate::desk::{Local, OpenOptions};
use crate::domain::{ItemState, Role, Verdict, VerdictKind};
use crate::protocol::{Command, Desk, Filter, Line, PageAsk, Query, Reply, ReviewRequest};
use crate::simulate::{Scenario, Simulator, Truth};

/// The stream began this long before the newcomer comes: some of what waits is urgent, a little is
/// late, as in a queue that people live with.
const BEFORE: Duration = Duration::from_secs(11 * 60);
/// The drift begins this long after that.
const DRIFT: Duration = Duration::from_secs(3 * 60);
/// How often the colleague looks for work.
const COLLEAGUE_LOOKS: Duration = Duration::from_secs(7);
/// The colleague of the second stage.
const COLLEAGUE: &str = "maya";

/// Open the app on a throw-away desk with a live, simulated stream
///
/// Support answers, loan applications and clinical triage arrive while you review. After three
/// minutes one model's inputs drift. A colleague of the second level approves what you pass on.
/// Nothing of it is kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule demo
  overrule demo --rate 60 --seed 4")]
pub struct Demo {
    /// The same seed gives the same stream
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Decisions a minute
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=6000))]
    rate: u16,
    #[command(flatten)]
    look: Look,
}

/// What the people of the stream would say; the colleague goes by it.
type Truths = Arc<Mutex<HashMap<String, Truth>>>;

impl Demo {
    /// `look`: what was said before the command's name.
    pub fn run(self, app: &App, look: Look) -> Outcome {
        need_terminal()?;
        let folder = tempfile::tempdir().map_err(|e| Failure::io("a temporary folder", &e))?;
        let by = app.reviewer()?;
        let before = SignedDuration::try_from(BEFORE).unwrap_or_default();
        let behind = Arc::new(AtomicI64::new(millis(before)));
        let wall = behind.clone();
        let local = Local::open(OpenOptions {
            name: Some("demo".to_owned()),
            wall: Arc::new(move || {
                let behind = SignedDuration::from_millis(wall.load(Ordering::Relaxed));
                Timestamp::now().saturating_sub(behind).unwrap_or_default()
            }),
            ..OpenOptions::new(folder.path().join("demo.db"), by.clone())
        })?;
        let session = Session::new(local, by, runtime()?);
        let policy = match &app.common.policy {
            Some(file) => file::read(file, app.out.colours_err())?,
            None => file::shipped(file::DEFAULT)?,
        };
        session.execute(policy.activate(true)?)?;
        session.execute(Command::AddReviewer {
            name: COLLEAGUE.to_owned(),
            level: 2,
            roles: vec![Role::Reviewer, Role::Expert],
            key: None,
        })?;

        let start = Timestamp::now() - before;
        let scenario = Scenario {
            start,
            rate_per_minute: f64::from(self.rate),
            drift_after: Some(BEFORE + DRIFT),
            ..Scenario::default()
        };
        let mut stream = Simulator::new(self.seed, scenario);
        let truths = Truths::default();
        backlog(&session, &mut stream, start, &truths, &behind)?;
        let tasks = [
            session.runtime().spawn(arrive(
                session.desk.clone(),
                session.by.clone(),
                stream,
                start,
                truths.clone(),
            )),
            session.runtime().spawn(help(session.desk.clone(), truths)),
        ];
        let ended = open(app, &session, self.look.or(look), true);
        for task in tasks {
            task.abort();
        }
        ended?;
        goodbye(app, &session)
    }
}

/// Everything that arrived before now: each decision is admitted at its own time, for the desk's
/// clock stands `behind` (milliseconds) until it has caught up.
fn backlog(
    session: &Session,
    stream: &mut Simulator,
    start: Timestamp,
    truths: &Truths,
    behind: &AtomicI64,
) -> Outcome {
    for (number, arrival) in stream.enumerate() {
        let offset = SignedDuration::try_from(arrival.at_offset).unwrap_or_default();
        let left = millis(Timestamp::now().duration_since(start + offset)).max(0);
        behind.store(left, Ordering::Relaxed);
        learn(truths, &arrival.id, arrival.truth);
        session.execute(Command::Admit { lines: vec![line(number, arrival.line)] })?;
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// The stream as it goes on, each decision at its time.
async fn arrive(
    desk: Arc<dyn Desk>,
    by: String,
    stream: Simulator,
    start: Timestamp,
    truths: Truths,
) {
    for (number, arrival) in stream.enumerate() {
        let offset = SignedDuration::try_from(arrival.at_offset).unwrap_or_default();
        let wait = (start + offset).duration_since(Timestamp::now());
        tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
        learn(&truths, &arrival.id, arrival.truth);
        let lines = vec![line(number, arrival.line)];
        if let Err(refused) = desk.execute(&by, Command::Admit { lines }).await {
            tracing::warn!(message = refused.message, "the stream was refused");
        }
    }
}

/// The colleague: takes what waits for a second approval, and says what is true of it.
async fn help(desk: Arc<dyn Desk>, truths: Truths) {
    loop {
        tokio::time::sleep(COLLEAGUE_LOOKS).await;
        let filter = Filter { level: Some(2), ..Filter::default() };
        let page = PageAsk { filter, limit: 20, ..PageAsk::default() };
        let Ok(Reply::Page(page)) = desk.ask(COLLEAGUE, Query::Page(page)).await else { continue };
        let next = page.items.into_iter().find(|row| {
            row.state == ItemState::AwaitingApproval && row.leased_by.is_none() && !row.blind
        });
        let Some(row) = next else { continue };
        let truth = truths.lock().unwrap_or_else(PoisonError::into_inner).get(&row.id).cloned();
        let mut verdict = Verdict::plain(VerdictKind::Accept);
        // What the first level edited is theirs; what is plainly wrong is not let through.
        if truth.is_some_and(|t| !t.right && t.verdict == VerdictKind::Reject) {
            verdict = Verdict { tags: vec!["wrong_action".into()], ..verdict };
            verdict.verdict = VerdictKind::Reject;
            verdict.note = Some("does not hold up against the file".into());
        }
        let request = ReviewRequest {
            request_id: Uuid::now_v7().to_string(),
            item: row.id,
            verdict,
            lease: None,
            revision: Some(row.revision),
            seen: None,
            signature: None,
            grace_ms: 0,
        };
        // Refused (somebody was faster, the policy wants more): the next one, then.
        if let Err(refused) = desk.execute(COLLEAGUE, Command::Review(Box::new(request))).await {
            tracing::debug!(message = refused.message, "the colleague was refused");
        }
    }
}

fn millis(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(0)
}

fn learn(truths: &Truths, id: &str, truth: Truth) {
    truths.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), truth);
}

fn line(number: usize, text: String) -> Line {
    let number = u64::try_from(number).unwrap_or(u64::MAX).saturating_add(1);
    Line { source: "demo".to_owned(), line: number, bytes: text.into_bytes() }
}

/// What it came to, and where to go from here.
fn goodbye(app: &App, session: &Session) -> Outcome {
    let header = session.header()?;
    app.out.note(format!(
        "That desk is gone: {} decisions came, {} of them were automatic.\n\
         Your own: overrule ingest FILE, then overrule",
        header.decisions, header.automatic
    ));
    Ok(())
}
