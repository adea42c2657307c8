//! What this node knows without asking: the control generation, and how far its clock is off.
//!
//! One connection listens for changes of control and looks every 250 ms besides, as a notice may
//! be lost with a connection. A node that could not look for a while knows that it does not know.

use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client};

use super::conn::{Shared, patiently};
use super::fault::{Done, Fail, count};
use crate::domain::Timestamp;
use crate::store::Freshness;

/// How often the generation is looked at, come what may.
const EVERY: Duration = Duration::from_millis(250);
/// A look that takes longer has failed.
const LOOK: Duration = Duration::from_secs(1);
/// Clocks that differ by less than this (milliseconds) are left as they are.
const SAME: i64 = 500;

/// A node's own wall clock.
pub type NodeClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// When the generation was last confirmed: begun before it was asked for.
    confirmed: Mutex<Option<Instant>>,
    generation: AtomicU64,
    /// The server's clock minus the node's, in milliseconds.
    ahead: AtomicI64,
}

impl Standing {
    pub(super) fn freshness(&self) -> Freshness {
        let confirmed = *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        Freshness {
            unconfirmed: confirmed.map_or(Duration::MAX, |at| at.elapsed()),
            generation: confirmed.map(|_| self.generation.load(Ordering::Acquire)),
        }
    }

    pub(super) fn now(&self, local: Timestamp) -> Timestamp {
        let ahead = jiff::SignedDuration::from_millis(self.ahead.load(Ordering::Acquire));
        local.checked_add(ahead).unwrap_or(local)
    }

    fn confirm(&self, asked: Instant, generation: u64, ahead: i64) {
        self.generation.fetch_max(generation, Ordering::AcqRel);
        let before = self.ahead.load(Ordering::Acquire);
        let now = if ahead.abs() < SAME { 0 } else { ahead };
        // Steady, so that times which were written can be compared with.
        if (now - before).abs() >= SAME || now == 0 {
            if now != 0 {
                tracing::warn!(
                    milliseconds = now,
                    "this node's clock is not the database's; times are told by the database's"
                );
            }
            self.ahead.store(now, Ordering::Release);
        }
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
    }
}

/// The task that looks.
pub(super) struct Watch {
    address: Shared,
    standing: Arc<Standing>,
    clock: NodeClock,
    told: Arc<Notify>,
}

impl Watch {
    /// Look once, then go on by itself.
    pub(super) async fn start(
        address: Shared,
        standing: Arc<Standing>,
        clock: NodeClock,
    ) -> Done<tokio::task::AbortHandle> {
        let watch = Self { address, standing, clock, told: Arc::default() };
        let client = patiently(async || {
            let client = watch.listen().await?;
            watch.look(&client).await?;
            Ok(client)
        })
        .await?;
        Ok(tokio::spawn(watch.run(client)).abort_handle())
    }

    async fn run(self, mut client: Client) {
        loop {
            tokio::select! {
                () = self.told.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
            if self.look(&client).await.is_err()
                && let Ok(anew) = self.listen().await
            {
                client = anew;
                // A notice may have been missed.
                let _ = self.look(&client).await;
            }
        }
    }

    /// A connection that hears of changes.
    async fn listen(&self) -> Done<Client> {
        let (config, tls) = self.address.config();
        let connected = tokio::time::timeout(LOOK * 2, config.connect(tls.clone()));
        let (client, mut connection) = connected.await.map_err(|_| self.silent())??;
        let told = self.told.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    told.notify_one();
                }
            }
        });
        let listening = client
            .batch_execute("SET application_name = 'overrule watch'; LISTEN overrule_control");
        tokio::time::timeout(LOOK, listening).await.map_err(|_| self.silent())??;
        Ok(client)
    }

    async fn look(&self, client: &Client) -> Done<()> {
        let (asked, before) = (Instant::now(), (self.clock)());
        let look = client.query_one(
            "SELECT generation, (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM state",
            &[],
        );
        let row = tokio::time::timeout(LOOK, look).await.map_err(|_| self.silent())??;
        let after = (self.clock)();
        let middle = (before.as_millisecond() + after.as_millisecond()) / 2;
        let ahead = row.try_get::<_, i64>(1)? - middle;
        self.standing.confirm(asked, count(row.try_get(0)?), ahead);
        Ok(())
    }

    fn silent(&self) -> Fail {
        Fail::Unreachable(format!("{} does not answer", self.address.shown))
    }
}
