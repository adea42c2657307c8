//! The one writer: many operations in one durable commit, people before bulk.
//!
//! A thread owns the connection that writes. It takes what is queued, runs each operation in its
//! own savepoint within one transaction, commits, and only then fulfils the tickets. While other
//! processes need the writer, bulk is cut into short transactions (see [`super::yielding`]).
//!
//! After an error of the disk or the file nothing is retried: a failed flush may have lost pages
//! that the system now calls clean. All that is queued is refused, the file is opened anew and
//! checked, and only then work goes on.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rusqlite::Connection;

use super::checkpointer::Checkpointer;
use super::fault::{Done, Fail};
use super::pool::Pool;
use super::tx::{Memory, Tx, read_frontier};
use super::yielding::Want;
use super::{erase, open};
use crate::store::StoreError;

/// Rows of bulk between two looks at who else waits.
pub(super) const STRIDE: usize = 200;
/// Rows of bulk in one transaction for a while after a person waited.
const POLITE_STRIDE: usize = 50;
/// Rows of bulk in one transaction while nobody is about.
const BULK: usize = 1_000;
/// For so long after a person waited, bulk keeps its transactions short: the next one may
/// come while a commit is on its way to the disk, and then waits for all of it.
const POLITE: Duration = Duration::from_secs(5);
/// Operations in one transaction: bounds how long the first of them waits for the last.
const GROUP: usize = 1_000;

