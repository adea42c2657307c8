//! Asked to end: Ctrl-C or a polite kill, and which of them it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::super::failure::Exit;

/// Raised by a signal: the batch at hand is finished, then ingest stops. A second one ends the
/// process at once; what was acknowledged is durable even then.
pub struct Stop {
    raised: Arc<AtomicBool>,
    /// Exit code of the signal that came; 0: none did.
    code: Arc<AtomicU8>,
}

impl Stop {
    /// From here on signals are heard. Where they cannot be, one ends the process, which loses
    /// nothing either.
    pub fn on_signals(runtime: &Runtime) -> Self {
        let stop = Self { raised: Arc::default(), code: Arc::default() };
        let _inside = runtime.enter();
        let (Ok(mut pressed), Ok(mut asked)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return stop;
        };
        let (raised, code) = (stop.raised.clone(), stop.code.clone());
        runtime.spawn(async move {
            loop {
                let exit = tokio::select! {
                    _ = pressed.recv() => Exit::Interrupted,
                    _ = asked.recv() => Exit::Terminated,
                };
                code.store(exit.code(), Ordering::Relaxed);
                // Whoever sees the flag sees the code.
                if raised.swap(true, Ordering::AcqRel) {
                    std::process::exit(i32::from(exit.code()));
                }
            }
        });
        stop
    }

    /// The flag that a signal raises.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.raised.clone()
    }

    /// How a command ends that a signal has stopped.
    pub fn exit(&self) -> Exit {
        match self.code.load(Ordering::Acquire) == Exit::Terminated.code() {
            true => Exit::Terminated,
            false => Exit::Interrupted,
        }
    }
}
