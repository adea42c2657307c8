//! `demo`: the app on a throw-away desk with a live, simulated stream.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::policy::file;
use super::review::{Look, need_terminal, open};
use super::session::Session;
use crate::desk::{Local, OpenOptions};
use crate::domain::{ItemState, Kind, Role, Verdict, VerdictKind};
use crate::protocol::{
    BlindAnswer, Command, Desk, Filter, Line, PageAsk, Query, Reply, ReviewRequest, Row,
};
use crate::simulate::{Scenario, Simulator, Truth};

/// The stream began this long before the newcomer comes, so that there is something to measure: at
/// most half a day, and no longer than about so many decisions take, for the newcomer waits for it.
const MOST_BEFORE: Duration = Duration::from_secs(12 * 3600);
const PAST_DECISIONS: u32 = 4_320;
/// What came in this last part of it nobody has looked at yet: some of what waits is urgent, a
/// little is late, as in a queue that people live with.
const UNSEEN: Duration = Duration::from_secs(11 * 60);
/// Decisions of the past come in portions of this time.
const PORTION: Duration = Duration::from_secs(10 * 60);
/// How often people look at what waits before the next portion comes.
const LOOKS: i64 = 3;
/// Freezes that are still open when the newcomer comes, at most.
const OPEN_FREEZES: usize = 2;
/// How many verdicts of the past are given at once.
const HANDS: usize = 12;
/// What the demo adds to the shipped policy: drift in one cohort is an incident too.
const COHORT_DRIFT: &str = "
[[effect]]
id = \"cohort-drift\"
on = \"window\"
window = \"24h\"
each = \"cohort\"
when = 'drift'
do = [\"incident.open\"]
cooldown = \"1h\"
";
/// How often the colleague looks for work.
const COLLEAGUE_LOOKS: Duration = Duration::from_secs(7);
/// The colleague of the second stage.
const COLLEAGUE: &str = "maya";
/// Who cleared the first stage before the newcomer came, and the third.
const EARLIER: &str = "sam";
const COMPLIANCE: &str = "ruth";

/// Open the app on a throw-away desk with a live, simulated stream
///
/// Support answers, loan applications and clinical triage arrive while you review. Up to half a day
/// has passed already; a while ago one model's inputs began to drift, and an incident waits for
/// somebody on call (2 and 3 show it). A colleague of the second level approves what you pass on.
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
        let past = past(self.rate);
        let before = SignedDuration::try_from(past).unwrap_or_default();
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
        let session = Session::new(local, by);
        let mut policy = match &app.common.policy {
            Some(file) => file::read(file, app.out.colours_err())?,
            None => file::shipped(file::DEFAULT)?,
        };
        if app.common.policy.is_none() {
            policy.source.text.push_str(COHORT_DRIFT);
        }
        session.execute(policy.activate(true)?)?;
        for (name, level) in [(EARLIER, 1), (COLLEAGUE, 2), (COMPLIANCE, 3)] {
            session.execute(Command::AddReviewer {
                name: name.to_owned(),
                level,
                roles: vec![Role::Reviewer, Role::Expert],
                key: None,
                skills: None,
            })?;
        }

        let start = Timestamp::now() - before;
        let scenario = Scenario {
            start,
            rate_per_minute: f64::from(self.rate),
            // The last third of the past has drifted.
            drift_after: Some(past * 2 / 3),
            ..Scenario::default()
        };
        let mut stream = Simulator::new(self.seed, scenario);
        let truths = Truths::default();
        backlog(&session, &mut stream, (start, past), &truths, &behind)?;
        let tasks = [
            session.runtime()?.spawn(arrive(
                session.desk.clone(),
                session.by.clone(),
                stream,
                start,
                truths.clone(),
            )),
            session.runtime()?.spawn(help(session.desk.clone(), truths)),
        ];
        let ended = open(app, &session, self.look.or(look), true);
        for task in tasks {
            task.abort();
        }
        ended?;
        goodbye(app, &session)
    }
}

/// How long the stream has run when the newcomer comes, at `rate` decisions a minute.
fn past(rate: u16) -> Duration {
    let enough = Duration::from_secs(60) * PAST_DECISIONS / u32::from(rate.max(1));
    enough.clamp(UNSEEN * 2, MOST_BEFORE)
}

/// Everything that arrived before now, portion by portion: the desk's clock stands `behind`
/// (milliseconds) until it has caught up. Colleagues have cleared all but the last of it.
fn backlog(
    session: &Session,
    stream: &mut Simulator,
    (start, past): (Timestamp, Duration),
    truths: &Truths,
    behind: &AtomicI64,
) -> Outcome {
    let progress = ProgressBar::new_spinner().with_message("some time passes at the desk");
    progress.enable_steady_tick(Duration::from_millis(100));
    let mut portion = Vec::new();
    let mut until = PORTION;
    // When the portion before this one came, if people have cleared it since.
    let mut came = None;
    for (number, arrival) in stream.enumerate() {
        let offset = SignedDuration::try_from(arrival.at_offset).unwrap_or_default();
        let left = millis(Timestamp::now().duration_since(start + offset)).max(0);
        let seen = arrival.at_offset + UNSEEN < past;
        if arrival.at_offset >= until || left == 0 || !seen {
            if let Some(came) = came {
                cleared(session, truths, behind, (came, left))?;
            }
            behind.store(left, Ordering::Relaxed);
            session.execute(Command::Admit { lines: std::mem::take(&mut portion) })?;
            came = (until + UNSEEN < past).then_some(left);
            until = arrival.at_offset + PORTION;
        }
        learn(truths, &arrival.id, arrival.truth);
        portion.push(line(number, arrival.line));
        if left == 0 {
            break;
        }
    }
    session.execute(Command::Admit { lines: portion })?;
    session.execute(Command::Tick)?;
    progress.finish_and_clear();
    Ok(())
}

