//! What every request shares: the desk that is served, and where it stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::flow::Flow;
use super::limits::{Limits, Rates};
use super::ofrep::Flags;
use crate::desk::{Admissions, Local};
use crate::protocol::Refused;

/// A desk as it is served. Cheap to clone.
#[derive(Clone)]
pub struct Served(Arc<Inner>);

struct Inner {
    desk: Local,
    behind_proxy: bool,
    admissions: Admissions,
    limits: Limits,
    leaving: AtomicBool,
    flow: Flow,
    flags: Flags,
}

impl Served {
    /// Serve `desk`. `behind_proxy`: who asks is whom the nearest proxy names.
    pub fn new(desk: Local, behind_proxy: bool, rates: Rates) -> Result<Self, Refused> {
        let (admissions, limits) = (desk.admissions()?, Limits::new(rates));
        let leaving = AtomicBool::new(false);
        Ok(Self(Arc::new(Inner {
            desk,
            behind_proxy,
            admissions,
            limits,
            leaving,
            flow: Flow::default(),
            flags: Flags::default(),
        })))
    }

    /// The desk itself. Handlers go through [`super::Caller`], which checks who asks.
    pub(super) fn desk(&self) -> &Local {
        &self.0.desk
    }

    /// The way in for decisions.
    pub(super) fn admissions(&self) -> &Admissions {
        &self.0.admissions
    }

    /// How often one may ask.
    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// What follows the log for those who wait.
    pub(super) fn flow(&self) -> &Flow {
        &self.0.flow
    }

    /// What OpenFeature clients are told.
    pub(super) fn flags(&self) -> &Flags {
        &self.0.flags
    }

    /// Forwarded addresses count.
    pub(super) fn behind_proxy(&self) -> bool {
        self.0.behind_proxy
    }

    /// It is shutting down: what came is finished, and load balancers are told to send no more.
    pub(super) fn leave(&self) {
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// Is it shutting down?
    pub(super) fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Relaxed)
    }
}
