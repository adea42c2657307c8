//! Operations as they travel to the writer and back: what to run, and whom to tell.
//!
//! A job can be run again: its transaction may have been lost, or refused because of a neighbour.

use std::sync::Mutex;

use tokio::time::Instant;

use crate::store::{
    AdmitBatch, AdmitResult, Committed, Promise, SignCheckpoint, StoreError, Write,
};

/// What to run.
pub(super) enum Work {
    /// With the answers of the parts that are committed already.
    Admit {
        batch: Box<AdmitBatch>,
        answers: Vec<AdmitResult>,
        promise: Promise<Vec<AdmitResult>>,
    },
    Write {
        write: Box<Write>,
        promise: Promise<Committed>,
    },
    /// `None`: drop it.
    Draft {
        item: String,
        reviewer: String,
        bytes: Option<Vec<u8>>,
        promise: Promise<()>,
    },
    /// Runs in a transaction of its own.
    Checkpoint {
        sign: Mutex<SignCheckpoint>,
        promise: Promise<Option<String>>,
    },
}

/// An operation on its way through the writer.
pub(super) struct Job {
    pub(super) work: Work,
    /// When it was queued.
    pub(super) since: Instant,
}

/// What became of a job, or of a part of it, in one transaction.
pub(super) enum Answer {
    /// Answers for the next rows of the batch; `true`: the batch is done.
    Admitted(Vec<AdmitResult>, bool),
    Committed(Committed),
    Drafted,
}

impl Job {
    pub(super) fn new(work: Work) -> Self {
        Self { work, since: Instant::now() }
    }

    /// What it does, for error messages.
    pub(super) fn doing(&self) -> &'static str {
        match &self.work {
            Work::Admit { .. } => "admit decisions",
            Work::Write { .. } => "store this",
            Work::Draft { .. } => "keep a draft",
            Work::Checkpoint { .. } => "store a checkpoint",
        }
    }

    /// How much of a transaction it is: rows.
    pub(super) fn weight(&self) -> usize {
        match &self.work {
            Work::Admit { batch, answers, .. } => batch.rows.len() - answers.len() + 1,
            _ => 1,
        }
    }

    /// The transaction is durable. Gives the job back if there is more of it to do.
    pub(super) fn done(self, answer: Answer) -> Option<Self> {
        // Nobody waits any more: that is the caller's business.
        match (self.work, answer) {
            (Work::Admit { batch, mut answers, promise }, Answer::Admitted(more, all)) => {
                answers.extend(more);
                if !all {
                    let work = Work::Admit { batch, answers, promise };
                    return Some(Self { work, since: self.since });
                }
                // Before the caller hears of it: freeing the rows is then the caller's work.
                drop(batch);
                let _ = promise.send(Ok(answers));
            }
            (Work::Write { promise, .. }, Answer::Committed(done)) => {
                let _ = promise.send(Ok(done));
            }
            (Work::Draft { promise, .. }, Answer::Drafted) => {
                let _ = promise.send(Ok(()));
            }
            // A job only ever gets an answer of its own kind.
            (work, _) => Self { work, since: self.since }.refuse(StoreError::Closed),
        }
        None
    }

    /// It did not happen, or nobody knows whether it did.
    pub(super) fn refuse(self, e: StoreError) {
        match self.work {
            Work::Admit { promise, .. } => drop(promise.send(Err(e))),
            Work::Write { promise, .. } => drop(promise.send(Err(e))),
            Work::Draft { promise, .. } => drop(promise.send(Err(e))),
            Work::Checkpoint { promise, .. } => drop(promise.send(Err(e))),
        }
    }
}
