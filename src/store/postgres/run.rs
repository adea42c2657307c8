//! Operations in one transaction: each answers for itself, and all of them are durable or none is.

use deadpool_postgres::ClientWrapper;

use super::fate::Known;
use super::fault::{Done, Fail};
use super::jobs::{Answer, Job, Work};
use super::text::T;
use super::tx::{self, Asked, Memory, Pace, Tx};
use super::{admit, ops};
use crate::audit::Frontier;
use crate::store::StoreError;

/// What became of an operation if the transaction is committed.
pub(super) enum Outcome {
    Done(Answer),
    /// Done, and the tables are to be cleaned before it counts.
    Erased(Answer),
    Refused(StoreError),
    /// Not run: there was enough without it.
    NotYet,
}

/// Jobs that were run in one transaction.
pub(super) struct Ran {
    /// Of each job, in order.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) end: End,
}

/// How it ended.
pub(super) enum End {
    /// With the head of the log then, and the transaction's number.
    Committed(Frontier, String),
    /// With what it is known by, if the server had been told to commit it.
    Failed(Fail, Option<Known>),
}

/// Run jobs in one transaction.
pub(super) async fn transaction(
    client: &ClientWrapper,
    memory: &mut Memory,
    jobs: &[Job],
    most: usize,
    pace: Pace,
) -> Ran {
    let mut outcomes = Vec::with_capacity(jobs.len());
    let mut asked = None;
    let ended = run(client, memory, jobs, most, pace, &mut outcomes, &mut asked).await;
    let end = match ended {
        Ok((frontier, xid)) => End::Committed(frontier, xid),
        Err(fail) => {
            if !fail.is_lost() {
                // Nothing is left of it; without it the next one could not begin.
                let _ = client.batch_execute("ROLLBACK").await;
            }
            End::Failed(fail, asked)
        }
    };
    Ran { outcomes, end }
}

async fn run(
    client: &ClientWrapper,
    memory: &mut Memory,
    jobs: &[Job],
    most: usize,
    pace: Pace,
    outcomes: &mut Vec<Outcome>,
    asked: &mut Option<Known>,
) -> Done<(Frontier, String)> {
    let begun = tx::begin(client, memory, asked_of(jobs, most)).await?;
    let xid = begun.xid.clone();
    let mut tx = Tx::new(client, memory, pace, begun);
    let mut left = most;
    for job in jobs {
        if left == 0 {
            outcomes.push(Outcome::NotYet);
            continue;
        }
        (tx.entry, tx.held, tx.erased) = (None, 0, false);
        let outcome = match pace {
            Pace::Fast => fast(&mut tx, job, left).await?,
            Pace::Careful => careful(&mut tx, job, left).await?,
        };
        if let Outcome::Done(Answer::Admitted(answers, _)) = &outcome {
            left = left.saturating_sub(answers.len());
        }
        outcomes.push(outcome);
    }
    let known = Known { xid: xid.clone(), last: tx.last };
    let frontier = tx.commit(|| *asked = Some(known)).await?;
    Ok((frontier, xid))
}

/// What these jobs are about to ask: whether an id is known, and who and what stands as it did.
fn asked_of(jobs: &[Job], most: usize) -> Asked<'_> {
    let mut asked = Asked::default();
    for job in jobs {
        let premises = match &job.work {
            Work::Admit { batch, answers, .. } => {
                let rows = batch.rows.iter().skip(answers.len()).take(most);
                asked.ids.extend(rows.map(|row| T(&row.route.id)));
                &batch.premises
            }
            Work::Write { write, .. } => &write.premises,
            Work::Draft { .. } | Work::Checkpoint { .. } => continue,
        };
        asked.people.extend(premises.actor.iter().map(|(name, _)| name.as_str()));
        asked.states.extend(premises.state.iter().map(|(key, _)| key.as_str()));
    }
    asked
}

/// Without a savepoint: a refusal must have changed nothing, or all is run again.
async fn fast<'a>(tx: &mut Tx<'a>, job: &'a Job, most: usize) -> Done<Outcome> {
    let before = tx.changes;
    match one(tx, job, most).await {
        Ok(outcome) => Ok(outcome),
        Err(Fail::Refused(e)) if tx.changes == before => Ok(Outcome::Refused(e)),
        Err(e) => Err(e),
    }
}

/// In a savepoint.
async fn careful<'a>(tx: &mut Tx<'a>, job: &'a Job, most: usize) -> Done<Outcome> {
    let mark = tx.savepoint().await?;
    let ran = match one(tx, job, most).await {
        Ok(outcome) => tx.release().await.map(|()| outcome),
        Err(e) => Err(e),
    };
    match ran {
        Err(e) if !e.is_lost() => {
            tx.roll_back(mark).await?;
            Ok(Outcome::Refused(e.told(job.doing())))
        }
        other => other,
    }
}

async fn one<'a>(tx: &mut Tx<'a>, job: &'a Job, most: usize) -> Done<Outcome> {
    let answer = match &job.work {
        Work::Admit { batch, answers, .. } => {
            let (answers, all) = admit::rows(tx, batch, answers.len(), most).await?;
            Answer::Admitted(answers, all)
        }
        Work::Write { write, .. } => Answer::Committed(ops::write(tx, write).await?),
        Work::Draft { item, reviewer, bytes, .. } => {
            ops::draft(tx, item, reviewer, bytes.as_deref()).await?;
            Answer::Drafted
        }
        Work::Checkpoint { .. } => return Err(StoreError::Closed.into()),
    };
    Ok(if tx.erased { Outcome::Erased(answer) } else { Outcome::Done(answer) })
}