/// What waits is decided by those who were there, some of it sooner and some of it later between
/// two moments (as milliseconds `behind`).
fn cleared(
    session: &Session,
    truths: &Truths,
    behind: &AtomicI64,
    (came, next): (i64, i64),
) -> Outcome {
    for look in 1..=LOOKS {
        behind.store(came - (came - next) * look / (LOOKS + 1), Ordering::Relaxed);
        // From above: what is passed on waits for the next look.
        for (by, level) in [(COMPLIANCE, 3), (COLLEAGUE, 2), (EARLIER, 1)] {
            decided(session.local()?, truths, (by, level), LOOKS + 1 - look)?;
        }
        session.local()?.settle_due(&session.by)?;
    }
    released(session)
}

/// One part in so many of what waits at a level is decided by somebody, the first in line first.
fn decided(local: &Local, truths: &Truths, (by, level): (&str, u8), parts: i64) -> Outcome {
    let filter = Filter { level: Some(level), ..Filter::default() };
    let page = PageAsk { filter, limit: 500, ..PageAsk::default() };
    let Reply::Page(page) = local.ask_blocking(by, Query::Page(page))? else {
        return Ok(());
    };
    let some = page.items.len().div_ceil(usize::try_from(parts).unwrap_or(1).max(1));
    let requests: Vec<_> = page
        .items
        .into_iter()
        .take(some)
        .map(|row| (blind_answer(&row, truths), verdict_on(row, truths)))
        .collect();
    // Many hands: what is said at the same time is one commit.
    std::thread::scope(|scope| {
        for part in requests.chunks(requests.len().div_ceil(HANDS).max(1)) {
            scope.spawn(move || {
                for (answer, request) in part {
                    let answer = answer.clone().map(Command::AnswerBlind);
                    let verdict = Command::Review(Box::new(request.clone()));
                    // Refused (they approved an earlier stage): it stays.
                    for command in answer.into_iter().chain([verdict]) {
                        if let Err(refused) = local.execute_blocking(by, command) {
                            tracing::debug!(message = refused.message, "{by} was refused");
                        }
                    }
                }
            });
        }
    });
    Ok(())
}

/// What was frozen has been looked into, but for the newest.
fn released(session: &Session) -> Outcome {
    let Reply::Containment(view) = session.ask(Query::Containment)? else { return Ok(()) };
    let mut freezes = view.freezes;
    freezes.sort_by_key(|freeze| std::cmp::Reverse(freeze.at));
    for freeze in freezes.into_iter().skip(OPEN_FREEZES) {
        let reason = "looked into: the answers like it are fine".to_owned();
        session.execute(Command::ReleaseFreeze { id: freeze.id, reason })?;
    }
    Ok(())
}

/// What a careful colleague would have done, where the proposal is not shown first.
fn blind_answer(row: &Row, truths: &Truths) -> Option<BlindAnswer> {
    let truths = truths.lock().unwrap_or_else(PoisonError::into_inner);
    let truth = truths.get(&row.id).filter(|_| row.blind)?;
    Some(BlindAnswer {
        request_id: Uuid::now_v7().to_string(),
        item: row.id.clone(),
        action: truth.action.clone(),
        note: None,
    })
}

/// What a careful colleague says of it.
fn verdict_on(row: Row, truths: &Truths) -> ReviewRequest {
    let truth = truths.lock().unwrap_or_else(PoisonError::into_inner).get(&row.id).cloned();
    let mut verdict = Verdict::plain(VerdictKind::Accept);
    if row.kind == Kind::Quarantine {
        verdict.verdict = VerdictKind::Reject;
        verdict.tags = vec!["other".into()];
        verdict.note = Some("cannot be repaired from here; sent again by its source".into());
    } else if let Some(truth) = truth.filter(|truth| {
        // What the first level corrected is right by now.
        let stands = row.state == ItemState::AwaitingApproval && truth.verdict == VerdictKind::Edit;
        !(truth.right || stands)
    }) {
        verdict.tags = truth.tags;
        match (truth.verdict, truth.output) {
            (VerdictKind::Edit, Some(output)) => {
                verdict.verdict = VerdictKind::Edit;
                verdict.output = Some(output);
                verdict.action = Some(truth.action);
            }
            _ => {
                verdict.verdict = VerdictKind::Reject;
                verdict.label = Some(truth.action);
            }
        }
        verdict.note = Some("does not hold up against the file".into());
    }
    ReviewRequest {
        request_id: Uuid::now_v7().to_string(),
        item: row.id,
        verdict,
        lease: None,
        revision: Some(row.revision),
        seen: None,
        signature: None,
        grace_ms: 0,
        offline: None,
    }
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
        let request = verdict_on(row, &truths);
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
        "That desk is gone: {} came, {} automatic.\n\
         Your own: overrule ingest FILE, then overrule",
        crate::text::many(header.decisions, "decision", "decisions"),
        crate::text::many(header.automatic, "of them was", "of them were")
    ));
    Ok(())
}
