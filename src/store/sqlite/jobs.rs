//! Operations as they travel to the writer and back: what to run, and whom to tell.

use super::fault::Done;
use super::tx::Tx;
use super::writer::Job;
use super::{admit, premises};
use crate::store::{AdmitBatch, AdmitResult, Promise, StoreError};

/// An operation that is run once.
pub(super) struct Call<T, F> {
    doing: &'static str,
    refuses_first: bool,
    run: Option<F>,
    answer: Option<T>,
    promise: Promise<T>,
}

impl<T, F> Call<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx<'_>) -> Done<T> + Send + 'static,
{
    pub(super) fn boxed(doing: &'static str, promise: Promise<T>, run: F) -> Box<dyn Job> {
        Box::new(Self { doing, refuses_first: false, run: Some(run), answer: None, promise })
    }

    /// One that needs no savepoint: see [`Job::refuses_first`].
    pub(super) fn light(doing: &'static str, promise: Promise<T>, run: F) -> Box<dyn Job> {
        Box::new(Self { doing, refuses_first: true, run: Some(run), answer: None, promise })
    }
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Done<T> + Send,
{
    fn doing(&self) -> &'static str {
        self.doing
    }

    fn run(&mut self, tx: &mut Tx<'_>, _most: usize) -> Done<usize> {
        if let Some(run) = self.run.take() {
            self.answer = Some(run(tx)?);
        }
        Ok(1)
    }

    fn refuses_first(&self) -> bool {
        self.refuses_first
    }

    fn settle(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { answer, promise, .. } = *self;
        let answer = outcome.and_then(|()| answer.ok_or(StoreError::Closed));
        // Nobody waits any more: that is the caller's business.
        let _ = promise.send(answer);
    }
}

/// An admission, which may be cut into parts.
pub(super) struct Admit {
    batch: AdmitBatch,
    answers: Vec<AdmitResult>,
    dead: bool,
    promise: Promise<Vec<AdmitResult>>,
}

impl Admit {
    pub(super) fn boxed(batch: AdmitBatch, promise: Promise<Vec<AdmitResult>>) -> Box<dyn Job> {
        let answers = Vec::with_capacity(batch.rows.len());
        Box::new(Self { batch, answers, dead: false, promise })
    }
}

impl Job for Admit {
    fn doing(&self) -> &'static str {
        "admit decisions"
    }

    fn run(&mut self, tx: &mut Tx<'_>, most: usize) -> Done<usize> {
        // Between two parts there may have been a commit, and other people's operations.
        premises::check(tx, &self.batch.premises)?;
        let answers = admit::rows(tx, &self.batch, self.answers.len(), most)?;
        let rows = answers.len();
        self.answers.extend(answers);
        if self.answers.len() == self.batch.rows.len() {
            admit::dead_letters(tx, &self.batch)?;
            self.dead = true;
        }
        Ok(rows)
    }

    fn is_done(&self) -> bool {
        self.dead
    }

    fn settle(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { batch, answers, promise, .. } = *self;
        // Before the caller hears of it: freeing the rows is then the caller's work, not ours.
        drop(batch);
        let _ = promise.send(outcome.map(|()| answers));
    }
}