/// An operation on its way through the writer.
pub(super) trait Job: Send {
    /// What it does, for error messages: "admit a batch".
    fn doing(&self) -> &'static str;
    /// Run it, or the next part of it, of at most `most` rows; says how many they were. Called
    /// again in the same savepoint, or after a commit, until [`Job::is_done`].
    fn run(&mut self, tx: &mut Tx<'_>, most: usize) -> Done<usize>;
    fn is_done(&self) -> bool {
        true
    }
    /// Whether a refusal comes before all that would have to be undone (see
    /// [`Tx::refused_first`]); else the operation gets a savepoint.
    fn refuses_first(&self) -> bool {
        false
    }
    /// Tell the caller: it is durable, or why it is not.
    fn settle(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// What travels to the writer.
enum Message {
    Run(Box<dyn Job>),
    /// Everything before it has been committed when this is dropped.
    Stop,
}

/// Where operations are queued.
pub(super) struct Queue {
    people: Sender<Message>,
    bulk: Sender<Message>,
    thread: std::thread::JoinHandle<()>,
}

impl Queue {
    pub(super) fn push(&self, job: Box<dyn Job>, bulk: bool) {
        let queue = if bulk { &self.bulk } else { &self.people };
        if let Err(refused) = queue.send(Message::Run(job))
            && let Message::Run(job) = refused.into_inner()
        {
            job.settle(Err(StoreError::Closed));
        }
    }

    /// Wait until all that is queued is committed and the file is released.
    pub(super) fn stop(self) {
        let _ = self.bulk.send(Message::Stop);
        drop(self.people);
        drop(self.bulk);
        let _ = self.thread.join();
    }
}

/// The writer's side.
pub(super) struct Writer {
    path: PathBuf,
    /// `None`: the file could not be opened anew, `failed` says why.
    conn: Option<Connection>,
    failed: Option<StoreError>,
    memory: Memory,
    want: Want,
    interactive: bool,
    pool: Arc<Pool>,
    checkpointer: Checkpointer,
    people: Receiver<Message>,
    bulk: Receiver<Message>,
    /// Bulk that is not done yet, in order.
    begun: VecDeque<Box<dyn Job>>,
    bulk_stopped: bool,
    /// When a person last waited, here or elsewhere.
    crowded: Option<Instant>,
}

impl Writer {
    /// Start the thread.
    pub(super) fn start(
        path: PathBuf,
        conn: Connection,
        key: [u8; 32],
        interactive: bool,
        pool: Arc<Pool>,
    ) -> std::io::Result<Queue> {
        let (people, people_in) = unbounded();
        let (bulk, bulk_in) = unbounded();
        let writer = Self {
            want: Want::open(&path),
            checkpointer: Checkpointer::new(&path),
            path,
            conn: Some(conn),
            failed: None,
            memory: Memory::new(key),
            interactive,
            pool,
            people: people_in,
            bulk: bulk_in,
            begun: VecDeque::new(),
            bulk_stopped: false,
            crowded: None,
        };
        let thread =
            std::thread::Builder::new().name("store-writer".into()).spawn(|| writer.run())?;
        Ok(Queue { people, bulk, thread })
    }

    fn run(mut self) {
        let mut bulk_next = false;
        while let Some(people) = self.next_group(bulk_next) {
            // In turn: neither waits for more than one transaction of the other.
            bulk_next = !people.is_empty();
            if let Err(e) = self.reopen_if_failed() {
                self.refuse_all(people, &e);
                continue;
            }
            if people.is_empty() {
                // Stand aside before, not in, a transaction.
                if self.want.stand_aside(|| !self.people.is_empty()) {
                    self.crowded = Some(Instant::now());
                }
            } else if self.interactive {
                self.crowded = Some(Instant::now());
            }
            self.group(people);
        }
        drop(self.checkpointer);
        if let Some(conn) = self.conn.take() {
            // The last connection to leave moves the write-ahead log into the file.
            self.pool.close();
            let _ = conn.close();
        }
    }

    /// Wait for work: people's operations, or none of them where it is the turn of bulk, which
    /// waits in `begun`. `None`: the end.
    fn next_group(&mut self, bulk_next: bool) -> Option<Vec<Box<dyn Job>>> {
        loop {
            if self.begun.is_empty() && !self.bulk_stopped {
                match self.bulk.try_recv() {
                    Ok(Message::Run(job)) => self.begun.push_back(job),
                    Ok(Message::Stop) => self.bulk_stopped = true,
                    Err(_) => {}
                }
            }
            if bulk_next && !self.begun.is_empty() {
                return Some(Vec::new());
            }
            let people: Vec<_> = self
                .people
                .try_iter()
                .take(GROUP)
                .filter_map(|m| if let Message::Run(job) = m { Some(job) } else { None })
                .collect();
            if !people.is_empty() || !self.begun.is_empty() {
                return Some(people);
            }
            // Nothing is at hand: sleep until one of the queues has something.
            if self.bulk_stopped {
                match self.people.recv() {
                    Ok(Message::Run(job)) => return Some(vec![job]),
                    Ok(Message::Stop) => {}
                    Err(_) => return None,
                }
                continue;
            }
            crossbeam_channel::select! {
                recv(self.people) -> message => match message {
                    Ok(Message::Run(job)) => return Some(vec![job]),
                    Ok(Message::Stop) => {}
                    // Both ends go together; what is left of bulk is taken below.
                    Err(_) => match self.bulk.try_recv() {
                        Ok(Message::Run(job)) => self.begun.push_back(job),
                        _ => return None,
                    },
                },
                recv(self.bulk) -> message => match message {
                    Ok(Message::Run(job)) => self.begun.push_back(job),
                    Ok(Message::Stop) | Err(_) => self.bulk_stopped = true,
                },
            }
        }
    }

    /// One transaction.
    fn group(&mut self, people: Vec<Box<dyn Job>>) {
        let Some(conn) = self.conn.take() else { return };
        let raised = (self.interactive && !people.is_empty()).then(|| self.want.raise());
        let n_people = people.len();
        let Ended { jobs, people_rows, bulk_rows, failure } = self.transaction(&conn, people);
        drop(raised);
        let Some(failure) = failure else {
            self.conn = Some(conn);
            jobs.into_iter().for_each(|ended| ended.job.settle(ended.outcome));
            let crowded = self.crowded.is_some_and(|at| at.elapsed() < POLITE);
            self.checkpointer.written(n_people, people_rows, bulk_rows, crowded);
            return;
        };
        let grave = failure.is_grave();
        let e = failure.told("commit");
        self.memory.forget();
        if grave {
            drop(conn);
            self.pool.renew();
            self.failed = Some(e.clone());
        } else {
            self.conn = Some(conn);
        }
        self.refuse_all(jobs.into_iter().map(|ended| ended.job).collect(), &e);
    }

    /// Run people's operations, or else bulk, as one transaction.
    fn transaction(&mut self, conn: &Connection, people: Vec<Box<dyn Job>>) -> Ended {
        let mut ended = Ended::default();
        let (memory, queue) = (
            &mut self.memory,
            Bulk { begun: &mut self.begun, incoming: &self.bulk, stopped: &mut self.bulk_stopped },
        );
        let mut tx = match Tx::begin(conn, memory) {
            Ok(tx) => tx,
            Err(e) => {
                people.into_iter().for_each(|job| ended.add(job, Ok(()), false));
                return Ended { failure: Some(e), ..ended };
            }
        };
        let failure = match people.is_empty() {
            true => {
                let polite = self.crowded.is_some_and(|at| at.elapsed() < POLITE);
                let (stride, most) =
                    if polite { (POLITE_STRIDE, POLITE_STRIDE) } else { (STRIDE, BULK) };
                let crowded = || {
                    let elsewhere = self.want.elsewhere();
                    if elsewhere {
                        self.crowded = Some(Instant::now());
                    }
                    elsewhere || !self.people.is_empty()
                };
                bulk(&mut tx, &mut ended, queue, (stride, most), crowded)
            }
            false => run_all(&mut tx, &mut ended, people),
        };
        if failure.is_some() {
            tx.abandon();
            return Ended { failure, ..ended };
        }
        if let Err(e) = tx.commit() {
            let _ = conn.execute_batch("ROLLBACK");
            return Ended { failure: Some(e), ..ended };
        }
        if ended.jobs.iter().any(|job| job.erased)
            && let Err(e) = erase::vacuum(conn)
        {
            // The deletion is durable; what SQLite left of it in free space is not gone yet.
            let e = e.told("remove the last copies of what was erased");
            for job in ended.jobs.iter_mut().filter(|job| job.erased) {
                job.outcome = Err(e.clone());
            }
        }
        ended
    }

    /// After a grave error: open the file anew and check it before anything is written.
    fn reopen_if_failed(&mut self) -> Result<(), StoreError> {
        let Some(before) = self.failed.clone() else { return Ok(()) };
        match reopen(&self.path) {
            Ok(conn) => {
                tracing::warn!(error = %before, "the store was opened anew and is sound");
                self.conn = Some(conn);
                self.failed = None;
                Ok(())
            }
            Err(e) => {
                // Not in a tight loop: the disk needs time, or a person.
                std::thread::sleep(Duration::from_millis(50));
                Err(e.told("open the store anew"))
            }
        }
    }

    /// Refuse these and everything that is queued: none of it is known to be durable.
    fn refuse_all(&mut self, mut jobs: Vec<Box<dyn Job>>, e: &StoreError) {
        jobs.extend(self.begun.drain(..));
        let messages = self.people.try_iter().chain(self.bulk.try_iter());
        for message in messages {
            match message {
                Message::Run(job) => jobs.push(job),
                Message::Stop => self.bulk_stopped = true,
            }
        }
        // All is gathered before anybody hears of it: what is queued from then on is a new try.
        jobs.into_iter().for_each(|job| job.settle(Err(e.clone())));
    }
}

/// A transaction's operations, and what made all of it fail, if anything did.
#[derive(Default)]
struct Ended {
    jobs: Vec<EndedJob>,
    /// Rows of people's operations, and of bulk.
    people_rows: usize,
    bulk_rows: usize,
    failure: Option<Fail>,
}

struct EndedJob {
    job: Box<dyn Job>,
    outcome: Result<(), StoreError>,
    /// It deleted texts: the file must be vacuumed before it counts as done.
    erased: bool,
}

impl Ended {
    fn add(&mut self, job: Box<dyn Job>, outcome: Result<(), StoreError>, erased: bool) {
        self.jobs.push(EndedJob { job, outcome, erased });
    }
}

/// All of people's operations, each of them whole or not at all. Gives back what made all of them fail.
fn run_all(tx: &mut Tx<'_>, ended: &mut Ended, people: Vec<Box<dyn Job>>) -> Option<Fail> {
    let mut people = people.into_iter();
    while let Some(mut job) = people.next() {
        tx.erased = false;
        let ran = match job.refuses_first() {
            true => tx.refused_first(|tx| job.run(tx, usize::MAX)),
            false => tx.all_or_nothing(|tx| job.run(tx, usize::MAX)),
        };
        match ran {
            Ok(rows) => {
                ended.people_rows += rows;
                ended.add(job, Ok(()), tx.erased);
            }
            Err(e) if e.is_grave() => {
                ended.add(job, Ok(()), false);
                people.for_each(|job| ended.add(job, Ok(()), false));
                return Some(e);
            }
            Err(e) => {
                let told = e.told(job.doing());
                ended.add(job, Err(told), false);
            }
        }
    }
    None
}

/// Where bulk comes from.
struct Bulk<'a> {
    begun: &'a mut VecDeque<Box<dyn Job>>,
    incoming: &'a Receiver<Message>,
    stopped: &'a mut bool,
}

impl Bulk<'_> {
    fn next(&mut self) -> Option<Box<dyn Job>> {
        if self.begun.is_empty() && !*self.stopped {
            match self.incoming.try_recv() {
                Ok(Message::Run(job)) => self.begun.push_back(job),
                Ok(Message::Stop) => *self.stopped = true,
                Err(_) => {}
            }
        }
        self.begun.pop_front()
    }
}

/// As much bulk as the moment allows: `most` rows, but no more than a `stride` after others wait.
fn bulk(
    tx: &mut Tx<'_>,
    ended: &mut Ended,
    mut queue: Bulk<'_>,
    (stride, most): (usize, usize),
    mut crowded: impl FnMut() -> bool,
) -> Option<Fail> {
    let mut enough = false;
    while !enough && let Some(mut job) = queue.next() {
        let ran = tx.all_or_nothing(|tx| {
            loop {
                ended.bulk_rows += job.run(tx, stride)?;
                enough = crowded() || ended.bulk_rows >= most;
                if job.is_done() || enough {
                    return Ok(());
                }
            }
        });
        match ran {
            Ok(()) if job.is_done() => ended.add(job, Ok(()), false),
            Ok(()) => queue.begun.push_front(job),
            Err(e) if e.is_grave() => {
                ended.add(job, Ok(()), false);
                return Some(e);
            }
            Err(e) => {
                let told = e.told(job.doing());
                ended.add(job, Err(told), false);
            }
        }
    }
    None
}

/// Open the file and make sure that log, frontier and state agree.
fn reopen(path: &std::path::Path) -> Done<Connection> {
    let conn = open::writer(path)?;
    let sound: String = conn.query_row("PRAGMA quick_check(1)", (), |r| r.get(0))?;
    if sound != "ok" {
        return Err(StoreError::Damaged {
            doing: format!("use {} again", path.display()),
            cause: format!("the file is damaged ({sound}): restore it from a backup"),
        }
        .into());
    }
    let (size, entries): (i64, i64) = conn.query_row(
        "SELECT size, (SELECT coalesce(max(idx) + 1, 0) FROM log) FROM state",
        (),
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    read_frontier(&conn, super::fault::count(size))?;
    if size != entries {
        return Err(super::fault::damaged("the head of the log").into());
    }
    Ok(conn)
}
