//! Signals that end, stop or wake the program.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that end or stop the program.
pub struct Signals {
    term: Signal,
    hup: Signal,
    int: Signal,
    tstp: Signal,
    cont: Signal,
}

/// What a signal wants.
pub enum Told {
    End,
    Interrupt,
    Stop,
    Continue,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            tstp: signal(SignalKind::from_raw(Number::TSTP.as_raw()))?,
            cont: signal(SignalKind::from_raw(Number::CONT.as_raw()))?,
        })
    }

    pub async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.term.recv() => Told::End,
            _ = self.hup.recv() => Told::End,
            _ = self.int.recv() => Told::Interrupt,
            _ = self.tstp.recv() => Told::Stop,
            _ = self.cont.recv() => Told::Continue,
        }
    }
}
