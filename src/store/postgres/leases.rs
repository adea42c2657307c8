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

use std::collections::BTreeMap;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use futures_util::future::join_all;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_postgres::Row;

use super::conn::{PATIENCE, Shared};
use super::fault::{Done, count, int};
use super::premises::{Held, lost};
use super::text::{T, Text};
use crate::domain::Timestamp;
use crate::store::rows::room::room;
use crate::store::rows::time;
use crate::store::{Lease, Promise, StoreError, TakeLease};

/// Requests served together.
const GROUP: usize = 256;
/// How often it is looked again when rows seem free but were all being taken.
const LOOKS: usize = 5;

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

/// Count what the reviewer holds and grant, while no other node does so for the same person.
async fn take_capped(client: &ClientWrapper, ask: &TakeLease, again: bool) -> Done<Option<Lease>> {
    let lock = client
        .prepare_cached(
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/' || $1, 1870033517))",
        )
        .await?;
    let count_held = client
        .prepare_cached(
            "SELECT q.name, count(*) FROM leases l JOIN queues q ON q.k = l.queue
             WHERE l.reviewer = $1 AND l.until > $2 AND l.open
                 AND l.n IS DISTINCT FROM (SELECT n FROM decisions WHERE id = $3)
             GROUP BY q.name",
        )
        .await?;
    let granted = async {
        client.batch_execute("BEGIN").await?;
        client.query(&lock, &[&T(&ask.reviewer)]).await?;
        // What was granted before the connection was lost is among what is held.
        if again
            && ask.item.is_none()
            && let Some(given) = given_before(client, ask).await?
        {
            return Ok(Some(given));
        }
        let wall = ask.wall.as_millisecond();
        let item = ask.item.as_deref().map(T);
        let mut held = BTreeMap::new();
        for row in client.query(&count_held, &[&T(&ask.reviewer), &wall, &item]).await? {
            held.insert(row.try_get::<_, Text>(0)?.0, count(row.try_get(1)?));
        }
        let (ask, enough) = room(ask, &held);
        match enough {
            Some(enough) if ask.item.is_some() || ask.queues.is_empty() => Err(enough.into()),
            Some(enough) => take(client, &ask, false).await?.map(Some).ok_or_else(|| enough.into()),
            None => take(client, &ask, false).await,
        }
    };
    match granted.await {
        Ok(given) => client.batch_execute("COMMIT").await.map(|()| given).map_err(Into::into),
        Err(e) => {
            // Without a connection there is nothing to end.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(e)
        }
    }
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

/// Free rows of some queues in queue order: free ones, and ones whose lease ran out. `$1` queues,
/// `$2` wall time, `$3` how many, `$4` whose own approvals to step over, `$5` ids to step over.
const FREE: &str = "WITH asked AS (SELECT k FROM queues WHERE name = ANY($1)),
     never AS MATERIALIZED (
         SELECT l.n, l.place FROM asked CROSS JOIN LATERAL (
             SELECT n, place FROM leases
             WHERE open AND reviewer IS NULL AND queue = k
                 AND (NOT approved OR NOT EXISTS (SELECT 1 FROM approvals a WHERE a.item = leases.n
                     AND a.content = leases.content AND a.reviewer = ANY($4)))
                 AND substring(place FROM 16) <> ALL($5)
             ORDER BY place LIMIT $3 FOR UPDATE SKIP LOCKED) l),
     over AS MATERIALIZED (
         SELECT n, place FROM leases
         WHERE reviewer IS NOT NULL AND until <= $2 AND open AND queue IN (SELECT k FROM asked)
             AND (NOT approved OR NOT EXISTS (SELECT 1 FROM approvals a WHERE a.item = leases.n
                 AND a.content = leases.content AND a.reviewer = ANY($4)))
             AND substring(place FROM 16) <> ALL($5)
         ORDER BY place LIMIT $3 FOR UPDATE SKIP LOCKED),
     free AS MATERIALIZED (
         SELECT n, row_number() OVER (ORDER BY place) AS rank
         FROM (SELECT * FROM never UNION ALL SELECT * FROM over) f ORDER BY place LIMIT $3)";

/// The first free items for these, who ask for the same queues: an answer each, in order.
async fn claim(client: &ClientWrapper, asks: &[&TakeLease]) -> Done<Vec<Option<Lease>>> {
    let sql = format!(
        "{FREE} UPDATE leases l SET reviewer = w.reviewer, until = w.until, epoch = l.epoch + 1
         FROM free f JOIN unnest($6::text[], $7::bigint[]) WITH ORDINALITY
             AS w(reviewer, until, rank) ON w.rank = f.rank
         WHERE l.n = f.n
         RETURNING f.rank, substring(l.place FROM 16), l.epoch"
    );
    let claim = client.prepare_cached(&sql).await?;
    let Some(first) = asks.first() else { return Ok(Vec::new()) };
    let queues: Vec<T<'_>> = first.queues.iter().map(|q| T(q)).collect();
    // Nobody is given what somebody's clock here still calls held.
    let wall = asks.iter().map(|ask| ask.wall.as_millisecond()).min().unwrap_or_default();
    let reviewers: Vec<T<'_>> = asks.iter().map(|ask| T(&ask.reviewer)).collect();
    let untils: Vec<i64> = asks.iter().map(|ask| ask.until.as_millisecond()).collect();
    let skip: Vec<&[u8]> = match asks {
        [one] => one.skip.iter().map(String::as_bytes).collect(),
        _ => Vec::new(),
    };
    let many = int(asks.len() as u64);
    let rows = client
        .query(&claim, &[&queues, &wall, &many, &reviewers, &skip, &reviewers, &untils])
        .await?;
    let mut given: Vec<Option<Lease>> = vec![None; asks.len()];
    for row in rows {
        let rank = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or(usize::MAX);
        if let (Some(given), Some(ask)) = (given.get_mut(rank), asks.get(rank)) {
            *given = Some(granted(&row, ask)?);
        }
    }
    Ok(given)
}

/// A lease from the columns rank, id, epoch.
fn granted(row: &Row, ask: &TakeLease) -> Done<Lease> {
    Ok(Lease {
        item: String::from_utf8_lossy(row.try_get(1)?).into_owned(),
        reviewer: ask.reviewer.clone(),
        until: ask.until,
        epoch: count(row.try_get(2)?),
    })
}

/// Give the named item, or the first one in queue order that nobody holds.
async fn take(client: &ClientWrapper, ask: &TakeLease, again: bool) -> Done<Option<Lease>> {
    if let Some(id) = &ask.item {
        return named(client, ask, id).await;
    }
    if again && let Some(lease) = given_before(client, ask).await? {
        return Ok(Some(lease));
    }
    for look in 1.. {
        if let Some(Some(lease)) = claim(client, &[ask]).await?.pop() {
            return Ok(Some(lease));
        }
        // Rows that others were taking or changing just now may have come free again.
        if look >= LOOKS || !any_free(client, ask).await? {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(None)
}

/// Is there anything for this ask, whoever is at it?
async fn any_free(client: &ClientWrapper, ask: &TakeLease) -> Done<bool> {
    let sql = format!(
        "{} SELECT EXISTS (SELECT 1 FROM free)",
        FREE.replace(" FOR UPDATE SKIP LOCKED", "")
    );
    let look = client.prepare_cached(&sql).await?;
    let queues: Vec<T<'_>> = ask.queues.iter().map(|q| T(q)).collect();
    let skip: Vec<&[u8]> = ask.skip.iter().map(String::as_bytes).collect();
    let (wall, reviewer) = (ask.wall.as_millisecond(), [T(&ask.reviewer)]);
    let row = client.query_one(&look, &[&queues, &wall, &1i64, &&reviewer[..], &skip]).await?;
    Ok(row.try_get(0)?)
}

/// What this very ask was given before the connection was lost: nobody else has its reviewer and
/// its end.
async fn given_before(client: &ClientWrapper, ask: &TakeLease) -> Done<Option<Lease>> {
    let find = client
        .prepare_cached(
            "SELECT 1::bigint, substring(place FROM 16), epoch FROM leases
             WHERE reviewer = $1 AND until = $2 AND open
                 AND queue IN (SELECT k FROM queues WHERE name = ANY($3)) LIMIT 1",
        )
        .await?;
    let queues: Vec<T<'_>> = ask.queues.iter().map(|q| T(q)).collect();
    let until = ask.until.as_millisecond();
    let row = client.query_opt(&find, &[&T(&ask.reviewer), &until, &queues]).await?;
    row.map(|row| granted(&row, ask)).transpose()
}

/// A named item: free, run out, or one's own.
async fn named(client: &ClientWrapper, ask: &TakeLease, id: &str) -> Done<Option<Lease>> {
    let grant = client
        .prepare_cached(
            "UPDATE leases SET reviewer = $2, until = $3, epoch = epoch + 1
             WHERE n = (SELECT n FROM decisions WHERE id = $1) AND open
                 AND (reviewer IS NULL OR until <= $4 OR reviewer = $2)
             RETURNING 1::bigint, substring(place FROM 16), epoch",
        )
        .await?;
    let (until, wall) = (ask.until.as_millisecond(), ask.wall.as_millisecond());
    let row = client.query_opt(&grant, &[&T(id), &T(&ask.reviewer), &until, &wall]).await?;
    if let Some(row) = row {
        return Ok(Some(granted(&row, ask)?));
    }
    match standing(client, id, wall).await? {
        (true, Some(held)) => Err(lost(id, Some(held))),
        _ => Ok(None),
    }
}

/// Is the item open, and who holds it at wall time `wall`? Refused if there is no such decision.
async fn standing(client: &ClientWrapper, id: &str, wall: i64) -> Done<(bool, Option<Held>)> {
    let find = client
        .prepare_cached(
            "SELECT l.open, l.reviewer, l.until, l.epoch
             FROM decisions d LEFT JOIN leases l ON l.n = d.n WHERE d.id = $1",
        )
        .await?;
    let row = client.query_opt(&find, &[&T(id)]).await?;
    let row = row.ok_or_else(|| StoreError::Missing(format!("decision {id}")))?;
    let open = row.try_get::<_, Option<bool>>(0)?.unwrap_or(false);
    let until: Option<i64> = row.try_get(2)?;
    let held = match (row.try_get::<_, Option<Text>>(1)?, until.filter(|until| *until > wall)) {
        (Some(reviewer), Some(until)) => {
            Some(Held { reviewer: reviewer.0, until: time(until)?, epoch: count(row.try_get(3)?) })
        }
        _ => None,
    };
    Ok((open, held))
}

/// Prolong the lease of that epoch. It may have run out, as long as nobody took the item since.
async fn renew(client: &ClientWrapper, held: &Lease) -> Done<Lease> {
    let prolong = client
        .prepare_cached(
            "UPDATE leases SET until = $4
             WHERE n = (SELECT n FROM decisions WHERE id = $1) AND reviewer = $2 AND epoch = $3",
        )
        .await?;
    let (epoch, until) = (int(held.epoch), held.until.as_millisecond());
    let changed =
        client.execute(&prolong, &[&T(&held.item), &T(&held.reviewer), &epoch, &until]).await?;
    match changed {
        0 => {
            let ever = Timestamp::MIN.as_millisecond();
            Err(lost(&held.item, standing(client, &held.item, ever).await?.1))
        }
        _ => Ok(held.clone()),
    }
}

/// Give a lease back, if it is still that one.
async fn release(client: &ClientWrapper, item: &str, reviewer: &str, epoch: u64) -> Done<()> {
    let free = client
        .prepare_cached(
            "UPDATE leases SET reviewer = NULL
             WHERE n = (SELECT n FROM decisions WHERE id = $1) AND reviewer = $2 AND epoch = $3",
        )
        .await?;
    client.execute(&free, &[&T(item), &T(reviewer), &int(epoch)]).await?;
    Ok(())
}
