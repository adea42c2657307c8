//! Delivery in the background: who carries what waits, and until when.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::desk::Local;
use crate::domain::Timestamp;
use crate::sync::backends::Syncer;
use crate::sync::guard::{Allowed, PRIVATE_HOSTS};
use crate::sync::{Courier, Https, Terms, Wire};

/// How long an app that closes waits for what is on the wire.
const LAST: Duration = Duration::from_secs(2);

/// How things leave from this process.
pub(super) fn way_out() -> Result<(Arc<dyn Wire>, Terms), Failure> {
    let allowed = Allowed::read(&std::env::var(PRIVATE_HOSTS).unwrap_or_default());
    let wire = Https::new(allowed).map_err(|e| {
        Failure::new(Exit::Failed, "io", format!("nothing can be sent from here: {e}"))
            .hint("overrule needs the system's certificates (package ca-certificates)")
    })?;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed)
        .map_err(|e| Failure::defect(format!("the operating system gives no randomness: {e}")))?;
    let terms = Terms {
        env: Arc::new(|name| std::env::var(name).ok()),
        source: whoami::hostname().unwrap_or_else(|_| "overrule".into()),
        holder: uuid::Uuid::now_v7().to_string(),
        seed: u64::from_le_bytes(seed),
    };
    Ok((Arc::new(wire), terms))
}

/// Who carries alerts and replies, and who carries corrections, over this store.
pub(super) fn carriers(local: &Local) -> Result<(Courier, Syncer), Failure> {
    let (wire, terms) = way_out()?;
    let courier = Courier::new(Arc::new(local.clone()), wire.clone(), terms.clone());
    Ok((courier, Syncer::new(local.clone(), wire, terms)))
}

/// Delivery in the background, for as long as something else goes on.
#[derive(Debug)]
pub struct Delivery {
    stop: [oneshot::Sender<()>; 2],
    tasks: [JoinHandle<()>; 2],
}

impl Delivery {
    /// Begin. Where nothing can be sent from here, that is logged and nothing else is held up.
    pub fn start(session: &Session) -> Option<Self> {
        let local = session.local().ok()?;
        Self::over(local, session.runtime().ok()?.handle())
    }

    /// As [`Self::start`], over a desk, on a runtime.
    pub fn over(local: &Local, runtime: &Handle) -> Option<Self> {
        let (courier, syncer) = carriers(local)
            .inspect_err(|failure| tracing::warn!(message = failure.message, "no delivery"))
            .ok()?;
        let (stop_courier, courier_stops) = oneshot::channel();
        let (stop_syncer, syncer_stops) = oneshot::channel();
        let courier = runtime.spawn(courier.run(Timestamp::now, async {
            let _ = courier_stops.await;
        }));
        let syncer = runtime.spawn(syncer.run(Timestamp::now, async {
            let _ = syncer_stops.await;
        }));
        Some(Self { stop: [stop_courier, stop_syncer], tasks: [courier, syncer] })
    }

    /// End. What is on the wire gets a moment; what is not marked as sent is sent again.
    pub fn end(self, session: &Session) {
        if let Ok(runtime) = session.runtime() {
            runtime.block_on(self.ended());
        }
    }

    /// As [`Self::end`], where there is a runtime already.
    pub async fn ended(self) {
        for stop in self.stop {
            let _ = stop.send(());
        }
        let [courier, syncer] = self.tasks;
        let _ = tokio::time::timeout(LAST, async { tokio::join!(courier, syncer) }).await;
    }
}
