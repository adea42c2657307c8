//! Leases: who works on what, until when. Beside the log's head, through one connection a node.
//!
//! Many claimers in the database slow each other down, as each steps over rows that others hold.
//! So a task takes what is asked for meanwhile, and whoever wants any item of the same queues is
//! served by one statement: `FOR UPDATE SKIP LOCKED` finds rows that nobody else is taking, and
//! the epoch on each row rises with every grant. Statements are sent one after the other without
//! waiting, each a transaction of its own that waits for no lock while it holds another.
//!
//! Where a queue has a cap of what one person may hold, one ask is served at a time, under a lock
//! of its reviewer that holds for all nodes until the grant is committed: what is counted is what
//! holds when it is granted.

mod grant;

use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use futures_util::future::join_all;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::conn::{PATIENCE, Shared};
use crate::store::{Lease, Promise, StoreError, TakeLease};
use grant::{claim, release, renew, take, take_capped};

/// Requests served together.
const GROUP: usize = 256;

/// What is asked.
pub(super) enum Ask {
    Take(TakeLease, Promise<Option<Lease>>),
    Renew { held: Lease, promise: Promise<Lease> },
    Release { item: String, reviewer: String, epoch: u64, promise: Promise<()> },
}

impl Ask {
    pub(super) fn refuse(self, e: StoreError) {
        match self {
            Self::Take(_, promise) => drop(promise.send(Err(e))),
            Self::Renew { promise, .. } => drop(promise.send(Err(e))),
            Self::Release { promise, .. } => drop(promise.send(Err(e))),
        }
    }
}

/// An ask with the time it was asked at.
struct Asked {
    ask: Ask,
    since: Instant,
    /// It was sent before, and the connection was lost: it may have been granted.
    again: bool,
}

/// Where leases are asked for.
#[derive(Clone)]
pub(super) struct Desk(UnboundedSender<(Ask, Instant)>);

impl Desk {
    /// Start the task; it ends when nobody can ask any more.
    pub(super) fn start(address: Shared) -> (Self, tokio::task::JoinHandle<()>) {
        let (asks, asked) = unbounded_channel();
        let task = tokio::spawn(run(address, asked));
        (Self(asks), task)
    }

    pub(super) fn ask(&self, ask: Ask) {
        if let Err(refused) = self.0.send((ask, Instant::now())) {
            refused.0.0.refuse(StoreError::Closed);
        }
    }
}

