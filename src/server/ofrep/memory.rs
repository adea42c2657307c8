//! What is known of the store, and since when: flags are answered out of it.

use std::sync::{OnceLock, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::desk::{Confirmed, Local};
use crate::server::auth::blocking;
use crate::server::flags::Known;
use crate::server::state::Served;

/// How often memory is checked against the store.
const CONFIRM: Duration = Duration::from_millis(100);

/// How long memory that could not be checked is believed.
const STALE: Duration = Duration::from_secs(2);

/// What is known of the store, and since when.
pub(in crate::server) struct Flags {
    confirmed: RwLock<Option<(Instant, Confirmed)>>,
    /// What flags depend on, as a text; changes when they may.
    state: OnceLock<watch::Receiver<String>>,
    /// Of this store; made when first asked for.
    pub(super) secret: OnceLock<[u8; 32]>,
}

impl Default for Flags {
    fn default() -> Self {
        Self { confirmed: RwLock::new(None), state: OnceLock::new(), secret: OnceLock::new() }
    }
}

impl Flags {
    /// What is known now; out of memory.
    pub(super) fn known(&self, desk: &Local) -> Known {
        let in_force = desk.in_force();
        let confirmed = self.confirmed.read().ok().and_then(|c| c.clone());
        let fresh = confirmed.filter(|(at, _)| at.elapsed() < STALE).map(|(_, c)| c);
        Known { in_force, confirmed: fresh }
    }

    /// Check memory against the store from now on.
    pub(super) fn begin(&self, served: &Served) -> watch::Receiver<String> {
        let begin = || {
            let (tell, state) = watch::channel(String::new());
            tokio::spawn(refresh(served.clone(), tell));
            state
        };
        self.state.get_or_init(begin).clone()
    }

    fn keep(&self, confirmed: Confirmed, at: Instant) {
        if let Ok(mut slot) = self.confirmed.write() {
            *slot = Some((at, confirmed));
        }
    }

    /// Has anybody looked at the store yet?
    pub(super) fn is_ready(&self) -> bool {
        self.confirmed.read().is_ok_and(|c| c.is_some())
    }
}

/// Look at the store again and again, at once where the log grew here.
async fn refresh(served: Served, tell: watch::Sender<String>) {
    let mut heads = served.flow().heads(served.desk());
    while !served.is_leaving() {
        look(&served).await;
        let state = served.flags().known(served.desk()).state();
        tell.send_if_modified(|told| {
            let other = *told != state;
            if other {
                *told = state;
            }
            other
        });
        let _ = tokio::time::timeout(CONFIRM, heads.changed()).await;
    }
}

/// One look at the store.
pub(super) async fn look(served: &Served) {
    let (desk, at) = (served.desk().clone(), Instant::now());
    match blocking(move || desk.confirm()).await {
        // As of when it was asked, not of when the answer came.
        Ok(confirmed) => served.flags().keep(confirmed, at),
        Err(refused) => {
            tracing::warn!(why = refused.message, "flags cannot be confirmed");
        }
    }
}
