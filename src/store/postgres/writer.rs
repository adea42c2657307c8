//! The one writer of a node: many operations in one durable commit, people before bulk.
//!
//! A task owns the connection that writes. It takes what is queued, takes the head of the log from
//! the other nodes, runs each operation, commits, and only then fulfils the tickets.
//!
//! When the connection is lost, what was not committed is run again on a new one, for as long as
//! anybody waits. Where it was lost while the server was committing, the server is asked what
//! became of the transaction ([`Fate`]): so nothing is applied twice, and nothing that may have
//! been applied is called refused.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::conn::{PATIENCE, Shared};
use super::erase;
use super::fate::{Fate, fate_of};
use super::fault::{Done, count, int};
use super::jobs::{Job, Work};
use super::run::{End, Outcome, Ran, transaction};
use super::tx::{self, Memory, Pace};
use crate::store::StoreError;

/// Rows in one transaction of people's operations: bounds how long the first waits for the last.
const GROUP: usize = 1_000;
/// Rows of bulk in one transaction while nobody is about.
const BULK: usize = 2_000;
/// The same for a while after a person waited.
const POLITE: usize = 200;
/// For so long after a person waited, bulk keeps its transactions short.
const POLITELY: Duration = Duration::from_secs(5);

/// What travels to the writer.
enum Message {
    Run(Box<Job>),
    /// Everything before it is settled when the task ends.
    Stop,
}

/// Where operations are queued.
pub(super) struct Queue {
    people: UnboundedSender<Message>,
    bulk: UnboundedSender<Message>,
    task: tokio::task::JoinHandle<()>,
}

impl Queue {
    pub(super) fn push(&self, job: Job, bulk: bool) {
        let queue = if bulk { &self.bulk } else { &self.people };
        if let Err(refused) = queue.send(Message::Run(Box::new(job)))
            && let Message::Run(job) = refused.0
        {
            job.refuse(StoreError::Closed);
        }
    }

    /// Nothing more is queued; the task ends when all is settled.
    pub(super) fn stop(self) -> tokio::task::JoinHandle<()> {
        let _ = self.bulk.send(Message::Stop);
        let _ = self.people.send(Message::Stop);
        self.task
    }
}

/// The writer's side.
pub(super) struct Writer {
    address: Shared,
    client: Option<ClientWrapper>,
    memory: Memory,
    people: UnboundedReceiver<Message>,
    bulk: UnboundedReceiver<Message>,
    /// People's operations that were taken from their queue and are not run yet.
    next: VecDeque<Job>,
    /// Bulk that is not done yet, in order.
    begun: VecDeque<Job>,
    stopped: (bool, bool),
    /// When a person last waited.
    crowded: Option<Instant>,
}

impl Writer {
    /// Start the task.
    pub(super) fn start(address: Shared, key: [u8; 32]) -> Queue {
        let (people, people_in) = unbounded_channel();
        let (bulk, bulk_in) = unbounded_channel();
        let writer = Self {
            address,
            client: None,
            memory: Memory::new(key),
            people: people_in,
            bulk: bulk_in,
            next: VecDeque::new(),
            begun: VecDeque::new(),
            stopped: (false, false),
            crowded: None,
        };
        let task = tokio::spawn(writer.run());
        Queue { people, bulk, task }
    }

    async fn run(mut self) {
        let mut bulk_next = false;
        while self.has_work().await {
            // In turn: neither waits for more than one transaction of the other.
            let bulk = !self.begun.is_empty() && (bulk_next || self.next.is_empty());
            bulk_next = !bulk;
            if bulk {
                self.bulk_part().await;
            } else {
                self.crowded = Some(Instant::now());
                self.peoples_part().await;
            }
        }
    }

    /// Wait for work. `false`: that was all.
    async fn has_work(&mut self) -> bool {
        loop {
            while let Ok(message) = self.people.try_recv() {
                self.take(message, false);
            }
            while self.begun.len() < 64
                && let Ok(message) = self.bulk.try_recv()
            {
                self.take(message, true);
            }
            if !self.next.is_empty() || !self.begun.is_empty() {
                return true;
            }
            if self.stopped == (true, true) {
                return false;
            }
            tokio::select! {
                message = self.people.recv(), if !self.stopped.0 => match message {
                    Some(message) => self.take(message, false),
                    None => self.stopped.0 = true,
                },
                message = self.bulk.recv(), if !self.stopped.1 => match message {
                    Some(message) => self.take(message, true),
                    None => self.stopped.1 = true,
                },
            }
        }
    }

    fn take(&mut self, message: Message, bulk: bool) {
        match message {
            Message::Run(job) if bulk => self.begun.push_back(*job),
            Message::Run(job) => self.next.push_back(*job),
            Message::Stop if bulk => self.stopped.1 = true,
            Message::Stop => self.stopped.0 = true,
        }
    }

    /// One transaction of people's operations.
    async fn peoples_part(&mut self) {
        let mut weight = 0;
        let mut jobs = Vec::new();
        while weight < GROUP
            && let Some(job) = self.next.pop_front()
        {
            // What can be run only once runs alone.
            if matches!(job.work, Work::Checkpoint { .. }) {
                match jobs.is_empty() {
                    true => return self.checkpoint(job).await,
                    false => self.next.push_front(job),
                }
                break;
            }
            weight += job.weight();
            jobs.push(job);
        }
        let again = self.group(jobs, usize::MAX).await;
        for job in again.into_iter().rev() {
            self.next.push_front(job);
        }
    }