async fn run(address: Shared, mut asks: UnboundedReceiver<(Ask, Instant)>) {
    let mut client: Option<ClientWrapper> = None;
    let mut waiting: Vec<Asked> = Vec::new();
    loop {
        if waiting.is_empty() {
            let Some((ask, since)) = asks.recv().await else { return };
            waiting.push(Asked { ask, since, again: false });
        }
        while waiting.len() < GROUP
            && let Ok((ask, since)) = asks.try_recv()
        {
            waiting.push(Asked { ask, since, again: false });
        }
        let open = match client.take().filter(|c| !c.is_closed()) {
            Some(open) => Ok(open),
            None => address.connect().await,
        };
        let failed = match open {
            Ok(open) => {
                waiting = serve(&open, waiting).await;
                client = Some(open);
                (!waiting.is_empty()).then(|| "the connection was lost".to_owned())
            }
            Err(e) => Some(e.told("reach the database").to_string()),
        };
        if let Some(cause) = failed {
            let doing = format!("lease items at {}", address.shown);
            let over = |asked: &mut Asked| asked.since.elapsed() >= PATIENCE;
            for asked in waiting.extract_if(.., over) {
                let (doing, cause) = (doing.clone(), cause.clone());
                asked.ask.refuse(StoreError::Io { doing, cause });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Serve these in order; gives back those that the connection was lost under.
async fn serve(client: &ClientWrapper, asks: Vec<Asked>) -> Vec<Asked> {
    let mut left = Vec::new();
    let mut asks = asks.into_iter().peekable();
    while let Some(first) = asks.next() {
        // Whoever wants any item of the same queues is served together.
        let mut together = vec![first];
        while let Some(next) = asks.next_if(|next| goes_with(&together, next)) {
            together.push(next);
        }
        match &together[..] {
            [one] if capped(one) => left.extend(alone(client, together).await),
            [one] if !any(one) => left.extend(single(client, together).await),
            [_, ..] if !together.iter().all(any) => left.extend(single(client, together).await),
            _ => left.extend(many(client, together).await),
        }
    }
    left
}

/// Does it ask for the first free item, with nothing to step over?
fn any(asked: &Asked) -> bool {
    matches!(&asked.ask, Ask::Take(ask, _) if ask.item.is_none() && ask.skip.is_empty()
        && !asked.again)
}

/// May its reviewer hold no more than so many?
fn capped(asked: &Asked) -> bool {
    matches!(&asked.ask, Ask::Take(ask, _) if !ask.most.is_empty())
}

/// Can it be served in one go with these?
fn goes_with(together: &[Asked], next: &Asked) -> bool {
    let Some(first) = together.first() else { return false };
    if capped(first) || capped(next) {
        return false;
    }
    match (&first.ask, &next.ask) {
        (Ask::Take(a, _), Ask::Take(b, _)) if any(first) && any(next) => a.queues == b.queues,
        // One by one, but without waiting in between.
        _ => !any(first) && !any(next),
    }
}

/// Each by a statement of its own, sent in order without waiting.
async fn single(client: &ClientWrapper, asks: Vec<Asked>) -> Vec<Asked> {
    let served = asks.into_iter().map(|asked| async move {
        let Asked { ask, since, again } = asked;
        let lost = match ask {
            Ask::Take(ask, promise) => match take(client, &ask, again).await {
                Err(e) if e.is_lost() => Some(Ask::Take(ask, promise)),
                done => {
                    let _ = promise.send(done.map_err(|e| e.told("lease an item")));
                    None
                }
            },
            Ask::Renew { held, promise } => match renew(client, &held).await {
                Err(e) if e.is_lost() => Some(Ask::Renew { held, promise }),
                done => {
                    let _ = promise.send(done.map_err(|e| e.told("renew a lease")));
                    None
                }
            },
            Ask::Release { item, reviewer, epoch, promise } => {
                match release(client, &item, &reviewer, epoch).await {
                    Err(e) if e.is_lost() => Some(Ask::Release { item, reviewer, epoch, promise }),
                    done => {
                        let _ = promise.send(done.map_err(|e| e.told("release a lease")));
                        None
                    }
                }
            }
        };
        lost.map(|ask| Asked { ask, since, again: true })
    });
    join_all(served).await.into_iter().flatten().collect()
}

/// One ask under a cap, in a transaction of its own.
async fn alone(client: &ClientWrapper, asks: Vec<Asked>) -> Vec<Asked> {
    let mut left = Vec::new();
    for asked in asks {
        let Asked { ask, since, again } = asked;
        let Ask::Take(ask, promise) = ask else { continue };
        match take_capped(client, &ask, again).await {
            Err(e) if e.is_lost() => {
                left.push(Asked { ask: Ask::Take(ask, promise), since, again: true });
            }
            done => drop(promise.send(done.map_err(|e| e.told("lease an item")))),
        }
    }
    left
}

/// All of them by one statement; whoever it has nothing for is looked at alone.
async fn many(client: &ClientWrapper, asks: Vec<Asked>) -> Vec<Asked> {
    let wanted: Vec<&TakeLease> = asks
        .iter()
        .filter_map(|a| if let Ask::Take(ask, _) = &a.ask { Some(ask) } else { None })
        .collect();
    let given = claim(client, &wanted).await;
    let given = match given {
        Ok(given) => given,
        Err(e) => {
            let lost = e.is_lost();
            let e = e.told("lease an item");
            let mut left = Vec::new();
            for asked in asks {
                match lost {
                    true => left.push(Asked { again: true, ..asked }),
                    false => asked.ask.refuse(e.clone()),
                }
            }
            return left;
        }
    };
    let mut empty = Vec::new();
    for (asked, given) in asks.into_iter().zip(given) {
        match (asked.ask, given) {
            (Ask::Take(_, promise), Some(lease)) => drop(promise.send(Ok(Some(lease)))),
            (ask, _) => empty.push(Asked { ask, ..asked }),
        }
    }
    if empty.is_empty() {
        return empty;
    }
    single(client, empty).await
}