    /// One transaction of as much bulk as the moment allows.
    async fn bulk_part(&mut self) {
        let polite = self.crowded.is_some_and(|at| at.elapsed() < POLITELY);
        let most = if polite { POLITE } else { BULK };
        let mut weight = 0;
        let mut jobs = Vec::new();
        while weight < most
            && let Some(job) = self.begun.pop_front()
        {
            weight += job.weight();
            jobs.push(job);
        }
        let again = self.group(jobs, most).await;
        for job in again.into_iter().rev() {
            self.begun.push_front(job);
        }
    }

    /// Run these in one transaction, at most `most` rows of it; gives back what is to be run
    /// (again).
    async fn group(&mut self, jobs: Vec<Job>, most: usize) -> Vec<Job> {
        let mut pace = Pace::Fast;
        loop {
            let client = match self.connected().await {
                Ok(client) => client,
                Err(e) => return not_now(jobs, &e),
            };
            let Ran { outcomes, end } =
                transaction(&client, &mut self.memory, &jobs, most, pace).await;
            let (fail, known) = match end {
                End::Committed(frontier, xid) => {
                    self.memory.frontier = frontier;
                    self.client = Some(client);
                    return self.settle(jobs, outcomes, &xid);
                }
                End::Failed(fail, known) => (fail, known),
            };
            self.memory.forget();
            if !fail.is_lost() {
                self.client = Some(client);
                // Somebody's operation failed half way: each in its savepoint, then.
                if pace == Pace::Fast {
                    pace = Pace::Careful;
                    continue;
                }
                let e = fail.told("commit");
                jobs.into_iter().for_each(|job| job.refuse(e.clone()));
                return Vec::new();
            }
            drop(client);
            let (fate, xid) = match known {
                Some(known) => (fate_of(&self.address, &known).await, known.xid),
                // The server was never told to commit.
                None => (Fate::Gone, String::new()),
            };
            tracing::warn!(error = %fail.told("commit"), ?fate, "the connection that writes was lost");
            match fate {
                Fate::Committed => return self.settle(jobs, outcomes, &xid),
                Fate::Gone => return not_now(jobs, &away(&self.address.shown)),
                Fate::Unknown => {
                    for job in jobs {
                        let doing = job.doing().to_owned();
                        job.refuse(StoreError::Unsure { doing });
                    }
                    return Vec::new();
                }
            }
        }
    }

    /// Tell those whose operations are durable since the transaction `xid`; gives back what there
    /// is more of.
    fn settle(&self, jobs: Vec<Job>, outcomes: Vec<Outcome>, xid: &str) -> Vec<Job> {
        let mut more = Vec::new();
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Done(answer) => more.extend(job.done(answer)),
                Outcome::Erased(answer) => {
                    // The others need not wait for the tables to be cleaned.
                    let (address, xid) = (self.address.clone(), xid.to_owned());
                    tokio::spawn(async move {
                        match erase::vacuum(&address, &xid).await {
                            Ok(()) => drop(job.done(answer)),
                            Err(e) => {
                                job.refuse(e.told("remove the last copies of what was erased"));
                            }
                        }
                    });
                }
                Outcome::Refused(e) => job.refuse(e),
                Outcome::NotYet => more.push(job),
            }
        }
        more
    }

    /// A connection that is open, so far as is known. After a failure the next try waits a little.
    async fn connected(&mut self) -> Result<ClientWrapper, StoreError> {
        if let Some(client) = self.client.take().filter(|c| !c.is_closed()) {
            return Ok(client);
        }
        match self.address.connect().await {
            Ok(client) => Ok(client),
            Err(e) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(e.told(&format!("reach {}", self.address.shown)))
            }
        }
    }

    /// Sign the head in a transaction of its own: the signature is made once.
    async fn checkpoint(&mut self, job: Job) {
        let doing = job.doing();
        let Work::Checkpoint { sign, promise } = job.work else { return };
        let sign = sign.into_inner().unwrap_or_else(PoisonError::into_inner);
        let stored = match self.connected().await {
            Ok(client) => {
                let stored = checkpoint(&client, &self.memory, sign).await;
                if !matches!(&stored, Err(e) if e.is_lost()) {
                    if stored.is_err() {
                        let _ = client.batch_execute("ROLLBACK").await;
                    }
                    self.client = Some(client);
                }
                stored.map_err(|e| e.told(doing))
            }
            Err(e) => Err(e),
        };
        let _ = promise.send(stored);
    }
}

/// The server is away.
fn away(address: &str) -> StoreError {
    StoreError::Io {
        doing: format!("reach {address}"),
        cause: "the connection was lost".to_owned(),
    }
}

/// Nothing of these happened and the server is away: back in line, but for those who have waited
/// long enough.
fn not_now(jobs: Vec<Job>, e: &StoreError) -> Vec<Job> {
    let (again, over): (Vec<_>, Vec<_>) =
        jobs.into_iter().partition(|job| job.since.elapsed() < PATIENCE);
    over.into_iter().for_each(|job| job.refuse(e.clone()));
    again
}

/// Sign a checkpoint if entries were added since the last one.
async fn checkpoint(
    client: &ClientWrapper,
    memory: &Memory,
    sign: crate::store::SignCheckpoint,
) -> Done<Option<String>> {
    let head = tx::begin(client, memory, tx::Asked::default()).await?.head;
    let size = head.frontier.size();
    let last: Option<i64> =
        client.query_one("SELECT max(size) FROM checkpoints", &[]).await?.try_get(0)?;
    if size == 0 || last.is_some_and(|last| count(last) >= size) {
        client.batch_execute("ROLLBACK").await?;
        return Ok(None);
    }
    let note = sign(size, head.frontier.root());
    let size = int(size);
    let insert = "INSERT INTO checkpoints(size, note) VALUES ($1, $2)";
    client.execute(insert, &[&size, &note]).await?;
    client.batch_execute("COMMIT").await?;
    Ok(Some(note))
}
